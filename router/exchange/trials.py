"""One request to each site of a service port, sent there whatever the policy says: ``--traffic``.

It takes the path of a client's request: the head is judged and rewritten as theirs, crosses the
link, takes a slot and reaches a target. It is a GET without a body, or for tcp a connection that
closes once it is open, and it is tried once. Counters of requests, latency and demand leave it out.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal

import msgspec

from router.balance.deciding.decisions import Asked, Decision
from router.balance.learning.demand import SpillCause
from router.balance.site.slots import Slot
from router.exchange.exchange import Exchange
from router.exchange.exchange_states import ASKING, OVER, RemoteState
from router.exchange.sites.remote import RemoteLeg
from router.http.http1.canonical import STATUS_AT
from router.http.http1.forwarding import Forwarding
from router.http.http1.request_heads import RequestHead, read_request_head
from router.model import limits
from router.model.ids import SiteId
from router.model.requests import Request
from router.net.ports import Buffer
from router.service.observers import TargetCounts
from router.service.ports import LegCode, LegFailure, tell_in_parts
from router.service.service import Service

Outcome = LegCode | Literal["ok", "late"]


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one request. ``status``: of its final response, 0: none came, or it is tcp.

    ``seconds``: until the response was whole, for tcp until the connection was open; for a failure
    until it was known. ``reason`` is human-readable.
    """

    site: SiteId
    outcome: Outcome
    status: int
    seconds: float
    reason: str


class _TrialExchange(Exchange):
    """The exchange of one such request. ``done`` is called once, never from within `begin`."""

    __slots__ = ("_began", "_body_bytes", "_done", "_is_told", "_site", "_status", "_timer")

    _FROM_CLIENT = True

    def __init__(
        self, request: Request, service: Service, site: SiteId, done: Callable[[Trial], None]
    ) -> None:
        Exchange.__init__(self, request, service, service.site)
        self._site, self._done = site, done
        self._began = service.now()
        self._timer = service.timers.call_at(self._began + limits.TRIAL_S, self._late)
        self._status = self._body_bytes = 0
        self._is_told = False

    def begin(self) -> None:
        """Send it to the site, to whichever of its routers has the turn."""
        service = self._service
        now = self._began
        others = frozenset(service.balancer.sites) - {self._site}
        choice = service.balancer.select(now, others, Asked(self._site))
        if not isinstance(choice, Decision):
            code: LegCode = "no-target" if choice.reason == "no-route" else "busy"
            self._fail_later(code)
        elif choice.local:
            slot = service.ledger.try_acquire(now)
            if not isinstance(slot, Slot):
                self._fail_later("busy")
            elif self._begin_here(slot):
                self.opened()
        else:
            self._open_remote(choice)

    def _open_remote(self, choice: Decision) -> None:
        service, path = self._service, choice.path
        egress = service.balancer.egress(choice.site, path)
        leg = RemoteLeg(
            self.request, self, service, egress, path, 0, self._began, SpillCause.NO_DEMAND
        )
        if leg.state is not RemoteState.NOT_BEGUN:
            self._leg = leg
            self._target = ""
            self._state = ASKING
        else:
            self._fail_later("no-route")

    def _fail_later(self, code: LegCode) -> None:
        self._service.timers.at_turn_end(partial(self.done, LegFailure(code)))

    # RemoteHandler

    def opened(self, held_at: float | None = None) -> None:
        self._hold()
        if self._service.protocol == "tcp":
            self._tell("ok")
            self._service.timers.at_turn_end(self.abort)

    def head(self, head: bytes, body_bytes: int) -> None:
        self._answer_began()
        self._status = int(head[STATUS_AT])

    def received(self, data: memoryview) -> None:
        self._body_bytes += len(data)
        if self._body_bytes > limits.TRIAL_BODY_BYTES_MAX:  # Enough has come to be sure.
            self._tell("ok")
            self._service.timers.at_turn_end(self.abort)

    def trailers(self, block: bytes) -> None: ...

    def ended(self) -> None: ...

    def whole(
        self, head: bytes, body_bytes: int, body: Buffer, held_at: float | None = None
    ) -> None:
        if held_at is not None:
            self._hold()
        tell_in_parts(self, head, body_bytes, body)

    def can_leave(self) -> bool:
        return False  # The trial is about this site.

    # Exchange

    def _count_target(self, targets: TargetCounts, slot: Slot, *, failed: bool) -> None:
        """Not counted: it is no client's request, and may be broken off once it has
        proved enough.
        """

    def relieve(self) -> None:
        """Does nothing: a trial sends no data that could be stored."""

    def _tell_writable(self) -> None:
        """Does nothing: a trial sends no data."""

    def _attempt_over(self, failure: LegFailure | None) -> None:
        self._state = OVER
        if failure is None:
            self._tell("ok")
        else:
            self._tell(failure.code, failure.reason)
        if self._service.queue.line:
            self._service.queue.reconsider()

    def _late(self) -> None:
        self._tell("late", f"no whole answer within {limits.TRIAL_S:g} s")
        self.abort()

    def _tell(self, outcome: Outcome, reason: str = "") -> None:
        if self._is_told:
            return
        self._is_told = True
        self._timer.cancel()
        self._done(
            Trial(
                site=self._site,
                outcome=outcome,
                status=self._status,
                seconds=self._service.now() - self._began,
                reason=reason,
            )
        )


class Trials:
    """Begins trials, for a bounded number of services at once."""

    __slots__ = ("_running",)

    def __init__(self) -> None:
        self._running = 0

    def begin(
        self,
        service: Service,
        sites: list[SiteId],
        site_name: str,
        done: Callable[[list[Trial]], None],
    ) -> bool:
        """One request of ``service`` to each of ``sites``; ``done`` gets all outcomes, later.

        False: the maximum number is under way.
        """
        if self._running >= limits.TRIALS_AT_ONCE_MAX:
            return False
        self._running += 1
        missing, found = set(sites), list[Trial]()

        def one_done(trial: Trial) -> None:
            missing.discard(trial.site)
            found.append(trial)
            if not missing:
                all_done()

        def all_done() -> None:
            self._running -= 1
            done(found)

        if not sites:
            service.timers.at_turn_end(all_done)
        request = _request(service, site_name)
        for site in sites:
            _TrialExchange(request, service, site, one_done).begin()
        return True


def _request(service: Service, site_name: str) -> Request:
    """A harmless request, as a client might send it."""
    if service.protocol == "tcp":
        return Request(key=service.key, protocol="tcp", body_bytes=-1)
    path = service.own_targets.health_path.encode() or b"/"
    host = service.key.name.encode()
    text = b"GET %b HTTP/1.1\r\nUser-Agent: spillway-check\r\nAccept: */*\r\nHost: %b\r\n\r\n" % (
        path,
        host,
    )
    forwarding = Forwarding(
        site_name=site_name.encode(), client=b"127.0.0.1", proto=b"http", host=host
    )
    head = read_request_head(text, forwarding)
    assert isinstance(head, RequestHead), "it is a good one"
    return Request(key=service.key, protocol=service.protocol, head=head.head, idempotent=True)
