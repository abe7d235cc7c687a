"""The router in a podman container, rootless unless root asks.

Who keeps it running is the best there is: Quadlet (podman 4.4 and newer with systemd and cgroups
v2), a plain unit (older podman), else podman's own restart policy, which no reboot survives.
"""

import os
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

from certs.files import make_directory
from router.model.errors import ConfigError
from sitectl import output
from sitectl.failure import Exit, Failure, conflict
from sitectl.runtimes.container import PLAN_LABEL, Container, Engine
from sitectl.runtimes.containers import (
    SETTLE_POLL_S,
    ContainerRuntime,
    shown,
    still_draining,
)
from sitectl.runtimes.generator import quadlet_generator, refuse_bad_quadlet
from sitectl.runtimes.manager import Manager
from sitectl.runtimes.planning import planned
from sitectl.runtimes.presence import last_error_of, wait_until
from sitectl.runtimes.quadlet import quadlet_text, unit_text
from sitectl.runtimes.spec import Scope, finding
from sitectl.store import GATEWAYS
from sitectl.texts import write_atomically

QUADLET_SINCE = (4, 4)
Way = Literal["quadlet", "unit", "direct"]


class PodmanRuntime(ContainerRuntime):
    """podman's containers, of root or of a user."""

    engine: ClassVar[Engine] = "podman"

    @property
    def scope(self) -> Scope:
        """Whose systemd starts it: root's containers are the system's."""
        return "system" if self.host.is_root else "user"

    @cached_property
    def manager(self) -> Manager:
        """That systemd."""
        return Manager(self.scope)

    @property
    def unit(self) -> str:
        """Its name, whether Quadlet generates it or we write it."""
        return f"{self.name}.service"

    @cached_property
    def way(self) -> Way:
        """Who keeps it running here."""
        if not self.host.manager:
            return "direct"
        if (
            self.program.version() >= QUADLET_SINCE
            and self.host.unified
            and quadlet_generator(self.scope)
        ):
            return "quadlet"
        return "unit"

    def path(self, way: Way) -> Path:
        """The file of a way."""
        config = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
        if way == "quadlet":
            base = Path("/etc") if self.host.is_root else config
            return base / "containers" / "systemd" / f"{self.name}.container"
        base = Path("/etc/systemd/system") if self.host.is_root else config / "systemd" / "user"
        return base / self.unit

    def container(self) -> Container:
        """As who typed the command, or for root as the owner of the state."""
        return planned(
            self.site,
            self.spec,
            self.engine,
            user=self.state_owner() if self.host.is_root else f"{self.host.uid}:{os.getegid()}",
            keep_id=not self.host.is_root,
            limits=self.host.is_root or (self.host.unified and self.host.manager),
            timers=self.host.manager,
        )

    def start(self, timeout_s: float) -> bool:
        """Make or update the unit, else the container; returns when the router is ready."""
        self.program.path()
        if self.way == "direct":
            started = super().start(timeout_s)
        else:
            started = self._start_unit(self.way, timeout_s)
        if started:
            self._tell_of_reboots()
        return started

    def _start_unit(self, way: Way, timeout_s: float) -> bool:
        wanted = self.container()
        text = self._text(way, wanted)
        path = self.path(way)
        before = self._text_of(path)
        state = self._state()
        if before == text and state == "active" and self.site.admin.is_ready():
            return False
        existing = self.inspected()
        self.require_no_other_router(existing is not None or state in ("active", "activating"))
        self.program.require_image(wanted.image, wanted.pull_policy)
        if way == "quadlet":
            generator = quadlet_generator(self.scope)
            refuse_bad_quadlet(generator, self.scope, self.name, text)
        if existing is not None and PLAN_LABEL in (existing["Config"].get("Labels") or {}):
            self.end(timeout_s)  # Made while no systemd ran here.
        self._forget("unit" if way == "quadlet" else "quadlet")
        if before != text:
            make_directory(path.parent)
            write_atomically(path, text)
            self.manager.run("systemctl", "daemon-reload")
        if way == "unit":  # A generated one cannot be enabled; its generator does that.
            self.manager.run("systemctl", "enable", self.unit)
        self._run_unit("restart" if state == "active" else "start", timeout_s)
        return True

    def _run_unit(self, verb: str, timeout_s: float) -> None:
        """Returns when the router is ready. Failure: it ended, or takes too long."""
        before = self._properties()
        self.manager.run("systemctl", verb, "--no-block", self.unit)
        now = before

        def settled() -> bool:
            nonlocal now
            now = self._properties()
            if now["InvocationID"] in ("", before["InvocationID"]):
                return False  # The order is not carried out yet.
            if now["ActiveState"] == "active":
                return self.site.admin.is_ready()
            return now["ActiveState"] == "failed" or now["SubState"].startswith("auto-restart")

        in_time = wait_until(settled, timeout_s, SETTLE_POLL_S)
        if in_time and now["ActiveState"] == "active":
            return
        log = self.manager.journal(self.unit, now["InvocationID"])
        if not in_time:
            raise Failure(
                Exit.TIMED_OUT,
                "not-ready",
                f"{self.unit} is not ready after {timeout_s:g} s",
                f"Look at its log: {self.log_hint()}",
                detail=shown(log),
                retryable=True,
            )
        self.manager.run("systemctl", "stop", "--no-block", self.unit)
        raise Failure(
            Exit.FAILED,
            "start-failed",
            f"{self.unit} did not start: {last_error_of(log)}",
            f"Mend that, then the same again; the whole log: {self.log_hint()}",
            detail=shown(log),
        )

    def _properties(self) -> dict[str, str]:
        names = ("ActiveState", "SubState", "InvocationID")
        return dict.fromkeys(names, "") | self.manager.properties(self.unit, *names)

    def _state(self) -> str:
        return self._properties()["ActiveState"]

    def _text(self, way: Way, wanted: Container) -> str:
        if way == "quadlet":
            return quadlet_text(wanted, self.scope)
        return unit_text(wanted, self.scope, self.program.path(), unified=self.host.unified)

    def _text_of(self, path: Path) -> str:
        """What the file of our unit says; empty: there is none. Failure: it is another's."""
        try:
            text = path.read_text("utf-8")
        except FileNotFoundError:
            return ""
        if f"{self.site.directory.resolve()}:" not in text:
            raise conflict(
                f"{path} was not made for {self.site.directory}; it is left alone",
                "Give this site's container another name: name: … in its runtime.yaml",
            )
        return text

    def _forget(self, way: Way) -> bool:
        """Remove our file of ``way``. False: there is none."""
        path = self.path(way)
        if not self._text_of(path):
            return False
        if way == "unit":
            self.manager.run("systemctl", "disable", self.unit)
        path.unlink()
        return True

    def stop(self, timeout_s: float) -> bool:
        """Stop the unit, else the container. False: none ran."""
        if self.way != "direct":
            state = self._state()
            if state in ("active", "activating", "deactivating", "reloading"):
                if state == "deactivating":
                    self.hurry()
                self._stop_unit(timeout_s)
                return True
        return super().stop(timeout_s)

    def _stop_unit(self, timeout_s: float) -> None:
        self.manager.run("systemctl", "stop", "--no-block", self.unit)

        def is_gone() -> bool:
            return self._state() in ("inactive", "failed")

        if not wait_until(is_gone, timeout_s, SETTLE_POLL_S):
            raise still_draining(self.site.name, timeout_s)

    def remove(self, timeout_s: float) -> None:
        """Remove unit and container."""
        if self.way != "direct":
            if self._state() == "active":
                self._stop_unit(timeout_s)
            if self._forget("quadlet") | self._forget("unit"):
                self.manager.run("systemctl", "daemon-reload")
                self.manager.says("reset-failed", self.unit)  # No, when there is nothing to forget.
        super().remove(timeout_s)

    def describe(self) -> dict[str, Any]:
        """Also ``unit``, empty without one, and whether a reboot brings it back."""
        fields = super().describe()
        return {
            **fields,
            "unit": "" if self.way == "direct" else self.unit,
            "survives_reboot": self.way != "direct" and self.host.lingers,
        }

    def findings(self) -> list[ConfigError]:
        """Also what rootless podman and its restart at boot need."""
        found = super().findings()
        host = self.host
        if not host.has_subordinate_ids:
            reason = f"user {host.user} has no range in /etc/subuid and /etc/subgid, which rootless"
            hint = "sudo usermod --add-subuids 524288-589823 --add-subgids 524288-589823 "
            hint += f"{host.user} && podman system migrate"
            found.append(finding(self.site, f"{reason} podman needs", hint, "SW0616"))
        if not host.manager:
            found.append(self._warning(_NO_MANAGER, self._after_reboot(), "SW0617"))
        elif not host.lingers:
            found.append(self._warning(*_no_linger(host.user), "SW0618"))
        if not host.unified and not host.is_root:
            reason = "cgroups v1: rootless podman cannot limit memory and processes here"
            hint = "Boot with systemd.unified_cgroup_hierarchy=1"
            found.append(self._warning(reason, hint, "SW0619"))
        return found

    def _warning(self, reason: str, hint: str, code: str) -> ConfigError:
        found = finding(self.site, reason, hint, code)
        found.severity = "warning"
        return found

    def log_hint(self) -> str:
        """The journal's, under systemd."""
        if self.way == "direct":
            return super().log_hint()
        return f"journalctl {'--user ' if self.scope == 'user' else ''}-u {self.unit}"

    def _after_reboot(self) -> str:
        name = self.site.name
        is_gateway = self.site.directory.parent.name == GATEWAYS
        start = f"gateway init --name {name}" if is_gateway else f"--site {name} start"
        return f"After a reboot: sitectl {start}"

    def _tell_of_reboots(self) -> None:
        if self.way == "direct":
            output.note(f"{_NO_MANAGER}. {self._after_reboot()}")
        elif not self.host.lingers:
            reason, hint = _no_linger(self.host.user)
            output.note(f"{reason}. Type: {hint}")


_NO_MANAGER = (
    "no systemd runs here to start the router after a reboot; podman restarts it until then"
)


def _no_linger(user: str) -> tuple[str, str]:
    return (
        f"user {user} does not linger: systemd ends the router when the last session ends, and "
        "starts it with the first one after a reboot",
        f"loginctl enable-linger {user}",
    )
