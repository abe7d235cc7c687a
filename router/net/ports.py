"""The interfaces of the network. `link` and `exchange` know nothing else about it.

Rules that hold for every implementation:

- Handlers are called from the network's turn, never from inside one of their own calls: no method
  of `Connection`, `Network` or `Timers` calls back synchronously.
- `lost` is the last call to a handler and comes exactly once for every connection that had a
  handler, for any reason: both ends finished (cause None), a reset, an error, our own `abort`.
- A handler that raises loses that connection (abort, counted, logged), nothing else.
"""

from collections.abc import Callable
from typing import Literal, Protocol

import msgspec

Buffer = bytes | bytearray | memoryview


class Address(msgspec.Struct, frozen=True, order=True, gc=False):
    """A numeric IP address and a port. ``str`` gives ``1.2.3.4:80`` or ``[::1]:80``."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


LossCode = Literal["reset", "aborted", "timeout", "tls", "expired", "cut", "error", "handler"]


class Loss(msgspec.Struct, frozen=True):
    """Why a connection ended other than by both ends finishing.

    ``tls``: an alert from the peer, or data that is not TLS; ``expired``: the alert that our
    certificate has expired. ``cut``: it ended without a TLS message.
    """

    code: LossCode
    reason: str = ""


def is_ours(cause: Loss | None) -> bool:
    """Whether we ended the connection, not its peer or the path."""
    return cause is not None and cause.code in ("aborted", "handler")


DialCode = Literal[
    "refused",
    "timeout",
    "unreachable",
    "name",
    "tls",
    "clock",
    "self",
    "exhausted",
    "proxy",
    "error",
]


class DialFailure(msgspec.Struct, frozen=True):
    """Why a dial failed. ``reason`` is human-readable and names the address.

    ``refused``: also by a peer that accepts and ends without a TLS message, as a load balancer
    without a backend does. ``exhausted``: this process has no descriptor or memory left for it,
    which says nothing about the dialed host. ``clock``: the text of `Tls.tells_time`, including the
    next step. ``proxy``: the proxy itself refuses permanently; the reason has the next step.
    """

    code: DialCode
    reason: str


class ConnectionHandler(Protocol):
    """The calls that the owner of a connection gets."""

    def received(self, data: memoryview) -> None:
        """Bytes in order. ``data`` is valid until this returns; copy to keep."""

    def ended(self) -> None:
        """The peer finished cleanly (FIN; with TLS close_notify). Sending is still possible."""

    def writable(self) -> None:
        """After a `send` that returned False: all bytes were handed to the kernel."""

    def lost(self, cause: Loss | None) -> None:
        """The connection is over; None: both ends finished and all was delivered. Always the last
        call."""


class Connection(Protocol):
    """One established connection; with TLS, after its handshake."""

    @property
    def peer(self) -> Address: ...
    @property
    def local(self) -> Address: ...
    @property
    def peer_certificate(self) -> bytes:
        """DER of the peer's leaf; empty without TLS or without a certificate."""

    @property
    def alpn(self) -> str:
        """The protocol that TLS agreed on; empty without TLS."""

    @property
    def buffered_bytes(self) -> int:
        """Accepted by `send` and not yet with the kernel; after `finish`, not yet with the peer.

        So after `finish` it is what an `abort` would lose.
        """

    @property
    def unsent_bytes(self) -> int:
        """Accepted by `send` and not yet with the kernel: the memory that it holds here."""

    @property
    def undelivered_bytes(self) -> int:
        """Accepted by `send` and not yet with the peer. It costs a system call."""

    def send(self, *parts: Buffer) -> bool:
        """Send ``parts`` in order, at once where the kernel takes them; the rest is copied.

        False: more than the high mark is buffered; wait for `writable`. The data is taken in
        either case. After `finish`, `abort` or loss it is silently dropped and True returned.
        """

    def set_high_mark(self, mark_bytes: int) -> None:
        """Change the high mark (`limits.WRITE_HIGH_BYTES`). 0: False if anything stays unsent."""

    def bound_unsent(self, size_bytes: int) -> None:
        """Let the kernel hold about this many bytes that it cannot send yet: the rest waits here.

        Bytes under way do not count.
        """

    def pause(self, left: Callable[[], None] | None = None, *, reads_last: bool = False) -> None:
        """Stop delivering `received` and `ended` until `resume`. A reset still arrives.

        ``left`` is called at most once before `resume`: the peer finished, and its last data may
        still be unread. ``reads_last``: data that came ahead of a reset is delivered before it.
        Idempotent. May be called within `received`; the bytes of that call still count.
        """

    def resume(self) -> None: ...

    def splice_to(self, sink: "Connection", moved: Callable[[int], None]) -> bool:
        """Hand received bytes to ``sink`` within the kernel, as long as that pays.

        False: not possible here, or not with that sink. ``moved`` gets the number of bytes moved;
        all others come by `received`, in order, and belong to ``sink`` too. No one else may send to
        the sink, and its loss or `abort` drops the bytes on the way. Everything else is as before.
        Idempotent.
        """

    def finish(self) -> None:
        """Send no more: FIN (TLS: close_notify first) once the buffer was sent."""

    def abort(self) -> None:
        """Drop everything and reset (zero linger), so that the peer does not see a clean end."""


class Timer(Protocol):
    """A pending call."""

    def cancel(self) -> None:
        """Idempotent, harmless after the call."""


class Timers(Protocol):
    """Monotonic time and scheduled calls, within the network's turn."""

    def now(self) -> float:
        """Monotonic seconds; may be constant within one callback, never goes back."""

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Never early, never synchronously."""

    def at_turn_end(self, callback: Callable[[], None]) -> None:
        """Call once, after the events of the current turn (or soon, outside of a turn)."""


class Intake(Timers, Protocol):
    """Time, and calls after a number of received bytes."""

    def after_intake(self, size_bytes: int, callback: Callable[[], None]) -> None:
        """Call once, between two events, as soon as ``size_bytes`` more have been received.

        A new connection counts as `limits.CONNECTION_COST_BYTES`. The last call replaces those
        before it.
        """


class Tls(msgspec.Struct, frozen=True):
    """The TLS settings of one end of a connection.

    ``context`` is an `ssl.SSLContext` ready for use (versions, ALPN set); the simulated network
    ignores it. ``certificate`` is its own leaf in DER, which a simulated peer sees; empty: none.
    ``alpn`` is offered by a dialer and accepted by a listener, best first. A connection that agreed
    on none of them is closed (unless not ``alpn_required``), as is one of ``alpn_with_certificate``
    without a peer's certificate. (The context must offer the same: `ssl` cannot report its
    setting.) ``server_name``: the name a dialer requests, and checks if its context does; empty:
    the host that it dials. ``preface``: bytes that a dialer sends unencrypted before the handshake;
    peers that do not expect it break off. ``tells_time``: returns the text for an operator from the
    certificates (DER, leaf first) that a peer showed and that are not valid now.
    """

    context: object
    certificate: bytes
    alpn: tuple[str, ...]
    alpn_with_certificate: tuple[str, ...] = ()
    server_name: str = ""
    alpn_required: bool = True
    preface: bytes = b""
    tells_time: Callable[[tuple[bytes, ...]], str] | None = None


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP proxy to dial through (CONNECT; RFC 9110, 9.3.6).

    ``tls``: for the connection to the proxy; None: unencrypted, which exposes ``authorization``,
    the value of Proxy-Authorization, a secret that is never shown; empty: none.
    """

    host: str
    port: int
    tls: Tls | None = None
    authorization: str = ""

    def __str__(self) -> str:
        scheme = "http" if self.tls is None else "https"
        return f"{scheme}://{Address(host=self.host, port=self.port)}"

    def __repr__(self) -> str:
        return f"Proxy({self})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [("proxy", str(self))]


class Listener(Protocol):
    """A bound address."""

    @property
    def address(self) -> Address:
        """The real address, when port 0 was requested."""

    def pause(self) -> None:
        """Leave new connections in the backlog."""

    def resume(self) -> None: ...

    def set_tls(
        self, tls: Tls, accept: "Callable[[Connection], ConnectionHandler | None] | None" = None
    ) -> None:
        """Use ``tls`` for connections from now on. For a listener with TLS.

        ``accept`` is called for these; None: as before. A handshake under way ends as it began.
        """

    def close(self) -> None:
        """Stop accepting, idempotent. Accepted connections stay.

        Unencrypted connections that wait to be accepted are accepted first, unless it is paused.
        """


class Dial(Protocol):
    """A connection attempt under way."""

    def cancel(self) -> None:
        """Make no callback from now on. Idempotent, harmless after the outcome."""


class Network(Timers, Protocol):
    """Dials and accepts connections. One per router."""

    @property
    def woke_late_at(self) -> float:
        """When it last woke more than `limits.LATE_WAKE_S` later than planned; -inf: never. A time
        measured across that moment is partly this process's own."""

    def spent_s(self) -> float:
        """CPU seconds of the thread that runs it; in virtual time calls cost nothing."""

    def listen(
        self,
        host: str,
        port: int,
        accept: Callable[[Connection], ConnectionHandler | None],
        *,
        tls: Tls | None = None,
        essential: bool = False,
    ) -> Listener:
        """Bind and accept. ``accept`` may return None: the connection is aborted.

        ``essential``: it and its connections may use descriptors that are reserved. With TLS a
        connection is handed over only after its handshake. Raises `OSError` when the address cannot
        be bound (in use, not local, forbidden), or no descriptor is left for it.
        """

    def allow_link_local(self, hosts: frozenset[str]) -> None:
        """Only these names, and ``essential`` dials, may lead to a link-local address.

        An address that is dialed as such is not judged.
        """

    def is_current(self, host: str, address: str) -> bool:
        """Whether ``host`` still resolves to ``address``, as far as is known: names change.

        By the last good answer; no query is made. True for a numeric host.
        """

    def unresolved_s(self, host: str) -> float | None:
        """How long the name has not been resolved while its last good answer is used; None: it is
        resolved, or never was. No query is made."""

    def dial(
        self,
        host: str,
        port: int,
        connected: Callable[[Connection], ConnectionHandler],
        failed: Callable[[DialFailure], None],
        *,
        timeout_s: float,
        tls: Tls | None = None,
        essential: bool = False,
    ) -> Dial:
        """Connect (resolving a name first, all its addresses in turn), within ``timeout_s`` in all.

        Exactly one of the two callbacks comes, later, unless cancelled. Failure ``self``: the
        kernel connected us to ourselves. ``essential`` as for `listen`.
        """


class FarNetwork(Network, Protocol):
    """The additional needs of links: other sites may be behind several addresses, and proxies."""

    def resolve(self, host: str, done: Callable[[tuple[str, ...]], None]) -> Dial:
        """The addresses of ``host``, in the order to try them; empty: no address is known.

        ``done`` is called once, later, within `limits.RESOLVE_TIMEOUT_S`, unless cancelled.
        """

    def dial(
        self,
        host: str,
        port: int,
        connected: Callable[[Connection], ConnectionHandler],
        failed: Callable[[DialFailure], None],
        *,
        timeout_s: float,
        tls: Tls | None = None,
        essential: bool = False,
        via: Proxy | None = None,
    ) -> Dial:
        """As `Network.dial`. ``via``: the proxy connects, and resolves ``host``.

        TLS goes through it, end to end; ``peer`` of the connection is the requested host.
        """
