"""The router as a systemd service: a unit of the user's manager, or of the system's.

`start` writes the unit if it differs from the one that this version makes, and restarts a router
of an older unit. State and keys stay in the site's directory throughout.
"""

import os
from pathlib import Path
from shlex import quote
from typing import Any, Final

from certs.files import make_directory
from router.documents import listening_addresses, resolve
from router.documents.addresses import auto_ip
from router.model.errors import ConfigError
from router.model.specs import SiteSpec
from sitectl.base import output
from sitectl.base.failure import Failure, conflict, not_allowed
from sitectl.base.folders import GATEWAYS
from sitectl.base.texts import write_atomically
from sitectl.runtimes import account, presence
from sitectl.runtimes.base import Runtime
from sitectl.runtimes.manager import Manager, user_name
from sitectl.runtimes.outcomes import not_ready, start_failed
from sitectl.runtimes.process import ProcessRuntime, code_directory
from sitectl.runtimes.spec_file import doubt, finding, read_spec
from sitectl.runtimes.systemd.facts import closed_to, host_facts, needs_right_to_bind
from sitectl.runtimes.systemd.unit_file import (
    ACCOUNT,
    HostFacts,
    UnitSpec,
    directory_of,
    has_credentials,
    unit_text,
)
from sitectl.runtimes.unit import SYSTEM_UNITS, Unit, units_directory, waits_to_restart
from sitectl.site.directory import DirectorySite

SYSTEM_STATE: Final = Path("/var/lib/spillway")
RESTART_MARK: Final = "restart-wanted"
"""In ``run/``, from before a new unit is written until a router runs by it."""

_CAUSES: Final = {
    "203": "Python could not be run (SELinux lets no service run what lies in a home)",
    "217": "the user or its name space could not be set up",
    "226": "the sandbox could not be set up",
    "243": "the identity key could not be handed over",
}
"""Exit codes of systemd itself (systemd.exec(5), Process Exit Codes)."""


class SystemdRuntime(Runtime):
    """A systemd unit, which restarts after a crash, a hang and a reboot."""

    def __init__(self, site: DirectorySite) -> None:
        super().__init__(site)
        spec = read_spec(site)
        self.scope = spec.scope
        self.unit = f"{spec.name or f'spillway-{site.name}'}.service"
        self.path = units_directory(self.scope) / self.unit
        is_gateway = site.directory.parent.name == GATEWAYS
        plain = f"init {site.name} --run-by process"
        self._manager = Manager(
            self.scope,
            "sitectl " + ("gateway init --type process" if is_gateway else plain),
        )
        self._unit = Unit(self._manager, self.unit)

    def start(self, timeout_s: float) -> bool:
        """Bring the unit to this version, start it, wait until it serves. False: it did already."""
        version = self._manager.require()
        self._require_rights()
        if self.scope == "system":
            account.own_site(self.site.directory)
            account.open_the_way(self.site.directory, SYSTEM_STATE)
        facts = self._facts(version)
        self._require_readable(facts)
        self._install(unit_text(self._unit_spec(), facts))
        if self._manager.says("is-enabled", self.unit) != "enabled":
            self._manager.run("systemctl", "enable", self.unit)
        mark = self.site.run / RESTART_MARK
        state = self._unit.state()
        runs = state["ActiveState"] in ("active", "reloading") and self.site.admin.is_ready()
        if runs and not mark.exists():
            return False
        if state["ActiveState"] in ("inactive", "failed"):
            ProcessRuntime(self.site).stop(timeout_s)  # One that was started before it was a unit.
        order = "restart" if mark.exists() else "start"
        # One that is on its way already, by this unit, may be the one that we wait for.
        is_coming = state["ActiveState"] in ("active", "activating") and order == "start"
        is_coming = is_coming and not waits_to_restart(state)
        self._unit.order(order)
        self._await_ready(timeout_s, "" if is_coming else state["InvocationID"])
        mark.unlink(missing_ok=True)
        for found in self._of_boot():
            output.note(f"{found.reason}. Type: {found.hint}")
        return True

    def stop(self, timeout_s: float) -> bool:
        """Have it drain and end. A second order while it drains ends it at once."""
        state = self._unit.state() if self._manager.version() else {"ActiveState": "inactive"}
        if state["ActiveState"] in ("inactive", "failed"):
            return ProcessRuntime(self.site).stop(timeout_s)
        self._require_rights()
        self._require_ours()
        if state["ActiveState"] == "deactivating":
            self._manager.run("systemctl", "kill", "--kill-who=main", "-s", "TERM", self.unit)
        if not self._unit.stop(timeout_s):
            raise presence.not_ended(self.site, timeout_s, self.unit)
        return True

    def remove(self, timeout_s: float) -> None:
        """Disable and delete the unit; with the last one of the system its account, too."""
        if self._owner_of_unit() not in (None, str(self.site.directory)):
            return  # Of another site.
        self._require_rights()
        manager = self._manager if self._manager.version() else None
        if manager is not None and self._unit.state()["LoadState"] not in ("", "not-found"):
            self.stop(timeout_s)
            manager.run("systemctl", "disable", self.unit)
        self.path.unlink(missing_ok=True)
        for wants in self.path.parent.glob("*.wants"):
            (wants / self.unit).unlink(missing_ok=True)
        if manager is not None:
            self._unit.forget()
        if self.scope == "system" and not _units_of_ours():
            account.remove_account(self.site.directory, SYSTEM_STATE)

    def describe(self) -> dict[str, Any]:
        """The fields of the unit in `status`."""
        fields: dict[str, Any] = {"runtime": "systemd", "unit": self.unit, "scope": self.scope}
        fields["enabled"] = self._manager_says("is-enabled") == "enabled"
        fields["state"] = self._manager_says("is-active") or "unknown"
        if restarts := self._failed_restarts():
            fields["error"] = f"not ready after {restarts}: {self.log_hint()}"
        if self.scope == "user":
            fields["lingering"] = self._manager.lingers()
        return fields

    def _failed_restarts(self) -> str:
        """How often systemd started it again since an order, if it is still not ready; else ""."""
        try:
            state = self._unit.state()
        except Failure:
            return ""
        if state["ActiveState"] != "activating" or state["NRestarts"] in ("", "0"):
            return ""
        return output.count(int(state["NRestarts"]), "restart")

    def findings(self) -> list[ConfigError]:
        """Obstacles to running the router, or to its start after a reboot."""
        version = self._manager.version()
        if not version:
            whose = f"systemd manager of {user_name()}" if self.scope == "user" else "systemd"
            text = f"no {whose} can be reached"
            return [finding(self.site, text, self._manager.away_hint(), "SW0600")]
        facts = self._facts(version)
        return [*self._of_boot(), *self._of_host(facts), *self._of_unit(facts)]

    def log_hint(self) -> str:
        """The journal of the unit."""
        return self._unit.log_hint

    def _of_boot(self) -> list[ConfigError]:
        if self.scope == "system" or self._manager.lingers() in (True, None):
            return []
        text = f"user {user_name()} does not linger: its routers end when it logs out, and a "
        text += "reboot does not start them"
        return [doubt(self.site, text, f"loginctl enable-linger {user_name()}", "SW0601")]

    def _of_host(self, facts: HostFacts) -> list[ConfigError]:
        found: list[ConfigError] = []
        if self.scope == "user" and not has_credentials(facts):
            text = f"systemd {facts.systemd} cannot hand over keys here (it can from 247 on, where "
            text += "/run is mounted shared): the router reads its own from its directory"
            found.append(doubt(self.site, text, "", "SW0620"))
        if self.scope == "user":
            if not facts.has_user_namespaces:
                text = "users may make no name spaces here: the router's sandbox is system calls "
                text += "alone, it sees the whole disk"
                found.append(doubt(self.site, text, "Or run it as root: a system unit", "SW0604"))
            low = self._low_ports()
            if low:
                hint = f"As root: sysctl net.ipv4.ip_unprivileged_port_start={min(low)}"
                text = f"port {min(low)} may not be bound by a user's router"
                found.append(finding(self.site, text, hint, "SW0606"))
        try:
            self._require_readable(facts)
        except Failure as failure:
            found.append(finding(self.site, str(failure), failure.hint, failure.code))
        return found

    def _of_unit(self, facts: HostFacts) -> list[ConfigError]:
        try:
            text = self.path.read_text("utf-8")
        except FileNotFoundError:
            return []
        if directory_of(text) != str(self.site.directory):
            return [finding(self.site, f"{self.path} is not of this site", "", "SW0607")]
        if text != unit_text(self._unit_spec(), facts):
            reason = f"{self.path} is not what this version makes of the site"
            hint = f"sitectl --site {self.site.name} start"
            return [doubt(self.site, reason, hint, "SW0608")]
        return []

    def _require_rights(self) -> None:
        if self.scope == "system" and os.geteuid() != 0:
            raise not_allowed(
                f"{self.unit} is a unit of the system, which only root may change",
                "sudo with the same command",
                code="SW0602",
            )

    def _require_readable(self, facts: HostFacts) -> None:
        """Raise Failure unless the account of system units can reach Python, code and state."""
        owner = account.owner_of(self.site.directory) if self.scope == "system" else None
        if owner is None:
            return
        needed = [facts.python, code_directory(), *facts.import_paths]
        shown = list(facts.shown_paths)
        if facts.site_is_hidden:
            shown.append(str(self.site.directory))
        for path in (*needed, str(self.site.directory)):
            closed = closed_to(owner.uid, owner.gid, path, shown)
            if closed is not None:
                raise not_allowed(
                    f"user {owner.user!r}, the user that the router runs as, cannot pass {closed}, "
                    f"where it needs {path}",
                    f"chmod -R go+rX {quote(closed)}, or install it below /opt or /usr/local",
                    code="SW0605",
                )

    def _facts(self, version: int) -> HostFacts:
        return host_facts(self.scope, version, self.site.directory)

    def _unit_spec(self) -> UnitSpec:
        site = self._site_spec()
        return UnitSpec(
            site=self.site.name,
            directory=str(self.site.directory),
            scope=self.scope,
            drain_grace_s=site.drain_grace_s,
            account=self._account(),
            binds_low_ports=self.scope == "system" and self._may_bind_low_ports(site),
        )

    def _account(self) -> tuple[str, str]:
        owner = account.owner_of(self.site.directory)
        return (owner.user, owner.group) if owner is not None else (ACCOUNT, ACCOUNT)

    def _site_spec(self) -> SiteSpec:
        found = [one.spec for one in self.site.documents() if isinstance(one.spec, SiteSpec)]
        return found[0] if found else SiteSpec()

    def _may_bind_low_ports(self, site: SiteSpec) -> bool:
        """Whether it does now, or offers services of others, whose ports are theirs to choose."""
        if not needs_right_to_bind(1):
            return False
        wanted, _ = resolve(self.site.documents())
        chosen = any(auto_ip(one.listen) for one in wanted.listeners.values()) if wanted else False
        return site.service_sync or chosen or bool(self._low_ports())

    def _low_ports(self) -> list[int]:
        wanted, _ = resolve(self.site.documents())
        if wanted is None:
            return []
        found = listening_addresses(wanted.site, wanted.services, wanted.listeners)
        return [one.port for one in found if needs_right_to_bind(one.port)]

    def _owner_of_unit(self) -> str | None:
        try:
            return directory_of(self.path.read_text("utf-8")) or "no user's site"
        except FileNotFoundError:
            return None

    def _require_ours(self) -> str | None:
        """As `_owner_of_unit`. Failure: the unit of that name is not this site's."""
        owner = self._owner_of_unit()
        if owner not in (None, str(self.site.directory)):
            raise conflict(
                f"{self.path} is there already and of {owner}",
                f"Choose another name of the unit: name: in {self.site.directory}/runtime.yaml",
            )
        return owner

    def _install(self, text: str) -> None:
        """Write the unit when it differs. Failure: one of that name is not this site's."""
        owner = self._require_ours()
        if owner is None or self.path.read_text("utf-8") != text:
            if self._unit.state()["ActiveState"] not in ("inactive", "failed"):
                make_directory(self.site.run, 0o700)
                write_atomically(self.site.run / RESTART_MARK, "")
            make_directory(self.path.parent)
            write_atomically(self.path, text)
        state = self._unit.state()
        if (state["NeedDaemonReload"], state["LoadState"]) != ("no", "loaded"):
            self._manager.run("systemctl", "daemon-reload")

    def _manager_says(self, question: str) -> str:
        try:
            return self._manager.says(question, self.unit)
        except Failure:
            return ""

    def _await_ready(self, timeout_s: float, invocation_before: str) -> None:
        """Until it serves, in another run than that before. Failure: it ended, or is too slow."""
        is_ready = self.site.admin.is_ready
        in_time, state = self._unit.await_ready(is_ready, invocation_before, timeout_s)
        if state["ActiveState"] == "active" and in_time:
            return
        log = self._unit.log(state["InvocationID"])
        if not in_time:
            raise not_ready(self.site.name, timeout_s, self.log_hint(), log)
        status = state["ExecMainStatus"]
        cause = presence.last_error_of(log) if log else _CAUSES.get(status, state["Result"])
        tries = "; systemd tries again every few seconds" if waits_to_restart(state) else ""
        hint = f"Fix that, then the same again; the whole log: {self.log_hint()}"
        raise start_failed(self.site.name, f" (exit {status}): {cause}{tries}", hint, log)


def _units_of_ours() -> list[Path]:
    """Units of the system that `start` made."""
    found = SYSTEM_UNITS.glob("*.service")
    return [
        path
        for path in found
        if path.is_file() and directory_of(path.read_text("utf-8", "replace"))
    ]
