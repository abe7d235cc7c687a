"""The services of a site: from its router, or from the documents if no router answers."""

import urllib.parse
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from router.documents.rules import target_ports
from router.model.rights.sharing import names_of_patterns
from router.model.settings import named
from router.model.specs import ConnectorSpec
from router.model.wording.suggestions import did_you_mean
from sitectl.base.failure import Exit, Failure, not_found
from sitectl.flags.services.sharing import where_to_look
from sitectl.site.site import Site

CLOSED_BY_RULE: Final = "SW0343"


def service_items(site: Site, name: str | None) -> tuple[list[dict[str, Any]], Failure | None]:
    """The services, or the ports of the one named, and why no router told.

    ``name``: ``NAME``, ``NAME:PORT`` or a routing key. Failure: no such service.
    """
    hint = ""
    try:
        items, silence = _told(site, name), None
    except Failure as failure:
        hint = failure.hint
        is_unknown = failure.exit_code is Exit.NOT_FOUND
        if is_unknown and failure.code != "not-found":
            raise  # By a rule, which it names.
        if not is_unknown and not site.degrades(failure):
            raise
        silence = None if is_unknown else failure
        items = configured(site) if silence is not None else []
    if name is not None:
        items = [item for item in items if _is_named(item, name)]
        if not items:
            if silence is not None:
                hint = did_you_mean(name, {i["routing_key"] or i["name"] for i in configured(site)})
                if not hint and not name.startswith(":"):
                    raise _not_asked(site, name, silence)
            raise not_found(
                f"no service {name!r} is known at {site.name}", where_to_look(site, name, hint)
            )
    return items, silence


def _not_asked(site: Site, name: str, silence: Failure) -> Failure:
    """Only the router knows services that other sites declare."""
    service = name.partition(":")[0]
    documents = f"no document of {site.name} declares service {name!r}"
    if service in attached(site):
        documents += ", which has targets here"
    return Failure(
        silence.exit_code, silence.code, f"{silence.message}, and {documents}", silence.hint
    )


def _told(site: Site, name: str | None) -> list[dict[str, Any]]:
    """The items of ``name`` as the router has them, perhaps with those of its other ports."""
    if name is None:
        return _asked(site, "")
    try:
        return _asked(site, name)
    except Failure as failure:
        service, colon, port = name.rpartition(":")
        if failure.exit_code is not Exit.NOT_FOUND or not (colon and port.isdigit()):
            raise
        try:  # A router of an older release takes no port.
            found = _asked(site, service)
        except Failure:
            raise failure from None
        if not any(_is_named(item, name) for item in found):
            raise  # Nothing is at that port.
        return found


def _asked(site: Site, name: str) -> list[dict[str, Any]]:
    one = f"/{urllib.parse.quote(name, safe=':')}" if name else ""
    answer = site.admin.get(f"/api/v1/services{one}")
    return answer if isinstance(answer, list) else [answer]


def _is_named(item: Mapping[str, Any], name: str) -> bool:
    """``name``: of the service or its routing key, with the port or without it."""
    known = (item["name"], item.get("routing_key") or item["name"])
    return name in known or name.removesuffix(f":{item['port']}") in known


def why_none(site: Site) -> list[str]:
    """Why the router may know no service, with the next steps: the rules of this site that close
    some, otherwise its other problems. A site that has none may simply have no services yet."""
    problems = site.admin.get("/api/v1/status")["problems"]
    closed = [one for one in problems if one["code"] == CLOSED_BY_RULE]
    reasons = [f"{one['message']}\nNext: {one['hint']}" for one in closed or problems]
    return reasons if closed or not problems else ["No services.", *reasons]


def configured(site: Site) -> list[dict[str, Any]]:
    """The items as the documents have them, nothing running."""
    wanted = site.wanted()
    rules = wanted.rules
    items: list[dict[str, Any]] = []
    for name, spec in sorted(wanted.services.items()):
        for index, port in enumerate(spec.ports):
            targets = [
                {
                    "site": wanted.name,
                    "name": connector_name,
                    "host": host,
                    "port": target_port,
                    "ready": False,
                    "in_flight": 0,
                    "capacity": connector.capacity,
                    "requests_total": 0,
                    "error": "",
                    "since": None,
                }
                for connector_name, connector in sorted(wanted.connectors.items())
                if connector.service == name
                for host, target_port in _places(connector, index, port)
            ]
            items.append(
                {
                    "name": name,
                    "port": port,
                    "protocol": spec.protocol,
                    "policy": spec.policy.name,
                    "spill_at": spec.policy.spill_at,
                    "isolation": spec.policy.isolation,
                    "max_age_s": spec.max_age_s,
                    "sheddable": spec.sheddable,
                    "sheddable_share": spec.sheddable_share,
                    "rebalance": spec.rebalance,
                    "routing_key": spec.routing_key,
                    "affinity": spec.affinity and msgspec.to_builtins(named(spec.affinity, name)),
                    "queued": 0,
                    "demand": 0,
                    "requests_total": 0,
                    "overflow_total": 0,
                    "spilled_total": 0,
                    "gave_up_total": 0,
                    "listener": {
                        "host": wanted.site.bind_ip,
                        "port": port,
                        "state": "stopped",
                        "error": "",
                    },
                    "sites": [],
                    "targets": targets,
                    "phases": {},
                    "export_to": names_of_patterns(rules.of(name).export_to),
                    "import_from": names_of_patterns(rules.of(name).import_from),
                }
            )
    return items


def not_told(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item of `configured` while a router runs but does not answer: it may or may not serve."""
    counted = ("queued", "demand", *(field for field in item if field.endswith("_total")))
    listener = {**item["listener"], "state": "unreachable"}
    unknown = dict.fromkeys(("ready", "in_flight", "requests_total"))
    targets = [{**one, **unknown} for one in item["targets"]]
    return {**item, **dict.fromkeys(counted), "listener": listener, "targets": targets}


def attached(site: Site) -> list[str]:
    """Services that documents of this site have targets of and do not declare."""
    wanted = site.wanted()
    return sorted({one.service for one in wanted.connectors.values()} - wanted.services.keys())


def _places(connector: ConnectorSpec, index: int, port: int) -> list[tuple[str, int]]:
    """Host and port of each target for the ``index``-th port; a workload means its pods."""
    places = [(target.host, target_ports(target)[index]) for target in connector.targets]
    if connector.workload:
        stated = connector.target_ports[index : index + 1]
        number = next((one for one in stated if isinstance(one, int)), port)
        places.append((connector.workload, number))
    return places
