"""The wanted Services of a namespace, with which clients of each address reach the routers.

An address of the network gets a Service of its name. An existing foreign Service is adopted
(`adoption`) only if a user in this namespace asked for the address: no other site can take over a
name here. An impossible change becomes a finding, and everything else goes on.

Findings: SW0420 another Service has the name; SW0421 it is of a kind that cannot be adopted; SW0422
it has ports that the address lacks; SW0423 selectors may not be rewritten; SW0424 another router
serves it; SW0425 another program keeps putting it back; SW0426 no Service can have that name;
SW0427 no inner port is left; SW0428 the API refused a change (`leader.service_writer`); SW0429 its
original cannot be read.
"""

import re
from collections.abc import Collection, Mapping
from typing import Final

import msgspec

from router.kubernetes.objects import names
from router.kubernetes.objects.changes import Change, Create, Delete, Listens, delete, patch
from router.kubernetes.objects.objects import Object, Snapshot, metadata, name_of
from router.kubernetes.objects.picture import RequestedService, SiteOptions
from router.kubernetes.services import adoption, headless, listener_services, owned_services
from router.kubernetes.services.inner_port_claims import claimed, promised
from router.kubernetes.services.inner_ports import RESERVED, assign, remember
from router.kubernetes.services.listener_services import SKUPPERS, HostPort, obstacle, wanted_hosts
from router.kubernetes.services.removal import ours, restore, undone, unreadable
from router.kubernetes.services.selector_conflicts import SelectorConflicts
from router.kubernetes.services.service_choice import Choice, ServicesAsked
from router.model.errors import ConfigError
from router.model.ids import ServiceKey
from router.model.specs import ListenerSpec, ServiceSpec

__all__ = ["Memory", "ServicePlan", "plan", "restore"]

NO_LISTENERS: Final[Mapping[str, ListenerSpec]] = {}
_ASKING: Final = ("Deployment", "StatefulSet", "DaemonSet")
"""Kinds whose annotations ask for Services, beside those that are always read."""
_POD_NAME: Final = re.compile(r".+-[0-9]+\Z")  # Name of a StatefulSet's pod.


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Results of earlier plans that the next one needs; a new one after a restart.

    ``declared``: addresses that were heard of since ``began_at``. Another address may only be out
    of reach, so its Service stays for the TTL.
    """

    began_at: float
    declared: frozenset[str] = frozenset()
    inner_ports: dict[ServiceKey, int] = {}
    conflicts: SelectorConflicts = SelectorConflicts()


class ServicePlan(msgspec.Struct, frozen=True, kw_only=True):
    """``changes`` in their order; ``inner_ports``, ``promised`` for `Wanted`.

    ``again_at``: when to plan again.
    """

    changes: tuple[Change, ...]
    inner_ports: dict[ServiceKey, int]
    promised: dict[ServiceKey, int]
    findings: tuple[ConfigError, ...]
    memory: Memory
    again_at: float | None = None


def plan(
    snapshot: Snapshot,
    options: SiteOptions | None,
    wishes: Mapping[str, RequestedService],
    declared: Mapping[str, ServiceSpec],
    local: Collection[str],
    memory: Memory,
    now: float,
    reserved: frozenset[int] = RESERVED,
    *,
    may_name_pods: bool | None = True,
    exported: Collection[str] = (),
    imported: Collection[str] = (),
    listeners: Mapping[str, ListenerSpec] = NO_LISTENERS,
) -> ServicePlan:
    """The due changes, computed only from these inputs.

    ``declared``: the declarations in force everywhere; ``local``: those that this site makes.
    ``options`` None (``skupper-site`` is unreadable): everything stays, including inner ports.
    ``may_name_pods``: EndpointSlices may be written here, which a namespace's administrator cannot
    grant. Without it the address of another site's headless StatefulSet leads to any of its pods,
    and each pod is reached only by its own name. None: not known yet, so such an address stays as
    it is.
    ``exported``: addresses that get no Service of their name, since they are exports of the
    Multi-Cluster Services API; the ``imported`` ones of these get inner ports, and
    `multicluster.imports` makes their Services.
    ``listeners``: the site's Listener documents; those with a `host` ask for a Service of that
    name, others for one with the name of the service.

    `restore` deletes a site's Services. A Service is removed only if all objects that may ask for
    it could be read.
    """
    asked = ServicesAsked(
        snapshot=snapshot,
        options=options,
        wishes=wishes,
        declared={name: spec for name, spec in declared.items() if name not in exported},
        local=local,
        listened={
            listener.service
            for listener in listeners.values()
            if not listener.host and listener.listen != "none"
        },
        now=now,
    )
    planner = _Planner(asked, memory, may_name_pods, wanted_hosts(listeners, declared))
    planner.assign(reserved, {name: declared[name] for name in imported if name in declared})
    if options is not None and "Service" not in snapshot.missing:
        planner.lead(options)
        if snapshot.missing.isdisjoint(_ASKING):
            planner.undo(options)
    return planner.result()


class _Planner:
    """Builds one plan. ``_chosen``: addresses that get a Service here.

    ``_beside_skupper``: ports that Listeners want of Services that Skupper still has. The routers
    listen for them before the Service comes here, and after it went back until all clients have
    gone.
    """

    __slots__ = (
        "_again_at",
        "_asked",
        "_beside_skupper",
        "_changes",
        "_chosen",
        "_conflicts",
        "_findings",
        "_hosts",
        "_inner",
        "_may_name_pods",
        "_memory",
        "_ours",
    )

    def __init__(
        self,
        asked: ServicesAsked,
        memory: Memory,
        may_name_pods: bool | None,
        hosts: dict[str, tuple[HostPort, ...]],
    ) -> None:
        choice = Choice(asked, memory.conflicts)
        self._asked, self._memory, self._may_name_pods = asked, memory, may_name_pods
        self._ours = ours(asked.snapshot)
        self._chosen, self._conflicts = choice.chosen, choice.conflicts
        self._findings, self._again_at = choice.findings, choice.again_at
        self._inner: dict[ServiceKey, int] = {}
        self._changes: list[Change] = []
        self._beside_skupper: list[ServiceKey] = []
        self._hosts = hosts
        if asked.options is not None:
            self._judge_hosts(is_wanted=asked.options.service_controller)

    def _judge_hosts(self, *, is_wanted: bool) -> None:
        """Keep the hosts that are wanted here and can have a Service."""
        for host, ports in list(self._hosts.items()):
            error = obstacle(self._asked.snapshot, host, ports, host in self._chosen)
            if error is not None or not is_wanted:
                self._findings += [error] if error and is_wanted else []
                if error is not None and error.code == SKUPPERS:
                    self._beside_skupper += [port.key for port in ports]
                del self._hosts[host]

    def assign(self, reserved: frozenset[int], imported: Mapping[str, ServiceSpec]) -> None:
        """Assign a number to each port of chosen and ``imported`` addresses, and of our Services.

        Clients of a Service that is given back still come here until that is done.
        """
        led = map(name_of, self._ours)
        leading = {name: self._asked.declared[name] for name in led if name in self._asked.declared}
        wanted = [
            ServiceKey(name, port)
            for name, spec in (leading | self._chosen | dict(imported)).items()
            if not self._has_no_address(name, spec)
            for port in spec.ports
        ]
        wanted += [port.key for ports in self._hosts.values() for port in ports]
        wanted += [key for key in self._beside_skupper if key not in wanted]
        claims = [one for _, one in claimed(self._asked.snapshot, self._ours)]
        assigned = assign(wanted, claims, self._memory.inner_ports, reserved)
        self._inner = assigned.ports
        for key in assigned.missing:
            self._chosen.pop(key.name, None)
            for host, ports in list(self._hosts.items()):
                if any(port.key == key for port in ports):
                    del self._hosts[host]
            self._find(
                key.name,
                "spec.ports",
                "SW0427",
                f"no inner port is left for port {key.port}",
                "Withdraw services that are not used",
            )

    def _has_no_address(self, name: str, spec: ServiceSpec) -> bool:
        """Whether the address leads to pods by their names, and so to no router by its own."""
        if spec.headless != name:
            return False
        found = self._asked.snapshot.get("Service", name)
        is_theirs = found is not None and not owned_services.is_made(found)
        if is_theirs or self._may_name_pods is not False:
            return True
        error = ConfigError(
            f"Service/{name}",
            "spec.clusterIP",
            f"names of pods (POD.{name}) need the right to write EndpointSlices, so {name} leads "
            "to any of its pods and each pod has only its own name",
            hint=f"Have an administrator of the cluster make Role {names.ROUTER}-headless: "
            "docs/kubernetes-services.md, Pods with names, has the two commands",
            code="SW0428",
        )
        if error.source not in {e.source for e in self._findings if e.code == error.code}:
            self._findings.append(error)
        return False

    # Changes --------------------------------------------------------------------------------

    def lead(self, options: SiteOptions) -> None:
        """Plan a Service for each chosen address and host."""
        for name, spec in self._chosen.items():
            found = self._asked.snapshot.get("Service", name)
            if found is not None and "deletionTimestamp" in metadata(found):
                continue
            if self._has_no_address(name, spec):
                self._lead_headless(name, spec, found, options)
            elif found is None or owned_services.is_made(found):
                fresh = self._fresh(name, spec, options)
                self._make(name, found, fresh, self._needs(name))
            elif adoption.is_adopted(found) and adoption.original(found) is None:
                self._findings.append(unreadable(found))
            else:
                numbers = {port: self._inner[ServiceKey(name, port)] for port in spec.ports}
                is_asked = name in self._asked.wishes or name in self._asked.local
                wanted = adoption.adopt(found, numbers, name, is_asked=is_asked)
                change = patch(found, wanted, self._needs(name))
                if change is not None and adoption.is_reapplied(found):
                    change = msgspec.structs.replace(change, is_urgent=True)
                self._add(change)
        for host, ports in self._hosts.items():
            found = self._asked.snapshot.get("Service", host)
            if found is None or "deletionTimestamp" not in metadata(found):
                wish = (options.labels, options.annotations)
                fresh = listener_services.fresh(host, ports, self._inner, *wish)
                needs = tuple((port.key, self._inner[port.key]) for port in ports)
                self._make(host, found, fresh, needs)

    def _lead_headless(
        self, name: str, spec: ServiceSpec, found: Object | None, options: SiteOptions
    ) -> None:
        """Plan names of remote pods, below a name without an address."""
        if self._may_name_pods is None:
            return
        if found is None or owned_services.is_made(found):
            marked, noted = self._marks(name, options)
            fresh = owned_services.headless_service(name, spec.ports, marked, noted)
            self._make(name, found, fresh, ())
        if found is None or not self._may_name_pods:
            return
        members = {
            member: self._asked.snapshot.get("Service", member)
            for member, its in self._chosen.items()
            if its.headless == name
            and member != name
            # Else google.com could be a pod of other sites: resolvers try names here first.
            and _POD_NAME.match(member)
            # Pods of this namespace have their names from their own StatefulSet.
            and (owned_services.is_made(found) or member not in self._asked.local)
        }
        self._changes += headless.slices(self._asked.snapshot, found, spec.ports, members)

    def _fresh(self, name: str, spec: ServiceSpec, options: SiteOptions) -> Object:
        marked, noted = self._marks(name, options)
        inner = {port: self._inner[ServiceKey(name, port)] for port in spec.ports}
        # Only for plaintext HTTP/2: routers of clusters cannot detect it.
        is_h2c = spec.protocol == "http2" and not spec.tls_cert
        wish = self._asked.wishes.get(name)
        return owned_services.service(
            name,
            inner,
            marked,
            noted,
            app_protocol=owned_services.H2C if is_h2c else "",
            cluster_ip=wish.cluster_ip if wish is not None else "",
        )

    def _marks(self, name: str, options: SiteOptions) -> tuple[dict[str, str], dict[str, str]]:
        wish = self._asked.wishes.get(name)
        return (
            options.labels | (wish.labels if wish else {}),
            options.annotations | (wish.annotations if wish else {}),
        )

    def _make(self, name: str, found: Object | None, fresh: Object, needs: Listens) -> None:
        if found is None:
            self._changes.append(Create(kind="Service", name=name, body=fresh, needs=needs))
            return
        wanted = owned_services.remade(found, fresh)
        self._add(delete(found) if wanted is None else patch(found, wanted, needs))

    def _needs(self, name: str) -> Listens:
        keys = (ServiceKey(name, port) for port in self._chosen[name].ports)
        return tuple((key, self._inner[key]) for key in keys)

    def undo(self, options: SiteOptions) -> None:
        """Plan the removal of Services that lead to the routers and are not wanted any more."""
        ttl_s = options.service_sync_site_ttl_s
        led: set[str] = set()
        for service in self._ours:
            name = name_of(service)
            is_led = name in self._chosen or name in self._hosts
            if is_led or "deletionTimestamp" in metadata(service):
                led.add(name)
            elif self._may_be_out_of_reach(name, service, ttl_s):
                led.add(name)
                self._wake_at(self._memory.began_at + ttl_s)
            else:
                change, finding = undone(service)
                self._add(change)
                self._findings += [finding] if finding else []
        heads = frozenset(n for n, s in self._chosen.items() if self._has_no_address(n, s))
        self._changes += headless.deletions(self._asked.snapshot, keep=heads | led)

    def _may_be_out_of_reach(self, name: str, service: Object, ttl_s: float) -> bool:
        if name in self._asked.declared or name in self._memory.declared:
            return False
        if owned_services.made(service).keys:
            return False  # A Listener of this namespace asked for it, but does not any more.
        if self._asked.now >= self._memory.began_at + ttl_s:
            return False
        was = adoption.original(service)
        return was is None or not was.is_asked or name in self._asked.wishes

    def _add(self, change: Change | None) -> None:
        if change is not None:
            self._changes.append(change)

    def _wake_at(self, at: float) -> None:
        self._again_at = at if self._again_at is None else min(at, self._again_at)

    def _find(self, name: str, path: str, code: str, reason: str, hint: str) -> None:
        error = ConfigError(f"Service/{name}", path, reason, hint=hint, code=code)
        self._findings.append(error)

    def result(self) -> ServicePlan:
        """The plan: deletions first, then everything else."""
        ours = frozenset(name_of(service) for service in self._ours)
        heard = frozenset(self._asked.declared)
        memory = msgspec.structs.replace(
            self._memory,
            declared=heard | (self._memory.declared & ours),
            inner_ports=remember(self._memory.inner_ports, self._inner),
            conflicts=self._conflicts,
        )
        return ServicePlan(
            changes=tuple(sorted(self._changes, key=_order)),
            inner_ports=self._inner,
            promised=promised(self._asked.snapshot, self._ours),
            findings=tuple(self._findings),
            memory=memory,
            again_at=self._again_at,
        )


def _order(change: Change) -> tuple[bool, str, str]:
    return not isinstance(change, Delete), change.kind, change.name
