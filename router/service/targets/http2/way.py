"""How exchanges reach a target that speaks HTTP/2."""

from router.model.requests import Request
from router.model.settings import Timeouts
from router.service.ports import LegTaker
from router.service.targets.http2.pool import AwaitedStream, Http2Pool
from router.service.targets.http2.target import Http2TargetLeg
from router.service.targets.ways import Way


class Http2Way(Way):
    """Streams over the connections of a pool."""

    def __init__(self, pool: Http2Pool, via: bytes) -> None:
        self._pool = pool
        self._via = via

    def take(
        self, request: Request, taker: LegTaker, *, from_client: bool
    ) -> Http2TargetLeg | None:
        pool = self._pool
        session = pool.take()
        if session is None:
            return None
        return Http2TargetLeg(request, taker, pool, session, b"" if from_client else self._via)

    def dial(self, request: Request, taker: LegTaker, *, from_client: bool) -> AwaitedStream:
        pool, via = self._pool, b"" if from_client else self._via
        return pool.wait(lambda session: Http2TargetLeg(request, taker, pool, session, via), taker)

    def set_timeouts(self, timeouts: Timeouts) -> None:
        """Set how long the target may take from now on."""
        self._pool.timeouts = timeouts

    def mean_s(self) -> float:
        return self._pool.usual_s

    def awaited_count(self) -> int:
        return self._pool.awaited_count()

    def shed_idle(self) -> int:
        return self._pool.shed_idle()

    def close(self) -> None:
        self._pool.close()
