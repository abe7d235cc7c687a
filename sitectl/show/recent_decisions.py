"""The output of `why --last`: the decisions for requests, and their outcomes."""

from collections.abc import Sequence
from typing import Any, Final

from router.model.requests import RequestSelection
from sitectl.base import output
from sitectl.show.candidate_table import candidate_table

_HAPPENED: Final[dict[RequestSelection, str]] = {
    "all": "came",
    "denied": "was denied",
    "failed": "failed",
}
_LOST: Final = ("dearer", "not-chosen")
"""Verdicts of sites that could have taken the request: the policy preferred another one."""
_GAVE_UP: Final = "client gave up"
_WAIT_S_MIN: Final = 0.001
"""A shorter time is that of the router's own work."""


def past_text(
    items: Sequence[dict[str, Any]],
    service: str,
    which: RequestSelection,
    *,
    whole: bool,
    routers: int = 0,
) -> str:
    """A table, newest first; ``whole``, or of a single one, the candidates below it too.

    ``routers``: of this site, each with requests of its own; 0: only one.
    """
    if not items:
        what = _HAPPENED[which]
        where = f"at this router, one of {routers}," if routers else "here"
        return f"No request of {output.safe(service)} {what} {where} since its router knows it."
    ports = {item.get("port") for item in items}
    several = len(ports) > 1
    headings = ("TIME", *(("PORT",) if several else ()), "OUTCOME", "SITE", "WAITED", "REASON")
    table = output.rows(
        headings,
        [
            (
                item.get("at"),
                *((item.get("port"),) if several else ()),
                _outcome(item),
                item.get("site"),
                output.seconds(_waited_s(item)),
                _reason(item),
            )
            for item in items
        ],
    )
    gone = sum(_outcome(item) == _GAVE_UP for item in items)
    if gone and len(items) > 1:
        table += f"\nOf these {len(items)}, the client gave up {output.count(gone, 'time')}."
    if routers:
        table += f"\nThese requests and the figures are those of this router, one of {routers}."
    if not whole and len(items) > 1:
        return table
    return "\n\n".join([table, *map(_candidates, items)])


_DEPARTS = {
    "tunnel": "nothing moved on its connection for the time-out tunnel",
    "half-closed": "one side had ended, and nothing moved for the time-out half-closed",
    "age": "its connection was asked to end for its age",
    "rebalance": "its connection was asked to end: the policy would place it elsewhere",
}


def _waited_s(item: dict[str, Any]) -> float:
    """How long its client waited until its last attempt, or without one until its end; in the line
    of the site that has it, too."""
    waited_s = max(float(item.get(wait) or 0) for wait in ("queue_s", "waited_s"))
    return waited_s if waited_s >= _WAIT_S_MIN else 0.0


def _outcome(item: dict[str, Any]) -> str:
    outcome, answer = str(item.get("outcome")), item.get("answer")
    if (outcome, answer) == ("ok", "5xx"):  # A whole answer, and a failure to its client.
        return "answered 5xx"
    if outcome == "client-gone":
        is_cut = item.get("protocol") == "tcp" and item.get("site")
        return "client left" if is_cut else _GAVE_UP  # It may have had all it wanted.
    return f"{outcome} {answer}" if answer and answer != outcome else outcome


def _reason(item: dict[str, Any]) -> str:
    reason, attempts = str(item.get("reason") or ""), item.get("attempts") or 0
    if not item.get("site") and (failed_at := _chosen(item)):
        reason = f"sent to {failed_at}: {reason}"  # It did not serve, so SITE does not name it.
    if item.get("in_flight") is not None:
        capacity = item.get("capacity")
        of = "no slots configured" if capacity is None else f"capacity {capacity}"  # Maybe a rate.
        reason += f" ({item['in_flight']} in flight, {of})"
    if passed := _passed_over(item):
        reason += f"; passed over: {passed}"
    if asked := _DEPARTS.get(str(item.get("departs_for"))):
        reason += f"; {asked}"
    if item.get("held_by"):
        reason += f"; held while burst {item['held_by']} wakes a site"
    before = item.get("retried_for")
    if not before:
        return reason
    return (
        f"{reason}; attempt {attempts} after {before}"
        if attempts > 1
        else f"{reason}; an attempt ended: {before}"
    )


def _chosen(item: dict[str, Any]) -> str | None:
    """The site that its last attempt went to; None: there was none."""
    candidates = item.get("candidates") or []
    return next((one.get("site") for one in candidates if one.get("verdict") == "chosen"), None)


def _passed_over(item: dict[str, Any]) -> str:
    """``near (no-target), far (draining)``: cheaper sites than the one that served it."""
    candidates = item.get("candidates") or []
    costs = [one["path_cost"] for one in candidates if one.get("verdict") == "chosen"]
    return ", ".join(
        f"{one.get('site')} ({_keeps_out(one)})"
        for one in candidates
        if costs and one["path_cost"] < costs[0] and one.get("verdict") not in _LOST
    )


def _keeps_out(candidate: dict[str, Any]) -> str:
    """Its verdict; of a site with free slots whose rate is used up ``rate``, as metrics say."""
    verdict, rate = str(candidate.get("verdict")), candidate.get("rate") or {}
    in_flight, capacity = candidate.get("in_flight"), candidate.get("capacity")
    lent = None if capacity is None else capacity - (candidate.get("reserved") or 0)
    has_slot = lent is None or in_flight is None or in_flight < lent
    is_paced = verdict in ("full", "sends-away") and rate.get("state") in ("over", "sends-away")
    return "rate" if is_paced and has_slot else verdict


def _candidates(item: dict[str, Any]) -> str:
    """One request whole."""
    outcome, site = _outcome(item), item.get("site")
    named = item.get("routing_key") or f"{item.get('service')}:{item.get('port')}"
    facts = [
        f"{output.safe(named)} at {output.safe(item.get('at'))}: "
        f"{output.safe(outcome)}{f' at {output.safe(site)}' if site else ''} "
        f"after {output.seconds(float(item.get('total_s') or 0))}",
        output.count(item.get("attempts"), "attempt"),
    ]
    if item.get("spill_reason"):  # Older routers say none.
        facts.append(f"spilled: {output.safe(item['spill_reason'])}")
    if item.get("session"):
        facts.append(f"session {output.safe(item['session'])}")
    head = ", ".join(facts)
    candidates = item.get("candidates") or []
    if not candidates:
        return f"{head}\n{output.safe(_reason(item))}"
    table = candidate_table(candidates, has_paths=False)
    more = f"\nand {item['further']} costlier ones" if item.get("further") else ""
    decided = f"As it was at {output.safe(item.get('decided_at'))} ({item.get('policy')}):"
    return f"{head}\n{decided}\n{table}{more}"
