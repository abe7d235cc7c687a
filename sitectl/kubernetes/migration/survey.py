"""The addresses that can move from a namespace's Skupper to us, for each release of it. Pure.

`survey_v1` and `survey_v2` read Skupper's objects; both give the same structures.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from router.documents import file_name, write
from router.kubernetes.migration.record import MigrationRecord, Release
from router.kubernetes.migration.views import AddressView
from router.kubernetes.objects import names
from router.kubernetes.objects.objects import Object, Snapshot, is_going, part
from router.kubernetes.objects.objects import name_of as object_name
from router.kubernetes.translation import documents
from router.kubernetes.translation.documents import config_map, config_map_name
from router.kubernetes.translation.skupper_services import ANNOTATION
from router.model.specs import ConnectorSpec, Document, Kind, ServiceSpec

GATEWAYS: Final = f"{names.SKUPPER_TYPE}=gateway-definition"
SKUPPER: Final = "skupper"
"""The origin of what Skupper's own verbs or kinds made."""
Declared = Mapping[tuple[Kind, str], str]
"""Documents that are there, and the ConfigMap of each."""


class SkupperAddress(msgspec.Struct, frozen=True, kw_only=True):
    """An address that Skupper has, or had: of v2 a Listener's host, or a key without Listener.

    ``origin``: `ANNOTATION`, `SKUPPER`, or the id of another Skupper site. ``maps``: ConfigMaps of
    its documents here. ``services``: those that our router must serve first; ``needs_targets``:
    groups of them, of which each needs one with a target. ``annotated``: ``KIND/NAME``.
    ``becomes``: our counterpart of each object of v2. ``obstacles``: why the address cannot move;
    ``notes``: later differences.
    """

    address: str
    origin: str = SKUPPER
    protocol: str = ""
    ports: tuple[int, ...] = ()
    connectors: tuple[ConnectorSpec, ...] = ()
    maps: tuple[Object, ...] = ()
    services: tuple[str, ...] = ()
    needs_targets: tuple[tuple[str, ...], ...] = ()
    annotated: tuple[str, ...] = ()
    becomes: tuple[tuple[str, str], ...] = ()
    obstacles: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    is_led: bool = True
    is_generated: bool = False

    @property
    def is_foreign(self) -> bool:
        """Whether another Skupper site declares it."""
        return self.origin not in (ANNOTATION, SKUPPER)


class SkupperNamespace(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. ``gateways`` are ConfigMaps of Skupper v1's gateways.

    ``staying``: objects of v2 that do not move, with the reason. ``control``: ConfigMap
    ``skupper`` of v2.
    """

    snapshot: Snapshot
    release: Release
    candidates: dict[str, SkupperAddress]
    records: dict[str, MigrationRecord]
    records_map: Object | None = None
    gateways: tuple[Object, ...] = ()
    staying: tuple[tuple[str, str], ...] = ()
    control: Object | None = None

    @property
    def controller_runs(self) -> bool:
        """Whether v1's controller runs and works."""
        return runs(self.snapshot.get("Deployment", names.SKUPPER_SERVICE_CONTROLLER))

    @property
    def has_skupper(self) -> bool:
        """Whether Skupper is installed here."""
        found = self.snapshot.get("Deployment", names.SKUPPER_ROUTER)
        return found is not None and not is_going(found)

    @property
    def site(self) -> Object | None:
        """The Site of v2."""
        return next(iter(self.snapshot.of("Site").values()), None)

    def view(self, address: str) -> AddressView:
        """The input for the steps of one address, as if no router served it yet."""
        candidate = self.candidates[address]
        maps = self.snapshot.of("ConfigMap")
        named = {object_name(one) for one in candidate.maps} | set(
            self.records[address].documents if address in self.records else ()
        )
        found = (self.snapshot.get(*place.split("/", 1)) for place in candidate.annotated)
        return AddressView(
            address=address,
            release=self.release,
            wanted=candidate.maps,
            maps={name: maps[name] for name in named if name in maps},
            annotated=tuple(one for one in found if one is not None),
            entries=maps.get(names.SERVICES_CONFIGMAP),
            records=self.records_map,
            service=self.snapshot.get("Service", address),
            services=candidate.services,
            needs_targets=candidate.needs_targets,
            controller_runs=self.controller_runs,
            is_led=candidate.is_led,
            control=self.control,
            site=self.site,
        )


def runs(deployment: Object | None) -> bool:
    """Whether a Deployment has a pod that works."""
    if deployment is None or is_going(deployment):
        return False
    return bool(part(deployment, "status", "readyReplicas"))


def declared_in(snapshot: Snapshot) -> Declared:
    """The documents in ConfigMaps of the namespace, each with its ConfigMap."""
    return {
        (document.kind, document.name): document.source.partition("[")[0]
        for found in snapshot.of("ConfigMap").values()
        if documents.is_labelled(found)
        for document in documents.read(found).documents
    }


def maps_of(
    chosen: Iterable[Document], noted: Mapping[str, str], declared: Declared
) -> tuple[Object, ...]:
    """A ConfigMap for each document, as verbs write them; none for documents of users."""
    found: list[Object] = []
    for document in chosen:
        name = config_map_name(document.kind, document.name)
        if declared.get((document.kind, document.name), f"ConfigMap/{name}") != f"ConfigMap/{name}":
            continue
        plain = msgspec.structs.replace(document, source="", line=0)
        made = config_map(name, {file_name(document.kind, document.name): write(plain)})
        if noted:
            made["metadata"]["annotations"] = dict(noted)
        found.append(made)
    return tuple(found)


def service_of(chosen: Iterable[Document]) -> ServiceSpec | None:
    """The declaration among documents."""
    return next((d.spec for d in chosen if isinstance(d.spec, ServiceSpec)), None)
