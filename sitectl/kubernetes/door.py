"""The admin API of a router in a pod: its calls are carried by one exec through the API server.

Why exec and not a forwarded port: one round trip for any number of calls, and the API's admin
socket stays a file that only the pod's own user opens.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from router.kubernetes.names import COMPONENT_LABEL, COMPONENT_ROUTER
from router.kubernetes.objects import Object, metadata, name_of
from sitectl.admin import AdminClient, Answer, Call, events_in
from sitectl.failure import Exit, Failure, unreachable
from sitectl.kubernetes.cluster import Cluster
from sitectl.options import IN_POD_VARIABLE

SELECTOR = f"{COMPONENT_LABEL}={COMPONENT_ROUTER}"
CONTAINER = "router"
SITE_DIR_VARIABLE = "SPILLWAY_SITE_DIR"
STATE_VARIABLE = "SITECTL_STATE"
IN_POD_STATE = "/var/lib/spillway"


def site_directory(namespace: str = "", state: Path | None = None) -> Path:
    """Where a router in this pod, or one that serves ``namespace`` from here, keeps its socket."""
    stated = os.environ.get(SITE_DIR_VARIABLE)
    if stated or state is None or IN_POD_VARIABLE in os.environ:
        return Path(stated or Path(os.environ.get(STATE_VARIABLE) or IN_POD_STATE) / "site")
    return state / f"namespace-{namespace}"


class PodDoor(AdminClient):
    """The router of a namespace, in whichever of its pods is ready."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._pod: tuple[str, str] | None = None

    def exchange(self, calls: Sequence[Call]) -> list[Answer]:
        """All of ``calls`` in one exec."""
        words = [word for call in calls for word in call if word]
        pod, container = self._ready_pod()
        done = self._cluster.execute(pod, container, ["sitectl", "admin", *words])
        if done.exit_code:
            said = done.errors.decode("utf-8", "replace").strip().splitlines()
            cause = said[0].removeprefix("Error: ") if said else f"exit {done.exit_code}"
            raise unreachable(
                f"the router in pod {pod} does not answer: {cause}",
                f"kubectl -n {self._cluster.namespace} logs {pod}",
            )
        try:
            return [
                Answer(int(status), str(text).encode()) for status, text in json.loads(done.output)
            ]
        except (ValueError, TypeError) as error:
            message = f"pod {pod} answered with something else than the admin API"
            hint = f"kubectl -n {self._cluster.namespace} logs {pod}"
            raise Failure(Exit.FAILED, "bad-answer", message, hint) from error

    def is_running(self) -> bool:
        """Whether a pod of the router is ready."""
        try:
            self._ready_pod()
        except Failure:
            return False
        return True

    def events(self) -> Iterator[dict[str, Any]]:
        """Events as they happen."""
        pod, container = self._ready_pod()
        lines = self._cluster.follow(pod, container, ["sitectl", "admin", "--follow"])
        return events_in(lines)

    def _ready_pod(self) -> tuple[str, str]:
        """Name and container of a ready router. Failure: there is none, and why."""
        if self._pod is None:
            pods = self._cluster.list("Pod", SELECTOR)
            ready = sorted((pod for pod in pods if is_ready(pod)), key=name_of)
            if not ready:
                raise unreachable(
                    f"no router is ready in namespace {self._cluster.namespace}{_why(pods)}",
                    "sitectl check",
                )
            self._pod = (name_of(ready[0]), _container(ready[0]))
        return self._pod


def is_ready(pod: Object) -> bool:
    """Whether it serves and does not end."""
    if "deletionTimestamp" in metadata(pod):
        return False
    return any(
        condition.get("type") == "Ready" and condition.get("status") == "True"
        for condition in (pod.get("status") or {}).get("conditions") or []
    )


def _container(pod: Object) -> str:
    names = [str(one.get("name")) for one in (pod.get("spec") or {}).get("containers") or []]
    return CONTAINER if CONTAINER in names or not names else names[0]


def _why(pods: Sequence[Object]) -> str:
    """What keeps the pods from being ready, as far as they tell."""
    if not pods:
        return ": it has no pod of one"
    told = [f"pod {name_of(pod)} {reason}" for pod in pods if (reason := _trouble(pod))]
    return f": {'; '.join(told)}" if told else ": its pod is starting"


def _trouble(pod: Object) -> str:
    status: Mapping[str, Any] = pod.get("status") or {}
    for container in status.get("containerStatuses") or []:
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason"):
            detail = f": {waiting['message']}" if waiting.get("message") else ""
            return f"is waiting, {waiting['reason']}{detail}"
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return f"is not scheduled: {condition.get('message') or condition.get('reason')}"
    return ""
