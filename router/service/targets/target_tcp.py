"""A leg to one target of this site over plain TCP: raw bytes both ways."""

from collections.abc import Callable
from typing import Protocol

import msgspec

from router.model import limits
from router.model.addresses import split
from router.model.requests import Request
from router.net.ports import Buffer, Connection, Dial, DialFailure, Loss, Network, Tls
from router.service.ports import (
    CANCELLED,
    CLIENT_GONE,
    LegFailure,
    LegTaker,
    TargetConfig,
    dial_failure,
)
from router.service.targets.proxy_header import proxy_header
from router.service.targets.target_answers import TargetAnswers
from router.service.targets.ways import Way


class Received(Protocol):
    """The shape of `ConnectionHandler.received`, so that it can be passed through uncalled."""

    def __call__(self, data: memoryview) -> None: ...


class Sent(Protocol):
    """The shape of `Leg.send`, likewise."""

    def __call__(self, data: Buffer, /) -> bool: ...


def with_preface(tls: Tls | None, preface: bytes) -> Tls | None:
    """``tls`` with ``preface`` sent before its handshake."""
    if tls is None or not preface:
        return tls
    return msgspec.structs.replace(tls, preface=preface)


class TcpTargetLeg:
    """`ServerLeg` and `ConnectionHandler` of a connection to a target, from its dial on.

    ``preface`` is sent first. ``taker`` gets it once it is connected.

    A reset by the target, or any other loss of an established connection, is ``target-reset``:
    earlier bytes may be torn. A reset counts against the target only if it comes soon and before a
    byte: many a protocol ends with one. If it comes after bytes and after the client's end, the
    client has left: a server that has read that end and closes without lingering sends a reset.

    ``answers`` of the target counts whether a byte came. ``send`` and ``received`` are of this leg
    until the first byte each way; from then on they are the other side's own, with no call in
    between.
    """

    status = 0

    lingers = None

    __slots__ = (
        "_aborted",
        "_answered_before",
        "_answers",
        "_connected_at",
        "_connection",
        "_handler",
        "_is_asked",
        "_is_finished",
        "_now",
        "_preface",
        "blames_target",
        "received",
        "send",
    )

    _connection: Connection
    _connected_at: float
    _answered_before: int
    received: Received
    send: Sent

    def __init__(
        self, taker: LegTaker, now: Callable[[], float], answers: TargetAnswers, preface: bytes
    ) -> None:
        self._handler = taker
        self._now = now
        self._answers = answers
        self._preface = preface
        self._aborted = False
        self._is_asked = False
        self._is_finished = False
        self.blames_target = True

    # Called by the dial.

    def connected(self, connection: Connection) -> "TcpTargetLeg":
        self._connection = connection
        self._connected_at = self._now()
        self._answered_before = self._answers.answered
        self.received = self._received_first
        self.send = self._send_first
        if self._preface:
            connection.send(self._preface)
        self._handler.connected(self)
        return self

    def failed(self, failure: DialFailure) -> None:
        self._handler.connect_failed(dial_failure(failure))

    # Leg

    def _send_first(self, data: Buffer) -> bool:
        self._is_asked = True
        self.send = self._connection.send
        return self._connection.send(data)

    def send_trailers(self, block: bytes) -> None:
        raise AssertionError("trailers on a tcp leg")

    def finish(self) -> None:
        self._is_finished = True
        self._connection.finish()

    def abort(self) -> None:
        self._aborted = True
        self._connection.abort()

    def pause(self) -> None:
        self._connection.pause()

    def resume(self) -> None:
        self._connection.resume()

    @property
    def wire(self) -> Connection:
        return self._connection

    @property
    def undelivered_bytes(self) -> int:
        return self._connection.undelivered_bytes

    # ConnectionHandler

    def _received_first(self, data: memoryview) -> None:
        self.blames_target = False
        self._answers.answered += 1
        self.received = self._handler.received
        self._handler.received(data)

    def ended(self) -> None:
        self.blames_target = False
        self._handler.ended()

    def writable(self) -> None:
        self._handler.writable()

    def lost(self, cause: Loss | None) -> None:
        failure = None
        if self._aborted:
            failure = CANCELLED
            if self.blames_target and self._is_asked:
                self._note_silence()
        elif cause is not None and self._is_finished and not self.blames_target:
            failure = CLIENT_GONE
        elif cause is not None:
            if self._now() - self._connected_at > limits.EJECT_TCP_RESET_S:
                self.blames_target = False
            failure = LegFailure("target-reset", cause.reason or cause.code)
        # Our bound methods refer to this object: break the cycle.
        self.received, self.send = self._handler.received, self._connection.send
        self._handler.done(failure)

    def _note_silence(self) -> None:
        """The client, or the idle limit, ended it before the target did anything."""
        answers = self._answers
        has_waited = self._now() - self._connected_at >= limits.SILENT_WAIT_S
        if has_waited and answers.answered == self._answered_before:
            answers.silent += 1


class TcpWay(Way):
    """A new connection for each exchange."""

    def __init__(
        self,
        network: Network,
        target: str,
        config: TargetConfig,
        tls: Tls | None,
        connect_s: float,
        answers: TargetAnswers,
    ) -> None:
        """``answers``: counts the results of the connections to the target."""
        self._network = network
        self._answers = answers
        self._host, self._port = split(target)
        self._config = config
        self._tls = tls
        self._connect_s = connect_s

    def take(self, request: Request, taker: LegTaker, *, from_client: bool) -> None:
        return None

    def dial(self, request: Request, taker: LegTaker, *, from_client: bool) -> Dial:
        preface, tls = b"", self._tls
        if self._config.proxy_protocol:
            preface = proxy_header(request.client, request.local)
            if tls is not None:
                tls, preface = with_preface(tls, preface), b""
        leg = TcpTargetLeg(taker, self._network.now, self._answers, preface)
        return self._network.dial(
            self._host,
            self._port,
            leg.connected,
            leg.failed,
            timeout_s=self._connect_s,
            tls=tls,
        )

    def shed_idle(self) -> int:
        return 0

    def close(self) -> None:
        """There is nothing to close."""
