"""The part of its shares that this router may use now, as agreed with its site's other routers."""

import hashlib
from collections.abc import Callable, Mapping

import msgspec

from router.balance.sites.heard_lives import HeardLives
from router.balance.sites.shares import Shares
from router.documents import CapacityDivision
from router.exchange.target_readings import TargetReadings
from router.link.links import Links
from router.model import limits
from router.model.addresses import join
from router.model.capacity import Rate, SiteCap
from router.model.events import Problem
from router.model.ids import RouterId, ServiceKey
from router.model.messages.shares import SharesMessage
from router.net.ports import Network, Timer
from router.node.services.planned import PlannedService, PlannedTarget

PROBLEM_NAMES = 5  # Of routers, in one sentence.
_RATE_UNITS = 1_000_000  # Per request a second: rates are divided as whole numbers.


class ShareRun:
    """Exchanges shares with the other routers, and cuts the plan to the usable part.

    ``changed``: called when the usable part changes.
    """

    def __init__(
        self,
        network: Network,
        links: Links,
        readings: TargetReadings,
        life: int,
        changed: Callable[[], None],
    ) -> None:
        self._network = network
        self._links = links
        self._readings = readings
        self._life = life
        self._changed = changed
        self._shares: Shares | None = None
        self._sharing: CapacityDivision | None = None
        self._planned: Mapping[ServiceKey, PlannedService] = {}
        self._members: dict[RouterId, SharesMessage] = {}
        self._timer: Timer | None = None
        self._awaits_since: float | None = None
        self._lives = HeardLives()
        self._heard_changed: Callable[[], None] = lambda: None
        self._unlinked: dict[str, float] = {}
        self._owing: tuple[Mapping[ServiceKey, PlannedService], Mapping[str, int]] = ({}, {})
        """The services with debts, and those debts, as last told."""
        self._hurries_until = 0.0
        self._debt_timer: Timer | None = None

    def follow_heard(self, changed: Callable[[], None]) -> None:
        """Call ``changed`` when `heard` or `over` changes."""
        self._heard_changed = changed

    def divide(
        self, sharing: CapacityDivision | None, planned: Mapping[ServiceKey, PlannedService]
    ) -> None:
        """``planned`` are this router's shares; ``sharing`` None: no agreement is needed.

        `limited` applies from now on; call `tell` once reductions have been applied.
        """
        if sharing is None:
            self._shares = self._sharing = self._awaits_since = None
            self._unlinked = {}
            return
        self._sharing, self._planned = sharing, planned
        if self._shares is None or self._shares.own != sharing.own:
            self._shares = Shares(sharing.own, self._life)
        self._see(self._shares)
        if self._timer is None:
            self._arm()

    def limited(self, service: PlannedService) -> PlannedService:
        """``service`` with the usable part of its shares."""
        shares = self._shares
        if shares is None or shares.is_whole:
            return service
        targets = {
            target: _limited(shares, planned, _name(service.key, target))
            for target, planned in service.targets.items()
        }
        cap, name = service.cap, _name(service.key, "")
        if cap is not None:
            slots = None if cap.slots is None else shares.limit(name)
            rate = _rate(shares, cap.rate, name)
            if cap.rate is not None and rate is None:
                slots = 0
            cap = SiteCap(slots=slots, rate=rate, spill=cap.spill)
        return msgspec.structs.replace(service, targets=targets, cap=cap)

    def tell(self, to: RouterId | None = None) -> None:
        """Send this router's division to all other routers, or to one."""
        shares = self._shares
        if shares is None:
            return
        sharing = [router for router, tells in self._links.adjacencies.sharing.items() if tells]
        listeners = [router for router in sharing if to in (None, router)]
        in_flight = self._in_flight(self._planned) if listeners else {}
        for router in listeners:
            known = self._members.get(router)
            member = known.member if known is not None else ""
            self._links.send(router, shares.message_to(member, in_flight))
        if to is None:
            self._note_debts(shares.debts(in_flight))

    def met(self, router: RouterId) -> None:
        """A link to another router came up."""
        if self._shares is None or router not in self._links.adjacencies.sharing:
            return
        if not self._links.adjacencies.sharing[router]:
            self._heard_changed()
        self._see_again(self._shares)
        self.tell(router)

    def received(self, router: RouterId, message: SharesMessage) -> None:
        """Take the shares message of another router of this site."""
        shares, known = self._shares, self._members.get(router)
        if self._lives.hear(message):
            self._heard_changed()
        self._members[router] = message
        sharing = self._links.adjacencies.sharing
        self._members = {one: said for one, said in self._members.items() if one in sharing}
        if shares is None:
            return
        shares.hear(message)
        self._note_awaited(shares)
        self._changed()
        if known is None or (known.life, known.round) != (message.life, message.round):
            self.tell(router)  # It waits for our message.

    @property
    def heard(self) -> frozenset[str] | None:
        """Names of this site's routers that this one has heard since it started.

        None: a router of an older version is linked, which sends no shares.
        """
        linked = self._links.adjacencies.sharing
        return frozenset(self._lives.newest) if all(linked.values()) else None

    @property
    def over(self) -> Mapping[str, int]:
        """Lives of `heard` routers that are over: they hold nothing, and admit nothing more."""
        return self._lives.over

    @property
    def unlinked(self) -> Mapping[str, float]:
        """Since when (monotonic) routers that serve, and were heard before, are no longer linked.

        By their names. One that was never heard is a problem (`problems`).
        """
        return self._unlinked

    def problems(self, utc: Callable[[float], str]) -> tuple[Problem, ...]:
        """A problem if other routers of the site cannot be heard, so that shares stay unused."""
        since, shares = self._awaits_since, self._shares
        if shares is None or since is None:
            return ()
        if self._network.now() - since < limits.SHARES_UNHEARD_S or not self._stated():
            return ()
        awaited = sorted(self._awaited(shares))
        named = ", ".join(awaited[:PROBLEM_NAMES])
        return (
            Problem(
                code="SW0678",
                message=f"Routers of this site have not agreed since {utc(since)} how they divide "
                f"its configured capacities: this one does not hear {named}. Until they agree, a "
                "router that started while another ran uses nothing of them.",
                hint="Let the routers reach each other's link port: kubectl get networkpolicies. "
                "Delete a pod whose node is lost",
            ),
        )

    def end(self) -> None:
        """This router admits nothing more: tell the others once it has nothing in flight."""
        if self._shares is not None:
            self._shares.end()
            self.tell()

    def close(self) -> None:
        """Send nothing more."""
        for timer in (self._timer, self._debt_timer):
            if timer is not None:
                timer.cancel()

    def _arm(self) -> None:
        again = self._network.now() + limits.SHARES_REPEAT_S
        self._timer = self._network.call_at(again, self._repeat)

    def _repeat(self) -> None:
        self._arm()
        if self._shares is not None:
            self._see_again(self._shares)
        self.tell()

    def _note_debts(self, debts: Mapping[str, int]) -> None:
        """They have just been told. Check them again soon: others wait for these slots.

        Only for a while after any has grown, which is when a share shrank: requests that still run
        then are so long that `SHARES_REPEAT_S` wastes little of their slots.
        """
        owing = {
            key: service
            for key, service in self._planned.items()
            if debts and any(_name(key, at) in debts for at in (*service.targets, ""))
        }
        now, (_, before) = self._network.now(), self._owing
        self._owing = owing, debts
        if any(count > before.get(one, 0) for one, count in debts.items()):
            self._hurries_until = now + limits.SHARE_DEBTS_FOR_S
        if owing and self._debt_timer is None and now < self._hurries_until:
            self._watch_debts()

    def _watch_debts(self) -> None:
        again = self._network.now() + limits.SHARE_DEBTS_S
        self._debt_timer = self._network.call_at(again, self._look_at_debts)

    def _look_at_debts(self) -> None:
        self._debt_timer = None
        (owing, told), shares = self._owing, self._shares
        if shares is None or not owing or self._network.now() >= self._hurries_until:
            return
        if shares.debts(self._in_flight(owing)) == told:
            self._watch_debts()
        else:
            self.tell()

    def _see_again(self, shares: Shares) -> None:
        before = shares.is_whole
        self._see(shares)
        if shares.is_whole != before:
            self._changed()

    def _see(self, shares: Shares) -> None:
        sharing = self._sharing
        assert sharing is not None, "it is divided"
        others, down = sharing.others, sharing.down
        if self.heard is None and sharing.is_by_all:
            # A router of an older version never agrees, so wait for no agreement. It still uses its
            # share, so a division without it is not used: the division by all is on its way.
            others, down = frozenset(), {}
        shares.see(sharing.division, others, self._stated(), down)
        self._note_awaited(shares)
        self._note_unlinked(sharing.ready)

    def _awaited(self, shares: Shares) -> frozenset[str]:
        """Routers that do not agree, or that serve clients and were never heard."""
        heard, sharing = self.heard, self._sharing
        if heard is None or sharing is None:
            return shares.awaited
        return shares.awaited | (sharing.ready - heard)

    def _note_awaited(self, shares: Shares) -> None:
        if not self._awaited(shares):
            self._awaits_since = None
        elif self._awaits_since is None:
            self._awaits_since = self._network.now()

    def _note_unlinked(self, ready: frozenset[str]) -> None:
        linked = self._links.adjacencies.sharing
        members = {said.member for router, said in self._members.items() if router in linked}
        missing = (ready & (self.heard or frozenset())) - members
        now = self._network.now()
        self._unlinked = {one: self._unlinked.get(one, now) for one in missing}

    def _stated(self) -> dict[str, int]:
        """This router's shares, by resource."""
        stated: dict[str, int] = {}
        for key, service in self._planned.items():
            for target, planned in service.targets.items():
                _state(stated, _name(key, target), planned.capacity, planned.rate)
            if service.cap is not None:
                _state(stated, _name(key, ""), service.cap.slots, service.cap.rate)
        return stated

    def _in_flight(self, planned: Mapping[ServiceKey, PlannedService]) -> dict[str, int]:
        """Requests of these services in flight, by resource of slots."""
        found: dict[str, int] = {}
        for key, service in planned.items():
            targets = self._readings.of(key)
            for one in targets:
                address = join(one.host, one.port)
                stated = service.targets.get(address)
                if stated is None or stated.capacity is not None:
                    found[_name(key, address)] = one.in_flight
            if service.cap is not None and service.cap.slots is not None:
                found[_name(key, "")] = sum(one.in_flight for one in targets)
        return found


def _name(key: ServiceKey, target: str) -> str:
    """The resource name of a target of a service port, or of the port's cap."""
    return hashlib.blake2b(f"{key.name} {key.port} {target}".encode(), digest_size=8).hexdigest()


def _of_rate(name: str) -> str:
    return f"{name}/s"


def _state(stated: dict[str, int], name: str, slots: int | None, rate: Rate | None) -> None:
    if slots is not None:
        stated[name] = slots
    if rate is not None:
        stated[_of_rate(name)] = round(rate.per_s * _RATE_UNITS)


def _limited(shares: Shares, planned: PlannedTarget, name: str) -> PlannedTarget:
    capacity, rate = planned.capacity, _rate(shares, planned.rate, name)
    if capacity is not None:
        capacity = shares.limit(name)
    if planned.rate is not None and rate is None:
        capacity = 0
    return msgspec.structs.replace(planned, capacity=capacity, rate=rate)


def _rate(shares: Shares, rate: Rate | None, name: str) -> Rate | None:
    """The usable part of ``rate``; None: nothing."""
    if rate is None:
        return None
    per_s = shares.limit(_of_rate(name)) / _RATE_UNITS
    if per_s >= rate.per_s:
        return rate
    if per_s < limits.RATE_PER_S_MIN:
        return None
    return msgspec.structs.replace(rate, per_s=per_s, resume_per_s=min(per_s, rate.resume_per_s))
