"""Rounds of echoes along a way: each round sends one to every router on it at once."""

from collections.abc import Callable

import msgspec

from router.asking.echo import Heard, heard
from router.asking.exchange import QuestionSender
from router.link.ports import ECHOES
from router.model import limits
from router.model.ids import RouterId
from router.model.paths import Path
from router.net.ports import Network


class HopFigures(msgspec.Struct, frozen=True):
    """The results of the echoes to one router. ``error``: of the last echo without an answer."""

    sent: int
    rtts_s: tuple[float, ...]
    version: str
    error: str


Pinged = Callable[[tuple[HopFigures, ...]], None]


class Pinger:
    """Measures ways; the number of parallel measurements is bounded."""

    __slots__ = ("_network", "_running", "_sender")

    def __init__(self, network: Network, sender: QuestionSender) -> None:
        self._network = network
        self._sender = sender
        self._running = 0

    def ping(self, path: Path, rounds: int, done: Pinged) -> bool:
        """Call ``done`` once, later, with the figures of each router of ``path``.

        False: too many measurements are running, and ``done`` is not called.
        """
        if self._running >= limits.PINGS_AT_ONCE_MAX:
            return False
        self._running += 1

        def ended(figures: tuple[HopFigures, ...]) -> None:
            self._running -= 1
            done(figures)

        _Rounds(self._network, self._sender, path, rounds, ended).begin()
        return True


class _Rounds:
    """The rounds along one path."""

    def __init__(
        self, network: Network, sender: QuestionSender, path: Path, rounds: int, done: Pinged
    ) -> None:
        self._network = network
        self._sender = sender
        self._path = path
        self._to_come = rounds
        self._done = done
        self._waiting = 0
        self._heard: dict[RouterId, list[Heard]] = {router: [] for router in path}

    def begin(self) -> None:
        """Send an echo to each router of the path and schedule the next round, if any."""
        self._to_come -= 1
        self._waiting += len(self._path)
        for length, router in enumerate(self._path, start=1):
            self._sender.ask(
                self._path[:length],
                ECHOES,
                lambda reply, router=router: self._take(router, heard(reply, router)),  # type: ignore[misc]
                bytes_max=limits.ECHO_BYTES_MAX,
            )
        if self._to_come > 0 and self._path:
            self._network.call_at(self._network.now() + limits.PING_INTERVAL_ROUNDS_S, self.begin)
        else:
            self._network.at_turn_end(self._end)

    def _take(self, router: RouterId, one: Heard) -> None:
        self._waiting -= 1
        self._heard[router].append(one)
        self._network.at_turn_end(self._end)

    def _end(self) -> None:
        if self._waiting or (self._to_come > 0 and self._path) or self._done is _nobody:
            return
        done, self._done = self._done, _nobody
        done(tuple(_figures(self._heard[router]) for router in self._path))


def _nobody(figures: tuple[HopFigures, ...]) -> None:
    """Marks that ``done`` has been called."""


def _figures(answers: list[Heard]) -> HopFigures:
    errors = [one.error for one in answers if one.error]
    versions = [one.version for one in answers if one.version]
    return HopFigures(
        sent=len(answers),
        rtts_s=tuple(one.rtt_s for one in answers if one.rtt_s is not None),
        version=versions[-1] if versions else "",
        error=errors[-1] if errors else "",
    )
