"""Counters and gauges, on `/metrics` and in tables, beside what became of each request."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from tests.simulation.hours.truth import EDGE_S, LATELY_S, OWN_S, TOLD_S, Truth
from tests.simulation.world import Answer

Figures = Mapping[tuple[str, ...], float]
"""By name, and the labels after those of the service port."""

WINDOW_S: Final = 12.0
_SLACK: Final = 2
"""So many may have begun or ended within the moment of a look."""


class _Look(NamedTuple):
    at: float
    figures: Figures


class Counted:
    """Figures of one router in one life; ``key`` of it in the world."""

    def __init__(self, truth: Truth, key: str) -> None:
        self._truth, self._key = truth, key
        self._looks: deque[_Look] = deque()

    def wrong(self, figures: Figures) -> Iterator[str]:
        """What of the figures of now is not so."""
        truth, now = self._truth, self._truth.now
        if truth.lasts("known", self._key) < LATELY_S:
            self._looks.clear()  # Those of a service port that came back begin elsewhere.
            return
        yield from self._gauges(figures)
        self._looks.append(_Look(now, figures))
        while self._looks[0].at < now - WINDOW_S:
            self._looks.popleft()
        before = self._looks[0]
        asked = truth.asked(self._key, before.at - EDGE_S)
        is_torn = self._may_be_torn()
        for counter in sorted(figures.keys() | before.figures.keys()):
            judge = _COUNTERS.get(counter[0])
            if judge is None:
                continue
            grown = figures.get(counter, 0.0) - before.figures.get(counter, 0.0)
            surely, maybe = judge(truth.name_of(self._key), counter[1:])
            if is_torn:
                surely, maybe = _none, _any
            least = sum(_is_within(one, before.at, now) and surely(one) for one in asked)
            most = sum(map(maybe, asked))
            if not least - _SLACK <= grown <= most + _SLACK:
                yield f"{' '.join(counter)}: {grown:+.0f} in {now - before.at:.1f} s, " + (
                    f"and it was {least} to {most}"
                )

    def _may_be_torn(self) -> bool:
        """Connections: a client may have all of one that lost its way before its other end."""
        lasts = [self._truth.lasts("joined", self._key, name) for name in self._truth.names]
        return self._truth.protocol == "tcp" and min(lasts) < WINDOW_S + TOLD_S

    def _gauges(self, figures: Figures) -> Iterator[str]:
        truth = self._truth
        for (name, *labels), value in figures.items():
            site = labels[-1] if labels else ""
            within = truth.slack(self._key, site)
            if name == "in_flight" and truth.has_one_router(site) and self._is_heard(site):
                _, most = truth.in_hand(site, within + OWN_S)
                least = truth.dipped(site, within + OWN_S)
                if not least - _SLACK <= value <= most + _SLACK:
                    yield f"{value:.0f} in flight at {site}: its targets had {least} to {most}"
            if name == "targets_ready" and truth.has_one_router(site):
                was = truth.was_ready(site, within)
                if len(was) == 1 and value not in was:
                    yield f"{value:.0f} targets of {site} are ready: {was}"

    def _is_heard(self, site: str) -> bool:
        """Whether the number in flight there is known. A connection whose end is not heard goes on,
        and a site that is not used, or has just come, does not report its load.
        """
        truth, key = self._truth, self._key
        is_told = site == truth.name_of(key) or truth.lasts("usable", key, site) > TOLD_S
        return is_told and truth.lasts("whole") > 2 * TOLD_S


Picks = tuple[Callable[[Answer], bool], Callable[[Answer], bool]]
"""Which requests surely count, and which may."""


def _is_within(one: Answer, since: float, until: float) -> bool:
    return one.began > since + EDGE_S and 0 < one.ended < until - EDGE_S


def _none(one: Answer) -> bool:
    return False


def _any(one: Answer) -> bool:
    return True


def _is_unknown(one: Answer) -> bool:
    """Only the router knows which site answered, if one did."""
    return one.site == ""


def _of_site(site: str) -> Picks:
    return lambda one: one.site == site, lambda one: one.site == site or _is_unknown(one)


def _requests(own: str, labels: tuple[str, ...]) -> Picks:
    """``labels``: site and class."""
    site, answered = labels
    if answered in ("2xx", "ok"):
        return _of_site(site)
    return _none, _is_unknown


def _spilled(own: str, labels: tuple[str, ...]) -> Picks:
    """``labels``: to which site."""
    return _of_site(labels[0])


def _failed(own: str, labels: tuple[str, ...]) -> Picks:
    """``labels``: the code that clients were given."""

    def is_such(one: Answer) -> bool:
        return one.fields.get("Spillway-Error") == labels[0]

    return is_such, lambda one: is_such(one) or one.status == 0


def _shown_requests(own: str, labels: tuple[str, ...]) -> Picks:
    """All that ended or are under way: REQUESTS."""
    return lambda one: bool(one.status), _any


def _shown_spilled(own: str, labels: tuple[str, ...]) -> Picks:
    """SPILLED: to any other site."""
    return (
        lambda one: one.site not in ("", own),
        lambda one: one.site != own,
    )


_COUNTERS: Final[Mapping[str, Callable[[str, tuple[str, ...]], Picks]]] = {
    "requests": _requests,
    "spilled": _spilled,
    "failed": _failed,
    "REQUESTS": _shown_requests,
    "SPILLED": _shown_spilled,
}
