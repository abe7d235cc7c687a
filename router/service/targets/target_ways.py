"""The targets of one service port at this site, and the ways to them."""

from collections.abc import Callable, Mapping

from router.http.http1.bytes_cache import BytesCache
from router.http.http1.memory import AsBlock
from router.http.http1.responses import KnownResponses
from router.model.addresses import split
from router.model.settings import Timeouts
from router.model.specs import ServiceProtocol
from router.net.ports import Network, Tls
from router.service.ports import TargetConfig
from router.service.targets.http2.parts import http2
from router.service.targets.pool import TargetPool
from router.service.targets.target_answers import TargetAnswers
from router.service.targets.target_tcp import TcpWay
from router.service.targets.ways import Way

HTTP2_ALPN = "h2"


class WaysByTarget(dict[str, Way]):
    """By ``host:port``; each is created when it is first used."""

    def __init__(self, make: Callable[[str], Way]) -> None:
        self._make = make

    def __missing__(self, target: str) -> Way:
        way = self[target] = self._make(target)
        return way


class TargetWays:
    """The owner of the ways. Exchanges under way keep their connections, whatever is set."""

    __slots__ = (
        "_blocks",
        "_former_tls",
        "_http2_via",
        "_known",
        "_network",
        "_timeouts",
        "_via",
        "answers",
        "by_protocol",
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
        self.configs: Mapping[str, TargetConfig] = {}
        """By ``host:port``."""
        self.answers: Mapping[str, TargetAnswers] = {}
        """Of each: the results of its tcp connections, and parts of its http answers."""
        self._former_tls: dict[str, Tls] = {}
        self.by_protocol: Mapping[ServiceProtocol, WaysByTarget] = {
            "http": WaysByTarget(self._http_way),
            "http2": WaysByTarget(self._http2_way),
            "tcp": WaysByTarget(self._tcp_way),
        }
        """By protocol; a service's former protocol may still have requests under way."""

    def set_timeouts_and_known(self, timeouts: Timeouts, known: KnownResponses) -> None:
        """Set how long targets may take, and which heads they may send."""
        before, self._timeouts, self._known = self._timeouts, timeouts, known
        for way in self.by_protocol["http"].values():
            assert isinstance(way, TargetPool), "it was made here"
            way.set_known(known)
        if timeouts != before:
            self._close("http", set(self.by_protocol["http"]))
            self._close("tcp", set(self.by_protocol["tcp"]))
            for way in self.by_protocol["http2"].values():
                assert isinstance(way, http2().way), "it was made here"
                way.set_timeouts(timeouts)

    def set_targets(self, targets: Mapping[str, TargetConfig]) -> None:
        """Set the targets, by ``host:port``, and how to connect to each."""
        before, self.configs = self.configs, dict(targets)
        self.answers = {one: self.answers.get(one) or TargetAnswers() for one in targets}
        for target, config in before.items():
            self._keep_former_tls(target, config.tls)
        changed = {
            target
            for target, config in before.items()
            if target not in targets or targets[target].tls != config.tls
        }
        self._close("http", changed)
        self._close("http2", changed)
        self._close("tcp", set(before))

    def _keep_former_tls(self, target: str, before: Tls | None) -> None:
        """Keep its TLS settings for requests of its service's former protocol that are under way.

        Not beyond a change of anything else: credentials may have been revoked.
        """
        config = self.configs.get(target)
        if config is None or config.tls is None or before is None:
            self._former_tls.pop(target, None)
        elif config.tls.alpn != before.alpn:
            self._former_tls[target] = before
        elif config.tls != before:
            self._former_tls.pop(target, None)

    def _tls(self, target: str, *, speaks_http2: bool) -> Tls | None:
        """The target's TLS settings; for a request of its service's former protocol the former
        ones.
        """
        tls = self.configs[target].tls
        if tls is None or (HTTP2_ALPN in tls.alpn) is speaks_http2:
            return tls
        return self._former_tls.get(target, tls)

    def mean_s(self) -> float:
        """The mean of the slowest target; 0.0: no request has ended yet."""
        ways = (way for each in self.by_protocol.values() for way in each.values())
        return max((way.mean_s() for way in ways), default=0.0)

    def awaited_count(self, target: str) -> int:
        """How many requests it has in full, or takes no more of, and has not begun to answer."""
        each = self.by_protocol.values()
        return sum(ways[target].awaited_count() for ways in each if target in ways)

    def shed_idle(self) -> int:
        """Close unused connections; returns how many."""
        return sum(way.shed_idle() for ways in self.by_protocol.values() for way in ways.values())

    def _close(self, protocol: ServiceProtocol, targets: set[str]) -> None:
        """Close the ways to ``targets``; each is created again when it is next used."""
        ways = self.by_protocol[protocol]
        for target in targets & set(ways):
            ways.pop(target).close()

    def _http_way(self, target: str) -> Way:
        host, port = split(target)
        return TargetPool(
            self._network,
            host,
            port,
            via=self._via,
            known=self._known,
            timeouts=self._timeouts,
            tls=self._tls(target, speaks_http2=False),
            answers=self.answers[target],
        )

    def _http2_way(self, target: str) -> Way:
        parts = http2()
        host, port = split(target)
        pool = parts.pool(
            self._network,
            host,
            port,
            timeouts=self._timeouts,
            tls=self._tls(target, speaks_http2=True),
            blocks=self._blocks,
            answers=self.answers[target],
        )
        return parts.way(pool, self._http2_via)

    def _tcp_way(self, target: str) -> Way:
        tls = self._tls(target, speaks_http2=False)
        config, connect_s = self.configs[target], self._timeouts.connect_s
        answers = self.answers[target]
        return TcpWay(self._network, target, config, tls, connect_s, answers)
