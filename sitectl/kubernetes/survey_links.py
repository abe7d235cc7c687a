"""Skupper's links and gateways, which their owners move: each with what to type. Pure."""

import json
from collections.abc import Mapping
from typing import Any, Final

from router.kubernetes import names
from router.kubernetes.beside import is_skuppers_token
from router.kubernetes.objects import Object, annotations, labels
from router.kubernetes.objects import name_of as object_name
from sitectl.kubernetes.survey import Namespace

_NAMED_SUFFIX: Final = "-spillway"


def links(found: Namespace) -> list[dict[str, Any]]:
    """Skupper's links by name, each with what to type; ``done``: one of ours goes there."""
    secrets = found.snapshot.of("Secret")
    ours = {
        name: secret
        for name, secret in secrets.items()
        if any(key.startswith(names.PREFIX) for key in annotations(secret))
    }
    items = []
    for name, secret in sorted(secrets.items()):
        kind = labels(secret).get(names.SKUPPER_TYPE)
        if kind not in (names.CONNECTION_TOKEN, names.TOKEN_CLAIM) or not is_skuppers_token(secret):
            continue
        notes = annotations(secret)
        host = notes.get("inter-router-host") or notes.get("edge-host") or _host(notes)
        cost = notes.get(names.COST, "1")
        new = f"{name}{_NAMED_SUFFIX}"
        done = new in ours or any(_dials(one, host) for one in ours.values())
        items.append(
            {
                "name": name,
                "neighbour": host,
                "cost": int(cost) if cost.isascii() and cost.isdecimal() else 1,
                "disabled": names.DISABLED in notes,
                "done": done,
                "there": f"sitectl token create {new}.yaml --token-type cert",
                "here": f"sitectl link create {new}.yaml --name {new} --cost {cost}",
            }
        )
    return items


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


def gateways(found: Namespace) -> list[dict[str, Any]]:
    """Skupper's gateways by name, each with what to type on its host."""
    items = []
    for one in found.gateways:
        name = annotations(one).get("skupper.io/gateway-name") or object_name(one).removeprefix(
            "skupper-gateway-"
        )
        kind = annotations(one).get("skupper.io/gateway-type", "service")
        commands = [f"sitectl gateway init --name {name} --type {kind}"]
        commands += [
            command
            for entity in _entities(one)
            if (command := _gateway_command(name, *entity)) is not None
        ]
        items.append({"name": name, "type": kind, "commands": commands})
    return items


def _entities(found: Object) -> list[tuple[str, Mapping[str, Any]]]:
    """What skrouterd.json lists: pairs of a type and its fields."""
    try:
        listed = json.loads((found.get("data") or {}).get("skrouterd.json", "[]"))
    except (ValueError, RecursionError):
        return []
    pairs = [one for one in listed if isinstance(one, list) and len(one) == 2]
    return [(kind, fields) for kind, fields in pairs if isinstance(fields, dict)]


def _gateway_command(name: str, kind: str, fields: Mapping[str, Any]) -> str | None:
    address, _, port = str(fields.get("address", "")).partition(":")
    protocol = "http" if kind.startswith("http") else "tcp"
    if fields.get("protocolVersion") == "HTTP2":
        protocol = "http2"
    host, number = fields.get("host", "localhost"), fields.get("port", port)
    if kind in ("tcpConnector", "httpConnector"):
        return f"sitectl gateway bind {address} {host} {number} --name {name} --protocol {protocol}"
    if kind in ("tcpListener", "httpListener"):
        return f"sitectl gateway forward {address} {number} --name {name}"
    return None
