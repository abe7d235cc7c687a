"""Arrivals and service times, drawn from the seed alone. Pure.

Every request has a number and one draw from [0, 1); how long a backend works on it is the quantile
of its distribution at that draw. So it is the same request under any rule and at any site.
"""

from collections.abc import Iterator
from hashlib import blake2b
from itertools import pairwise
from math import exp, log
from random import Random
from statistics import NormalDist
from struct import pack

from simulator.scenarios.scenario import Arrivals, Scenario, ServiceTime

_NORMAL = NormalDist()


def service_s(spec: ServiceTime, draw: float) -> float:
    """Seconds of work on the request with that ``draw``; their mean over all draws is the mean."""
    mean = spec.mean_s
    match spec.kind:
        case "constant":
            return mean
        case "exponential":
            return -mean * log(1.0 - draw)
        case "uniform":
            return mean * (1.0 + spec.spread * (2.0 * draw - 1.0))
        case "bimodal":
            fast = mean / (1.0 + spec.slow_share * (spec.slow_factor - 1.0))
            return fast * spec.slow_factor if draw < spec.slow_share else fast
        case "lognormal":
            middle = log(mean) - spec.sigma * spec.sigma / 2.0
            clipped = min(max(draw, 1e-9), 1.0 - 1e-9)
            return exp(middle + spec.sigma * _NORMAL.inv_cdf(clipped))


def generator(scenario: Scenario, *words: object) -> Random:
    """A separate generator for one purpose: draws for others do not affect it."""
    return Random(f"{scenario.seed} {' '.join(map(str, words))}")


def of_call(draw: float, number: int) -> float:
    """The draw of the call with that ``number`` of a request with that ``draw``."""
    digest = blake2b(pack("<di", draw, number), digest_size=8).digest()
    return int.from_bytes(digest) / 2.0**64


def instants(arrivals: Arrivals, duration_s: float, random: Random) -> Iterator[float]:
    """When requests begin, in order. Closed loops have none: their clients ask when answered."""
    begin = arrivals.from_s
    end = min(duration_s, duration_s if arrivals.until_s is None else arrivals.until_s)
    match arrivals.kind:
        case "closed":
            return
        case "replay":
            yield from (begin + when for when in arrivals.instants if begin + when < end)
        case "steady":
            number, gap = 0, 1.0 / arrivals.rate
            while (when := begin + number * gap) < end:
                yield when
                number += 1
        case "poisson":
            yield from _poisson(arrivals.rate, begin, end, random)
        case "flash":
            # Piece by piece: the rates are exact, however rare the peak is.
            edges = [begin, arrivals.peak_from_s, arrivals.peak_until_s, end]
            edges = [min(max(edge, begin), end) for edge in edges]
            for (first, last), rate in zip(
                pairwise(edges), (arrivals.rate, arrivals.peak, arrivals.rate), strict=True
            ):
                yield from _poisson(rate, first, last, random)
        case "ramp":
            yield from _thinned(arrivals, begin, end, random)


def _poisson(rate: float, begin: float, end: float, random: Random) -> Iterator[float]:
    """Independent instants, ``rate`` a second; 0: none."""
    when = begin
    while rate > 0.0 and (when := when + random.expovariate(rate)) < end:
        yield when


def _thinned(arrivals: Arrivals, begin: float, end: float, random: Random) -> Iterator[float]:
    """A Poisson process whose rate changes steadily (Lewis and Shedler, 1979: thinning)."""
    most = max(arrivals.rate, arrivals.to_rate)
    when = begin
    while (when := when + random.expovariate(most)) < end:
        rate = arrivals.rate + (arrivals.to_rate - arrivals.rate) * (when - begin) / (end - begin)
        if random.random() * most < rate:
            yield when


def expected(arrivals: Arrivals, duration_s: float, quickest_s: float) -> float:
    """About how many requests it will make; for a closed loop at most.

    ``quickest_s``: the mean work of the fastest target.
    """
    end = min(duration_s, duration_s if arrivals.until_s is None else arrivals.until_s)
    length = max(0.0, end - arrivals.from_s)
    match arrivals.kind:
        case "replay":
            return float(len(arrivals.instants))
        case "closed":
            return arrivals.clients * length / max(arrivals.think_s + quickest_s, 1e-4)
        case "ramp":
            return length * (arrivals.rate + arrivals.to_rate) / 2.0
        case "flash":
            peak = max(0.0, min(end, arrivals.peak_until_s) - arrivals.peak_from_s)
            return (length - peak) * arrivals.rate + peak * arrivals.peak
        case "steady" | "poisson":
            return length * arrivals.rate
