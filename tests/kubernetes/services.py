"""Services: validation, cluster IPs and node ports, and the effects of a change of type."""

import ipaddress
import random
import re
from collections.abc import Iterator
from typing import Any, Final

from tests.kubernetes.failures import (
    Cause,
    duplicate,
    prohibited,
    required,
    unsupported,
    wrong,
)
from tests.kubernetes.resources import Json

NODE_PORTS: Final = range(30_000, 32_768)
CLUSTER_IPS: Final = ipaddress.ip_network("10.96.0.0/16")
_ADDRESSES: Final = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")
_OF_TYPES: Final = {
    "allocateLoadBalancerNodePorts": ("LoadBalancer",),
    "externalTrafficPolicy": ("LoadBalancer", "NodePort"),
    "internalTrafficPolicy": ("ClusterIP", "LoadBalancer", "NodePort"),
}
"""Fields that a change to another type drops, unless the change sets them."""
PORT_NAME_MAX: Final = 15
TYPES: Final = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
PROTOCOLS: Final = ("SCTP", "TCP", "UDP")

_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_TEXT: Final = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_PORT_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_HAS_LETTER: Final = re.compile(r"[a-z]")


def causes(found: Json, before: Json | None) -> list[Cause]:
    """All that is wrong with a Service."""
    spec = found["spec"]
    kind = spec.get("type")
    if kind not in TYPES:
        return [unsupported("spec.type", kind, *TYPES)]
    bad: list[Cause] = []
    if kind == "ExternalName":
        if not spec.get("externalName"):
            bad.append(required("spec.externalName"))
        if spec.get("clusterIP"):
            text = "may not be set when `type` is 'ExternalName'"
            bad.append(prohibited("spec.clusterIPs[0]", text))
    elif not spec.get("ports") and spec.get("clusterIP") != "None":
        bad.append(required("spec.ports"))
    if kind in ("NodePort", "LoadBalancer") and spec.get("clusterIP") == "None":
        text = "may not be set to 'None' for " + kind + " services"
        bad.append(wrong("spec.clusterIPs[0]", "None", text))
    bad += _ports(spec.get("ports") or [], kind)
    if before is not None:
        bad += _changes(spec, before["spec"])
    return bad


def _ports(ports: list[Json], kind: str) -> list[Cause]:
    bad: list[Cause] = []
    names: set[str] = set()
    numbers: set[tuple[Any, Any]] = set()
    for number, port in enumerate(ports):
        at = f"spec.ports[{number}]"
        name = port.get("name", "")
        if not name and len(ports) > 1:
            bad.append(required(f"{at}.name"))
        elif name and (not _LABEL.fullmatch(name) or len(name) > 63):
            bad.append(wrong(f"{at}.name", name, _LABEL_TEXT))
        elif name in names:
            bad.append(duplicate(f"{at}.name", name))
        names.add(name)
        if not 1 <= (port.get("port") or 0) <= 65535:
            text = "must be between 1 and 65535, inclusive"
            bad.append(wrong(f"{at}.port", port.get("port"), text))
        if port.get("protocol") not in PROTOCOLS:
            bad.append(unsupported(f"{at}.protocol", port.get("protocol"), *PROTOCOLS))
        bad += _target_port(port.get("targetPort"), f"{at}.targetPort")
        if port.get("nodePort") and kind in ("ClusterIP", "ExternalName"):
            text = f"may not be used when `type` is '{kind}'"
            bad.append(prohibited(f"{at}.nodePort", text))
        if (port.get("port"), port.get("protocol")) in numbers:
            shown = f'{{"protocol":"{port.get("protocol")}","port":{port.get("port")}}}'
            bad.append(Cause(at, "FieldValueDuplicate", f"Duplicate value: {shown}"))
        numbers.add((port.get("port"), port.get("protocol")))
    return bad


def _target_port(value: Any, at: str) -> list[Cause]:
    if isinstance(value, int):
        valid = 1 <= value <= 65535
        return [] if valid else [wrong(at, value, "must be between 1 and 65535, inclusive")]
    text = port_name_wrong(str(value or ""))
    return [wrong(at, value, text)] if text else []


def port_name_wrong(name: str) -> str:
    """Why a name of a pod's port is refused; empty: it is not (RFC 6335, 5.1)."""
    if len(name) > PORT_NAME_MAX:
        return f"must be no more than {PORT_NAME_MAX} characters"
    if not _PORT_NAME.fullmatch(name) or "--" in name:
        return "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
    return "" if _HAS_LETTER.search(name) else "must contain at least one letter (a-z)"


def _changes(spec: Json, before: Json) -> list[Cause]:
    old, new = before.get("clusterIP", ""), spec.get("clusterIP", "")
    away = spec["type"] == "ExternalName" or before.get("type") == "ExternalName"
    if old and old != new and not away:
        shown = "[" + ",".join(f'"{ip}"' for ip in spec.get("clusterIPs") or [new]) + "]"
        text = f"Invalid value: {shown}: may not change once set"
        return [Cause("spec.clusterIPs[0]", "FieldValueInvalid", text)]
    return []


def carry(spec: Json, before: Json) -> None:
    """What an update that leaves out allocated fields keeps of them, in place.

    As the real server does it: an empty clusterIP is the old one, an unnamed nodePort the old one
    of that port; what a new type cannot have is dropped.
    """
    kind, old_kind = spec["type"], before.get("type")
    if "ExternalName" not in (kind, old_kind):
        for field in _ADDRESSES:
            if field in before and not spec.get(field):
                spec[field] = before[field]
    _carry_node_ports(spec, before)
    for field, types in _OF_TYPES.items():
        if kind not in types and spec.get(field) == before.get(field):
            spec.pop(field, None)
    if kind == "ExternalName" and old_kind != "ExternalName":
        for field in _ADDRESSES:
            if spec.get(field) == before.get(field):
                spec.pop(field, None)


def _carry_node_ports(spec: Json, before: Json) -> None:
    kind, old_kind = spec["type"], before.get("type")
    if kind in ("NodePort", "LoadBalancer") and old_kind in ("NodePort", "LoadBalancer"):
        held = {(port["port"], port["protocol"]): port.get("nodePort") for port in ports_of(before)}
        for port in ports_of(spec):
            old = held.get((port.get("port"), port.get("protocol")))
            if old and not port.get("nodePort"):
                port["nodePort"] = old
    if kind == "ClusterIP" and old_kind in ("NodePort", "LoadBalancer"):
        old_ports = {port.get("nodePort") for port in ports_of(before)}
        for port in ports_of(spec):
            if port.get("nodePort") in old_ports:
                port.pop("nodePort", None)


def ports_of(spec: Json) -> list[Json]:
    """Its ports."""
    return spec.get("ports") or []


class Allocator:
    """Cluster IPs, of 10.96.0.0/16 unless ``addresses`` gives them, and node ports."""

    def __init__(self, addresses: Iterator[str] | None = None) -> None:
        self._random = random.Random(1)
        self._ips = addresses or map(str, CLUSTER_IPS.hosts())
        self._free = list(NODE_PORTS)
        self._random.shuffle(self._free)

    def fill(self, spec: Json, others: list[Json]) -> list[Cause]:
        """Give the Service the addresses and ports that its type needs, in place. ``others``: all
        others.
        """
        if spec["type"] == "ExternalName":
            return []
        bad = self._cluster_ip(spec, {each["spec"].get("clusterIP") for each in others})
        if spec["type"] in ("NodePort", "LoadBalancer") and spec.get(
            "allocateLoadBalancerNodePorts", True
        ):
            used = {port.get("nodePort") for each in others for port in ports_of(each["spec"])}
            bad += self._node_ports(spec, used)
        return bad

    def _cluster_ip(self, spec: Json, used: set[Any]) -> list[Cause]:
        given = spec.get("clusterIP") or next(iter(spec.get("clusterIPs") or []), "")
        if given and given != "None" and given in used:
            text = f"failed to allocate IP {given}: provided IP is already allocated"
            return [wrong("spec.clusterIPs", [given], text)]
        if not given:
            given = next(ip for ip in self._ips if ip not in used)
        spec["clusterIP"], spec["clusterIPs"] = given, [given]
        if given == "None" and not spec.get("selector"):  # Its endpoints may be of any family.
            spec.setdefault("ipFamilies", ["IPv4", "IPv6"])
            spec.setdefault("ipFamilyPolicy", "RequireDualStack")
        spec.setdefault("ipFamilies", ["IPv6" if ":" in given else "IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")
        return []

    def _node_ports(self, spec: Json, used: set[Any]) -> list[Cause]:
        bad: list[Cause] = []
        own: set[int] = set()
        for number, port in enumerate(ports_of(spec)):
            given = port.get("nodePort")
            at = f"spec.ports[{number}].nodePort"
            if given and given not in NODE_PORTS:
                text = "provided port is not in the valid range. The range of valid ports is "
                bad.append(wrong(at, given, text + "30000-32767"))
            elif given and (given in used or given in own):
                bad.append(wrong(at, given, "provided port is already allocated"))
            elif not given:
                given = next(free for free in self._free if free not in used | own)
                port["nodePort"] = given
            own.add(given)
        return bad
