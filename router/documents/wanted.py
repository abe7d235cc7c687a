"""Documents of a whole site, checked against each other, as one value.

A document that contradicts another is left out and named; the rest stays usable. Declarations of
other sites are not known here: `node` calls `clashes` again for their services.
"""

from collections.abc import Iterable, Mapping

import msgspec

from router.documents import addresses
from router.documents.readers import unix_of
from router.documents.rules import target_ports
from router.model import limits
from router.model.addresses import join
from router.model.bursts import BurstSpec
from router.model.errors import ConfigError
from router.model.ids import ServiceKey, SiteId
from router.model.messages.exports import ExportTerms
from router.model.rights.grants import ServiceGrant
from router.model.rights.sharing import Sharing, SharingRules
from router.model.specs import (
    ConnectorSpec,
    Document,
    GrantSpec,
    LinkSpec,
    ListenerSpec,
    ServiceSpec,
    SitePolicySpec,
    SiteSpec,
)
from router.model.wording.plural import counted

_ANY_ADDRESS = frozenset({"0.0.0.0", "::", "[::]", ""})
_LOCAL_NAMES = frozenset({"localhost", "localhost.", "ip6-localhost"})


class CapacityDivision(msgspec.Struct, frozen=True):
    """How the routers of a site divide capacity: ``own`` is this one, ``division`` identifies the
    group.

    ``others``: routers that may hold slots besides it now, and must agree before it uses additional
    ones. ``ready``: those of them that serve clients. ``is_by_all``: the division covers all of
    those, not only the ones that were heard. ``down``: routers that may hold none as far as is
    known, and when each last ended (Unix seconds; 0: never).
    """

    own: str
    division: str
    others: frozenset[str]
    down: Mapping[str, float] = {}
    ready: frozenset[str] = frozenset()
    is_by_all: bool = True


class UnreadyPod(msgspec.Struct, frozen=True):
    """Since when a pod is not ready (Unix seconds; if it never was: since its creation), and
    why. ``starts``: its containers are made."""

    since: float
    why: str
    starts: bool = False


class RefusedPods(msgspec.Struct, frozen=True):
    """Since when the cluster makes no further pod (Unix seconds), why, and the next step."""

    since: float
    why: str
    step: str


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The wanted state of a site. ``name`` is the site's; the tables are by document name.

    ``link_removals``, ``service_removals``: by name, the commands that remove those documents that
    verbs refuse to remove.

    ``inner_ports``: behind a Kubernetes Service, each service port has a listener at an inner port
    of ours, and ports not in the table have none; None: listen at the service's own port.
    ``makes_services``: the site makes such Services where they are asked for.
    ``promised``: the inner ports to which clients are led now, also of services that no site
    declares, or none yet. ``declared_at_s``: Unix seconds by service, if the documents have them
    (`Document`). ``siblings``: link ports, ``HOST:PORT``, of other routers of this site that this
    one dials. ``is_divided``: capacities are this router's shares; others of the site have the same
    targets. ``shares``: the agreement behind that; None: none is needed. ``drained``: by service,
    this router's share of the remaining slots of a drained site; None: it is all of them.
    ``capped_before``: by service, how many slots of the site's cap belong to its routers before
    this one. ``exports``: services with a ServiceExport behind them. ``unready``: pods of other
    routers of this site that are not ready, by name. ``refused``: the refusal of missing ones. The
    tables are never changed: a new state is a new value.
    """

    name: str
    site: SiteSpec
    services: dict[str, ServiceSpec] = {}
    connectors: dict[str, ConnectorSpec] = {}
    listeners: dict[str, ListenerSpec] = {}
    links: dict[str, LinkSpec] = {}
    policies: dict[str, SitePolicySpec] = {}
    bursts: dict[str, BurstSpec] = {}
    inner_ports: dict[ServiceKey, int] | None = None
    makes_services: bool = True
    promised: dict[ServiceKey, int] = {}
    declared_at_s: dict[str, float] = {}
    siblings: tuple[str, ...] = ()
    is_divided: bool = False
    drained: dict[str, int] | None = None
    capped_before: dict[str, int] = {}
    shares: CapacityDivision | None = None
    exports: dict[str, ExportTerms] = {}
    unready: Mapping[str, UnreadyPod] = {}
    refused: RefusedPods | None = None
    link_removals: Mapping[str, str] = {}
    service_removals: Mapping[str, str] = {}

    @property
    def rules(self) -> SharingRules:
        """The sharing rules by service."""
        return SharingRules(
            {
                spec.service: Sharing(
                    spec.export_to, spec.import_from, tuple(map(_grant, spec.grants))
                )
                for spec in self.policies.values()
                if spec.export_to is not None or spec.import_from is not None or spec.grants
            },
            self.site.sharing == "strict",
        )


def _grant(spec: GrantSpec) -> ServiceGrant:
    until = unix_of(spec.until) if spec.until else 0
    assert until is not None, "the reader let no other date in"
    return ServiceGrant(SiteId(spec.site), spec.verbs, spec.max_capacity, until)


class Listening(msgspec.Struct, frozen=True):
    """An address on which this site listens, or would; ``what``: its readable name, ``setting``:
    the field of the Site document that moves it."""

    host: str
    port: int
    what: str
    setting: str = "bindIp"


def resolve(documents: Iterable[Document]) -> tuple[Wanted | None, list[ConfigError]]:
    """The wanted state of ``documents``, and contradictions. None: no usable Site document.

    Errors name the source of the document that is left out; of two with the same kind and name, the
    later source's.
    """
    errors: list[ConfigError] = []
    kept = _without_duplicates(documents, errors)
    sites = [document for document in kept if document.kind == "Site"]
    if not sites:
        return None, errors
    first = sites[0]
    errors += [
        _error(
            extra,
            "$.name",
            f"a second Site {extra.name!r}; {first.name!r} is at {first.source}:{first.line}",
            "A directory holds one site: remove one of them",
            "SW0106",
        )
        for extra in sites[1:]
    ]
    site = first.spec
    assert isinstance(site, SiteSpec)
    services = {d.name: d.spec for d in kept if isinstance(d.spec, ServiceSpec)}
    links = {d.name: d.spec for d in kept if isinstance(d.spec, LinkSpec)}
    listeners = _listeners(kept, services, errors)
    listening: dict[int, list[Listening]] = {}
    for place in listening_addresses(site, services, listeners):
        listening.setdefault(place.port, []).append(place)
    wanted = Wanted(
        name=first.name,
        site=site,
        services=services,
        connectors=_connectors(kept, services, listening, errors),
        listeners=listeners,
        links=links,
        policies=_policies(kept, errors),
        bursts=_bursts(kept, errors),
        declared_at_s={
            document.name: document.declared_at_s
            for document in kept
            if document.kind == "Service" and document.declared_at_s is not None
        },
    )
    return wanted, errors


def _connectors(
    documents: list[Document],
    services: dict[str, ServiceSpec],
    listening: dict[int, list[Listening]],
    errors: list[ConfigError],
) -> dict[str, ConnectorSpec]:
    connectors: dict[str, ConnectorSpec] = {}
    for document in documents:
        if not isinstance(document.spec, ConnectorSpec):
            continue
        problem = _connector_problem(document, document.spec, services, listening)
        if problem is None:
            connectors[document.name] = document.spec
        else:
            errors.append(problem)
    return connectors


def _policies(documents: list[Document], errors: list[ConfigError]) -> dict[str, SitePolicySpec]:
    """One for each service; of several, the first."""
    policies: dict[str, SitePolicySpec] = {}
    for document in documents:
        spec = document.spec
        if not isinstance(spec, SitePolicySpec):
            continue
        first = next((name for name, one in policies.items() if one.service == spec.service), None)
        if first is None:
            policies[document.name] = spec
            continue
        errors.append(
            _error(
                document,
                "$.spec.service",
                f"service {spec.service!r} has policy {first!r} at this site already",
                "Remove one of them",
            )
        )
    return policies


def _error(
    document: Document, path: str, reason: str, hint: str = "", code: str = "SW0107"
) -> ConfigError:
    return ConfigError(
        document.source, path, reason, line=document.line, column=1, hint=hint, code=code
    )


def _without_duplicates(documents: Iterable[Document], errors: list[ConfigError]) -> list[Document]:
    kept: dict[tuple[str, str], Document] = {}
    for document in sorted(documents, key=lambda d: (d.source, d.line)):
        key = (document.kind, document.name)
        first = kept.setdefault(key, document)
        if first is not document:
            errors.append(
                _error(
                    document,
                    "$.name",
                    f"{document.kind} {document.name!r} is already at {first.source}:{first.line}",
                    f"Keep it in {first.source} or in {document.source}, not in both",
                    "SW0106",
                )
            )
    return list(kept.values())


def _bursts(documents: list[Document], errors: list[ConfigError]) -> dict[str, BurstSpec]:
    found = [document for document in documents if document.kind == "Burst"]
    errors += [
        _error(
            extra,
            "$.kind",
            f"a site looks at {limits.BURSTS_MAX} bursts at most, this is one more",
            "Remove those that are not needed: sitectl get bursts",
            "SW0709",
        )
        for extra in found[limits.BURSTS_MAX :]
    ]
    kept = found[: limits.BURSTS_MAX]
    return {one.name: one.spec for one in kept if isinstance(one.spec, BurstSpec)}


def _listeners(
    documents: list[Document], services: dict[str, ServiceSpec], errors: list[ConfigError]
) -> dict[str, ListenerSpec]:
    listeners: dict[str, ListenerSpec] = {}
    by_port: dict[tuple[str, int | None], Document] = {}
    by_place: dict[str, Document] = {}
    for document in documents:
        spec = document.spec
        if not isinstance(spec, ListenerSpec):
            continue
        service = services.get(spec.service)
        problem = _port_problem(document, spec, service, by_port.get((spec.service, spec.port)))
        place = f"{spec.host} {spec.listen}" if spec.host else spec.listen
        if problem is None and place in by_place:
            first = by_place[place]
            problem = _error(
                document,
                "$.spec.listen",
                f"{spec.listen} is already listener {first.name!r} ({first.source}:{first.line})",
                "Choose another address or port",
            )
        if problem is not None:
            errors.append(problem)
            continue
        listeners[document.name] = spec
        by_port[spec.service, spec.port] = document
        if addresses.split_listen(spec.listen) is not None:
            by_place[place] = document
    return listeners


def _port_problem(
    document: Document, spec: ListenerSpec, service: ServiceSpec | None, first: Document | None
) -> ConfigError | None:
    """The problem with the port of a listener; ``first``: another listener of that port."""
    if first is not None:
        return _error(
            document,
            "$.spec.service",
            f"service {spec.service!r} has listener {first.name!r} for that port already "
            f"({first.source}:{first.line})",
            "Remove one of them",
        )
    if service is None:
        return None
    if spec.port is not None and spec.port not in service.ports:
        return _error(
            document,
            "$.spec.port",
            f"service {spec.service!r} has no port {spec.port}",
            f"It has {', '.join(map(str, service.ports))}",
        )
    has_place = addresses.split_listen(spec.listen) is not None
    if spec.port is None and len(service.ports) > 1 and has_place:
        return _error(
            document,
            "$.spec.port",
            f"service {spec.service!r} has several ports, the listener must name one",
            f"Add port: {service.ports[0]}",
        )
    return None


def listening_addresses(
    site: SiteSpec, services: dict[str, ServiceSpec], listeners: dict[str, ListenerSpec]
) -> list[Listening]:
    """The addresses of a site with these documents: links, admin, listeners of known services."""
    found: list[Listening] = []
    if site.ingress != "none":
        links = "where links are accepted"
        found.append(Listening(site.ingress_bind_ip, site.bind_port, links, "bindPort"))
    admin = addresses.split_host_port(site.admin) if site.admin else None
    if admin is not None and admin[1] is not None:
        found.append(Listening(admin[0], admin[1], "the admin API", "admin"))
    console = addresses.split_host_port(site.console.bind) if site.console else None
    if console is not None and console[1] is not None:
        found.append(Listening(console[0], console[1], "the console", "console.bind"))
    spoken_for: set[tuple[str, int | None]] = set()
    elsewhere: dict[tuple[str, int | None], str] = {}
    for spec in listeners.values():
        parts, auto_ip = addresses.split_listen(spec.listen), addresses.auto_ip(spec.listen)
        if auto_ip is not None:
            elsewhere[spec.service, spec.port] = auto_ip
            continue
        spoken_for.add((spec.service, spec.port))
        if parts is not None and not spec.host:  # Otherwise a Service of Kubernetes has that port.
            what = f"the listener of service {spec.service!r}"
            found.append(Listening(parts[0] or site.bind_ip, parts[1], what))
    for name, service in services.items():
        for port in () if service.routing_key else service.ports:
            if (name, port) not in spoken_for and (name, None) not in spoken_for:
                what = f"the listener of service {name!r}"
                host = elsewhere.get((name, port)) or elsewhere.get((name, None)) or site.bind_ip
                found.append(Listening(host, port, what))
    return found


def clashes(host: str, port: int, listening: Listening) -> bool:
    """Whether a connection to ``host``:``port`` would arrive at ``listening``, by its text.

    Names are not resolved except localhost; `net` refuses conflicts that show only when connected.
    """
    if port != listening.port:
        return False
    if _same_host(host) == _same_host(listening.host):
        return True
    return listening.host in _ANY_ADDRESS and (
        host.startswith("127.") or host in _LOCAL_NAMES or host == "::1"
    )


def _same_host(host: str) -> str:
    bare = host.strip("[]").lower()
    return "127.0.0.1" if bare in _LOCAL_NAMES else bare


def _connector_problem(
    document: Document,
    spec: ConnectorSpec,
    services: dict[str, ServiceSpec],
    listening: Mapping[int, list[Listening]],
) -> ConfigError | None:
    """``listening`` by port."""
    service = services.get(spec.service)
    if service is not None and spec.health.path and service.protocol == "tcp":
        return _error(
            document,
            "$.spec.health.path",
            f"service {spec.service!r} is tcp, only targets of http and http2 are asked for a path",
            "Remove the path: the targets are checked by connecting to them",
        )
    for index, target in enumerate(spec.targets):
        path = f"$.spec.targets[{index}]"
        ports = target_ports(target)
        if service is not None and len(ports) != len(service.ports):
            wanted = ", ".join(map(str, service.ports))
            return _error(
                document,
                path,
                f"service {spec.service!r} has {counted(len(service.ports), 'port')} ({wanted}), "
                f"target {target.host} has {len(ports)}",
                "Give one target port for each port of the service, in its order",
            )
        for port in ports:
            places = listening.get(port, ())
            own = next((at for at in places if clashes(target.host, port, at)), None)
            if own is not None:
                return _error(
                    document,
                    path,
                    f"target {join(target.host, port)} is this site's own address, {own.what}",
                    "Move the target to another port or address, or the site's listeners with "
                    "bindIp",
                    "SW0108",
                )
    return None
