"""Links as `link status` shows them to people."""

import datetime
from collections.abc import Sequence
from typing import Any, Final

from router.model.wording.network_words import state_word
from sitectl.base import output
from sitectl.flags.services.terms import terms_text
from sitectl.show import ages

NEAR_S: Final = 86_400.0
"""A certificate renews itself more than two days before its end: one that has less is told of."""


def link_table(
    items: Sequence[dict[str, Any]],
    now: float,
    *,
    whole: bool,
    is_told: bool = True,
    accepts: bool = True,
) -> str:
    """The table, and below it what has no column.

    ``whole``: where each is connected and when its certificate ends, near or not. ``now``: Unix
    seconds. ``is_told``: by the router, which knows links that other sites dial, too. ``accepts``:
    other sites may dial this one.
    """
    if not items:
        none = "No links."
        if not is_told:
            none = "No links are dialed from here. Only the router knows those that others dial."
        if not accepts:
            return f"{none} Make a token at the other site, and here: sitectl link create FILE"
        return (
            f"{none} Try: sitectl token create FILE, and at the other site: "
            "sitectl link create FILE"
        )
    text = output.rows(
        ("LINK", "SITE", "DIRECTION", "COST", "STATE", "STREAMS", "RTT", "AGE", "ERROR"),
        [
            (
                item["name"],
                (item.get("neighbour") or {}).get("name"),
                item.get("direction"),
                item.get("cost"),
                f"{state_word(item)}{', stands by' if item.get('standby') else ''}",
                item.get("streams"),
                output.round_trip(item.get("rtt_ms")),
                ages.since(item.get("since"), now),
                item.get("error"),
            )
            for item in items
        ],
        optional=("STREAMS", "DIRECTION", "AGE"),
    )
    for item in items:
        for line in _lines(item, now, whole=whole):
            text += f"\n{output.safe(item['name'])} {output.safe(line)}"
    return text


def _lines(item: dict[str, Any], now: float, *, whole: bool) -> list[str]:
    """What is said of one link below the table, without its name."""
    lines = []
    if item.get("allow"):
        lines.append(f"is let in on terms: {terms_text(item['allow'])}")
    if item.get("held"):
        lines.append(f"lets this site in on terms: {terms_text(item['held'])}")
    through = f" through {item['via']}" if item.get("via") else ""
    if whole and item.get("endpoint"):
        lines.append(f"is connected to {item['endpoint']}{through}")
    ends = item.get("certificate_expires")
    if ends:
        left_s = datetime.datetime.fromisoformat(ends).timestamp() - now
        if whole or left_s < NEAR_S:
            until = "until" if left_s > 0 else "that expired at"
            lines.append(f"has a certificate {until} {ends}")
    return lines
