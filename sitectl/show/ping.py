"""The result of `ping`: one answer from all rounds, and text. Pure."""

from typing import Any

from sitectl.base import output


def merged(before: dict[str, Any], found: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """Both as one answer; and whether the way is another than ``before``, which then counts not."""
    if not before:
        return found, False
    old, new = before["hops"], found["hops"]
    if [hop["id"] for hop in old] != [hop["id"] for hop in new]:
        return found, True
    hops = [_hop(one, other) for one, other in zip(old, new, strict=True)]
    return {**found, "hops": hops, "reachable": bool(hops and hops[-1]["answered"])}, False


def _hop(before: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    answered = before["answered"] + found["answered"]
    rtts = [hop["rtt_ms"] for hop in (before, found) if hop["rtt_ms"] is not None]
    together = None
    if rtts:
        total = sum(hop["rtt_ms"][1] * hop["answered"] for hop in (before, found) if hop["rtt_ms"])
        mean = round(total / answered, 3)
        together = [min(rtt[0] for rtt in rtts), mean, max(rtt[2] for rtt in rtts)]
    return {
        **found,
        "sent": before["sent"] + found["sent"],
        "answered": answered,
        "rtt_ms": together,
        "error": found["error"] or before["error"],
    }


def round_text(number: int, found: dict[str, Any]) -> str:
    """One line of a round, as it comes in."""
    hops = [f"{output.safe(hop['site'])} {_ms(hop)}" for hop in found["hops"]]
    return f"{number:>3}  {'  '.join(hops)}"


def _ms(hop: dict[str, Any]) -> str:
    return "-" if hop["rtt_ms"] is None else f"{hop['rtt_ms'][1]:.1f} ms"


def summary_text(item: dict[str, Any]) -> str:
    """All rounds in a table, and the problems."""
    hops = item["hops"]
    cost = item.get("path_cost")
    head = f"{output.safe(item['site'])} ({output.safe(item['id'][:8])})"
    head += f": {output.count(len(hops), 'hop')}"
    head += "" if cost is None else f", cost {cost}"
    if item.get("paths", 1) > 1:
        head += f"; one of {item['paths']} ways of that cost"
    table = output.rows(
        ("HOP", "SITE", "COST", "ANSWERED", "MIN MS", "MEAN MS", "MAX MS", "VERSION", "ERROR"),
        [
            (
                number,
                hop["site"],
                hop["cost"],
                f"{hop['answered']}/{hop['sent']}" if hop["sent"] else "not asked",
                *(hop["rtt_ms"] or (None, None, None)),
                hop["version"],
                hop["error"],
            )
            for number, hop in enumerate(hops, start=1)
        ],
    )
    lines = [head, "", table]
    expires = hops[0].get("certificate_expires") if hops else None
    if expires:
        lines.append(
            f"The certificate of the link to {output.safe(hops[0]['site'])} ends {expires}."
        )
    if not item["reachable"]:
        lines.append(f"{output.safe(item['site'])} is not reached: {output.safe(item['reason'])}.")
    return "\n".join(lines)
