"""Access of browsers to the console: its Service, and a Route or Ingress before it.

TLS goes through to the router, which has a certificate by the site's own CA. The objects have our
own name, not Skupper's ``skupper``: a site runs beside one of Skupper's.
"""

from typing import Final

from router.kubernetes.manifests.parts import CONSOLE_PORT_NAME as PORT_NAME
from router.kubernetes.manifests.parts import Json, metadata
from router.kubernetes.objects import names, oauth
from router.kubernetes.objects.console import PORT as CONSOLE_PORT
from router.kubernetes.objects.console import console_host, console_ingress
from router.kubernetes.objects.picture import SiteOptions

CONSOLE_KINDS: Final = ("Route", "Ingress", "Service")
"""Kinds of optional objects named `names.CONSOLE`."""
_SERVICE_TYPES: Final = {"loadbalancer": "LoadBalancer", "nodeport": "NodePort"}


def console_objects(options: SiteOptions, namespace: str, *, openshift: bool) -> list[Json]:
    """The objects of the console; none if the site has no console."""
    if not options.console:
        return []
    kind = console_ingress(options, openshift=openshift)
    objects = [_service(options, namespace, _SERVICE_TYPES.get(kind, "ClusterIP"))]
    if kind == "route":
        objects.append(_route(options, namespace))
    elif kind in ("ingress", "nginx-ingress-v1"):
        objects.append(_ingress(options, namespace, kind))
    return objects


def login_annotations(options: SiteOptions, *, openshift: bool) -> dict[str, str]:
    """Annotations of the router's ServiceAccount for OpenShift logins at the Route."""
    asks = options.console and options.console_authentication == "openshift"
    if not asks or console_ingress(options, openshift=openshift) != "route":
        return {}
    return {oauth.REFERENCE: oauth.redirect_reference()}


def _service(options: SiteOptions, namespace: str, service_type: str) -> Json:
    spec: Json = {
        "type": service_type,
        "ipFamilyPolicy": "PreferDualStack",
        "selector": {names.COMPONENT_LABEL: names.COMPONENT_ROUTER},
        "ports": [
            {
                "name": PORT_NAME,
                "port": CONSOLE_PORT,
                "protocol": "TCP",
                "targetPort": PORT_NAME,
            }
        ],
    }
    if options.routers > 1:
        spec["sessionAffinity"] = "ClientIP"  # Each router knows only its own logins.
    made = metadata(
        names.CONSOLE, namespace, labels=options.labels, annotations=options.annotations
    )
    return {"apiVersion": "v1", "kind": "Service", "metadata": made, "spec": spec}


def _route(options: SiteOptions, namespace: str) -> Json:
    annotations = {**options.annotations, **options.ingress_annotations}
    spec: Json = {
        "to": {"kind": "Service", "name": names.CONSOLE, "weight": 100},
        "port": {"targetPort": PORT_NAME},
        "tls": {"termination": "passthrough", "insecureEdgeTerminationPolicy": "Redirect"},
        "wildcardPolicy": "None",
    }
    host = console_host(options, namespace)
    if host:
        spec["host"] = host
    made = metadata(names.CONSOLE, namespace, labels=options.labels, annotations=annotations)
    return {"apiVersion": "route.openshift.io/v1", "kind": "Route", "metadata": made, "spec": spec}


def _ingress(options: SiteOptions, namespace: str, kind: str) -> Json:
    annotations = {**options.annotations, **options.ingress_annotations}
    # The controller must be started with --enable-ssl-passthrough.
    annotations.setdefault("nginx.ingress.kubernetes.io/ssl-passthrough", "true")
    annotations.setdefault("nginx.ingress.kubernetes.io/ssl-redirect", "true")
    backend = {"service": {"name": names.CONSOLE, "port": {"name": PORT_NAME}}}
    rule: Json = {"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    host = console_host(options, namespace)
    if host:
        rule["host"] = host
    spec: Json = {"rules": [rule]}
    if kind == "nginx-ingress-v1":
        spec["ingressClassName"] = "nginx"
    made = metadata(names.CONSOLE, namespace, labels=options.labels, annotations=annotations)
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": made, "spec": spec}
