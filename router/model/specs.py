"""Wanted state, as a user writes it, in frozen values. `documents` reads them from YAML."""

from typing import Annotated, Final, Literal, get_args

import msgspec

from router.model import limits
from router.model.bursts import BurstSpec
from router.model.capacity import Spill
from router.model.settings import (
    Affinity,
    CredentialName,
    FieldName,
    HalfClose,
    HeaderLine,
    Health,
    Isolation,
    Rebalance,
    ServiceLimits,
    Timeouts,
)

API_VERSION = "spillway/v1"

ServiceProtocol = Literal["tcp", "http", "http2"]
PolicyName = Literal["fill", "balanced", "spread", "split", "failover"]
POLICIES: Final = get_args(PolicyName)
POLICIES_TEXT: Final = ", ".join(f"`{name}`" for name in POLICIES[:-1]) + f" or `{POLICIES[-1]}`"
SharingMode = Literal["open", "strict"]
ConsoleAuth = Literal["internal", "unsecured", "openshift"]
Kind = Literal["Site", "Service", "Connector", "Listener", "Link", "Policy", "Burst"]
WORKLOAD_KINDS = ("deployment", "statefulset", "daemonset", "deploymentconfig", "service", "pods")


PolicyWord = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]{0,62}\Z")]
"""A `PolicyName`, or one that only a later version knows: such a declaration stays readable."""


class PolicySpec(msgspec.Struct, frozen=True):
    """How candidates are ordered. ``weights`` by site name, for ``split`` only.

    ``spill_at``: the share of its slots, 0 to 1, above which a site is passed over while another
    one is below it; the rest is its reserve. None: a site is used until it is full. ``isolation``:
    how far requests may go from the site of their client.
    """

    name: PolicyWord = "fill"
    weights: dict[str, int] = {}
    spill_at: float | None = None
    isolation: Isolation = "none"


EVERY_HOST: Final = "*"


class ConsoleSpec(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True
):
    """The console, at ``bind`` (IP:PORT). Beyond loopback it uses TLS and requires a login.

    ``tls_cert``: a credential of ``secrets/tls``; empty: a certificate by the site's own CA.
    ``hosts``: its host names, besides those of the machine; `EVERY_HOST`: any.
    """

    bind: str = "127.0.0.1:8010"
    auth: ConsoleAuth = "internal"
    tls_cert: CredentialName = ""
    hosts: tuple[str, ...] = ()


class SiteSpec(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True
):
    """The site itself. ``ingress`` ``none``: no link is accepted here (a private site)."""

    router_mode: Literal["interior", "edge"] = "interior"
    ingress: str = "host"
    ingress_hosts: tuple[str, ...] = ()  # HOST[:PORT] for tokens.
    ingress_bind_ip: str = "0.0.0.0"
    bind_port: int = 55671
    bind_ip: str = "127.0.0.1"
    service_sync: bool = True
    service_sync_site_ttl_s: float = limits.SERVICE_SYNC_TTL_S
    admin: str = ""  # HOST:PORT, empty: unix socket only.
    drain_grace_s: float = limits.DRAIN_GRACE_S
    memory_limit_bytes: int = 0  # The router's memory limit; 0: the system's.
    listeners_per_site: int = limits.LISTENERS_PER_SITE  # For services of each other site.
    access_log_share: float = 0.0  # Share of the requests, 0 to 1, that run/access.log records.
    adopt_services: bool = False  # On Kubernetes: existing Services may be taken over.
    workers: int | str = 1  # Processes of its router; "auto": one for each core.
    peers: tuple[str, ...] = ()  # HOST:PORT of links of this site's other routers.
    tracing: bool = False  # Spans for OpenTelemetry, configured by its own environment variables.
    link_proxy: str = ""  # For links that configure none; as `LinkSpec.proxy`.
    console: ConsoleSpec | None = None  # None: no console.
    tells: Literal["all", "nothing"] = "all"  # The site's answers to other sites' questions.
    name_callers: bool = True  # Record which caller uses which service.
    sharing: SharingMode = "open"  # strict: only rules and grants allow anything.
    mcs: bool = False  # On Kubernetes: ServiceExports and ServiceImports count.
    mcs_namespace: str = ""  # The namespace's name in the cluster set; empty: its own name.


class ServiceSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A declaration that a service exists, sent to every site.

    ``tls_cert``: listeners use TLS with this credential of their site. ``request_id``: the header
    field of each http request's id; a listener adds it when the client sends none. ``half_close``:
    for http and http2; tcp carries the end of each direction as it is. ``headless``, on Kubernetes:
    a pod of the headless service of that name, or that service itself (under its own name):
    ``POD.NAME`` resolves at every site.

    ``hold_s``: how much longer than ``queue_wait_s`` a request may wait while a burst hook of this
    site wakes another site. ``max_age_s``: the age at which the router asks a client's connection
    to end, give or take the share ``max_age_jitter``; after ``max_age_grace_s`` more it resets the
    connection. 0: no age limit. ``sheddable``: FIELD: VALUE of the requests that make way for all
    others: they get at most the share ``sheddable_share`` of a site's slots, and wait behind the
    others. ``rebalance``: with ``auto`` the router ends, a few a second, connections that the
    policy would now place elsewhere. ``routing_key``: the service carries this routing key of
    Skupper v2, which has no port: a site listens for it only where a Listener of that site says.
    """

    protocol: ServiceProtocol = "tcp"
    ports: tuple[int, ...]
    policy: PolicySpec = PolicySpec()
    queue: int | None = None  # Waiting at most; None: `balance.site.fair_queue.queue_limit`.
    queue_wait_s: float = limits.QUEUE_WAIT_S
    hold_s: float = limits.HOLD_S
    affinity: Affinity | None = None
    max_age_s: float = 0.0
    max_age_jitter: float = limits.MAX_AGE_JITTER
    max_age_grace_s: float = limits.MAX_AGE_GRACE_S
    rebalance: Rebalance = "off"
    sheddable: HeaderLine = ""
    sheddable_share: Annotated[float, msgspec.Meta(gt=0, le=1)] = limits.SHEDDABLE_SHARE
    timeouts: Timeouts = Timeouts()
    limits: ServiceLimits = ServiceLimits()
    tls_cert: CredentialName = ""
    request_id: FieldName = ""
    half_close: HalfClose = "cancel"
    headless: str = ""
    routing_key: str = ""


class TargetSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """One backend. ``port`` for a service of one port, ``ports`` in the order of its ports.

    ``name``: its readable name (a pod's name); empty: its address. ``capacity``: in place of its
    connector's; None: that of its connector. Same text forms as there. ``unusable``: why a pod
    takes no request now; empty: it may. No document can set it. ``last_resort``: why it takes
    requests only while no other target does; likewise. ``before``: as in
    `model.capacity.TargetTerms`; no document can set it either.
    """

    host: str
    port: int | None = None
    ports: tuple[int, ...] = ()
    name: str = ""
    capacity: int | str | None = None
    unusable: str = ""
    last_resort: str = ""
    before: int = 0


class ConnectorSpec(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True
):
    """Targets of a service at this site. ``capacity``: 10, "15/s", "auto"; None: none configured.

    It holds for each target; "10,15/s" and "auto,15/s" combine two. A rate also has ``resume``
    ("10/s"; empty: two thirds of it), ``window_s`` (None: 15 s, or 1/rate if longer) and
    ``stay_s`` (None: as long as the window), as in `model.capacity.Rate`.

    ``tls_trust``: connect to targets by TLS; the CA of this credential must certify them for
    ``tls_server_name``. If that is empty: for their host if it is a name, else only their chain is
    judged. ``tls_check_name`` False: only their chain is judged, whatever their host.
    ``tls_show_cert`` False: do not send them the credential's own certificate. ``proxy_protocol``:
    send them the client's address first (PROXY protocol, v2). ``allow_link_local``: allow addresses
    such as 169.254.169.254, where clouds answer.

    ``workload``, on Kubernetes only: the pods of ``KIND/NAME`` are the targets, with one of
    `WORKLOAD_KINDS` (``pods/app=shop,tier=web`` is a label selector, ``service/NAME.NAMESPACE`` a
    Service of another namespace). ``target_ports``: their ports in the order of the service's, by
    number or by name; empty: those that the workload declares. ``not_ready``: pods count before
    they are ready. ``namespace``: of the pods of a selector; empty: that of the site.
    `kubernetes.targets` turns these into ``targets``.
    """

    service: str
    targets: tuple[TargetSpec, ...] = ()
    workload: str = ""
    namespace: str = ""
    target_ports: tuple[int | str, ...] = ()
    not_ready: bool = False
    capacity: int | str | None = None
    resume: str = ""
    window_s: float | None = None
    stay_s: float | None = None
    health: Health = Health()
    tls_trust: CredentialName = ""
    tls_server_name: str = ""
    tls_check_name: bool = True
    tls_show_cert: bool = True
    proxy_protocol: bool = False
    allow_link_local: bool = False


class ListenerSpec(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True
):
    """Where clients of a service connect at this site: ``[IP:]PORT``, ``[IP:]auto`` or ``none``.

    ``auto``: each port of the service by its own number. ``host``, on Kubernetes: the Service that
    clients use, at the port of ``listen``; empty: the Service with the name of the service.
    ``priority`` and ``weighted``: the services, including ``service``, that share the listener.
    Each of them is tcp and has one port. A new connection goes to the first service of ``priority``
    that has a ready target at any site, or to one of ``weighted``, drawn by weight among those that
    have one. ``tls_cert``: the certificate of this listener; empty: the service's.
    ``tls_client_trust``: the credential whose CA must have certified each client; empty: no client
    certificate is requested.
    """

    service: str
    listen: str = "auto"
    port: int | None = None  # Which of the service's ports; None: its only one, or all of them.
    host: str = ""
    priority: tuple[str, ...] = ()
    weighted: dict[str, int] = {}
    tls_cert: CredentialName = ""
    tls_client_trust: CredentialName = ""

    @property
    def services(self) -> tuple[str, ...]:
        """All services whose clients connect here."""
        return self.priority or tuple(self.weighted) or (self.service,)


class LinkSpec(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True
):
    """A link that this site dials. Its credential is in ``secrets/links/NAME/``.

    ``proxy``: ``http://HOST:PORT`` or ``https://…``, an HTTP proxy for the link; ``none``; ``env``:
    by the router's HTTPS_PROXY and NO_PROXY; empty: as the site says.
    """

    cost: int | None = None  # None: the token's, else 1.
    disabled: bool = False
    proxy: str = ""


class GrantSpec(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True
):
    """Permissions that this site gives another on a service it owns (`model.rights.grants`).

    ``site``: NAME@ID, an id, or a name, which is resolved once. ``max_capacity``: slots of an
    offer; None: as many as it says. ``until``: RFC 3339, UTC; empty: no end.
    """

    site: str
    verbs: tuple[str, ...]
    max_capacity: int | None = None
    until: str = ""


class SitePolicySpec(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True
):
    """This site's part of a service, whichever site declares it; see `model.capacity.SiteCap`.

    ``site_capacity`` 10, "15/s" or "10,15/s"; the fields of a rate as in `ConnectorSpec`.
    ``export_to``: patterns of the sites that may use this site's declarations and targets;
    ``import_from``: of the sites whose declarations and targets count here
    (`model.rights.sharing`). None: all sites, or as the Policy of the service ``*`` says; empty:
    this site alone. ``grants``: permissions beyond these rules.

    ``takes``: the share of its targets' capacity, and of ``site_capacity``, that this site takes;
    0: nothing new. In the Policy of ``*`` it is the upper bound for every service.
    ``reserve_for_own`` and ``max_share`` as in `model.capacity.LendingTerms`. In the Policy of
    ``*`` they are the lower bound and the upper bound for every service.
    """

    service: str
    takes: float = 1.0
    reserve_for_own: float = 0.0
    max_share: float = 1.0
    site_capacity: int | str | None = None
    resume: str = ""
    window_s: float | None = None
    stay_s: float | None = None
    spill: Spill = "excess"
    export_to: tuple[str, ...] | None = None
    import_from: tuple[str, ...] | None = None
    grants: tuple[GrantSpec, ...] = ()


AnySpec = (
    SiteSpec | ServiceSpec | ConnectorSpec | ListenerSpec | LinkSpec | SitePolicySpec | BurstSpec
)


class Document(msgspec.Struct, frozen=True):
    """One document and its place: ``source`` file, ``line`` of its first key, from 1.

    ``declared_at_s``: Unix seconds since which a Service counts as declared; None: unknown, so the
    router uses the time when it first saw it.
    """

    kind: Kind
    name: str
    spec: AnySpec
    source: str = ""
    line: int = 0
    declared_at_s: float | None = None

    @property
    def used_services(self) -> tuple[str, ...]:
        """The services that a Listener or a Connector names."""
        if isinstance(self.spec, ListenerSpec):
            return self.spec.services
        return (self.spec.service,) if isinstance(self.spec, ConnectorSpec) else ()
