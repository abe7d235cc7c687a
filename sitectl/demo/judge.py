"""Holds what happened against the three promises. Pure: records in, verdicts out."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import msgspec

from sitectl.demo.load import Held, RequestOutcome

ROOM_SHOWN_MAX = 2  # Slots that may look free: an answer on its way back still holds one.
SHARE_WRONG_MAX = 0.02
FILLED_MIN = 0.9
SETTLE_S = 1.0
LATE_S = 0.02  # A request that is later by its own programs is not what the routers made of it.
LATE_SHARE_MAX = 0.05  # Of a phase: with more the machine is too busy to judge.
# Effects of a busy machine: targets serve slower than configured, or get no turn.
BUSY_CAUSES = ("status 503 all-full", "TimeoutError")


class DemoVerdict(msgspec.Struct, frozen=True):
    """One promise: kept or not, and by which figures.

    ``is_judged`` is False where the machine was too busy to say that it is broken.
    """

    promise: str
    kept: bool
    evidence: str
    is_judged: bool = True

    @property
    def is_broken(self) -> bool:
        """Whether the routers broke a promise, as far as these figures show."""
        return self.is_judged and not self.kept


class Row(msgspec.Struct, frozen=True):
    """One line of the table: a service in a phase."""

    service: str
    phase: str
    offered: int
    per_site: dict[str, int]
    lost: int
    p50_ms: float | None
    p99_ms: float | None


def rows(served: Sequence[RequestOutcome], held: Sequence[Held], sites: Sequence[str]) -> list[Row]:
    """The table, in the order of the phases."""
    table = []
    for phase in dict.fromkeys(record.phase for record in served):
        mine = [record for record in served if record.phase == phase]
        times = sorted(1000 * (r.ended - r.began) for r in mine if r.site)
        count = Counter(record.site for record in mine)
        table.append(
            Row(
                "shop (http)",
                phase,
                len(mine),
                {site: count[site] for site in sites},
                count[""],
                _quantile(times, 0.5),
                _quantile(times, 0.99),
            )
        )
    for phase in dict.fromkeys(connection.phase for connection in held):
        count = Counter(c.site if not c.error else "" for c in held if c.phase == phase)
        table.append(
            Row(
                "cache (tcp)",
                phase,
                sum(count.values()),
                {site: count[site] for site in sites},
                count[""],
                None,
                None,
            )
        )
    return table


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def late_share(served: Sequence[RequestOutcome]) -> float:
    """The share of requests that were late by the demo's own programs, of the worst phase."""
    count = Counter(record.phase for record in served)
    late = Counter(record.phase for record in served if record.late_s > LATE_S)
    return max((late[phase] / count[phase] for phase in count), default=0.0)


def verdicts(
    served: Sequence[RequestOutcome],
    held: Sequence[Held],
    sites: Sequence[str],
    slots: dict[str, int],
    connection_slots: dict[str, int],
    burst: str,
) -> list[DemoVerdict]:
    """``sites`` in order of cost from the ingress, the local one first; ``slots`` per site.

    On a machine that is too busy, order and fullness are not judged, nor losses that it causes. A
    target over its capacity and every other loss are the routers' doing on any machine.
    """
    is_calm = late_share(served) <= LATE_SHARE_MAX
    local, following = sites[0], sites[1]
    in_burst = [record for record in served if record.phase == burst]
    calm_away = [r for r in served if r.phase != burst and r.site not in ("", local)]
    calm = sum(1 for record in served if record.phase != burst)
    early = _with_room(served, in_burst, local, slots, [s for s in sites if s != local])
    too_far = _with_room(served, in_burst, following, slots, list(sites[2:]))
    filled = {site: _filled(served, in_burst, site, slots[site]) for site in (local, following)}
    tcp = Counter(connection.site for connection in held if connection.phase == burst)
    tcp_order = _in_order(tcp, sites, connection_slots)
    lost = [r.error for r in served if not r.site]
    broken_off = [c.error or "no answer" for c in held if c.error or not c.answers]
    # Two targets share a site's slots evenly.
    over = [r for r in served if r.site and r.in_hand > slots[r.site] // 2]
    ours = [error for error in lost + broken_off if not error.startswith(BUSY_CAUSES)]
    return [
        DemoVerdict(
            f"{local} is filled first",
            _few(early, in_burst)
            and len(calm_away) <= SHARE_WRONG_MAX * calm + ROOM_SHOWN_MAX
            and filled[local] >= FILLED_MIN
            and tcp_order,
            f"{filled[local]:.0%} of its {slots[local]} slots used in the burst, "
            f"{early} of {len(in_burst)} left it while it had room, "
            f"{len(calm_away)} of {calm} left it in calm; "
            f"connections {', '.join(f'{site} {tcp[site]}' for site in sites)}",
            is_judged=is_calm,
        ),
        DemoVerdict(
            f"the overflow goes to {following}, the cheapest next, and only then farther",
            _few(too_far, in_burst) and filled[following] >= FILLED_MIN and tcp_order,
            f"{filled[following]:.0%} of its {slots[following]} slots used in the burst, "
            f"{too_far} went farther while it had room",
            is_judged=is_calm,
        ),
        DemoVerdict(
            "nothing is lost and no target gets more than its capacity",
            not lost and not broken_off and not over,
            f"{len(lost)} of {len(served)} requests and {len(broken_off)} of {len(held)} "
            f"connections lost{_causes(lost + broken_off)}, "
            f"{len(over)} met a target over its capacity",
            is_judged=is_calm or bool(over or ours),
        ),
    ]


def _causes(errors: Sequence[str]) -> str:
    """Each cause of a loss and how often, the most frequent first; nothing when there is none."""
    counted = Counter(errors).most_common()
    return f" ({', '.join(f'{count} x {error}' for error, count in counted)})" if counted else ""


def _few(wrong: int, of: Sequence[RequestOutcome]) -> bool:
    return wrong <= SHARE_WRONG_MAX * len(of)


def _with_room(
    served: Sequence[RequestOutcome],
    judged: Sequence[RequestOutcome],
    cheaper: str,
    slots: dict[str, int],
    farther: Sequence[str],
) -> int:
    """How many of ``judged`` went ``farther`` although ``cheaper`` had clear room as they began."""
    starts = sorted(record.began for record in served if record.site == cheaper)
    ends = sorted(record.ended for record in served if record.site == cheaper)
    wrong = 0
    for record in judged:
        if record.site in farther:
            in_flight = bisect_left(starts, record.began) - bisect_left(ends, record.began)
            # It may have waited in the queue: look at when it was sent on as well.
            if in_flight < slots[cheaper] - ROOM_SHOWN_MAX:
                wrong += 1
    return wrong


def _filled(
    served: Sequence[RequestOutcome], burst: Sequence[RequestOutcome], site: str, slots: int
) -> float:
    """Share of the slot-seconds of ``site`` that were used while the burst lasted, at most 1.

    A client also waits on the way and in the queue, so on a busy machine it counts more than there
    were.
    """
    begin = min(record.began for record in burst) + SETTLE_S
    end = max(record.began for record in burst)
    used = sum(
        max(0.0, min(record.ended, end) - max(record.began, begin))
        for record in served
        if record.site == site
    )
    return min(1.0, used / (slots * (end - begin)))


def _in_order(count: Counter[str], sites: Sequence[str], slots: dict[str, int]) -> bool:
    """Each site is full before the next one has any."""
    for nearer, farther in pairwise(sites):
        if count[farther] and count[nearer] != slots[nearer]:
            return False
    return all(count[site] <= slots[site] for site in sites)
