"""The table of settings: each kind of document with its fields, one row each.

A row defines how a value is read, its bounds, and its meaning. Documents, the reference page and,
if the row names them, flags of `sitectl` and keys of ConfigMap ``skupper-site`` are derived from it
(`docs/extend.md`).
"""

from typing import Any, Final, get_args

import msgspec

from router.documents import addresses, proxies, quantities, readers, rules, weights
from router.documents.fields import Field, Shape, bounded
from router.documents.nodes import Findings, Node, Scalar
from router.documents.readers import BAD
from router.model import limits
from router.model.rights.grants import VERBS
from router.model.settings import (
    HEADER_LINE_PATTERN,
    TOKEN_PATTERN,
    Affinity,
    HalfClose,
    Health,
    Isolation,
    Rebalance,
    ServiceLimits,
    Timeouts,
)
from router.model.specs import (
    EVERY_HOST,
    POLICIES,
    POLICIES_TEXT,
    ConnectorSpec,
    ConsoleAuth,
    ConsoleSpec,
    GrantSpec,
    Kind,
    LinkSpec,
    ListenerSpec,
    PolicySpec,
    ServiceSpec,
    SitePolicySpec,
    SiteSpec,
    TargetSpec,
)

HALF_CLOSES: Final = get_args(HalfClose)
REBALANCES: Final = get_args(Rebalance)
ISOLATIONS: Final = get_args(Isolation)
CONSOLE_AUTHS: Final[tuple[ConsoleAuth, ...]] = ("internal", "unsecured")
"""On hosts: login by OpenShift exists only in its namespaces."""
DAY_S: Final = 86_400.0

_PORTS = readers.ListReader(quantities.port, limits.PORTS_PER_SERVICE_MAX, "ports")
_TARGET_PORTS = readers.ListReader(quantities.port_or_name, limits.PORTS_PER_SERVICE_MAX, "ports")
_POLICY = Shape(
    PolicySpec,
    Field("name", readers.WordReader(*POLICIES), POLICIES_TEXT),
    Field("weights", weights.read, "by site, for `split` only"),
    Field(
        "spill_at",
        readers.OptionalReader(quantities.percent),
        "share of its slots (`80%`) from which a site is passed over while another one is below "
        "it; unset: a site is used until it is full",
    ),
    Field(
        "isolation",
        readers.WordReader(*ISOLATIONS),
        "`strict`: no request leaves the site of its client; `nearest`: only to the nearest site "
        "with ready targets; `none`: to any",
    ),
    check=rules.check_policy,
)
_TOKEN = readers.matching(TOKEN_PATTERN, "a field name")
_AFFINITY = Shape(
    Affinity,
    Field(
        "by",
        readers.WordReader("cookie", "header", "client"),
        "a cookie of ours, a header field, or the client's address",
        required=True,
    ),
    Field("name", _TOKEN, "of the cookie (empty: `spillway-SERVICE`) or the header"),
    check=rules.check_affinity,
)


def _name_or_empty(findings: Findings, node: Node, path: str) -> Any:
    """A name, or an empty text."""
    if isinstance(node, Scalar) and node.value == "":
        return ""
    return readers.name(findings, node, path)


def _console_host(findings: Findings, node: Node, path: str) -> Any:
    """A host name, or `EVERY_HOST`."""
    if isinstance(node, Scalar) and node.value == EVERY_HOST:
        return EVERY_HOST
    return addresses.host(findings, node, path)


_CONSOLE = Shape(
    ConsoleSpec,
    Field(
        "bind", addresses.ip_and_port, "`IP:PORT`; beyond loopback it has TLS and asks who looks"
    ),
    Field("auth", readers.WordReader(*CONSOLE_AUTHS), "`unsecured`: no login, on loopback only"),
    Field(
        "tls_cert",
        readers.name,
        "a credential of `secrets/tls`; empty: a certificate by the site's own CA",
    ),
    Field(
        "hosts",
        readers.ListReader(_console_host, limits.CONSOLE_HOSTS_MAX, "names"),
        "names that it is reached as, beside those of the machine; `*`: any",
    ),
    check=rules.check_console,
)
_TIMEOUTS = bounded(
    Timeouts,
    connect_s="to reach a target",
    header_s="until a client's request head is whole",
    response_s="until a target's answer begins",
    idle_s="without a byte in the middle of a request or answer",
    keep_alive_s="a client's connection between two requests",
    tunnel_s="a tcp connection, or an upgraded one, on which nothing moves",
    half_closed_s="the same, when one side has ended",
)
_LIMITS = bounded(
    ServiceLimits,
    request_line_bytes="method, target and version",
    header_field_bytes="one field",
    header_block_bytes="all fields of a message",
    headers="fields of a message",
    chunk_line_bytes="the line before a chunk",
    body_rate_min="bytes a second that a body must come with; 0: no floor",
    requests_per_connection="then the connection ends",
    streams_per_connection="at once, on one HTTP/2 connection",
    connections="of one listener",
    connections_per_source="of one client address, of IPv6 one /64; 0: as many as places allow",
    retry_percent="share of requests that may be retried after a failure",
)
_HEALTH_COUNTS: Final = ("down_after", "up_after", "eject_after", "eject_on")
_HEALTH = bounded(
    Health,
    flags={
        "path": "health-path",
        "interval_s": "health-interval",
        "timeout_s": "health-timeout",
        **{name: name.replace("_", "-") for name in _HEALTH_COUNTS},
    },
    path="path that must answer GET with 2xx or 3xx; empty: only connect",
    interval_s="time between two checks",
    timeout_s="maximum duration of a check",
    down_after="failed checks in a row that take the target out",
    up_after="good checks in a row that bring the target back",
    eject_after="failed requests in a row that eject the target for a while; 0: never",
    eject_on="answers that count as failures: 502, 503 and 504 (`gateway`), or any 5xx (`5xx`)",
)
SETTINGS: Final[dict[type[msgspec.Struct], Shape]] = {
    Timeouts: _TIMEOUTS,
    ServiceLimits: _LIMITS,
    Health: _HEALTH,
}
"""Settings that the command line sets field by field."""
_TARGET = Shape(
    TargetSpec,
    Field("host", addresses.host, "name or address", required=True),
    Field("port", quantities.port, "for a service of one port"),
    Field("ports", _PORTS, "for a service of several ports, in its order"),
    Field("name", addresses.host, "a human-readable name; empty: its address"),
    Field("capacity", quantities.capacity, "its own; unset: that of its connector"),
    check=rules.check_target,
)


_RATE_FIELDS = (
    Field(
        "resume",
        quantities.rate,
        "of a rate: calm again below this (`10/s`); empty: two thirds of it",
    ),
    Field(
        "window_s",
        readers.OptionalReader(
            quantities.DurationReader(limits.RATE_WINDOW_S_MIN, limits.RATE_WINDOW_S_MAX)
        ),
        "what the rate is measured over; unset: 15 s, or what one request takes",
    ),
    Field(
        "stay_s",
        readers.OptionalReader(quantities.DurationReader(0.0, limits.RATE_STAY_S_MAX)),
        "least time over a rate; unset: as long as the window",
    ),
)
"""Fields of a capacity that may be a rate."""


def _policy(findings: Findings, node: Node, path: str) -> Any:
    if isinstance(node, Scalar) and not node.is_null:
        findings.add(
            node,
            path,
            f"expected a mapping, got {readers.shown(node)}",
            f"Write {{name: {node.value}}}",
        )
        return BAD
    return _POLICY.read(findings, node, path)


_MEMORY = quantities.SizeReader(limits.MEMORY_LIMIT_BYTES_MIN, limits.MEMORY_LIMIT_BYTES_MAX)


_WORKERS = quantities.IntegerReader(1, limits.WORKERS_MAX, "a number of processes or auto")
_SITES = readers.OptionalReader(
    readers.ListReader(readers.site_pattern, limits.SHARING_PATTERNS_MAX, "sites")
)


def _workers(findings: Findings, node: Node, path: str) -> Any:
    """A number, or ``auto``: one for each core."""
    if isinstance(node, Scalar) and node.value == "auto":
        return node.value
    return _WORKERS(findings, node, path)


def _memory_limit(findings: Findings, node: Node, path: str) -> Any:
    """A size; 0: the system's limit."""
    if isinstance(node, Scalar) and node.plain and node.value == "0":
        return 0
    return _MEMORY(findings, node, path)


_GRANT = Shape(
    GrantSpec,
    Field(
        "site",
        readers.one_site,
        "one site: `NAME@ID`, an id, or a name, which is resolved once",
        required=True,
    ),
    Field(
        "verbs",
        readers.ListReader(readers.WordReader(*VERBS), len(VERBS), "verbs"),
        "`offer` targets, `call` it, `redeclare` it, become its owner (`own`)",
        required=True,
    ),
    Field(
        "max_capacity",
        readers.OptionalReader(quantities.IntegerReader(0, limits.COUNTER_MAX)),
        "maximum capacity that other sites believe; unset: what the site reports",
    ),
    Field("until", readers.moment, "end of the grant, as in `2026-12-31T23:59:59Z`; unset: no end"),
)
_GRANTS = readers.ListReader(_GRANT.read, limits.GRANTS_PER_SERVICE_MAX, "grants")


SHAPES: Final[dict[Kind, Shape]] = {
    "Site": Shape(
        SiteSpec,
        Field(
            "router_mode",
            readers.WordReader("interior", "edge"),
            "`edge`: carries no traffic of others and accepts no links",
        ),
        Field(
            "ingress",
            readers.WordReader("host", "none"),
            "`none`: this site accepts no links (a private site)",
        ),
        Field(
            "ingress_hosts",
            readers.ListReader(addresses.host_port, 16, "addresses"),
            "addresses that other sites dial, `HOST[:PORT]`; they are written into tokens",
        ),
        Field("ingress_bind_ip", addresses.ip_address, "address that accepts links"),
        Field("bind_port", quantities.port, "port that accepts links"),
        Field("bind_ip", addresses.ip_address, "address of the services' listeners"),
        Field(
            "service_sync",
            readers.boolean,
            "publish the services that are declared here, and open listeners for "
            "those of other sites",
        ),
        Field(
            "service_sync_site_ttl_s",
            quantities.DurationReader(1.0, 30 * DAY_S),
            "how long services of a site that is away keep their listeners here",
        ),
        Field(
            "admin",
            addresses.address,
            "address of the admin API over TCP, `HOST:PORT`; empty: only the unix socket",
        ),
        Field(
            "drain_grace_s",
            quantities.DurationReader(0.0, 3600.0),
            "how long a stopping router waits for open requests",
            flag="drain-grace",
            site_key="drain-grace",
        ),
        Field(
            "memory_limit_bytes",
            _memory_limit,
            "memory that the router may use; 0: as much as the system allows",
            flag="memory-limit",
        ),
        Field(
            "listeners_per_site",
            quantities.IntegerReader(0, limits.LISTENERS_PER_SITE_MAX),
            "maximum number of listening ports for each other site's services",
            flag="listeners-per-site",
            site_key="listeners-per-site",
        ),
        Field(
            "access_log_share",
            quantities.share,
            "share of requests (0 to 1) in `run/access.log`; above 0 it has all failed requests",
            flag="access-log-share",
            site_key="access-log-share",
        ),
        Field(
            "adopt_services",
            readers.boolean,
            "on Kubernetes: adopt existing Services",
        ),
        Field(
            "workers",
            _workers,
            "number of processes of its router, or `auto`: one for each core; from "
            "the next start on ([workers](workers.md))",
        ),
        Field(
            "peers",
            readers.ListReader(addresses.address, limits.PEERS_MAX, "addresses"),
            "`HOST:PORT` where other routers of this same site accept links",
        ),
        Field(
            "tracing",
            readers.boolean,
            "send spans to OpenTelemetry, configured by its environment variables",
            flag="tracing",
            site_key="tracing",
        ),
        Field(
            "link_proxy",
            proxies.proxy,
            "proxy of links without their own: `http://HOST:PORT`, `https://…`, `none` or `env`",
            site_key="link-proxy",
        ),
        Field(
            "tells",
            readers.WordReader("all", "nothing"),
            "what this site tells other sites about itself",
            flag="tells",
            site_key="tells",
        ),
        Field(
            "name_callers",
            readers.boolean,
            "find out which workload, unit, container or user calls: [graph](graph.md)",
            flag="name-callers",
            site_key="name-callers",
        ),
        Field(
            "sharing",
            readers.WordReader("open", "strict"),
            "`open`: every site may do what no rule forbids; `strict`: only what a rule or a grant "
            "allows",
            flag="sharing",
            site_key="sharing",
        ),
        Field(
            "mcs",
            readers.boolean,
            "on Kubernetes: export and import services by the Multi-Cluster Services API",
            flag="mcs",
            site_key="mcs",
        ),
        Field(
            "mcs_namespace",
            _name_or_empty,
            "name of this namespace in the cluster set; empty: its own name",
            flag="mcs-namespace",
            site_key="mcs-namespace",
        ),
        Field(
            "console",
            readers.OptionalReader(_CONSOLE.read),
            "the page for browsers; unset: no console",
            shape=_CONSOLE,
        ),
        check=rules.check_site,
    ),
    "Service": Shape(
        ServiceSpec,
        Field(
            "protocol",
            readers.WordReader("tcp", "http", "http2"),
            "http and http2 are balanced by request, tcp by connection",
        ),
        Field(
            "ports",
            _PORTS,
            "ports of the service; targets list theirs in this order",
            required=True,
        ),
        Field("policy", _policy, "policy that chooses the site of a request", shape=_POLICY),
        Field(
            "queue",
            readers.OptionalReader(quantities.IntegerReader(0, limits.QUEUE_MAX)),
            "maximum number of waiting requests; unset: 4 for each slot that clients "
            "of the site hold, 10 to 1000",
        ),
        Field(
            "queue_wait_s",
            quantities.DurationReader(0.0, limits.QUEUE_WAIT_S_MAX),
            "maximum wait for a slot when all sites are full",
            flag="queue-wait",
        ),
        Field(
            "hold_s",
            quantities.DurationReader(0.0, limits.HOLD_S_MAX),
            "how much longer a request may wait while a [burst hook](bursts.md) wakes a site; 0s: "
            "no longer",
            flag="hold",
        ),
        Field(
            "sheddable",
            readers.matching(
                HEADER_LINE_PATTERN, "a header field and its value, like x-priority: batch"
            ),
            "`FIELD: VALUE` of requests that make way for all others: they wait behind and are "
            "refused first (`http` and `http2` only); unset: no request does",
            flag="sheddable",
        ),
        Field(
            "sheddable_share",
            quantities.percent,
            "share of a site's slots (`80%`) up to which sheddable requests get one; the rest is "
            "for the others",
            flag="sheddable-share",
        ),
        Field(
            "affinity",
            readers.OptionalReader(_AFFINITY.read),
            "how requests form a session; unset: no sessions",
            shape=_AFFINITY,
        ),
        Field("timeouts", _TIMEOUTS.read, "how long each step may take", shape=_TIMEOUTS),
        Field("limits", _LIMITS.read, "how much one client may send or hold", shape=_LIMITS),
        Field("tls_cert", readers.name, "credential of each site's TLS listeners"),
        Field(
            "request_id",
            _TOKEN,
            "header field of the request ID; the router adds an ID where it is missing",
        ),
        Field(
            "half_close",
            readers.WordReader(*HALF_CLOSES),
            "when an HTTP client closes its sending side before the answer: `cancel` "
            "its request, or `serve` it",
            flag="half-close",
        ),
        Field(
            "headless",
            readers.name,
            "on Kubernetes: the headless service whose pods have names at every site",
        ),
        Field(
            "routing_key",
            readers.routing_key,
            "routing key of Skupper v2 that the service carries; no site listens for it unless a "
            "Listener there says where",
        ),
        Field(
            "max_age_s",
            quantities.DurationReader(0.0, limits.MAX_AGE_S_MAX),
            "age at which a client connection is asked to end; 0s: none is",
            flag="max-age",
        ),
        Field(
            "max_age_jitter",
            quantities.percent,
            "share by which that age varies, so that connections do not end together",
            flag="max-age-jitter",
        ),
        Field(
            "max_age_grace_s",
            quantities.DurationReader(0.0, limits.MAX_AGE_S_MAX),
            "how long a connection may last beyond its age before it is reset",
            flag="max-age-grace",
        ),
        Field(
            "rebalance",
            readers.WordReader(*REBALANCES),
            "`auto`: connections that the policy would place at another site now are ended, "
            "a few a second; `off`: they stay",
            flag="rebalance",
        ),
        check=rules.check_service,
    ),
    "Connector": Shape(
        ConnectorSpec,
        Field("service", readers.name, "service of these targets", required=True),
        Field(
            "targets",
            readers.ListReader(_TARGET.read, limits.TARGETS_PER_CONNECTOR_MAX, "targets"),
            "backends by address",
            shape=_TARGET,
        ),
        Field(
            "workload", readers.workload, "on Kubernetes: `KIND/NAME` whose pods are the targets"
        ),
        Field(
            "namespace",
            readers.name,
            "on Kubernetes: the namespace of the pods, where `workload` is `pods/SELECTOR`; unset: "
            "that of the site",
        ),
        Field(
            "target_ports",
            _TARGET_PORTS,
            "ports of the workload, by number or name, in the order of the service's",
        ),
        Field("not_ready", readers.boolean, "use pods before they are ready"),
        Field(
            "capacity",
            quantities.capacity,
            "of each target: `10`, `15/s`, `auto`, `10,15/s`; unset: none",
        ),
        *_RATE_FIELDS,
        Field("health", _HEALTH.read, "how targets are judged", shape=_HEALTH),
        Field(
            "tls_trust",
            readers.name,
            "targets are reached by TLS and certified by the CA of this credential",
        ),
        Field(
            "tls_server_name",
            addresses.host,
            "for this name; empty: for their host, if that is a name",
        ),
        Field(
            "tls_check_name",
            readers.boolean,
            "`false`: any name that the CA certified will do, as Skupper v2 has it",
        ),
        Field(
            "tls_show_cert",
            readers.boolean,
            "`false`: targets are not shown the certificate of the credential",
        ),
        Field(
            "proxy_protocol",
            readers.boolean,
            "targets receive the client's address first (PROXY protocol, v2)",
        ),
        Field(
            "allow_link_local",
            readers.boolean,
            "a target may have a link-local or metadata address, such as 169.254.169.254",
        ),
        check=rules.check_connector,
    ),
    "Listener": Shape(
        ListenerSpec,
        Field("service", readers.name, "whose listener", required=True),
        Field(
            "listen",
            addresses.listen_address,
            "`[IP:]PORT` (of several ports the first, unless `port` names one), `[IP:]auto` (each "
            "port by its own number) or `none`",
        ),
        Field(
            "port",
            readers.OptionalReader(quantities.port),
            "which of the service's ports; unset: all of them",
        ),
        Field(
            "host",
            readers.name,
            "on Kubernetes: the Service that clients use, at the port of `listen`; unset: the one "
            "named as the service",
        ),
        Field(
            "priority",
            readers.ListReader(readers.name, limits.SERVICES_PER_LISTENER_MAX, "services"),
            "services that share the listener (`service` among them, `tcp`, one port each): a new "
            "connection goes to the first that has a ready target at any site",
        ),
        Field(
            "weighted",
            weights.read_services,
            "the same by weight: a new connection goes to one of these services that has a ready "
            "target, drawn by weight",
        ),
        Field(
            "tls_cert",
            readers.name,
            "credential of this listener alone; unset: that of the service",
        ),
        Field(
            "tls_client_trust",
            readers.name,
            "credential whose `ca.crt` certifies clients: the listener refuses a client without a "
            "certificate of that CA; unset: it asks for none",
        ),
        check=rules.check_listener,
    ),
    "Link": Shape(
        LinkSpec,
        Field(
            "cost",
            readers.OptionalReader(quantities.IntegerReader(limits.COST_MIN, limits.COST_MAX)),
            "unset: the token's, else 1",
        ),
        Field("disabled", readers.boolean, "it is not dialed"),
        Field(
            "proxy",
            proxies.proxy,
            "`http://HOST:PORT`, `https://…`, `none`, `env`; empty: as the site says",
        ),
    ),
    "Policy": Shape(
        SitePolicySpec,
        Field(
            "service",
            readers.service_or_all,
            "or `*`: all that have no rule of their own",
            required=True,
        ),
        Field(
            "takes",
            quantities.percent,
            "share of its capacity that this site takes, as `30%`; `0%`: nothing new. Of `*`: of "
            "every service",
        ),
        Field(
            "reserve_for_own",
            quantities.percent,
            "share of its slots that this site keeps for its own clients, as `30%`; others get a "
            "slot only while less than the rest is in use. Of `*`: of every service",
        ),
        Field(
            "max_share",
            quantities.percent,
            "largest share of its slots that one neighbor, with the sites behind it, holds at "
            "once, as `40%`. Of `*`: of every service",
        ),
        Field(
            "site_capacity",
            quantities.site_capacity,
            "what this site takes over all its targets: `10`, `15/s`, `10,15/s`",
        ),
        *_RATE_FIELDS,
        Field(
            "spill",
            readers.WordReader("excess", "all"),
            "above a rate spill the excess, or all new requests",
        ),
        Field(
            "export_to",
            _SITES,
            "sites that what is here is offered to; unset: all, or as `*` says; `[]`: none",
        ),
        Field("import_from", _SITES, "sites whose targets and declarations count here; as above"),
        Field(
            "grants",
            _GRANTS,
            "what others may do with a service that this site owns, beyond these rules",
            shape=_GRANT,
        ),
        check=rules.check_site_policy,
    ),
}
