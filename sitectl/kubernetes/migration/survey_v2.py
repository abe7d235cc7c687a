"""The addresses that can move from Skupper v2 to us, read from a namespace's objects. Pure.

The unit that moves is a Service: the host of Listeners, with the keys that they name and the
Connectors of these keys. A key with Connectors alone has the name of our service.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from router.documents.skupper2 import V2Object, V2Translation, parse_object, translate
from router.documents.skupper2.fields import FIELDS
from router.documents.skupper2.keys import service_of as service_of_key
from router.kubernetes.migration.record import MigrationRecord, moved
from router.kubernetes.migration.skupper2 import is_frozen, is_listeners
from router.kubernetes.migration.views import is_ours
from router.kubernetes.objects import names
from router.kubernetes.objects.objects import Object, Snapshot, shown
from router.kubernetes.objects.picture import SiteOptions
from router.kubernetes.skupper2 import remote_attached_connectors
from router.kubernetes.skupper2.controller_choice import is_of_v2
from router.model.errors import ConfigError
from router.model.specs import ConnectorSpec, Document, ListenerSpec
from sitectl.kubernetes.migration.survey import (
    Declared,
    SkupperAddress,
    SkupperNamespace,
    declared_in,
    maps_of,
    service_of,
)
from sitectl.kubernetes.site import kept_by

_KINDS: Final = tuple(FIELDS)
_LISTENING: Final = ("Listener", "MultiKeyListener")
_SERVING: Final = ("Connector", remote_attached_connectors.CONNECTOR)
_APART: Final = ("Site", "RouterAccess", "Link")
"""Kinds that become options and links of ours: each has its own place in a plan."""


def is_v2(snapshot: Snapshot) -> bool:
    """Whether Skupper v2 runs, or ran, in the namespace."""
    found = snapshot.get("Deployment", names.SKUPPER_ROUTER)
    return bool(snapshot.of("Site")) or (found is not None and is_of_v2(found))


def survey_v2(
    snapshot: Snapshot,
    options: SiteOptions | None,
    records_map: Object | None,
    control: Object | None,
) -> SkupperNamespace:
    """The namespace's Skupper. A migration leaves its objects, so they also show the past."""
    objects = [
        one
        for kind in _KINDS
        for found in snapshot.of(kind).values()
        if (one := parse_object(found, shown(found))) is not None
    ]
    survey = _Survey(snapshot, options, objects, moved(records_map), control)
    return SkupperNamespace(
        snapshot=snapshot,
        release="v2",
        candidates=survey.candidates(),
        records=moved(records_map),
        records_map=records_map,
        control=control,
        staying=survey.staying(),
    )


class _Survey:
    """One survey in the making."""

    def __init__(
        self,
        snapshot: Snapshot,
        options: SiteOptions | None,
        objects: Iterable[V2Object],
        records: Mapping[str, MigrationRecord],
        control: Object | None,
    ) -> None:
        self._snapshot, self._control, self._records = snapshot, control, records
        self._makes_services = options is None or options.service_controller
        self._declared: Declared = declared_in(snapshot)
        self._objects = {one.source: one for one in objects}
        self._elsewhere = remote_attached_connectors.read(self._objects.values(), snapshot).unknown
        known = (one for source, one in self._objects.items() if source not in self._elsewhere)
        self._found: V2Translation = translate(known, "namespace")
        self._by_source: dict[str, list[Document]] = {}
        for document in self._found.documents:
            self._by_source.setdefault(document.source, []).append(document)

    def candidates(self) -> dict[str, SkupperAddress]:
        """All that moves as one, by name."""
        units = self._units()
        found = {name: self._candidate(name, sources) for name, sources in units.items()}
        for name in self._records:
            gone = ("Skupper has no Listener or Connector of it any more",)
            found.setdefault(name, SkupperAddress(address=name, obstacles=gone))
        return dict(sorted(found.items()))

    def staying(self) -> tuple[tuple[str, str], ...]:
        """Objects that are part of no service, with the reason."""
        placed = {source for sources in self._units().values() for source in sources}
        pairs = (one.partition("/") for one in placed)
        placed |= {
            f"{remote_attached_connectors.BINDING}/{name}"
            for kind, _, name in pairs
            if kind == remote_attached_connectors.CONNECTOR
        }
        return tuple(
            (source, "; ".join(self._reasons(source)) or "has no effect here")
            for source, one in self._objects.items()
            if source not in placed and one.kind not in _APART
        )

    def _reasons(self, source: str) -> list[str]:
        if source in self._elsewhere:
            there = remote_attached_connectors.namespace_of(self._objects[source].spec)
            return [
                f"its pods are in namespace {there}: apply it together with its "
                f"{remote_attached_connectors.CONNECTOR} before you move its key: "
                "sitectl apply -f FILE"
            ]
        told = _told(self._found.errors, source)
        return [text.removeprefix(f"{source}: ").removeprefix(f"{source} ") for text in told]

    def _units(self) -> dict[str, list[str]]:
        """Sources of the objects of each; a Connector is of every host that leads to its key."""
        units: dict[str, list[str]] = {}
        listened: dict[str, list[str]] = {}  # Services of keys, and the hosts that lead to them.
        for source, one in self._objects.items():
            if one.kind in _LISTENING and isinstance(host := one.spec.get("host"), str) and host:
                units.setdefault(host, []).append(source)
                for service in self._services(source):
                    listened.setdefault(service, []).append(host)
        for source, one in self._objects.items():
            if one.kind in _SERVING:
                for service in self._services(source):
                    for name in dict.fromkeys(listened.get(service, [service])):
                        units.setdefault(name, []).append(source)
        return units

    def _services(self, source: str) -> list[str]:
        """Our services of the keys that an object names, also where it has an error."""
        named = [
            service
            for document in self._by_source.get(source, ())
            for service in document.used_services
        ]
        key = self._objects[source].spec.get("routingKey")
        if not named and isinstance(key, str) and key:
            named = [service_of_key(key)]
        return list(dict.fromkeys(named))

    def _candidate(self, name: str, sources: list[str]) -> SkupperAddress:
        services = dict.fromkeys(s for source in sources for s in self._services(source))
        documents = [d for d in self._found.documents if self._is_of(d, sources, services)]
        listeners = [d.spec for d in documents if isinstance(d.spec, ListenerSpec)]
        is_led = bool(listeners) and self._makes_services
        obstacles = [text for source in sources for text in _told(self._found.errors, source)]
        if is_led:
            obstacles += self._obstacles_of_service(name)
        notes = [text for source in sources for text in _told(self._found.notes, source)]
        declaration = service_of(documents)
        return SkupperAddress(
            address=name,
            protocol=declaration.protocol if declaration is not None else "",
            ports=tuple(int(one.listen) for one in listeners if one.listen.isdecimal()),
            connectors=tuple(d.spec for d in documents if isinstance(d.spec, ConnectorSpec)),
            maps=() if obstacles else maps_of(documents, {}, self._declared),
            services=tuple(services),
            needs_targets=_groups(documents),
            becomes=tuple((source, self._becomes(source)) for source in sources),
            obstacles=tuple(obstacles),
            notes=tuple(notes),
            is_led=is_led,
        )

    def _is_of(
        self, document: Document, sources: list[str], services: Mapping[str, object]
    ) -> bool:
        """A declaration is that of every object that names its key."""
        is_declared = document.kind == "Service" and document.name in services
        return is_declared or document.source in sources

    def _obstacles_of_service(self, host: str) -> list[str]:
        found = self._snapshot.get("Service", host)
        told = []
        if found is not None and not is_listeners(found) and not is_ours(found):
            told.append(f"Service {host} is not Skupper's, which has an error there, too")
        keeper = kept_by(self._control) if self._control is not None else ""
        if keeper and not is_frozen(self._control):
            told.append(
                f"{keeper} keeps ConfigMap {names.SKUPPER_CONTROL} as it is: set "
                f"{names.CONTROLLER_KEY}: {names.CONTROLLER_FROZEN} there first"
            )
        return told

    def _becomes(self, source: str) -> str:
        one = self._objects[source]
        key = one.spec.get("routingKey")
        told = [_what(document, key) for document in self._by_source.get(source, ())]
        return ", ".join(text for text in told if text) or "nothing: see what is wrong"


def _groups(documents: Iterable[Document]) -> tuple[tuple[str, ...], ...]:
    """Services of which one with a target is enough: those that share a port of a Listener."""
    specs = [one.spec for one in documents]
    listened = [one.services for one in specs if isinstance(one, ListenerSpec)]
    known = {name for group in listened for name in group}
    served = [one.service for one in specs if isinstance(one, ConnectorSpec)]
    rest = [(name,) for name in served if name not in known]
    return tuple(dict.fromkeys([*listened, *rest]))


def _what(document: Document, key: object) -> str:
    spec = document.spec
    if isinstance(spec, ListenerSpec):
        return (
            f"listener {document.name}: Service {spec.host}, port {spec.listen}, for service "
            f"{', '.join(spec.services)}{_of_key(spec.services[0], key)}"
        )
    if isinstance(spec, ConnectorSpec):
        places = [spec.workload] if spec.workload else [one.host for one in spec.targets]
        ports = spec.target_ports or [port for one in spec.targets for port in one.ports]
        where = f"{', '.join(places)}:{'/'.join(map(str, ports))}"
        return (
            f"connector {document.name}: {where}, for service "
            f"{spec.service}{_of_key(spec.service, key)}"
        )
    return ""


def _of_key(service: str, key: object) -> str:
    return "" if key in (service, None) else f" (routing key {key})"


def _told(findings: Iterable[ConfigError], source: str) -> list[str]:
    return [
        f"{source} {one.path}: {one.reason}" if one.path else f"{source}: {one.reason}"
        for one in findings
        if one.source == source
    ]
