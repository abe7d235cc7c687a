"""The text of `service status`, from `service_items`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from router.documents.quantities import duration_text
from router.model import limits
from router.model.addresses import join
from router.model.errors import WANTED_SO
from router.model.rights.sharing import SHORT_ID_CHARS
from sitectl.base import output
from sitectl.flags.services.sessions import affinity_text
from sitectl.show import ages, local_targets
from sitectl.show.history import Drawn

STALE_S: Final = 1.5 * limits.LOAD_REFRESH_S_MAX
"""No site that is well and reachable has told its load longer ago."""
_SITES_NAMED: Final = 2
_OWN_TARGETS: Final = (
    "The targets listed are this site's. For those of other sites: sitectl service status NAME"
)

_OF_ONE_ROUTER: Final = (
    "Requests, queues and this site's targets are as the router that answers counts them, "
    "one of {}."
)


def table(
    items: list[dict[str, Any]],
    detailed: bool,
    now: float,
    drawn: Mapping[tuple[str, int], Drawn],
    *,
    is_named: bool = True,
    has_workloads: bool = False,
    attached: Sequence[str] = (),
    reasons: Sequence[str] = (),
    routers: int = 0,
) -> str:
    """The items as text; ``detailed`` with sites and targets of each. ``now``: Unix seconds.

    ``drawn``: the recorded last minutes, by service and port. ``is_named``: the user named one
    service, so other sites were asked for their targets. ``has_workloads``: targets may be
    workloads; an empty table suggests one. ``attached``: services that the table cannot list, since
    only a running router knows their declaration. ``reasons``: why there may be no service, with
    the next steps. ``routers``: of this site, each with figures of its own; 0: only one.
    """
    if not items:
        return _empty(has_workloads, attached, reasons)
    reaches = [one.reach for one in drawn.values()][:1]
    headings = (
        *("SERVICE", "PORT", "PROTOCOL", "POLICY", "LISTENER"),
        *("TARGETS", "IN FLIGHT", "QUEUED", "DEMAND", "REQUESTS", "SPILLED"),
        *(f"REQ/S, {reach.upper()}" for reach in reaches),
    )
    lines = [_line(item, drawn) for item in items]
    optional = ["DEMAND", "POLICY", "PROTOCOL", "QUEUED", "REQUESTS", headings[-1]]
    if not drawn:
        del optional[-2:]
    if all((item.get("listener") or {}).get("state") == "bound" for item in items):
        optional.insert(2, "LISTENER")
    text = output.rows(headings, lines, optional=optional)
    text += _attached_text(attached)
    for item in items:
        if item.get("routing_key", item["name"]) not in ("", item["name"]):
            text += f"\n{item['name']} carries routing key {output.safe(item['routing_key'])}"
    text += "".join(
        f"\n{_of_which(item) if items[1:] else ''}{output.safe(one['site'])}: "
        f"{output.safe(one['note'])}"
        for item in items
        for one in item.get("sites") or []
        if one.get("note")
    )
    text += _partial_text(drawn)
    if routers:
        text += f"\n{_OF_ONE_ROUTER.format(routers)}"
    removed = dict.fromkeys(item["removed"] for item in items if item.get("removed"))
    text += "".join(f"\n{output.safe(sentence)}" for sentence in removed)
    if detailed:
        for item in items:
            text += "\n\n" + _details(item, now)
            if is_named:
                text += "".join(f"\n{sentence}" for sentence in _unlisted(item))
        if not is_named and any(map(_has_targets_elsewhere, items)):
            text += f"\n\n{_OWN_TARGETS}"
    return text


def _has_targets_elsewhere(item: Mapping[str, Any]) -> bool:
    return any(s.get("targets_ready") and not s.get("local") for s in item.get("sites") or [])


def _unlisted(item: Mapping[str, Any]) -> Iterator[str]:
    """Of sites whose rows are missing: they were not asked for their targets, or did not answer."""
    listed = {one.get("site") for one in item.get("targets") or []}
    for one in item.get("sites") or []:
        ready = one.get("targets_ready")
        if ready and not one.get("local") and one["site"] not in listed:
            name = output.safe(one["site"])
            missing = output.count(ready, "ready target")
            if rule := one.get("left_out"):
                yield f"{name} was not asked for its {missing}: {output.safe(rule)}"
            elif one.get("draining"):
                yield f"{name} is draining, so it does not list its {missing}."
            else:
                yield f"{name} did not list its {missing}. Does it answer? sitectl ping {name}"


def _empty(has_workloads: bool, attached: Sequence[str], reasons: Sequence[str]) -> str:
    """The text in place of a table without services."""
    if reasons:
        return output.safe_lines("\n".join(reasons))
    if attached:
        names = output.safe(", ".join(attached))
        return f"No service is declared at this site. It has targets of other sites' {names}."
    suggested = "host 127.0.0.1 --address shop --port 8080 --target-port 9001"
    if has_workloads:
        suggested = "deployment/shop --port 8080 --protocol http --capacity 10"
    return (
        "No services. Try: sitectl service create shop 8080 --protocol http\n"
        f"or: sitectl expose {suggested}"
    )


def _line(item: dict[str, Any], drawn: Mapping[tuple[str, int], Drawn]) -> tuple[Any, ...]:
    """A row of the table."""
    sites = item.get("sites") or []
    ready = sum(s.get("targets_ready") or 0 for s in sites)
    having = [s for s in sites if s.get("targets_ready")] or sites
    in_flight = sum(s.get("in_flight") or 0 for s in sites) if _is_counted(item) else None
    return (
        item["name"],
        "" if item.get("routing_key") else item["port"],
        item.get("protocol"),
        _policy_text(item),
        _listener_text(item.get("listener") or {}),
        _targets_text(item, ready, len(having)),
        in_flight,
        item.get("queued"),
        item.get("demand"),
        requests_of(item) if _is_counted(item) else None,
        item.get("spilled_total", item.get("overflow_total")),
        *((_drawn(drawn.get((item["name"], item["port"]))),) if drawn else ()),
    )


def _partial_text(drawn: Mapping[tuple[str, int], Drawn]) -> str:
    """A line that says up to when what a worker counted is missing; empty: nothing is."""
    until = max((one.partial for one in drawn.values()), default="")
    if not until:
        return ""
    return f"\nREQ/S up to {output.safe(until)}: without a worker that ended or does not answer"


def _attached_text(attached: Sequence[str]) -> str:
    if not attached:
        return ""
    names = output.safe(", ".join(attached))
    return f"\nThis site has targets of services that other sites declare, too: {names}."


def _is_counted(item: Mapping[str, Any]) -> bool:
    return item.get("requests_total", 0) is not None


def requests_of(item: Mapping[str, Any]) -> int:
    """Requests and connections that came, those under way too: SPILLED counts those that last."""
    return int(item.get("requests_total") or 0) + int(item.get("under_way") or 0)


def _of_which(item: dict[str, Any]) -> str:
    """``shop:8080 at ``."""
    return f"{_named(item)} at "


def _named(item: dict[str, Any]) -> str:
    """``shop:8080``, or the routing key that the service carries."""
    return output.safe(item.get("routing_key") or f"{item['name']}:{item['port']}")


def _policy_text(item: dict[str, Any]) -> str:
    """``fill``, ``fill to 80%`` where there is a mark, ``fill, nearest`` where it is isolated."""
    share, isolation = item.get("spill_at"), item.get("isolation", "none")
    text = str(item.get("policy")) + (f" to {share * 100:g}%" if share else "")
    return text if isolation == "none" else f"{text}, {isolation}"


def _targets_text(item: dict[str, Any], ready: int, sites: int) -> str:
    """How many are ready at how many sites, how many here if some are not, and which of the sites
    get no requests: because requests failed there, or because a rule leaves them out."""
    if not item.get("sites"):
        return str(len(item.get("targets") or []))
    parts = [f"{ready} at {output.count(sites, 'site')}", local_targets.of(item).shown]
    ejected = [str(one["site"]) for one in item["sites"] if one.get("ejected_s") is not None]
    left_out = [
        str(one["site"])
        for one in item["sites"]
        if one.get("left_out") and one.get("targets_ready")
    ]
    for names, fate in ((ejected, "ejected"), (left_out, "left out")):
        if names:
            more = f" and {len(names) - _SITES_NAMED} more" if names[_SITES_NAMED:] else ""
            parts.append(f"{', '.join(names[:_SITES_NAMED])}{more} {fate}")
    return ", ".join(filter(None, parts))


def _ready_text(target: dict[str, Any]) -> Any:
    """Of one that checks find ready and that answers nothing: ``no answer``."""
    return "no answer" if target.get("error_kind") == "no-answer" else target.get("ready")


def _drawn(one: Drawn | None) -> str | None:
    return f"{one.line} {one.now:.3g}" if one is not None else None


def _listener_text(listener: dict[str, Any]) -> str:
    if not listener:
        return "-"
    error = str(listener.get("error") or "")
    if error.startswith(WANTED_SO):  # There is no place.
        return f"none: {error}"
    port = int(listener.get("port") or 0)
    place = join(listener.get("host") or "*", port) if port else ""  # *: all of its addresses.
    return f"{place} {listener.get('state') or ''}{f' ({error})' if error else ''}".strip()


def _details(item: dict[str, Any], now: float) -> str:
    gone = [
        f"{output.safe(one['site'])}: {output.safe(one['verdict'])}, {output.safe(one['reason'])}"
        for one in item.get("absent") or []
    ]
    return "\n".join([*_notes(item), _sites(item), *gone, "", _targets(item, now)])


def _sites(item: dict[str, Any]) -> str:
    headings = ("SITE", "LOCAL", "COST", "READY", "IN FLIGHT", "CAPACITY", "DRAINING", "EJECTED")
    lines: list[Sequence[object]] = [
        (
            s.get("site"),
            s.get("local"),
            s.get("path_cost"),
            s.get("targets_ready"),
            in_flight_text(s),
            capacity_text(s),
            s.get("draining"),
            s.get("ejected_s") is not None,
        )
        for s in item.get("sites") or []
    ]
    lines += [
        (one["site"], False, one.get("path_cost"), None, _in_flight_there(one), None, None, False)
        for one in item.get("absent") or []
    ]
    # EJECTED only while some site is: it is rare.
    shown = len(headings) if any(line[-1] for line in lines) else -1
    return output.rows(
        headings[:shown], [line[:shown] for line in lines], optional=("DRAINING", "LOCAL")
    )


def _in_flight_there(absent: Mapping[str, Any]) -> Any:
    """Requests of this site's clients that are still at a site that gave up the service."""
    return absent.get("in_flight") or (None if is_unknown(absent) else 0)


def _targets(item: dict[str, Any], now: float) -> str:
    headings = ("TARGET", "SITE", "ADDRESS", "READY", "AGE", "IN FLIGHT", "CAPACITY", "REQUESTS")
    lines = [
        (
            t.get("name"),
            t.get("site"),
            join(t["host"], t["port"]) if t.get("host") else None,
            _ready_text(t),
            ages.since(t.get("since"), now),
            t.get("in_flight"),
            capacity_text(t),
            t.get("requests_total"),
            t.get("error"),
        )
        for t in item.get("targets") or []
    ]
    return output.rows((*headings, "ERROR"), lines, optional=("AGE", "REQUESTS"))


def _notes(item: dict[str, Any]) -> Iterator[str]:
    """The service, and a line for each of its settings and figures that is worth one."""
    yield f"{_named(item)}{_phases_text(item.get('phases') or {})}"
    if item.get("gave_up_total"):
        given_up = output.count(item["gave_up_total"], "request")
        yield f"Clients gave up {given_up} of {requests_of(item)}"
    if item.get("affinity"):
        yield f"Sessions by {output.safe(affinity_text(item['affinity']))}"
    takes = item.get("takes", 1.0)
    if takes < 1:
        yield f"Drained: takes {f'{takes * 100:g}%' if takes else 'nothing new'}"
    if lent := _lent_text(item):
        yield f"For other sites: {lent}"
    if item.get("sheddable"):
        share = f"{item['sheddable_share'] * 100:g}% of a site's slots"
        yield f"Sheddable: {output.safe(item['sheddable'])}, up to {share}"
    if item.get("max_age_s"):
        yield f"Connections end at the age of {duration_text(item['max_age_s'])}, more or less"
    if item.get("rebalance") == "auto":
        yield "Connections that the policy would place elsewhere are ended by themselves"
    for field, text in (("export_to", "Exported to"), ("import_from", "Taken from")):
        if item.get(field) is not None:
            meant = item.get("rule_sites") or {}
            named = " ".join(_with_id(one, meant) for one in item[field]) or "no other site"
            yield f"{text} {output.safe(named)}"


def _lent_text(item: dict[str, Any]) -> str:
    """The share of slots that this site reserves from other sites' clients; empty: none."""
    reserve, share = item.get("reserve_for_own", 0.0), item.get("max_share", 1.0)
    here: dict[str, Any] = next((s for s in item.get("sites") or [] if s.get("local")), {})
    slots, reserved, most = here.get("capacity"), here.get("reserved"), here.get("most_for_one")
    parts = []
    if reserve:
        counted = f" ({reserved} of {slots} slots)" if reserved else ""
        parts.append(f"{reserve * 100:g}%{counted} is reserved for clients of this site")
    if share < 1:
        counted = f" ({most} of {slots} slots)" if most is not None else ""
        parts.append(f"one neighbor holds at most {share * 100:g}%{counted}")
    return ", ".join(parts)


def _with_id(pattern: str, sites: dict[str, str]) -> str:
    """A name in a rule, and which site it means."""
    if pattern not in sites:
        return pattern
    return f"{pattern} ({sites[pattern][:SHORT_ID_CHARS] or 'pending: no single site has it'})"


def capacity_text(item: dict[str, Any]) -> Any:
    """Slots, a rate (``7.2 of 15/s``), or both, for a table; None: not configured.

    ``10, 3 reserved, at most 4 per neighbor``: of the 10, clients of other sites never get 3, and
    requests through one neighbor of that site hold 4 at most.
    """
    slots, reserved, most = _capacity_text(item), item.get("reserved"), item.get("most_for_one")
    limits = f", {reserved} reserved" if reserved else ""
    limits += f", at most {most} per neighbor" if most is not None else ""
    return f"{slots}{limits}" if limits else slots


def _capacity_text(item: dict[str, Any]) -> Any:
    rate = item.get("rate")
    if not rate:
        slots = item.get("capacity")
        return f"auto, {slots} now" if item.get("capacity_kind") == "auto" else slots
    admitted, is_over = rate.get("admitted_per_s"), rate.get("state") not in (None, "calm")
    text = f"{rate['per_s']:.6g}/s"
    # A site over its rate admits exactly the rate. A window with a pause has a lower mean.
    if admitted is not None and not (is_over and round(admitted, 1) < rate["per_s"]):
        text = f"{admitted:.1f} of {text}"
    if is_over:
        text += ", over" if rate["state"] == "over" else ", over: all spills"
    slots = item.get("capacity")
    return text if slots is None else f"{slots}; {text}"


def _phases_text(phases: dict[str, Any]) -> str:
    """Where the time of served requests went, in one line; empty before the first of them."""
    told = [
        f"{name} {output.quantile(one['p50_s'])}/{output.quantile(one['p99_s'])}"
        for name, one in phases.items()
        if one.get("p50_s") is not None
    ]
    return f"   p50/p99 since the start: {', '.join(told)}" if told else ""


def is_unknown(one: Mapping[str, Any]) -> bool:
    """Whether no path leads to the site: its figures are unknown, though the API has 0."""
    return one.get("verdict") in ("unreachable", "deleted")


def in_flight_text(site: Mapping[str, Any]) -> Any:
    """Requests in flight at a site, the number that wait, and the age of an old report."""
    told, waiting, old_s = site.get("in_flight"), site.get("waiting"), site.get("age_s")
    if waiting:
        told = f"{told}, {waiting} {'waits' if waiting == 1 else 'wait'}"
    if old_s is None or old_s < STALE_S:
        return told
    return f"{told}, stale {ages.age(old_s)}"
