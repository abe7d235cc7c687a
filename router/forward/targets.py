"""How the targets of one service port at this site are reached: a leg for each exchange, by its
protocol, over the connections kept for it."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from router.forward.http1.bytes_cache import BytesCache
from router.forward.http1.memory import AsBlock
from router.forward.http1.responses import KnownResponses
from router.forward.pool import TargetPool
from router.forward.ports import (
    LegTaker,
    PendingLeg,
    Request,
    ServerLeg,
    TargetConfig,
)
from router.forward.protocols import Http2, http2
from router.forward.proxy_header import proxy_header
from router.forward.target_tcp import DialledTarget, with_preface
from router.model.addresses import split
from router.model.settings import Timeouts
from router.net.ports import Network, Tls

if TYPE_CHECKING:
    from router.forward.pool_http2 import Http2Pool, TargetSession


HTTP2_ALPN = "h2"


class Targets:
    """The owner of the pools. Exchanges under way go on with what they have, whatever is set."""

    __slots__ = (
        "_blocks",
        "_former_tls",
        "_http2",
        "_http2_pools",
        "_http2_via",
        "_known",
        "_network",
        "_places",
        "_pools",
        "_timeouts",
        "_via",
        "configs",
    )

    def __init__(
        self,
        network: Network,
        site_name: str,
        timeouts: Timeouts,
        known: KnownResponses,
        blocks: BytesCache[AsBlock],
    ) -> None:
        self._network = network
        self._timeouts = timeouts
        self._via = b"1.1 " + site_name.encode("ascii")
        self._http2_via = b"2.0 " + site_name.encode("ascii")
        self._known = known
        self._blocks = blocks
        self._http2: Http2 | None = None  # Once there is a target of it.
        self.configs: Mapping[str, TargetConfig] = {}
        """By ``host:port``."""
        self._places: dict[str, tuple[str, int]] = {}  # Of each: its host and port.
        self._former_tls: dict[str, Tls] = {}
        self._pools: dict[str, TargetPool] = {}
        self._http2_pools: dict[str, Http2Pool] = {}

    def set_handling(self, timeouts: Timeouts, known: KnownResponses) -> None:
        """How long targets may take, and what heads they may send."""
        before, self._timeouts = self._timeouts, timeouts
        self._known = known
        if timeouts != before:
            self._close_pools(list(self._pools))
            for pool in self._http2_pools.values():
                pool.timeouts = timeouts

    def set(self, targets: Mapping[str, TargetConfig]) -> None:
        """Which there are, by ``host:port``, and how each is spoken to."""
        before, self.configs = self.configs, dict(targets)
        self._places = {target: split(target) for target in targets}
        for target in before:
            self._note_former(target, before[target].tls)
        self._close_pools(
            [
                target
                for target in {*self._pools, *self._http2_pools}
                if target not in targets or targets[target].tls != before[target].tls
            ]
        )

    def _note_former(self, target: str, before: Tls | None) -> None:
        """Keep how it was spoken to for what its service's former protocol still has under way.

        Not beyond a change of anything else: credentials may have been taken away.
        """
        config = self.configs.get(target)
        if config is None or config.tls is None or before is None:
            self._former_tls.pop(target, None)
        elif config.tls.alpn != before.alpn:
            self._former_tls[target] = before
        elif config.tls != before:
            self._former_tls.pop(target, None)

    def _tls(self, target: str, *, speaks_http2: bool) -> Tls | None:
        """Of a target whose service was of another protocol when the request began, the former."""
        tls = self.configs[target].tls
        if tls is None or (HTTP2_ALPN in tls.alpn) is speaks_http2:
            return tls
        return self._former_tls.get(target, tls)

    def shed_idle(self) -> int:
        """Close connections that nobody uses; how many."""
        shed = sum(pool.shed_idle() for pool in self._pools.values())
        return shed + sum(pool.shed_idle() for pool in self._http2_pools.values())

    def take(
        self, request: Request, taker: LegTaker, target: str, via_local: bool
    ) -> ServerLeg | None:
        """A leg to ``target`` over a connection that is there; None: `dial`.

        ``via_local``: the request comes from a client of this site.
        """
        protocol = request.protocol
        if protocol == "http":
            pool = self._pools.get(target)
            if pool is None:
                return None
            return pool.take(request, taker, b"" if via_local else self._via, self._known)
        if protocol == "http2":
            streams = self._http2_pool(target)
            session = streams.take()
            if session is not None:
                return self._http2_leg(request, taker, streams, session, via_local)
        return None

    def dial(self, request: Request, taker: LegTaker, target: str, via_local: bool) -> PendingLeg:
        """Connect to ``target``, or wait for room at one of its connections; ``taker`` hears of
        it."""
        if request.protocol == "tcp":
            return self._dial_tcp(request, taker, target)
        if request.protocol == "http":
            via = b"" if via_local else self._via
            return self._http_pool(target).dial(request, taker, via, self._known)
        streams = self._http2_pool(target)
        return streams.wait(
            lambda session: self._http2_leg(request, taker, streams, session, via_local), taker
        )

    def _dial_tcp(self, request: Request, taker: LegTaker, target: str) -> PendingLeg:
        config = self.configs[target]
        host, port = self._places[target]
        network, tls = self._network, self._tls(target, speaks_http2=False)
        preface = b""
        if config.proxy_protocol:
            preface = proxy_header(request.client, request.local)

        dialled = DialledTarget(taker, network.now, preface if tls is None else b"")
        return network.dial(
            host,
            port,
            dialled.connected,
            dialled.failed,
            timeout_s=self._timeouts.connect_s,
            tls=with_preface(tls, preface),
        )

    def _http_pool(self, target: str) -> TargetPool:
        pool = self._pools.get(target)
        if pool is None:
            host, port = split(target)
            tls = self._tls(target, speaks_http2=False)
            pool = TargetPool(self._network, host, port, timeouts=self._timeouts, tls=tls)
            self._pools[target] = pool
        return pool

    def _http2_pool(self, target: str) -> "Http2Pool":
        pool = self._http2_pools.get(target)
        if pool is None:
            parts = self._http2 = http2()
            host, port = split(target)
            pool = self._http2_pools[target] = parts.pool(
                self._network,
                host,
                port,
                timeouts=self._timeouts,
                tls=self._tls(target, speaks_http2=True),
                blocks=self._blocks,
            )
        return pool

    def _http2_leg(
        self,
        request: Request,
        taker: LegTaker,
        pool: "Http2Pool",
        session: "TargetSession",
        via_local: bool,
    ) -> ServerLeg:
        assert self._http2 is not None, "there is a pool of it"
        via = b"" if via_local else self._http2_via
        return self._http2.leg(request, taker, pool, session, via, self._network)

    def _close_pools(self, targets: Iterable[str]) -> None:
        for target in targets:
            if target in self._pools:
                self._pools.pop(target).close()
            if target in self._http2_pools:
                self._http2_pools.pop(target).close()
