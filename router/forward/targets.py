"""How the targets of one service port at this site are reached: a leg for each exchange, by its
protocol, over the connections kept for it."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from router.forward.http1.heads import HeadLimits
from router.forward.pool import TargetPool
from router.forward.ports import LegHandler, Request, TargetConfig, TargetLeg
from router.forward.protocols import http2
from router.forward.proxy_header import proxy_header
from router.forward.target_http import HttpTargetLeg
from router.forward.target_tcp import TcpTargetLeg
from router.model.addresses import split
from router.model.settings import Timeouts
from router.net.ports import Network

if TYPE_CHECKING:
    from router.forward.pool_http2 import Http2Pool


class Targets:
    """The owner of the pools. Exchanges under way go on with what they have, whatever is set."""

    __slots__ = (
        "_heads",
        "_http2_pools",
        "_network",
        "_pools",
        "_site_name",
        "_timeouts",
        "configs",
    )

    def __init__(
        self, network: Network, site_name: str, timeouts: Timeouts, heads: HeadLimits
    ) -> None:
        self._network = network
        self._site_name = site_name
        self._timeouts = timeouts
        self._heads = heads
        self.configs: Mapping[str, TargetConfig] = {}
        """By ``host:port``."""
        self._pools: dict[str, TargetPool] = {}
        self._http2_pools: dict[str, Http2Pool] = {}

    def set_handling(self, timeouts: Timeouts, heads: HeadLimits) -> None:
        """How long targets may take, and what heads they may send."""
        before, self._timeouts = self._timeouts, timeouts
        self._heads = heads
        if timeouts != before:
            self._close_pools(list(self._pools))
            for pool in self._http2_pools.values():
                pool.timeouts = timeouts

    def set(self, targets: Mapping[str, TargetConfig]) -> None:
        """Which there are, by ``host:port``, and how each is spoken to."""
        before, self.configs = self.configs, dict(targets)
        self._close_pools(
            [
                target
                for target in {*self._pools, *self._http2_pools}
                if target not in targets or targets[target].tls != before[target].tls
            ]
        )

    def shed_idle(self) -> int:
        """Close connections that nobody uses; how many."""
        shed = sum(pool.shed_idle() for pool in self._pools.values())
        return shed + sum(pool.shed_idle() for pool in self._http2_pools.values())

    def open(
        self, request: Request, handler: LegHandler, target: str, via_local: bool
    ) -> tuple[TargetLeg, bool]:
        """A started leg to ``target`` (`local.TargetLegOpener`)."""
        if request.protocol == "tcp":
            return self._open_tcp(request, handler, target), False
        if request.protocol == "http2":
            return self._open_http2(request, handler, target, via_local)
        pool = self._pools.get(target)
        if pool is None:
            host, port = split(target)
            tls = self.configs[target].tls
            pool = TargetPool(self._network, host, port, timeouts=self._timeouts, tls=tls)
            self._pools[target] = pool
        leg = HttpTargetLeg(
            request, handler, pool, self._site_name, self._network, via_local, self._heads
        )
        return leg, leg.start(tells_opened=False)

    def _open_tcp(self, request: Request, handler: LegHandler, target: str) -> TargetLeg:
        config = self.configs[target]
        host, port = split(target)
        preface = b""
        if config.proxy_protocol:
            preface = proxy_header(request.client, request.local)
        leg = TcpTargetLeg(
            self._network,
            host,
            port,
            handler,
            connect_s=self._timeouts.connect_s,
            tls=config.tls,
            preface=preface,
        )
        leg.start()
        return leg

    def _open_http2(
        self, request: Request, handler: LegHandler, target: str, via_local: bool
    ) -> tuple[TargetLeg, bool]:
        network = self._network
        parts = http2()
        pool = self._http2_pools.get(target)
        if pool is None:
            host, port = split(target)
            pool = self._http2_pools[target] = parts.pool(
                network,
                host,
                port,
                timeouts=self._timeouts,
                tls=self.configs[target].tls,
            )
        leg = parts.leg(request, handler, pool, self._site_name, network, via_local)
        return leg, leg.start(tells_opened=False)

    def _close_pools(self, targets: Iterable[str]) -> None:
        for target in targets:
            if target in self._pools:
                self._pools.pop(target).close()
            if target in self._http2_pools:
                self._http2_pools.pop(target).close()
