"""Connections to one target: idle ones kept for reuse, new ones dialed, waits watched."""

from functools import partial

from router.http.http1.responses import KnownResponses
from router.model import limits
from router.model.requests import Request
from router.model.settings import Timeouts
from router.net.ports import Connection, ConnectionHandler, Dial, DialFailure, Network, Timer, Tls
from router.service.ports import LegTaker, dial_failure
from router.service.sites.remotes import SMOOTHING
from router.service.targets.connection_home import ConnectionHome
from router.service.targets.target_answers import TargetAnswers
from router.service.targets.target_http import HttpTarget
from router.service.targets.target_http_table import TABLE
from router.service.targets.ways import Way

DEFAULT_TIMEOUTS = Timeouts()


def sweep_s(timeouts: Timeouts) -> float:
    """How often connections must be checked to keep these deadlines well enough."""
    shortest_s = min(timeouts.response_s, timeouts.idle_s)
    return min(limits.POOL_SWEEP_S, limits.POOL_SWEEP_SHARE * shortest_s)


class TargetPool(ConnectionHome[HttpTarget], Way):
    """The connections to the target at ``host``:``port``, all made with the same settings.

    Other settings need another pool: exchanges under way keep the settings they began with. A
    connection to an address that ``host`` no longer resolves to is not used again.
    """

    def __init__(
        self,
        network: Network,
        host: str,
        port: int,
        *,
        via: bytes,
        known: KnownResponses,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        tls: Tls | None = None,
        answers: TargetAnswers | None = None,
    ) -> None:
        """``via``: this hop's addition to Via. ``known``: the heads that the target may send.
        ``answers``: counts of the target; None: only those of this pool.
        """
        self._network = network
        self._via = via
        self._known = known
        self._host = host
        self._port = port
        self._connect_s = timeouts.connect_s
        self.response_s = timeouts.response_s
        self.idle_s = timeouts.idle_s
        self.timeouts = timeouts
        self.usual_s = 0.0
        self.answers = answers or TargetAnswers()
        self._tls = tls
        self._sweep_s = sweep_s(timeouts)
        self._idle: list[HttpTarget] = []  # Oldest first; the newest is taken first.
        self._open: set[HttpTarget] = set()
        self._closed = False
        self._sweep: Timer | None = None

    @property
    def idle_count(self) -> int:
        """Connections kept for reuse right now."""
        return len(self._idle)

    def awaited_count(self) -> int:
        return sum(one.is_awaited for one in self._open)

    @property
    def open_count(self) -> int:
        """Connections in use or idle."""
        return len(self._open)

    @property
    def is_crowded(self) -> bool:
        return len(self._open) > limits.ABANDONED_OPEN_MAX

    def set_known(self, known: KnownResponses) -> None:
        """Set the heads that the target may send from now on."""
        self._known = known

    def take(self, request: Request, taker: LegTaker, *, from_client: bool) -> HttpTarget | None:
        """An idle connection.

        A request that is not idempotent gets only one that was in use a moment ago: otherwise it
        would most often be lost when the target closes an idle connection.
        """
        idle = self._idle
        if not idle:
            return None
        now = self._network.now()
        while idle:
            candidate = idle[-1]
            if not request.idempotent and now - candidate.idle_since > limits.POOL_FRESH_S:
                return None
            del idle[-1]
            if now < candidate.expires and (
                not candidate.address or self._network.is_current(self._host, candidate.address)
            ):
                candidate.begin(request, taker, b"" if from_client else self._via, self._known, now)
                return candidate
            candidate.retire()
        return None

    def dial(self, request: Request, taker: LegTaker, *, from_client: bool) -> Dial:
        known, via = self._known, b"" if from_client else self._via

        def opened(connection: Connection) -> ConnectionHandler:
            network, address = self._network, connection.peer.host
            named = "" if address == self._host else address
            target = HttpTarget(self, connection, named, network, TABLE)
            self._open.add(target)
            self._arm()
            target.begin(request, taker, via, known, network.now())
            taker.connected(target)
            return target

        return self._network.dial(
            self._host,
            self._port,
            opened,
            partial(_tell_failed, taker),
            timeout_s=self._connect_s,
            tls=self._tls,
        )

    def mean_s(self) -> float:
        return self.usual_s

    def keep(self, connection: HttpTarget, idle_s: float, took_s: float) -> bool:
        if took_s >= 0.0:
            usual_s = self.usual_s
            self.usual_s = usual_s + SMOOTHING * (took_s - usual_s) if usual_s else took_s
        idle = self._idle
        if self._closed or idle_s <= 0 or len(idle) >= limits.POOL_IDLE_PER_TARGET_MAX:
            return False
        idle.append(connection)
        return True

    def close(self) -> None:
        self._closed = True
        self.shed_idle()

    def shed_idle(self) -> int:
        idle, self._idle = self._idle, []
        for target in idle:
            target.retire()
        return len(idle)

    def remove(self, connection: HttpTarget) -> None:
        if connection in self._idle:
            self._idle.remove(connection)

    def forget(self, connection: HttpTarget) -> None:
        self._open.discard(connection)
        if not self._open and self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    def _arm(self) -> None:
        if self._sweep is None:
            when = self._network.now() + self._sweep_s
            self._sweep = self._network.call_at(when, self._swept)

    def _swept(self) -> None:
        self._sweep = None
        now = self._network.now()
        stale = [target for target in self._idle if now >= target.expires]
        if stale:
            self._idle = [target for target in self._idle if now < target.expires]
        for target in stale:
            target.retire()
        for target in [target for target in self._open if now >= target.deadline]:
            target.overdue()
        if self._open:
            self._arm()


def _tell_failed(taker: LegTaker, failure: DialFailure) -> None:
    taker.connect_failed(dial_failure(failure))
