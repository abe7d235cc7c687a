"""The addresses that can move from Skupper v1 to us, read from a namespace's objects. Pure."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from router.kubernetes.migration.record import before_migration, moved
from router.kubernetes.migration.skupper1_objects import is_foreign, original
from router.kubernetes.objects import names
from router.kubernetes.objects.objects import Object, Snapshot, part, spec_of
from router.kubernetes.objects.picture import NamespacePicture, RequestedService
from router.kubernetes.services import adoption
from router.kubernetes.services.refusals import refusal
from router.kubernetes.translation import skupper_services
from router.kubernetes.translation.ported import is_generated
from router.kubernetes.translation.skupper_services import ANNOTATION, Definition
from router.kubernetes.translation.translate import translate
from router.model.specs import ConnectorSpec, Document, ServiceSpec
from sitectl.kubernetes.migration.survey import (
    SKUPPER,
    Declared,
    SkupperAddress,
    SkupperNamespace,
    declared_in,
    maps_of,
    service_of,
)
from sitectl.kubernetes.site import kept_by


def survey(
    snapshot: Snapshot, records_map: Object | None, gateways: Iterable[Object] = ()
) -> SkupperNamespace:
    """The namespace's Skupper, with migrated addresses as they were before."""
    records = moved(records_map)
    before = before_migration(snapshot, records)
    entries = before.get("ConfigMap", names.SERVICES_CONFIGMAP) or {}
    definitions, errors = skupper_services.read(entries, snapshot.namespace)
    annotated = _annotated(before)
    exposed = _exposed(annotated)
    declared = declared_in(snapshot)
    addresses = {*definitions, *(entries.get("data") or {}), *exposed, *records}
    candidates = {}
    for address in sorted(addresses):
        wrong = [error.reason for error in errors if _is_of(error.path, address)]
        found = _Found(definitions.get(address), exposed.get(address, []), wrong)
        candidates[address] = _candidate(before, address, found, annotated, declared)
    return SkupperNamespace(
        snapshot=snapshot,
        release="v1",
        candidates=candidates,
        records=records,
        records_map=records_map,
        gateways=tuple(gateways),
    )


def _is_of(path: str, address: str) -> bool:
    return path == f"data.{address}" or path.startswith(f"data.{address}.")


def _annotated(before: Snapshot) -> NamespacePicture:
    """The meaning of annotations if no Skupper runs and no document says more."""
    kept = {kind: dict(found) for kind, found in before.objects.items()}
    for name in (names.SKUPPER_ROUTER, names.SKUPPER_SERVICE_CONTROLLER):
        kept.get("Deployment", {}).pop(name, None)
    site = before.get("ConfigMap", names.SITE_CONFIGMAP)
    kept["ConfigMap"] = {names.SITE_CONFIGMAP: site} if site is not None else {}
    kept["Secret"] = {}
    return translate(Snapshot(before.namespace, kept, before.missing))


def _address_of(document: Document) -> str:
    return document.spec.service if isinstance(document.spec, ConnectorSpec) else document.name


def _exposed(annotated: NamespacePicture) -> dict[str, list[Document]]:
    found: dict[str, list[Document]] = {}
    for document in annotated.documents:
        if document.kind in ("Service", "Connector"):
            found.setdefault(_address_of(document), []).append(document)
    return found


class _Found(NamedTuple):
    """Skupper's data on an address, that of annotations, and the unreadable parts."""

    definition: Definition | None
    exposed: list[Document]
    wrong: list[str]


def _candidate(
    before: Snapshot, address: str, stated: _Found, annotated: NamespacePicture, declared: Declared
) -> SkupperAddress:
    definition, exposed, wrong = stated
    sources = tuple(sorted({document.source for document in exposed}))
    origin = ANNOTATION if exposed else ""
    wish, chosen = annotated.wishes.get(address), exposed
    if definition is not None:
        origin = definition.origin
        if origin != ANNOTATION or not any(d.kind == "Service" for d in exposed):
            wish, chosen = definition.wish, _with_names(definition)
    service = service_of(chosen)
    obstacles = list(definition.obstacles) if definition is not None else wrong
    if service is None and not obstacles:
        obstacles = wrong or ["what Skupper has of it cannot be read"]
    found = before.get("Service", address)
    options = annotated.options
    is_led = wish is not None and wish.is_made and not wish.stateful_set
    if options is not None and not options.service_controller:
        is_led = False
    if service is not None and is_led and found is not None:
        obstacles += _refused(found, service, may=options is None or options.rewrite_selectors)
    obstacles += _kept_elsewhere(before, sources)
    text = (part(before.get("ConfigMap", names.SERVICES_CONFIGMAP), "data") or {}).get(address, "")
    foreign = is_foreign(text)
    maps = () if foreign or obstacles else _maps(chosen, wish, _cluster_ip(found), declared)
    connectors = tuple(d.spec for d in chosen if isinstance(d.spec, ConnectorSpec))
    return SkupperAddress(
        address=address,
        origin=origin or SKUPPER,
        protocol=service.protocol if service is not None else "",
        ports=service.ports if service is not None else (),
        connectors=connectors,
        maps=maps,
        services=(address,),
        needs_targets=((address,),) if connectors or not maps else (),
        annotated=sources,
        obstacles=tuple(obstacles),
        notes=_notes(service, foreign),
        is_led=is_led,
        is_generated=found is None or is_generated(found),
    )


def _refused(found: Object, service: ServiceSpec, *, may: bool) -> list[str]:
    """Why our router would leave the Service as it is, once Skupper gave it back."""
    if is_generated(found):
        return []
    was = original(found) if adoption.is_skuppers(found) else found
    refused = refusal(was, service, consent=True, may_rewrite=may)
    return [f"{refused.reason} ({refused.code})"] if refused is not None else []


def _cluster_ip(found: Object | None) -> str:
    """The address of a Service that Skupper made and will delete: clients may keep it."""
    if found is None or not is_generated(found):
        return ""
    address = spec_of(found).get("clusterIP")
    return address if isinstance(address, str) and address != "None" else ""


def _with_names(definition: Definition) -> list[Document]:
    """Its documents; pods with names are found by their StatefulSet."""
    stateful = definition.wish.stateful_set if definition.wish is not None else ""
    if not stateful:
        return list(definition.documents)
    return [
        msgspec.structs.replace(
            d, spec=msgspec.structs.replace(d.spec, workload=f"statefulset/{stateful}")
        )
        if isinstance(d.spec, ConnectorSpec)
        else d
        for d in definition.documents
    ]


def _kept_elsewhere(before: Snapshot, sources: Iterable[str]) -> list[str]:
    """Annotations that another controller would restore at once."""
    found = []
    for place in sources:
        one = before.get(*place.split("/", 1))
        keeper = kept_by(one) if one is not None else ""
        if keeper:
            found.append(
                f"{keeper} keeps {place} as it is: remove its {names.SKUPPER_PREFIX}* annotations "
                "there, and add the documents that --dry-run -o yaml prints"
            )
    return found


def _notes(service: ServiceSpec | None, foreign: bool) -> tuple[str, ...]:
    found = []
    if foreign:
        found.append(
            "another Skupper site declares it: here only its clients move; Skupper keeps an entry "
            "without Service, so that its sync does not bring it back"
        )
    if service is not None and service.protocol == "http":
        found.append(
            "requests of one connection are balanced one by one, and several go at once; Skupper "
            "sends those of a connection one after the other"
        )
    if service is not None and service.tls_cert.startswith("skupper-"):
        found.append(
            f"Secret {service.tls_cert} belongs to Skupper and goes with it: make one of your own "
            "(sitectl service set --tls-cert) before Skupper is removed"
        )
    return tuple(found)


def _maps(
    chosen: Iterable[Document], wish: RequestedService | None, cluster_ip: str, declared: Declared
) -> tuple[Object, ...]:
    noted = _wish_notes(wish) | ({names.CLUSTER_IP: cluster_ip} if cluster_ip else {})
    return maps_of(chosen, noted, declared)


def _wish_notes(wish: RequestedService | None) -> dict[str, str]:
    if wish is None:
        return {}
    noted = {}
    if not wish.is_made:
        noted[names.INGRESS] = "Never"
    if wish.labels:
        noted[names.SERVICE_LABELS] = _pairs(wish.labels)
    if wish.annotations:
        noted[names.SERVICE_ANNOTATIONS] = _pairs(wish.annotations)
    if wish.stateful_set:
        noted[names.HEADLESS] = "true"
    return noted


def _pairs(found: Mapping[str, str]) -> str:
    def escaped(text: str) -> str:
        return text.replace("\\", "\\\\").replace(",", "\\,")

    return ",".join(f"{escaped(key)}={escaped(value)}" for key, value in sorted(found.items()))
