"""A leg to one target of this site over plain TCP: bytes raw both ways."""

from typing import Protocol

import msgspec

from router.forward.ports import LegFailure, LegHandler, dial_failure
from router.model import limits
from router.net.ports import Buffer, Connection, Dial, DialFailure, Loss, Network, Tls


class Received(Protocol):
    """The shape of `ConnectionHandler.received`, so that it can be handed through uncalled."""

    def __call__(self, data: memoryview) -> None: ...


def with_preface(tls: Tls | None, preface: bytes) -> Tls | None:
    """``tls`` with ``preface`` sent before its handshake."""
    if tls is None or not preface:
        return tls
    return msgspec.structs.replace(tls, preface=preface)


class TcpTargetLeg:
    """Dials ``host:port`` and relays. Bytes sent before it is connected are held, bounded.

    ``preface`` goes first, in clear; with ``tls`` the handshake follows it.

    The target's reset, or any other loss of an established connection, is ``target-reset``: what
    came before may be torn. A dial that fails is ``connect-failed``: no byte left. A reset speaks
    against the target only if it comes soon and before a byte: many a protocol ends by one.
    """

    status = 0

    lingers = None

    __slots__ = (
        "_aborted",
        "_connect_s",
        "_connected_at",
        "_connection",
        "_dial",
        "_early",
        "_early_bytes",
        "_finished_early",
        "_handler",
        "_host",
        "_network",
        "_paused",
        "_port",
        "_preface",
        "_refuses",
        "_tls",
        "blames_target",
        "received",
    )

    def __init__(
        self,
        network: Network,
        host: str,
        port: int,
        handler: LegHandler,
        *,
        connect_s: float,
        tls: Tls | None = None,
        preface: bytes = b"",
    ) -> None:
        self._connect_s = connect_s
        self._tls = with_preface(tls, preface)
        self._preface = preface if tls is None else b""
        self._network = network
        self._host = host
        self._port = port
        self._handler = handler
        self._connection: Connection | None = None
        self._dial: Dial | None = None
        self._early: list[bytes] | None = None  # What came before there was a connection.
        self._early_bytes = 0
        self._refuses = False
        self._finished_early = False
        self._paused = False
        self._aborted = False
        self._connected_at = 0.0
        self.blames_target = True
        self.received: Received = self._received_first

    def start(self) -> None:
        self._dial = self._network.dial(
            self._host,
            self._port,
            self._connected,
            self._dial_failed,
            timeout_s=self._connect_s,
            tls=self._tls,
        )

    # Leg

    def send(self, data: Buffer) -> bool:
        if self._connection is not None:
            return self._connection.send(data)
        if self._early is None:
            self._early = []
        self._early.append(bytes(data))
        self._early_bytes += len(data)
        self._refuses = self._early_bytes >= limits.REPLAY_BYTES_MAX
        return not self._refuses

    def send_trailers(self, block: bytes) -> None:
        raise AssertionError("trailers on a tcp leg")

    def finish(self) -> None:
        if self._connection is not None:
            self._connection.finish()
        else:
            self._finished_early = True

    def abort(self) -> None:
        if self._aborted:
            return
        self._aborted = True
        if self._connection is not None:
            self._connection.abort()
        elif self._dial is not None:
            self._dial.cancel()
            self._network.at_turn_end(self._tell_cancelled)

    def pause(self) -> None:
        self._paused = True
        if self._connection is not None:
            self._connection.pause()

    def resume(self) -> None:
        self._paused = False
        if self._connection is not None:
            self._connection.resume()

    @property
    def wire(self) -> Connection | None:
        return self._connection

    # ConnectionHandler

    def _received_first(self, data: memoryview) -> None:
        self.blames_target = False
        self.received = self._handler.received  # Hot: no frame of ours in between from now on.
        self._handler.received(data)

    def ended(self) -> None:
        self.blames_target = False
        self._handler.ended()

    def writable(self) -> None:
        self._handler.writable()

    def lost(self, cause: Loss | None) -> None:
        if self._aborted:
            self._tell_cancelled()
        elif cause is None:
            self._done(None)
        else:
            if self._network.now() - self._connected_at > limits.EJECT_TCP_RESET_S:
                self.blames_target = False
            self._done(LegFailure("target-reset", cause.reason or cause.code))

    def _connected(self, connection: Connection) -> "TcpTargetLeg":
        self._connection = connection
        self._connected_at = self._network.now()
        self._dial = None  # It holds us: let no cycle wait for the collector.
        if self._paused:
            connection.pause()
        early, self._early = self._early or [], None
        if self._preface:
            early.insert(0, self._preface)
        room = connection.send(*early) if early else True
        if self._finished_early:
            connection.finish()
        self._handler.opened()
        if self._refuses and room:
            self._handler.writable()
        return self

    def _dial_failed(self, failure: DialFailure) -> None:
        self._dial = None
        self._done(dial_failure(failure))

    def _tell_cancelled(self) -> None:
        self._dial = None
        self._done(LegFailure("cancelled"))

    def _done(self, failure: LegFailure | None) -> None:
        self.received = self._handler.received  # Ours is bound to us: no cycle.
        self._handler.done(failure)
