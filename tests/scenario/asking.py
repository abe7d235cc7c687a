"""The clients and the servers of `examples/`, as processes: the published set-ups use them."""

import subprocess
import sys
from collections import Counter
from collections.abc import Sequence

import msgspec

from tests.scenario.harness import ROOT, Network

EXAMPLES = ROOT / "examples"
ASK_S = 60.0


class Place(msgspec.Struct, frozen=True):
    """Where a program listens."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


def serve(net: Network, name: str, places: Sequence[Place], work_s: float) -> None:
    """`examples/server.py` with a target at each place."""
    program = (sys.executable, str(EXAMPLES / "server.py"))
    net.background_process(["env", f"WORK_S={work_s}", *program, name, *map(str, places)])


def ask(address: str, port: int, *flags: object) -> Counter[str]:
    """What `examples/ask.py` counts: how many answers of each server, or of what went wrong."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "ask.py"), f"{address}:{port}", *map(str, flags)],
        capture_output=True,
        text=True,
        timeout=ASK_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    counted = (line.rsplit(maxsplit=2) for line in done.stdout.splitlines())
    return Counter({who: int(count) for who, count, _ in counted})


def by_site(answered: Counter[str]) -> Counter[str]:
    """The same by what stands before the last dash of each name."""
    sites: Counter[str] = Counter()
    for who, count in answered.items():
        sites[who.rpartition("-")[0] or who] += count
    return sites
