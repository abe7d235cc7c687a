"""What is counted and told of one request: where its time went, what was decided, how it ended."""

from math import inf

from router.forward.counters import SERVED_NOWHERE
from router.forward.local import LocalLeg
from router.forward.observing import Passage, Watch
from router.forward.past import Record
from router.forward.ports import LegFailure, Request
from router.forward.service import Service
from router.model.ids import SiteId

TURNED_AWAY = ("all-full", "no-route", "no-target")
"""Failures of requests that would have been served, had there been more targets."""


class Account(Record):
    """The record of one `Dispatch`, which writes it in place as things happen (hot)."""

    __slots__ = ("_watch",)

    def __init__(self, request: Request, watch: Watch | None, now: float) -> None:
        self._watch = watch
        self.started_at = now
        self.begun_at = self.held_at = inf
        self.waited_since = None
        self.waited_s = self.total_s = 0.0
        self.attempts = self.in_flight = 0
        self.site = self.capacity = self.seen = None
        self.reason = self.overflow_reason = self.outcome = self.retried_for = ""
        self.session = request.session
        self.code_class = "5xx" if request.protocol != "tcp" else "ok"

    def note_waited(self, service: Service, now: float) -> None:
        """Its wait in the queue is over."""
        assert self.waited_since is not None, "it waits"
        self.waited_s = now - self.waited_since
        self.waited_since = None
        service.counters.queue_wait.observe(self.waited_s)

    def rest(self) -> None:
        """No attempt is under way."""
        self.begun_at = self.held_at = inf

    def end(
        self,
        service: Service,
        request: Request,
        failure: LegFailure | None,
        site: SiteId | None,
        local: LocalLeg | None,
    ) -> None:
        """Count it and tell of it: once per request, here and nowhere else.

        ``site`` served it, None: nobody did; by ``local`` if that is this site.
        """
        counters, now = service.counters, service.timers.now()
        seconds = now - self.started_at
        self.site = site
        self.total_s = seconds
        if self.waited_since is not None:
            self.note_waited(service, now)
        served_at = SERVED_NOWHERE
        if site is not None:
            served_at = service.remotes.name_of(site)
            service.remotes.note_service_time(now - min(self.held_at, now))
            if self.overflow_reason:
                counters.overflowed(served_at, self.overflow_reason)
        code_class = self.code_class
        if failure is None:
            self.outcome = "ok"
        else:
            self.outcome = failure.code
            if failure.untouched:
                service.past.denied(self)
            if failure.code == "cancelled":
                code_class = "cancelled"
            else:
                if failure.code in TURNED_AWAY:
                    service.demand.turned_away()
                code_class = "error" if request.protocol == "tcp" else "5xx"
        counters.request(served_at, code_class, seconds)
        if self.held_at != self.started_at:  # The commonest have a target at once.
            counters.phases(seconds, *self.phases(now))
        watch, self._watch = self._watch, None
        if watch is not None:
            target = local.target if local is not None and site is not None else ""
            watch.counted(self._passage(failure, served_at, target, now))

    def _passage(
        self, failure: LegFailure | None, served_at: str, target: str, now: float
    ) -> Passage:
        queue_s, network_s, target_s = self.phases(now)
        return Passage(
            site=served_at,
            target=target,
            overflow_reason=self.overflow_reason,
            reason=self.reason,
            attempts=self.attempts,
            outcome="ok" if failure is None else failure.code,
            queue_s=queue_s,
            network_s=network_s,
            target_s=target_s,
            total_s=now - self.started_at,
        )
