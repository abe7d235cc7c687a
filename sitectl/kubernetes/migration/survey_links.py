"""Skupper's links and gateways, which their owners move: each with what to type. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from router.kubernetes.objects import names, texts
from router.kubernetes.objects.objects import Object, annotations, labels, part
from router.kubernetes.objects.objects import name_of as object_name
from router.kubernetes.objects.texts import InvalidText
from router.kubernetes.services.skupper_coexistence import is_skuppers_token
from router.model import limits
from sitectl.kubernetes.migration.survey import SkupperNamespace

_NAMED_SUFFIX: Final = "-spillway"
_COST: Final = texts.integer(limits.COST_MIN, limits.COST_WRITTEN_MAX)


class _Link(NamedTuple):
    """One of Skupper's links: the endpoints to dial, and its cost as written."""

    name: str
    host: str
    cost: str
    disabled: bool = False


def links(found: SkupperNamespace) -> list[dict[str, Any]]:
    """Skupper's links by name, each with what to type; ``done``: one of ours goes there."""
    secrets = found.snapshot.of("Secret")
    ours = {
        name: secret
        for name, secret in secrets.items()
        if any(key.startswith(names.PREFIX) for key in annotations(secret))
    }
    items = []
    for link in _links_of_v1(secrets) if found.release == "v1" else _links_of_v2(found):
        cost, cost_notes = _cost(link.cost)
        new = f"{link.name}{_NAMED_SUFFIX}"
        done = new in ours or any(_dials(one, link.host) for one in ours.values())
        items.append(
            {
                "name": link.name,
                "neighbour": link.host,
                "cost": cost,
                "disabled": link.disabled,
                "done": done,
                "there": f"sitectl token create {new}.yaml --token-type cert",
                "here": f"sitectl link create {new}.yaml --name {new} --cost {cost}",
                "notes": cost_notes,
            }
        )
    return items


def _links_of_v1(secrets: Mapping[str, Object]) -> Iterator[_Link]:
    for name, secret in sorted(secrets.items()):
        kind = labels(secret).get(names.SKUPPER_TYPE)
        if kind not in (names.CONNECTION_TOKEN, names.TOKEN_CLAIM) or not is_skuppers_token(secret):
            continue
        notes = annotations(secret)
        host = notes.get("inter-router-host") or notes.get("edge-host") or _host(notes)
        cost = notes.get(names.COST, "1").strip()
        yield _Link(name, host, cost, disabled=names.DISABLED in notes)


def _links_of_v2(found: SkupperNamespace) -> Iterator[_Link]:
    """A site with several routers has a Link to each, NAME-1 and NAME-2: each is listed."""
    for name, one in sorted(found.snapshot.of("Link").items()):
        endpoints = part(one, "spec", "endpoints")
        hosts = [
            str(each.get("host", ""))
            for each in (endpoints if isinstance(endpoints, list) else [])
            if isinstance(each, dict)
        ]
        cost = part(one, "spec", "cost")
        is_stated = isinstance(cost, int) and cost >= limits.COST_MIN  # Below counts as 1.
        yield _Link(name, next(filter(None, hosts), ""), str(cost) if is_stated else "1")


def _cost(text: str) -> tuple[int, list[str]]:
    """The cost that a link of ours takes, and what to say when it is not Skupper's."""
    cost = _COST(text)
    if isinstance(cost, InvalidText):
        return 1, [f"{names.COST}: {cost.reason}; 1 is used"]
    if cost > limits.COST_MAX:
        highest = limits.COST_MAX
        return highest, [f"cost {cost} is above {highest}, the highest cost; {highest} is used"]
    return cost, []


def _host(notes: Mapping[str, str]) -> str:
    place = notes.get("skupper.io/url", "").partition("://")[2]
    return place.partition("/")[0].rpartition(":")[0] or place.partition("/")[0]


def _dials(secret: Object, host: str) -> bool:
    return bool(host) and any(
        host == place.strip().rpartition(":")[0].strip("[]")
        for key, value in annotations(secret).items()
        if key.startswith(names.PREFIX)
        for place in value.split(",")
    )


def gateways(found: SkupperNamespace) -> list[dict[str, Any]]:
    """Skupper's gateways by name, each with what to type on its host."""
    items = []
    for one in found.gateways:
        name = annotations(one).get("skupper.io/gateway-name") or object_name(one).removeprefix(
            "skupper-gateway-"
        )
        kind = annotations(one).get("skupper.io/gateway-type", "service")
        site_name = _site_name(name)
        place = f"sitectl -n {found.snapshot.namespace} gateway init"
        commands = [f"{place} --name {site_name} --type {kind}"]
        commands += _gateway_commands(site_name, _entities(one))
        items.append({"name": name, "type": kind, "commands": commands})
    return items


def _site_name(name: str) -> str:
    """``name`` as a gateway can have it here: Skupper's HOST-USER may hold dots and more."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63].rstrip("-") or "gateway"


def _entities(found: Object) -> list[tuple[str, Mapping[str, Any]]]:
    """The entries of skrouterd.json: pairs of a type and its fields."""
    try:
        listed = json.loads((found.get("data") or {}).get("skrouterd.json", "[]"))
    except (ValueError, RecursionError):
        return []
    pairs = [one for one in listed if isinstance(one, list) and len(one) == 2]
    return [(kind, fields) for kind, fields in pairs if isinstance(fields, dict)]


class _Bridge(NamedTuple):
    """The ports of one entity: the service's and the other side's."""

    verb: str
    service: str
    host: str
    protocol: str
    port: str
    other: str


def _gateway_commands(name: str, entities: list[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """One command for each service and host, with all its ports: an entity has one of them."""
    commands: list[str] = []
    bridges = [bridge for one in entities if (bridge := _bridge(*one)) is not None]
    done: set[tuple[str, str, str]] = set()
    for bridge in bridges:
        key = bridge[:3]
        if key in done:
            continue
        done.add(key)
        ports = " ".join(
            one.port if one.port == one.other else f"{one.port}:{one.other}"
            for one in bridges
            if one[:3] == key
        )
        if bridge.verb == "bind":
            where = f"{bridge.service} {bridge.host} {ports}"
            commands.append(
                f"sitectl gateway bind {where} --name {name} --protocol {bridge.protocol}"
            )
        else:
            only = {"": "", "127.0.0.1": " --loopback", "localhost": " --loopback"}
            place = only.get(bridge.host, f" --bind-ip {bridge.host}")
            commands.append(
                f"sitectl gateway forward {bridge.service} {ports} --name {name}{place}"
            )
    return commands


_ENTITIES: Final = {
    "tcpConnector": ("bind", "tcp"),
    "httpConnector": ("bind", "http"),
    "tcpListener": ("forward", "tcp"),
    "httpListener": ("forward", "http"),
}


def _bridge(kind: str, fields: Mapping[str, Any]) -> _Bridge | None:
    verb, protocol = _ENTITIES.get(kind, ("", ""))
    if not verb:
        return None
    if fields.get("protocolVersion") == "HTTP2":
        protocol = "http2"
    service, _, port = str(fields.get("address", "")).partition(":")
    other, host = str(fields.get("port") or port), str(fields.get("host") or "")
    if verb == "bind":
        host = host or "localhost"
    elif host in ("0.0.0.0", "::"):
        host = ""
    return _Bridge(verb, service, host, protocol, port or other, other)
