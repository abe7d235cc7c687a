"""ServiceImports and derived Services that this namespace should have, as changes. Pure.

A derived Service leads to the routers, and its addresses are those of the cluster set. It has the
exported name where the namespace has no Service of that name, else that name with `names.SUFFIX`:
a Service of a user is never touched. The ServiceImport is owned by it, so that both go together.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import msgspec

from router.kubernetes.multicluster import conditions
from router.kubernetes.multicluster.merging import MergedExport, merge
from router.kubernetes.multicluster.names import (
    DERIVED_SERVICE,
    EXPORT,
    IMPORT,
    is_ours,
    network_name,
    suffixed_name,
)
from router.kubernetes.objects import copied_labels, names
from router.kubernetes.objects.changes import Change, Create, delete, patch
from router.kubernetes.objects.findings import ObjectFindings
from router.kubernetes.objects.objects import (
    Object,
    Snapshot,
    annotations,
    is_going,
    labels,
    metadata,
    name_of,
)
from router.kubernetes.services import adoption, owned_services
from router.kubernetes.services.inner_ports import as_text
from router.kubernetes.services.service_choice import is_service_name
from router.model.errors import ConfigError
from router.model.exports import HEADLESS, ExportedPort, Exports
from router.model.ids import ServiceKey
from router.model.plural import counted

LEFT_ALONE: Final = "SW0492"
_FAMILIES: Final = {True: "IPv6", False: "IPv4"}


class ImportState(msgspec.Struct, frozen=True, kw_only=True):
    """What the plan is made from, beside the exports.

    ``inner``: where routers listen. ``taken``: names that Services of the network's other services
    have here. ``may_write``: ServiceImports are served and may be written. ``is_settled``: whether
    a service without exports has none, rather than being out of reach. ``now``: RFC 3339.
    """

    snapshot: Snapshot
    namespace: str
    inner: Mapping[ServiceKey, int]
    taken: Collection[str] = ()
    may_write: bool = False
    is_settled: Callable[[str], bool] = lambda name: True
    now: str = ""


class ImportPlan(msgspec.Struct, frozen=True):
    """``statuses`` of ServiceImports, by kind and name. ``merged`` by the network's name: of all
    exports to this namespace."""

    changes: tuple[Change, ...]
    statuses: conditions.ReportedStatuses
    findings: tuple[ConfigError, ...]
    merged: Mapping[str, MergedExport]


def plan(exports: Exports, state: ImportState) -> ImportPlan:
    """What should be made, changed and deleted so that the namespace imports ``exports``."""
    planner = _ImportPlanner(state)
    merged = imported(exports, state.namespace)
    for name, one in merged.items():
        planner.have(name, one)
    planner.remove_others(merged)
    return ImportPlan(tuple(planner.changes), planner.statuses, tuple(planner.findings), merged)


def imported(exports: Exports, namespace: str) -> dict[str, MergedExport]:
    """Those of ``exports`` that this namespace imports, each merged. One under another service's
    name does not count: who owns that name does not own this one."""
    found: dict[str, MergedExport] = {}
    for name, told in sorted(exports.items()):
        meant = [
            one
            for one in told
            if one.terms.namespace == namespace
            and network_name(namespace, one.terms.service) == name
        ]
        if meant:
            found[name] = merge(meant)
    return found


class _ImportPlanner:
    """One plan in the making."""

    __slots__ = ("_derived", "_snapshot", "_state", "changes", "findings", "statuses")

    def __init__(self, state: ImportState) -> None:
        self._state, self._snapshot = state, state.snapshot
        self.changes: list[Change] = []
        self.findings: list[ConfigError] = []
        self.statuses: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._derived: set[str] = set()  # Names of derived Services that stay.

    def have(self, name: str, one: MergedExport) -> None:
        """The derived Service and the ServiceImport of one service."""
        service = self._service(name, one)
        if self._state.may_write:
            self._import(name, one, service)

    def _service(self, name: str, one: MergedExport) -> Object | None:
        """The derived Service as it is now; None: there is none yet, or none can be."""
        chosen = self._name_for(name, one.terms.service)
        ports = _service_ports(name, one.terms.ports, self._state.inner)
        if chosen is None or not ports:
            return None
        self._derived.add(chosen)
        fresh = _derived_service(chosen, name, one, ports)
        needs = tuple((ServiceKey(name, port["port"]), port["targetPort"]) for port in ports)
        found = self._snapshot.get("Service", chosen)
        if found is None:
            self.changes.append(Create(kind="Service", name=chosen, body=fresh, needs=needs))
            return None
        change = patch(found, _remade(found, fresh), needs)
        if change is not None:
            self.changes.append(change)
        return found

    def _name_for(self, name: str, service: str) -> str | None:
        """That of the derived Service: it keeps the one it has. None: no name is free, or not yet.

        One that somebody else wrote a selector into is theirs from now on.
        """
        wanted = (service, suffixed_name(service))
        free: list[str] = []
        for candidate in wanted:
            found = self._snapshot.get("Service", candidate)
            if found is not None and is_ours(found, name):
                if is_going(found):
                    return None
                if not owned_services.is_claimed(found):
                    return candidate
            elif found is None and self._may_be_called(candidate):
                free.append(candidate)
        if self._snapshot.get(EXPORT, service) is not None:
            free = [candidate for candidate in free if candidate != service]
        if not free:
            noted = ObjectFindings(f"Service/{wanted[-1]}")
            noted.add(
                "metadata.name",
                f"Services {wanted[0]} and {wanted[1]} belong to this namespace, so the service "
                f"{service} of other clusters cannot be reached here",
                f"Rename one of them, for example {wanted[1]}",
                LEFT_ALONE,
            )
            self.findings += noted.errors
        return free[0] if free else None

    def _may_be_called(self, candidate: str) -> bool:
        is_free = candidate not in self._state.taken and candidate not in self._derived
        return is_free and is_service_name(candidate)

    def _import(self, name: str, one: MergedExport, service: Object | None) -> None:
        called = one.terms.service
        found = self._snapshot.get(IMPORT, called)
        if found is None:
            body = _service_import(called, name, one, service)
            self.changes.append(Create(kind=IMPORT, name=called, body=body))
            return
        if not is_ours(found, name):
            self.findings.append(_foreign_import(called))
            return
        if is_going(found):
            return
        fresh = _service_import(called, name, one, service)
        self._add(patch(found, _again(found, fresh)))
        self.statuses[IMPORT, called] = _import_status(found, one, service, self._state.now)

    def remove_others(self, wanted: Collection[str]) -> None:
        """What is ours and leads to a service that no site exports any more."""
        for _, found in sorted(self._snapshot.of("Service").items()):
            name = labels(found).get(names.CLUSTERSET_LABEL, "")
            if not is_ours(found) or is_going(found) or self._stays(name, found, wanted):
                continue
            if owned_services.is_claimed(found):
                self._add(patch(found, owned_services.handed_over(found)))
            else:
                self.changes.append(delete(found))
        for _, found in sorted(self._snapshot.of(IMPORT).items()):
            name = labels(found).get(names.CLUSTERSET_LABEL, "")
            is_wanted = name in wanted or not self._state.is_settled(name)
            if self._state.may_write and is_ours(found) and not is_going(found) and not is_wanted:
                self.changes.append(delete(found))

    def _stays(self, name: str, found: Object, wanted: Collection[str]) -> bool:
        if name not in wanted:
            return not self._state.is_settled(name)
        return name_of(found) in self._derived

    def _add(self, change: Change | None) -> None:
        if change is not None:
            self.changes.append(change)


def carried_ports(service: Object) -> frozenset[int]:
    """Ports at which a derived Service leads to the routers."""
    return frozenset(port["port"] for port in adoption.ports(service))


def _service_ports(
    name: str, exported: Collection[ExportedPort], inner: Mapping[ServiceKey, int]
) -> list[dict[str, Any]]:
    """Those where routers listen, called as the exports call them.

    Where this site's own export has other ports than the owner's, its own are carried here.
    """
    numbers = {key.port: number for key, number in inner.items() if key.name == name}
    told = {port.port: port for port in exported if port.protocol == "TCP"}
    given: set[str] = set()
    found = []
    for port, number in sorted(numbers.items()):
        known = told.get(port)
        called = known.name if known is not None else ""
        if not called or called in given:
            called = f"port{port}"
        given.add(called)
        one = {"name": called, "port": port, "protocol": "TCP", "targetPort": number}
        if known is not None and known.app_protocol:
            one["appProtocol"] = known.app_protocol
        found.append(one)
    return found


def _derived_service(
    called: str, name: str, one: MergedExport, ports: list[dict[str, Any]]
) -> dict[str, Any]:
    inner = {port["port"]: port["targetPort"] for port in ports}
    marked = _marks(name)
    told = owned_services.OwnedFields(inner_ports=as_text(inner), labels=tuple(sorted(marked)))
    spec: dict[str, Any] = {
        "type": "ClusterIP",
        "ipFamilyPolicy": "PreferDualStack",
        "selector": adoption.ROUTERS,
        "ports": ports,
        "sessionAffinity": "None",
    }
    if one.terms.affinity == "ClientIP" and one.terms.kind != HEADLESS:
        timeout = {"clientIP": {"timeoutSeconds": one.terms.affinity_timeout_s}}
        spec |= {"sessionAffinity": "ClientIP", "sessionAffinityConfig": timeout}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": called,
            "labels": marked,
            "annotations": {names.MADE: msgspec.json.encode(told, order="sorted").decode()},
        },
        "spec": spec,
    }


def _marks(name: str) -> dict[str, str]:
    ours = {names.MANAGED_BY_LABEL: names.MANAGED_BY, names.CLUSTERSET_LABEL: name}
    return {**names.PART_OF, **ours}


def _remade(found: Object, fresh: Mapping[str, Any]) -> Object:
    """A derived Service with what of it is ours as in ``fresh``."""
    spec = {**adoption.spec(found), **fresh["spec"]}
    del spec["type"], spec["ipFamilyPolicy"]  # Whatever somebody made of these stays.
    kept = {k: v for k, v in adoption.spec(found).items() if k in ("type", "ipFamilyPolicy")}
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    there = {port["port"]: port for port in adoption.ports(found)}
    spec["ports"] = [{**_rest(there.get(port["port"])), **port} for port in spec["ports"]]
    marked = {**labels(found), **fresh["metadata"]["labels"]}
    noted = {**annotations(found), **fresh["metadata"]["annotations"]}
    return adoption.with_metadata(found, marked, noted) | {"spec": {**spec, **kept}}


def _rest(port: Mapping[str, Any] | None) -> dict[str, Any]:
    """What of a port is not ours."""
    return {} if port is None else {key: port[key] for key in ("nodePort",) if key in port}


def _service_import(
    called: str, name: str, one: MergedExport, service: Object | None
) -> dict[str, Any]:
    terms = one.terms
    marked = {**copied_labels.spreading(terms.labels), **_marks(name)}
    noted = copied_labels.spreading(terms.annotations, (DERIVED_SERVICE,))
    told = owned_services.OwnedFields(
        labels=tuple(sorted(marked)), annotations=tuple(sorted(noted))
    )
    noted = {**noted, names.MADE: msgspec.json.encode(told, order="sorted").decode()}
    meta: dict[str, Any] = {"name": called, "labels": marked, "annotations": noted}
    is_headless = terms.kind == HEADLESS
    spec: dict[str, Any] = {
        "type": HEADLESS if is_headless else "ClusterSetIP",
        "ports": [_import_port(port) for port in terms.ports],
        "sessionAffinity": "ClientIP" if terms.affinity == "ClientIP" else "None",
    }
    if spec["sessionAffinity"] == "ClientIP":
        timeout = {"clientIP": {"timeoutSeconds": terms.affinity_timeout_s}}
        spec["sessionAffinityConfig"] = timeout
    if terms.internal_traffic_policy:
        spec["internalTrafficPolicy"] = terms.internal_traffic_policy
    if terms.traffic_distribution:
        spec["trafficDistribution"] = terms.traffic_distribution
    if service is not None:
        meta["annotations"] = {**noted, DERIVED_SERVICE: name_of(service)}
        meta["ownerReferences"] = [_owner(service)]
        addresses = _addresses(service)
        spec["ipFamilies"] = [_FAMILIES[":" in address] for address in addresses]
        if not is_headless:
            spec["ips"] = addresses
    return {
        "apiVersion": "multicluster.x-k8s.io/v1beta1",
        "kind": IMPORT,
        "metadata": meta,
        "spec": spec,
    }


def _import_status(
    found: Object, one: MergedExport, service: Object | None, now: str
) -> dict[str, Any]:
    is_ready = service is not None and bool(_addresses(service))
    ready = conditions.condition(
        "Ready",
        is_true=is_ready,
        reason="Ready" if is_ready else "Pending",
        message=_ready(one, service) if service is not None and is_ready else _pending(one),
    )
    return {
        "clusters": [{"cluster": label} for label in cluster_labels(one.sites)],
        "conditions": conditions.listed(found, [ready], now),
    }


def _import_port(port: ExportedPort) -> dict[str, Any]:
    found: dict[str, Any] = {"port": port.port, "protocol": port.protocol}
    optional = {"name": port.name, "appProtocol": port.app_protocol}
    return found | {key: text for key, text in optional.items() if text}


def _owner(service: Object) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "name": name_of(service),
        "uid": str(metadata(service).get("uid", "")),
    }


def _addresses(service: Object) -> list[str]:
    spec = adoption.spec(service)
    found = spec.get("clusterIPs") or [spec.get("clusterIP") or ""]
    return [each for each in found if isinstance(each, str) and each not in ("", "None")]


def _again(found: Object, fresh: Mapping[str, Any]) -> Object:
    """A ServiceImport with what of it is ours as in ``fresh``; labels of others stay."""
    was = owned_services.made(found)
    wanted = fresh["metadata"]
    marked = {k: v for k, v in labels(found).items() if k not in was.labels} | wanted["labels"]
    noted = {k: v for k, v in annotations(found).items() if k not in was.annotations}
    noted |= wanted["annotations"]
    again = adoption.with_metadata(found, marked, noted)
    if "ownerReferences" in wanted:
        again["metadata"]["ownerReferences"] = wanted["ownerReferences"]
        return {**again, "spec": fresh["spec"]}
    # Until the derived Service is back the address stays what it was.
    kept = {k: v for k, v in adoption.spec(found).items() if k in ("ips", "ipFamilies")}
    return {**again, "spec": {**fresh["spec"], **kept}}


def _foreign_import(called: str) -> ConfigError:
    noted = ObjectFindings(f"{IMPORT}/{called}")
    noted.add(
        "metadata.labels",
        "it was made by another implementation, so it stays as it is",
        'Use one implementation in a namespace, or set mcs: "false" in skupper-site',
        LEFT_ALONE,
        "warning",
    )
    return noted.errors[0]


def _pending(one: MergedExport) -> str:
    if any(port.protocol == "TCP" for port in one.terms.ports):
        return "the derived Service has no address yet"
    return "no exported port is TCP, so no port is carried"


def _ready(one: MergedExport, service: Object) -> str:
    sites = counted(len(one.sites), "exporting site")
    message = f"Service {name_of(service)} leads to {sites}"
    lacking = not_carried(one.terms.ports, carried_ports(service))
    return f"{message}; not carried: {lacking}" if lacking else message


def not_carried(ports: Collection[ExportedPort], carried: Collection[int]) -> str:
    """Ports of an import at which nothing answers, for people; empty: none."""
    lacking = [p for p in ports if p.protocol != "TCP" or p.port not in carried]
    return ", ".join(f"{port.protocol} {port.port}" for port in lacking)


def cluster_labels(sites: Collection[str]) -> list[str]:
    """Names of sites as the DNS labels that ``status.clusters`` needs, each once."""
    found = ("".join(c if c.isalnum() else "-" for c in site.lower()).strip("-") for site in sites)
    return sorted({label[:63].strip("-") for label in found} - {""})
