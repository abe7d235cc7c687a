"""Establishing simulated connections: SYN, refusal, silence, and a simplified TLS handshake."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from router.model.limits import TLS_HANDSHAKE_TIMEOUT_S
from router.net.ports import (
    Address,
    Connection,
    ConnectionHandler,
    DialCode,
    DialFailure,
    Timer,
    Tls,
)
from router.net.simulated.wire import SimulatedConnection

if TYPE_CHECKING:
    from router.net.simulated.host import SimulatedListener, SimulatedNetwork


class SimulatedDial:
    """`ports.Dial`: the dialing end. Each address gets an even share of the time left."""

    def __init__(
        self,
        host: SimulatedNetwork,
        name: str,
        port: int,
        connected: Callable[[Connection], ConnectionHandler],
        failed: Callable[[DialFailure], None],
        timeout_s: float,
        tls: Tls | None,
    ) -> None:
        self.tls = tls
        self._host = host
        self._name = name
        self._port = port
        self._connected = connected
        self._failed = failed
        self._timeout_s = timeout_s
        self._deadline = host.now() + timeout_s
        self._over = False
        self._attempt = 0  # Answers to an earlier attempt come too late.
        self._end: SimulatedConnection | None = None
        self._share: Timer | None = None
        self._trying = ""
        self._timer = host.call_at(self._deadline, self._timed_out)
        self._addresses = list(host.next_addresses(name))
        if self._addresses:
            self._try_next()
        else:
            words = f"{self._where()} has no address: the name cannot be resolved"
            host.soon(lambda: self._fail("name", words))

    def cancel(self) -> None:
        if not self._over:
            self._stop()
            if self._end is not None:
                self._end.abort()

    # Attempts.

    def _try_next(self) -> None:
        host = self._host
        self._trying = self._addresses.pop(0)
        self._attempt += 1
        there = host.route(self._trying)
        remote = Address(host=self._trying, port=self._port)
        local = Address(host=self._trying if there is host else host.ips[0], port=host.take_port())
        if self._addresses:
            share_s = (self._deadline - host.now()) / (len(self._addresses) + 1)
            words = f"{self._where()} did not answer"
            attempt = self._attempt
            self._share = host.call_at(
                host.now() + share_s, lambda: self._address_failed(attempt, "timeout", words)
            )
        if there is None:
            return  # No host has this address: silence.
        if remote == local and host.listener_at(remote) is None:
            attempt = self._attempt
            words = f"{self._where()} is not listened on: we were connected to ourselves"
            host.soon(lambda: self._address_failed(attempt, "self", words))
            return
        syn = Syn(self, self._attempt, local, remote, there)
        host.transmit(there, syn.arrived)

    def _address_failed(self, attempt: int, code: DialCode, words: str) -> None:
        if self._over or self._host.is_dead or attempt != self._attempt:
            return
        if self._share is not None:
            self._share.cancel()
        if self._addresses:
            self._try_next()
        else:
            self._fail(code, words)

    # For `Syn`.

    @property
    def host(self) -> SimulatedNetwork:
        return self._host

    def refused(self, attempt: int) -> None:
        self._address_failed(attempt, "refused", f"{self._where()} refused the connection")

    def established(self, attempt: int, end: SimulatedConnection) -> bool:
        """The peer answered; False: too late, or the dialing process is dead: its kernel resets."""
        if self._over or self._host.is_dead or attempt != self._attempt:
            end.abort()
            return False
        if self._share is not None:
            self._share.cancel()
        self._end = end
        return True

    def ready(self) -> None:
        """The connection is up, with TLS after the handshake."""
        end = self._end
        if self._over or self._host.is_dead or end is None:
            return
        if end.is_closed:
            self._fail("refused", f"{self._where()} broke off")
            return
        self._stop()
        handlers: list[ConnectionHandler] = []
        if self._host.guarded(lambda: handlers.append(self._connected(end))):
            end.attach(handlers[0])
        else:
            end.abort()

    def handshake_failed(self, words: str) -> None:
        if not self._over and self._end is not None:
            self._end.abort()
            self._fail("tls", f"{self._where()}: {words}")

    # Outcomes.

    def _timed_out(self) -> None:
        if self._end is not None:
            self._end.abort()
        self._fail("timeout", f"{self._where()} did not answer within {self._timeout_s:g} s")

    def _fail(self, code: DialCode, words: str) -> None:
        if not self._over and not self._host.is_dead:
            self._stop()
            self._failed(DialFailure(code=code, reason=words))

    def _stop(self) -> None:
        self._over = True
        self._timer.cancel()
        if self._share is not None:
            self._share.cancel()

    def _where(self) -> str:
        wanted = str(Address(host=self._name, port=self._port))
        return f"{wanted} ({self._trying})" if self._trying not in ("", self._name) else wanted


def _objection(dialer: Tls, listener: Tls, agreed: str) -> str | None:
    """Why a handshake of the two fails; None: it succeeds."""
    if dialer.preface:
        return "the peer took the preface for a handshake"
    needed = any(end.alpn and end.alpn_required for end in (dialer, listener))
    return "no protocol was agreed on" if needed and not agreed else None


class Syn:
    """One attempt as it goes back and forth. Methods are named for the arriving message, and run
    there.

    With TLS: the dialer's hello offers protocols, the answer names the first of the listener's that
    was offered, and the dialer is up; its certificate is judged only after that.
    """

    def __init__(
        self,
        dial: SimulatedDial,
        attempt: int,
        local: Address,
        remote: Address,
        there: SimulatedNetwork,
    ) -> None:
        self._dial = dial
        self._attempt = attempt
        self._here = dial.host
        self._there = there
        self._local = local
        self._remote = remote
        self._far: SimulatedConnection | None = None
        self._listener: SimulatedListener | None = None
        self._limit: Timer | None = None

    def arrived(self) -> None:
        dial, attempt = self._dial, self._attempt
        # The host may have restarted while the SYN was under way.
        there = self._there = self._here.route(self._remote.host) or self._there
        listener = self._listener = there.listener_at(self._remote)
        if listener is None:
            there.transmit(self._here, lambda: dial.refused(attempt))
            return
        judged = None if listener.tls is None else self._not_tls
        far = self._far = SimulatedConnection(there, self._remote, self._local, judged)
        near = SimulatedConnection(self._here, self._local, self._remote)
        near.other, far.other = far, near
        there.transmit(self._here, lambda: self._established(near))
        if listener.tls is None:
            listener.arrived(far)
        else:
            self._limit = there.call_at(there.now() + TLS_HANDSHAKE_TIMEOUT_S, far.abort)

    def _established(self, near: SimulatedConnection) -> None:
        dial, listener = self._dial, self._listener
        assert listener is not None
        if not dial.established(self._attempt, near):
            return
        if dial.tls is None:
            dial.ready()
        elif listener.tls is None:
            dial.handshake_failed("the peer does not speak TLS")
        else:
            self._here.transmit(self._there, self._hello)

    def _not_tls(self) -> None:
        assert self._far is not None
        self._far.abort()

    def _hello(self) -> None:
        here, there, dial = self._here, self._there, self._dial
        assert self._listener is not None and self._far is not None and dial.tls is not None
        tls = self._listener.tls
        assert tls is not None
        agreed = next((name for name in tls.alpn if name in dial.tls.alpn), "")
        if (reason := _objection(dial.tls, tls, agreed)) is not None:
            self._far.abort()
            there.transmit(here, lambda: dial.handshake_failed(reason))
            return
        self._far.agree(agreed, dial.tls.certificate)
        there.transmit(here, lambda: self._answer(agreed, tls.certificate))

    def _answer(self, agreed: str, certificate: bytes) -> None:
        near = self._far.other if self._far is not None else None
        assert near is not None
        near.agree(agreed, certificate)
        self._here.transmit(self._there, self._finished)
        self._dial.ready()

    def _finished(self) -> None:
        far, listener = self._far, self._listener
        assert far is not None and listener is not None and listener.tls is not None
        if self._limit is not None:
            self._limit.cancel()
        if far.alpn in listener.tls.alpn_with_certificate and not far.peer_certificate:
            far.abort()
        elif not far.is_closed:
            listener.arrived(far)
