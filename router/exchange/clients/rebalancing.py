"""Connections follow the policy: those that it would place at another site now end, a few a second.

Only long ones are moved: tcp connections, tunnels and long streams of HTTP/2. Requests are placed
one by one as they come, on any connection. Those of a session stay at its site.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Set
from math import inf

import msgspec

from router.balance.deciding.placement import Placement
from router.exchange.clients.client_connection import ClientConnection
from router.exchange.clients.departures import Departures, QuietTime
from router.model import limits
from router.model.ids import ServiceKey, SiteId
from router.net.ports import Timer, Timers
from router.service.service import Service


class RebalanceTerms(msgspec.Struct, frozen=True, kw_only=True):
    """The terms of a run. ``over_s``: it ends after this time at the latest.

    ``per_s``: connections that are ended, at most. ``idle_s``: a raw connection on which nothing
    moved for this time is idle. ``grace_s``: after this time of the run one that is not idle is
    reset; infinite: never.
    """

    over_s: float = limits.REBALANCE_OVER_S
    per_s: float = limits.REBALANCE_PER_S
    idle_s: float = limits.REBALANCE_IDLE_S
    grace_s: float = inf


USUAL_TERMS = RebalanceTerms()


class RebalancePlan(msgspec.Struct, frozen=True, kw_only=True):
    """Long connections of a service port's clients, by site, and those that would move now.

    ``ending``: further ones that were asked to end, for their age or to move.
    """

    key: ServiceKey
    placed: dict[SiteId, int]
    placement: Placement
    ending: int


class RebalanceNews(msgspec.Struct, frozen=True, kw_only=True):
    """A run is over. ``moved`` by the site that was left; ``left``: those still misplaced."""

    key: ServiceKey
    moved: dict[SiteId, int]
    left: int


class _Lasting(msgspec.Struct, frozen=True):
    """One connection that could be moved, and its site."""

    client: ClientConnection
    site: SiteId


class _Run:
    """``terms`` None: those of services that always rebalance."""

    __slots__ = (
        "began_at",
        "credit",
        "credited_at",
        "is_auto",
        "misplaced_at",
        "moved",
        "service",
        "terms",
    )

    def __init__(self, service: Service, terms: RebalanceTerms | None, now: float) -> None:
        self.service = service
        self.is_auto = terms is None
        self.terms = terms if terms is not None else USUAL_TERMS
        self.began_at = self.credited_at = self.misplaced_at = now
        self.credit = 0.0
        self.moved: Counter[SiteId] = Counter()

    def earn(self, now: float) -> None:
        """Add the credit of the rate until ``now``; unused credit is not kept for later."""
        earned = self.terms.per_s * (now - self.credited_at)
        self.credit = min(self.credit + earned, max(1.0, earned))
        self.credited_at = now


class Rebalancing:
    """Owns the runs: requested ones, and those of services that always rebalance."""

    __slots__ = (
        "_autos",
        "_clients",
        "_departures",
        "_due",
        "_looks_at",
        "_quiet",
        "_returning",
        "_runs",
        "_seen",
        "_tell",
        "_timer",
        "_timers",
    )

    def __init__(
        self, timers: Timers, clients: Set[ClientConnection], departures: Departures
    ) -> None:
        self._timers = timers
        self._clients = clients
        self._departures = departures
        self._runs: dict[ServiceKey, _Run] = {}
        self._autos: dict[ServiceKey, Service] = {}
        self._seen: set[ServiceKey] = set()  # Of these: something was misplaced at the last check.
        self._looks_at = 0.0
        self._quiet: dict[ClientConnection, QuietTime] = {}
        # Clients that were asked to leave, and when each was gone; infinite: it is still there.
        self._returning: dict[ServiceKey, dict[ClientConnection, float]] = {}
        self._timer: Timer | None = None
        self._due = 0.0  # Of the timer.
        self._tell: Callable[[RebalanceNews], None] = lambda _: None

    def follow(self, tell: Callable[[RebalanceNews], None]) -> None:
        """Call ``tell`` at the end of each run that has moved something, or was requested."""
        self._tell = tell

    # Requests for runs

    def set_auto(self, service: Service, wanted: bool) -> None:
        """Whether connections of the service port follow the policy by themselves."""
        if wanted:
            self._autos[service.key] = service
            self._arm()
        else:
            self._autos.pop(service.key, None)
            self._seen.discard(service.key)
            run = self._runs.get(service.key)
            if run is not None and run.is_auto:
                del self._runs[service.key]

    def plan(self, service: Service) -> RebalancePlan:
        """The connections that would move now."""
        return self._plan(service, list(self._lasting(service)))

    def begin(self, service: Service, terms: RebalanceTerms) -> RebalancePlan:
        """Move connections that are misplaced now and while the run lasts; one run of a service at
        a time.
        """
        plan = self.plan(service)
        self._runs[service.key] = _Run(service, terms, self._timers.now())
        self._arm()
        return plan

    def is_running(self, key: ServiceKey) -> bool:
        """Connections of the service port are being moved."""
        return key in self._runs

    def forget(self, key: ServiceKey) -> None:
        """The service port is removed."""
        self._runs.pop(key, None)
        self._autos.pop(key, None)
        self._seen.discard(key)
        self._returning.pop(key, None)

    # Checks

    def _arm(self) -> None:
        """Set the next check, unless an earlier one is due: a service that is configured often must
        not put it off."""
        if not self._runs and not self._autos:
            return
        wait_s = limits.REBALANCE_TICK_S if self._runs else limits.REBALANCE_LOOK_S
        due = self._timers.now() + wait_s
        if self._timer is not None:
            if self._due <= due:
                return
            self._timer.cancel()
        self._due = due
        self._timer = self._timers.call_at(due, self._tick)

    def _tick(self) -> None:
        self._timer = None
        try:
            self._look(self._timers.now())
        finally:
            self._arm()

    def _look(self, now: float) -> None:
        if now >= self._looks_at:
            self._looks_at = now + limits.REBALANCE_LOOK_S
            for service in list(self._autos.values()):
                self._look_at(service, now)
        for run in list(self._runs.values()):
            self._go_on(run, now)
        if not self._runs and not self._seen:
            self._quiet.clear()

    def _look_at(self, service: Service, now: float) -> None:
        """Check a service that always rebalances: twice in a row, so that no moment counts."""
        key = service.key
        lasting = list(self._lasting(service))
        plan = self._plan(service, lasting)
        if not plan.placement.leave:
            self._seen.discard(key)
            return
        self._note_quiet(lasting, plan, now)
        if key in self._seen and key not in self._runs:
            self._runs[key] = _Run(service, None, now)
        self._seen.add(key)

    def _go_on(self, run: _Run, now: float) -> None:
        key, terms = run.service.key, run.terms
        lasting = list(self._lasting(run.service))
        plan = self._plan(run.service, lasting)
        self._note_quiet(lasting, plan, now)
        run.earn(now)
        leave = dict(plan.placement.leave)
        for one in lasting:
            if run.credit < 1.0 or not leave:
                break
            if leave.get(one.site, 0) and self._ask(one.client, run, now):
                self._returning.setdefault(key, {})[one.client] = inf
                run.credit -= 1.0
                run.moved[one.site] += 1
                leave[one.site] -= 1
        left = sum(leave.values())
        if left or key in self._returning:
            run.misplaced_at = now
        # By then, each of several routers has had its turn at the last free slot.
        is_done = now > run.misplaced_at + limits.REBALANCE_RETURN_S
        if is_done or now - run.began_at >= terms.over_s:
            del self._runs[key]
            self._returning.pop(key, None)
            if run.moved or not run.is_auto:
                self._tell(RebalanceNews(key=key, moved=dict(run.moved), left=left))

    def _ask(self, client: ClientConnection, run: _Run, now: float) -> bool:
        """Ask the client to leave, by mild means if its protocol can ask it to or nothing of it
        moves. False: it stays, until the grace of the run is over.
        """
        idle_s = run.terms.idle_s
        may_leave = client.session.leaves_gently
        if may_leave or self._quiet[client].look(client.session.activity, now) >= idle_s:
            self._departures.ask(client, "rebalance", quiet_s=0.0, grace_s=inf)
        elif now - run.began_at >= run.terms.grace_s:
            self._departures.ask(client, "rebalance", quiet_s=idle_s, grace_s=0.0)
        else:
            return False
        return True

    def _note_quiet(self, lasting: Iterable[_Lasting], plan: RebalancePlan, now: float) -> None:
        for client in [one.client for one in lasting if one.site in plan.placement.leave]:
            activity = client.session.activity
            if client in self._quiet:
                self._quiet[client].look(activity, now)
            else:
                self._quiet[client] = QuietTime(activity, now)
                self._departures.involved.add(client)

    def gone(self, client: ClientConnection) -> None:
        """``client`` is lost."""
        self._quiet.pop(client, None)
        told = self._returning.get(client.service.key)
        if told is not None and client in told:
            told[client] = self._timers.now()

    # Planning

    def _plan(self, service: Service, lasting: Iterable[_Lasting]) -> RebalancePlan:
        placed = Counter(one.site for one in lasting)
        now = self._timers.now()
        placement = service.balancer.placement(now, placed, self._count_returning(service.key, now))
        return RebalancePlan(
            key=service.key,
            placed=dict(placed),
            placement=placement,
            ending=self._departures.count(service),
        )

    def _count_returning(self, key: ServiceKey, now: float) -> int:
        """Clients that were asked to leave, and may not be back yet."""
        told = self._returning.pop(key, {})
        left = {one: at for one, at in told.items() if at > now - limits.REBALANCE_RETURN_S}
        if left:
            self._returning[key] = left
        return len(left)

    def _lasting(self, service: Service) -> Iterator[_Lasting]:
        """Connections that can be moved, and their sites: they have a target, and belong to no
        session.
        """
        now = self._timers.now()
        for client in self._clients:
            if client.service is not service or client in self._departures:
                continue
            least_s = 0.0 if client.session.is_raw else limits.REBALANCE_LASTS_S
            if not client.session.is_raw and client.protocol != "http2":
                continue
            for flow in client.flows():
                record = flow.record
                held = record.site is not None and now - record.held_at >= least_s
                if held and not flow.request.session and record.site is not None:
                    yield _Lasting(client, record.site)
                    break
