"""Every key of ConfigMap ``skupper-site``: its reader, its field, or why it has no effect.

The keys are those of Skupper 1.9 (``pkg/site/site.go``), its older ones, and ours. The table in
docs/kubernetes-skupper.md is made from this one.
"""

from typing import Final

import msgspec

from router.documents.fields import default_text, value_text
from router.documents.schema import SHAPES
from router.kubernetes.objects import texts
from router.kubernetes.objects.texts import TextReader
from router.model import limits
from router.model.errors import Severity
from router.model.specs import SiteSpec

INGRESSES: Final = (
    *("loadbalancer", "nodeport", "route", "ingress", "nginx-ingress-v1", "contour-http-proxy"),
    "none",
)


class SiteKey(msgspec.Struct, frozen=True, kw_only=True):
    """One key. ``default``: the human-readable default.

    A key with ``field`` has an effect: on that field of `SiteOptions`, or of `SiteSpec` if
    ``of_site``. Without a field, ``why`` has the reason, unless the value is one of ``quiet``,
    which ask for no change; ``severity`` is that of the finding.

    ``if_wrong``: replaces an unreadable value, if that is not the default.
    ``refused``: known values that are not supported: the reason, and the value used instead.
    ``pairs``: split at ``annotation-separator``.
    ``opens``: it controls access to the site, so the site stays unchanged while it is unreadable.
    """

    key: str
    default: str
    read: TextReader = texts.any_text
    field: str = ""
    of_site: bool = False
    note: str = ""
    why: str = ""
    quiet: tuple[str, ...] = ()
    severity: Severity = "warning"
    refused: dict[str, tuple[str, str]] = {}
    pairs: bool = False
    if_wrong: str = ""
    opens: bool = False


def _no_pod(prefix: str, why: str) -> tuple[SiteKey, ...]:
    """The four resources of a container that does not exist here."""
    return tuple(
        SiteKey(key=f"{prefix}-{part}", default="–", read=texts.quantity, why=why)
        for part in ("cpu", "memory", "cpu-limit", "memory-limit")
    )


_NO_CONTROLLER = "the router is its own controller: there is no such pod"
_NO_COLLECTOR = "flows are collected by the router itself: there is no such pod"
_NO_PROMETHEUS = "Spillway deploys no Prometheus; its routers answer /metrics"
_NO_AMQP = "there is no AMQP between Spillway's routers; streams have windows of their own"
_COUNT = texts.integer(0, 1_000_000_000)

_IF_WRONG: Final = {"sharing": "strict"}
"""Values that replace a mistyped one that would open the site."""

KEYS: Final = (
    SiteKey(key="name", default="the namespace", read=texts.name, field="name"),
    SiteKey(
        key="router-mode",
        default="interior",
        read=texts.words("interior", "edge"),
        field="router_mode",
        note="`edge` accepts no links: `ingress` is `none` then",
    ),
    SiteKey(
        key="edge",
        default="false",
        read=texts.boolean,
        note="older than `router-mode`, which comes first: `true` is `router-mode: edge`",
        field="router_mode",
    ),
    SiteKey(
        key="ingress",
        opens=True,
        default="route on OpenShift, else loadbalancer",
        read=texts.words(*INGRESSES),
        field="ingress",
        note="`none`: links are accepted from inside the cluster only. While this, `cluster-local` "
        "or `console-ingress` cannot be read, the site controller and `sitectl` leave the site as "
        "it is",
    ),
    SiteKey(
        key="cluster-local",
        opens=True,
        default="false",
        read=texts.boolean,
        note="older than `ingress`, which comes first: `true` is `ingress: none`",
        field="ingress",
    ),
    SiteKey(key="ingress-host", default="–", read=texts.host, field="ingress_host"),
    SiteKey(
        key="ingress-annotations",
        default="–",
        read=texts.annotation_pairs,
        pairs=True,
        field="ingress_annotations",
    ),
    SiteKey(
        key="annotation-separator",
        default="`,`",
        note="splits the values of all `*-annotations`; a backslash keeps the character after it",
        field="annotation_separator",
    ),
    SiteKey(
        key="routers",
        default="1",
        read=texts.integer(0, limits.ROUTERS_PER_SITE_MAX),
        field="routers",
        note="`0` is 1, as in Skupper",
    ),
    SiteKey(
        key="create-network-policy",
        default="false",
        read=texts.boolean,
        field="create_network_policy",
    ),
    SiteKey(
        key="cluster-permissions", default="false", read=texts.boolean, field="cluster_permissions"
    ),
    SiteKey(
        key="run-as-user",
        default="the image's",
        read=texts.integer(1, 2**31 - 1),
        field="run_as_user",
        note="0, root, is refused",
    ),
    SiteKey(
        key="run-as-group",
        default="the image's",
        read=texts.integer(1, 2**31 - 1),
        field="run_as_group",
    ),
    SiteKey(
        key="service-controller",
        default="true",
        read=texts.boolean,
        field="service_controller",
        note="`false`: annotations count for nothing, no Service is made or changed",
    ),
    SiteKey(key="service-sync", default="true", read=texts.boolean, field="service_sync"),
    SiteKey(
        key="service-sync-site-ttl",
        default="3m",
        read=texts.duration(0.0, 30 * 86_400.0),
        field="service_sync_site_ttl_s",
        note="less than 1m counts as 1m, as in Skupper",
    ),
    SiteKey(key="console", default="false", read=texts.boolean, field="console"),
    SiteKey(
        key="console-authentication",
        default="internal",
        read=texts.words("internal", "unsecured", "openshift"),
        field="console_authentication",
        note="`openshift`: OpenShift's OAuth server is asked; without one internal is used, SW0472",
        refused={
            "unsecured": (
                "anyone who reaches the console would see the whole network; internal is used",
                "internal",
            ),
        },
    ),
    SiteKey(key="console-user", default="admin", field="console_user"),
    SiteKey(
        key="console-password",
        default="random",
        field="console_password",
        note="counts where there is no Secret `skupper-console-users` yet",
    ),
    SiteKey(
        key="console-ingress",
        opens=True,
        default="that of `ingress`",
        read=texts.words(*INGRESSES),
        field="console_ingress",
        refused={
            "contour-http-proxy": (
                "contour-http-proxy needs objects of Contour, which are not made; none is used",
                "none",
            )
        },
    ),
    SiteKey(
        key="rest-api",
        default="that of `console`",
        read=texts.boolean,
        why="the admin API is always there, for who may reach the router",
        quiet=("true", "false"),
    ),
    SiteKey(
        key="flow-collector",
        default="false",
        read=texts.boolean,
        why="flows are built in",
        quiet=("true", "false"),
    ),
    SiteKey(
        key="flow-collector-record-ttl",
        default="15m",
        read=texts.duration(0.0, 365 * 86_400.0),
        why="the router keeps the flows of now, metrics tell of the past",
        quiet=("15m", "15m0s"),
    ),
    *_no_pod("flow-collector", _NO_COLLECTOR),
    SiteKey(key="prometheus-external-server", default="–", why=_NO_PROMETHEUS),
    SiteKey(
        key="prometheus-server-authentication",
        default="tls",
        read=texts.words("tls", "basic", "unsecured"),
        why=_NO_PROMETHEUS,
        quiet=("tls",),
    ),
    SiteKey(key="prometheus-server-user", default="–", why=_NO_PROMETHEUS),
    SiteKey(key="prometheus-server-password", default="–", why=_NO_PROMETHEUS),
    SiteKey(
        key="prometheus-server-pod-annotations",
        default="–",
        read=texts.annotation_pairs,
        pairs=True,
        why=_NO_PROMETHEUS,
    ),
    *_no_pod("prometheus-server", _NO_PROMETHEUS),
    SiteKey(
        key="router-logging",
        default="info",
        read=texts.log_levels,
        field="router_logging",
        note="`LEVEL` or `MODULE:LEVEL,…`; the modules are Skupper's, the finest level counts",
    ),
    SiteKey(
        key="router-console",
        default="false",
        read=texts.boolean,
        why="the router has no console beside `console`",
        quiet=("false",),
    ),
    SiteKey(
        key="router-debug-mode",
        default="–",
        why="there is no debugger in the image: sitectl debug dump",
    ),
    SiteKey(
        key="router-data-connection-count",
        default="automatic",
        read=_COUNT,
        why="a link has as many data lanes as its routers have processes",
    ),
    SiteKey(
        key="xp-router-max-frame-size", default="16384", read=_COUNT, why=_NO_AMQP, quiet=("16384",)
    ),
    SiteKey(
        key="xp-router-max-session-frames",
        default="640",
        read=_COUNT,
        why=_NO_AMQP,
        quiet=("640",),
    ),
    SiteKey(key="router-ingress-host", default="–", read=texts.host, field="router_ingress_host"),
    SiteKey(
        key="router-load-balancer-ip", default="–", read=texts.ip, field="router_load_balancer_ip"
    ),
    SiteKey(
        key="router-service-annotations",
        default="–",
        read=texts.annotation_pairs,
        pairs=True,
        field="router_service_annotations",
    ),
    SiteKey(
        key="router-pod-annotations",
        default="–",
        read=texts.annotation_pairs,
        pairs=True,
        field="router_pod_annotations",
    ),
    SiteKey(
        key="router-disable-mutual-tls",
        default="false",
        read=texts.boolean,
        why="refused: links are mutual TLS, always; any host could join the network else",
        quiet=("false",),
        severity="error",
    ),
    SiteKey(
        key="router-drop-tcp-connections",
        default="false",
        read=texts.boolean,
        why="connections of a service that goes are drained",
        quiet=("false",),
    ),
    *(
        SiteKey(
            key=f"router-{part}",
            default=default,
            read=texts.quantity,
            field=f"router_{part.replace('-', '_')}",
        )
        for part, default in (("cpu", "100m"), ("memory", "128Mi"), ("cpu-limit", "2"))
    ),
    SiteKey(
        key="router-memory-limit",
        default="512Mi",
        read=texts.memory_from(limits.MEMORY_LIMIT_BYTES_MIN),
        field="router_memory_limit",
        note="96Mi at least: with less, a router is killed, or refuses all requests",
    ),
    *(
        SiteKey(
            key=f"router-{part}",
            default="–",
            read=texts.label_pairs,
            field=f"router_{part.replace('-', '_')}",
        )
        for part in ("pod-affinity", "pod-antiaffinity", "node-selector")
    ),
    *_no_pod("controller", _NO_CONTROLLER),
    *(
        SiteKey(key=f"controller-{part}", default="–", why=_NO_CONTROLLER)
        for part in (
            *("pod-affinity", "pod-antiaffinity", "node-selector", "ingress-host"),
            *("load-balancer-ip", "service-annotations", "pod-annotations"),
        )
    ),
    *_no_pod("config-sync", "certificates reach the router without a sidecar"),
    SiteKey(
        key="enable-skupper-events",
        default="true",
        read=texts.boolean,
        field="events",
    ),
    SiteKey(
        key="adopt-services",
        default="false",
        read=texts.boolean,
        field="adopt_services",
        note="ours: Services that exist may be taken over without being asked",
    ),
    SiteKey(
        key="rewrite-selectors",
        default="true",
        read=texts.boolean,
        field="rewrite_selectors",
        note="ours: `false`: a Service that was there is never changed, for GitOps tools",
    ),
    *(
        SiteKey(
            key=row.site_key,
            default=default_text(SiteSpec, row) or "",
            read=texts.of_row(row),
            field=row.attribute,
            of_site=True,
            if_wrong=_IF_WRONG.get(row.site_key, ""),
            note=f"ours: {row.text}",
        )
        for row in SHAPES["Site"].fields.values()
        if row.site_key
    ),
)
BY_KEY: Final = {entry.key: entry for entry in KEYS}


def configured_keys(site: SiteSpec) -> dict[str, str]:
    """Keys of `SiteSpec`'s own fields, with the values of ``site`` that are not the default."""
    texts_of = {
        row.site_key: value_text(row, getattr(site, row.attribute))
        for row in SHAPES["Site"].fields.values()
        if row.site_key
    }
    return {key: text for key, text in texts_of.items() if text != BY_KEY[key].default}
