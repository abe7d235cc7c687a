"""The service ports of one router: the known ones, and removed ones that are not over yet."""

import gc
from collections.abc import Iterator, Mapping, Sequence

from router.balance.targets.answer_streaks import NoAnswer
from router.balance.targets.error_answers import ErrorShare
from router.model import limits
from router.model.capacity import SiteCap
from router.model.ids import ServiceKey, SiteId
from router.model.messages.adverts import LoadReport, RemoteCandidate
from router.model.settings import ServiceLimits
from router.model.specs import ServiceSpec
from router.service.burst_wakes import BurstWakes
from router.service.router_context import RouterContext
from router.service.service import Service

UNDECLARED = ServiceSpec(ports=())


class ServicePorts:
    """Owner of each `Service`. Configuration is level-triggered: setting the same again changes
    nothing.

    Calls that also concern listeners, clients and streams go through `Forwarder`.
    """

    __slots__ = ("_context", "_gone", "_removed", "by_key", "declared", "known_as", "wakes")

    def __init__(self, context: RouterContext) -> None:
        self._context = context
        self.by_key: dict[ServiceKey, Service] = {}
        self.declared: set[ServiceKey] = set()
        """Others are known only for their targets."""
        self._removed: dict[ServiceKey, Service] = {}
        """Not known any more, with something under way: a new one of the same name
        takes it over.
        """
        self._gone = 0  # Removed since Python's collector was called.
        self.known_as = context.site_name
        self.wakes = BurstWakes(self.by_key)
        """The wakes of burst hooks: requests may be held for them."""

    def known(self, key: ServiceKey) -> Service:
        """The service of ``key``; created if there is none yet."""
        service = self.by_key.get(key)
        if service is None:
            service = self._removed.pop(key, None)
            if service is None or not service.open_now():
                service = Service(key, UNDECLARED, self._context)
            else:
                service.set_config(UNDECLARED)
            self.by_key[key] = service
            self.wakes.tell(service)
            service.balancer.set_site_name(self.known_as)
        return service

    def remove(self, key: ServiceKey) -> Service | None:
        """Remove the service port; exchanges under way go on. None: it was not known."""
        service = self.by_key.pop(key, None)
        if service is not None:
            self.declared.discard(key)
            self._removed[key] = service
        return service

    def removed(self) -> dict[ServiceKey, dict[SiteId, int]]:
        """Exchanges under way of service ports that are not known any more, by site, as in
        `Service.open_now`.
        """
        self._let_go()
        each = ((key, service.open_now()) for key, service in self._removed.items())
        return {key: found for key, found in each if found}

    def collect(self) -> None:
        """Drop finished services, and have Python free them when there are many. Call it often.

        Otherwise a member that renames its services forever would fill the memory with them.
        """
        self._let_go()
        if self._gone >= limits.SERVICES_GONE_MAX:
            self._gone = 0
            gc.collect()

    def _let_go(self) -> None:
        before = len(self._removed)
        self._removed = {key: one for key, one in self._removed.items() if not one.is_over}
        self._gone += before - len(self._removed)

    def stop(self) -> None:
        """End all waits and checks."""
        for service in self.by_key.values():
            service.stop()

    # Configuration

    def set_site_cap(self, key: ServiceKey, cap: SiteCap | None) -> None:
        """Set the cap of this site for the service port; None: its targets are the only limit."""
        service = self.by_key.get(key)
        if service is not None:
            service.set_site_cap(cap)

    def set_drained(self, key: ServiceKey, is_drained: bool) -> None:
        """Whether an operator has drained this site for the service port."""
        service = self.by_key.get(key)
        if service is not None:
            service.set_drained(is_drained)

    def set_site_name(self, name: str) -> None:
        """The name of this site in policies and explanations; not its own while another site claims
        it.
        """
        if name != self.known_as:
            self.known_as = name
            for service in self.by_key.values():
                service.balancer.set_site_name(name)

    # Reports of other sites

    def set_remotes(self, key: ServiceKey, remotes: Sequence[RemoteCandidate]) -> None:
        """Remote candidates of the present route table; dropped for a service not known here."""
        service = self.by_key.get(key)
        if service is not None:
            service.set_remotes(remotes)

    def introduce(self, name: str, site: SiteId) -> None:
        """``site`` newly has targets of service ``name``, and no grant confirms its capacity."""
        for service in self._named(name):
            service.balancer.ejections.introduce(site, self._context.network.now())

    def report_load(self, report: LoadReport, site: SiteId) -> None:
        """A load report of ``site``, already judged by routing."""
        service = self.by_key.get(report.key)
        if service is not None:
            service.report_load(report, site)

    def set_unanswering(self, unanswering: Mapping[ServiceKey, Mapping[str, NoAnswer]]) -> None:
        """Targets that do not answer, by address."""
        for key, service in self.by_key.items():
            service.unanswering = unanswering.get(key, {})

    def set_unanswering_sites(
        self, unanswering: Mapping[ServiceKey, Mapping[SiteId, NoAnswer]]
    ) -> None:
        """Other sites that owe answers to clients of this one."""
        for key, service in self.by_key.items():
            service.unanswering_sites = unanswering.get(key, {})

    def set_failing(self, failing: Mapping[ServiceKey, Mapping[str, ErrorShare]]) -> None:
        """Targets that answer 5xx, by address."""
        for key, service in self.by_key.items():
            service.failing = failing.get(key, {})

    # Read by others

    def is_served(self, key: ServiceKey) -> bool:
        """Whether it is tcp with a ready target, here or at a reachable site."""
        service = self.by_key.get(key)
        return (
            service is not None
            and service.protocol == "tcp"
            and bool(service.ledger.targets_ready or service.balancer.is_served_elsewhere)
        )

    def limits_of(self, key: ServiceKey) -> ServiceLimits:
        """Limits for requests of its clients."""
        service = self.by_key.get(key)
        return service.config.limits if service is not None else UNDECLARED.limits

    def _named(self, name: str) -> Iterator[Service]:
        return (service for key, service in self.by_key.items() if key.name == name)
