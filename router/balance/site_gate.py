"""Limits of a ledger besides its targets' slots: the rates of targets, and the cap of the site."""

from collections.abc import Iterable, Sequence
from math import inf

import msgspec

from router.balance.rate import DemandBeside, Gate, RateDemand
from router.model.capacity import Rate, SiteCap
from router.model.limits import PERMITS_MAX
from router.model.messages.adverts import RateLoad

EXACT_DIGITS = 9  # For sums: three thirds of 5/s are 5/s.


class RateState(msgspec.Struct, frozen=True, kw_only=True):
    """A rate, of a target or of a whole site, at one moment.

    ``asked_per_s``: demand over the last ``asked_s``: of this site's own clients, wherever they
    were served, and of other sites, but not of other routers of this site, which count it
    themselves. ``asked_s``: the window, or the time since the rate was set. ``free``: how many
    requests would be admitted at once. ``partly_over``: some of several routers are over, some are
    not.
    """

    per_s: float
    resume_per_s: float
    window_s: float
    asked_per_s: float
    admitted_per_s: float
    free: int
    is_over: bool
    partly_over: bool = False
    asked_s: float


def state_of(gate: Gate, now: float) -> RateState:
    """The state of ``gate`` that users see."""
    free = gate.free(now)
    asked_s = gate.demand.counted_s(now)
    return RateState(
        per_s=gate.rate.per_s,
        resume_per_s=gate.rate.resume_per_s,
        window_s=gate.rate.window_s,
        asked_per_s=gate.own_asked_per_s(now) * gate.rate.window_s / asked_s,
        asked_s=asked_s,
        admitted_per_s=gate.admitted_per_s(now),
        free=free,
        is_over=gate.is_over,
    )


class Demands:
    """The demand for one service port, counted once per window length that some gate has."""

    __slots__ = ("_beside", "_by_window")

    def __init__(self) -> None:
        self._beside: DemandBeside | None = None
        self._by_window: dict[float, RateDemand] = {}

    def over(self, window_s: float) -> RateDemand:
        """The demand over ``window_s``."""
        demand = self._by_window.get(window_s)
        if demand is None:
            demand = self._by_window[window_s] = RateDemand(window_s, self._beside)
        return demand

    def set_beside(self, beside: DemandBeside | None) -> None:
        """Set what is asked of the other routers of this site; None: nothing, or it is not
        known."""
        self._beside = beside
        for demand in self._by_window.values():
            demand.beside = beside

    def ask(self, now: float) -> None:
        """Count one more request."""
        for demand in self._by_window.values():
            demand.ask(now)

    def hand(self, now: float) -> None:
        """The last request asked for came from another router of this site."""
        for demand in self._by_window.values():
            demand.hand(now)

    def keep(self, windows: Iterable[float]) -> None:
        """Forget all other window lengths."""
        wanted = set(windows)
        self._by_window = {w: one for w, one in self._by_window.items() if w in wanted}


class SiteGate:
    """The cap of a site: slots, a rate, or both; none at first."""

    __slots__ = ("cap", "gate", "slots")

    def __init__(self) -> None:
        self.cap: SiteCap | None = None
        self.slots: float = inf
        self.gate: Gate | None = None

    def set(self, cap: SiteCap | None, demands: Demands) -> None:
        """Change the cap from now on."""
        self.cap = cap
        self.slots = inf if cap is None or cap.slots is None else cap.slots
        rate = None if cap is None else cap.rate
        self.gate = gate_for(rate, self.gate, demands)

    def has_room(self, load: int, now: float) -> bool:
        """Whether the site takes one more request above ``load``."""
        return load < self.slots and (self.gate is None or self.gate.free(now) > 0)

    @property
    def sends_all_away(self) -> bool:
        """Over, and configured to spill all: new requests go elsewhere while any other site has
        room.
        """
        return (
            self.gate is not None
            and self.gate.is_over
            and self.cap is not None
            and self.cap.spill == "all"
        )


def gate_for(rate: Rate | None, known: Gate | None, demands: Demands) -> Gate | None:
    """The gate of ``rate``: a known gate goes on and remembers what was admitted."""
    if rate is None:
        return None
    demand = demands.over(rate.window_s)
    if known is None:
        return Gate(rate, demand)
    if known.rate != rate or known.demand is not demand:
        known.set_rate(rate, demand)
    return known


def site_rate(ready: list[Gate | None], site: SiteGate, now: float) -> RateState | None:
    """The rate of the site: of the targets if all have one, and of the site itself; None: none."""
    of_targets = _sum([one for one in ready if one is not None], now) if all(ready) else None
    if site.gate is None:
        return of_targets
    of_site = state_of(site.gate, now)
    if of_targets is None:
        return of_site
    lower = of_site if of_site.per_s <= of_targets.per_s else of_targets
    return msgspec.structs.replace(
        lower,
        free=min(of_site.free, of_targets.free),
        is_over=of_site.is_over or of_targets.is_over,
    )


def load_of(ready: list[Gate | None], site: SiteGate, now: float) -> RateLoad | None:
    """As `site_rate`, with only the figures for decisions and other sites: called per request."""
    per_s, free, is_over = inf, PERMITS_MAX, False
    if ready and None not in ready:
        per_s, free, is_over = 0.0, 0, True
        for gate in ready:
            assert gate is not None, "just looked for"
            per_s += gate.rate.per_s
            free += gate.free(now)
            is_over = is_over and gate.is_over
    if site.gate is not None:
        per_s = min(per_s, site.gate.rate.per_s)
        free = min(free, site.gate.free(now))
        is_over = is_over or site.gate.is_over
    if per_s == inf:
        return None
    return RateLoad(per_s, free, int(is_over) + site.sends_all_away)


def _sum(gates: list[Gate], now: float) -> RateState | None:
    if not gates:
        return None
    return _added([state_of(gate, now) for gate in gates])


def of_routers(states: Sequence[RateState]) -> RateState | None:
    """The rate of a site whose routers each have a part of it; None: no router has one."""
    if len(states) < 2:
        return states[0] if states else None
    whole, some_over = _added(states), any(one.is_over for one in states)
    return msgspec.structs.replace(whole, partly_over=some_over and not whole.is_over)


def _added(states: Sequence[RateState]) -> RateState:
    if len(states) == 1:
        return states[0]
    return RateState(
        per_s=round(sum(one.per_s for one in states), EXACT_DIGITS),
        resume_per_s=round(sum(one.resume_per_s for one in states), EXACT_DIGITS),
        window_s=max(one.window_s for one in states),
        asked_per_s=sum(one.asked_per_s for one in states),
        asked_s=max(one.asked_s for one in states),
        admitted_per_s=sum(one.admitted_per_s for one in states),
        free=sum(one.free for one in states),
        is_over=all(one.is_over for one in states),
    )
