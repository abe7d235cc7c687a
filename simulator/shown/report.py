"""An outcome as tables: which sites served each site's clients, and how fast; and other rules."""

from router.documents.quantities import size_text
from simulator.advice.search import Advice, TriedPlan
from simulator.outcomes.figures import Rival, RunOutcome, SiteFigures

Table = tuple[list[str], list[list[str]]]

_SITE = ["SITE", "OFFERED", "HERE", "AWAY", "REFUSED", "LOST", "USED", "IDEAL", "QUEUE"]
_WAITS = ["P50", "P90", "P99"]


def sites(outcome: RunOutcome) -> Table:
    """One line for each site that has clients or targets. Shares are of the requests
    offered there.
    """
    several = _has_several(outcome)
    rows = []
    for one in outcome.sites:
        name = f"{one.site} {one.service}" if several else one.site
        away = sum(one.overflowed.values())
        rows.append(
            [
                name,
                str(one.offered),
                counted(one.here, one.offered),
                counted(away, one.offered),
                str(one.refused),
                str(one.lost),
                percent(one.used),
                percent(one.ideal),
                str(one.queue_most),
                *(milliseconds(value) for value in (one.p50_ms, one.p90_ms, one.p99_ms)),
            ]
        )
    return [*_SITE, *_WAITS], rows


def _has_several(outcome: RunOutcome) -> bool:
    return len({one.service for one in outcome.sites}) > 1


def split(outcome: RunOutcome, label: str) -> list[list[str]]:
    """Lines of the comparison of rules: which sites served each site's clients."""
    several = _has_several(outcome)
    return [_rule_line(label, one, several) for one in outcome.sites if one.offered] + [
        _rule_line(one.rule, one, several) for one in (*outcome.skupper, *outcome.rivals)
    ]


SPLIT_HEADINGS = ["RULE", "CLIENTS OF", "HERE", "ELSEWHERE", "FAILED", "P50", "P99"]


def _rule_line(label: str, one: SiteFigures | Rival, several: bool) -> list[str]:
    name = f"{one.site} {one.service}" if several else one.site
    failed = one.failed if isinstance(one, Rival) else one.refused + one.lost
    total = one.here + sum(one.overflowed.values()) + failed
    there = ", ".join(f"{site} {counted(n, total)}" for site, n in one.overflowed.items())
    p50, p99 = milliseconds(one.p50_ms), milliseconds(one.p99_ms)
    return [label, name, counted(one.here, total), there or "-", str(failed), p50, p99]


def spills(outcome: RunOutcome) -> list[str]:
    """The spills of each site that has clients."""
    lines, several = [], _has_several(outcome)
    for one in outcome.sites:
        name = f"{one.site} {one.service}" if several else one.site
        if one.first_spill_s is None:
            if one.offered:
                lines.append(f"{name}: no request spilled")
            continue
        free, held = one.first_spill_free, " and ".join(one.held_by)
        nothing = f"held by {held}" if held else "no capacity is configured there"
        found = nothing if free is None else f"{max(free, 0)} slots were free"
        lines.append(f"{name}: first spill at {one.first_spill_s:.2f} s, {found}")
        if one.spilled_while_free is not None:
            why = f", held by {held}" if held and one.spilled_while_free else ""
            lines.append(
                f"  {one.spilled_while_free * 100:.1f} % of them spilled while a slot was free{why}"
            )
        if one.return_s is not None:
            back_s = max(one.return_s, 0.0)
            lines.append(f"  the last spill came {back_s:.2f} s after the last one that was needed")
    return lines


def classes(outcome: RunOutcome) -> Table:
    """One line for each class of requests of each service."""
    rows = [
        [
            one.name,
            one.service,
            str(one.requests),
            counted(one.away, one.requests),
            str(one.failed),
            *(milliseconds(value) for value in (one.mean_ms, one.p50_ms, one.p99_ms)),
        ]
        for one in outcome.classes
    ]
    return ["CLASS", "SERVICE", "OFFERED", "AWAY", "FAILED", "MEAN", "P50", "P99"], rows


_MOMENTS = {
    "saturated": "the hook that wakes {wakes} ran, saturated",
    "calm": "the hook ran, calm: the targets at {wakes} go",
    "failed": "the hook that wakes {wakes} failed",
    "awake": "the targets at {wakes} are there",
}


def bursts(outcome: RunOutcome) -> list[str]:
    """The events of burst hooks, and the requests held for them."""
    lines = [
        f"{one.at_s:8.2f} s  {one.site} {one.service}: "
        + _MOMENTS[one.what].format(wakes=one.wakes)
        for one in outcome.bursts
    ]
    for one in outcome.sites:
        if one.held and one.longest_ms is not None:
            longest = milliseconds(one.longest_ms)
            lines.append(
                f"{one.site} {one.service}: {one.held} requests were held, none took longer than "
                f"{longest}"
            )
    return lines


def plans(advice: Advice) -> Table:
    """One line for each tried plan, the best marked."""
    rows = [
        [
            "*" if index == advice.best else "",
            one.plan,
            milliseconds(one.score.mean_ms),
            milliseconds(one.score.p99_ms),
            percent(one.score.failed),
            f"{one.score.crossings:.2f}",
            size_text(round(one.score.bytes_away)),
        ]
        for index, one in enumerate(advice.tried)
    ]
    return ["", "PLAN", "MEAN", "P99", "FAILED", "CROSSINGS", "BYTES AWAY"], rows


def burst_costs(advice: Advice) -> Table:
    """The cost of requests that were served away, without changes."""
    rows = []
    for one in advice.bursts:
        costs_ms = one.costs_ms
        verdict = "there is none at home"
        if costs_ms is not None:
            verdict = f"{'costs' if costs_ms > 0 else 'saves'} {milliseconds(abs(costs_ms))}"
        rows.append(
            [
                one.service,
                one.site,
                one.there,
                str(one.requests),
                milliseconds(one.home_ms),
                milliseconds(one.there_ms),
                f"{one.calls_back:.1f}",
                verdict,
            ]
        )
    return ["SERVICE", "OF", "SERVED BY", "REQUESTS", "HOME", "THERE", "CALLS BACK", ""], rows


def advised(advice: Advice) -> list[str]:
    """The commands of the best plan, or that no tried plan is better."""
    best: TriedPlan = advice.tried[advice.best]
    if not best.commands:
        return ["No plan that was tried is better than the scenario as it is."]
    faster, fewer = advice.times_faster, advice.times_fewer_bytes
    gains = [f"{faster:.1f} times faster"] if faster >= 1.05 else []
    if fewer >= 1.05:
        gains.append("no bytes" if fewer == float("inf") else f"{fewer:.1f} times fewer bytes")
        gains[-1] += " between sites"
    if best.score.failed < advice.tried[0].score.failed:
        gains.append(f"{percent(best.score.failed)} failed requests")
    return [f"Do this ({best.plan}): {', '.join(gains)}", *(f"  {one}" for one in best.commands)]


def kept_connections(outcome: RunOutcome) -> list[str]:
    """How many connections clients opened, where some carried more than one request."""
    return [
        f"{one.site} {one.service}: {one.connections} connections for {one.offered} requests"
        for one in outcome.sites
        if 0 < one.connections < one.offered
    ]


def over_time(outcome: RunOutcome, steps: int = 12) -> Table:
    """Each site in ``steps`` equal parts of time: rates a second, mean slots, longest queue."""
    rows: list[list[str]] = []
    several = _has_several(outcome)
    for one in outcome.sites:
        series = one.series
        size = max(1, len(series.offered) // steps)
        for begin in range(0, len(series.offered), size):
            end = min(begin + size, len(series.offered))
            seconds = (end - begin) * series.step_s
            away = sum(
                sum(counts[begin:end])
                for there, counts in series.served.items()
                if there != one.site
            )
            here = sum(series.served.get(one.site, [0] * end)[begin:end])
            busy = sum(series.busy[begin:end]) / (end - begin)
            rows.append(
                [
                    f"{one.site} {one.service}" if several else one.site,
                    f"{begin * series.step_s:.4g} s",
                    f"{sum(series.offered[begin:end]) / seconds:.1f}/s",
                    f"{here / seconds:.1f}/s",
                    f"{away / seconds:.1f}/s",
                    f"{sum(series.refused[begin:end]) / seconds:.1f}/s",
                    f"{busy:.1f}/{max(series.slots[begin:end])}",
                    str(max(series.queue[begin:end])),
                    milliseconds(max(series.p99_ms[begin:end]) or None),
                ]
            )
    return ["SITE", "FROM", "OFFERED", "HERE", "AWAY", "FAILED", "SLOTS", "QUEUE", "P99"], rows


def counted(number: int, total: int) -> str:
    """``670 (20 %)``."""
    return f"{number} ({number / total * 100:.0f} %)" if total else str(number)


def percent(share: float | None) -> str:
    """``91 %``; a dash: not known."""
    return "-" if share is None else f"{share * 100:.0f} %"


def milliseconds(value: float | None) -> str:
    """``420 ms``, ``1.2 s``; a dash: no request was answered."""
    if value is None:
        return "-"
    return f"{value:.0f} ms" if value < 10_000 else f"{value / 1000:.1f} s"
