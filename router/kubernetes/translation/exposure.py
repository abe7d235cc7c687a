"""The exposure that an annotated object asks for; code for workloads and Services alike."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar, get_args

import msgspec

from router.documents import capacities, readers
from router.documents.nodes import Findings as YamlFindings
from router.documents.nodes import Mapping as YamlMapping
from router.documents.nodes import Node, Scalar, parse
from router.documents.nodes import Sequence as YamlSequence
from router.documents.readers import Bad
from router.documents.schema import SHAPES
from router.kubernetes.objects import copied_labels, findings, names, texts
from router.kubernetes.objects.findings import ObjectFindings
from router.kubernetes.objects.objects import Object, annotations, created_at, name_of
from router.kubernetes.objects.picture import RequestedService
from router.kubernetes.objects.texts import InvalidText, PortPairs
from router.kubernetes.translation import annotation_keys, annotation_values
from router.kubernetes.translation.annotation_values import with_rules
from router.model import limits
from router.model.capacity import Spill
from router.model.specs import (
    ConnectorSpec,
    Kind,
    PolicySpec,
    ServiceProtocol,
    ServiceSpec,
    SitePolicySpec,
)

SpecT = TypeVar("SpecT", ServiceSpec, ConnectorSpec)

_RatedT = TypeVar("_RatedT", ConnectorSpec, SitePolicySpec)

PROTOCOLS: Final[tuple[ServiceProtocol, ...]] = get_args(ServiceProtocol)
HTTP_PORT: Final = 80
"""The default port of http services."""


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """A service, this object's targets of it, and its Service here.

    ``age`` orders objects with one address: creation time first, then name.
    ``connector`` None: no targets here.
    ``cap``: the site's limits for the service, from this object.
    """

    address: str
    age: tuple[str, str, str]
    source: str
    service: ServiceSpec
    connector: ConnectorSpec | None
    connector_name: str
    wish: RequestedService
    cap: SitePolicySpec | None = None


class ObjectReading:
    """Reads one annotated object. ``kind`` as in ``Deployment``."""

    __slots__ = ("found", "kind", "name", "noted", "notes")

    def __init__(self, kind: str, found: Object) -> None:
        self.kind, self.found = kind, found
        self.name = name_of(found)
        self.notes = annotations(found)
        self.noted = ObjectFindings(f"{kind}/{self.name}")

    @property
    def is_annotated(self) -> bool:
        """Whether the object asks to be exposed."""
        return names.PROXY in self.notes

    def text(self, key: str) -> str:
        """An annotation's value; empty: there is none."""
        return self.notes.get(key, "").strip()

    def protocol(self) -> ServiceProtocol | None:
        """The protocol from ``skupper.io/proxy``; None: it is invalid."""
        text = self.text(names.PROXY)
        for known in PROTOCOLS:
            if text == known:
                return known
        self.noted.annotation(
            names.PROXY,
            f"expected tcp, http or http2, got {texts.short(text)}; nothing new is exposed",
            readers.nearest(text, PROTOCOLS),
        )
        return None

    def address(self, default: str) -> str | None:
        """The address from ``skupper.io/address``, else ``default``; None: it is no valid name."""
        text = self.text(names.ADDRESS) or default
        value = texts.name(text)
        if not isinstance(value, InvalidText):
            return value
        what = "its own name" if text == default else "the address"
        hint = value.hint or f"Set {names.ADDRESS} to a name"
        reason = f"{what}: {value.reason}; nothing new is exposed"
        self.noted.annotation(names.ADDRESS, reason, hint)
        return None

    def value(self, key: str, read: texts.TextReader, default: Any) -> Any:
        """An annotation read by ``read``; ``default`` if it is missing or invalid."""
        text = self.text(key)
        if not text:
            return default
        value = read(text)
        if not isinstance(value, InvalidText):
            return value
        self.noted.annotation(key, f"{value.reason}; it is left out", value.hint)
        return default

    def check_keys(self) -> None:
        """Record annotations that do not exist, or have no effect on this kind."""
        for key in sorted(self.notes):
            if key.startswith((names.SKUPPER_PREFIX, names.PREFIX)):
                self._check_key(key)

    def _check_key(self, key: str) -> None:
        known = annotation_keys.BY_KEY.get(key)
        if known is None:
            if key in annotation_keys.OTHERS:
                return
            hint = readers.nearest(key, annotation_keys.BY_KEY)
            near = readers.closest(key, annotation_keys.BY_KEY) is not None
            self.noted.annotation(
                key,
                "there is no such annotation",
                hint if near else "Remove it; docs/kubernetes-skupper.md has all of them",
                findings.ANNOTATION_NO_EFFECT,
                "warning",
            )
        elif known.why or self.kind not in known.kinds:
            why = known.why or f"it counts on {' and '.join(known.kinds)}"
            self.noted.annotation(
                key,
                f"has no effect on a {self.kind}: {why}",
                known.hint or "Remove it",
                findings.ANNOTATION_NO_EFFECT,
                "warning",
            )

    def ports(self, protocol: ServiceProtocol, declared: PortPairs) -> PortPairs | None:
        """Ports of ``skupper.io/port``, else ``declared``, else 80 for http. None: unknown."""
        text = self.text(names.PORT) if self.kind != "Service" else ""
        if text:
            value = texts.port_pairs(text)
            if not isinstance(value, InvalidText):
                return value
            reason = f"{value.reason}; nothing new is exposed"
            self.noted.annotation(names.PORT, reason, value.hint, findings.PORTS)
            return None
        if len(declared) > limits.PORTS_PER_SERVICE_MAX:
            self.noted.add(
                "spec",
                f"expected at most {limits.PORTS_PER_SERVICE_MAX} ports, got {len(declared)}; "
                "nothing new is exposed",
                "Name those that are wanted"
                if self.kind == "Service"
                else f"Set {names.PORT} to those that are wanted",
                findings.PORTS,
            )
            return None
        if declared:
            return declared
        if protocol == "http":
            return ((HTTP_PORT, HTTP_PORT),)
        if self.kind == "Service":
            reason = "expected a TCP port, and it declares none; nothing new is exposed"
            self.noted.add("spec.ports", reason, "Add one to the Service", findings.PORTS)
            return None
        self.noted.annotation(
            names.PORT,
            "no port is known: its containers declare no TCP port; nothing new is exposed",
            f"Set {names.PORT}, for example 8080 or 80:8080",
            findings.PORTS,
        )
        return None

    def service(self, protocol: ServiceProtocol, ports: Sequence[int]) -> ServiceSpec:
        """The Service document of ``ports``."""
        spec = ServiceSpec(
            protocol=protocol,
            ports=tuple(ports),
            policy=self._policy(),
            queue=self.value(names.QUEUE, texts.integer(0, limits.QUEUE_MAX), None),
            tls_cert=self.value(names.TLS_CERT, texts.credential, ""),
        )
        fixed = {"protocol": names.PROXY, "ports": names.PORT}
        return self._more("Service", names.SERVICE_SETTINGS, spec, fixed)

    def _policy(self) -> PolicySpec:
        """The policy from three annotations; `fill` if they contradict each other."""
        name = self.value(names.POLICY, annotation_values.policy_name, "fill")
        stated = self.text(names.WEIGHTS)
        weights = self.value(names.WEIGHTS, annotation_values.weights, {})
        if name != "split":
            if weights:
                reason = f"weights belong to policy split, this one is {name}; they are left out"
                self.noted.annotation(names.WEIGHTS, reason, f"Set {names.POLICY}: split")
            return self._marked(PolicySpec(name=name))
        if not weights:
            if not stated:  # Invalid weights are reported already.
                reason = "policy split needs weights by site; fill is used"
                self.noted.annotation(names.POLICY, reason, f"Set {names.WEIGHTS}: SITE=1,SITE=1")
            return self._marked(PolicySpec())
        return self._marked(PolicySpec(name=name, weights=weights))

    def _marked(self, policy: PolicySpec) -> PolicySpec:
        """``policy`` with its spill mark, if one is configured."""
        share = self.value(names.SPILL_AT, annotation_values.MARK, None)
        if share is not None and policy.name == "failover":
            reason = "policy failover leaves no site for its load; the mark is left out"
            self.noted.annotation(names.SPILL_AT, reason, f"Set {names.POLICY}: fill")
            return policy
        return msgspec.structs.replace(policy, spill_at=share)

    def connector(
        self, address: str, workload: str, target_ports: Sequence[int | str]
    ) -> ConnectorSpec:
        """The Connector document of ``workload``."""
        spec = ConnectorSpec(
            service=address,
            workload=workload,
            target_ports=tuple(target_ports),
            capacity=self.value(names.CAPACITY, texts.capacity, None),
            tls_trust=self.value(names.TLS_TRUST, texts.credential, ""),
        )
        if "/" not in self.text(names.SITE_CAPACITY):
            spec = self._beside_rate(spec, capacities.connector_rates(spec))
        fixed = {
            "service": names.ADDRESS,
            "workload": names.TARGET,
            "targetPorts": names.PORT,
            "targets": names.TARGET,
        }
        return self._more("Connector", names.CONNECTOR_SETTINGS, spec, fixed)

    def cap(self, address: str) -> SitePolicySpec | None:
        """The site's limits for ``address`` from the annotations; None: there are none."""
        stated = self.value(names.SITE_CAPACITY, annotation_values.site_capacity, None)
        if stated is None:
            return None
        per_s = capacities.of_spec(stated).per_s
        spill: Spill = self.value(names.SPILL, texts.words("excess", "all"), "excess")
        if spill == "all" and per_s is None:
            self.noted.annotation(
                names.SPILL,
                "it belongs to a rate; it is left out",
                f"Set {names.SITE_CAPACITY}: 15/s",
            )
            spill = "excess"
        spec = SitePolicySpec(service=address, site_capacity=stated, spill=spill)
        return spec if per_s is None else self._beside_rate(spec, [per_s])

    def _lending(self, cap: SitePolicySpec | None, address: str) -> SitePolicySpec | None:
        """``cap`` with the site's limits for lending its slots; None: there is neither."""
        reserve = self.value(names.RESERVE_FOR_OWN, annotation_values.RESERVE, 0.0)
        share = self.value(names.MAX_SHARE, annotation_values.MAX_SHARE, 1.0)
        if not reserve and share >= 1:
            return cap
        spec = SitePolicySpec(service=address) if cap is None else cap
        return msgspec.structs.replace(spec, reserve_for_own=reserve, max_share=share)

    def _beside_rate(self, spec: _RatedT, rates: list[float]) -> _RatedT:
        """``spec`` with the settings that go with ``rates``; those that do not fit are left out."""
        resume = self.value(names.RESUME, annotation_values.rate, "")
        window_s = self.value(names.WINDOW, annotation_values.WINDOW, None)
        field, reason, hint = capacities.problem_of(rates, resume, window_s)
        if field:
            key = names.RESUME if field == "resume" else names.WINDOW
            self.noted.annotation(key, f"{reason}; it is left out", hint)
            return spec
        return msgspec.structs.replace(spec, resume=resume, window_s=window_s)

    def _more(self, kind: Kind, key: str, spec: SpecT, fixed: Mapping[str, str]) -> SpecT:
        """``spec`` with the fields that the annotation ``key`` adds as YAML."""
        text = self.notes.get(key, "")
        if not text.strip():
            return spec
        noted = YamlFindings(self.noted.source)
        nodes = parse(text, noted)
        body = nodes[0] if len(nodes) == 1 else None
        merged: SpecT | None = None
        if isinstance(body, YamlMapping) and not noted.errors:
            merged = self._merged(kind, spec, body, fixed, noted)
        elif not noted.errors:
            noted.add_at(1, 1, "$", f"expected fields of a {kind} document, as YAML or JSON")
        for error in noted.errors:
            where = f"line {error.line}, {error.path}" if error.line else error.path
            reason = f"{where}: {error.reason}; it is left out whole"
            self.noted.annotation(key, reason, error.hint)
        return spec if merged is None else merged

    def _merged(
        self,
        kind: Kind,
        spec: SpecT,
        body: YamlMapping,
        fixed: Mapping[str, str],
        noted: YamlFindings,
    ) -> SpecT | None:
        for name, _ in body.entries:
            if name.value in fixed:
                noted.add(name, f"$.{name.value}", f"is told by {fixed[name.value]}", "Remove it")
        if noted.errors:
            return None
        stated = {name.value for name, _ in body.entries}
        for field, value in SHAPES[kind].plain(spec).items():
            if field not in stated:
                body.entries.append((Scalar(field, True, 0, 0), _node(value)))
        value = SHAPES[kind].read(noted, body, "$")
        return None if isinstance(value, Bad) else value

    def wish(self, address: str, stateful_set: str = "") -> RequestedService:
        """The wanted Service of ``address``."""
        mode = self.value(names.INGRESS, texts.words("Always", "Never"), "Always")
        return RequestedService(
            address=address,
            source=self.noted.source,
            is_made=mode != "Never",
            labels=copied_labels.spreading(self.value(names.SERVICE_LABELS, texts.label_pairs, {})),
            annotations=copied_labels.spreading(
                self.value(names.SERVICE_ANNOTATIONS, texts.annotation_pairs, {})
            ),
            stateful_set=stateful_set,
        )

    def exposure(
        self,
        address: str,
        service: ServiceSpec,
        connector: ConnectorSpec | None,
        stateful_set: str = "",
    ) -> Exposure:
        """The complete exposure."""
        return Exposure(
            address=address,
            age=(created_at(self.found), self.kind, self.name),
            source=self.noted.source,
            service=service,
            connector=connector,
            connector_name=connector_name(address, self.kind, self.name),
            wish=self.wish(address, stateful_set),
            cap=with_rules(
                self._lending(self.cap(address), address), address, self.text, self.noted
            ),
        )


def connector_name(address: str, kind: str, name: str) -> str:
    """The name of the Connector document for one object; the same object gives the same name."""
    whole = f"{address}-{kind.lower()}-{name}".replace(".", "-")
    if len(whole) <= limits.NAME_CHARS_MAX and readers.is_name(whole):
        return whole
    digest = hashlib.sha256(f"{address}/{kind}/{name}".encode()).hexdigest()[:10]
    whole = re.sub("[^a-z0-9-]", "-", whole)
    return f"{whole[: limits.NAME_CHARS_MAX - 11].strip('-')}-{digest}"


def _node(value: Any) -> Node:
    """A plain value as a node, as if read from YAML."""
    if isinstance(value, dict):
        mapping = YamlMapping(0, 0)
        mapping.entries = [(Scalar(key, True, 0, 0), _node(item)) for key, item in value.items()]
        return mapping
    if isinstance(value, list):
        sequence = YamlSequence(0, 0)
        sequence.items = [_node(item) for item in value]
        return sequence
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return Scalar(text, not isinstance(value, str), 0, 0)
