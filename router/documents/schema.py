"""The fields of each kind: their YAML names, how each is read and written, and the rules across.

One table for both directions, so that what is written can be read. A struct's field that ends in
``_s`` is a duration and loses that ending in YAML (``queue_wait_s`` is ``queueWait: 1s``); so does
one in ``_bytes``, a size. Where the types state bounds (`model.settings`), fields follow from them.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

import msgspec

from router.documents import addresses, capacities, proxies, readers, weights
from router.documents.nodes import Findings, Mapping, Node, Scalar
from router.documents.rate_rules import check_cap, check_rates
from router.documents.readers import BAD, Bad, Reader
from router.model import limits
from router.model.grants import VERBS
from router.model.settings import (
    RESERVED_FIELDS,
    TOKEN_PATTERN,
    Affinity,
    HalfClose,
    Health,
    ServiceLimits,
    Timeouts,
)
from router.model.sharing import ALL
from router.model.specs import (
    EVERY_HOST,
    ConnectorSpec,
    ConsoleAuth,
    ConsoleSpec,
    GrantSpec,
    Kind,
    LinkSpec,
    ListenerSpec,
    PolicyName,
    PolicySpec,
    ServiceSpec,
    SitePolicySpec,
    SiteSpec,
    TargetSpec,
)

POLICIES: Final = get_args(PolicyName)
HALF_CLOSES: Final = get_args(HalfClose)
CONSOLE_AUTHS: Final[tuple[ConsoleAuth, ...]] = ("internal", "unsecured")
"""Of hosts: OpenShift is asked in its namespaces alone."""
DAY_S: Final = 86_400.0

Check = Callable[[Findings, Mapping, str, Any], bool]


class Field:
    """One field: ``attribute`` of the struct, ``key`` in YAML."""

    __slots__ = ("attribute", "key", "read", "required", "shape")

    def __init__(
        self, attribute: str, read: Reader, *, required: bool = False, shape: "Shape | None" = None
    ) -> None:
        self.attribute, self.read, self.required, self.shape = attribute, read, required, shape
        self.key = yaml_key(attribute)

    @property
    def is_duration(self) -> bool:
        """Whether it is written as ``1s`` and held in seconds."""
        return self.attribute.endswith("_s")

    @property
    def is_size(self) -> bool:
        """Whether it is written as ``8KiB`` and held in bytes."""
        return self.attribute.endswith("_bytes")


class Shape:
    """A struct and its fields; ``check`` judges rules between fields once each is right."""

    __slots__ = ("check", "fields", "struct")

    def __init__(
        self, struct: type[msgspec.Struct], *fields: Field, check: Check | None = None
    ) -> None:
        self.struct, self.check = struct, check
        self.fields = {field.key: field for field in fields}

    def read(self, findings: Findings, node: Node, path: str) -> Any:
        """A value of ``struct``, or ``BAD`` with everything wrong noted."""
        if isinstance(node, Scalar) and node.is_null:
            node = Mapping(node.line, node.column)
        if not isinstance(node, Mapping):
            findings.add(node, path, f"expected a mapping, got {readers.shown(node)}")
            return BAD
        values: dict[str, Any] = {}
        meant: set[str | None] = set()
        for key, value in node.entries:
            field = self.fields.get(key.value)
            if field is None:
                values[key.value] = BAD
                if findings.overflowing:
                    continue  # Nobody hears of it, and looking for what was meant takes long.
                hint = readers.nearest(key.value, self.fields)
                findings.add(key, path, f"unknown field {key.value[:40]!r}", hint)
                meant.add(readers.closest(key.value, self.fields))
            else:
                values[field.attribute] = field.read(findings, value, f"{path}.{key.value}")
        for field in self.fields.values():
            if field.required and field.attribute not in values:
                values[field.attribute] = BAD
                if field.key not in meant:  # Its slip of the pen has been named already.
                    findings.add(node, path, f"field {field.key!r} is missing")
        if any(isinstance(value, Bad) for value in values.values()):
            return BAD
        spec = self.struct(**values)
        if self.check is not None and not self.check(findings, node, path, spec):
            return BAD
        return spec

    def plain(self, spec: msgspec.Struct) -> dict[str, Any]:
        """What YAML shows of ``spec``: required fields and those that are not the default."""
        shown: dict[str, Any] = {}
        infos = _infos(self.struct)
        for key, field in self.fields.items():
            value = getattr(spec, field.attribute)
            if not field.required and value == _default(infos[field.attribute]):
                continue
            shown[key] = _plain_value(field, value)
        return shown


@lru_cache(maxsize=64)  # Asked of each document that is written; there are some ten structs.
def _infos(struct: type[msgspec.Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    return {info.name: info for info in msgspec.structs.fields(struct)}


def _default(info: msgspec.structs.FieldInfo) -> Any:
    made = info.default_factory
    return info.default if made is msgspec.NODEFAULT else made()


def yaml_key(attribute: str) -> str:
    """The YAML name of a struct's field."""
    first, *rest = attribute.removesuffix("_s").removesuffix("_bytes").split("_")
    return first + "".join(part.capitalize() for part in rest)


def _plain_value(field: Field, value: Any) -> Any:
    if field.is_duration and value is not None:
        return readers.duration_text(value)
    if field.is_size:
        return readers.size_text(value)
    if field.shape is not None and isinstance(value, tuple):
        return [field.shape.plain(item) for item in value]
    if field.shape is not None and value is not None:
        return field.shape.plain(value)
    return list(value) if isinstance(value, tuple) else value


def bounded(struct: type[msgspec.Struct]) -> Shape:
    """The shape of a struct whose types state the bounds of every field."""
    hints = get_type_hints(struct, include_extras=True)
    return Shape(struct, *(Field(name, _bounded_reader(name, hints[name])) for name in hints))


def _bounded_reader(name: str, hint: Any) -> Reader:
    if get_origin(hint) is Literal:
        return readers.word(*get_args(hint))
    (meta,) = hint.__metadata__
    if meta.pattern is not None:
        return readers.matching(meta.pattern, "a path that begins with /")
    if name.endswith("_s"):
        return readers.duration(meta.ge, meta.le)
    return (readers.size if name.endswith("_bytes") else readers.integer)(meta.ge, meta.le)


def bounds_text(struct: type[msgspec.Struct], attribute: str) -> str:
    """From what to what a field of a `bounded` struct may be, for people."""
    (meta,) = get_type_hints(struct, include_extras=True)[attribute].__metadata__
    if attribute.endswith("_s"):
        return f"{readers.duration_text(meta.ge)} to {readers.duration_text(meta.le)}"
    if attribute.endswith("_bytes"):
        return f"{readers.size_text(meta.ge)} to {readers.size_text(meta.le)}"
    return f"{meta.ge} to {meta.le}"


def _place(node: Mapping, key: str) -> Node:
    return node.get(key) or node


def _check_policy(findings: Findings, node: Mapping, path: str, spec: PolicySpec) -> bool:
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
    return True


def _check_service(findings: Findings, node: Mapping, path: str, spec: ServiceSpec) -> bool:
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
    if spec.half_close != "cancel" and spec.protocol == "tcp":
        findings.add(
            _place(node, "halfClose"),
            f"{path}.halfClose",
            "halfClose needs protocol http: of tcp each direction ends by itself",
            "Remove it, or use protocol: http",
        )
        return False
    return True


def _check_target(findings: Findings, node: Mapping, path: str, spec: TargetSpec) -> bool:
    if spec.port is not None and spec.ports:
        findings.add(_place(node, "ports"), path, "expected port or ports, got both")
        return False
    if spec.port is None and not spec.ports:
        findings.add(node, path, "field 'port' is missing", "For several ports: ports: [P1, P2]")
        return False
    return True


def _check_connector(findings: Findings, node: Mapping, path: str, spec: ConnectorSpec) -> bool:
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
    rates = capacities.connector_rates(spec)
    if spec.workload and not rates:
        return True  # Its pods may state theirs.
    return check_rates(findings, node, path, rates, spec)


def _check_site(findings: Findings, node: Mapping, path: str, spec: SiteSpec) -> bool:
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


def _check_console(findings: Findings, node: Mapping, path: str, spec: ConsoleSpec) -> bool:
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


def _check_affinity(findings: Findings, node: Mapping, path: str, spec: Affinity) -> bool:
    if spec.by == "header" and not spec.name:
        findings.add(node, path, "field 'name' is missing", "Name the header field")
        return False
    if spec.by == "client" and spec.name:
        place = _place(node, "name")
        findings.add(place, f"{path}.name", "a client's address has no name", "Remove it")
        return False
    return True


def target_ports(target: TargetSpec) -> tuple[int, ...]:
    """The ports of a target in the order of its service's ports."""
    return target.ports if target.port is None else (target.port,)


_PORTS = readers.many(readers.port, limits.PORTS_PER_SERVICE_MAX, "ports")
_TARGET_PORTS = readers.many(readers.port_or_name, limits.PORTS_PER_SERVICE_MAX, "ports")
_POLICY = Shape(
    PolicySpec,
    Field("name", readers.word(*POLICIES)),
    Field("weights", weights.read),
    check=_check_policy,
)
_TOKEN = readers.matching(TOKEN_PATTERN, "a field name")
_AFFINITY = Shape(
    Affinity,
    Field("by", readers.word("cookie", "header", "client"), required=True),
    Field("name", _TOKEN),
    check=_check_affinity,
)


def _console_host(findings: Findings, node: Node, path: str) -> Any:
    """A name, or any."""
    if isinstance(node, Scalar) and node.value == EVERY_HOST:
        return EVERY_HOST
    return addresses.host(findings, node, path)


_CONSOLE = Shape(
    ConsoleSpec,
    Field("bind", addresses.ip_and_port),
    Field("auth", readers.word(*CONSOLE_AUTHS)),
    Field("tls_cert", readers.name),
    Field("hosts", readers.many(_console_host, limits.CONSOLE_HOSTS_MAX, "names")),
    check=_check_console,
)
_TIMEOUTS = bounded(Timeouts)
_LIMITS = bounded(ServiceLimits)
_HEALTH = bounded(Health)
SETTINGS: Final[dict[type[msgspec.Struct], Shape]] = {
    Timeouts: _TIMEOUTS,
    ServiceLimits: _LIMITS,
    Health: _HEALTH,
}
"""What the command line sets field by field."""
_TARGET = Shape(
    TargetSpec,
    Field("host", addresses.host, required=True),
    Field("port", readers.port),
    Field("ports", _PORTS),
    Field("name", addresses.host),
    Field("capacity", readers.capacity),
    check=_check_target,
)


_RATE_FIELDS = (
    Field("resume", readers.rate),
    Field(
        "window_s",
        readers.optional(readers.duration(limits.RATE_WINDOW_S_MIN, limits.RATE_WINDOW_S_MAX)),
    ),
    Field("stay_s", readers.optional(readers.duration(0.0, limits.RATE_STAY_S_MAX))),
)
"""Beside a capacity that may be a rate."""


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


_MEMORY = readers.size(limits.MEMORY_LIMIT_BYTES_MIN, limits.MEMORY_LIMIT_BYTES_MAX)


_WORKERS = readers.integer(1, limits.WORKERS_MAX, "a number of processes or auto")
_SITES = readers.optional(readers.many(readers.site_pattern, limits.SHARING_PATTERNS_MAX, "sites"))


def _workers(findings: Findings, node: Node, path: str) -> Any:
    """A number, or one for each core."""
    if isinstance(node, Scalar) and node.value == "auto":
        return node.value
    return _WORKERS(findings, node, path)


def _memory_limit(findings: Findings, node: Node, path: str) -> Any:
    """A size; 0 is what the system lets the router have."""
    if isinstance(node, Scalar) and node.plain and node.value == "0":
        return 0
    return _MEMORY(findings, node, path)


_GRANT = Shape(
    GrantSpec,
    Field("site", readers.one_site, required=True),
    Field("verbs", readers.many(readers.word(*VERBS), len(VERBS), "verbs"), required=True),
    Field("max_capacity", readers.optional(readers.integer(0, limits.COUNTER_MAX))),
    Field("until", readers.moment),
)
_GRANTS = readers.many(_GRANT.read, limits.GRANTS_PER_SERVICE_MAX, "grants")


def _check_grants(findings: Findings, node: Mapping, path: str, spec: SitePolicySpec) -> bool:
    """Grants are of one service; the rest as for what has a capacity."""
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


SHAPES: Final[dict[Kind, Shape]] = {
    "Site": Shape(
        SiteSpec,
        Field("router_mode", readers.word("interior", "edge")),
        Field("ingress", readers.word("host", "none")),
        Field("ingress_hosts", readers.many(addresses.host_port, 16, "addresses")),
        Field("ingress_bind_ip", addresses.ip_address),
        Field("bind_port", readers.port),
        Field("bind_ip", addresses.ip_address),
        Field("service_sync", readers.boolean),
        Field("service_sync_site_ttl_s", readers.duration(1.0, 30 * DAY_S)),
        Field("admin", addresses.address),
        Field("drain_grace_s", readers.duration(0.0, 3600.0)),
        Field("memory_limit_bytes", _memory_limit),
        Field("listeners_per_site", readers.integer(0, limits.LISTENERS_PER_SITE_MAX)),
        Field("access_log_share", readers.share),
        Field("adopt_services", readers.boolean),
        Field("workers", _workers),
        Field("peers", readers.many(addresses.address, limits.PEERS_MAX, "addresses")),
        Field("tracing", readers.boolean),
        Field("link_proxy", proxies.proxy),
        Field("tells", readers.word("all", "nothing")),
        Field("sharing", readers.word("open", "strict")),
        Field("console", readers.optional(_CONSOLE.read), shape=_CONSOLE),
        check=_check_site,
    ),
    "Service": Shape(
        ServiceSpec,
        Field("protocol", readers.word("tcp", "http", "http2")),
        Field("ports", _PORTS, required=True),
        Field("policy", _policy, shape=_POLICY),
        Field("queue", readers.optional(readers.integer(0, limits.QUEUE_MAX))),
        Field("queue_wait_s", readers.duration(0.0, limits.QUEUE_WAIT_S_MAX)),
        Field("affinity", readers.optional(_AFFINITY.read), shape=_AFFINITY),
        Field("timeouts", _TIMEOUTS.read, shape=_TIMEOUTS),
        Field("limits", _LIMITS.read, shape=_LIMITS),
        Field("tls_cert", readers.name),
        Field("request_id", _TOKEN),
        Field("half_close", readers.word(*HALF_CLOSES)),
        Field("headless", readers.name),
        check=_check_service,
    ),
    "Connector": Shape(
        ConnectorSpec,
        Field("service", readers.name, required=True),
        Field(
            "targets",
            readers.many(_TARGET.read, limits.TARGETS_PER_CONNECTOR_MAX, "targets"),
            shape=_TARGET,
        ),
        Field("workload", readers.workload),
        Field("target_ports", _TARGET_PORTS),
        Field("not_ready", readers.boolean),
        Field("capacity", readers.capacity),
        *_RATE_FIELDS,
        Field("health", _HEALTH.read, shape=_HEALTH),
        Field("tls_trust", readers.name),
        Field("tls_server_name", addresses.host),
        Field("proxy_protocol", readers.boolean),
        Field("allow_link_local", readers.boolean),
        check=_check_connector,
    ),
    "Listener": Shape(
        ListenerSpec,
        Field("service", readers.name, required=True),
        Field("listen", addresses.listen_address),
        Field("port", readers.optional(readers.port)),
    ),
    "Link": Shape(
        LinkSpec,
        Field("cost", readers.optional(readers.integer(limits.COST_MIN, limits.COST_MAX))),
        Field("disabled", readers.boolean),
        Field("proxy", proxies.proxy),
    ),
    "Policy": Shape(
        SitePolicySpec,
        Field("service", readers.service_or_all, required=True),
        Field("site_capacity", readers.site_capacity),
        *_RATE_FIELDS,
        Field("spill", readers.word("excess", "all")),
        Field("export_to", _SITES),
        Field("import_from", _SITES),
        Field("grants", _GRANTS, shape=_GRANT),
        check=_check_grants,
    ),
}
