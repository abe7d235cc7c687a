"""Instructions of both routers per request, by callgrind: ``python -m tests.bench.instructions``.

What the processor executes outside of the kernel, whatever runs beside it. Requests come one after
the other, and what timers do meanwhile is in it. Needs valgrind; takes about a minute.
"""

import re
import subprocess
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench import system_calls
from tests.bench.ceilings import PATHS

REQUESTS = 300
TOOL = ("valgrind", "-q", "--tool=callgrind", "--instr-atstart=no")


class Callgrind:
    """Counters of the processes that run under it and write into ``directory``."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def prefix(self) -> tuple[str, ...]:
        """What runs a router under it."""
        return (*TOOL, f"--callgrind-out-file={self._directory}/%p")

    def begin(self, pid: int) -> None:
        """Count from here on."""
        self._control("--instr=on", pid)

    def taken(self, pid: int) -> int:
        """Instructions of ``pid`` since this was last asked, or since `begin`."""
        before = set(self._directory.iterdir())
        self._control("--dump", pid)
        (written,) = (
            path
            for path in set(self._directory.iterdir()) - before
            if path.name.startswith(f"{pid}.")
        )
        found = re.search(r"^(?:totals|summary): ([0-9]+)", written.read_text(), re.MULTILINE)
        assert found is not None, f"callgrind wrote no total for {pid}"
        return int(found[1])

    def _control(self, what: str, pid: int) -> None:
        command = ["callgrind_control", what, str(pid)]
        subprocess.run(command, check=True, capture_output=True)


def main() -> None:
    """Print a table."""
    table = Table(title="instructions per request, one at a time, both routers together")
    for column in ("", "entry", "exit", "together"):
        table.add_column(column, justify="right" if column else "left")
    with tempfile.TemporaryDirectory(prefix="spillway-instructions-") as name:
        callgrind = Callgrind(Path(name))
        with system_calls.running(callgrind.prefix) as sites:
            pids = [site.note_pid() for site in sites.of("http R")]
            for pid in pids:
                callgrind.begin(pid)
            for path in PATHS:
                door = (sites.entry.address, system_calls.PORTS[path])
                system_calls.requests(*door, system_calls.WARM)
                for pid in pids:
                    callgrind.taken(pid)
                system_calls.requests(*door, REQUESTS)
                used = [callgrind.taken(pid) / REQUESTS for pid in pids]
                if path.endswith("L"):
                    used[1:] = [0.0]  # It has no part in it: those were its timers.
                table.add_row(path, *(f"{count:,.0f}" for count in (*used, sum(used))))
    Console(highlight=False).print(table)


if __name__ == "__main__":
    main()
