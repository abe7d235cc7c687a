"""`sitectl` in this process, with the answers of one router."""

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple
from unittest.mock import patch

from click.testing import CliRunner

from router.model.errors import ConfigError
from router.model.specs import Document, SiteSpec
from sitectl.main import cli
from sitectl.runtimes.host_site import HostSite
from sitectl.selection import store
from sitectl.show import check_report
from sitectl.show.router_findings import of_router
from sitectl.site.admin import AdminAnswer, AdminClient, Call

WORDS: Final = (
    "status",
    "check",
    "service status",
    "link status",
    "network status",
    "top --once",
)
OF_SERVICE: Final = ("service status {}", "why {}")
"""Of one, by name."""


class Printed(NamedTuple):
    """What one command line printed, and how it ended."""

    words: str
    code: int
    text: str

    def table(self, heading: str) -> Iterator[Mapping[str, str]]:
        """The rows of the table whose first column is ``heading``, by column."""
        lines = iter(self.text.splitlines())
        head = next((line for line in lines if line.split("  ")[0] == heading), "")
        names = [name.strip() for name in head.split("  ") if name.strip()]
        starts = [head.index(name) for name in names]
        for line in lines:
            if not line.strip():
                return
            ends = (*starts[1:], len(line))
            cells = [line[start:end].strip() for start, end in zip(starts, ends, strict=True)]
            yield dict(zip(names, cells, strict=True))


class Door(AdminClient):
    """The admin API of a router that answers at once. ``answer``: by path; None: no such thing."""

    def __init__(self, answer: Callable[[str], bytes | None]) -> None:
        self._answer = answer

    def exchange(self, calls: Sequence[Call]) -> list[AdminAnswer]:
        return [self._one(call.path) for call in calls]

    def _one(self, path: str) -> AdminAnswer:
        found = self._answer(path)
        if found is None:
            return AdminAnswer(404, b'{"code": "not-found", "message": "no such service"}')
        return AdminAnswer(200, found)

    def is_running(self) -> bool:
        return True

    def events(self) -> Iterator[dict[str, Any]]:
        raise NotImplementedError("no verb here follows events")


class _Site(HostSite):
    """Without a directory: its router is asked, and nothing else."""

    def scan(self) -> tuple[list[Document], list[ConfigError]]:
        return [Document("Site", self.name, SiteSpec())], []

    def runtime(self) -> dict[str, Any]:
        return {}


class Typist:
    """Types at a site."""

    def __init__(self, name: str, door: Door) -> None:
        self._site = _Site(Path("/nowhere", name))
        self._site.admin = door  # type: ignore[assignment]  # It has no socket.
        self._runner = CliRunner(env={"SITECTL_TRACEBACK": "1"})

    def type(self, words: str) -> Printed:
        """One of `WORDS`, or of `OF_SERVICE`."""
        if words == "check":
            return self._check()
        with patch.object(store, "find_site", lambda settings: self._site):
            done = self._runner.invoke(
                cli, ["--platform", "process", *shlex.split(words)], catch_exceptions=False
            )
        return Printed(words, done.exit_code, done.stdout)

    def _check(self) -> Printed:
        """Its findings at the router, without this machine."""
        found = list(of_router(self._site))
        levels = {one.level for one in found}
        code = 1 if "error" in levels else 3 if "warning" in levels else 0
        return Printed("check", code, check_report.text(found))
