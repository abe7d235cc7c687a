"""A leg to one target of this site over plain TCP: bytes raw both ways."""

from collections.abc import Callable
from typing import Protocol

import msgspec

from router.exchange.ports import (
    CANCELLED,
    LegFailure,
    LegHandler,
    LegTaker,
    Request,
    TargetConfig,
    dial_failure,
)
from router.exchange.targets.proxy_header import proxy_header
from router.exchange.targets.target_answers import TargetAnswers
from router.exchange.targets.ways import Way
from router.model import limits
from router.model.addresses import split
from router.net.ports import Buffer, Connection, Dial, DialFailure, Loss, Network, Tls


class Received(Protocol):
    """The shape of `ConnectionHandler.received`, so that it can be handed through uncalled."""

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
    """`ServerLeg` and `ConnectionHandler` of a connection to a target.

    ``preface`` is sent first.

    The target's reset, or any other loss of an established connection, is ``target-reset``: what
    came before may be torn. A reset speaks against the target only if it comes soon and before a
    byte: many a protocol ends by one.

    ``answers`` of the target counts whether a byte came. ``send`` and ``received`` are of this leg
    until the first byte each way; from then on the other side's own, with no frame in between.
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
        "_now",
        "blames_target",
        "received",
        "send",
    )

    def __init__(
        self,
        connection: Connection,
        handler: LegHandler,
        now: Callable[[], float],
        answers: TargetAnswers,
        preface: bytes = b"",
    ) -> None:
        self._connection = connection
        self._handler = handler
        self._now = now
        self._connected_at = now()
        self._answers = answers
        self._answered_before = answers.answered
        self._aborted = False
        self._is_asked = False
        self.blames_target = True
        self.received: Received = self._received_first
        self.send: Sent = self._send_first
        if preface:
            connection.send(preface)

    # Leg

    def _send_first(self, data: Buffer) -> bool:
        self._is_asked = True
        self.send = self._connection.send
        return self._connection.send(data)

    def send_trailers(self, block: bytes) -> None:
        raise AssertionError("trailers on a tcp leg")

    def finish(self) -> None:
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
        elif cause is not None:
            if self._now() - self._connected_at > limits.EJECT_TCP_RESET_S:
                self.blames_target = False
            failure = LegFailure("target-reset", cause.reason or cause.code)
        # Ours are bound to us: no cycle.
        self.received, self.send = self._handler.received, self._connection.send
        self._handler.done(failure)

    def _note_silence(self) -> None:
        """The client, or the idle limit, ended it before the target did anything."""
        answers = self._answers
        has_waited = self._now() - self._connected_at >= limits.SILENT_WAIT_S
        if has_waited and answers.answered == self._answered_before:
            answers.silent += 1


class DialledTarget:
    """A connection to come: ``taker`` gets its leg."""

    __slots__ = ("_answers", "_now", "_preface", "_taker")

    def __init__(
        self, taker: LegTaker, now: Callable[[], float], answers: TargetAnswers, preface: bytes
    ) -> None:
        self._taker = taker
        self._now = now
        self._answers = answers
        self._preface = preface

    def connected(self, connection: Connection) -> TcpTargetLeg:
        leg = TcpTargetLeg(connection, self._taker, self._now, self._answers, self._preface)
        self._taker.connected(leg)
        return leg

    def failed(self, failure: DialFailure) -> None:
        self._taker.connect_failed(dial_failure(failure))


class TcpWay(Way):
    """A connection for each exchange: none is kept."""

    def __init__(
        self,
        network: Network,
        target: str,
        config: TargetConfig,
        tls: Tls | None,
        connect_s: float,
        answers: TargetAnswers,
    ) -> None:
        """``answers``: what became of the connections to the target."""
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
        dialled = DialledTarget(
            taker, self._network.now, self._answers, preface if tls is None else b""
        )
        return self._network.dial(
            self._host,
            self._port,
            dialled.connected,
            dialled.failed,
            timeout_s=self._connect_s,
            tls=with_preface(tls, preface),
        )

    def shed_idle(self) -> int:
        return 0

    def close(self) -> None:
        """There is nothing to close."""
