"""Health checks of the targets of a service port: each is checked repeatedly, at its own pace.

``down_after`` failed checks in a row, or connects of requests, take a target down; ``up_after``
good ones in a row bring it back; where checks are only connects, the second follows the first soon.
A new target is checked at once and is up after its first good check, so that a start is quick. An
ejected one is not checked until its time is over, and is then up after one good check. Checks of
many targets drift apart by `HEALTH_SPREAD`. A target that has been down for long is checked less
often, so that dead targets cost little.
"""

import random
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from router.model import limits
from router.model.addresses import split
from router.model.errors import NOT_CHECKED
from router.net.ports import Network, Timer
from router.service.ports import TargetConfig
from router.service.targets.http2.parts import http2
from router.service.targets.probe import Probe

if TYPE_CHECKING:
    from router.service.targets.http2.probe import Http2Probe


class _Check:
    """The checks of one target. At most a probe or a timer is pending, never both."""

    __slots__ = (
        "_bad",
        "_config",
        "_good",
        "_health",
        "_host",
        "_one_is_enough",
        "_port",
        "_probe",
        "_timer",
        "error",
        "is_ejected",
        "ready",
        "since",
        "target",
    )

    def __init__(self, target: str, config: TargetConfig, health: "HealthChecks") -> None:
        self.target = target
        self.ready = False
        self.is_ejected = False
        """Ejected; no check that began afterwards has ended."""
        self.error = NOT_CHECKED
        self.since = health.network.now()
        """When it became ready, or stopped being ready."""
        self._host, self._port = split(target)
        self._config = config
        self._health = health
        self._good = self._bad = 0
        self._one_is_enough = True
        self._timer: Timer | None = None
        self._probe: Probe | Http2Probe | None = None

    def run(self) -> None:
        self._timer = None
        if self._config.unusable:  # Until it is configured again.
            self.is_ejected = False
            self._put_down(self._config.unusable)
            self._one_is_enough = True
            return
        health = self._health
        asks_http2 = health.speaks_http2 and self._config.health.path
        probe = http2().probe if asks_http2 else Probe
        self._probe = probe(
            health.network,
            self._host,
            self._port,
            self._config,
            connect_s=health.connect_s,
            done=self._checked,
        )

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._probe is not None:
            self._probe.cancel()
            self._probe = None

    def configure(self, config: TargetConfig) -> None:
        """Continue with other settings, the next check soon. Results so far stay valid."""
        before, self._config = self._config, config
        if (config.tls, config.proxy_protocol, config.unusable) != (
            before.tls,
            before.proxy_protocol,
            before.unusable,
        ):
            self.stop()
            self.run()  # Reached in another way: at once.
        elif config.health != before.health and not self.is_ejected:
            self.stop()
            soon_s = min(config.health.interval_s, limits.HEALTH_INTERVAL_S)
            self._wait(soon_s * self._health.rng.uniform(0.0, 1.0))

    def failed(self, reason: str) -> None:
        self._good = 0
        self._bad += 1
        self._one_is_enough = False
        if self._bad >= self._config.health.down_after:
            self._put_down(reason)
        else:
            self.error = reason

    def _put_down(self, reason: str) -> None:
        self.error = reason
        if self.ready:
            self._turn(False)

    def _turn(self, ready: bool) -> None:
        self.ready = ready
        self.since = self._health.network.now()
        self._health.changed(self.target, ready)

    def eject(self, seconds: float, reason: str) -> None:
        self.stop()
        self._one_is_enough = True
        self.is_ejected = True
        self.error = reason
        self._wait(seconds)
        self._turn(False)

    def recall(self) -> None:
        """Check it now instead of when its time is over."""
        if self.is_ejected and self._timer is not None:
            self.stop()
            self.run()

    def _checked(self, error: str | None) -> None:
        self._probe = None
        if error is None:  # It shows nothing about the target.
            self._wait(self._config.health.interval_s)
            return
        was_ejected, self.is_ejected = self.is_ejected, False
        health = self._config.health
        interval_s = pace(health.interval_s, self._bad + 1 if error else 0)
        if not error:
            self._bad = 0
            self._good += 1
            up_after = 1 if self._one_is_enough else health.up_after
            comes_back = not self.ready and self._good >= up_after
            if not (self.ready or comes_back or health.path) and self._good == 1:
                interval_s = min(interval_s, limits.HEALTH_CONFIRM_S)
        spread = self._health.rng.uniform(1 - limits.HEALTH_SPREAD, 1 + limits.HEALTH_SPREAD)
        self._wait(interval_s * spread)
        if error:
            self.failed(error)
            if was_ejected:  # Now checks, not requests, keep it out.
                self._health.changed(self.target, False)
        elif comes_back:
            self.error = ""
            self._turn(True)

    def _wait(self, seconds: float) -> None:
        network = self._health.network
        self._timer = network.call_at(network.now() + seconds, self.run)


def pace(interval_s: float, bad: int) -> float:
    """Seconds to the next check after ``bad`` failures in a row, at least ``interval_s``.

    Doubles with each check, once the target was bad for `HEALTH_DEAD_AFTER` checks, up to
    `HEALTH_DEAD_INTERVAL_S`.
    """
    doubled_s = interval_s * 2.0 ** min(bad - limits.HEALTH_DEAD_AFTER, 8)
    return max(interval_s, min(limits.HEALTH_DEAD_INTERVAL_S, doubled_s))


class HealthChecks:
    """Checks the targets of one service port; ``changed(target, ready)`` when one comes or goes.

    ``connect_s``: how long a connect may take, for checks as for requests. ``speaks_http2``: checks
    of a path use HTTP/2.
    """

    __slots__ = ("_checks", "changed", "connect_s", "network", "rng", "speaks_http2")

    def __init__(
        self,
        network: Network,
        rng: random.Random,
        changed: Callable[[str, bool], None],
        connect_s: float = limits.CONNECT_TIMEOUT_LOCAL_S,
        *,
        speaks_http2: bool = False,
    ) -> None:
        self.network = network
        self.rng = rng
        self.changed = changed
        self.configure(connect_s, speaks_http2=speaks_http2)
        self._checks: dict[str, _Check] = {}

    def configure(self, connect_s: float, *, speaks_http2: bool) -> None:
        """Use these settings from the next checks on."""
        self.connect_s = connect_s
        self.speaks_http2 = speaks_http2

    def set_targets(self, targets: Mapping[str, TargetConfig]) -> None:
        """Check exactly these (``host:port``), with these settings from now on."""
        for target in self._checks.keys() - targets.keys():
            self._checks.pop(target).stop()
        for target, config in sorted(targets.items()):
            check = self._checks.get(target)
            if check is None:
                check = self._checks[target] = _Check(target, config, self)
                check.run()
            else:
                check.configure(config)

    def connect_failed(self, target: str, reason: str) -> None:
        """A request failed to connect: counts as a failed check."""
        check = self._checks.get(target)
        if check is not None and not check.is_ejected:
            check.failed(reason)

    def eject(self, target: str, seconds: float, reason: str) -> None:
        """Eject a ready target for ``seconds``; then a check must succeed."""
        check = self._checks.get(target)
        if check is not None and check.ready:
            check.eject(seconds, reason)

    def recall(self) -> None:
        """No other target serves: check ejected ones now, and use them if they answer."""
        for check in self._checks.values():
            check.recall()

    def is_ready(self, target: str) -> bool:
        check = self._checks.get(target)
        return check is not None and check.ready

    def is_ejected(self, target: str) -> bool:
        """Requests, not checks, took it out."""
        check = self._checks.get(target)
        return check is not None and check.is_ejected

    def since(self, target: str) -> float:
        """When it became ready, or stopped being ready; if it never was ready, since when it is
        known.
        """
        check = self._checks.get(target)
        return check.since if check is not None else self.network.now()

    def error_of(self, target: str) -> str:
        """Why it is down, human-readable; empty when it is up."""
        check = self._checks.get(target)
        return check.error if check is not None else "not checked"
