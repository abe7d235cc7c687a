"""The text of `why` on the next request, and of `top` on the selected service."""

from typing import Any

from router.model.wording.traffic import noun
from sitectl.base import output
from sitectl.flags.services.sessions import sentences
from sitectl.show.candidate_table import candidate_table


def why_text(item: dict[str, Any]) -> str:
    """Where the next request goes, and a row for each candidate."""
    decision = item.get("decision") or {}
    where, path = decision.get("site"), decision.get("path") or []
    through = f" through {' > '.join(map(output.safe, path[:-1]))}" if len(path) > 1 else ""
    queue = item.get("queue") or {}
    counted = noun(str(item.get("protocol", "")))
    goes = f"goes to {output.safe(where)}{through}" if where else _without_site(queue)
    reason = output.safe(decision.get("reason"))
    named = output.safe(item.get("routing_key") or f"{item.get('service')}:{item.get('port')}")
    head = (
        f"{named} ({item.get('policy')}): "
        f"the next {'sheddable ' if item.get('sheddable') else ''}{counted} {goes} ({reason})"
    )
    if item.get("closed"):
        closed = f"{output.safe(item['closed'])}\nNext: {output.safe(item.get('hint'))}"
        head = f"No client can connect here. {closed}\nIf one could: {head}"
    if queue:
        head += f"\n{_queue_text(queue, item, counted)}"
    about_sessions = sentences(item)
    if about_sessions:
        head += f"\n{about_sessions}"
    if item.get("removed"):
        head += f"\n{output.safe(item['removed'])}"
    if item.get("left_out"):
        head += f"\n{output.safe(item['left_out'])}\n{output.safe(item.get('let_in'))}"
    candidates = item.get("candidates") or []
    if not candidates:
        lack = "No candidates: no site that is reached has a target."
        bind = f"sitectl service bind {output.safe(item.get('service'))} TYPE NAME"
        return f"{head}\n{lack}\nTry: {bind}, or: sitectl link status"
    table = candidate_table(candidates, has_paths=True)
    return f"{head}\n\n{table}{_targets_text(item.get('targets') or [])}"


def _targets_text(targets: list[dict[str, Any]]) -> str:
    """A row for each target here, where some are passed over for being slow; else nothing."""
    if not any(one.get("verdict") == "hot" for one in targets):
        return ""
    headings = ["TARGET", "IN FLIGHT", "CAPACITY", "EXPECTED", "VERDICT", "REASON"]
    cells = [
        [
            one.get("target"),
            one.get("in_flight"),
            one.get("capacity"),
            None if one.get("expected_s") is None else output.seconds(one["expected_s"]),
            one.get("verdict"),
            one.get("reason"),
        ]
        for one in targets
    ]
    return f"\n\n{output.rows(headings, cells, optional=('CAPACITY', 'EXPECTED'))}"


def _without_site(queue: dict[str, Any]) -> str:
    if not queue:
        return "goes nowhere"
    return "waits" if queue.get("outlook") == "waits" else "is refused"


def _held_text(queue: dict[str, Any], counted: str) -> str:
    """Who waits for more than a slot, and for what."""
    hook, waking_s = output.safe(queue.get("held_by") or ""), queue.get("waking_s")
    if not hook:
        return ""
    if waking_s is None:
        return (
            f". A {counted} that waits too long makes burst {hook} wake a site, and is held for it"
        )
    if queue.get("woken"):
        return f". What burst {hook} woke answers: held {counted}s go on as slots get free"
    if queue.get("again_s") is not None:
        again = output.seconds(float(queue["again_s"]))
        return (
            f". Burst {hook} failed to wake a site and runs again in {again}: {counted}s are held"
        )
    return (
        f". Burst {hook} began to wake a site {output.seconds(waking_s)} ago: {counted}s are held"
    )


def _queue_text(queue: dict[str, Any], item: dict[str, Any], counted: str) -> str:
    """The fate of a request that no site has room for, and the next step. ``counted``:
    request or connection."""
    decision = item.get("decision") or {}
    full = output.safe(decision.get("text") or decision.get("reason"))
    full = full[:1].upper() + full[1:]
    waiting, limit = int(queue.get("waiting") or 0), int(queue.get("limit") or 0)
    wait = output.seconds(float(queue.get("wait_s") or 0))
    name = output.safe(item.get("service"))
    some_wait = f"{waiting or 'none'} {'wait' if waiting > 1 else 'waits'}"
    held = _held_text(queue, counted)
    match queue.get("outlook"):
        case "waits" if 0 < limit <= waiting:
            return (
                f"{full}{held}. At present {some_wait} and no more may: the next {counted} takes "
                "the place of one from another site, or of a sheddable one, and is refused if no "
                f"slot is free for it within {wait}."
            )
        case "waits":
            in_vain = f", if as many wait as can be served within {wait}" if not held else ""
            in_time = "in that time" if in_vain else f"within {wait}"
            return (
                f"{full}{held}. At present {some_wait} and at most {limit} may: a {counted} is "
                f"refused if the queue is full{in_vain}, or if no slot is free for it {in_time}."
            )
        case "too-long":
            return f"{full}{held}. At present {some_wait}: as many as can be served within {wait}."
        case _ if not limit:  # No hook holds a request that may not wait.
            there = output.safe(queue.get("declared_at") or "")
            return (
                f"{full}, and no {counted} may wait: the queue of this service is 0. "
                f"To let some wait{f', at {there}' if there else ''}: "
                f"sitectl service set {name} --queue default"
            )
        case _ if waiting > limit:
            return (
                f"{full}, and so is the queue of {limit}: {waiting} wait, with those of other "
                f"sites here and those of this site elsewhere{held}."
            )
        case _:
            return f"{full}, and so is the queue: {waiting} of {limit} wait{held}."
