"""Access of other sites to the router: its Service, and a Route, Ingress or HTTPProxy before it."""

from typing import Final

from router.kubernetes.manifests.parts import CONSOLE_PORT_NAME, Json, metadata, own_labels
from router.kubernetes.objects import names
from router.kubernetes.objects.addresses import LINK_PORT, link_host
from router.kubernetes.objects.picture import SiteOptions

_SERVICE_TYPES: Final = {"loadbalancer": "LoadBalancer", "nodeport": "NodePort"}


def ingress_kind(options: SiteOptions, *, openshift: bool) -> str:
    """The kind of ingress of a site; by default Skupper v1's choice."""
    if options.router_mode == "edge":
        return "none"  # No site links to an edge.
    return options.ingress or ("route" if openshift else "loadbalancer")


def access(options: SiteOptions, namespace: str, *, openshift: bool) -> list[Json]:
    """The Service of the link port, and the object in front of it."""
    kind = ingress_kind(options, openshift=openshift)
    objects = [_service(options, namespace, kind)]
    host = link_host(options, namespace)
    if kind == "route":
        objects.append(_route(options, namespace, host))
    elif kind in ("ingress", "nginx-ingress-v1"):
        objects.append(_ingress(options, namespace, host, kind))
    elif kind == "contour-http-proxy" and host:
        objects.append(_http_proxy(options, namespace, host))
    return objects


def _service(options: SiteOptions, namespace: str, kind: str) -> Json:
    annotations = {**options.annotations, **options.router_service_annotations}
    made = metadata(names.ROUTER, namespace, labels=options.labels, annotations=annotations)
    service_type = _SERVICE_TYPES.get(kind, "ClusterIP")
    spec: Json = {
        "type": service_type,
        "ipFamilyPolicy": "PreferDualStack",
        "selector": {names.COMPONENT_LABEL: names.COMPONENT_ROUTER},
        "ports": [
            {"name": "link", "port": LINK_PORT, "protocol": "TCP", "targetPort": "link"},
        ],
    }
    if options.routers > 1:
        spec["sessionAffinity"] = "ClientIP"  # The lanes of a link belong to one router.
    if service_type == "LoadBalancer" and options.router_load_balancer_ip:
        spec["loadBalancerIP"] = options.router_load_balancer_ip
    return {"apiVersion": "v1", "kind": "Service", "metadata": made, "spec": spec}


def _route(options: SiteOptions, namespace: str, host: str) -> Json:
    annotations = {**options.annotations, **options.ingress_annotations}
    spec: Json = {
        "to": {"kind": "Service", "name": names.ROUTER, "weight": 100},
        "port": {"targetPort": "link"},
        "tls": {"termination": "passthrough", "insecureEdgeTerminationPolicy": "None"},
        "wildcardPolicy": "None",
    }
    if host:
        spec["host"] = host
    return {
        "apiVersion": "route.openshift.io/v1",
        "kind": "Route",
        "metadata": metadata(
            names.ROUTER, namespace, labels=options.labels, annotations=annotations
        ),
        "spec": spec,
    }


def _ingress(options: SiteOptions, namespace: str, host: str, kind: str) -> Json:
    annotations = {**options.annotations, **options.ingress_annotations}
    spec: Json = {}
    if kind == "nginx-ingress-v1":
        spec["ingressClassName"] = "nginx"
    # The controller must be started with --enable-ssl-passthrough.
    annotations.setdefault("nginx.ingress.kubernetes.io/ssl-passthrough", "true")
    annotations.setdefault("nginx.ingress.kubernetes.io/ssl-redirect", "true")
    backend = {"service": {"name": names.ROUTER, "port": {"name": "link"}}}
    rule: Json = {"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    if host:
        rule["host"] = host
    spec["rules"] = [rule]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": metadata(
            names.ROUTER, namespace, labels=options.labels, annotations=annotations
        ),
        "spec": spec,
    }


def _http_proxy(options: SiteOptions, namespace: str, host: str) -> Json:
    annotations = {**options.annotations, **options.ingress_annotations}
    return {
        "apiVersion": "projectcontour.io/v1",
        "kind": "HTTPProxy",
        "metadata": metadata(
            names.ROUTER, namespace, labels=options.labels, annotations=annotations
        ),
        "spec": {
            "virtualhost": {"fqdn": host, "tls": {"passthrough": True}},
            "tcpproxy": {"services": [{"name": names.ROUTER, "port": LINK_PORT}]},
        },
    }


def network_policy(options: SiteOptions, namespace: str) -> Json:
    """Admits links and browsers from anywhere, services from here, scrapers from theirs."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(
            names.ROUTER, namespace, labels=options.labels, annotations=options.annotations
        ),
        "spec": {
            "podSelector": {"matchLabels": own_labels(names.COMPONENT_ROUTER)},
            "policyTypes": ["Ingress"],
            "ingress": [
                {"ports": [{"port": "link", "protocol": "TCP"}]},
                {"from": [{"podSelector": {}}]},
                {"ports": [{"port": CONSOLE_PORT_NAME, "protocol": "TCP"}]},  # Requires a login.
                {
                    "ports": [{"port": "probes", "protocol": "TCP"}],
                    "from": [
                        {"namespaceSelector": {"matchLabels": dict([label])}} for label in READERS
                    ],
                },
            ],
        },
    }


READERS: Final = (
    ("kubernetes.io/metadata.name", "monitoring"),
    ("network.openshift.io/policy-group", "monitoring"),
    ("kubernetes.io/metadata.name", "keda"),
    ("kubernetes.io/metadata.name", "openshift-keda"),
)
"""Labels of namespaces that scrape metrics or ask for demand."""
