"""Rules between the fields of a kind, applied once each field is valid. Each reports its
violation."""

from router.documents import addresses, capacities
from router.documents.nodes import Findings, Mapping, Node
from router.documents.rate_rules import check_cap, check_rates
from router.model.rights.sharing import ALL
from router.model.settings import RESERVED_FIELDS, Affinity
from router.model.specs import (
    EVERY_HOST,
    ConnectorSpec,
    ConsoleSpec,
    ListenerSpec,
    PolicySpec,
    ServiceSpec,
    SitePolicySpec,
    SiteSpec,
    TargetSpec,
)


def _place(node: Mapping, key: str) -> Node:
    return node.get(key) or node


def check_policy(findings: Findings, node: Mapping, path: str, spec: PolicySpec) -> bool:
    if spec.weights and spec.name != "split":
        findings.add(
            _place(node, "weights"),
            f"{path}.weights",
            f"weights belong to policy 'split', this one is {spec.name!r}",
            "Remove the weights, or write name: split",
            "SW0105",
        )
        return False
    if spec.name == "split" and not spec.weights:
        findings.add(
            _place(node, "name"),
            f"{path}.weights",
            "policy 'split' needs weights by site",
            "Add them, for example weights: {a: 1, b: 1}",
            "SW0105",
        )
        return False
    share = spec.spill_at
    if share is not None and (spec.name == "failover" or not 0 < share < 1):
        findings.add(
            _place(node, "spillAt"),
            f"{path}.spillAt",
            "policy 'failover' leaves no site for its load"
            if spec.name == "failover"
            else "a site that spills at 0% or 100% has no reserve",
            "Remove spillAt, or write one like 80% beside another policy",
            "SW0105",
        )
        return False
    return True


def check_service(findings: Findings, node: Mapping, path: str, spec: ServiceSpec) -> bool:
    if not spec.ports:
        findings.add(_place(node, "ports"), f"{path}.ports", "expected at least one port")
        return False
    if len(set(spec.ports)) != len(spec.ports):
        findings.add(_place(node, "ports"), f"{path}.ports", "the same port stands twice")
        return False
    affinity = spec.affinity
    if affinity is not None and affinity.by != "client" and spec.protocol == "tcp":
        findings.add(
            _place(node, "affinity"),
            f"{path}.affinity",
            f"affinity by {affinity.by} needs protocol http: a tcp connection shows none",
            "Use affinity: {by: client}, or protocol: http",
        )
        return False
    if spec.request_id.lower() in RESERVED_FIELDS:
        findings.add(
            _place(node, "requestId"),
            f"{path}.requestId",
            f"{spec.request_id} means something else and cannot carry a request's id",
            "Use X-Request-Id",
        )
        return False
    if spec.request_id and spec.protocol == "tcp":
        findings.add(
            _place(node, "requestId"),
            f"{path}.requestId",
            "requestId needs protocol http: a tcp connection has no header fields",
            "Remove it, or use protocol: http",
        )
        return False
    if spec.sheddable and spec.protocol == "tcp":
        findings.add(
            _place(node, "sheddable"),
            f"{path}.sheddable",
            "sheddable needs protocol http: a tcp connection has no header fields",
            "Remove it, or use protocol: http",
        )
        return False
    if not spec.sheddable_share:
        findings.add(
            _place(node, "sheddableShare"),
            f"{path}.sheddableShare",
            "with 0% no sheddable request is ever served",
            "Write a share like 80%",
        )
        return False
    if spec.half_close != "cancel" and spec.protocol == "tcp":
        findings.add(
            _place(node, "halfClose"),
            f"{path}.halfClose",
            "halfClose needs protocol http: of tcp each direction ends by itself",
            "Remove it, or use protocol: http",
        )
        return False
    return True


def check_target(findings: Findings, node: Mapping, path: str, spec: TargetSpec) -> bool:
    if spec.port is not None and spec.ports:
        findings.add(_place(node, "ports"), path, "expected port or ports, got both")
        return False
    if spec.port is None and not spec.ports:
        findings.add(node, path, "field 'port' is missing", "For several ports: ports: [P1, P2]")
        return False
    return True


def check_connector(findings: Findings, node: Mapping, path: str, spec: ConnectorSpec) -> bool:
    seen: set[tuple[str, tuple[int, ...]]] = set()
    for target in spec.targets:
        key = (target.host, target_ports(target))
        if key in seen:
            findings.add(
                _place(node, "targets"),
                f"{path}.targets",
                f"target {target.host} port {key[1][0]} stands twice",
            )
            return False
        seen.add(key)
    if spec.namespace and not spec.workload.startswith("pods/"):
        findings.add(
            _place(node, "namespace"),
            f"{path}.namespace",
            "it belongs to a workload of the form pods/SELECTOR",
            "For a Service of another namespace: workload: service/NAME.NAMESPACE",
        )
        return False
    rates = capacities.connector_rates(spec)
    if spec.workload and not rates:
        return True  # Its pods may have their own.
    return check_rates(findings, node, path, rates, spec)


def check_listener(findings: Findings, node: Mapping, path: str, spec: ListenerSpec) -> bool:
    if spec.priority and spec.weighted:
        findings.add(
            _place(node, "weighted"),
            f"{path}.weighted",
            "a listener chooses among services by priority or by weight, not by both",
            "Remove one of priority and weighted",
        )
        return False
    if spec.service not in spec.services:
        key = "priority" if spec.priority else "weighted"
        findings.add(
            _place(node, key),
            f"{path}.{key}",
            f"service {spec.service!r} is not among them",
            "Name one of them as service",
        )
        return False
    if len(set(spec.priority)) < len(spec.priority):
        findings.add(
            _place(node, "priority"),
            f"{path}.priority",
            "a service is named twice",
            "Keep one of them",
        )
        return False
    return True


def check_site(findings: Findings, node: Mapping, path: str, spec: SiteSpec) -> bool:
    if spec.router_mode == "edge" and spec.ingress != "none":
        findings.add(
            _place(node, "routerMode"),
            f"{path}.routerMode",
            "an edge router accepts no links",
            "Add ingress: none, or use routerMode: interior",
        )
        return False
    if spec.workers != 1 and (spec.router_mode == "edge" or spec.peers):
        what = (
            "an edge router" if spec.router_mode == "edge" else "each router of a site with peers"
        )
        findings.add(
            _place(node, "workers"),
            f"{path}.workers",
            f"{what} is one process",
            "Remove workers, or the peers" if spec.peers else "Remove workers",
        )
        return False
    return True


def check_console(findings: Findings, node: Mapping, path: str, spec: ConsoleSpec) -> bool:
    if spec.auth == "unsecured" and not addresses.is_loopback(spec.bind):
        findings.add(
            _place(node, "auth"),
            f"{path}.auth",
            f"unsecured is for this machine alone, and {spec.bind} can be reached from others",
            "Use auth: internal, or bind: 127.0.0.1:8010",
        )
        return False
    if spec.auth == "unsecured" and EVERY_HOST in spec.hosts:
        findings.add(
            _place(node, "hosts"),
            f"{path}.hosts",
            "without a login the console must know its names: pages of others could look else",
            "Write the names",
        )
        return False
    return True


def check_affinity(findings: Findings, node: Mapping, path: str, spec: Affinity) -> bool:
    if spec.by == "header" and not spec.name:
        findings.add(node, path, "field 'name' is missing", "Name the header field")
        return False
    if spec.by == "client" and spec.name:
        place = _place(node, "name")
        findings.add(place, f"{path}.name", "a client's address has no name", "Remove it")
        return False
    return True


def check_site_policy(findings: Findings, node: Mapping, path: str, spec: SitePolicySpec) -> bool:
    """Grants need a named service, and other sites must get some slots; then the rules of a
    capacity.
    """
    nothing = {
        "reserveForOwn": "a reserve of 100%" if spec.reserve_for_own >= 1 else "",
        "maxShare": "a share of 0%" if spec.max_share <= 0 else "",
    }
    for key, what in nothing.items():
        if what:
            findings.add(
                _place(node, key),
                f"{path}.{key}",
                f"{what} leaves nothing to other sites",
                "Write exportTo: [], so that they know of nothing here",
                "SW0104",
            )
            return False
    if spec.service == ALL and spec.grants:
        findings.add(
            node.get("grants") or node,
            f"{path}.grants",
            "a grant is of one service, and service '*' is all of them",
            "Write a Policy for each service; exportTo of '*' lets sites call all of them",
            "SW0104",
        )
        return False
    return check_cap(findings, node, path, spec)


def target_ports(target: TargetSpec) -> tuple[int, ...]:
    """The ports of a target in the order of its service's ports."""
    return target.ports if target.port is None else (target.port,)
