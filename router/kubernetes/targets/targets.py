"""Connectors of workloads -> Connectors of addresses: the pods that are targets now.

`Expander` gives the same result as a computation from scratch, but only reads changes since its
last call: the cost of a changed pod depends on its services, not on the rest of the namespace.

Findings: SW0432 a kind that may not be read; SW0433 no such workload; SW0434 it selects no pod;
SW0435 no such port; SW0436 a capacity that cannot be used; SW0437 it leads back to the routers;
SW0438 more targets than count.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from router.kubernetes.objects import selectors, texts
from router.kubernetes.objects.objects import Object, OtherNamespace, Snapshot, labels, name_of
from router.kubernetes.objects.selectors import Selector
from router.kubernetes.services.endpoint_slices import BOTH, Family
from router.kubernetes.targets import service_backends
from router.kubernetes.targets.pods import PodIndex, declared_ports
from router.kubernetes.targets.search import (
    NO_WORKLOAD,
    WORKLOAD_FIELD,
    NamespaceView,
    Needs,
    Search,
    nearest_names,
)
from router.model.errors import ConfigError
from router.model.specs import ConnectorSpec, Document, ServiceSpec

_KINDS: Final = {
    "deployment": "Deployment",
    "statefulset": "StatefulSet",
    "daemonset": "DaemonSet",
    "deploymentconfig": "DeploymentConfig",
}


class Expanded(msgspec.Struct, frozen=True):
    """``documents`` in the order of the input; ``errors`` name the object to fix."""

    documents: tuple[Document, ...]
    errors: tuple[ConfigError, ...]


class _Result(msgspec.Struct, frozen=True):
    given: Document
    service_ports: tuple[int, ...] | None
    made: Document
    errors: tuple[ConfigError, ...]
    needs: Needs


class Expander:
    """Gives documents the targets of workloads. Snapshots must share unchanged objects.

    ``families``: the address families that this site can reach.
    """

    __slots__ = ("_families", "_others", "_pods", "_results", "_slices", "_snapshot")

    def __init__(self, families: Sequence[Family] = BOTH) -> None:
        self._families = families
        self._snapshot = Snapshot("", {})
        self._pods = PodIndex()
        self._slices: dict[str, list[Object]] = {}
        self._others: dict[str, PodIndex] = {}
        self._results: dict[tuple[str, str], _Result] = {}

    def expand(self, documents: Iterable[Document], snapshot: Snapshot) -> Expanded:
        """``documents`` with the targets of each workload."""
        given = list(documents)
        ports = {d.name: d.spec.ports for d in given if isinstance(d.spec, ServiceSpec)}
        changes = self._changes(snapshot)
        view = NamespaceView(snapshot, self._pods, self._slices, self._families, self._others)
        results: dict[tuple[str, str], _Result] = {}
        made: list[Document] = []
        errors: list[ConfigError] = []
        for document in given:
            spec = document.spec
            if not isinstance(spec, ConnectorSpec):
                made.append(document)
                continue
            if not spec.workload:
                search = Search(view, document, None)
                service_backends.without_loops(search)
                made.append(search.result() if search.errors else document)
                errors += search.errors
                continue
            key = (document.source, document.name)
            before = self._results.get(key)
            its_ports = ports.get(spec.service)
            if (
                before is None
                or before.service_ports != its_ports
                or (before.given is not document and before.given != document)
                or changes.touch(before.needs)
            ):
                before = _expanded(view, document, its_ports)
            results[key] = before
            made.append(before.made)
            errors += before.errors
        self._results = results
        return Expanded(tuple(made), tuple(errors))

    def _changes(self, snapshot: Snapshot) -> "_Changes":
        """Take over ``snapshot``; the changes in it."""
        before, self._snapshot = self._snapshot, snapshot
        changed = _Changes()
        changed.everything = (before.namespace, before.missing) != (
            snapshot.namespace,
            snapshot.missing,
        )
        for kind in (*_KINDS.values(), "Service"):
            names = _changed_names(before.of(kind), snapshot.of(kind))
            changed.workloads |= {(kind, name) for name in names}
        if before.of("EndpointSlice") is not snapshot.of("EndpointSlice"):
            slices = service_backends.slices_by_service(snapshot)
            changed.services = _changed_slices(self._slices, slices)
            self._slices = slices
        pods = [p for c in self._pods.replace(snapshot.of("Pod")) for p in c if p is not None]
        changed.pods = [labels(pod) for pod in pods]
        changed.pod_names = {name_of(pod) for pod in pods}
        changed.others = self._take_others(before.others, snapshot.others)
        return changed

    def _take_others(
        self, before: Mapping[str, OtherNamespace], after: Mapping[str, OtherNamespace]
    ) -> set[str]:
        """Take over the Pods of other namespaces; the namespaces with changes."""
        changed = {name for name in before.keys() | after.keys() if _differs(name, before, after)}
        for name in changed:
            pods = after[name].objects.get("Pod") if name in after else None
            if pods is None:
                self._others.pop(name, None)
            else:
                self._others.setdefault(name, PodIndex()).replace(pods)
        return changed


class _Changes:
    """The changes in a namespace."""

    __slots__ = ("everything", "others", "pod_names", "pods", "services", "workloads")

    def __init__(self) -> None:
        self.everything = False
        self.workloads: set[tuple[str, str]] = set()
        self.services: set[str] = set()
        self.pods: list[Mapping[str, str]] = []  # Their labels, before and after.
        self.pod_names: set[str] = set()
        self.others: set[str] = set()

    def touch(self, needs: Needs) -> bool:
        """Whether something of ``needs`` changed."""
        if self.everything or needs.service in self.services or needs.namespace in self.others:
            return True
        if needs.workload in self.workloads or needs.also in self.workloads:
            return True
        if not self.pods:
            return False
        selector = needs.selector
        if selector is not None and any(selector.matches(marked) for marked in self.pods):
            return True
        return not needs.pods.isdisjoint(self.pod_names)


def _changed_names(before: Mapping[str, Object], after: Mapping[str, Object]) -> set[str]:
    if before is after:
        return set()
    found = {name for name, each in before.items() if after.get(name) is not each}
    return found | (after.keys() - before.keys())


def _differs(
    name: str, before: Mapping[str, OtherNamespace], after: Mapping[str, OtherNamespace]
) -> bool:
    return before.get(name) is not after.get(name)


def _changed_slices(
    before: Mapping[str, list[Object]], after: Mapping[str, list[Object]]
) -> set[str]:
    return {
        name
        for name in before.keys() | after.keys()
        if len(before.get(name, ())) != len(after.get(name, ()))
        or any(a is not b for a, b in zip(before[name], after[name], strict=True))
    }


def _expanded(view: NamespaceView, document: Document, ports: tuple[int, ...] | None) -> _Result:
    search = Search(view, document, ports)
    kind, _, name = search.spec.workload.partition("/")
    if kind == "service":
        needs = service_backends.of_service(search, name)
    elif kind == "pods":
        selector = selectors.parse(name)
        if selector is None:
            search.find(
                WORKLOAD_FIELD,
                f"{texts.short(name)} is no label selector",
                "Write it as for kubectl get pods --selector: app=shop,tier=web",
                NO_WORKLOAD,
            )
        needs = _of_selector(search, selector or Selector(()), texts.short(name), replicas=None)
    else:
        needs = _of_workload(search, _KINDS[kind], name)
    return _Result(document, ports, search.result(), tuple(search.errors), needs)


def _of_workload(search: Search, kind: str, name: str) -> Needs:
    snapshot = search.view.snapshot
    found = snapshot.get(kind, name)
    if found is None:
        if kind in snapshot.missing:
            search.cannot_read(kind)
        else:
            search.find(
                WORKLOAD_FIELD,
                f"there is no {kind} {name}",
                nearest_names(search.view, kind),
                NO_WORKLOAD,
            )
        return Needs(workload=(kind, name))
    search.with_capacity_of(found)
    spec = found.get("spec")
    replicas = spec.get("replicas", 1) if isinstance(spec, dict) else 1
    needs = _of_selector(search, selectors.of_workload(found), f"{kind} {name}", replicas)
    if replicas == 0 and not search.targets:
        search.scaled_to_0(found)
    return msgspec.structs.replace(needs, workload=(kind, name))


def _of_selector(search: Search, selector: Selector, of: str, replicas: object) -> Needs:
    """Add pods of ``selector``. ``replicas`` 0: no pods are expected."""
    wanted = search.spec.target_ports
    search.add_pods(
        selector,
        lambda pod: wanted or _default_ports(search, pod),
        of,
        not_ready=search.spec.not_ready,
        may_be_none=replicas == 0 or not selector.terms,
    )
    there = search.spec.namespace
    if there not in ("", search.view.snapshot.namespace):
        return Needs(namespace=there)
    return Needs(selector=selector)


def _default_ports(search: Search, pod: Object) -> tuple[int, ...]:
    """The pod's declared ports; the service's own if they fit, or if none are declared."""
    declared = tuple(number for number, _ in declared_ports(pod))
    own = search.service_ports
    if own is None:
        return declared
    return declared if len(declared) == len(own) and not set(own) <= set(declared) else own
