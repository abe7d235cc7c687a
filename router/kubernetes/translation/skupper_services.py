"""ConfigMap ``skupper-services``: Skupper v1's definition of each address, as our documents.

One JSON text per address (skupper 1.9, ``types.ServiceInterface``). This site must not declare
definitions that came from other sites.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from router.kubernetes.objects import copied_labels, findings, names, texts
from router.kubernetes.objects.findings import ObjectFindings, data_of
from router.kubernetes.objects.objects import Object
from router.kubernetes.objects.picture import RequestedService
from router.kubernetes.objects.texts import InvalidText
from router.kubernetes.translation.exposure import PROTOCOLS, connector_name
from router.model import limits
from router.model.errors import ConfigError
from router.model.specs import ConnectorSpec, Document, ServiceProtocol, ServiceSpec

SOURCE: Final = f"ConfigMap/{names.SERVICES_CONFIGMAP}"
ANNOTATION: Final = "annotation"
"""The origin of definitions that Skupper read from an annotated object of this namespace."""


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """One address. ``origin``: empty, `ANNOTATION`, or the id of the site that it came from.

    ``documents``: its Service and a Connector for each target; none if there are ``obstacles``,
    features that Spillway lacks. ``wish``: its Service here.
    """

    address: str
    origin: str = ""
    documents: tuple[Document, ...] = ()
    wish: RequestedService | None = None
    obstacles: tuple[str, ...] = ()


def read(found: Object, namespace: str) -> tuple[dict[str, Definition], tuple[ConfigError, ...]]:
    """All definitions by address, and their errors."""
    noted = ObjectFindings(SOURCE)
    definitions: dict[str, Definition] = {}
    for address, text in data_of(found, noted, findings.SKUPPER_SERVICES):
        decoded = _decoded(text)
        if decoded is None:
            hint = f"skupper service delete {address}, then create it again"
            noted.add(f"data.{address}", "expected a JSON object", hint, findings.SKUPPER_SERVICES)
            continue
        reader = _Reader(address, decoded, namespace, noted)
        definition = reader.definition()
        if definition is not None:
            definitions[address] = definition
    return definitions, tuple(noted.errors)


def _decoded(text: object) -> Mapping[str, Any] | None:
    if not isinstance(text, str):
        return None
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


class _Reader:
    """Reads one definition."""

    __slots__ = ("_address", "_found", "_namespace", "_noted")

    def __init__(
        self, address: str, found: Mapping[str, Any], namespace: str, noted: ObjectFindings
    ) -> None:
        self._address, self._found = address, found
        self._namespace, self._noted = namespace, noted

    def definition(self) -> Definition | None:
        """The definition; None: it is unreadable."""
        origin = _text(self._found.get("origin"))
        obstacles = self._obstacles()
        protocol, ports = self._protocol(), self._ports()
        if isinstance(texts.name(self._address), InvalidText):
            self._add("", "the address is no DNS label", "Give the service another address")
            return None
        if protocol is None or not ports:
            return None
        documents: tuple[Document, ...] = ()
        if not obstacles:
            service = ServiceSpec(protocol=protocol, ports=ports, tls_cert=self._tls_cert())
            documents = (self._document("Service", self._address, service), *self._targets(ports))
        return Definition(
            address=self._address,
            origin=origin,
            documents=documents,
            wish=self._wish(),
            obstacles=obstacles,
        )

    def _add(self, field: str, reason: str, hint: str) -> None:
        path = f"data.{self._address}{'.' if field else ''}{field}"
        self._noted.add(path, reason, hint, findings.SKUPPER_SERVICES)

    def _document(self, kind: Any, name: str, spec: Any) -> Document:
        return Document(kind=kind, name=name, spec=spec, source=SOURCE)

    def _obstacles(self) -> tuple[str, ...]:
        """Features that Spillway lacks, each recorded as a finding."""
        found = []
        if self._found.get("aggregate"):
            found.append("aggregate: answers of several servers are not put together")
        if self._found.get("eventchannel"):
            found.append("eventchannel: a request goes to one server")
        for obstacle in found:
            field, _, why = obstacle.partition(": ")
            self._add(field, f"{why}; this service is not moved", "Leave it with Skupper")
        return tuple(found)

    def _protocol(self) -> ServiceProtocol | None:
        found = _text(self._found.get("protocol"))
        for known in PROTOCOLS:
            if found == known:
                return known
        self._add("protocol", f"expected tcp, http or http2, got {texts.short(found)}", "")
        return None

    def _ports(self) -> tuple[int, ...]:
        declared = self._found.get("ports")
        if not isinstance(declared, list):  # Skupper before 0.8 had a single port.
            declared = [self._found.get("port")]
        ports = dict.fromkeys(texts.port_number(port) for port in declared)
        found = tuple(port for port in ports if port is not None)
        if not found or None in ports or len(found) > limits.PORTS_PER_SERVICE_MAX:
            most = limits.PORTS_PER_SERVICE_MAX
            self._add("ports", f"expected 1 to {most} ports", "skupper service status shows them")
            return ()
        return found

    def _tls_cert(self) -> str:
        name = texts.credential(_text(self._found.get("tlsCredentials")) or "-")
        return name if isinstance(name, str) else ""

    def _tls_trust(self) -> str:
        name = texts.credential(_text(self._found.get("tlsCertAuthority")) or "-")
        return name if isinstance(name, str) else ""

    def _wish(self) -> RequestedService:
        headless = self._found.get("headless")
        stateful_set = _text(headless.get("name")) if isinstance(headless, dict) else ""
        return RequestedService(
            address=self._address,
            source=SOURCE,
            is_made=self._found.get("exposeIngress") != "Never",
            labels={
                key: value
                for key, value in copied_labels.spreading(_texts(self._found.get("labels"))).items()
                if texts.is_label_value(value)
            },
            annotations=copied_labels.spreading(_texts(self._found.get("annotations"))),
            stateful_set=stateful_set,
        )

    def _targets(self, ports: tuple[int, ...]) -> list[Document]:
        declared = self._found.get("targets")
        documents: dict[str, Document] = {}
        for at, target in enumerate(declared if isinstance(declared, list) else ()):
            workload = self._workload(target) if isinstance(target, dict) else ""
            if not workload:
                self._add(
                    f"targets[{at}]",
                    "expected a selector or a service; this target is left out",
                    f"Bind it again: sitectl service bind {self._address} TYPE NAME",
                )
                continue
            kind = workload.partition("/")[0]
            name = connector_name(self._address, kind, _text(target.get("name")) or str(at))
            spec = ConnectorSpec(
                service=self._address,
                workload=workload,
                target_ports=self._target_ports(ports, target),
                not_ready=self._found.get("publishNotReadyAddresses") is True,
                tls_trust=self._tls_trust(),
            )
            documents[name] = self._document("Connector", name, spec)
        return list(documents.values())

    def _workload(self, target: Mapping[str, Any]) -> str:
        selector, service = _text(target.get("selector")), _text(target.get("service"))
        if selector:
            return f"pods/{texts.selector_text(texts.pairs(selector))}"
        name, _, inner = service.partition(".")
        namespace = _text(target.get("namespace")) or inner
        if not name or isinstance(texts.name(name), InvalidText):
            return ""
        return f"service/{name}" + (
            f".{namespace}" if namespace not in ("", self._namespace) else ""
        )

    def _target_ports(
        self, ports: tuple[int, ...], target: Mapping[str, Any]
    ) -> tuple[int | str, ...]:
        declared = target.get("targetPorts")
        by_port = declared if isinstance(declared, dict) else {}
        only = texts.port_number(target.get("targetPort"))  # Skupper before 0.8.
        chosen = (texts.port_number(by_port.get(str(port))) for port in ports)
        return tuple(found or only or port for found, port in zip(chosen, ports, strict=True))


def _text(found: object) -> str:
    return found if isinstance(found, str) else ""


def _texts(found: object) -> dict[str, str]:
    """The entries of a mapping that can be labels or annotations."""
    items = found.items() if isinstance(found, dict) else ()
    return {k: v for k, v in items if isinstance(v, str) and texts.is_label_key(str(k))}
