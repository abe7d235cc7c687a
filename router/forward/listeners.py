"""Which addresses clients of services are accepted on, and what keeps one from being bound."""

from collections.abc import Callable, Mapping
from ipaddress import ip_address

import msgspec

from router.forward.ports import NoTls
from router.model import limits
from router.model.addresses import join, split
from router.model.ids import ServiceKey
from router.net.ports import Connection, ConnectionHandler, Listener, Network, Timer, Tls

Where = tuple[str, int]

EVERYWHERE = ("", "0.0.0.0", "::")


class ListenerState(msgspec.Struct, frozen=True, kw_only=True):
    """One listener as it is. ``port`` is the bound one; ``error`` empty while listening.

    ``hint``: the next step, if it is another than freeing the address.
    """

    key: ServiceKey
    host: str
    port: int
    listening: bool
    error: str
    hint: str = ""


def is_same_place(listen: Where, target: Where) -> bool:
    """A connection to ``target`` would end at a listener on ``listen``."""
    if listen[1] != target[1]:
        return False
    host, target_host = listen[0], target[0]
    return host == target_host or (
        _is_loopback(target_host)
        and (_is_everywhere(host) or "localhost" in (host, target_host))
        and (_is_everywhere(host) or _is_loopback(host))
    )


def _is_everywhere(host: str) -> bool:
    return host in EVERYWHERE


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Bound:
    """One wanted listener: bound, or with the reason why not."""

    __slots__ = ("error", "hint", "key", "listener", "paused", "tls", "where")

    def __init__(self, key: ServiceKey, where: Where, tls: Tls | NoTls | None) -> None:
        self.key = key
        self.where = where
        self.tls = tls
        self.listener: Listener | None = None
        self.error = ""
        self.hint = ""
        self.paused = False


class Listeners:
    """Makes wanted listeners true, and again each second while one cannot be bound.

    ``accept(key, connection)`` makes the session; whoever does calls `gone` once for each, when
    its connection is lost. A listener at its limit of connections leaves more in the backlog.
    """

    __slots__ = ("_accept", "_bound", "_network", "_open", "_targets", "_timer")

    def __init__(
        self,
        network: Network,
        accept: Callable[[ServiceKey, Connection], ConnectionHandler | None],
    ) -> None:
        self._network = network
        self._accept = accept
        self._bound: dict[ServiceKey, _Bound] = {}
        self._open: dict[ServiceKey, int] = {}
        self._targets: frozenset[str] = frozenset()
        self._timer: Timer | None = None

    def set_listeners(
        self,
        wanted: Mapping[ServiceKey, Where],
        tls: Mapping[ServiceKey, Tls | NoTls] | None = None,
    ) -> None:
        """Bind these and close all others; accepted connections stay.

        ``tls``: those that speak it, or that must and cannot: these are not bound.
        """
        tls = tls or {}
        for key, bound in list(self._bound.items()):
            if wanted.get(key) != bound.where:
                self._close(bound)
                del self._bound[key]
        for key, where in wanted.items():
            known = self._bound.get(key)
            if known is None:
                self._bound[key] = _Bound(key, where, tls.get(key))
            elif known.tls != tls.get(key):
                self._change_tls(known, tls.get(key))
        self._bind_all()

    def _change_tls(self, bound: _Bound, tls: Tls | NoTls | None) -> None:
        before, bound.tls = bound.tls, tls
        if bound.listener is None:
            return
        if isinstance(before, Tls) and isinstance(tls, Tls):
            bound.listener.set_tls(tls)
        else:
            self._close(bound)

    def set_targets(self, targets: frozenset[str]) -> None:
        """All targets configured at this site: none of them may be one of our listeners."""
        self._targets = targets
        self._bind_all()

    def close(self) -> None:
        """Accept nothing more."""
        self.set_listeners({})

    def states(self) -> dict[ServiceKey, ListenerState]:
        """Every wanted listener as it is."""
        return {
            bound.key: ListenerState(
                key=bound.key,
                host=bound.where[0],
                port=bound.listener.address.port if bound.listener else bound.where[1],
                listening=bound.listener is not None,
                error=bound.error,
                hint=bound.hint,
            )
            for bound in self._bound.values()
        }

    def _bind_all(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for bound in self._bound.values():
            self._bind(bound)
        if any(bound.listener is None for bound in self._bound.values()):
            self._timer = self._network.call_at(
                self._network.now() + limits.LISTEN_RETRY_S, self._bind_all
            )

    def _bind(self, bound: _Bound) -> None:
        host, port = bound.where
        tls = bound.tls
        bound.hint = ""
        clash = next((one for one in self._targets if is_same_place(bound.where, split(one))), None)
        if clash is not None:
            self._close(bound)
            bound.error = f"target {clash} is this listener's own address; give one another port"
        elif isinstance(tls, NoTls):
            bound.error, bound.hint = f"it must speak TLS: {tls.reason}", tls.hint
        elif bound.listener is None:
            try:
                bound.listener = self._network.listen(
                    host, port, lambda connection: self._accepted(bound, connection), tls=tls
                )
                bound.error = ""
            except OSError as error:
                bound.error = f"cannot listen on {join(host, port)}: {error.strerror or error}"

    def gone(self, key: ServiceKey) -> None:
        """A connection that was accepted for ``key`` is lost."""
        self._open[key] -= 1
        bound = self._bound.get(key)
        if bound is not None and bound.paused and bound.listener is not None:
            bound.paused = False
            bound.listener.resume()

    def _accepted(self, bound: _Bound, connection: Connection) -> ConnectionHandler | None:
        if bound.where[0] in EVERYWHERE and str(connection.local) in self._targets:
            return None  # A target is an own address that only the connection shows.
        handler = self._accept(bound.key, connection)
        if handler is None:
            return None
        count = self._open[bound.key] = self._open.get(bound.key, 0) + 1
        if count >= limits.CONNECTIONS_PER_LISTENER_MAX and bound.listener is not None:
            bound.paused = True
            bound.listener.pause()
        return handler

    def _close(self, bound: _Bound) -> None:
        if bound.listener is not None:
            bound.listener.close()
            bound.listener = None
        bound.paused = False
