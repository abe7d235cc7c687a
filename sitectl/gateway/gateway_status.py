"""`gateway status`: the gateways of this host by their routers, and those that run elsewhere."""

from typing import Any, Final

from certs.errors import CertError
from router.documents.rules import target_ports
from router.model.addresses import join
from router.model.errors import ConfigError
from router.model.specs import ConnectorSpec, ServiceSpec
from router.model.wording.network_words import state_word
from sitectl.base import output
from sitectl.base.failure import Failure
from sitectl.gateway import advice
from sitectl.gateway.edge import LINK
from sitectl.gateway.gateway_init import GRANT_PREFIX, type_of
from sitectl.gateway.home import HostGateway, is_made
from sitectl.gateway.services import forwarded
from sitectl.runtimes import runtime_of
from sitectl.runtimes.host_site import HostSite
from sitectl.site.directory import DirectorySite
from sitectl.site.site import Site

RUNS_TWICE: Final = "SW0665"
"""The code of the problem of a site that refuses a duplicate; its text has the duplicate's ID."""
UNREACHABLE: Final = "unreachable"
"""The state of a gateway whose router runs and does not answer."""
DAMAGED: Final = "damaged"
"""The state of a gateway of which a file cannot be read."""
_LINK_FIELDS: Final = (
    *("state", "silent_since", "error", "error_code", "since", "cost", "rtt_ms"),
    *("certificate_expires", "neighbour"),
)
_DOWN: Final[dict[str, Any]] = {
    "state": "down",
    "error": "the router does not run",
    "error_code": "",
    **dict.fromkeys(("silent_since", "since", "cost", "rtt_ms", "certificate_expires")),
    "neighbour": {"name": None, "id": None},
}
_UNKNOWN: Final = "no site declares the service, as far as is known here"
_MUTE: Final = {**_DOWN, "state": UNREACHABLE, "error": "the router does not answer"}


def item_of(gateway: HostGateway) -> dict[str, Any]:
    """One gateway of this host, from its router; without one, from its documents. If a file of it
    is damaged, the item says which."""
    try:
        return _whole_item(gateway)
    except Failure as failure:
        found = {"code": failure.code, "message": failure.message, "hint": failure.hint}
        link = _link(_told(gateway.site)[1])
        return {**_base(gateway), "state": DAMAGED, "link": link, "problems": [found]}


def _base(gateway: HostGateway) -> dict[str, Any]:
    return {
        "name": gateway.name,
        "here": True,
        "type": None,
        "id": None,
        "site": None,
        "state": "half made",
        "version": None,
        "link": dict(_DOWN),
        "bindings": [],
        "forwards": [],
        "problems": [],
        "notes": [],
        "directory": str(gateway.site.directory),
    }


def _whole_item(gateway: HostGateway) -> dict[str, Any]:
    site, record = gateway.site, gateway.record
    item = _base(gateway) | {
        "type": type_of(site),
        "site": {"name": record.site, "id": record.site_id} if record else None,
    }
    if not is_made(gateway):
        item["problems"].append(
            {
                "code": "SW0634",
                "message": f"gateway {gateway.name} is half made: its init was interrupted",
                "hint": f"sitectl gateway init --name {gateway.name}",
            }
        )
        return item
    item |= {**seen(gateway), "id": site.trust.site_id}
    item["problems"] += map(_told_of, site.scan()[1])
    item["problems"] = advice.advised(gateway, item)
    if item["state"] == "stopped":
        item["notes"].append(_stopped(gateway))
    elif item["state"] == UNREACHABLE:
        item["notes"].append(_unreachable(site))
    try:
        runtime = runtime_of(site)
        item |= {key: value for key, value in runtime.describe().items() if key not in item}
        item["notes"] += map(_told_of, runtime.findings())
    except Failure as failure:  # Its engine does not answer; other gateways are shown all the same.
        item["problems"].append(
            {"code": failure.code, "message": failure.message, "hint": failure.hint}
        )
    for note in item["notes"]:
        note["hint"] = advice.here(site, note["hint"])
    return item


def _stopped(gateway: HostGateway) -> dict[str, str]:
    hint = f"sitectl gateway init --name {gateway.name}"
    return {"code": "", "message": "its router does not run", "hint": hint}


def _unreachable(site: HostSite) -> dict[str, str]:
    log = site.log_hint()
    hint = f"See what it does: {log}" if log else ""
    return {"code": "", "message": "its router runs and does not answer", "hint": hint}


def _told_of(finding: ConfigError) -> dict[str, str]:
    return {"code": finding.code, "message": finding.message, "hint": finding.hint}


def seen(gateway: HostGateway) -> dict[str, Any]:
    """The part of `item_of` that comes from its router: cheap enough to poll."""
    site, state = gateway.site, "stopped"
    status, links, services = _told(site)
    if status is None and site.still_answers():
        status, links, services = _told(site)  # It may have begun to listen just now.
        state = UNREACHABLE
    if status is not None:
        state = "ready" if status.get("ready") else "not ready"
    mute = "" if status is not None else str((_MUTE if state == UNREACHABLE else _DOWN)["error"])
    return {
        "state": state,
        "version": status.get("version") if status else None,
        "link": dict(_MUTE) if state == UNREACHABLE else _link(links),
        "bindings": _bindings(site, services, mute),
        "forwards": _forwards(site, services, mute),
        "problems": list(status.get("problems") or []) if status else [],
    }


def link_of(site: DirectorySite) -> dict[str, Any]:
    """The link of the gateway in ``site``, as its router reports it."""
    return _link(_told(site)[1])


def _told(
    site: DirectorySite,
) -> tuple[dict[str, Any] | None, list[dict[str, Any]], list[dict[str, Any]]]:
    """Status, links and services from the router; no status: no router answers."""
    paths = ("/api/v1/status", "/api/v1/links", "/api/v1/services")
    try:
        status, links, services = site.admin.get_all(*paths)
    except Failure:
        return None, [], []
    return status, links, services


def _link(links: list[dict[str, Any]]) -> dict[str, Any]:
    found = next((link for link in links if link["name"] == LINK), None)
    if found is None:
        return dict(_DOWN) if not links else {**_DOWN, "error": "it has no link"}
    return {field: found.get(field) for field in _LINK_FIELDS}


def _bindings(
    site: DirectorySite, services: list[dict[str, Any]], mute: str
) -> list[dict[str, Any]]:
    """A row for each target and port of the service, in the order of names. ``mute``: why the
    router does not answer; empty: it does."""
    own = {
        document.name: document.spec
        for document in site.documents()
        if isinstance(document.spec, ServiceSpec)
    }
    rows = []
    for document in site.documents():
        spec = document.spec
        if not isinstance(spec, ConnectorSpec):
            continue
        told = [item for item in services if item["name"] == spec.service]
        declared = own.get(spec.service)
        ports = declared.ports if declared else tuple(int(item["port"]) for item in told)
        protocol = declared.protocol if declared else (told[0]["protocol"] if told else None)
        for target in spec.targets:
            for index, number in enumerate(target_ports(target) or ports):
                port = ports[index] if index < len(ports) else None
                seen = _target(told, port, target.host, number)
                rows.append(
                    {
                        "service": spec.service,
                        "port": port,
                        "protocol": protocol,
                        "host": target.host,
                        "target_port": number,
                        "ready": bool(seen.get("ready")),
                        "error": mute or seen.get("error") or ("" if port else _UNKNOWN),
                        "since": seen.get("since"),
                        "capacity": spec.capacity,
                        "in_flight": seen.get("in_flight", 0),
                        "requests_total": seen.get("requests_total", 0),
                        "declared_here": declared is not None,
                    }
                )
    return sorted(rows, key=lambda row: (row["service"], row["host"], row["target_port"]))


def _target(told: list[dict[str, Any]], port: int | None, host: str, number: int) -> dict[str, Any]:
    for item in told:
        for target in (item.get("targets") or []) if item["port"] == port else []:
            if (target.get("host"), target.get("port")) == (host, number):
                return dict(target)
    return {}


def _forwards(
    site: DirectorySite, services: list[dict[str, Any]], mute: str
) -> list[dict[str, Any]]:
    """A row for each place where clients of this host connect. ``mute`` as in `_bindings`."""
    rows = []
    for service, stated, place in forwarded(site):
        host, _, local = place.rpartition(":")
        told = [item for item in services if item["name"] == service]
        item = next((one for one in told if stated in (None, one["port"])), None)
        listener = (item or {}).get("listener") or {}
        ready = sum(one.get("targets_ready") or 0 for one in (item or {}).get("sites") or [])
        rows.append(
            {
                "service": service,
                "port": item["port"] if item else stated,
                "protocol": item.get("protocol") if item else None,
                "host": host.strip("[]"),
                "local_port": int(local) if local.isdecimal() else None,
                "state": listener.get("state") or "waiting",
                "error": mute or listener.get("error") or ("" if item else _UNKNOWN),
                "targets_ready": ready,
            }
        )
    return rows


def items_elsewhere(site: Site, here: set[str]) -> list[dict[str, Any]]:
    """Gateways of ``site`` that run on other hosts, from their claims and the site's links.

    ``here``: ids of those that are shown already. Without the right to read claims there are none.
    """
    try:
        granted = [one for one in site.trust.granted() if one.name.startswith(GRANT_PREFIX)]
    except (Failure, CertError):
        return []
    try:
        seen, status = site.admin.get_all("/api/v1/links", "/api/v1/status")
    except Failure:
        seen, status = [], {}
    links = {link["neighbour"]["id"]: link for link in seen}
    told = [one for one in status.get("problems") or [] if one["code"] == RUNS_TWICE]
    own = {"name": site.wanted().name, "id": site.trust.site_id}
    items = []
    for grant in granted:
        for use in grant.redeemed if not grant.revoked else ():
            if use.site_id in here:
                continue
            link = links.get(use.site_id)
            items.append(
                {
                    "name": use.site_name,
                    "here": False,
                    "type": None,
                    "id": use.site_id,
                    "site": own,
                    "state": "attached" if link and link["state"] == "up" else "away",
                    "link": {field: link.get(field) for field in _LINK_FIELDS}
                    if link
                    else {**_DOWN, "error": "it is not linked now"},
                    "bindings": [],
                    "forwards": [],
                    "problems": [one for one in told if use.site_id in one["message"]],
                    "notes": [],
                }
            )
    return items


def is_settled(item: dict[str, Any]) -> bool:
    """Whether its link is up, its targets are ready, and its places are taken and served."""
    return (
        item["link"]["state"] == "up"
        and all(binding["ready"] for binding in item["bindings"])
        and all(row["state"] == "bound" and row["targets_ready"] for row in item["forwards"])
    )


def text_of(items: list[dict[str, Any]]) -> str:
    """All items, human-readable."""
    if not items:
        return (
            "No gateways on this host. Try: sitectl gateway init --type podman\n"
            "then: sitectl gateway bind postgres 127.0.0.1 5432"
        )
    parts = [
        output.rows(
            ("GATEWAY", "TYPE", "STATE", "SITE", "LINK", "COST", "SINCE", "ERROR"),
            [_gateway_row(item) for item in items],
        )
    ]
    bindings = [(item["name"], row) for item in items for row in item["bindings"]]
    if bindings:
        of_bindings = (
            "BINDING",
            "GATEWAY",
            "PORT",
            "PROTOCOL",
            "TARGET",
            "READY",
            "SINCE",
            "ERROR",
        )
        parts.append(output.rows(of_bindings, [_binding_row(*one) for one in bindings]))
    forwards = [(item["name"], row) for item in items for row in item["forwards"]]
    if forwards:
        of_forwards = ("FORWARD", "GATEWAY", "PORT", "PROTOCOL", "LISTENS ON", "STATE", "ERROR")
        parts.append(output.rows(of_forwards, [_forward_row(*one) for one in forwards]))
    made = [item for item in items if item["here"] and item["state"] not in ("half made", DAMAGED)]
    if made and not bindings and not forwards:
        parts.append(
            "Nothing is bound or forwarded. Try: sitectl gateway bind postgres 127.0.0.1 5432\n"
            "or: sitectl gateway forward NAME PORT"
        )
    for key, word in (("problems", "Problem"), ("notes", "Note")):
        lines = [_finding_text(word, item["name"], one) for item in items for one in item[key]]
        if lines:
            parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _gateway_row(item: dict[str, Any]) -> tuple[object, ...]:
    link = item["link"]
    return (
        item["name"],
        item["type"] or ("-" if item["here"] else "elsewhere"),
        item["state"],
        (item["site"] or {}).get("name"),
        state_word(link),
        link["cost"],
        link["since"],
        link["error"],
    )


def _binding_row(name: str, row: dict[str, Any]) -> tuple[object, ...]:
    target = join(row["host"], row["target_port"])
    shown = (row["port"], row["protocol"], target, row["ready"], row["since"], row["error"])
    return (row["service"], name, *shown)


def _forward_row(name: str, row: dict[str, Any]) -> tuple[object, ...]:
    place = join(row["host"], row["local_port"])
    return (
        *(row["service"], name, row["port"], row["protocol"], place),
        *(row["state"], row["error"]),
    )


def _finding_text(word: str, name: str, found: dict[str, str]) -> str:
    said = output.safe(f"{found['code']} {found['message']}".strip())
    text = f"{word} at {output.safe(name)}: {said}"
    return f"{text}\n  Next: {output.safe(found['hint'])}" if found.get("hint") else text
