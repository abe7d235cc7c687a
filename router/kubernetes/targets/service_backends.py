"""Backends of a Service: endpoints of its slices, pods of its selector, or another host."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from router.kubernetes.objects.objects import Object, Snapshot, labels, spec_of
from router.kubernetes.objects.selectors import of_labels
from router.kubernetes.objects.texts import selector_text
from router.kubernetes.services import adoption
from router.kubernetes.services.endpoint_slices import MANAGER_LABEL, Family, is_ours
from router.kubernetes.services.headless import SERVICE_NAME_LABEL
from router.kubernetes.targets.pods import (
    NoPort,
    has_ended,
    is_leaving,
    is_router,
    still_serves,
    target,
    why_not_ready,
)
from router.kubernetes.targets.search import (
    LOOP,
    NO_PODS,
    NO_PORT,
    NO_WORKLOAD,
    PORTS_FIELD,
    TARGETS_FIELD,
    WORKLOAD_FIELD,
    Needs,
    Search,
    nearest_names,
)

CONTROLLERS: Final = frozenset(("endpointslice-controller.k8s.io",))
"""Controllers that make slices from selectors."""


class Port(msgspec.Struct, frozen=True):
    """One port of a Service. ``target``: number or name at its pods."""

    number: int
    name: str
    target: int | str


def slices_by_service(snapshot: Snapshot) -> dict[str, list[Object]]:
    """EndpointSlices by Service, without ours, which lead to the routers."""
    found: dict[str, list[Object]] = {}
    for _, each in sorted(snapshot.of("EndpointSlice").items()):
        service = labels(each).get(SERVICE_NAME_LABEL)
        if service and not is_ours(each):
            found.setdefault(service, []).append(each)
    return found


def of_service(search: Search, name: str) -> Needs:
    """Gather the targets of Service ``name``, or ``name.namespace``, with or without ``.svc…``."""
    name, _, rest = name.partition(".")
    namespace = rest.partition(".svc")[0]
    snapshot = search.view.snapshot
    if namespace and namespace != snapshot.namespace:
        _elsewhere(search, f"{name}.{namespace}.svc")
        return Needs()
    needs = Needs(workload=("Service", name))
    found = snapshot.get("Service", name)
    if found is None:
        if "Service" in snapshot.missing:
            search.cannot_read("Service")
        else:
            search.find(
                WORKLOAD_FIELD,
                f"there is no Service {name}",
                nearest_names(search.view, "Service"),
                NO_WORKLOAD,
            )
        return needs
    is_adopted = adoption.is_adopted(found)
    service = adoption.before(found)
    search.with_capacity_of(service)
    spec = spec_of(service)
    if adoption.leads_to_routers(service):
        search.find(
            WORKLOAD_FIELD,
            f"Service {name} leads to the routers of this site",
            "Name the workload that answers, for example deployment/NAME",
            LOOP,
        )
        return needs
    if spec.get("type") == "ExternalName":
        own = _external(search, spec)
        return Needs(workload=needs.workload, also=("Service", own))
    ports = _chosen(search, _ports(spec), f"Service {name}")
    if isinstance(ports, NoPort):
        search.no_port(ports, f"Service {name}")
        return needs
    selector = of_labels(spec.get("selector"))
    if selector.terms and (is_adopted or "EndpointSlice" in snapshot.missing):
        not_ready = search.spec.not_ready or bool(spec.get("publishNotReadyAddresses"))
        wanted = [port.target for port in ports]
        # An adopted Service shows the routers' selector, so the finding quotes the original.
        of = f"Service {name} with selector {selector_text(spec['selector'])}"
        search.add_pods(selector, lambda pod: wanted, of, not_ready=not_ready)
        return Needs(workload=needs.workload, selector=selector)
    if "EndpointSlice" in snapshot.missing:
        search.cannot_read("EndpointSlice")
        return needs
    slices = [
        each
        for each in search.view.slices.get(name, ())
        if not (is_adopted and labels(each).get(MANAGER_LABEL) in CONTROLLERS)
    ]
    pods = _of_slices(search, slices, ports, spec, name)
    return Needs(workload=needs.workload, service=name, pods=pods)


def without_loops(search: Search) -> None:
    """Leave out targets of the document whose host is a Service that leads to the routers."""
    kept = []
    for each in search.targets:
        if _leads_back(search.view.snapshot, each.host):
            _loops(search, each.host, TARGETS_FIELD)
        else:
            kept.append(each)
    search.targets = kept


def _leads_back(snapshot: Snapshot, host: str) -> bool:
    """Whether ``host`` is the name, in any form, of a Service here that leads to the routers."""
    service = snapshot.get("Service", _name_here(snapshot, host))
    return service is not None and adoption.leads_to_routers(service)


def _name_here(snapshot: Snapshot, host: str) -> str:
    """The Service of this namespace that ``host`` names; empty: another host."""
    name, *rest = host.rstrip(".").split(".")
    is_here = rest[:1] in ([], [snapshot.namespace]) and rest[1:2] in ([], ["svc"])
    return name if is_here else ""


def _loops(search: Search, host: str, field: str) -> None:
    search.find(
        field,
        f"its target {host} is a Service that leads to the routers of this site",
        "Name what answers: workload: service/NAME for what a Service led to before, or "
        "deployment/NAME",
        LOOP,
    )


def _elsewhere(search: Search, host: str) -> None:
    """Add a Service of another namespace, which we may not read, by its name in DNS."""
    named = [port for port in search.spec.target_ports if isinstance(port, str)]
    if named:
        search.no_port(NoPort("", named[0], ""), f"{host}, whose port names are not known here,")
        return
    ports = tuple(port for port in search.spec.target_ports if isinstance(port, int))
    search.add(target(host, ports, None))


def _external(search: Search, spec: Mapping[str, Any]) -> str:
    """Add an external name, at the ports of the Service if it has any.

    Returns the Service of this namespace that the name may mean: a change of it requires a new
    search.
    """
    host = str(spec.get("externalName", ""))
    own = _name_here(search.view.snapshot, host)
    if _leads_back(search.view.snapshot, host):
        _loops(search, host, WORKLOAD_FIELD)
        return own
    declared = _ports(spec)
    ports = _chosen(search, declared, "it") if declared else search.spec.target_ports
    if isinstance(ports, NoPort):
        search.no_port(ports, "the ExternalName Service")
        return own
    numbers = tuple(
        port.number if isinstance(port, Port) else port
        for port in ports
        if not isinstance(port, str)
    )
    search.add(target(host, numbers, None))
    return own


def _ports(spec: Mapping[str, Any]) -> tuple[Port, ...]:
    found: list[Port] = []
    for entry in spec.get("ports") or ():
        number = entry.get("port")
        if isinstance(number, int) and entry.get("protocol", "TCP") == "TCP":
            found.append(Port(number, entry.get("name") or "", entry.get("targetPort") or number))
    return tuple(found)


def _chosen(search: Search, declared: Sequence[Port], of: str) -> tuple[Port, ...] | NoPort:
    """The Service's ports that the service's ports lead to, in their order."""
    wanted: Sequence[int | str] = search.spec.target_ports
    own = search.service_ports
    if not wanted:
        numbers = {port.number for port in declared}
        if own is None or (len(own) == len(declared) and not numbers.issuperset(own)):
            return tuple(declared)
        wanted = own
    if not declared:  # A headless Service may declare none.
        return tuple(Port(port, "", port) for port in wanted if isinstance(port, int))
    found: list[Port] = []
    for asked in wanted:
        port = _match(asked, declared)
        if port is None:
            known = ", ".join(
                f"{p.name} ({p.number})" if p.name else f"{p.number}" for p in declared
            )
            return NoPort(of, asked, known)
        found.append(port)
    return tuple(found)


def _match(asked: int | str, declared: Iterable[Port]) -> Port | None:
    """The port of a Service by number or name, else by the port of its pods."""
    known = list(declared)
    for port in known:
        if asked in (port.number, port.name):
            return port
    return next((port for port in known if port.target == asked), None)


def _families(spec: Mapping[str, Any], ours: Sequence[Family]) -> list[Family]:
    """Address families in the Service's order, as far as this site has them."""
    listed = spec.get("ipFamilies") or ()
    first = [family for family in listed if family in ours]
    return [*first, *(family for family in ours if family not in first)]


def _of_slices(
    search: Search,
    slices: Sequence[Object],
    ports: Sequence[Port],
    spec: Mapping[str, Any],
    service: str,
) -> frozenset[str]:
    """Add endpoints of one family, so that a pod with two addresses counts once; the pods read.

    ``spec``: of ``service``.
    """
    families = _families(spec, search.view.families)
    by_type: dict[str, list[Object]] = {}
    for each in slices:
        if each.get("endpoints"):
            by_type.setdefault(str(each.get("addressType")), []).append(each)
    family = next((name for name in (*families, "FQDN") if name in by_type), None)
    if family is None:
        search.find(
            WORKLOAD_FIELD,
            f"Service {service} has no endpoint"
            + (f" of {' or '.join(families)}" if by_type else ""),
            "Check its selector and its pods: kubectl get endpointslices"
            if spec.get("selector")
            else "It has no selector: write its EndpointSlices, or give it a selector",
            NO_PODS,
        )
        return frozenset()
    is_any = not spec.get("ports")  # A headless Service without ports: the requested ones.
    looked_at: set[str] = set()
    lacking: Port | None = None
    for each in by_type[family]:
        numbers = tuple(port.number for port in ports) if is_any else _numbers(each, ports)
        if isinstance(numbers, Port):
            lacking = lacking or numbers
            continue
        for endpoint in each.get("endpoints") or ():
            looked_at.add(_take(search, endpoint, numbers))
    if lacking is not None and not search.targets:
        search.find(
            PORTS_FIELD,
            f"no endpoint of Service {service} has its port {lacking.name or lacking.number} "
            f"(targetPort {lacking.target})",
            "Compare spec.ports of the Service with the ports that its pods declare",
            NO_PORT,
        )
    return frozenset(looked_at - {""})


def _numbers(found: Object, ports: Iterable[Port]) -> tuple[int, ...] | Port:
    """The slice's numbers for ``ports``, matched by name; a port that the slice lacks.

    A slice lacks the ports whose targets its pods do not declare by name.
    """
    by_name = {
        entry.get("name") or "": entry.get("port")
        for entry in found.get("ports") or ()
        if entry.get("protocol", "TCP") == "TCP"
    }
    numbers: list[int] = []
    for port in ports:
        if port.name not in by_name:
            return port
        number = by_name[port.name]  # None: any port.
        numbers.append(number if isinstance(number, int) else port.number)
    return tuple(numbers)


def _take(search: Search, endpoint: Mapping[str, Any], ports: tuple[int, ...]) -> str:
    """Add the endpoint if it still serves; the name of its pod, empty: it has none."""
    reference = endpoint.get("targetRef")
    reference = reference if isinstance(reference, dict) else {}
    name = str(reference.get("name", "")) if reference.get("kind") == "Pod" else ""
    pod = search.view.pods.get(name) if name else None
    conditions = endpoint.get("conditions") or {}
    addresses = endpoint.get("addresses") or ()
    # Missing means ready (EndpointSlice, conditions).
    takes = conditions.get("ready") is not False or search.spec.not_ready
    # Serving is about terminating endpoints; missing, it equals ready.
    serving = conditions.get("serving")
    serves = (conditions.get("ready") if serving is None else serving) is not False
    leaves = bool(conditions.get("terminating"))
    if pod is not None:
        search.check_capacity(pod)
        if is_router(pod) or has_ended(pod):
            return name
        if is_leaving(pod):  # Its slice may be late.
            leaves, serves = True, serves and still_serves(pod)
    if not addresses:
        return name
    if leaves and serves:
        search.add_leaving(str(addresses[0]), ports, pod, name)
    elif not leaves:
        why = why_not_ready(pod) if name else "its endpoint is not ready"
        unusable = "" if takes else why
        search.add(target(str(addresses[0]), ports, pod, name, unusable=unusable))
    return name
