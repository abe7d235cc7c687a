"""Clients' connections that are asked to end before their clients end them.

As gRPC does by age (proposal A9): a limit with jitter, so that connections that came together do
not leave together, and a grace for exchanges under way.
"""

import random
from collections.abc import Iterable

from router.exchange.clients.client_connection import ClientConnection
from router.model import limits
from router.net.ports import Timer, Timers
from router.service.recent_requests import Departing
from router.service.service import Service


class QuietTime:
    """How long nothing has moved on a connection, as far as repeated checks can show.

    ``activity``: a value that changes whenever something moves.
    """

    __slots__ = ("_activity", "_since")

    def __init__(self, activity: object, now: float) -> None:
        self._activity = activity
        self._since = now

    def look(self, activity: object, now: float) -> float:
        """The quiet time in seconds."""
        if activity != self._activity:
            self._activity, self._since = activity, now
        return now - self._since


class _Departure:
    """A connection that was asked to end."""

    __slots__ = ("cause", "deadline", "quiet", "quiet_s")

    def __init__(self, cause: Departing, quiet: QuietTime, quiet_s: float, deadline: float) -> None:
        self.cause: Departing = cause
        self.quiet = quiet
        self.quiet_s = quiet_s
        self.deadline = deadline


class Departures:
    """Owns the departures: asks repeatedly, and resets connections that are still busy past their
    grace.
    """

    __slots__ = ("_asked", "_timer", "_timers", "involved")

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self._asked: dict[ClientConnection, _Departure] = {}
        self._timer: Timer | None = None
        self.involved: set[ClientConnection] = set()
        """Connections for which `gone` must be called: they have an age, or may move."""

    def __contains__(self, client: ClientConnection) -> bool:
        return client in self._asked

    def count(self, service: Service) -> int:
        """How many clients of ``service`` were asked and are still there."""
        return sum([client.service is service for client in self._asked])

    def ask(
        self, client: ClientConnection, cause: Departing, *, quiet_s: float, grace_s: float
    ) -> None:
        """Ask ``client`` to end, once. A raw connection ends when nothing has moved on it for
        ``quiet_s``.

        After ``grace_s`` it is reset if anything is under way: a raw one at once if it is not
        quiet, any other a moment later. Infinite: never.
        """
        if client in self._asked:
            return
        now = self._timers.now()
        departure = _Departure(
            cause, QuietTime(client.session.activity, now), quiet_s, now + grace_s
        )
        self._asked[client] = departure
        self.involved.add(client)
        self._arm()
        self._look_at(client, departure)

    def gone(self, client: ClientConnection) -> None:
        """``client`` is lost."""
        self.involved.discard(client)
        departure = self._asked.pop(client, None)
        if departure is not None:
            client.service.counters.departed[departure.cause] += 1

    def _arm(self) -> None:
        if self._timer is None and self._asked:
            again = self._timers.now() + limits.DEPARTURES_LOOK_S
            self._timer = self._timers.call_at(again, self._look)

    def _look(self) -> None:
        self._timer = None
        self._arm()
        for client, departure in list(self._asked.items()):
            self._look_at(client, departure)

    def _look_at(self, client: ClientConnection, departure: _Departure) -> None:
        now, session = self._timers.now(), client.session
        is_over = now >= departure.deadline
        if session.leaves_gently:
            departure.quiet_s = limits.DEPARTURE_LINGER_S  # For the notified client to answer.
        quiet_s = departure.quiet.look(session.activity, now)
        is_quiet = session.is_raw and quiet_s >= departure.quiet_s
        # Part of an answer must not look like all of it.
        is_torn = is_over and session.is_raw and not is_quiet and not session.leaves_gently
        client.leave(
            quiet=(is_over and not is_torn) or (is_quiet and not session.leaves_gently),
            cause=departure.cause,
        )
        if is_torn or self._is_left_behind(client, departure, now):
            session.abort()

    def _is_left_behind(self, client: ClientConnection, departure: _Departure, now: float) -> bool:
        """Something is under way long after its grace. Later requests came on an idle connection:
        their answer marks the last one.
        """
        return now >= departure.deadline + limits.DEPARTURE_LINGER_S and any(
            flow.record.started_at < departure.deadline for flow in client.flows()
        )


class Ages:
    """When each client connection of services with a `max_age_s` is asked to end."""

    __slots__ = ("_departures", "_due", "_rng", "_timers")

    def __init__(self, timers: Timers, rng: random.Random, departures: Departures) -> None:
        self._timers = timers
        self._rng = rng
        self._departures = departures
        self._due: dict[ClientConnection, Timer] = {}

    def begin(self, client: ClientConnection) -> None:
        """``client`` is accepted now, or its service newly has an age."""
        config = client.service.config
        jitter = self._rng.uniform(-config.max_age_jitter, config.max_age_jitter)
        due = self._timers.now() + config.max_age_s * (1 + jitter)
        self._departures.involved.add(client)
        self._due[client] = self._timers.call_at(due, lambda: self._is_due(client))

    def changed(self, service: Service, clients: Iterable[ClientConnection]) -> None:
        """The age of ``service`` changed: existing connections have it from now on."""
        for client in list(clients):
            if client.service is service:
                self.gone(client)
                if service.config.max_age_s:
                    self.begin(client)

    def gone(self, client: ClientConnection) -> None:
        """``client`` is lost."""
        timer = self._due.pop(client, None)
        if timer is not None:
            timer.cancel()

    def _is_due(self, client: ClientConnection) -> None:
        del self._due[client]
        quiet_s, grace_s = limits.DEPARTURE_QUIET_S, client.service.config.max_age_grace_s
        if client.session.is_raw:  # A shorter grace would not show whether it is idle.
            grace_s = max(grace_s, quiet_s + limits.DEPARTURES_LOOK_S)
        self._departures.ask(client, "age", quiet_s=quiet_s, grace_s=grace_s)
