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
from sitectl.base import output
from sitectl.base.failure import conflict
from sitectl.base.folders import GATEWAYS
from sitectl.base.texts import write_atomically
from sitectl.runtimes.containers.generator import quadlet_generator, refuse_bad_quadlet
from sitectl.runtimes.containers.plan import planned
from sitectl.runtimes.containers.quadlet import quadlet_text, unit_text
from sitectl.runtimes.containers.runtime import ContainerRuntime
from sitectl.runtimes.containers.words import PLAN_LABEL, Container, Engine
from sitectl.runtimes.manager import Manager
from sitectl.runtimes.outcomes import not_ready, start_failed
from sitectl.runtimes.presence import last_error_of, not_ended
from sitectl.runtimes.spec import Scope
from sitectl.runtimes.spec_file import doubt, finding
from sitectl.runtimes.unit import Unit, units_directory, user_config

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
    def unit(self) -> Unit:
        """Whether Quadlet generates it or we write it."""
        return Unit(Manager(self.scope), f"{self.name}.service")

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
        if way == "quadlet":
            base = Path("/etc") if self.host.is_root else user_config()
            return base / "containers" / "systemd" / f"{self.name}.container"
        return units_directory(self.scope) / self.unit.name

    def container(self) -> Container:
        """As who typed the command, or for root as the owner of the state."""
        return planned(
            self.site,
            self.spec,
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
            self.unit.manager.run("systemctl", "daemon-reload")
        if way == "unit":  # A generated one cannot be enabled; its generator does that.
            self.unit.manager.run("systemctl", "enable", self.unit.name)
        self._run_unit("restart" if state == "active" else "start", timeout_s)
        return True

    def _run_unit(self, verb: str, timeout_s: float) -> None:
        """Returns when the router is ready. Failure: it ended, or takes too long."""
        before = self.unit.state()["InvocationID"]
        self.unit.order(verb)
        in_time, state = self.unit.await_ready(self.site.admin.is_ready, before, timeout_s)
        if in_time and state["ActiveState"] == "active":
            return
        log = self.paths_here(self.unit.log(state["InvocationID"]))
        if not in_time:
            raise not_ready(self.site.name, timeout_s, self.log_hint(), log)
        self.unit.order("stop")
        hint = f"Fix that, then the same again; the whole log: {self.log_hint()}"
        raise start_failed(self.site.name, f" ({self.unit.name}): {last_error_of(log)}", hint, log)

    def _state(self) -> str:
        return self.unit.state()["ActiveState"]

    def _text(self, way: Way, wanted: Container) -> str:
        if way == "quadlet":
            return quadlet_text(wanted, self.scope)
        return unit_text(wanted, self.scope, self.program.path(), unified=self.host.unified)

    def _text_of(self, path: Path) -> str:
        """The text of our unit's file; empty: there is none. Failure: it is another's."""
        try:
            text = path.read_text("utf-8")
        except FileNotFoundError:
            return ""
        if f"={self.site.directory.resolve()}:" not in text:
            raise conflict(
                f"{path} was not made for {self.site.directory}; it is left alone",
                "Give this site's container another name: name: … in its runtime.yaml",
            )
        return text

    def _has_file(self) -> bool:
        """Whether a unit of that name is ours. Failure: it is another's."""
        return any([self._text_of(self.path("quadlet")), self._text_of(self.path("unit"))])

    def _forget(self, way: Way) -> bool:
        """Remove our file of ``way``. False: there is none."""
        path = self.path(way)
        if not self._text_of(path):
            return False
        if way == "unit":
            self.unit.manager.run("systemctl", "disable", self.unit.name)
        path.unlink()
        return True

    def stop(self, timeout_s: float) -> bool:
        """Stop the unit, else the container. False: none ran."""
        if self.way != "direct":
            state = self._state() if self._has_file() else "inactive"
            if state in ("active", "activating", "deactivating", "reloading"):
                if state == "deactivating":
                    self.hurry()
                self._stop_unit(timeout_s)
                return True
        return super().stop(timeout_s)

    def _stop_unit(self, timeout_s: float) -> None:
        if not self.unit.stop(timeout_s):
            raise not_ended(self.site, timeout_s, self.unit.name)

    def remove(self, timeout_s: float) -> None:
        """Remove unit and container."""
        if self.way != "direct":
            if self._has_file() and self._state() == "active":
                self._stop_unit(timeout_s)
            if self._forget("quadlet") | self._forget("unit"):
                self.unit.forget()
        super().remove(timeout_s)

    def describe(self) -> dict[str, Any]:
        """Also ``unit``, empty without one, and whether a reboot brings it back."""
        fields = super().describe()
        return {
            **fields,
            "unit": "" if self.way == "direct" else self.unit.name,
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
            found.append(doubt(self.site, _NO_MANAGER, self._after_reboot(), "SW0617"))
        elif not host.lingers:
            found.append(doubt(self.site, *_no_linger(host.user), "SW0618"))
        if not host.unified and not host.is_root:
            reason = "cgroups v1: rootless podman cannot limit memory and processes here"
            hint = "Boot with systemd.unified_cgroup_hierarchy=1"
            found.append(doubt(self.site, reason, hint, "SW0619"))
        return found

    def log_hint(self) -> str:
        """The journal's, under systemd."""
        if self.way == "direct":
            return super().log_hint()
        return self.unit.log_hint

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
