"""Who takes a leg to a target, and the exchange of a request that no site chose."""

from collections.abc import Set
from types import SimpleNamespace
from typing import Any, cast

from router.balance.site.slots import Slot
from router.balance.targets.target import Target
from router.balance.targets.target_states import READY
from router.exchange.exchange import Exchange
from router.exchange.exchange_states import ExchangeState
from router.model.ids import SiteId
from router.model.requests import Request
from router.net.ports import Buffer, Timers
from router.service.observers import Observing
from router.service.ports import CANCELLED, LegFailure, LegHandler, PendingLeg, ServerLeg
from router.service.pressure import Pressure
from router.service.service import Service
from router.service.targets.target_ways import TargetWays
from tests.unit.exchange.fakes_http import RecordingHandler


class RecordingTaker(RecordingHandler):
    """A `LegTaker` that records its calls, and sends through its leg."""

    def __init__(self) -> None:
        super().__init__()
        self.dial: PendingLeg | None = None
        self.leg: ServerLeg | None = None

    def connected(self, leg: ServerLeg) -> None:
        self.leg = leg
        self.events.append(("opened",))

    def connect_failed(self, failure: LegFailure) -> None:
        self.done(failure)

    @property
    def blames_target(self) -> bool:
        return self._leg.blames_target

    @property
    def status(self) -> int:
        return self._leg.status

    def send(self, data: Buffer) -> bool:
        return self._leg.send(data)

    def send_trailers(self, block: bytes) -> None:
        self._leg.send_trailers(block)

    def finish(self) -> None:
        self._leg.finish()

    def abort(self) -> None:
        if self.leg is not None:
            self.leg.abort()
        elif self.dial is not None:
            self.dial.cancel()

    def pause(self) -> None:
        self._leg.pause()

    def resume(self) -> None:
        self._leg.resume()

    @property
    def _leg(self) -> ServerLeg:
        assert self.leg is not None, "it is connected"
        return self.leg


class Told:
    """Admission, ledger and outcomes of a service with one target: records its calls, in order.

    No other target has room.
    """

    era = 4

    def __init__(self, log: list[tuple[object, ...]]) -> None:
        self._log = log
        self.suspects: dict[str, object] = {}

    def give_back(self, slot: Slot) -> None:
        self._log.append(("released", slot.target))

    def release_after(self, lingering: Any, slot: Slot, *, by_client: bool) -> None:
        lingering.then(lambda: self.give_back(slot))

    def move(self, slot: Slot, *others: object) -> None:
        return None

    def connect_failed(self, *told: object) -> None:
        self._log.append(("connect failed", *told))

    def broke_off(self, *told: object) -> None:
        self._log.append(("broke off", *told))

    def refused(self, *told: object) -> None:
        self._log.append(("refused", *told))

    def completed(self, *told: object) -> None:
        self._log.append(("completed", *told))


def service_of(targets: TargetWays, timers: Timers, told: Told) -> Service:
    """As much of a service as an exchange at its targets needs."""
    parts = SimpleNamespace(
        admission=told,
        ledger=told,
        now=timers.now,
        observing=Observing(),
        outcomes=told,
        pressure=Pressure(),
        site="here",
        target_ways=targets,
        timers=timers,
        timings=SimpleNamespace(wanted=None),
        sheddable=None,
    )
    return cast(Service, parts)


class DirectExchange(Exchange):
    """One attempt at ``target``, right behind ``caller``: nothing chooses, and nothing repeats."""

    _FROM_CLIENT = True

    def __init__(self, request: Request, caller: LegHandler, service: Service, target: str) -> None:
        super().__init__(request, service, service.site)
        self._caller = caller
        held_of = Target(target)
        held_of.judge(READY)
        slot = Slot(target, held_of, None)
        if self._begin_here(slot):  # No callback: we are within the caller's call.
            self._hold()

    def client_gone(self) -> None:
        self.abort()

    def overdue(self) -> LegFailure:
        self.abort()
        return CANCELLED

    def break_off(self, sites: Set[SiteId]) -> None:
        """Its target is at this site."""

    @property
    def awaited_at(self) -> SiteId | None:
        return None

    def relieve(self) -> None:
        if self.has_target:
            self._forget_sent()
        else:
            self.abort()

    def opened(self) -> None:
        self._hold()
        self._caller.opened()
        self._let_go_on()

    def head(self, head: bytes, body_bytes: int) -> None:
        self._answer_began()
        self._caller.head(head, body_bytes)

    def received(self, data: memoryview) -> None:
        self._caller.received(data)

    def trailers(self, block: bytes) -> None:
        self._caller.trailers(block)

    def ended(self) -> None:
        self._caller.ended()

    def whole(self, head: bytes, body_bytes: int, body: Buffer) -> None:
        slot = self._slot
        assert slot is not None, "it is served here"
        self._give_back(slot, is_complete=True)
        self._state = ExchangeState.OVER
        self._caller.whole(head, body_bytes, body)

    def _attempt_over(self, failure: LegFailure | None) -> None:
        self._state = ExchangeState.OVER
        if self._in_hand:
            self._forget_sent()
        self._caller.done(failure)

    def _tell_writable(self) -> None:
        self._caller.writable()
