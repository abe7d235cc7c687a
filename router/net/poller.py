"""The turn: one epoll set, the queue of late deliveries, timers and calls at the turn's end."""

import logging
import os
import select
from collections import deque
from collections.abc import Callable
from math import inf
from typing import Protocol

from router.model.limits import (
    CONNECTION_COST_BYTES,
    KEEPALIVE_AFTER_S,
    LATE_WAKE_S,
    NO_DIAL_SHOWN_S,
    READ_BYTES,
    SETTLE_ROUNDS_MAX,
    TLS_READ_BYTES,
    TLS_RECORD_BYTES,
    TURN_BATCH_EVENTS,
    TURN_EVENTS_MAX,
    TURN_READ_BYTES_MAX,
    TURN_READ_S_MAX,
    TURN_S_MAX,
)
from router.net.host import EventLoopHost, HostCall
from router.net.pipes import Pipes
from router.net.ports import Address
from router.net.sockets import descriptors_max
from router.net.timers import PendingCall, TimerHeap

LOG = logging.getLogger(__name__)
LOG_INTERVAL_S = 1.0


def _ignore(error: Exception) -> None:
    """The default error callback: nothing is interested."""


def _nobody_asked() -> None:
    """The default intake callback."""


_BATCHES = range(TURN_EVENTS_MAX // TURN_BATCH_EVENTS)
_ROUNDS = range(SETTLE_ROUNDS_MAX)


class Entry(Protocol):
    """Owner of a descriptor in the epoll set."""

    def ready(self, mask: int) -> None:
        """Epoll reported ``mask``; may be stale."""

    def crashed(self, error: Exception) -> None:
        """A callback made from here raised. Must not raise."""

    def abort(self) -> None:
        """Give up the descriptor."""

    def lasts(self) -> None:
        """The descriptor has been open for a while."""


class Poller:
    """Runs turns: events, then due timers, then the queue, then calls at the turn's end.

    All calls to handlers come from here, so their exceptions end here too. After a late wake all
    sockets are read before timers are judged, except handshakes without time left in this turn:
    their deadlines wait for them. Counters are plain integers, readable at any time.
    """

    __slots__ = (
        "_armed",
        "_armed_when",
        "_closed",
        "_epoll",
        "_fresh",
        "_handshakes_left_s",
        "_handshakes_turn",
        "_host",
        "_in_turn",
        "_intake_mark",
        "_log_next",
        "_log_suppressed",
        "_looks_after",
        "_on_intake",
        "_queue",
        "_rejection_log_next",
        "_timers",
        "_turn_end",
        "_wake_fd",
        "bulk_view",
        "bytes_in",
        "bytes_out",
        "cipher_view",
        "descriptors_max",
        "descriptors_max_essential",
        "entries",
        "handler_errors",
        "held_back_at",
        "late_at",
        "no_dial_at",
        "now",
        "on_handler_error",
        "on_wake",
        "pipes",
        "plain_view",
        "read_view",
        "turn_lag_s",
        "turns",
        "unsent_bytes",
        "why_no_dial",
        "woke_late_at",
    )

    def __init__(self, host: EventLoopHost, on_wake: Callable[[], None]) -> None:
        """``on_wake`` is called in the turn after `wake`: threads have answers."""
        self.on_wake = on_wake
        self._host = host
        self.now = host.now
        self._epoll = select.epoll()
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll.register(self._wake_fd, select.EPOLLIN)
        self._timers = TimerHeap()
        self._queue: deque[tuple[Entry, Callable[[], None]]] = deque()
        self._turn_end: list[Callable[[], None]] = []
        self._fresh: set[int] = set()
        self._armed: HostCall | None = None
        self._armed_when = 0.0
        self._looks_after: PendingCall | None = None
        self._in_turn = False
        self._closed = False
        self._log_next = 0.0
        self._log_suppressed = 0
        self._rejection_log_next = 0.0
        self.entries: dict[int, Entry] = {}
        self.bulk_view = memoryview(bytearray(TURN_READ_BYTES_MAX))
        self.read_view = self.bulk_view[:READ_BYTES]
        # TLS buffers: the ciphertext it reads, and the plaintext, plus the rest of an earlier
        # record. Touched, and so resident, only as far as needed.
        self.cipher_view = memoryview(bytearray(TLS_READ_BYTES))
        self.plain_view = memoryview(bytearray(TLS_READ_BYTES + TLS_RECORD_BYTES))
        self.descriptors_max = descriptors_max(essential=False)
        self.descriptors_max_essential = descriptors_max(essential=True)
        self.pipes = Pipes(lambda: len(self.entries) < self.descriptors_max)
        self.bytes_in = 0
        self._intake_mark = inf  # A value of `bytes_in`; a new connection lowers it.
        self._on_intake: Callable[[], None] = _nobody_asked
        self.bytes_out = 0
        self.unsent_bytes = 0  # Of all connections: taken, and not yet with the kernel.
        self.handler_errors = 0
        self.on_handler_error: Callable[[Exception], None] = _ignore
        self.held_back_at = -inf
        """When a listener last accepted nothing because no descriptor was left."""
        self.no_dial_at = -inf
        """When a dial last failed because no descriptor or local port was left."""
        self.why_no_dial = ""
        self.turn_lag_s = 0.0
        self.woke_late_at = -inf
        self._handshakes_turn, self._handshakes_left_s = -1, 0.0
        self.late_at = 0.0  # Later in a turn, work that can wait is left to the next turn.
        self.turns = 0
        host.watch(self._epoll.fileno(), self.turn)

    # The epoll set.

    def register(self, fd: int, entry: Entry, mask: int) -> None:
        self._epoll.register(fd, mask)
        self.entries[fd] = entry
        self._intake_mark -= CONNECTION_COST_BYTES
        # An event still to come in this batch is of an earlier owner of the number.
        self._fresh.add(fd)

    def hold(self, fd: int, entry: Entry) -> None:
        """Count a descriptor that is not watched."""
        self.entries[fd] = entry
        self._fresh.add(fd)  # As in `register`.

    def modify(self, fd: int, mask: int) -> None:
        self._epoll.modify(fd, mask)

    def unregister(self, fd: int) -> None:
        """For a descriptor that stays open."""
        self._epoll.unregister(fd)
        del self.entries[fd]

    def forget(self, fd: int) -> None:
        """For a descriptor that was not watched, or is closed next, which takes it out of the epoll
        set."""
        self.entries.pop(fd, None)

    # Calls within the turn.

    def soon(self, entry: Entry, call: Callable[[], None]) -> None:
        """Call from the turn's queue: in this turn, or in one that begins at once."""
        self._queue.append((entry, call))
        if not self._in_turn:
            self.wake()

    def at_turn_end(self, callback: Callable[[], None]) -> None:
        self._turn_end.append(callback)
        if not self._in_turn:
            self.wake()

    def call_at(self, when: float, callback: Callable[[], None]) -> PendingCall:
        entry = self._timers.add(when, callback)
        if not self._in_turn:
            self._arm()
        return entry

    def after_intake(self, size_bytes: int, callback: Callable[[], None]) -> None:
        self._intake_mark, self._on_intake = self.bytes_in + size_bytes, callback

    def _taken_in(self) -> None:
        """The awaited number of bytes has come in."""
        callback, self._on_intake = self._on_intake, _nobody_asked
        self._intake_mark = inf
        self._guarded(callback)

    def may_shake_hands(self) -> bool:
        """Whether the TLS handshakes of this turn have time left. They cost much, and a stranger
        may begin any number."""
        if self._handshakes_turn != self.turns:
            self._handshakes_turn, self._handshakes_left_s = self.turns, TURN_READ_S_MAX
        return self._handshakes_left_s > 0

    def shook_hands(self, took_s: float) -> None:
        """A handshake step took ``took_s``."""
        self._handshakes_left_s -= took_s

    def look_after_new(self) -> None:
        """Call `lasts` of entries in a while; those that end sooner never get the call."""
        if self._looks_after is None:
            when = self.now() + KEEPALIVE_AFTER_S
            self._looks_after = self.call_at(when, self._look_after)

    def _look_after(self) -> None:
        self._looks_after = None
        for entry in list(self.entries.values()):
            entry.lasts()

    def note_no_dial(self, why: str) -> None:
        """A dial failed because no descriptor or local port was left. Keeps the first of a
        series."""
        now = self.now()
        if now - self.no_dial_at >= NO_DIAL_SHOWN_S:
            self.why_no_dial = why
        self.no_dial_at = now

    def wake(self) -> None:
        """Have a turn run soon. The one method that other threads may call."""
        if not self._closed:
            os.eventfd_write(self._wake_fd, 1)

    # The turn.

    def turn(self) -> None:
        """One turn; the host calls it when the set is readable or a timer is due."""
        if self._closed:
            return
        assert not self._in_turn, "a turn within a turn"
        self._in_turn = True
        self.turns += 1
        # With one request at a time this is a good part of the work: avoid needless calls.
        timers = self._timers
        now = self.now()
        self.late_at = now + TURN_S_MAX
        lag = 0.0
        try:
            if timers.next_at <= now and (due := timers.earliest()) is not None:
                lag = max(0.0, now - due)
            self.turn_lag_s = lag
            if lag > LATE_WAKE_S:
                self.woke_late_at = now
            self._dispatch(self.late_at)
            if lag > LATE_WAKE_S:
                # A deadline may have passed only because we were away: read all sockets first.
                for _ in range(len(self.entries) // TURN_EVENTS_MAX):
                    self._dispatch(inf)
            if timers.next_at <= self.now():
                self._run_timers()
            self._settle()
        finally:
            self._in_turn = False
        if self._armed is None or self._armed_when > timers.next_at:
            self._arm()

    def _dispatch(self, until: float) -> None:
        """Handle events, at most `TURN_EVENTS_MAX`, and no more batches after ``until``.

        Polled in batches, so that none is left aside: the kernel goes round (epoll(7)).
        """
        fresh, entries = self._fresh, self.entries
        for _ in _BATCHES:
            events = self._epoll.poll(0, TURN_BATCH_EVENTS)
            fresh.clear()
            for fd, mask in events:
                entry = entries.get(fd)
                if entry is None:
                    if fd == self._wake_fd:
                        os.eventfd_read(fd)
                        self._guarded(self.on_wake)
                    continue
                if fresh and fd in fresh:
                    continue
                try:
                    entry.ready(mask)
                except Exception as error:
                    self.handler_failed(error)
                    entry.crashed(error)
                if self.bytes_in >= self._intake_mark:
                    self._taken_in()
                    # Entries that must release memory do so before more comes in.
                    self._run_queue()
            if len(events) < TURN_BATCH_EVENTS or self.now() > until:
                return

    def _run_timers(self) -> None:
        now = self.now()
        newest = self._timers.newest()
        while (callback := self._timers.pop_due(now, newest)) is not None:
            self._guarded(callback)

    def _settle(self) -> None:
        for _ in _ROUNDS:
            if self._queue:
                self._run_queue()
                if self._queue:
                    continue  # On a loss, a handler aborted others.
            if not self._turn_end:
                return
            callbacks, self._turn_end = self._turn_end, []
            for callback in callbacks:
                try:
                    callback()
                except Exception as error:
                    self.handler_failed(error)
        if self._queue or self._turn_end:
            self.wake()  # An entry that keeps making work for itself gives way to others.

    def _run_queue(self) -> None:
        queue = self._queue
        for _ in range(len(queue)):
            entry, call = queue.popleft()
            try:
                call()
            except Exception as error:
                self.handler_failed(error)
                entry.crashed(error)
            if self.bytes_in >= self._intake_mark:
                self._taken_in()

    def _guarded(self, callback: Callable[[], None]) -> None:
        try:
            callback()
        except Exception as error:
            self.handler_failed(error)

    def handler_failed(self, error: Exception) -> None:
        """Count an exception of foreign code; log one a second, with its traceback."""
        self.handler_errors += 1
        self.log("a network handler raised", error)
        self.on_handler_error(error)

    def log(self, message: str, error: Exception) -> None:
        """Log a warning with ``error``, at most once a second for the whole network."""
        now = self.now()
        if now < self._log_next:
            self._log_suppressed += 1
            return
        LOG.error(message, exc_info=error, extra={"suppressed": self._log_suppressed})
        self._log_next = now + LOG_INTERVAL_S
        self._log_suppressed = 0

    def log_rejection(self, listener: Address, reason: str) -> None:
        """Log why a TLS listener closed a connection, at most one a second."""
        now = self.now()
        if now >= self._rejection_log_next:
            self._rejection_log_next = now + LOG_INTERVAL_S
            extra = {"listener": str(listener), "cause": reason}
            LOG.warning("a TLS connection was rejected", extra=extra)

    def _arm(self) -> None:
        """Have the host call for the earliest timer; an earlier call than needed is left alone."""
        due = self._timers.earliest()
        if due is None or self._closed:
            return
        if self._armed is not None:
            if self._armed_when <= due:
                return
            self._armed.cancel()
        self._armed_when = due
        self._armed = self._host.call_at(due, self._timer_fired)

    def _timer_fired(self) -> None:
        self._armed = None  # Maybe early: then the turn runs no timer and arms again.
        self.turn()

    def close(self) -> None:
        """Abort all entries, deliver the resulting calls to handlers, and leave the host.
        Idempotent."""
        if self._closed:
            return
        assert not self._in_turn, "closed within a turn"
        self._in_turn = True
        for entry in list(self.entries.values()):
            entry.abort()
        self._settle()
        for entry in list(self.entries.values()):
            entry.abort()  # Opened by a handler on its loss.
        self._run_queue()
        self._closed = True
        self._in_turn = False
        if self._armed is not None:
            self._armed.cancel()
        self._host.unwatch(self._epoll.fileno())
        self._epoll.close()
        self.pipes.close()
        os.close(self._wake_fd)
