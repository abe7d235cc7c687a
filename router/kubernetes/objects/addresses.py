"""Addresses where other sites reach the links of a site, for its tokens.

Skupper v1 computes the same from the same objects (skupper 1.9: client/connector_token_create.go).
If the ingress passes TLS through, only the host selects the destination, so each namespace has a
separate host.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from router.kubernetes.objects.names import ROUTER
from router.kubernetes.objects.objects import Object
from router.kubernetes.objects.picture import SiteOptions

LINK_PORT: Final = 55671
"""Link port of the Service `ROUTER`, as in Skupper."""
PASSTHROUGH_PORT: Final = 443
HOST_PREFIX: Final = "spillway"
"""First label of the host under ``ingress-host``; Skupper's is ``inter-router``."""
ENDPOINTS_MAX: Final = 8
"""A load balancer has one or two addresses; each further one may be tried in vain."""
EXPOSED_BY: Final[Mapping[str, str]] = {
    "route": "Route",
    "ingress": "Ingress",
    "nginx-ingress-v1": "Ingress",
}
"""The kind of the object named `ROUTER` whose host counts, by ingress."""

Endpoint = tuple[str, int]


class Addresses(msgspec.Struct, frozen=True):
    """Where links of a site can be dialed, best first; empty: nowhere yet.

    ``waiting``: the reason for that, and ``hint`` the next step.
    ``is_local``: only from within the cluster.
    """

    endpoints: tuple[Endpoint, ...] = ()
    waiting: str = ""
    hint: str = ""
    is_local: bool = False


def addresses(
    options: SiteOptions, namespace: str, service: Object | None, exposed: Object | None
) -> Addresses:
    """The addresses for the ingress of ``options``; ``service``: the one named `ROUTER`.

    ``exposed``: the object named `ROUTER` of the kind in `EXPOSED_BY`, if there is one.
    """
    if options.router_mode == "edge":
        return Addresses(
            waiting="an edge site accepts no links",
            hint="Make the token at another site, or set router-mode: interior",
        )
    match options.ingress:
        case "none":
            return Addresses(((f"{ROUTER}.{namespace}", LINK_PORT),), is_local=True)
        case "loadbalancer":
            return _load_balancer(options, service)
        case "nodeport":
            return _node_port(options, service)
        case "route":
            return _route(options, exposed)
        case _:
            return _ingress(options, namespace, exposed)


def link_host(options: SiteOptions, namespace: str) -> str:
    """The host of this site's links behind an ingress that passes TLS through.

    Derived from ``ingress-host`` (a domain that leads to the ingress) in the way of Skupper, so
    that one value fits all namespaces of a cluster. Empty: there is no ``ingress-host``.
    """
    return host_under(options, HOST_PREFIX, namespace)


def host_under(options: SiteOptions, first: str, namespace: str) -> str:
    """A host whose first label is ``first``, below ``ingress-host``; empty: there is none."""
    domain = _stated(options)[0]
    return f"{first}.{namespace}.{domain}" if domain else ""


def route_host(route: Object) -> str:
    """The host of a Route; empty: none yet."""
    hosts = [entry.get("host") for entry in entries(route, "status", "ingress")]
    hosts.append(_part(route, "spec", "host"))
    return next((host for host in hosts if isinstance(host, str) and host), "")


_NO_SERVICE: Final = Addresses(
    waiting=f"there is no Service/{ROUTER}",
    hint="If it does not come by itself: sitectl update, or what made the site",
)


def _load_balancer(options: SiteOptions, service: Object | None) -> Addresses:
    port = _port(service).get("port", LINK_PORT)
    given = [
        (host, port)
        for entry in entries(service, "status", "loadBalancer", "ingress")
        for host in (entry.get("hostname") or entry.get("ip"),)
        if isinstance(host, str) and host
    ]
    stated = _stated(options)
    if stated[0]:
        given.insert(0, (stated[0], stated[1] or port))
    if given:
        return Addresses(tuple(dict.fromkeys(given))[:ENDPOINTS_MAX])
    if service is None:
        return _NO_SERVICE
    return Addresses(
        waiting=f"Service/{ROUTER} has no address of a load balancer yet",
        hint="Without load balancers in this cluster choose another ingress of ConfigMap/"
        "skupper-site: nodeport with ingress-host, or none for links within the cluster",
    )


def _node_port(options: SiteOptions, service: Object | None) -> Addresses:
    host, stated_port = _stated(options)
    if not host:
        return Addresses(
            waiting="ingress is nodeport and ingress-host is not given",
            hint="Put the address of a node into ingress-host of ConfigMap/skupper-site",
        )
    port = stated_port or _port(service).get("nodePort", 0)
    if port:
        return Addresses(((host, port),))
    if service is None:
        return _NO_SERVICE
    return Addresses(
        waiting=f"Service/{ROUTER} has no node port yet",
        hint=f"Look at it with: kubectl get service {ROUTER}",
    )


def _route(options: SiteOptions, route: Object | None) -> Addresses:
    look = f"Look at it with: kubectl describe route {ROUTER}"
    if route is None:
        return Addresses(waiting=f"there is no Route/{ROUTER} yet", hint=look)
    hosts = []
    for entry in entries(route, "status", "ingress"):
        for condition in entries(entry, "conditions"):
            if condition.get("type") == "Admitted" and condition.get("status") == "False":
                said = condition.get("message") or condition.get("reason") or "no reason given"
                return Addresses(waiting=f"Route/{ROUTER} is not admitted: {said}", hint=look)
        hosts.append(entry.get("host"))
    hosts.append(_part(route, "spec", "host"))
    for host in hosts:
        if isinstance(host, str) and host:
            return Addresses(((host, PASSTHROUGH_PORT),))
    return Addresses(waiting=f"Route/{ROUTER} has no host yet", hint=look)


def _ingress(options: SiteOptions, namespace: str, ingress: Object | None) -> Addresses:
    port = _stated(options)[1] or PASSTHROUGH_PORT
    for rule in entries(ingress, "spec", "rules"):
        host = rule.get("host")
        if isinstance(host, str) and host:
            return Addresses(((host, port),))
    host = link_host(options, namespace)
    if host:
        return Addresses(((host, port),))
    return Addresses(
        waiting=f"ingress is {options.ingress} and ingress-host is not given",
        hint="Put the domain that leads to the ingress into ingress-host of ConfigMap/skupper-site",
    )


def _stated(options: SiteOptions) -> tuple[str, int]:
    """Host and port (0: none) of ``router-ingress-host``, else ``ingress-host``."""
    text = (options.router_ingress_host or options.ingress_host).strip()
    host, colon, port = text.rpartition(":")
    if colon and port.isascii() and port.isdigit() and int(port) <= 65_535:
        if host.startswith("[") and host.endswith("]"):
            return host[1:-1], int(port)
        if ":" not in host:
            return host, int(port)
    return text.removeprefix("[").removesuffix("]"), 0


def _port(service: Object | None) -> dict[str, int]:
    """The numbers of the Service's port for links."""
    ports = list(entries(service, "spec", "ports"))
    chosen = next((port for port in ports if port.get("port") == LINK_PORT), None)
    if chosen is None:
        chosen = ports[0] if ports else {}
    return {key: value for key, value in chosen.items() if isinstance(value, int) and value > 0}


def _part(found: object, *path: str) -> Any:
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def entries(found: object, *path: str) -> Iterator[Mapping[str, Any]]:
    """The mappings in the list at ``path`` of ``found``."""
    part = _part(found, *path)
    for entry in part if isinstance(part, list) else ():
        if isinstance(entry, Mapping):
            yield entry
