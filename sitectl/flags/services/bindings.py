"""Targets attached to services: which connector document holds a target, and changing it.

The key of a binding is (service, type, name, target ports). Each binding has a separate document,
so that capacities differ freely. A target in a user's file of several documents is found there.
"""

import hashlib
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec

from router.documents.addresses import is_host
from router.documents.readers import nearest
from router.documents.rules import target_ports
from router.model.addresses import metadata_kind
from router.model.specs import WORKLOAD_KINDS, ConnectorSpec, Document, ServiceProtocol, TargetSpec
from sitectl.base.failure import conflict, not_found, usage
from sitectl.flags.services.capacity import CapacityFlags, with_capacity
from sitectl.flags.services.names import declared_service
from sitectl.flags.services.service import changed_health
from sitectl.flags.sites import tls
from sitectl.site.site import Site

_AS_IT_IS: Final[Mapping[str, Any]] = MappingProxyType({})


class BoundTarget(NamedTuple):
    """The target of a binding: a host, or the pods of a workload."""

    kind: str
    name: str

    @property
    def shown(self) -> str:
        """Human-readable: ``10.0.0.5``, ``deployment/shop``."""
        if self.kind == "host":
            return f"[{self.name}]" if ":" in self.name else self.name
        return f"{self.kind}/{self.name}"


class Binding:
    """A target of a service: ``ports`` in the order of the service's; empty: the workload's own."""

    __slots__ = ("document", "ports", "service", "target")

    def __init__(
        self,
        service: str,
        target: BoundTarget,
        ports: tuple[int | str, ...],
        document: Document | None = None,
    ) -> None:
        self.service, self.target, self.ports = service, target, ports
        self.document = document or Document("Connector", "", ConnectorSpec(service=service))

    @property
    def shown(self) -> str:
        """The target, human-readable: ``10.0.0.5:5432``, ``deployment/shop``."""
        ports = ",".join(map(str, self.ports))
        return f"{self.target.shown}:{ports}" if ports else self.target.shown

    @property
    def document_name(self) -> str:
        """The name of its connector document; the same key gives the same name."""
        parts = (self.service, self.target.kind, self.target.name, "-".join(map(str, self.ports)))
        words = "-".join(filter(None, parts))
        plain = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")
        if plain == words and len(plain) <= 63:
            return plain
        # Two hosts may look alike once dots are dashes: a piece of hash keeps them apart.
        digest = hashlib.sha256(words.encode()).hexdigest()[:6]
        return f"{plain[:56].strip('-')}-{digest}"

    @property
    def spec(self) -> ConnectorSpec:
        """A connector for this target alone."""
        if self.target.kind != "host":
            return ConnectorSpec(
                service=self.service, workload=self.target.shown, target_ports=self.ports
            )
        numbers = tuple(port for port in self.ports if isinstance(port, int))
        target = (
            TargetSpec(self.target.name, port=numbers[0])
            if len(numbers) == 1
            else TargetSpec(self.target.name, ports=numbers)
        )
        return ConnectorSpec(service=self.service, targets=(target,))


def require_target(site: Site, kind: str, name: str, namespace: str = "") -> BoundTarget:
    """The target that ``TYPE NAME`` means. Failure: no such type, or not at this kind of site.

    ``namespace``: of a Service elsewhere in the cluster.
    """
    chosen = kind if kind in (*WORKLOAD_KINDS, "host") else _PLURALS.get(kind, "")
    if not chosen:
        known = [word for word in ("host", *WORKLOAD_KINDS) if word == "host" or site.has_workloads]
        hint = nearest(kind, known) or "sitectl service bind --help"
        if ":" in kind:  # Of a URL.
            hint = "Leave http:// out: host 127.0.0.1 --target-port 9001"
        raise usage(f"unknown target type {kind!r}: expected {', '.join(known)}", hint)
    if chosen != "host":
        return BoundTarget(chosen, site.workload_name(chosen, name, namespace))
    host = name.strip("[]")
    if not is_host(host):
        hint = "A port goes to --target-port, or after each HOST: 127.0.0.1:9001 127.0.0.1:9002"
        raise usage(f"{name!r} is not a host name or address", hint)
    return BoundTarget("host", host)


_PLURALS: Final = {f"{word}s": word for word in (*WORKLOAD_KINDS, "host")} | {
    "deploy": "deployment",
    "sts": "statefulset",
    "ds": "daemonset",
    "dc": "deploymentconfig",
    "svc": "service",
    "pod": "pods",
}


def target_ports_of(
    site: Site,
    service: str,
    target: BoundTarget,
    flags: tuple[str, ...],
    declared: tuple[int, ...] | None = None,
) -> tuple[int | str, ...]:
    """The target's ports in the order of the service's: the flags', else the service's own.

    Of a workload they may be names, and without flags it says them itself (empty). ``declared``:
    the service's ports when the caller knows them. A flag is ``PORT`` or, as in Skupper,
    ``SERVICEPORT:PORT``; commas separate several.
    """
    words = [word for flag in flags for word in flag.split(",")]
    if not words and target.kind != "host":
        return ()
    if declared is None and (known := declared_service(site, service)) is not None:
        declared = known.ports
    if not words:
        if declared is None:
            raise not_found(
                f"no service {service!r} is known at {site.name}, so its ports are not either",
                f"sitectl service create {service} PORT, or add --target-port",
            )
        return declared
    pairs: dict[int, int | str] = {}
    plain: list[int | str] = []
    for word in words:
        front, colon, back = word.rpartition(":")
        port = _target_port(back, target)
        if colon and front.isascii() and front.isdecimal():
            pairs[int(front)] = port
        elif colon:
            raise usage(f"--target-port {word!r}: expected PORT or SERVICEPORT:PORT")
        else:
            plain.append(port)
    if not pairs:
        return tuple(plain)
    if plain or declared is None or not set(pairs) <= set(declared):
        raise usage(
            f"--target-port {','.join(words)}: these are not all ports of service {service!r}"
        )
    return tuple(pairs.get(port, port) for port in declared)


def _target_port(text: str, target: BoundTarget) -> int | str:
    """A port by its number; of pods also by its name."""
    if re.fullmatch(r"[0-9]{1,5}", text) and 1 <= int(text) <= 65_535:
        return int(text)
    is_name = re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?", text) and not text.isdecimal()
    if target.kind != "host" and is_name:
        return text
    raise usage(f"--target-port {text!r} is not a port, a number from 1 to 65535")


def is_declared(site: Site, service: str) -> bool:
    """Whether this site declares ``service``, or its router knows one that does."""
    return declared_service(site, service) is not None


def bindings_of(site: Site, service: str) -> list[Binding]:
    """Every target of ``service`` here, with the document that holds it."""
    found: list[Binding] = []
    for document in site.documents():
        spec = document.spec
        if not isinstance(spec, ConnectorSpec) or spec.service != service:
            continue
        if spec.workload:
            kind, _, name = spec.workload.partition("/")
            found.append(Binding(service, BoundTarget(kind, name), spec.target_ports, document))
        found += [
            Binding(service, BoundTarget("host", target.host), target_ports(target), document)
            for target in spec.targets
        ]
    return found


def reach_of(
    site: Site, service: str, protocol: ServiceProtocol, flags: tls.ReachFlags
) -> dict[str, Any]:
    """The fields of a connector that flags on how to reach a target set; empty: none was given."""
    if flags.proxy_protocol and protocol != "tcp":
        raise usage(
            f"--proxy-protocol is for tcp, {service!r} is {protocol}: "
            "its targets receive the client by X-Forwarded-For",
            "Leave the flag out",
        )
    told = {"proxy_protocol": flags.proxy_protocol, "allow_link_local": flags.allow_link_local}
    reach: dict[str, Any] = {field: value for field, value in told.items() if value is not None}
    name, trust = tls.server_name(flags.tls_server_name, flags.tls_trust), flags.tls_trust
    if trust is not None:
        reach["tls_trust"] = trust and tls.trusted_credential(site, trust, service)
        reach["tls_server_name"] = name
    return reach


def bound_document(
    site: Site,
    binding: Binding,
    capacity: CapacityFlags,
    health: Mapping[str, str | None],
    reach: Mapping[str, Any] = _AS_IT_IS,
) -> Document | None:
    """The document that makes the binding so; None: it is so already."""
    for known in bindings_of(site, binding.service):
        if (known.target, known.ports) != (binding.target, binding.ports):
            continue
        spec = known.document.spec
        assert isinstance(spec, ConnectorSpec)
        replaced = with_settings(spec, capacity, health, reach)
        if replaced == spec:
            return None
        _refuse_link_local(replaced)
        if len(spec.targets) > 1:
            place = site.where(known.document)
            raise conflict(
                f"{binding.shown} shares connector {known.document.name!r} ({place}) with others, "
                "whose settings would change too",
                f"For all targets here: sitectl service set {binding.service} …"
                if not reach
                else site.edit_hint(known.document),
            )
        return Document("Connector", known.document.name, replaced)
    settled = with_settings(binding.spec, capacity, health, reach)
    _refuse_link_local(settled)
    return Document("Connector", binding.document_name, settled)


def _refuse_link_local(spec: ConnectorSpec) -> None:
    for target in () if spec.allow_link_local else spec.targets:
        if kind := metadata_kind(target.host):
            raise usage(
                f"{target.host} is {kind}: there clouds answer with credentials of the machine",
                "If clients of the service may reach it: --allow-link-local",
            )


def with_settings(
    spec: ConnectorSpec,
    capacity: CapacityFlags,
    health: Mapping[str, str | None],
    reach: Mapping[str, Any] = _AS_IT_IS,
) -> ConnectorSpec:
    """``spec`` with what the flags give; None gives nothing."""
    return msgspec.structs.replace(
        with_capacity(spec, capacity),
        health=changed_health(health, spec.health),
        **reach,
    )


def changed_targets(
    site: Site,
    name: str,
    bound: list[Binding],
    capacity: CapacityFlags,
    health: Mapping[str, str | None],
) -> list[Document]:
    """Every connector of the service here, with the settings given. Failure: there is none."""
    if not bound:
        site.require_all_readable()
        raise not_found(
            f"service {name!r} has no target here whose settings could change",
            f"sitectl service bind {name} host ADDRESS{capacity.shown}",
        )
    documents: list[Document] = []
    for document in {b.document.name: b.document for b in bound}.values():
        assert isinstance(document.spec, ConnectorSpec)
        settled = with_settings(document.spec, capacity, health)
        documents.append(Document("Connector", document.name, settled))
    return documents


def unbind_target(
    site: Site, service: str, target: BoundTarget, ports: tuple[int | str, ...] | None
) -> list[Binding]:
    """Detach a target from ``ports``, None: from all its ports; the detached bindings."""
    leaving = [
        binding
        for binding in bindings_of(site, service)
        if binding.target == target and ports in (None, binding.ports)
    ]
    if not leaving:
        site.require_all_readable()
    gone: list[Document] = []
    smaller: list[Document] = []
    for document in {b.document.name: b.document for b in leaving}.values():
        spec = document.spec
        assert isinstance(spec, ConnectorSpec)
        mine = {b.ports for b in leaving if b.document.name == document.name}
        kept = tuple(
            t for t in spec.targets if t.host != target.name or target_ports(t) not in mine
        )
        workload = "" if spec.workload == target.shown else spec.workload
        if kept or workload:
            replaced = msgspec.structs.replace(spec, targets=kept, workload=workload)
            smaller.append(Document("Connector", document.name, replaced))
        else:
            gone.append(document)
    site.require_ours({b.document.name: b.document for b in leaving}.values() if smaller else gone)
    site.put_all(smaller)
    site.delete_all(gone)
    return leaving
