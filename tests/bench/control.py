"""What the control plane costs as a network grows: ``make bench WHAT=control``.

Real cores on virtual time: bytes are those of messages, with 96 for the
frame, TLS record, TCP and IP of each. ``--quick``: up to 100 sites, and deaths in rings only.
``--json FILE``: all figures. The whole takes some eight minutes of CPU, ``--quick`` one.
"""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import msgspec
from rich.console import Console
from rich.table import Table

from tests.bench import machine
from tests.bench.control_loads import LoadFigures, measure
from tests.bench.control_routes import OneRouter, convergence, one_router
from tests.bench.control_shapes import SHAPES

SIZES = (10, 100, 1_000)
ROUTER_SIZES = (64, 256, 1_024)
REST_SETTLES_S, REST_S = 6.0, 12.0  # Each site refreshes at least twice in that time.
CHURN_SETTLES_S, CHURN_S = 1.0, 1.0
LARGE_SETTLES_S, LARGE_S = 0.5, 0.5  # Of 1,000 sites a second is millions of reports.
WHOLE = ("grid", "ring", "star")  # Shapes where all origins count even so.
WIDTH = 120  # Of tables, in a file too.
EVERY = 20  # With 1,000 idle sites, and where paths take long to fill: a share of the origins,
FILLS_S = {"grid": 16.0, "ring": 4.0, "star": 4.0, "random": 6.0}  # after so long.
KILLS = (("ring", 8), ("ring", 64), ("grid", 100), ("star", 100), ("random", 100))
QUICK_KILLS = KILLS[:2]


class LoadLine(msgspec.Struct, frozen=True):
    """Loads of one network, idle and while they change; ``filled`` has how far behind they are."""

    shape: str
    sites: int
    rest: LoadFigures
    churn: LoadFigures
    filled: LoadFigures


class RouterLine(msgspec.Struct, frozen=True):
    """One router of a network."""

    shape: str
    sites: int
    router: OneRouter


class KillLine(msgspec.Struct, frozen=True):
    """Virtual seconds until all tables are right."""

    shape: str
    sites: int
    clean_s: float
    silent_s: float


Line = TypeVar("Line", LoadLine, RouterLine, KillLine)


class Report(msgspec.Struct, frozen=True):
    """All of it."""

    about: dict[str, str]
    loads: list[LoadLine]
    routers: list[RouterLine]
    kills: list[KillLine]


def main() -> None:
    """Measure, print, and write the figures asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.control")
    parser.add_argument("--quick", action="store_true", help="networks of up to 100 sites")
    parser.add_argument("--shape", action="append", choices=sorted(SHAPES), help="these only")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    shapes = options.shape or list(SHAPES)
    largest = 100 if options.quick else 1_024
    report = Report(
        machine.description(),
        list(_told(_loads(shapes, largest))),
        list(_told(_routers(shapes, largest))),
        list(_told(_kills(shapes, QUICK_KILLS if options.quick else KILLS))),
    )
    _show(report)
    if options.json is not None:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))


def _told(lines: Iterable[Line]) -> Iterable[Line]:
    """Each as soon as it is known: the whole takes minutes."""
    for line in lines:
        print(msgspec.json.encode(line).decode(), file=sys.stderr, flush=True)
        yield line


def _loads(shapes: Iterable[str], largest: int) -> Iterable[LoadLine]:
    for shape in shapes:
        for sites in SIZES:
            if sites <= largest:
                yield _load(shape, sites)


def _load(shape: str, sites: int) -> LoadLine:
    links, is_large = SHAPES[shape](sites), sites > SIZES[1]
    every = EVERY if is_large else 1
    rest = measure(links, churn=False, settle_s=REST_SETTLES_S, seconds=REST_S, every=every)
    if not is_large:
        churn = measure(links, churn=True, settle_s=CHURN_SETTLES_S, seconds=CHURN_S)
        return LoadLine(shape, sites, rest, churn, churn)
    filled = measure(links, churn=True, settle_s=FILLS_S[shape], seconds=1.0, every=every)
    if shape not in WHOLE:
        return LoadLine(shape, sites, rest, filled, filled)
    churn = measure(links, churn=True, settle_s=LARGE_SETTLES_S, seconds=LARGE_S)
    return LoadLine(shape, sites, rest, churn, filled)


def _routers(shapes: Iterable[str], largest: int) -> Iterable[RouterLine]:
    for shape in shapes:
        for sites in ROUTER_SIZES:
            if sites <= largest:
                yield RouterLine(shape, sites, one_router(SHAPES[shape](sites)))


def _kills(shapes: Iterable[str], kills: Iterable[tuple[str, int]]) -> Iterable[KillLine]:
    for shape, sites in kills:
        if shape in shapes:
            yield KillLine(shape, sites, *convergence(SHAPES[shape](sites), sites // 2))


def _show(report: Report) -> None:
    console = Console(highlight=False, width=WIDTH)
    console.print("\n".join(f"{name:16s} {text}" for name, text in report.about.items()))
    loads = Table(title="Load reports: KiB/s of one link and direction", title_justify="left")
    heads = "shape sites|rest mean|rest most|churn mean|churn most|most in a second"
    for head in f"{heads}|behind p50/p99 s|far hops: p50/p99 s|CPU of a site".split("|"):
        loads.add_column(head, justify="right")
    for line in report.loads:
        churn, filled = line.churn, line.filled
        loads.add_row(
            f"{line.shape} {line.sites}",
            _kib(line.rest.mean_bytes_per_s),
            _kib(line.rest.most_bytes_per_s),
            _kib(churn.mean_bytes_per_s),
            _kib(churn.most_bytes_per_s),
            _kib(churn.most_bytes_in_a_second),
            f"{filled.behind_median_s:.2f}/{filled.behind_p99_s:.2f}",
            f"{filled.far_hops}: {filled.far_median_s:.2f}/{filled.far_p99_s:.2f}",
            f"{churn.cpu_share:.1%}",
        )
    console.print(loads)
    routers = Table(title="One router: LSAs of all others", title_justify="left")
    heads = "shape sites|SPF ms|service change ms|MiB|rest KiB/s|churn KiB/s|churn CPU"
    for head in heads.split("|"):
        routers.add_column(head, justify="right")
    for one in report.routers:
        router = one.router
        routers.add_row(
            f"{one.shape} {one.sites}",
            f"{router.spf_ms:.1f}",
            f"{router.change_ms:.1f}",
            f"{router.memory_mib:.1f}",
            _kib(router.rest_bytes_per_s),
            _kib(router.churn_bytes_per_s),
            f"{router.churn_cpu_share:.1%}",
        )
    console.print(routers)
    kills = Table(title="A site dies: virtual seconds until all tables are right")
    for head in ("shape sites", "clean", "silent"):
        kills.add_column(head, justify="right")
    for kill in report.kills:
        kills.add_row(f"{kill.shape} {kill.sites}", f"{kill.clean_s:.3f}", f"{kill.silent_s:.3f}")
    console.print(kills)


def _kib(size_bytes: float) -> str:
    return f"{size_bytes / 1024:.1f}"


if __name__ == "__main__":
    main()
