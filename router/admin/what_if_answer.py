"""What-if: the outcomes of both scenarios side by side, and the recorded figures. Pure."""

from collections.abc import Sequence

from router.admin.views.what_if import Recorded, WhatIfPicture, WhatIfSeries, WhatIfSite, WhatIfView
from router.admin.what_if import (
    HERE,
    SEED,
    ScenarioSite,
    SimulatedFigures,
    SimulatedOutcome,
    WhatIfPlan,
    asked_in,
)
from router.model import limits


def told(planned: WhatIfPlan, current: SimulatedOutcome, proposed: SimulatedOutcome) -> WhatIfView:
    """Both outcomes side by side, and the recorded figures."""
    history, service = planned.known.history, planned.known.service
    pictures = [
        _picture(policy, places, next(one for one in outcome.sites if one.site == HERE))
        for policy, places, outcome in zip(
            planned.policies,
            (planned.before, planned.after),
            (current, proposed),
            strict=True,
        )
    ]
    now, then = pictures
    shares = [abs(old.share - new.share) for old, new in zip(now.sites, then.sites, strict=True)]
    refused = abs(now.refused - then.refused) / max(1, now.offered)
    return WhatIfView(
        service=service.name,
        port=service.port,
        protocol=service.protocol,
        seed=SEED,
        recorded=_recorded(planned),
        current=now,
        proposed=then,
        moved=round((sum(shares) + refused) / 2.0, 4),
        added_p50_ms=_added(now.p50_ms, then.p50_ms),
        added_p99_ms=_added(now.p99_ms, then.p99_ms),
        commands=planned.commands,
        assumptions=_assumptions(planned, history.step_s),
        scenario=planned.proposed,
    )


def _picture(policy: str, places: Sequence[ScenarioSite], own: SimulatedFigures) -> WhatIfPicture:
    counts = [own.here if place.key == HERE else own.overflowed.get(place.key, 0)
              for place in places]  # fmt: skip
    none = (0,) * len(own.series.offered)
    return WhatIfPicture(
        policy=policy,
        sites=tuple(
            WhatIfSite(
                name=place.site.site,
                id=place.site.id,
                local=place.site.local,
                path_cost=place.path_cost,
                capacity=place.capacity,
                rate=place.is_rate,
                taken=place.taken,
                targets=place.site.targets_ready,
                served=count,
                share=round(count / own.offered, 4) if own.offered else 0.0,
            )
            for place, count in zip(places, counts, strict=True)
        ),
        offered=own.offered,
        overflow=sum(own.overflowed.values()),
        refused=own.refused + own.lost,
        p50_ms=own.p50_ms,
        p99_ms=own.p99_ms,
        series=WhatIfSeries(
            step_s=own.series.step_s,
            offered=own.series.offered,
            served=tuple(own.series.served.get(place.key, none) for place in places),
            refused=own.series.refused,
            queue=own.series.queue,
            p99_ms=own.series.p99_ms,
        ),
    )


def _recorded(planned: WhatIfPlan) -> Recorded:
    history, samples = planned.known.history, planned.samples
    served: dict[str, int] = {}
    for index, site in enumerate(history.sites):
        served[site.id] = sum(one.served[index] for one in samples)
    return Recorded(
        since=samples[0].at,
        until=samples[-1].at,
        window_s=len(samples) * history.step_s,
        step_s=history.step_s,
        requests=sum(map(asked_in, samples)),
        served=served,
        nowhere=sum(one.nowhere for one in samples),
        overflow=sum(one.overflow for one in samples),
    )


def _added(now: float | None, then: float | None) -> float | None:
    return None if now is None or then is None else round(then - now, 3)


def _assumptions(planned: WhatIfPlan, step_s: float) -> tuple[str, ...]:
    """The assumptions behind the figures, in readable sentences."""
    here = planned.before[0]
    said = [
        f"Requests arrive at random within each recorded step of {step_s:g} s, with seed {SEED}: "
        "the same question has the same answer, and another seed would differ a little.",
        f"Targets take {here.work_s * 1000.0:.0f} ms on average here, spread by the recorded p50 "
        "and p99. The run does not know whether a target slows down under more load.",
        *_assumed_times(planned.before),
        "Slots that clients of other sites use now stay in use; the run knows no other load there.",
        "Each site has a separate link with the cost of the way there, and the delay of that way's "
        "first link.",
    ]
    said.append("The queue is that of a service with default settings; sessions are left out.")
    if any(place.capacity is None for place in planned.before):
        said.append("Sites without a configured capacity serve every request at once.")
    if planned.known.service.protocol == "tcp":
        said.append("A connection is counted when it ends.")
    if planned.cut:
        said.append(
            f"Only the last {limits.WHAT_IF_REQUESTS_MAX:,} requests of that time were run again."
        )
    return tuple(said)


def _assumed_times(places: Sequence[ScenarioSite]) -> tuple[str, ...]:
    """The sites whose targets' time was not measured, in a sentence; empty: there are none."""
    names = [place.site.site for place in places if place.work_of]
    if not names:
        return ()
    like = next(place.work_of for place in places if place.work_of)
    return (
        f"Too few requests went to {_listed(names)} to measure how long targets take there; it is "
        f"assumed that they take as long as at {like}.",
    )


def _listed(names: Sequence[str]) -> str:
    """``a, b and c``."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
