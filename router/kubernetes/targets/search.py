"""The search for the targets of one Connector's workload."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from router.documents import capacities
from router.kubernetes.objects import names, remote_permissions
from router.kubernetes.objects.objects import (
    Object,
    Snapshot,
    annotations,
    metadata,
    name_of,
    part,
    shown,
)
from router.kubernetes.objects.selectors import Selector
from router.kubernetes.services.endpoint_slices import Family
from router.kubernetes.targets.pods import (
    LEAVES,
    NoPort,
    PodIndex,
    address_of,
    capacity_of,
    is_there,
    ports_of,
    still_serves,
    takes_requests,
    target,
    why_not_ready,
)
from router.model import limits
from router.model.errors import ConfigError
from router.model.specs import ConnectorSpec, Document, TargetSpec

MISSING, NO_WORKLOAD, NO_PODS, NO_PORT = "SW0432", "SW0433", "SW0434", "SW0435"
CAPACITY, LOOP, TOO_MANY = "SW0436", "SW0437", "SW0438"
WORKLOAD_FIELD, PORTS_FIELD, TARGETS_FIELD = "workload", "targetPorts", "targets"
_Place = tuple[str, int | None, tuple[int, ...]]
"""Host, port and ports of a target."""
_ANNOTATIONS: Final = {
    WORKLOAD_FIELD: names.TARGET,
    TARGETS_FIELD: names.TARGET,
    PORTS_FIELD: names.PORT,
}
_OF_SERVICES: Final = {
    WORKLOAD_FIELD: "spec.selector",
    TARGETS_FIELD: "spec.selector",
    PORTS_FIELD: "spec.ports",
}
_OF_WORKLOADS: Final = {
    WORKLOAD_FIELD: "spec.selector",
    TARGETS_FIELD: "spec.selector",
    PORTS_FIELD: "spec.template.spec.containers",
}
"""Fields that count in an annotated object without the annotation."""
_OF_V2: Final = {
    WORKLOAD_FIELD: "spec.selector",
    TARGETS_FIELD: "spec.host",
    PORTS_FIELD: "spec.port",
}
_V2_SOURCES: Final = ("Connector/", "AttachedConnector/", "AttachedConnectorBinding/")


class NamespaceView(msgspec.Struct):
    """The current state of the namespace. ``slices``: by the Service that they belong to.

    ``others``: the Pods of other namespaces, by namespace, as far as they may be read.
    """

    snapshot: Snapshot
    pods: PodIndex
    slices: Mapping[str, Sequence[Object]]
    families: Sequence[Family]
    others: Mapping[str, PodIndex] = {}


class Needs(msgspec.Struct, frozen=True):
    """The inputs of a result, which is outdated when one of them changes.

    ``workload``, ``also``: kind and name.
    ``selector``: of pods.
    ``service``: its slices were read.
    ``pods``: read by name.
    ``namespace``: another namespace, as a whole.
    """

    workload: tuple[str, str] | None = None
    also: tuple[str, str] | None = None
    selector: Selector | None = None
    service: str = ""
    pods: frozenset[str] = frozenset()
    namespace: str = ""


class Search:
    """Collects targets and findings. ``service_ports`` None: no service of that name here."""

    __slots__ = (
        *("_leaving", "_places", "document", "errors", "service_ports", "spec", "targets"),
        "view",
    )

    def __init__(
        self, view: NamespaceView, document: Document, service_ports: tuple[int, ...] | None
    ) -> None:
        assert isinstance(document.spec, ConnectorSpec)
        self.view, self.document, self.spec = view, document, document.spec
        self.service_ports = service_ports
        self.targets: list[TargetSpec] = []
        self.errors: list[ConfigError] = []
        self._leaving: list[TargetSpec] = []
        self._places: set[_Place] = set()
        for each in self.spec.targets:
            self.add(each)

    def add(self, found: TargetSpec) -> None:
        """Add a target, unless it is known already."""
        place = _place(found)
        if place not in self._places:
            self._places.add(place)
            self.targets.append(found)

    def add_leaving(
        self, host: str, ports: tuple[int, ...], pod: Object | None, name: str = ""
    ) -> None:
        """Add a terminating pod that still serves, as a last resort.

        kube-proxy does the same (KEP-1669).
        """
        self._leaving.append(target(host, ports, pod, name, last_resort=LEAVES))

    def find(self, field: str, reason: str, hint: str, code: str) -> None:
        """Record a finding on the connector's ``field``."""
        source = self.document.source
        if source.startswith("ConfigMap/"):
            path = f"$.spec.{field}"
        elif source.startswith(_V2_SOURCES):
            path = _OF_V2[field]
        else:
            path = self._place_of_annotated(source, field)
        self.errors.append(
            ConfigError(source, path, reason, line=self.document.line, hint=hint, code=code)
        )

    def _place_of_annotated(self, source: str, field: str) -> str:
        """The annotation for ``field`` if the object has it, else the field that replaces it."""
        found = self.view.snapshot.at(source) or {}
        key = _ANNOTATIONS[field]
        if key in annotations(found):
            return f"metadata.annotations[{key}]"
        if key in annotations(part(found, "spec", "template") or {}):
            return f"spec.template.metadata.annotations[{key}]"
        return (_OF_SERVICES if source.startswith("Service/") else _OF_WORKLOADS)[field]

    def add_pods(
        self,
        selector: Selector,
        ports: Callable[[Object], Iterable[int | str]],
        of: str,
        *,
        not_ready: bool,
        may_be_none: bool = False,
    ) -> None:
        """Add the pods of ``selector``, at the ``ports`` of each; ``not_ready``: all are usable."""
        index = self._pods()
        pods = [] if index is None else index.selected(selector)
        if index is not None and not pods and not may_be_none:
            self.find(
                WORKLOAD_FIELD,
                f"{of} selects no pod",
                "Check its selector and that its pods could be made: kubectl get pods,events",
                NO_PODS,
            )
        missing: NoPort | None = None
        without_address = 0
        for pod in pods:
            self.check_capacity(pod)
            leaves = still_serves(pod)
            if not leaves and not is_there(pod):
                continue
            host = address_of(pod, self.view.families)
            without_address += not host
            found = ports_of(pod, ports(pod))
            if isinstance(found, NoPort):
                missing = missing or found
            elif host and leaves:
                self.add_leaving(host, found, pod)
            elif host:
                unusable = "" if not_ready or takes_requests(pod) else why_not_ready(pod)
                self.add(target(host, found, pod, unusable=unusable))
        if missing is not None:
            self.no_port(missing, f"Pod {missing.pod}")
        if without_address and not self.targets:
            self.find(
                WORKLOAD_FIELD,
                f"{of} has no pod with an address, and {without_address} without one",
                "See why they do not start: kubectl get pods,events",
                NO_PODS,
            )

    def _pods(self) -> PodIndex | None:
        """The Pods of the connector's namespace; None: unreadable, which is recorded."""
        snapshot, there = self.view.snapshot, self.spec.namespace
        if there in ("", snapshot.namespace):
            if "Pod" in snapshot.missing:
                self.cannot_read("Pod")
                return None
            return self.view.pods
        other = snapshot.others.get(there)
        if other is not None and other.is_left_out:
            left_out = remote_permissions.left_out(there)
            hint = remote_permissions.left_out_hint(there)
            self.find(WORKLOAD_FIELD, left_out, hint, TOO_MANY)
        elif other is not None and "Pod" in other.refused:
            after = "; if it stays so, they are withdrawn" if "Pod" in other.objects else ""
            self.find(
                WORKLOAD_FIELD,
                f"Pods of namespace {there} cannot be read{after}",
                remote_permissions.hint(there, snapshot.namespace, "Pod"),
                MISSING,
            )
        return self.view.others.get(there)

    def no_port(self, missing: NoPort, of: str) -> None:
        """Record that a port does not exist."""
        known = f"It has {missing.known}" if missing.known else f"{of} declares no port"
        self.find(
            PORTS_FIELD,
            f"{of} has no port {missing.port!r}" if missing.port else f"{of} has no such port",
            f"{known}; name one of its ports, or give a number",
            NO_PORT,
        )

    def cannot_read(self, kind: str) -> None:
        """Record that we may not read objects of ``kind``."""
        self.find(
            WORKLOAD_FIELD,
            f"{kind} objects cannot be read here",
            f"Allow get, list and watch of them in Role {names.ROUTER}",
            MISSING,
        )

    def with_capacity_of(self, found: Object) -> None:
        """Give each target the capacity of the workload's annotation; the connector's wins."""
        value, reason = capacity_of(found)
        if reason and shown(found) != self.document.source:
            self.wrong_capacity(found, reason)
        if value is not None and self.spec.capacity is None:
            self.spec = msgspec.structs.replace(self.spec, capacity=value)

    def check_capacity(self, pod: Object) -> None:
        """Record an unusable annotation of a pod; the workload's counts instead."""
        if metadata(pod).get("annotations"):
            _, reason = capacity_of(pod)
            if reason:
                self.wrong_capacity(pod, reason)

    def wrong_capacity(self, found: Object, reason: str) -> None:
        """Record it at the object with the annotation."""
        if len(self.errors) < limits.CONFIG_ERRORS_MAX:
            self.errors.append(
                ConfigError(
                    shown(found),
                    f"metadata.annotations[{names.CAPACITY}]",
                    reason,
                    hint=capacities.HINT,
                    code=CAPACITY,
                )
            )

    def scaled_to_0(self, found: Object) -> None:
        """Record that the workload has no pods because it is scaled to 0."""
        place = shown(found)
        self.errors.append(
            ConfigError(
                place,
                "spec.replicas",
                "it is scaled to 0, so it has no pods",
                hint=f"kubectl scale {place.lower()} --replicas 1",
                code=NO_PODS,
                severity="info",
            )
        )

    def result(self) -> Document:
        """The connector with its targets up to the limit; above it, usable targets come first."""
        number, most = len(self.targets), limits.TARGETS_PER_CONNECTOR_MAX
        if number > most:
            self.find(
                WORKLOAD_FIELD,
                f"it has {number} targets, of which {most} count",
                "Spread them over several sites",
                TOO_MANY,
            )
        kept = self._one_a_place()
        if len(kept) > most:
            kept = sorted(kept, key=lambda one: (bool(one.unusable), bool(one.last_resort)))[:most]
        spec = msgspec.structs.replace(self.spec, targets=tuple(kept))
        return msgspec.structs.replace(self.document, spec=spec)

    def _one_a_place(self) -> list[TargetSpec]:
        """Targets with one per place: the usable one, if a pod that ends shares its place.

        That happens to pods in the network of their node, and through outdated slices.
        """
        usable = {_place(one) for one in self.targets if not one.unusable}
        leaving = {_place(one): one for one in self._leaving if _place(one) not in usable}
        stay = [one for one in self.targets if _place(one) not in leaving]
        return [*stay, *leaving.values()]


def _place(found: TargetSpec) -> _Place:
    return found.host, found.port, found.ports


def nearest_names(view: NamespaceView, kind: str) -> str:
    """Some objects of a kind, for hints."""
    found = sorted(name_of(each) for each in view.snapshot.of(kind).values())
    listed = ", ".join(found[:5]) + (", …" if len(found) > 5 else "")
    return f"There are {listed}" if found else f"There is no {kind} here"
