"""The addresses that accept clients of services, and errors that keep one from being bound."""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from ipaddress import ip_address

from router.exchange.clients.source_shares import has_share
from router.model import limits
from router.model.addresses import join, source_of, split
from router.model.ids import ServiceKey
from router.model.settings import ServiceLimits
from router.net.ports import Address, Connection, ConnectionHandler, Listener, Network, Timer, Tls
from router.service.figures import ListenerState
from router.service.ports import NoTls

Where = tuple[str, int]
_Source = tuple[ServiceKey, str] | str  # Of a client address: at one service port, or in all.

EVERYWHERE = ("", "0.0.0.0", "::")
FIRST_DOES_NOT = "the first worker does not listen there"
"""Why another worker does not listen, or not yet: the first one reports its own reason."""


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

    __slots__ = ("_shown", "error", "hint", "key", "listener", "paused", "tls", "where")

    def __init__(self, key: ServiceKey, where: Where, tls: Tls | NoTls | None) -> None:
        self.key = key
        self.where = where
        self.tls = tls
        self.listener: Listener | None = None
        self.error = ""
        self.hint = ""
        self.paused = False
        self._shown: tuple[object, ListenerState] | None = None

    def state(self) -> ListenerState:
        """The current state. Read often, for all listeners: recreated only when it changes."""
        facts, shown = (self.listener, self.error, self.hint), self._shown
        if shown is None or shown[0] != facts:
            state = ListenerState(
                key=self.key,
                host=self.where[0],
                port=self.listener.address.port if self.listener else self.where[1],
                listening=self.listener is not None,
                error=self.error,
                hint=self.hint,
            )
            shown = self._shown = facts, state
        return shown[1]


def _may_always_listen(key: ServiceKey, where: Where) -> bool:
    return True


class Listeners:
    """Binds the wanted listeners, and tries again each second while one cannot be bound.

    ``accept(key, connection)`` creates the session; its caller calls `gone` once for each, when its
    connection is lost. A listener at its limit of connections leaves more in the backlog, all of
    them do at ``connections_max``. A source at its limit, or above its share of the places, is
    reset: it must not fill the backlog of the others.
    """

    __slots__ = (
        "_accept",
        "_allowed_max",
        "_at_address",
        "_at_port",
        "_bound",
        "_connections_max",
        "_full",
        "_is_held",
        "_limits_of",
        "_may_listen",
        "_network",
        "_open",
        "_sources",
        "_targets",
        "_targets_of",
        "_timer",
        "_total",
        "refused",
        "tls_failures",
    )

    def __init__(
        self,
        network: Network,
        accept: Callable[[ServiceKey, Connection], ConnectionHandler | None],
        limits_of: Callable[[ServiceKey], ServiceLimits],
        connections_max: int,
        *,
        is_held: Callable[[ServiceKey], bool],
    ) -> None:
        """``limits_of`` a service port; ``connections_max`` of all listeners together.

        ``is_held``: nothing should be accepted for it now; call `reconsider` when that changes.
        """
        self._network = network
        self._accept = accept
        self._bound: dict[ServiceKey, _Bound] = {}
        self._limits_of = limits_of
        self._connections_max = self._allowed_max = connections_max
        self._open: Counter[ServiceKey] = Counter()
        self._full: set[ServiceKey] = set()  # By their own limits.
        self._total = 0
        self._sources: dict[_Source, int] = {}  # How many connections are open.
        self._is_held = is_held
        self.refused: Counter[ServiceKey] = Counter()
        """Connections that were reset because their source had too many, or its share."""
        self.tls_failures: Counter[ServiceKey] = Counter()
        """TLS handshakes that failed, also when the client did not show a required certificate."""
        self._at_address: dict[Address, ServiceKey] = {}
        self._may_listen: Callable[[ServiceKey, Where], bool] = _may_always_listen
        self._targets_of: dict[ServiceKey, frozenset[str]] = {}
        self._targets: Counter[str] = Counter()  # By how many service ports each is used.
        self._at_port: dict[int, set[str]] = {}
        self._timer: Timer | None = None

    def set_listeners(
        self,
        wanted: Mapping[ServiceKey, Where],
        tls: Mapping[ServiceKey, Tls | NoTls] | None = None,
    ) -> None:
        """Bind these and close all others; accepted connections stay.

        ``tls``: those that use TLS, or that must and cannot: the latter are not bound.
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
        self._bind_all()  # Those that are bound stay: `set_targets` finds clashes.

    def _change_tls(self, bound: _Bound, tls: Tls | NoTls | None) -> None:
        before, bound.tls = bound.tls, tls
        if bound.listener is None:
            return
        if isinstance(before, Tls) and isinstance(tls, Tls):
            bound.listener.set_tls(tls)
        else:
            self._close(bound)

    def set_targets(self, key: ServiceKey, targets: frozenset[str]) -> None:
        """All targets of a service port at this site: none may be one of our listeners."""
        before = self._targets_of.get(key, frozenset())
        if targets == before:
            return
        self._targets_of[key] = targets
        if not targets:
            del self._targets_of[key]
        for target in targets - before:
            self._targets[target] += 1
            self._at_port.setdefault(split(target)[1], set()).add(target)
        for target in before - targets:
            self._targets[target] -= 1
            if not self._targets[target]:
                del self._targets[target]
                port = split(target)[1]
                self._at_port[port].discard(target)
                if not self._at_port[port]:
                    del self._at_port[port]
        ports = {split(target)[1] for target in before ^ targets}
        for bound in self._bound.values():
            if bound.where[1] in ports:
                self._bind(bound)
        self._arm()

    def forget(self, key: ServiceKey) -> None:
        """The service port was removed. If it comes again, its counts begin at 0."""
        self.set_targets(key, frozenset())
        del self.refused[key], self.tls_failures[key]

    def close(self) -> None:
        """Accept nothing more."""
        self.set_listeners({})

    def is_bound(self, key: ServiceKey, port: int) -> bool:
        """Whether clients of ``key`` are accepted at ``port``."""
        bound = self._bound.get(key)
        return (
            bound is not None and bound.listener is not None and bound.listener.address.port == port
        )

    @property
    def full_of(self) -> int | None:
        """The number of connections for which the process's descriptors suffice, if it is reached
        and further clients wait; None: there is room for another one, or the limit is another one
        now.
        """
        most = self._connections_max
        return most if self._total >= most == self._allowed_max else None

    def full_ports(self) -> dict[ServiceKey, int]:
        """Service ports with as many clients as their own limit of connections allows, so that
        further ones wait; the limit of each.
        """
        return {key: self._limits_of(key).connections for key in self._full}

    def states(self) -> dict[ServiceKey, ListenerState]:
        """Every wanted listener as it is."""
        return {key: bound.state() for key, bound in self._bound.items()}

    def follow(self, may_listen: Callable[[ServiceKey, Where], bool]) -> None:
        """Listen only where ``may_listen`` allows: another process owns the ports. Call it whenever
        the answer changes.
        """
        self._may_listen = may_listen
        for bound in self._bound.values():
            if bound.listener is not None and not may_listen(bound.key, bound.where):
                self._close(bound)
        self._bind_all()

    def _bind_all(self) -> None:
        for bound in [one for one in self._bound.values() if one.listener is None]:
            self._bind(bound)
        self._arm()

    def _arm(self) -> None:
        """Try again each second while a listener is not bound."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if [True for bound in self._bound.values() if bound.listener is None]:  # Of thousands.
            self._timer = self._network.call_at(
                self._network.now() + limits.LISTEN_RETRY_S, self._bind_all
            )

    def _bind(self, bound: _Bound) -> None:
        host, port = bound.where
        tls = bound.tls
        bound.hint = ""
        near = self._at_port.get(port, ())
        clash = next((one for one in near if is_same_place(bound.where, split(one))), None)
        if clash is not None:
            self._close(bound)
            bound.error = f"target {clash} is this listener's own address; give one another port"
        elif isinstance(tls, NoTls):
            bound.error, bound.hint = f"it must speak TLS: {tls.reason}", tls.hint
        elif bound.listener is None and not self._may_listen(bound.key, bound.where):
            bound.error = FIRST_DOES_NOT
        elif bound.listener is None:
            try:
                bound.listener = self._network.listen(
                    host, port, partial(self._accepted, bound), tls=tls
                )
                bound.error = ""
                self._at_address[bound.listener.address] = bound.key
                self._judge(bound)
            except OSError as error:
                bound.error = f"cannot listen on {join(host, port)}: {error.strerror or error}"

    def gone(self, key: ServiceKey, connection: Connection) -> None:
        """A connection that was accepted for ``key`` is lost."""
        host = connection.peer.host
        if ":" in host:  # Else it is one: spares a call for each connection.
            host = source_of(host)
        open_left = self._open[key] - 1
        if open_left:
            self._open[key] = open_left
        else:
            del self._open[key]
        sources: tuple[_Source, ...] = ((key, host), host)
        for source in sources:
            left = self._sources[source] - 1
            if left:
                self._sources[source] = left
            else:
                del self._sources[source]
        self._total -= 1
        if self._total + 1 == self._connections_max:
            self._judge_all()
            return
        bound = self._bound.get(key)
        if bound is not None and bound.paused:
            self._judge(bound)

    def tls_failed(self, listener: Address) -> None:
        """A client failed the TLS handshake of a listener."""
        key = self._at_address.get(listener)
        if key is not None:
            self.tls_failures[key] += 1

    def _accepted(self, bound: _Bound, connection: Connection) -> ConnectionHandler | None:
        if bound.where[0] in EVERYWHERE and str(connection.local) in self._targets:
            return None  # This target is an own address that only the connection shows.
        key, host = bound.key, connection.peer.host
        if ":" in host:
            host = source_of(host)
        source = (key, host)
        bounds = self._limits_of(key)
        others, of_host = self._sources.get(source, 0), self._sources.get(host, 0)
        stated = bounds.connections_per_source
        free, free_in_all = (
            bounds.connections - self._open[key],
            self._connections_max - self._total,
        )
        if free_in_all < free:
            free = free_in_all
        if (stated and others >= stated) or not has_share(of_host, free):
            self.refused[key] += 1
            return None
        handler = self._accept(key, connection)
        if handler is None:
            return None
        count = self._open[key] = self._open[key] + 1
        self._sources[source] = others + 1
        self._sources[host] = of_host + 1
        self._total += 1
        if self._total >= self._connections_max:
            self._judge_all()
        elif count >= bounds.connections:
            self._judge(bound)
        return handler

    def cap(self, connections_max: int | None) -> None:
        """Accept while there are fewer than ``connections_max``; None: as many as at the start."""
        self._connections_max = min(self._allowed_max, connections_max or self._allowed_max)
        self._judge_all()

    def reconsider(self) -> None:
        """The result of ``is_held`` may have changed."""
        self._judge_all()

    def reconsider_one(self, key: ServiceKey) -> None:
        """The limits of ``key`` may have changed."""
        bound = self._bound.get(key)
        if bound is not None:
            self._judge(bound)

    def _judge_all(self) -> None:
        for bound in self._bound.values():
            self._judge(bound)

    def _judge(self, bound: _Bound) -> None:
        """Pause or resume the listener by its limits."""
        if bound.listener is None:
            return
        key = bound.key
        is_full_itself = self._open[key] >= self._limits_of(key).connections
        (self._full.add if is_full_itself else self._full.discard)(key)
        is_full = is_full_itself or self._is_held(key) or self._total >= self._connections_max
        if is_full != bound.paused:
            bound.paused = is_full
            if is_full:
                bound.listener.pause()
            else:
                bound.listener.resume()

    def _close(self, bound: _Bound) -> None:
        if bound.listener is not None:
            self._at_address.pop(bound.listener.address, None)
            bound.listener.close()
            bound.listener = None
        bound.paused = False
        self._full.discard(bound.key)
