"""ServiceImports and derived Services that this namespace should have, as changes. Pure.

A derived Service leads to the routers, and its addresses are those of the cluster set. Its name is
the exported name with `names.SUFFIX`; the exported name itself is used only if no ServiceImport can
be written and the namespace has no Service of that name. A Service of a user is never touched. The
derived Service owns the ServiceImport, so that both are deleted together. Each named pod of a
headless service has a derived Service, too, and `slices` name all of them if they may be written.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import msgspec

from router.kubernetes.multicluster import conditions, slices
from router.kubernetes.multicluster.import_objects import import_status, service_import, updated
from router.kubernetes.multicluster.merging import MergedExport, merge
from router.kubernetes.multicluster.named_pods import NamedPod
from router.kubernetes.multicluster.names import (
    API_VERSION,
    EXPORT,
    IMPORT,
    SUFFIX,
    is_ours,
    marks,
    network_name,
    suffixed_name,
)
from router.kubernetes.objects import names
from router.kubernetes.objects.changes import Change, Create, delete, patch
from router.kubernetes.objects.findings import ObjectFindings
from router.kubernetes.objects.objects import (
    Object,
    Snapshot,
    annotations,
    is_going,
    labels,
    name_of,
    spec_of,
)
from router.kubernetes.services import adoption, owned_services
from router.kubernetes.services.inner_ports import as_text
from router.kubernetes.services.service_choice import is_service_name
from router.model.errors import ConfigError
from router.model.ids import ServiceKey
from router.model.messages.exports import HEADLESS, ExportedPort, Exports
from router.model.wording.plural import counted

LEFT_ALONE: Final = "SW0492"


class ImportState(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs of the plan beside the exports.

    ``inner``: ports where routers listen.
    ``taken``: names of Services here that belong to the network's other services.
    ``may_write``: ServiceImports are served and may be written, in ``api_version``.
    ``may_slice``: EndpointSlices may be written.
    ``is_settled``: False while a service without known exports may only be out of reach.
    ``now``: RFC 3339.
    """

    snapshot: Snapshot
    namespace: str
    inner: Mapping[ServiceKey, int]
    taken: Collection[str] = ()
    may_write: bool = False
    may_slice: bool = False
    api_version: str = API_VERSION
    is_settled: Callable[[str], bool] = lambda name: True
    now: str = ""


class ImportPlan(msgspec.Struct, frozen=True):
    """The plan for the imports.

    ``statuses`` of ServiceImports, by kind and name. ``merged`` exports to this namespace, by the
    network's name.
    ``names``: the network's, of imported services and pods.
    """

    changes: tuple[Change, ...]
    statuses: conditions.ReportedStatuses
    findings: tuple[ConfigError, ...]
    merged: Mapping[str, MergedExport]
    names: frozenset[str]


def plan(exports: Exports, state: ImportState) -> ImportPlan:
    """The changes with which the namespace imports ``exports``."""
    planner = _ImportPlanner(state)
    merged = imported(exports, state.namespace)
    for name, one in merged.items():
        planner.have(name, one)
    wanted = names_of(merged)
    planner.remove_others(wanted)
    return ImportPlan(
        tuple(planner.changes), planner.statuses, tuple(planner.findings), merged, wanted
    )


def names_of(merged: Mapping[str, MergedExport]) -> frozenset[str]:
    """The network's names of these services and of their named pods."""
    pods = (pod.name for name, one in merged.items() for pod in one.pods(name))
    return frozenset(merged) | frozenset(pods)


def imported(exports: Exports, namespace: str) -> dict[str, MergedExport]:
    """The ``exports`` that this namespace imports, each merged.

    An export under another service's name does not count: the owner of that name does not own this
    one.
    """
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
    """Builds one plan."""

    __slots__ = (
        "_derived",
        "_hindered",
        "_ours",
        "_slices",
        "_snapshot",
        "_state",
        "changes",
        "findings",
        "statuses",
    )

    def __init__(self, state: ImportState) -> None:
        self._state, self._snapshot = state, state.snapshot
        self._ours: dict[str, list[str]] = {}  # Our Services, by the network's name.
        for called, found in sorted(self._snapshot.of("Service").items()):
            if is_ours(found):
                self._ours.setdefault(labels(found)[names.CLUSTERSET_LABEL], []).append(called)
        self.changes: list[Change] = []
        self.findings: list[ConfigError] = []
        self.statuses: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._derived: set[str] = set()  # Names of derived Services that stay.
        self._slices: set[str] = set()  # Names of EndpointSlices that stay.
        self._hindered: dict[str, str] = {}  # Why one has no derived Service, by its name.

    def have(self, name: str, one: MergedExport) -> None:
        """Plan the derived Services and the ServiceImport of one service."""
        called = one.terms.service
        wanted = (called, suffixed_name(called))
        # With a ServiceImport, a user's Service may have the exported name.
        preferred = wanted[::-1] if self._state.may_write else wanted
        service = self._service(name, one, preferred, f"the service {called}")
        hosts: dict[str, dict[str, Object]] = {}
        for pod in one.pods(name):
            its = self._pod_service(pod, one)
            if its is not None:
                hosts.setdefault(pod.cluster, {})[pod.host] = its
        if self._state.may_write:
            self._import(name, one, service, hosts)

    def _pod_service(self, pod: NamedPod, one: MergedExport) -> Object | None:
        """The derived Service of one pod; while its cluster is out of reach, the existing one."""
        preferred = self._ours.get(pod.name, [])
        if pod.cluster:
            preferred = [*preferred, suffixed_name(f"{pod.host}-{pod.cluster}")]
        if not preferred:
            return None
        return self._service(
            pod.name, one, preferred, f"pod {pod.host} of the service {one.terms.service}"
        )

    def _service(
        self, name: str, one: MergedExport, preferred: Sequence[str], what: str
    ) -> Object | None:
        """The current derived Service; None: there is none yet, or none is possible.

        ``preferred``: candidates for its name; ``what``: its destination, human-readable.
        """
        chosen = self._name_for(name, preferred, what)
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

    def _name_for(self, name: str, preferred: Sequence[str], what: str) -> str | None:
        """Name of the derived Service; an existing one keeps its name. None: no name is free (yet).

        A Service into which another writer put a selector belongs to that writer from then on.
        """
        hindrances: dict[str, tuple[str, str]] = {}
        free: list[str] = []
        for candidate in dict.fromkeys(preferred):
            found = self._snapshot.get("Service", candidate)
            if found is not None and is_ours(found, name):
                if is_going(found):
                    return None
                if not owned_services.is_claimed(found):
                    return candidate
            hindrance = self._hindrance(candidate, found)
            if hindrance is None:
                free.append(candidate)
            else:
                hindrances[candidate] = hindrance
        if not free:
            by_length = sorted(hindrances, key=len)
            reasons = " and ".join(hindrances[each][0] for each in by_length)
            self._hindered[name] = reasons
            noted = ObjectFindings(f"Service/{by_length[-1]}")
            noted.add(
                "metadata.name",
                f"{reasons}, so {what} of other clusters cannot be reached here",
                hindrances[by_length[-1]][1],
                LEFT_ALONE,
            )
            self.findings += noted.errors
        return free[0] if free else None

    def _hindrance(self, called: str, found: Object | None) -> tuple[str, str] | None:
        """Why a derived Service cannot have that name, and the next step; None: it can."""
        if found is not None:
            leads_to_another = is_ours(found) or owned_services.is_made(found)
            if leads_to_another and not owned_services.is_claimed(found):
                hint = f"Rename the service that Service {called} leads to"
                return f"Service {called} leads to another service of the network", hint
            return f"Service {called} belongs to this namespace", f"Rename Service {called}"
        if not is_service_name(called):
            hint = "Rename the Service at the site that exports it"
            return f"{called} is no name that a Service may have", hint
        if called in self._state.taken or called in self._derived:
            return f"{called} is the name of another service here", f"Rename service {called}"
        if self._snapshot.get(EXPORT, called) is not None:
            hint = f"Delete ServiceExport {called}"
            return f"ServiceExport {called} exports that name from this namespace", hint
        return None

    def _import(
        self,
        name: str,
        one: MergedExport,
        service: Object | None,
        hosts: Mapping[str, Mapping[str, Object]],
    ) -> None:
        called = one.terms.service
        found = self._snapshot.get(IMPORT, called)
        if found is None:
            body = service_import(name, one, service, self._state.api_version)
            self.changes.append(Create(kind=IMPORT, name=called, body=body))
            return
        if not is_ours(found, name):
            self.findings.append(_foreign_import(called))
            return
        if is_going(found):
            return
        fresh = service_import(name, one, service, self._state.api_version)
        self._add(patch(found, updated(found, fresh)))
        told = self._pods(one, sum(map(len, hosts.values())))
        without = self._hindered.get(name) or "the derived Service has no address yet"
        self.statuses[IMPORT, called] = import_status(
            found, one, service, told, without, self._state.now
        )
        if service is not None and self._state.may_slice:
            sources = (
                slices.Source(cluster, hosts.get(cluster, {})) for cluster in one.clusters.values()
            )
            changes, kept = slices.planned(
                self._snapshot, name, found, service, one.terms.ports, sources
            )
            self.changes += changes
            self._slices |= kept

    def _pods(self, one: MergedExport, count: int) -> str:
        """How to reach the pods of a headless service, as part of a condition's message."""
        if one.terms.kind != HEADLESS:
            return ""
        if not count:
            return "; it is headless, and its pods have no names here"
        how = (
            "POD.CLUSTER before its name in clusterset.local"
            if self._state.may_slice
            else f"Service POD-CLUSTER{SUFFIX} alone, since EndpointSlices may not be written here"
        )
        return f"; {counted(count, 'pod')} by name: {how}"

    def remove_others(self, wanted: Collection[str]) -> None:
        """Remove our objects for services that no site exports any more."""
        for _, found in sorted(self._snapshot.of("Service").items()):
            name = labels(found).get(names.CLUSTERSET_LABEL, "")
            if not is_ours(found) or is_going(found) or self._stays(name, found, wanted):
                continue
            if owned_services.is_claimed(found):
                self._add(patch(found, owned_services.without_our_fields(found)))
            else:
                self.changes.append(delete(found))
        for _, found in sorted(self._snapshot.of(IMPORT).items()):
            name = labels(found).get(names.CLUSTERSET_LABEL, "")
            is_wanted = name in wanted or self._may_be_away(name, wanted)
            if self._state.may_write and is_ours(found) and not is_going(found) and not is_wanted:
                self.changes.append(delete(found))
        if self._state.may_slice:
            self.changes += slices.deletions(
                self._snapshot, self._slices, lambda name: self._may_be_away(name, wanted)
            )

    def _stays(self, name: str, found: Object, wanted: Collection[str]) -> bool:
        return name_of(found) in self._derived or self._may_be_away(name, wanted)

    def _may_be_away(self, name: str, wanted: Collection[str]) -> bool:
        """Whether exports of ``name`` may be unknown only because its sites are out of reach."""
        return name not in wanted and not self._state.is_settled(name)

    def _add(self, change: Change | None) -> None:
        if change is not None:
            self.changes.append(change)


def _service_ports(
    name: str, exported: Collection[ExportedPort], inner: Mapping[ServiceKey, int]
) -> list[dict[str, Any]]:
    """Ports where routers listen, with the names from the exports.

    If this site's own export has other ports than the owner's, its own are carried here.
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
    marked = marks(name)
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


def _remade(found: Object, fresh: Mapping[str, Any]) -> Object:
    """A derived Service with our part of it from ``fresh``."""
    spec = {**spec_of(found), **fresh["spec"]}
    del spec["type"], spec["ipFamilyPolicy"]  # Changes of these by others stay.
    kept = {k: v for k, v in spec_of(found).items() if k in ("type", "ipFamilyPolicy")}
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    there = {port["port"]: port for port in adoption.ports(found)}
    spec["ports"] = [{**_rest(there.get(port["port"])), **port} for port in spec["ports"]]
    marked = {**labels(found), **fresh["metadata"]["labels"]}
    noted = {**annotations(found), **fresh["metadata"]["annotations"]}
    return adoption.with_metadata(found, marked, noted) | {"spec": {**spec, **kept}}


def _rest(port: Mapping[str, Any] | None) -> dict[str, Any]:
    """The part of a port that is not ours."""
    return {} if port is None else {key: port[key] for key in ("nodePort",) if key in port}


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
