"""How much of its shares this router may use now, as agreed with the other routers of its site."""

import hashlib
from collections.abc import Callable, Mapping

import msgspec

from router.balance.shares import Shares
from router.documents import Agreement
from router.exchange.readings import Readings
from router.link.links import Links
from router.model import limits
from router.model.addresses import join
from router.model.capacity import Rate, SiteCap
from router.model.ids import RouterId, ServiceKey
from router.model.shares import SharesMessage
from router.net.ports import Network, Timer
from router.node.services.planned import PlannedService, PlannedTarget

_RATE_UNITS = 1_000_000  # In one a second: rates are divided as whole numbers.


class ShareRun:
    """Talks with the others, and cuts what is planned to what may be used.

    ``changed``: what may be used has become another.
    """

    def __init__(
        self,
        network: Network,
        links: Links,
        readings: Readings,
        life: int,
        changed: Callable[[], None],
    ) -> None:
        self._network = network
        self._links = links
        self._readings = readings
        self._life = life
        self._changed = changed
        self._shares: Shares | None = None
        self._sharing: Agreement | None = None
        self._planned: Mapping[ServiceKey, PlannedService] = {}
        self._members: dict[RouterId, SharesMessage] = {}
        self._timer: Timer | None = None

    def divide(
        self, sharing: Agreement | None, planned: Mapping[ServiceKey, PlannedService]
    ) -> None:
        """``planned`` are this router's shares; None: nobody has to agree.

        `limited` counts from now on; `tell` when what became less has been applied.
        """
        if sharing is None:
            self._shares = self._sharing = None
            return
        self._sharing, self._planned = sharing, planned
        if self._shares is None or self._shares.own != sharing.own:
            self._shares = Shares(sharing.own, self._life)
        self._see(self._shares)
        if self._timer is None:
            self._arm()

    def limited(self, service: PlannedService) -> PlannedService:
        """``service`` with what may be used of it now."""
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
        """Say how it is divided here, to all or to one."""
        shares = self._shares
        if shares is None:
            return
        sharing = [router for router, tells in self._links.sharing.items() if tells]
        listeners = [router for router in sharing if to in (None, router)]
        in_flight = self._in_flight() if listeners else {}
        for router in listeners:
            known = self._members.get(router)
            member = known.member if known is not None else ""
            self._links.send(router, shares.message_to(member, in_flight))

    def met(self, router: RouterId) -> None:
        """A link to another router came up."""
        if self._shares is None or router not in self._links.sharing:
            return
        self._see_again(self._shares)
        self.tell(router)

    def received(self, router: RouterId, message: SharesMessage) -> None:
        """What another router of this site says."""
        shares, known = self._shares, self._members.get(router)
        self._members[router] = message
        self._members = {
            one: said for one, said in self._members.items() if one in self._links.sharing
        }
        if shares is None:
            return
        shares.hear(message)
        self._changed()
        if known is None or (known.life, known.round) != (message.life, message.round):
            self.tell(router)  # It waits for our word.

    def close(self) -> None:
        """Say no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        again = self._network.now() + limits.SHARES_REPEAT_S
        self._timer = self._network.call_at(again, self._repeat)

    def _repeat(self) -> None:
        self._arm()
        if self._shares is not None:
            self._see_again(self._shares)
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
        if not all(self._links.sharing.values()):
            others, down = (
                frozenset(),
                {},
            )  # A router of an older version agrees to nothing: as it did.
        shares.see(sharing.division, others, self._stated(), down)

    def _stated(self) -> dict[str, int]:
        """This router's shares, by resource."""
        stated: dict[str, int] = {}
        for key, service in self._planned.items():
            for target, planned in service.targets.items():
                _state(stated, _name(key, target), planned.capacity, planned.rate)
            if service.cap is not None:
                _state(stated, _name(key, ""), service.cap.slots, service.cap.rate)
        return stated

    def _in_flight(self) -> dict[str, int]:
        """By resource of slots."""
        found: dict[str, int] = {}
        for key, targets in self._readings.targets().items():
            service = self._planned.get(key)
            if service is None:
                continue
            for one in targets:
                address = join(one.host, one.port)
                planned = service.targets.get(address)
                if planned is None or planned.capacity is not None:
                    found[_name(key, address)] = one.in_flight
            if service.cap is not None and service.cap.slots is not None:
                found[_name(key, "")] = sum(one.in_flight for one in targets)
        return found


def _name(key: ServiceKey, target: str) -> str:
    """Of what is divided: a target of a service port, or the cap of it."""
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
    """What may be used of ``rate``; None: nothing."""
    if rate is None:
        return None
    per_s = shares.limit(_of_rate(name)) / _RATE_UNITS
    if per_s >= rate.per_s:
        return rate
    if per_s < limits.RATE_PER_S_MIN:
        return None
    return msgspec.structs.replace(rate, per_s=per_s, resume_per_s=min(per_s, rate.resume_per_s))
