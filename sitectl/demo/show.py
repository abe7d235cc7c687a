"""The picture: where requests go right now, and the table at the end."""

import sys
from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sitectl.demo.judge import LATE_S, DemoVerdict, Row
from sitectl.demo.load import RequestOutcome

COLOURS = ("green", "yellow", "magenta")
MARKS = ("█", "▓", "░")
WIDTH = 60


class DemoPicture:
    """Redrawn each second on a terminal; one line a second elsewhere."""

    def __init__(self, sites: Sequence[str], capacity_rps: dict[str, float]) -> None:
        self._sites = sites
        self._capacity = capacity_rps
        self._console = Console(highlight=False)
        self._live: Live | None = None
        self._lines: list[Text] = []

    def __enter__(self) -> "DemoPicture":
        legend = "  ".join(
            f"{mark} {site} ({self._capacity[site]:g}/s)"
            for mark, site in zip(MARKS, self._sites, strict=True)
        )
        self._console.print(f"\nAnswers a second by site: {legend}")
        if sys.stdout.isatty():
            self._live = Live(console=self._console, refresh_per_second=4)
            self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.__exit__(None, None, None)

    def second(
        self, phase: str, number: int, answers: Sequence[RequestOutcome], full: float
    ) -> None:
        """One more second has passed; ``full`` answers a second fill the width."""
        count = Counter(record.site for record in answers)
        line = Text(f"{number:3d} s {phase:6s} ")
        for colour, mark, site in zip(COLOURS, MARKS, self._sites, strict=True):
            line.append(mark * round(WIDTH * count[site] / full), style=colour)
        figures = "  ".join(f"{site} {count[site]}" for site in self._sites)
        line.append(f"  {figures}" + (f"  LOST {count['']}" if count[""] else ""))
        if self._live is None:
            self._console.print(line, soft_wrap=True)
            return
        self._lines.append(line)
        self._live.update(Text("\n").join(self._lines))

    def table(self, rows: Sequence[Row]) -> None:
        """The offered load and the sites that served it."""
        table = Table(title="What happened")
        for column in ("service", "phase", "offered", *self._sites, "lost", "p50 ms", "p99 ms"):
            table.add_column(column, justify="left" if column in ("service", "phase") else "right")
        for row in rows:
            table.add_row(
                row.service,
                row.phase,
                str(row.offered),
                *(str(row.per_site[site]) for site in self._sites),
                str(row.lost),
                "" if row.p50_ms is None else f"{row.p50_ms:.0f}",
                "" if row.p99_ms is None else f"{row.p99_ms:.0f}",
            )
        self._console.print()
        self._console.print(table)

    def verdicts(self, verdicts: Sequence[DemoVerdict], late: float) -> None:
        """The three promises; ``late`` is the share of requests that were, by this machine."""
        for verdict in verdicts:
            mark, style = ("kept  ", "green") if verdict.kept else ("BROKEN", "bold red")
            if not verdict.kept and not verdict.is_broken:
                mark, style = "unsure", "yellow"
            line = f"{verdict.promise}: {verdict.evidence}"
            self._console.print(Text(mark, style=style), line, soft_wrap=True)
        if any(not verdict.kept and not verdict.is_broken for verdict in verdicts):
            self._console.print(
                f"This machine was too busy to judge: {late:.0%} of the requests of a phase began, "
                f"or were served by their target, more than {1000 * LATE_S:g} ms late. "
                "Run the demo again when other programs rest.",
                soft_wrap=True,
            )
