"""The history of several workers as that of one router. Pure.

Each worker has its own steps. They are added to the first worker's step with the nearest end.
"""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime

import msgspec

from router.admin.views.history import HistorySample, HistorySite, ServiceHistory
from router.model.latency import shown
from router.workers.history_sites import in_order

P99_SHARE = 0.01
"""Share of the requests: a worker with fewer does not affect their 99th percentile."""


def joined(own: ServiceHistory, others: Sequence[ServiceHistory]) -> ServiceHistory:
    """One service port at all workers; ``own`` has the steps, unless it has none."""
    told = [one for one in others if one.samples]
    if not told:
        return own
    if not own.samples:
        own, *told = told
        if not told:
            return own
    each = [own, *told]
    sites = _sites(each)
    ends = [_moment(sample) for sample in own.samples]
    parts: list[list[HistorySample]] = [
        [_placed(sample, own.sites, sites)] for sample in own.samples
    ]
    is_whole = True
    for other in told:
        found: list[list[HistorySample]] = [[] for _ in ends]
        for sample in other.samples:
            step = _nearest(ends, _moment(sample), own.step_s)
            if step is not None:
                found[step].append(_placed(sample, other.sites, sites))
        _even_out(found, ends, own.step_s)
        is_whole = is_whole and not _ends_later(found)
        for step, samples in enumerate(_filled(list(map(_one_after_another, found)))):
            if samples is not None:
                parts[step].append(samples)
    if not is_whole:
        parts.pop()
    return msgspec.structs.replace(
        own, sites=sites, samples=tuple(_beside_each_other(one) for one in parts)
    )


def partial_until(own: ServiceHistory, restarted: Sequence[ServiceHistory | None]) -> str:
    """The end of the newest of ``own`` steps that ended before the history of one of ``restarted``
    workers begins; None in it: that worker has no history. Empty: there is no such step."""
    if not restarted:
        return ""
    if any(one is None or not one.samples for one in restarted):
        return own.samples[-1].at if own.samples else ""
    begins = max((_moment(one.samples[0]) for one in restarted if one is not None), default=0.0)
    return max((one.at for one in own.samples if _moment(one) < begins), default="")


def _ends_later(found: Sequence[Sequence[HistorySample]]) -> bool:
    """Whether a worker reported the step before the newest and not yet the newest, which would show
    only the others' figures. A worker that reported neither is gone."""
    return len(found) > 1 and bool(found[-2]) and not found[-1]


def _even_out(found: list[list[HistorySample]], ends: list[float], step_s: float) -> None:
    """Move steps that end midway between those of the first worker: times are in whole seconds, so
    sometimes two of them are nearest to one step, and none to the next."""
    reach_s = step_s * 3 / 4
    for step, samples in enumerate(found):
        if samples:
            continue
        before = found[step - 1] if step else []
        after = found[step + 1] if step + 1 < len(found) else []
        if len(before) > 1 and abs(ends[step] - _moment(before[-1])) <= reach_s:
            samples.append(before.pop())
        elif len(after) > 1 and abs(ends[step] - _moment(after[0])) <= reach_s:
            samples.append(after.pop(0))


def _filled(each: list[HistorySample | None]) -> list[HistorySample | None]:
    """A long step of another worker also covers the one before."""
    nothing = (None, *each[:-1])
    return [
        _covering(after) if one is None and before is not None and after is not None else one
        for before, one, after in zip(nothing, each, (*each[1:], None), strict=True)
    ]


def _covering(sample: HistorySample) -> HistorySample:
    """``sample`` with the values of its whole step, without its counts."""
    return msgspec.structs.replace(
        sample,
        served=tuple(0 for _ in sample.served),
        nowhere=0,
        overflow=0,
        p50_s=None,
        p99_s=None,
        failed=0,
        gave_up=0,
        shed=0,
    )


def _moment(sample: HistorySample) -> float:
    return datetime.fromisoformat(sample.at).timestamp()


def _nearest(ends: list[float], moment: float, step_s: float) -> int | None:
    """The step with the nearest end; None: the time is not covered here (yet)."""
    after = bisect_left(ends, moment)
    near = [step for step in (after - 1, after) if 0 <= step < len(ends)]
    step = min(near, key=lambda step: abs(ends[step] - moment))
    return step if abs(ends[step] - moment) <= step_s / 2 + 1 else None  # In whole seconds.


def _sites(each: Sequence[ServiceHistory]) -> tuple[HistorySite, ...]:
    """Each site once, as seen by a worker that still has a path there."""
    found: dict[str, HistorySite] = {}
    for history in each:
        for site in history.sites:
            known = found.get(site.id)
            if known is None or known.path_cost is None:
                found[site.id] = site
    return in_order(found.values())


def _placed(
    sample: HistorySample, of: tuple[HistorySite, ...], sites: tuple[HistorySite, ...]
) -> HistorySample:
    """``sample`` with a figure for each of ``sites``."""
    if of == sites:
        return sample
    in_flight = dict(zip((site.id for site in of), sample.in_flight, strict=True))
    served = dict(zip((site.id for site in of), sample.served, strict=True))
    return msgspec.structs.replace(
        sample,
        in_flight=tuple(in_flight.get(site.id, 0.0) for site in sites),
        served=tuple(served.get(site.id, 0) for site in sites),
    )


def _one_after_another(samples: list[HistorySample]) -> HistorySample | None:
    """Samples of one worker within a long step of the first one; None: it has none."""
    if len(samples) < 2:
        return samples[0] if samples else None
    whole = _beside_each_other(samples)
    last = samples[-1]
    return msgspec.structs.replace(
        whole,
        in_flight=tuple(round(one / len(samples), 3) for one in whole.in_flight),
        capacity=last.capacity,
        capacity_per_s=last.capacity_per_s,
        queued=last.queued,
    )


def _beside_each_other(samples: list[HistorySample]) -> HistorySample:
    """Samples of several workers for the same time, which the first one gives."""
    first = samples[0]
    if len(samples) == 1:
        return first
    slots = [one.capacity for one in samples if one.capacity is not None]
    rates = [one.capacity_per_s for one in samples if one.capacity_per_s is not None]
    ended = [(sum(one.served), one.p50_s, one.p99_s) for one in samples]
    p50_s, p99_s = quantiles(ended)
    return msgspec.structs.replace(
        first,
        in_flight=tuple(
            round(sum(one), 3) for one in zip(*(s.in_flight for s in samples), strict=True)
        ),
        served=tuple(sum(one) for one in zip(*(s.served for s in samples), strict=True)),
        nowhere=sum(one.nowhere for one in samples),
        overflow=sum(one.overflow for one in samples),
        capacity=sum(slots) if slots else None,
        capacity_per_s=round(sum(rates), 6) if rates else None,
        targets_ready=max(one.targets_ready for one in samples),
        queued=sum(one.queued for one in samples),
        p50_s=p50_s,
        p99_s=p99_s,
        failed=sum(one.failed for one in samples),
        gave_up=sum(one.gave_up for one in samples),
        shed=sum(one.shed for one in samples),
    )


def quantiles(
    each: Sequence[tuple[float, float | None, float | None]],
) -> tuple[float | None, float | None]:
    """From counts of requests with medians and 99th percentiles: approximately those of all of
    them.

    A stored step has no histogram. The median is the mean of the medians weighted by requests, and
    lies between them, as the true one does; the 99th percentile is the greatest.
    """
    known = [(count, p50_s, p99_s) for count, p50_s, p99_s in each if p50_s is not None]
    total = sum(count for count, _, _ in known)
    if total <= 0:
        return None, None
    p50_s = sum(count * p50_s for count, p50_s, _ in known) / total
    seen = [p99_s for count, _, p99_s in known if p99_s and count >= P99_SHARE * total]
    return shown(p50_s), max(seen, default=None)
