"""The last quarter of an hour from routers: requests a second as a line of characters."""

import sys
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sitectl.base.failure import Failure
from sitectl.base.options import Settings
from sitectl.show import sparkline
from sitectl.site.ports import RouterDoor
from sitectl.site.site import Site

SERVICES_MAX: Final = 20
"""Of more services a list shows no lines: the answer would be long, and so would be the wait."""
WIDTH: Final = 12

History = dict[str, Any]


def of(door: RouterDoor, service: str = "") -> list[History]:
    """The router's history of ``service`` (``NAME[:PORT]``), or of all; often empty.

    Older routers keep no history, which is no error.
    """
    query = f"?service={urllib.parse.quote(service, safe=':')}" if service else ""
    try:
        found = door.get(f"/api/v1/history{query}")
    except Failure:
        return []
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def per_second(history: History) -> list[float]:
    """Requests that ended in each step, wherever they were served, a second."""
    step = float(history.get("step_s") or 1)
    return [
        (sum(sample.get("served") or ()) + (sample.get("nowhere") or 0)) / step
        for sample in history.get("samples") or []
    ]


def spilled_per_second(history: History) -> list[float]:
    """As `per_second`, of requests that other sites served."""
    step = float(history.get("step_s") or 1)
    away = [at for at, site in enumerate(history.get("sites") or []) if not site.get("local")]
    return [
        sum(served for at, served in enumerate(sample.get("served") or ()) if at in away) / step
        for sample in history.get("samples") or []
    ]


def together(
    histories: Sequence[History], rate: Callable[[History], list[float]] = per_second
) -> list[float]:
    """``rate`` of all, added from the newest step backwards."""
    lists = [rate(one)[::-1] for one in histories]
    longest = max(map(len, lists), default=0)
    return [sum(one[at] for one in lists if at < len(one)) for at in range(longest)][::-1]


def minutes(histories: Sequence[History]) -> float:
    """How far back they reach."""
    return max(
        (len(one.get("samples") or []) * float(one.get("step_s") or 1) / 60 for one in histories),
        default=0.0,
    )


def partial_until(histories: Sequence[History]) -> str:
    """The end of the newest step without a worker's figures, in UTC; empty: all are whole.

    A worker that ended took its own with it; one that does not answer reports none.
    """
    return max((str(one.get("partial_until") or "") for one in histories), default="")


def drawn(values: Sequence[float], width: int = WIDTH) -> str:
    """The line of ``values``; empty: there are none."""
    return sparkline.line(values, width, ascii_only=not sparkline.has_blocks()) if values else ""


class Drawn(NamedTuple):
    """Requests a second of one service port. ``reach``: how far back, ``15 min``. ``partial``: as
    `partial_until`."""

    line: str
    now: float
    reach: str
    partial: str = ""


def lines_of(
    site: Site, items: Sequence[Mapping[str, Any]], name: str | None
) -> Mapping[tuple[str, int], Drawn]:
    """The line of each of ``items`` of services, by name and port; none when they are many."""
    if len(items) > SERVICES_MAX:
        return {}
    histories = of(site.admin, name or "")
    reach = f"{minutes(histories):.0f} min"
    found: dict[tuple[str, int], Drawn] = {}
    for one in histories:
        if rates := per_second(one):
            key = (str(one.get("service")), int(one.get("port") or 0))
            found[key] = Drawn(drawn(rates), rates[-1], reach, partial_until([one]))
    return found


def people_look(settings: Settings) -> bool:
    """Whether lines are of use: a table, at a terminal."""
    return settings.output == "table" and sys.stdout.isatty()
