"""Figures of the last seconds on requests that came, and on those that other sites served."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final

from router.admin.views.live import ServiceNow
from tests.simulation.hours.truth import EDGE_S, LATELY_S, LEAST_S, OWN_S, Truth
from tests.simulation.world import Answer

_SLACK: Final = 2
_ROUNDED: Final = 0.01
"""Each of the figures that are added up is rounded."""
_WINDOWS: Final = (LEAST_S, *range(3, 12))
_LESS: Final = 0.5
_MORE: Final = 1.5
"""A figure may be of other seconds than those of a window."""


def false_rates(truth: Truth, key: str, row: ServiceNow) -> Iterator[str]:
    """What of the figures in a row of router ``key`` is not so."""
    yield from _sums(row)
    is_late = truth.comes_late(key, truth.now - LATELY_S) or truth.stood_still(key)
    if is_late or truth.lasts("known", key) < LATELY_S:
        return
    now, own = truth.now, truth.name_of(key)
    asked = truth.lately(key, lambda one: True)
    began = [(one.began, one.began) for one in asked]
    yield from _far(now, "begun", row.begun_per_s, began, began)
    most = row.begun_per_s + _most_at_once(asked, now) / LEAST_S + 1
    if row.spilled_per_s > most:
        yield f"{row.spilled_per_s}/s are spilled, and {row.begun_per_s}/s came"
    for site in sorted({*truth.names, *row.spilled_to, *row.open_to}):
        there = [one for one in asked if one.site in (site, "")] if site != own else []
        surely = [one for one in there if one.site and one.status == 200 and one.ended]
        yield from _far(
            now,
            f"spilled to {site}",
            row.spilled_to.get(site, 0.0),
            [(one.began, one.ended + EDGE_S) for one in surely],
            [(one.began, one.ended or now) for one in there],
        )
        yield from _open(truth, key, site, there, row.open_to.get(site, 0))


def _sums(row: ServiceNow) -> Iterator[str]:
    """Of one figure by site, and by reason."""
    for name, parts in (("site", row.spilled_to), ("reason", row.spilled_for)):
        if abs(sum(parts.values()) - row.spilled_per_s) > _ROUNDED:
            yield f"{row.spilled_per_s}/s are spilled, by {name} {parts}"
    if row.overflow_per_s > row.spilled_per_s + _ROUNDED:
        yield f"{row.overflow_per_s}/s overflow, and {row.spilled_per_s}/s are spilled"
    if sum(row.open_to.values()) != sum(row.open_for.values()):
        yield f"open by site {row.open_to}, by reason {row.open_for}"


def _far(
    now: float,
    what: str,
    per_s: float,
    surely: Sequence[tuple[float, float]],
    maybe: Sequence[tuple[float, float]],
) -> Iterator[str]:
    """A rate that was in none of the times that it may be of. ``surely``, ``maybe``: the times
    between which each of the requests counts, if it does."""
    least = min(
        sum(now - s <= since and until <= now for since, until in surely) / s for s in _WINDOWS
    )
    most = max(sum(until >= now - s for _, until in maybe) / s for s in _WINDOWS)
    if not least * _LESS - _SLACK <= per_s <= most * _MORE + _SLACK + 1:
        yield f"{what}: {per_s}/s, and it was {least:.1f} to {most:.1f}/s"


def _most_at_once(asked: Sequence[Answer], now: float) -> int:
    """Of the requests under way. One that spills may count until its answer begins."""
    steps = sorted(
        step for one in asked for step in ((one.began, 1), ((one.ended or now) + EDGE_S, -1))
    )
    return max(accumulate(by for _, by in steps), default=0)


def _open(truth: Truth, key: str, site: str, there: Sequence[Answer], shown: int) -> Iterator[str]:
    """Connections and answers that are in progress at another site. The end of one whose way is
    lost is not heard at once."""
    most = sum(not one.ended or one.ended > truth.now - OWN_S for one in there)
    is_joined = truth.lasts("joined", key, site) > LATELY_S and truth.lasts("whole") > LATELY_S
    if is_joined and shown > most + _SLACK:
        yield f"{shown} are open at {site}: {most}"
    surely = [one for one in there if one.site and not one.ended]
    if truth.protocol == "tcp" and is_joined and shown < len(surely) - _SLACK:
        yield f"{shown} are open at {site}: {len(surely)}"
