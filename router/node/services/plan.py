"""Plans each service port of this site from documents and the route table. Pure."""

from collections.abc import Mapping, Sequence

import msgspec

from router.balance.deciding.policies import check_policy
from router.documents import Listening, Wanted, capacities, clashes, drained, lent
from router.model.addresses import join, split
from router.model.capacity import LendingTerms
from router.model.events import Problem
from router.model.ids import ServiceKey
from router.model.messages.adverts import Declaration
from router.model.rights.sharing import ALL
from router.model.specs import (
    ConnectorSpec,
    PolicySpec,
    ServiceProtocol,
    SitePolicySpec,
    TargetSpec,
)
from router.node.services.drain_share import DrainShare
from router.node.services.listeners.budget import ListenerRefusal
from router.node.services.listeners.grants import ListenerGrants
from router.node.services.listeners.places import (
    SYNC_IS_OFF,
    client_trust_of,
    not_asked,
    override_of,
    place_of,
)
from router.node.services.planned import PlannedService, PlannedTarget, Taker

TARGETS_NAMED = 3  # In one command.


class PortPlan(msgspec.Struct, frozen=True):
    """The planned service ports of this site, and the problems of documents that do not fit."""

    services: dict[ServiceKey, PlannedService]
    problems: tuple[Problem, ...]
    undeclared: tuple["Undeclared", ...] = ()


class Undeclared(msgspec.Struct, frozen=True):
    """A document of this site that names a service that no site declares.

    ``kind``: ``Connector``, or ``Policy`` if it sets what this site takes or lends. ``flags``: the
    flags of `sitectl service set` that withdraw those settings. ``targets``: of a connector, in the
    words of `sitectl service bind`; empty: they have no short form. ``ports``: those that the
    service had when it was declared last; empty: this router knows no declaration of it.
    ``protocol``: that it had, or that the connector implies. ``is_silent``: it had no listener
    here, as this site listens for its own services alone.
    """

    kind: str
    name: str
    service: str
    flags: str = ""
    targets: str = ""
    ports: tuple[int, ...] = ()
    protocol: ServiceProtocol = "tcp"
    is_silent: bool = False

    @property
    def creation(self) -> str:
        """The command that declares the service, and changes nothing else here."""
        command = created(self.service, self.ports, self.protocol)
        return f"{command} --listen none" if self.is_silent else command


def created(service: str, ports: tuple[int, ...] = (), protocol: ServiceProtocol = "tcp") -> str:
    """The command that declares ``service``; without ``ports``, a placeholder."""
    flag = "" if protocol == "tcp" else f" --protocol {protocol}"
    return f"sitectl service create {service} {' '.join(map(str, ports)) or 'PORT'}{flag}"


class _Planned(msgspec.Struct, frozen=True):
    """One planned service, with the inputs of its plan."""

    told: Declaration
    here: dict[str, ConnectorSpec]
    is_own: bool
    cap: SitePolicySpec | None
    takes: DrainShare
    lending: LendingTerms
    doors: "_Doors"
    services: dict[ServiceKey, PlannedService]
    problems: tuple[Problem, ...]

    def is_of(
        self,
        told: Declaration,
        here: dict[str, ConnectorSpec],
        cap: SitePolicySpec | None,
        takes: DrainShare,
        lending: LendingTerms,
        doors: "_Doors",
        *,
        is_own: bool,
    ) -> bool:
        """Whether these are the inputs of the plan; usually they are the same objects."""
        return (
            (self.told is told or self.told == told)
            and self.here == here
            and self.is_own == is_own
            and self.cap == cap
            and self.takes == takes
            and self.lending == lending
            and self.doors == doors
        )


class _Doors(msgspec.Struct, frozen=True):
    """For one service: its ports that get no listener, and how many of its ports are planned."""

    refused: Mapping[int, ListenerRefusal]
    shown: int | None


_ALL_GRANTED = ListenerGrants()


class Planner:
    """Plans again after each change; the plan of an unchanged service is reused."""

    __slots__ = ("_common", "_declared", "_grants", "_known", "_plan", "_wanted")

    def __init__(self) -> None:
        self._wanted: Wanted | None = None
        self._declared: Mapping[str, Declaration] = {}
        self._grants = ListenerGrants()
        self._plan = PortPlan({}, ())
        self._common: tuple[object, ...] = ()
        self._known: dict[str, _Planned] = {}

    def plan(
        self,
        wanted: Wanted,
        declared: Mapping[str, Declaration],
        grants: ListenerGrants = _ALL_GRANTED,
    ) -> PortPlan:
        """Resolve ``wanted`` against the declarations in force everywhere (winner by name).

        Returns the same object if nothing changed. ``grants``: made from the same two arguments.
        """
        if wanted is not self._wanted or declared != self._declared or grants != self._grants:
            self._plan = self._new_plan(wanted, declared, grants)
            self._wanted, self._declared, self._grants = wanted, declared, grants
        return self._plan

    def _new_plan(
        self, wanted: Wanted, declared: Mapping[str, Declaration], grants: ListenerGrants
    ) -> PortPlan:
        common = (
            wanted.site.bind_ip,
            wanted.site.service_sync,
            wanted.listeners,
            wanted.inner_ports,
            wanted.makes_services,
        )
        if common != self._common:
            self._common, self._known = common, {}
        problems: list[Problem] = []
        by_service: dict[str, dict[str, ConnectorSpec]] = {}
        for name, connector in wanted.connectors.items():
            by_service.setdefault(connector.service, {})[name] = connector
        caps = {spec.service: spec for spec in wanted.policies.values()}
        left = drained.slots(wanted) if wanted.drained is None else wanted.drained
        taker: Taker = "this router" if wanted.site.peers else "this site"
        known: dict[str, _Planned] = {}
        services: dict[ServiceKey, PlannedService] = {}
        for name, told in sorted(declared.items()):
            here, is_own = by_service.get(name, {}), name in wanted.services
            one, cap = self._known.get(name), caps.get(name)
            way_back = drained.commands(name, caps)
            takes = DrainShare(drained.share_of(name, caps), left.get(name), way_back, taker)
            lending = lent.terms_of(name, caps, wanted.capped_before.get(name, 0))
            doors = _Doors(grants.refused.get(name, {}), grants.shown.get(name))
            if one is None or not one.is_of(told, here, cap, takes, lending, doors, is_own=is_own):
                one = _planned(told, here, wanted, cap, takes, lending, doors)
            known[name] = one
            services.update(one.services)
            problems += one.problems
        self._known = known
        return PortPlan(services, tuple(problems), self._undeclared(wanted, declared))

    def _undeclared(
        self, wanted: Wanted, declared: Mapping[str, Declaration]
    ) -> tuple[Undeclared, ...]:
        found = [
            Undeclared(
                "Connector",
                name,
                connector.service,
                targets=_bind_words(connector),
                protocol="http" if connector.health.path else "tcp",
            )
            for name, connector in sorted(wanted.connectors.items())
            if connector.service not in declared
        ]
        found += [
            Undeclared("Policy", name, policy.service, flags)
            for name, policy in sorted(wanted.policies.items())
            if policy.service not in (ALL, *declared) and (flags := _withdrawing(policy))
        ]
        former = {
            one.service: (one.ports, one.protocol, one.is_silent)
            for one in self._plan.undeclared
            if one.ports
        }
        former |= {
            name: (told.spec.ports, told.spec.protocol, self._was_silent(name, told.spec.ports))
            for name in {one.service for one in found}
            if (told := self._declared.get(name)) is not None
        }
        for number, one in enumerate(found):
            if one.service in former:
                ports, protocol, is_silent = former[one.service]
                found[number] = msgspec.structs.replace(
                    one, ports=ports, protocol=protocol, is_silent=is_silent
                )
        return tuple(found)

    def _was_silent(self, service: str, ports: Sequence[int]) -> bool:
        found = (self._plan.services.get(ServiceKey(service, port)) for port in ports)
        return any(one is not None and one.why_not == SYNC_IS_OFF for one in found)


def _bind_words(connector: ConnectorSpec) -> str:
    """The targets and the capacity of ``connector`` in the words of `sitectl service bind`; empty:
    it has other settings, or many targets."""
    service, targets, capacity = connector.service, connector.targets, connector.capacity
    plain = tuple(TargetSpec(one.host, one.port) for one in targets if one.port)
    is_short = 0 < len(plain) <= TARGETS_NAMED
    if not is_short or connector != ConnectorSpec(
        service=service, targets=plain, capacity=capacity
    ):
        return ""
    places = " ".join(join(one.host, one.port) for one in plain if one.port)
    return places if capacity is None else f"{places} --capacity {capacity}"


def _withdrawing(policy: SitePolicySpec) -> str:
    """The flags that withdraw a policy's settings for slots here; empty: it has none."""
    stated = {
        "site-capacity": policy.site_capacity is not None,
        "reserve-for-own": policy.reserve_for_own > 0,
        "max-share": policy.max_share < 1,
    }
    return " ".join(f"--{flag} none" for flag, is_stated in stated.items() if is_stated)


def _planned(
    told: Declaration,
    given: dict[str, ConnectorSpec],
    wanted: Wanted,
    cap: SitePolicySpec | None,
    takes: DrainShare,
    lending: LendingTerms,
    doors: _Doors,
) -> _Planned:
    problems: list[Problem] = []
    services: dict[ServiceKey, PlannedService] = {}
    declaration = _with_known_policy(told, problems)
    here = given
    if declaration.spec.protocol != "tcp":
        problems += [_no_proxy_protocol(n, told.name) for n, c in here.items() if c.proxy_protocol]
    else:
        here = {n: _without_path(n, c, declaration, problems) for n, c in here.items()}
    for index, port in enumerate(declaration.spec.ports[: doors.shown]):
        key = ServiceKey(told.name, port)
        targets = _targets(key, index, declaration, here, problems)
        override = override_of(key, declaration, wanted)
        listen, why_not = place_of(key, declaration, wanted, is_served=bool(given))
        if (refusal := doors.refused.get(port)) is not None:
            listen, why_not = None, refusal.value
        clash = _own_listener(listen, targets)
        if clash and listen is not None:
            problems.append(_clash_problem(key, listen, clash))
            targets = {t: c for t, c in targets.items() if t not in clash}
            listen, why_not = None, f"its target {clash[0]} is this very address"
        services[key] = PlannedService(
            key=key,
            declaration=declaration,
            targets=targets,
            has_connector=bool(here),
            listen=listen,
            why_not=why_not,
            lacks_listener=listen is None and not not_asked(key, declaration, wanted),
            cap=None if cap is None else capacities.cap_of(cap),
            lending=lending,
            tls_cert=(override.tls_cert if override else "") or declaration.spec.tls_cert,
            tls_client_trust=client_trust_of(key, declaration, wanted),
            shared=override if override is not None and len(override.services) > 1 else None,
        )
        services[key] = takes.of(services[key])
    is_own = told.name in wanted.services
    return _Planned(told, given, is_own, cap, takes, lending, doors, services, tuple(problems))


def wishes(wanted: Wanted) -> frozenset[str] | None:
    """The services that a site of ``wanted`` uses, wherever declared; None: all there are.

    It listens for those, or has targets of them. Services declared here count as used.
    """
    used = {*wanted.services, *(connector.service for connector in wanted.connectors.values())}
    if wanted.inner_ports is not None:
        return frozenset(used | {key.name for key in wanted.inner_ports})
    if wanted.site.service_sync:
        return None
    listeners = wanted.listeners.values()
    return frozenset(used.union(*(one.services for one in listeners if one.listen != "none")))


def _with_known_policy(told: Declaration, problems: list[Problem]) -> Declaration:
    """Sites of other versions may declare policies that this one does not know how to run."""
    reason = check_policy(told.spec.policy)
    if reason is None:
        return told
    problems.append(
        Problem(
            code="SW0308",
            message=f"Service {told.name}, as it is declared: {reason}. Here fill is used.",
            hint="Use a version that runs it at every site, or where it is declared: "
            f"sitectl service set {told.name} --policy fill",
        )
    )
    spec = msgspec.structs.replace(told.spec, policy=PolicySpec())
    return msgspec.structs.replace(told, spec=spec)


def _no_proxy_protocol(connector: str, service: str) -> Problem:
    return Problem(
        code="SW0306",
        message=f"Connector {connector}: {service} is no tcp service, so its targets are told the "
        "client's address by X-Forwarded-For and not by the PROXY protocol.",
        hint=f"Remove proxyProtocol from the connector {connector}",
    )


def _without_path(
    name: str, connector: ConnectorSpec, declaration: Declaration, problems: list[Problem]
) -> ConnectorSpec:
    """A target that is not http has no path to check, so connecting is the check."""
    if not connector.health.path:
        return connector
    problems.append(
        Problem(
            code="SW0307",
            message=f"Connector {name}: {declaration.name} is tcp, only targets of http and http2 "
            "are asked for a path; they are checked by connecting to them.",
            hint="Remove the path from the connector's health",
        )
    )
    health = msgspec.structs.replace(connector.health, path="")
    return msgspec.structs.replace(connector, health=health)


def _targets(
    key: ServiceKey,
    index: int,
    declaration: Declaration,
    connectors: Mapping[str, ConnectorSpec],
    problems: list[Problem],
) -> dict[str, PlannedTarget]:
    targets: dict[str, PlannedTarget] = {}
    for name, connector in sorted(connectors.items()):
        for target in connector.targets:
            port = _target_port(target, index, len(declaration.spec.ports), key)
            if port is None:
                problems.append(
                    Problem(
                        code="SW0302",
                        message=f"Connector {name}: target {target.host} has no port for {key}.",
                        hint="Give one port for each port of the service, in its order.",
                    )
                )
                continue
            terms = capacities.terms_of(connector, target)
            learns = terms.auto and declaration.spec.protocol != "tcp"
            if terms.auto and not learns:
                problems.append(_nothing_to_learn(name, declaration.name))
            targets.setdefault(
                join(target.host, port),
                PlannedTarget(
                    connector=name,
                    name=target.name,
                    unusable=target.unusable,
                    last_resort=target.last_resort,
                    capacity=terms.slots,
                    rate=terms.rate,
                    auto=learns,
                    before=target.before,
                    health=connector.health,
                    tls_trust=connector.tls_trust,
                    tls_server_name=connector.tls_server_name,
                    tls_check_name=connector.tls_check_name,
                    tls_show_cert=connector.tls_show_cert,
                    proxy_protocol=connector.proxy_protocol and declaration.spec.protocol == "tcp",
                    allow_link_local=connector.allow_link_local,
                ),
            )
    return targets


def _nothing_to_learn(connector: str, service: str) -> Problem:
    return Problem(
        code="SW0317",
        message=f"Connector {connector}: capacity auto is learned from the latency of answers, and "
        f"{service} is tcp, which has none: it counts as no capacity configured.",
        hint="State a number of connections: capacity: N in the connector's spec",
    )


def _target_port(target: TargetSpec, index: int, ports: int, key: ServiceKey) -> int | None:
    if target.ports:
        return target.ports[index] if index < len(target.ports) else None
    if target.port is not None:
        return target.port if ports == 1 else None
    return key.port


def _own_listener(
    listen: tuple[str, int] | None, targets: Mapping[str, PlannedTarget]
) -> list[str]:
    if listen is None:
        return []
    place = Listening(*listen, "")
    return [target for target in sorted(targets) if clashes(*split(target), place)]


def _clash_problem(key: ServiceKey, listen: tuple[str, int], clash: list[str]) -> Problem:
    return Problem(
        code="SW0303",
        message=f"Service {key}: its target {clash[0]} is the address that this site "
        f"would listen on ({join(*listen)}); it would call itself.",
        hint=f"Listen elsewhere: sitectl service set {key} --listen 127.0.0.2:{key.port}",
    )
