"""The human-readable output of `service rebalance`."""

from collections.abc import Mapping, Sequence
from typing import Any

from router.documents.quantities import duration_text
from sitectl.base.output import count, safe


def plan_text(
    plans: Sequence[Mapping[str, Any]],
    *,
    rate: float,
    over_s: float,
    grace_s: float | None,
    is_ordered: bool,
) -> str:
    """Connections to move at each port, or already moving. ``is_ordered``: by this very command, so
    that its ``rate``, ``over_s`` and ``grace_s`` hold; else an earlier order may be under way."""
    lines: list[str] = []
    for plan in plans:
        key = safe(plan.get("routing_key") or f"{plan['service']}:{plan['port']}")
        total = sum(plan["connections"].values())
        moving = sum(plan["leave"].values())
        ending = plan.get("ending", 0)
        if not total and ending:
            lines.append(f"{key}: {_ending(ending)}; none else lasts.")
            continue
        if not total:
            lines.append(f"{key}: no connection of a client here lasts; requests need no moving.")
        elif not moving:
            places = _places(plan["connections"], "at")
            right = f"all {total} connections belong where they are"
            if total == 1:
                right = "1 connection belongs where it is"
            lines.append(f"{key}: {right}: {places}.")
        else:
            lines.append(
                f"{key}: {moving} of {count(total, 'connection')} belong elsewhere: "
                f"{_places(plan['leave'], 'leave')}, {_places(plan['come'], 'go to')}."
            )
        if ending:
            lines[-1] += f" {_ending(ending)}."
    is_running = any(plan["running"] for plan in plans)
    if is_running and is_ordered:
        lines.append(
            f"They are ended now, {rate:g} a second and for {duration_text(over_s)} at most; "
            + (
                "busy ones stay."
                if grace_s is None
                else f"busy ones after {duration_text(grace_s)}."
            )
        )
    elif is_running:
        lines.append(
            "An earlier order is under way: it ends what belongs elsewhere, as it was given."
        )
    elif any(plan["leave"] for plan in plans):
        lines.append("Nothing was moved. Without --dry-run it is.")
    if is_running:
        lines.append("Watch: sitectl events -f, sitectl top")
    return "\n".join(lines)


def _ending(number: int) -> str:
    verb = "was" if number == 1 else "were"
    return f"{count(number, 'connection')} {verb} asked to end already, for age or to move"


def _places(counts: Mapping[str, int], word: str) -> str:
    return ", ".join(f"{number} {word} {site}" for site, number in sorted(counts.items()))
