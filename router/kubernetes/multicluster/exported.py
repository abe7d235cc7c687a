"""ServiceExports of this namespace: the services that they offer, as documents, and findings.

The service is the Service of the same name, whatever pods it selects; its TCP ports are carried.
Annotations of the ServiceExport are those of an exposed Service: ``skupper.io/proxy`` and
``spillway.dev/…`` (docs/kubernetes-mcs.md).
"""

from typing import Any, Final

import msgspec

from router.kubernetes.multicluster import conditions, named_pods
from router.kubernetes.multicluster.import_objects import port_list
from router.kubernetes.multicluster.names import EXPORT, network_name
from router.kubernetes.objects import names
from router.kubernetes.objects.conditions import Condition
from router.kubernetes.objects.findings import ObjectFindings
from router.kubernetes.objects.objects import (
    Object,
    Snapshot,
    created_at,
    is_going,
    part,
    seconds_of,
    spec_of,
)
from router.kubernetes.services import adoption
from router.kubernetes.services.owned_services import H2C
from router.kubernetes.translation.exposure import ObjectReading
from router.model import limits
from router.model.errors import ConfigError
from router.model.messages.exports import CLUSTER_SET_IP, HEADLESS, ExportedPort, ExportTerms
from router.model.settings import Affinity
from router.model.specs import Document, ServiceProtocol
from router.model.wording.plural import counted

NOT_EXPORTED: Final = "SW0490"
PORTS_LEFT_OUT: Final = "SW0494"
_DEFAULT_TIMEOUT_S: Final = 10_800
"""The default of ClientIP affinity, in seconds (Service v1, sessionAffinityConfig)."""


class ReadExport(msgspec.Struct, frozen=True, kw_only=True):
    """One ServiceExport. ``name``: the network's name of its service.

    ``terms`` None: it offers nothing, and ``documents`` is empty.
    ``valid`` None: another controller reports on it.
    ``left_out``: exported ports that are not carried.
    ``unnamed``: how many pods of a headless service have no name because the limit is used up.
    """

    found: Object
    name: str
    terms: ExportTerms | None = None
    documents: tuple[Document, ...] = ()
    valid: Condition | None
    left_out: tuple[ExportedPort, ...] = ()
    unnamed: int = 0
    errors: tuple[ConfigError, ...] = ()


def read_all(snapshot: Snapshot, clusterset_namespace: str, site: str = "") -> list[ReadExport]:
    """All exports of the namespace, by name.

    ``clusterset_namespace``: the namespace's name in the cluster set.
    ``site``: this site's id; empty: names of pods do not matter.

    The first exports get names for their pods; they all share `limits.EXPORTED_POD_LISTENERS_MAX`.
    """
    room, exports = limits.EXPORTED_POD_LISTENERS_MAX, []
    for _, found in sorted(snapshot.of(EXPORT).items()):
        if is_going(found):
            continue
        one = _read(found, snapshot, clusterset_namespace, site, room)
        exports.append(one)
        if one.terms is not None:
            room -= len(one.terms.pods) * sum(map(carried, one.terms.ports))
    return exports


def carried(port: ExportedPort) -> bool:
    """Whether routers can carry the port."""
    return port.protocol == "TCP"


def _read(found: Object, snapshot: Snapshot, namespace: str, site: str, room: int) -> ReadExport:
    """Read one export. ``room``: how many listeners pods with names may still have."""
    reading = ObjectReading(EXPORT, found)
    service = snapshot.get("Service", reading.name)
    name = network_name(namespace, reading.name)
    if conditions.is_foreign(found):
        _note(
            reading.noted,
            "another controller reports on it, so it is left to that one",
            "Use one implementation of the Multi-Cluster Services API in a namespace, or set "
            'mcs: "false" in skupper-site',
            severity="info",
        )
        return ReadExport(found=found, name=name, valid=None, errors=tuple(reading.noted.errors))
    valid, hint = _validity(reading.name, service)
    if service is None or not valid.is_true:
        _note(reading.noted, valid.message.removeprefix(conditions.MARK), hint)
        return ReadExport(found=found, name=name, valid=valid, errors=tuple(reading.noted.errors))
    was = adoption.before(service)
    terms = _terms(reading, was, namespace)
    tcp = [port for port in terms.ports if carried(port)]
    left_out = tuple(port for port in terms.ports if not carried(port))
    if not tcp or len(terms.ports) > limits.PORTS_PER_SERVICE_MAX:
        reason = (
            f"Service {reading.name} has {counted(len(terms.ports), 'port')}, {len(tcp)} of them "
            f"TCP; it needs a TCP port, since routers carry only TCP, and may have "
            f"{limits.PORTS_PER_SERVICE_MAX} ports"
        )
        _note(reading.noted, reason, "Change its ports, or delete the export")
        errors = tuple(reading.noted.errors)
        return ReadExport(found=found, name=name, valid=valid, left_out=left_out, errors=errors)
    pods: tuple[str, ...] = ()
    if terms.kind == HEADLESS and site:
        pods = named_pods.of_service(snapshot, reading.name)
    if pods:
        kept = pods[: room // len(tcp)]
        terms = msgspec.structs.replace(terms, pods=kept, pods_site=site)
    documents = _documents(reading, name, terms, tcp, was)
    if documents and left_out:
        reading.noted.add(
            "spec",
            f"ServiceImports of {reading.name} list {port_list(left_out)}, and nothing answers "
            "there: routers carry only TCP",
            "Nothing to do if clients in other clusters need only its TCP ports",
            PORTS_LEFT_OUT,
            "info",
        )
    return ReadExport(
        found=found,
        name=name,
        terms=terms if documents else None,
        documents=documents,
        valid=valid,
        left_out=left_out,
        unnamed=len(pods) - len(terms.pods),
        errors=tuple(reading.noted.errors),
    )


def _validity(name: str, service: Object | None) -> tuple[Condition, str]:
    """The condition, and the next step if it is not true."""
    if service is None or is_going(service):
        hint = f"Make Service {name}, or delete the export"
        return _invalid("NoService", f"there is no Service {name}"), hint
    hint = "Export a Service that selects the pods themselves, or delete the export"
    if spec_of(service).get("type") == "ExternalName":
        return _invalid("InvalidServiceType", f"Service {name} is of type ExternalName"), hint
    if not adoption.is_adopted(service) and adoption.leads_to_routers(service):
        reason = f"Service {name} leads to the routers of this site itself"
        return _invalid("NoService", reason), hint
    message = f"exports Service {name}"
    return conditions.condition("Valid", is_true=True, reason="Valid", message=message), ""


def _invalid(reason: str, message: str) -> Condition:
    return conditions.condition("Valid", is_true=False, reason=reason, message=message)


def _terms(reading: ObjectReading, service: Object, namespace: str) -> ExportTerms:
    spec = spec_of(service)
    is_headless = spec.get("clusterIP") == "None"
    affinity = str(spec.get("sessionAffinity") or "None")
    timeout_s = part(spec, "sessionAffinityConfig", "clientIP", "timeoutSeconds")
    marked, noted = _exported_metadata(reading)
    return ExportTerms(
        namespace=namespace,
        service=reading.name,
        kind=HEADLESS if is_headless else CLUSTER_SET_IP,
        ports=tuple(map(_port, adoption.ports(service))),
        affinity=affinity,
        affinity_timeout_s=timeout_s
        if affinity == "ClientIP" and isinstance(timeout_s, int)
        else _DEFAULT_TIMEOUT_S * (affinity == "ClientIP"),
        internal_traffic_policy=_text(spec, "internalTrafficPolicy"),
        traffic_distribution=_text(spec, "trafficDistribution"),
        families=_texts(spec.get("ipFamilies")),
        labels=marked,
        annotations=noted,
    )


def _port(port: Any) -> ExportedPort:
    return ExportedPort(
        name=_text(port, "name"),
        protocol=_text(port, "protocol") or "TCP",
        port=port["port"],
        app_protocol=_text(port, "appProtocol"),
    )


def _exported_metadata(reading: ObjectReading) -> tuple[dict[str, str], dict[str, str]]:
    """Labels and annotations that the export names; none if they are too large to announce."""
    found = [
        {key: text for key, text in listed.items() if isinstance(text, str)}
        if isinstance(listed := part(reading.found, "spec", field), dict)
        else {}
        for field in ("exportedLabels", "exportedAnnotations")
    ]
    size = sum(len(key) + len(text) for each in found for key, text in each.items())
    if size > limits.EXPORTED_METADATA_CHARS_MAX:
        reading.noted.add(
            "spec",
            f"exportedLabels and exportedAnnotations have {size} characters together, more than "
            f"{limits.EXPORTED_METADATA_CHARS_MAX}; none of them is exported",
            "Export fewer",
            NOT_EXPORTED,
            "warning",
        )
        return {}, {}
    return found[0], found[1]


def _documents(
    reading: ObjectReading, name: str, terms: ExportTerms, tcp: list[ExportedPort], service: Object
) -> tuple[Document, ...]:
    reading.check_keys()
    stated = reading.text(names.PROXY)
    protocol = reading.protocol() if stated else _protocol_of(tcp)
    if protocol is None:
        return ()
    numbers = [port.port for port in tcp]
    spec = reading.service(protocol, numbers)
    if terms.affinity == "ClientIP" and spec.affinity is None:
        spec = msgspec.structs.replace(spec, affinity=Affinity(by="client"))
    connector = reading.connector(name, f"service/{reading.name}", numbers)
    exposure = reading.exposure(name, spec, connector)
    source, made_at_s = exposure.source, seconds_of(created_at(reading.found))
    offered = Document(kind="Service", name=name, spec=spec, source=source, declared_at_s=made_at_s)
    behind = Document(kind="Connector", name=exposure.connector_name, spec=connector, source=source)
    documents = [offered, behind, *named_pods.documents(terms, offered, behind, service)]
    if exposure.cap is not None:
        documents.append(Document(kind="Policy", name=name, spec=exposure.cap, source=source))
    return tuple(documents)


def _protocol_of(tcp: list[ExportedPort]) -> ServiceProtocol:
    """The protocol that every port declares; else tcp, which carries anything."""
    told = {port.app_protocol for port in tcp}
    if told == {"http"}:
        return "http"
    return "http2" if told == {H2C} else "tcp"


def _note(noted: ObjectFindings, reason: str, hint: str, severity: Any = "warning") -> None:
    noted.add("", reason, hint, NOT_EXPORTED, severity)


def _text(found: Any, key: str) -> str:
    value = found.get(key)
    return value if isinstance(value, str) else ""


def _texts(found: object) -> tuple[str, ...]:
    return tuple(one for one in found if isinstance(one, str)) if isinstance(found, list) else ()
