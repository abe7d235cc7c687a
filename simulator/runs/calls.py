"""Calls of one request to other services, while the slot of its backend waits for them."""

from collections.abc import Callable

from simulator.scenarios.scenario import ServiceCall

AskCall = Callable[[str, int, Callable[[bool], None]], None]
"""Makes the call with this number to a service; the callback gets whether it was answered."""


class Calls:
    """The calls of one request, made in order. ``done`` gets whether all were answered."""

    __slots__ = ("_ask", "_begun", "_done", "_entries", "_left", "_open")

    def __init__(
        self, entries: list[ServiceCall], ask: AskCall, done: Callable[[bool], None]
    ) -> None:
        self._entries, self._ask, self._done = entries, ask, done
        self._left = self._open = self._begun = 0
        self._next()

    def _next(self) -> None:
        """Start the next entry, or end."""
        if not self._entries:
            self._done(True)
            return
        entry = self._entries[0]
        self._left = entry.count
        for _ in range(entry.count if entry.parallel else 1):
            self._one(entry.service)

    def _one(self, service: str) -> None:
        self._open += 1
        self._begun += 1
        self._ask(service, self._begun, self._answered)

    def _answered(self, well: bool) -> None:
        self._open -= 1
        self._left -= 1
        if not self._entries:
            return  # One of them has failed before.
        entry = self._entries[0]
        if not well:
            self._entries = []
            self._done(False)
        elif not self._left:
            del self._entries[0]
            self._next()
        elif not entry.parallel:
            self._one(entry.service)
