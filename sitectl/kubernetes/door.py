"""The admin API of a router in a pod: its calls are carried by one exec through the API server.

Why exec and not a forwarded port: one round trip for any number of calls, and the API's admin
socket stays a file that only the pod's own user opens.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from router.kubernetes.client.errors import refused_pod_step
from router.kubernetes.manifests.image import LOCAL
from router.kubernetes.objects.names import (
    COMPONENT_LABEL,
    COMPONENT_ROUTER,
    ROUTER,
    ROUTER_CONTAINER,
)
from router.kubernetes.objects.objects import (
    Object,
    metadata,
    name_of,
    part,
    pod_refusal,
    seconds_of,
)
from router.kubernetes.objects.starting_pods import (
    container_statuses,
    is_starting,
    not_ready_since,
    stuck_reasons,
)
from router.model import limits
from sitectl.base.failure import Exit, Failure, unreachable
from sitectl.base.options import IN_POD_VARIABLE
from sitectl.kubernetes.cluster import ApiFailure, Cluster
from sitectl.site.admin import AdminAnswer, AdminClient, Call, events_in

SELECTOR = f"{COMPONENT_LABEL}={COMPONENT_ROUTER}"
SITE_DIR_VARIABLE = "SPILLWAY_SITE_DIR"
STATE_VARIABLE = "SITECTL_STATE"
IN_POD_STATE = "/var/lib/spillway"
_KILLED = frozenset((137, 143))
"""Exit codes of containers that a signal ended: a probe failed, or memory was short."""
_STEADY_S = 600.0
"""A container that runs for so long has not ended as soon as it started: kubelet forgets its
restarts too.
"""
_ENDED = frozenset(("Failed", "Succeeded"))
_NO_IMAGE = frozenset(("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull"))


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

    def exchange(self, calls: Sequence[Call]) -> list[AdminAnswer]:
        """All of ``calls`` in one exec, in the next pod if one is just ending.

        An exec that breaks off is repeated if it only reads: a command may have taken effect.
        """
        words = [word for call in calls for word in call if word]
        pods = self._ready_pods()
        if all(call.method == "GET" for call in calls):
            pods.append(pods[0])
        for place, container in pods[:-1]:
            try:
                return self._asked(place, container, words)
            except Failure as failure:
                if failure.exit_code is not Exit.UNREACHABLE:
                    raise
        return self._asked(*pods[-1], words)

    def _asked(self, pod: str, container: str, words: list[str]) -> list[AdminAnswer]:
        try:
            done = self._cluster.execute(pod, container, ["sitectl", "admin", *words])
        except ApiFailure as failure:
            if failure.status != 404:
                raise
            raise unreachable(f"pod {pod} of the router just went", "Try again") from failure
        if done.exit_code:
            said = done.errors.decode("utf-8", "replace").strip().splitlines()
            cause = said[0].removeprefix("Error: ") if said else f"exit {done.exit_code}"
            raise unreachable(
                f"the router in pod {pod} does not answer: {cause}",
                f"kubectl -n {self._cluster.namespace} logs {pod}",
            )
        try:
            return [
                AdminAnswer(int(status), str(text).encode())
                for status, text in json.loads(done.output)
            ]
        except (ValueError, TypeError) as error:
            message = f"pod {pod} answered with something else than the admin API"
            hint = f"kubectl -n {self._cluster.namespace} logs {pod}"
            raise Failure(Exit.FAILED, "bad-answer", message, hint) from error

    def is_running(self) -> bool:
        """Whether a pod of the router is ready."""
        try:
            self._ready_pods()
        except Failure:
            return False
        return True

    def events(self) -> Iterator[dict[str, Any]]:
        """Events as they happen."""
        pod, container = self._ready_pods()[0]
        lines = self._cluster.follow(pod, container, ["sitectl", "admin", "--follow"])
        return events_in(lines)

    def _ready_pods(self) -> list[tuple[str, str]]:
        """Name and container of each ready router. Failure: there is none, and why."""
        pods = self._cluster.list("Pod", SELECTOR)
        ready = sorted((pod for pod in pods if is_ready(pod)), key=name_of)
        if not ready:
            why, hint = self._why(pods)
            namespace = self._cluster.namespace
            raise unreachable(f"no router is ready in namespace {namespace}: {why}", hint)
        return [(name_of(pod), _container(pod)) for pod in ready]

    def _why(self, pods: Sequence[Object]) -> tuple[str, str]:
        """Why no pod is ready, from the pods themselves; and the next step."""
        living = [pod for pod in pods if "deletionTimestamp" not in metadata(pod)]
        if not living:
            return self._why_none() or (
                ("its pod is ending" if pods else "it has no pod"),
                "sitectl check",
            )
        told, hint = _why_not_ready(living, self._cluster.namespace)
        return told or "its pod is starting", hint

    def _why_none(self) -> tuple[str, str] | None:
        """Why no pod can be asked, from the Deployment's conditions; None: they give no reason."""
        try:
            found = self._cluster.find("Deployment", ROUTER)
        except ApiFailure:
            return None  # The right is missing, which `check` says.
        if found is None:
            return None
        if part(found, "spec", "replicas") == 0:
            scale = f"scale deployment {ROUTER} --replicas 1"
            return (
                f"Deployment {ROUTER} has 0 replicas",
                f"kubectl -n {self._cluster.namespace} {scale}",
            )
        return refused_pods(found)


def may_run(cluster: Cluster) -> bool:
    """Whether a pod of the router runs, ready or not."""
    pods = cluster.list("Pod", SELECTOR)
    return any(_runs(one) for pod in pods for one in container_statuses(pod))


def stuck_pods(pods: Sequence[Object], namespace: str) -> tuple[str, str] | None:
    """Which of them do not get ready and why, and the next step; None: any may just be starting."""
    stuck = [pod for pod in pods if _is_stuck(pod) and _trouble(pod)]
    return _why_not_ready(stuck, namespace) if stuck else None


def is_being_made(pod: Object) -> bool:
    """Whether its containers wait only until they are made, as in `ROUTER_STARTS_S` they may."""
    return is_starting(pod) and time.time() - not_ready_since(pod) < limits.ROUTER_STARTS_S


def _is_stuck(pod: Object) -> bool:
    if is_ready(pod) or "deletionTimestamp" in metadata(pod):
        return False
    if part(pod, "status", "phase") in _ENDED:  # As one that was evicted: another is in its place.
        return False
    containers = container_statuses(pod)
    conditions = part(pod, "status", "conditions") or []
    return (
        any(stuck_reasons(pod))
        or any(one.get("restartCount") for one in containers)
        or any(
            (one.get("type"), one.get("status")) == ("PodScheduled", "False") for one in conditions
        )
    )


def _why_not_ready(living: Sequence[Object], namespace: str) -> tuple[str, str]:
    """Why pods are not ready, from their own statuses; and the next step."""
    told = [f"pod {name_of(pod)} {reason}" for pod in living if (reason := _trouble(pod))]
    troubled = next((pod for pod in living if _trouble(pod)), living[0])
    hint = f"kubectl -n {namespace} describe pod {name_of(troubled)}"
    if ended := next((pod for pod in living if _ends_again(pod)), None):
        logs = f"logs {name_of(ended)} -c {_container(ended)} --previous"
        hint = f"kubectl -n {namespace} {logs}"
    elif image := next(filter(None, map(_image_of_no_registry, living)), ""):
        pushed = f"REGISTRY/{image.removeprefix(LOCAL)}"
        hint = (
            f"sitectl update --image {pushed}, after you pushed {image} there: no registry "
            "has it. Or load it on every node"
        )
    return "; ".join(told), hint


def refused_pods(deployment: Object) -> tuple[str, str] | None:
    """Why the cluster makes no further pod of it, and the next step; None: it refuses none."""
    refused = pod_refusal(deployment)
    if refused is None:
        return None
    said, _ = refused
    return f"the cluster makes no pod of Deployment {ROUTER}: {said}", refused_pod_step(said)


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
    return ROUTER_CONTAINER if ROUTER_CONTAINER in names or not names else names[0]


def _ends_again(pod: Object) -> bool:
    """Whether a container ends as soon as it starts: only its log says why."""
    return "CrashLoopBackOff" in _trouble(pod) or any(map(_failure, container_statuses(pod)))


def _image_of_no_registry(pod: Object) -> str:
    """The image that a container waits for and that no registry has; empty: there is none."""
    for container in container_statuses(pod):
        waiting = (container.get("state") or {}).get("waiting") or {}
        image = str(container.get("image") or "")
        if waiting.get("reason") in _NO_IMAGE and image.startswith(LOCAL):
            return image
    return ""


def _trouble(pod: Object) -> str:
    status: Mapping[str, Any] = pod.get("status") or {}
    for container in container_statuses(pod):
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason"):
            detail = f": {waiting['message']}" if waiting.get("message") else ""
            return f"is waiting, {waiting['reason']}{detail}"
    conditions = {str(one.get("type")): one for one in status.get("conditions") or []}
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        return f"is not scheduled: {scheduled.get('message') or scheduled.get('reason')}"
    if conditions.get("ContainersReady", {}).get("status") == "True":
        node = (pod.get("spec") or {}).get("nodeName") or "-"
        return f"is not ready, though its containers are: see node {node} (kubectl get nodes)"
    running = [one for one in container_statuses(pod) if _runs(one) and not one.get("ready")]
    if ended := next(filter(_failure, running), None):
        code, restarts = _failure(ended), ended.get("restartCount")
        return f"runs, and is not ready yet: restart {restarts}, after an end with exit code {code}"
    return "runs, and is not ready yet" if running else ""


def _failure(container: Mapping[str, Any]) -> int:
    """The exit code with which it ended shortly before; 0: none, a signal ended it, or it has run
    for long since.
    """
    state = container.get("state") or {}
    began = seconds_of(str((state.get("running") or {}).get("startedAt") or ""))
    if began is not None and time.time() - began > _STEADY_S:
        return 0
    ended = (container.get("lastState") or {}).get("terminated") or {}
    code = ended.get("exitCode")
    return code if isinstance(code, int) and code not in _KILLED else 0


def _runs(container: Mapping[str, Any]) -> bool:
    return "running" in (container.get("state") or {})
