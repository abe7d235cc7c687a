"""The console's URL for browsers, from a site's options and objects."""

from typing import Final

from router.kubernetes.objects import names
from router.kubernetes.objects.addresses import entries, host_under, route_host
from router.kubernetes.objects.objects import Object
from router.kubernetes.objects.picture import SiteOptions
from router.model.addresses import join

PORT: Final = 8010
"""The console port of Skupper v1."""
HOST_PREFIX: Final = "spillway-console"
"""First label of the host under ``ingress-host``."""
EXPOSED_BY: Final = {"route": "Route", "ingress": "Ingress", "nginx-ingress-v1": "Ingress"}
USERS_PLACE: Final = f"Secret/{names.CONSOLE_USERS_SECRET}"


def console_ingress(options: SiteOptions, *, openshift: bool) -> str:
    """The kind of ingress of the console; by default that of links."""
    kind = options.console_ingress or options.ingress or ("route" if openshift else "loadbalancer")
    return "none" if kind == "contour-http-proxy" else kind


def console_host(options: SiteOptions, namespace: str) -> str:
    """The console's host behind an ingress that passes TLS through. Empty: no ``ingress-host``."""
    return host_under(options, HOST_PREFIX, namespace)


def service_names(namespace: str) -> tuple[str, ...]:
    """Names of the console's Service within the cluster."""
    name = names.CONSOLE
    return (name, *(f"{name}.{namespace}{rest}" for rest in ("", ".svc", ".svc.cluster.local")))


def console_url(
    options: SiteOptions, namespace: str, service: Object | None, exposed: Object | None
) -> str:
    """The URL to open; only valid within the cluster unless the console is exposed.

    ``exposed``: the object named `names.CONSOLE` of the kind in `EXPOSED_BY`, if there is one.
    """
    kind = console_ingress(options, openshift=exposed is not None)
    host = ""
    if kind == "route" and exposed is not None:
        host = route_host(exposed)
    elif kind in ("ingress", "nginx-ingress-v1"):
        host = console_host(options, namespace)
    if host:
        return f"https://{host}/"
    if kind == "loadbalancer":
        for entry in entries(service, "status", "loadBalancer", "ingress"):
            found = entry.get("hostname") or entry.get("ip")
            if isinstance(found, str) and found:
                return f"https://{join(found, PORT)}/"
    if kind == "nodeport" and options.ingress_host:
        for port in entries(service, "spec", "ports"):
            number = port.get("nodePort")
            if isinstance(number, int) and number:
                return f"https://{join(options.ingress_host.partition(':')[0], number)}/"
    return f"https://{names.CONSOLE}.{namespace}:{PORT}/"
