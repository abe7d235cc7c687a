"""What-if: recorded arrivals as scenarios, one with the present sites and one with the proposal.

Pure. Whole routers run the scenarios on the production decision code; this module writes them, and
`what_if_answer` compares the outcomes with the recorded figures.
"""

from collections.abc import Sequence
from itertools import accumulate
from math import ceil, log

import msgspec
import yaml

from router.admin.ports import BadQuestion, NothingRecorded
from router.admin.views.history import HistorySample, ServiceHistory
from router.admin.views.links import LinkView, SiteView
from router.admin.views.services import ServiceSite, ServiceView
from router.admin.views.what_if import WhatIf, WhatIfStep
from router.admin.what_if_commands import commands
from router.model import limits
from router.model.specs import API_VERSION

SEED = 1
_P99_SIGMAS = 2.326  # Of a normal distribution: ln(p99 / p50) / this is a lognormal's sigma.
_SIGMA_UNKNOWN, _SIGMA_MIN, _SIGMA_MAX = 0.5, 0.05, 1.5
_WORK_S_MIN, _WORK_S_MAX = 0.000_1, 600.0
_SEEN_MIN = 10.0  # Requests seen in flight: chance moves the mean time of fewer by over a third.
_FREE_SLOTS = 10_000  # For a site without configured slots: only time limits its requests.
_TARGETS_MAX = 64  # Of one site: routers check and count each.
HERE = "s0"
_NOW_STEPS = 3  # Of requests in flight: the last of them still contains a burst that just ended.


class KnownLoad(msgspec.Struct, frozen=True):
    """The router's present data on a service, and its last quarter of an hour.

    ``declared_at``: the other site that declares it; empty: this one does.
    """

    service: ServiceView
    history: ServiceHistory
    links: Sequence[LinkView]
    network: Sequence[SiteView]
    declared_at: str = ""


class ScenarioSite(msgspec.Struct, frozen=True, kw_only=True):
    """A site in a scenario, named ``key`` there: its real name may contain anything, and be
    ambiguous.

    ``work_of``: the name of the site whose ``work_s`` is assumed, since too few requests went to
    this one; empty: it is its own.
    """

    key: str
    site: ServiceSite
    path_cost: int
    capacity: float | None
    taken: int
    rtt_s: float
    work_s: float
    work_of: str = ""

    @property
    def is_rate(self) -> bool:
        """Whether its capacity is in requests a second."""
        return self.site.capacity_kind == "rate"


class WhatIfPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Both scenarios, and everything else that `told` needs besides their outcomes."""

    known: KnownLoad
    samples: tuple[HistorySample, ...]
    before: tuple[ScenarioSite, ...]
    after: tuple[ScenarioSite, ...]
    policies: tuple[str, str]
    current: str
    proposed: str
    commands: tuple[WhatIfStep, ...]
    cut: bool


class Steps(msgspec.Struct, frozen=True, kw_only=True):
    """The series of one site in a simulation's outcome."""

    step_s: float
    offered: tuple[int, ...]
    served: dict[str, tuple[int, ...]]
    refused: tuple[int, ...]
    queue: tuple[int, ...]
    p99_ms: tuple[float, ...]


class SimulatedFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one site in a simulation's outcome."""

    site: str
    offered: int
    here: int
    overflowed: dict[str, int]
    refused: int
    lost: int
    p50_ms: float | None
    p99_ms: float | None
    series: Steps


class SimulatedOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a simulation's outcome used here."""

    interrupted: bool
    sites: list[SimulatedFigures]


def plan(asked: WhatIf, known: KnownLoad) -> WhatIfPlan:
    """The two scenarios for ``asked``. Raises BadQuestion."""
    samples, cut = _window(asked, known.history)
    if not samples:
        raise NothingRecorded(
            "No request ended in that time", "Ask for a longer window, or after some requests"
        )
    before = _places(known, samples)
    after = tuple(_changed(place, asked) for place in before)
    _require_known(asked, before)
    policies = (known.service.policy, asked.policy or known.service.policy)
    if "split" in policies:
        raise BadQuestion(
            "Weights of policy split are not known to what-if", "Write a scenario with weights"
        )
    current, proposed = (
        _scenario(known, samples, places, policy)
        for places, policy in zip((before, after), policies, strict=True)
    )
    return WhatIfPlan(
        known=known,
        samples=samples,
        before=before,
        after=after,
        policies=policies,
        current=current,
        proposed=proposed,
        commands=commands(
            known.history.site,
            known.service.name,
            asked.policy if asked.policy != known.service.policy else None,
            [
                (new.site, _moved(old.capacity, new.capacity), _moved(old.path_cost, new.path_cost))
                for old, new in zip(before, after, strict=True)
            ],
            known.links,
            known.network,
            known.declared_at,
        ),
        cut=cut,
    )


def _moved(old: float | None, new: float | None) -> tuple[float, float] | None:
    """(Old, new) if there is a change; a capacity that is not configured counts as 0."""
    return None if new is None or new == old else (old or 0, new)


def _window(asked: WhatIf, history: ServiceHistory) -> tuple[tuple[HistorySample, ...], bool]:
    """The newest wanted samples that fit, oldest first; and whether some did not fit."""
    samples = history.samples
    count = max(1, round((asked.window_s or limits.WHAT_IF_WINDOW_S) / history.step_s))
    end = _busiest_end(samples, count) if asked.busiest else len(samples)
    first = max(0, end - count)
    begin, total = end, 0
    while begin > first and total + asked_in(samples[begin - 1]) <= limits.WHAT_IF_REQUESTS_MAX:
        begin -= 1
        total += asked_in(samples[begin])
    return (samples[begin:end] if total else ()), begin > first


def _busiest_end(samples: Sequence[HistorySample], count: int) -> int:
    """Where the ``count`` consecutive samples with the highest demand end; the newest such."""
    before = [0, *accumulate(map(asked_in, samples))]
    ends = range(min(count, len(samples)), len(samples) + 1)
    return max(ends, key=lambda end: (before[end] - before[max(0, end - count)], end))


def asked_in(sample: HistorySample) -> int:
    return sum(sample.served) + sample.nowhere


def _places(known: KnownLoad, samples: Sequence[HistorySample]) -> tuple[ScenarioSite, ...]:
    """This site first, then the others by path cost."""
    history, step_s = known.history, known.history.step_s
    column = {one.id: index for index, one in enumerate(history.sites)}
    rtts = {one.neighbour.id: one.rtt_ms for one in known.links}
    hops = {one.id: one.next_hops for one in known.network}
    ids = {one.name: one.id for one in known.network}

    def rtt_s(site: ServiceSite) -> float:
        firsts = [rtts.get(site.id), *(rtts.get(ids.get(hop, "")) for hop in hops.get(site.id, ()))]
        return next((rtt_ms for rtt_ms in firsts if rtt_ms), 0.0) / 1000.0

    def counts_of(site: ServiceSite) -> tuple[int, float]:
        """Requests that it served, and the seconds in flight of all of them."""
        index = column.get(site.id)
        if index is None:
            return 0, 0.0
        spent_s = sum(one.in_flight[index] for one in samples) * step_s
        return sum(one.served[index] for one in samples), spent_s

    def work_s(site: ServiceSite) -> float:
        """Mean time at its targets, from the mean number in flight (Little's law)."""
        served, spent_s = counts_of(site)
        away_s = 0.0 if site.local else rtt_s(site)
        return min(max(spent_s / served - away_s, _WORK_S_MIN), _WORK_S_MAX)

    sites = sorted(
        (one for one in known.service.sites if one.local or not one.draining),
        key=lambda one: (not one.local, one.path_cost, one.id),
    )[: limits.WHAT_IF_SITES_MAX]
    busy = [one for one in sites if counts_of(one)[0]]
    seen = [one for one in busy if counts_of(one)[1] >= _SEEN_MIN * limits.HISTORY_LOOK_S]
    usual = next(iter(seen or busy), None)
    usual_s = 0.1 if usual is None else work_s(usual)

    def is_measured(site: ServiceSite) -> bool:
        """Whether enough requests were seen there, or would have been if they took the usual time.

        The number in flight is read now and then, and a few short requests are missed by chance.
        """
        served, spent_s = counts_of(site)
        return served > 0 and max(spent_s, served * usual_s) >= _SEEN_MIN * limits.HISTORY_LOOK_S

    def time_of(site: ServiceSite) -> tuple[float, str]:
        """Its `ScenarioSite.work_s` and `ScenarioSite.work_of`."""
        if usual is None or site is usual or is_measured(site):
            return (usual_s if usual is None else work_s(site)), ""
        return usual_s, usual.site

    times = [time_of(one) for one in sites]
    last = history.samples[-_NOW_STEPS:]
    return tuple(
        ScenarioSite(
            key=f"s{number}",
            site=site,
            path_cost=0 if site.local else max(1, site.path_cost),
            capacity=_capacity(site),
            taken=_taken(site, last, column),
            rtt_s=0.0 if site.local else rtt_s(site),
            work_s=work,
            work_of=work_of,
        )
        for number, (site, (work, work_of)) in enumerate(zip(sites, times, strict=True))
    )


def _capacity(site: ServiceSite) -> float | None:
    if site.capacity_kind == "rate":
        return None if site.rate is None else site.rate.per_s
    return site.capacity


def _taken(site: ServiceSite, last: Sequence[HistorySample], column: dict[str, int]) -> int:
    """Slots there held now by other sites' requests: a step's mean does not show the present."""
    index = column.get(site.id)
    ours = 0 if index is None else ceil(max(one.in_flight[index] for one in last))
    return max(0, site.in_flight - ours)


def _changed(place: ScenarioSite, asked: WhatIf) -> ScenarioSite:
    site = place.site
    capacity = asked.capacity.get(site.id, asked.capacity.get(site.site))
    cost = asked.cost.get(site.id, asked.cost.get(site.site))
    if capacity is not None and not 1 <= capacity <= limits.CAPACITY_MAX:
        raise BadQuestion(
            f"capacity {capacity} of {site.site} is out of bounds", f"1 to {limits.CAPACITY_MAX}"
        )
    if cost is not None and (site.local or not limits.COST_MIN <= cost <= limits.COST_MAX):
        raise BadQuestion(
            f"cost {cost} of the way to {site.site} cannot be",
            f"{limits.COST_MIN} to {limits.COST_MAX}, and of other sites only",
        )
    return msgspec.structs.replace(
        place,
        capacity=place.capacity if capacity is None else float(capacity),
        path_cost=place.path_cost if cost is None else cost,
    )


def _require_known(asked: WhatIf, places: Sequence[ScenarioSite]) -> None:
    known = {word for place in places for word in (place.site.site, place.site.id)}
    for name in (*asked.capacity, *asked.cost):
        if name not in known:
            raise BadQuestion(
                f"No site {name[:100]!r} has a part in this service", "sitectl service status"
            )


def _scenario(
    known: KnownLoad, samples: Sequence[HistorySample], places: Sequence[ScenarioSite], policy: str
) -> str:
    """Contains only numbers and our own words, never a peer's names."""
    history = known.history
    step_s = history.step_s
    text: str = yaml.safe_dump(
        {
            "apiVersion": API_VERSION,
            "kind": "Scenario",
            "name": "what-if",
            "spec": {
                "seed": SEED,
                "duration": _seconds(len(samples) * step_s),
                "sites": [place.key for place in places],
                "links": [
                    {
                        "between": [HERE, place.key],
                        "cost": place.path_cost,
                        "rtt": _seconds(place.rtt_s),
                    }
                    for place in places[1:]
                ],
                "services": [{"name": "service", "protocol": history.protocol, "policy": policy}],
                "targets": [
                    group for place in places for group in _targets(place, _sigma(samples))
                ],
                "arrivals": [
                    {
                        "site": HERE,
                        "kind": "poisson",
                        "rate": f"{asked_in(sample) / step_s:.6f}/s",
                        "from": _seconds(index * step_s),
                        "until": _seconds((index + 1) * step_s),
                    }
                    for index, sample in enumerate(samples)
                    if asked_in(sample)
                ],
            },
        },
        sort_keys=False,
        default_flow_style=None,
        width=120,
    )
    return text


def _seconds(value: float) -> str:
    return f"{value:.6f}s"


def _sigma(samples: Sequence[HistorySample]) -> float:
    """The spread of response times, as a lognormal's sigma, from the median step."""
    found = sorted(
        log(one.p99_s / one.p50_s) / _P99_SIGMAS
        for one in samples
        if one.p50_s and one.p99_s and one.p99_s >= one.p50_s
    )
    middle = len(found) // 2  # `statistics` would also import fractions and random numbers.
    median = (found[middle] + found[~middle]) / 2 if found else _SIGMA_UNKNOWN
    return min(max(median, _SIGMA_MIN), _SIGMA_MAX)


def _targets(place: ScenarioSite, sigma: float) -> list[dict[str, object]]:
    """Backends with the total capacity of the site's targets minus the slots that others hold."""
    count = min(place.site.targets_ready, _TARGETS_MAX)
    if not count:
        return []

    def group(number: int, slots: int, **stated: object) -> dict[str, object]:
        work = {"kind": "lognormal", "mean": _seconds(place.work_s), "sigma": round(sigma, 4)}
        return {"site": place.key, "count": number, "slots": slots, **stated, "serviceTime": work}

    if place.capacity is None:
        return [group(count, _FREE_SLOTS)]
    if place.is_rate:
        return [group(1, _FREE_SLOTS, capacity=f"{place.capacity:g}/s")]
    each, more = divmod(max(0, int(place.capacity) - place.taken), count)
    return [
        group(number, slots, capacity=slots)
        for number, slots in ((more, each + 1), (count - more, each))
        if number and slots
    ]
