"""What of a namespace can move from Skupper v1 to us, read from its objects. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from router.documents import file_name, write
from router.kubernetes.migration.migration import AddressView
from router.kubernetes.migration.record import MigrationRecord, before_migration, moved
from router.kubernetes.migration.skupper import is_foreign, original
from router.kubernetes.objects import names
from router.kubernetes.objects.objects import Object, Snapshot, is_going, part
from router.kubernetes.objects.objects import name_of as object_name
from router.kubernetes.objects.picture import NamespacePicture, ServiceWish
from router.kubernetes.services import adoption
from router.kubernetes.services.refusals import refusal
from router.kubernetes.translation import documents, skupper_services
from router.kubernetes.translation.documents import config_map, config_map_name
from router.kubernetes.translation.ported import is_generated
from router.kubernetes.translation.skupper_services import ANNOTATION, Definition
from router.kubernetes.translation.translate import translate
from router.model.specs import ConnectorSpec, Document, Kind, ServiceSpec
from sitectl.kubernetes.site import kept_by

GATEWAYS: Final = f"{names.SKUPPER_TYPE}=gateway-definition"


class SkupperAddress(msgspec.Struct, frozen=True, kw_only=True):
    """An address that Skupper has, or had. ``origin``: ``annotation``, ``skupper`` (its verbs), or
    the id of another Skupper site. ``maps``: ConfigMaps of its documents here. ``annotated``:
    ``KIND/NAME``. ``obstacles``: why it cannot move; ``notes``: what will differ.
    """

    address: str
    origin: str
    service: ServiceSpec | None = None
    connectors: tuple[ConnectorSpec, ...] = ()
    maps: tuple[Object, ...] = ()
    annotated: tuple[str, ...] = ()
    obstacles: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    is_led: bool = True
    is_generated: bool = False

    @property
    def is_foreign(self) -> bool:
        """Whether another Skupper site declares it."""
        return self.origin not in (ANNOTATION, "skupper")


class SkupperNamespace(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. ``gateways`` are ConfigMaps of Skupper's gateways."""

    snapshot: Snapshot
    candidates: dict[str, SkupperAddress]
    records: dict[str, MigrationRecord]
    records_map: Object | None = None
    gateways: tuple[Object, ...] = ()

    @property
    def controller_runs(self) -> bool:
        """Whether Skupper's controller does what is expected of it."""
        return runs(self.snapshot.get("Deployment", names.SKUPPER_SERVICE_CONTROLLER))

    @property
    def has_skupper(self) -> bool:
        """Whether Skupper is installed here."""
        found = self.snapshot.get("Deployment", names.SKUPPER_ROUTER)
        return found is not None and not is_going(found)

    def view(self, address: str) -> AddressView:
        """What the steps of one address are computed from, as nobody serves it yet."""
        candidate = self.candidates[address]
        maps = self.snapshot.of("ConfigMap")
        named = {object_name(one) for one in candidate.maps} | set(
            self.records[address].documents if address in self.records else ()
        )
        found = (self.snapshot.get(*place.split("/", 1)) for place in candidate.annotated)
        return AddressView(
            address=address,
            wanted=candidate.maps,
            maps={name: maps[name] for name in named if name in maps},
            annotated=tuple(one for one in found if one is not None),
            entries=maps.get(names.SERVICES_CONFIGMAP),
            records=self.records_map,
            service=self.snapshot.get("Service", address),
            controller_runs=self.controller_runs,
            is_led=candidate.is_led,
        )


def runs(deployment: Object | None) -> bool:
    """Whether a Deployment has a pod that works."""
    if deployment is None or is_going(deployment):
        return False
    return bool(part(deployment, "status", "readyReplicas"))


def survey(
    snapshot: Snapshot, records_map: Object | None, gateways: Iterable[Object] = ()
) -> SkupperNamespace:
    """What there is, the migrated included as it was before."""
    records = moved(records_map)
    before = before_migration(snapshot, records)
    entries = before.get("ConfigMap", names.SERVICES_CONFIGMAP) or {}
    definitions, errors = skupper_services.read(entries, snapshot.namespace)
    annotated = _annotated(before)
    exposed = _exposed(annotated)
    declared = {
        (document.kind, document.name): document.source.partition("[")[0]
        for found in snapshot.of("ConfigMap").values()
        if documents.is_labelled(found)
        for document in documents.read(found).documents
    }
    addresses = {*definitions, *(entries.get("data") or {}), *exposed, *records}
    candidates = {}
    for address in sorted(addresses):
        wrong = [error.reason for error in errors if _is_of(error.path, address)]
        found = _Found(definitions.get(address), exposed.get(address, []), wrong)
        candidates[address] = _candidate(before, address, found, annotated, declared)
    return SkupperNamespace(
        snapshot=snapshot,
        candidates=candidates,
        records=records,
        records_map=records_map,
        gateways=tuple(gateways),
    )


def _is_of(path: str, address: str) -> bool:
    return path == f"data.{address}" or path.startswith(f"data.{address}.")


def _annotated(before: Snapshot) -> NamespacePicture:
    """What annotations mean where no Skupper runs and no document says more."""
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
    """What Skupper has of an address, what annotations say, and what of it cannot be read."""

    definition: Definition | None
    exposed: list[Document]
    wrong: list[str]


def _candidate(
    before: Snapshot,
    address: str,
    stated: _Found,
    annotated: NamespacePicture,
    declared: Mapping[tuple[Kind, str], str],
) -> SkupperAddress:
    definition, exposed, wrong = stated
    sources = tuple(sorted({document.source for document in exposed}))
    origin = ANNOTATION if exposed else ""
    wish, chosen = annotated.wishes.get(address), exposed
    if definition is not None:
        origin = definition.origin
        if origin != ANNOTATION or not any(d.kind == "Service" for d in exposed):
            wish, chosen = definition.wish, _with_names(definition)
    service = next((d.spec for d in chosen if isinstance(d.spec, ServiceSpec)), None)
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
    return SkupperAddress(
        address=address,
        origin=origin or "skupper",
        service=service,
        connectors=tuple(d.spec for d in chosen if isinstance(d.spec, ConnectorSpec)),
        maps=() if foreign or obstacles else _maps(chosen, wish, _cluster_ip(found), declared),
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
    address = adoption.spec(found).get("clusterIP")
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
    """Annotations that somebody would put back at once."""
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
    chosen: Iterable[Document],
    wish: ServiceWish | None,
    cluster_ip: str,
    declared: Mapping[tuple[Kind, str], str],
) -> tuple[Object, ...]:
    """A ConfigMap for each document, as verbs write them; not of those that users wrote."""
    noted = _wish_notes(wish) | ({names.CLUSTER_IP: cluster_ip} if cluster_ip else {})
    found: list[Object] = []
    for document in chosen:
        name = config_map_name(document.kind, document.name)
        if declared.get((document.kind, document.name), f"ConfigMap/{name}") != f"ConfigMap/{name}":
            continue
        plain = msgspec.structs.replace(document, source="", line=0)
        made = config_map(name, {file_name(document.kind, document.name): write(plain)})
        if noted:
            made["metadata"]["annotations"] = noted
        found.append(made)
    return tuple(found)


def _wish_notes(wish: ServiceWish | None) -> dict[str, str]:
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
