"""What small things suffer beside bulk on the same link: requests, and what routers say.

A stream of half the rate that the system carries alone runs beside small requests. And one that
takes all it can beside two kinds of messages of the routers: the PINGs of the control lane, which
carries all that routers tell each other (``control``), and the questions of ``sitectl ping``, which
are streams of the data lane, behind the same bulk (``questions``). With four busy processes on two
cores, much of all that is waiting for a core.
"""

import contextlib
import time
from collections.abc import Iterator

from sitectl.site.admin import Admin
from tests.bench import load
from tests.bench.samples import Sample, Watch
from tests.bench.spillway import ENTRY, EXIT, Sites
from tests.bench.systems import Backends, System

CONNECTIONS = 8
RATE_S = 1.0
SETTLE_S = 0.3
ASK_EVERY_S = 0.02
CONTROL_S_MIN = 6.0


def requests(system: System, backends: Backends, seconds: float) -> dict[str, Sample]:
    """p50 and p99 of HTTP requests over one hop alone, and beside half of what bulk can be."""
    door = (system.host, system.ports["bulk", "R"])
    size, elapsed = load.bulk(*door, "down", RATE_S)
    found = {"fairness alone": _small(system, backends, seconds)}
    with load.streaming(*door, int(size / elapsed / 2)):
        time.sleep(SETTLE_S)
        beside = _small(system, backends, seconds)
    alone_ms = found["fairness alone"].figures["p99 ms"]
    times = {"times": beside.figures["p99 ms"] / alone_ms} if alone_ms else {}
    found["fairness beside-bulk"] = Sample(beside.figures | times, beside.foreign_cores)
    return found


def _small(system: System, backends: Backends, seconds: float) -> Sample:
    watch = Watch(system, backends)
    seen = load.requests(system.host, system.ports["http", "R"], CONNECTIONS, seconds)
    _, foreign = watch.stop()
    return Sample({"p50 ms": seen.p50_ms, "p99 ms": seen.p99_ms}, foreign)


def control(sites: Sites, system: System, backends: Backends, seconds: float) -> dict[str, Sample]:
    """Round trips between the routers, idle and beside bulk that takes all it can."""
    found = {}
    for label, is_busy in (("at-rest", False), ("beside-bulk", True)):
        with _bulk(system) if is_busy else contextlib.nullcontext():
            watch = Watch(system, backends)
            pings, questions = _round_trips_ms(sites, max(seconds, CONTROL_S_MIN))
            _, foreign = watch.stop()
        found[f"control {label}"] = Sample(_figures(pings), foreign)
        found[f"questions {label}"] = Sample(_figures(questions), foreign)
    return found


def _figures(took_ms: list[float]) -> dict[str, float]:
    took = sorted(took_ms)
    p99 = took[len(took) * 99 // 100]
    return {"p50 ms": took[len(took) // 2], "p99 ms": p99, "max ms": took[-1]}


@contextlib.contextmanager
def _bulk(system: System) -> Iterator[None]:
    with load.streaming(system.host, system.ports["bulk", "R"]):
        time.sleep(SETTLE_S)
        yield


def _round_trips_ms(sites: Sites, seconds: float) -> tuple[list[float], list[float]]:
    """Of PINGs of the control lane, which come every half second, and of questions."""
    entry = Admin(sites.network.state / ENTRY / "run" / "admin.sock", ENTRY)
    pings: list[float] = []
    questions: list[float] = []
    before = None
    ends = time.monotonic() + seconds
    while time.monotonic() < ends or not pings:
        (hop,) = entry.get(f"/api/v1/ping/{EXIT}?count=1")["hops"]
        questions.append(hop["rtt_ms"][0])
        links = entry.get("/api/v1/links")
        (rtt_ms,) = [link["rtt_ms"] for link in links if link["neighbour"]["name"] == EXIT]
        if before is not None and rtt_ms != before:
            pings.append(rtt_ms)
        before = rtt_ms
        time.sleep(ASK_EVERY_S)
    return pings, questions
