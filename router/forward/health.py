"""Which targets of a service port answer: one TCP check per target each second.

One failed check, or one failed connect of a request, takes a target down; two good checks in a row
bring it back. A target that is new is checked at once and up after its first good check, so that a
start is quick. Checks of many targets are spread over the interval.
"""

import random
from collections.abc import Callable, Iterable

from router.model import limits
from router.model.addresses import split
from router.net.ports import Connection, Dial, DialFailure, Loss, Network, Timer


class _Dropped:
    """The handler of a connection that has told all it was to tell."""

    __slots__ = ()

    def received(self, data: memoryview) -> None:
        pass

    def ended(self) -> None:
        pass

    def writable(self) -> None:
        pass

    def lost(self, cause: Loss | None) -> None:
        pass


_DROPPED = _Dropped()


class _Check:
    """The checks of one target. At most a dial or a timer is pending, never both."""

    __slots__ = (
        "_dial",
        "_good",
        "_health",
        "_host",
        "_port",
        "_timer",
        "error",
        "ready",
        "target",
    )

    def __init__(self, target: str, health: "HealthChecks") -> None:
        self.target = target
        self.ready = False
        self.error = "not checked yet"
        self._host, self._port = split(target)
        self._health = health
        self._good = limits.HEALTH_GOOD_TO_RETURN - 1  # New: the first good one counts as enough.
        self._timer: Timer | None = None
        self._dial: Dial | None = None

    def run(self) -> None:
        self._timer = None
        self._dial = self._health.network.dial(
            self._host,
            self._port,
            self._connected,
            self._dial_failed,
            timeout_s=limits.HEALTH_TIMEOUT_S,
        )

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._dial is not None:
            self._dial.cancel()

    def failed(self, reason: str) -> None:
        self._good = 0
        self.error = reason
        if self.ready:
            self.ready = False
            self._health.changed(self.target, False)

    def _connected(self, connection: Connection) -> _Dropped:
        connection.abort()
        self._good += 1
        if not self.ready and self._good >= limits.HEALTH_GOOD_TO_RETURN:
            self.ready = True
            self.error = ""
            self._health.changed(self.target, True)
        self._again()
        return _DROPPED

    def _dial_failed(self, failure: DialFailure) -> None:
        if failure.code == "exhausted":  # It says nothing of the target.
            if not self.ready:
                self.error = failure.reason
        else:
            self.failed(failure.reason)
        self._again()

    def _again(self) -> None:
        self._dial = None
        wait_s = limits.HEALTH_INTERVAL_S * self._health.rng.uniform(0.9, 1.1)
        self._timer = self._health.network.call_at(self._health.network.now() + wait_s, self.run)


class HealthChecks:
    """Checks the targets of one service port; ``changed(target, ready)`` when one comes or goes."""

    __slots__ = ("_checks", "changed", "network", "rng")

    def __init__(
        self, network: Network, rng: random.Random, changed: Callable[[str, bool], None]
    ) -> None:
        self.network = network
        self.rng = rng
        self.changed = changed
        self._checks: dict[str, _Check] = {}

    def set_targets(self, targets: Iterable[str]) -> None:
        """Check exactly these (``host:port``)."""
        wanted = set(targets)
        for target in self._checks.keys() - wanted:
            self._checks.pop(target).stop()
        for target in sorted(wanted - self._checks.keys()):
            check = self._checks[target] = _Check(target, self)
            check.run()

    def connect_failed(self, target: str, reason: str) -> None:
        """A request's own connect found it down: so it is, until two checks say otherwise."""
        check = self._checks.get(target)
        if check is not None:
            check.failed(reason)

    def error_of(self, target: str) -> str:
        """Why it is down, for people; empty when it is up."""
        check = self._checks.get(target)
        return check.error if check is not None else "not checked"
