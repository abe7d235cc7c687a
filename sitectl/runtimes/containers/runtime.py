"""Shared by podman and docker: a container that the engine itself restarts.

The container is ours if its labels name this site's directory; another of that name is never
touched. A label has the digest of its words, so that `start` notices changes.
"""

import contextlib
import os
import signal
import time
from abc import abstractmethod
from collections.abc import Iterable
from functools import cached_property
from typing import Any, ClassVar

from router.model.errors import ConfigError
from sitectl.base.failure import Failure, conflict
from sitectl.runtimes import programs
from sitectl.runtimes.base import Runtime
from sitectl.runtimes.containers.engine import Program, failure
from sitectl.runtimes.containers.host import Host, own_state, this_host
from sitectl.runtimes.containers.plan import container_name, digest, image_of
from sitectl.runtimes.containers.words import (
    DIRECTORY_LABEL,
    PLAN_LABEL,
    STATE,
    Container,
    Engine,
    direct_words,
)
from sitectl.runtimes.outcomes import not_ready, start_failed
from sitectl.runtimes.presence import is_running, last_error_of, not_ended, running_pid, wait_until
from sitectl.runtimes.programs import last_line, other_lines
from sitectl.runtimes.spec import RuntimeSpec
from sitectl.runtimes.spec_file import finding, read_spec
from sitectl.site.directory import DirectorySite

SETTLE_POLL_S = 0.1
REMOVE_TIMEOUT_S = 60.0
Inspected = dict[str, Any]
_ENDED = ("none", "exited", "stopped", "created", "configured", "dead")
"""States of a container in which no router runs."""


class ContainerRuntime(Runtime):
    """A router in a container of `engine`."""

    engine: ClassVar[Engine]

    def __init__(self, site: DirectorySite) -> None:
        super().__init__(site)
        self.program = Program(self.engine)

    @cached_property
    def spec(self) -> RuntimeSpec:
        """``runtime.yaml``."""
        return read_spec(self.site)

    @cached_property
    def host(self) -> Host:
        """Where we are."""
        return this_host()

    @property
    def name(self) -> str:
        """Of the container."""
        return container_name(self.site, self.spec)

    @abstractmethod
    def container(self) -> Container:
        """The wanted container, from the site's current files."""

    def fetch(self) -> None:
        """Have the image here, pulled if the policy says so."""
        self.program.path()
        wanted = self.container()
        self.program.require_image(wanted.image, wanted.pull_policy)

    def start(self, timeout_s: float) -> bool:
        """Make the container, or bring it to what the files say; returns when it is ready."""
        self.program.path()
        wanted = self.container()
        mark = digest(wanted, self.engine)
        existing = self.inspected() or {}
        is_same = _labels(existing).get(PLAN_LABEL) == mark and _state(existing) == "running"
        if is_same and self.site.admin.is_ready():
            return False
        restarts = _restarts(existing)
        if not is_same:
            self.require_no_other_router(_state(existing) not in _ENDED)
            self.program.require_image(wanted.image, wanted.pull_policy)
            if existing:
                self.end(timeout_s)
            self._make(wanted, mark)
            restarts = 0
        self.await_ready(timeout_s, restarts)
        return True

    def _make(self, wanted: Container, mark: str) -> None:
        done = self.program.ask(*direct_words(wanted, self.engine, mark))
        if done.returncode:
            if self.inspected() is not None:  # Docker leaves what could not start.
                self.program.ask("rm", "--force", self.name)
            raise _not_started(self.engine, self.site.name, done.stderr, wanted)

    def await_ready(self, timeout_s: float, restarts: int) -> None:
        """Return when the router is ready. Failure: it ended, or takes too long.

        ``restarts``: how often it was started again before.
        """
        seen: Inspected = {}
        ends_at = time.monotonic() + timeout_s

        def settled() -> bool:
            nonlocal seen
            if self.site.admin.is_ready(ends_at - time.monotonic()):
                return True
            seen = self.inspected() or {}
            return _restarts(seen) > restarts or _state(seen) not in (
                "running",
                "created",
                "starting",
            )

        if not wait_until(settled, timeout_s, SETTLE_POLL_S):
            raise not_ready(self.site.name, timeout_s, self.log_hint())
        if not self.site.admin.is_ready():
            log = self.paths_here(self.program.log(self.name).splitlines())
            self.program.ask("rm", "--force", "--volumes", self.name, timeout_s=REMOVE_TIMEOUT_S)
            hint = "Fix that and type start again; the container is removed"
            raise start_failed(self.site.name, f": {last_error_of(log)}", hint, log)

    def paths_here(self, log: Iterable[str]) -> list[str]:
        """The router's log with the paths that its files have on the host."""
        return [line.replace(f"{STATE}/", f"{self.site.directory}/") for line in log]

    def stop(self, timeout_s: float) -> bool:
        """Have it drain and end, and stay ended. False: none ran. Typed again: it ends now."""
        existing = self.inspected()
        if existing is None or _state(existing) in _ENDED:
            return False
        if _state(existing) in ("stopping", "removing"):
            self.hurry()
        self.end(timeout_s)
        return True

    def hurry(self) -> None:
        """Send a second SIGTERM: cuts running requests and connections."""
        process_id = running_pid(self.site)
        if process_id is not None:
            with contextlib.suppress(ProcessLookupError):  # It has just ended.
                os.kill(process_id, signal.SIGTERM)

    def end(self, timeout_s: float) -> None:
        """Stop and remove the container. Failure: it still drains when we have no more time.

        It is killed when its own stop timeout is over, which was chosen when it was made.
        """
        stopped = programs.run_on([self.program.path(), "stop", self.name], timeout_s)
        if stopped is None:
            raise not_ended(self.site, timeout_s, f"container {self.name}")
        if stopped.returncode and self.program.inspect(self.name) is not None:
            raise failure(
                f"{self.engine} cannot stop container {self.name}: {last_line(stopped.stderr)}",
                f"{self.engine} rm --force {self.name}",
                "SW0611",
                stopped.stderr.strip(),
            )
        self.program.ask("rm", "--force", "--volumes", self.name, timeout_s=REMOVE_TIMEOUT_S)

    def remove(self, timeout_s: float) -> None:
        """Remove the container; the image stays, others may be of it."""
        if self.inspected() is not None:
            self.end(timeout_s)

    def inspected(self) -> Inspected | None:
        """Our container; None: there is none. Failure: one of that name is not ours."""
        found = self.program.inspect(self.name)
        if found is not None and not self.is_ours(found):
            raise conflict(
                f"a container {self.name!r} is there that was not made for "
                f"{self.site.directory}; it is left alone",
                f"Remove it ({self.engine} rm {self.name}), or give this site's another name: "
                f"name: … in {self.site.directory / 'runtime.yaml'}",
            )
        return found

    def is_ours(self, found: Inspected) -> bool:
        """Whether the labels name this site's directory."""
        return _labels(found).get(DIRECTORY_LABEL) == str(self.site.directory.resolve())

    def require_no_other_router(self, ours_runs: bool) -> None:
        """Raise Failure when a router of this site runs outside of the container."""
        if not ours_runs and is_running(self.site):
            raise conflict(
                f"a router of {self.site.name!r} runs already, outside of container {self.name} "
                f"(process {running_pid(self.site)})",
                "End that one first: it was started with another runtime",
            )

    def describe(self) -> dict[str, Any]:
        """``container``, ``image`` and what the engine says of it."""
        fields: dict[str, Any] = {
            "runtime": self.engine,
            "container": self.name,
            "image": image_of(self.spec),
            "network": self.spec.network,
        }
        found = self.program.inspect(self.name)
        if found is None or not self.is_ours(found):
            return {**fields, "state": "none"}
        health = found["State"].get("Health") or found["State"].get("Healthcheck") or {}
        return {
            **fields,
            "state": _state(found),
            "health": str(health.get("Status") or ""),
            "restarts": _restarts(found),
            "running_image": str(found.get("ImageName") or found["Config"].get("Image") or ""),
        }

    def findings(self) -> list[ConfigError]:
        """Obstacles to running the router here."""
        image = image_of(self.spec)
        try:
            if self.inspected() is not None or self.program.has_image(image):
                return []
        except Failure as failed:
            return [finding(self.site, failed.message, failed.hint, failed.code)]
        hint = f"{self.engine} load -i FILE, or let start pull it"
        return [finding(self.site, f"image {image} is not on this host", hint, "SW0612")]

    def log_hint(self) -> str:
        """The engine's own."""
        return f"{self.engine} logs {self.name}"

    def state_owner(self) -> str:
        """``UID:GID`` of a router that is not ours to be: root's, or a daemon's."""
        if self.host.is_root:
            uid, gid = own_state(self.site.directory)
        else:
            status = self.site.directory.stat()
            uid, gid = status.st_uid, status.st_gid
        return f"{uid}:{gid}"


def _labels(found: Inspected) -> dict[str, str]:
    labels: dict[str, str] = found.get("Config", {}).get("Labels") or {}
    return labels


def _state(found: Inspected) -> str:
    return str(found["State"]["Status"]) if found else "none"


def _restarts(found: Inspected) -> int:
    return int(found.get("RestartCount") or 0) if found else 0


def _not_started(engine: Engine, site: str, said: str, wanted: Container) -> Failure:
    """Why ``run`` failed."""
    low = said.lower()
    if "address already in use" in low or "port is already allocated" in low:
        hint = "Free that port, or choose another: --bind-port, publish in runtime.yaml"
    elif "network" in low and "not found" in low:
        hint = f"{engine} network create {wanted.network}"
    elif "subuid" in low or "newuidmap" in low:
        hint = "sudo usermod --add-subuids 524288-589823 --add-subgids 524288-589823 USER"
    else:
        hint = f"{engine} info"
    return failure(
        f"{engine} cannot run the router of {site!r}: {last_line(said)}",
        hint,
        "SW0611",
        other_lines(said),
    )
