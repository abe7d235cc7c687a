"""A site that is a directory of this host, together with what keeps its router running."""

from typing import Any, Final

from router import __version__
from router.model.specs import ConsoleSpec
from sitectl.base.failure import Failure
from sitectl.runtimes import runtime_of
from sitectl.runtimes.presence import death_of
from sitectl.runtimes.spec_file import read_spec
from sitectl.site.console_place import console_place
from sitectl.site.directory import DirectorySite
from sitectl.site.site import ManagedSite

RESTART_WAIT_S: Final = 60.0


class HostSite(DirectorySite, ManagedSite):
    """The site that a command's flags mean, if sites are directories; a gateway's too."""

    def log_hint(self) -> str:
        """As of any `DirectorySite`; empty: what runs the router does not answer."""
        try:
            return runtime_of(self).log_hint()
        except Failure:
            return ""

    def last_status(self, silence: Failure) -> dict[str, Any]:
        """The configured state: a process site has no other while its router is stopped."""
        from certs.identity import SiteIdentity

        documents, errors = self.scan()
        wanted = self.wanted()
        death = death_of(self, self.log_hint)
        found = [(death.code, death.message, death.hint)] if death else []
        found += [(error.code, error.message, error.hint) for error in errors]
        return {
            "name": wanted.name,
            "id": SiteIdentity.load(self.secrets).site_id,
            "mode": wanted.site.router_mode,
            "version": __version__,
            "ready": False,
            "running": False,
            "uptime_s": 0.0,
            "links": sum(document.kind == "Link" for document in documents),
            "services": sum(document.kind == "Service" for document in documents),
            "sites": 1,
            "problems": [
                {"code": code, "message": message, "hint": hint} for code, message, hint in found
            ],
            "sharing": wanted.site.sharing,
            "console": self._console(wanted.site.console),
        }

    def console_of(self, told: dict[str, str]) -> dict[str, str]:
        """In a network of containers the router knows only its container's name and ports."""
        try:
            if not read_spec(self).has_own_network:
                return told
            return told | {"url": self._console(self.wanted().site.console)["url"]}
        except Failure:
            return told  # A damaged file; `runtime` and the router name it.

    def _console(self, spec: ConsoleSpec | None) -> dict[str, str]:
        try:
            return console_place(self.secrets, spec, read_spec(self).outside)
        except Failure:
            return console_place(self.secrets, spec)

    def restart_router(self) -> None:
        """Stop it, drained, and start it again. Failure: it takes too long."""
        runtime = runtime_of(self)
        if runtime.stop(RESTART_WAIT_S):
            runtime.start(RESTART_WAIT_S)

    def runtime(self) -> dict[str, Any]:
        """Fields of its unit or container; empty for a plain process."""
        kind = read_spec(self).kind
        if kind == "process":
            return {}
        try:
            return runtime_of(self).describe()
        except Failure as failure:  # The router's own state is worth showing without it.
            return {"runtime": kind, "error": failure.message}
