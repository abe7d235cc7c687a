"""Renewal of a dialler's certificate over its link: one session's part.

The dialler sends RENEW with a request of a new key, the acceptor answers RENEWED. One is asked at
a time; an answer that does not come is taken for lost. What is issued, and believed, is `trust`'s.
"""

from collections.abc import Callable

from router.link import control
from router.link.neighbour import Neighbour
from router.link.sessions.handshake import Role
from router.model import limits
from router.model.errors import RemoteProtocolError
from router.model.token_bucket import TokenBucket
from router.net.ports import Timer, Timers

Answer = Callable[[control.Renewed | None], None]
"""Takes the answer to RENEW; None: there is none."""

AskedForRenewal = Callable[[Neighbour, bytes, str, Answer], None]


def refuse_renewal(neighbour: Neighbour, certificate: bytes, request: str, answer: Answer) -> None:
    """For a router that issues nothing."""
    answer(control.Renewed("", "", "this router issues no certificates"))


class Renewals:
    """What was asked over one link, either way."""

    def __init__(
        self,
        timers: Timers,
        role: Role,
        send: Callable[[control.Message], None],
        *,
        asked: Callable[[str, Answer], None],
        due: Callable[[], None],
        misbehaved: Callable[[], None],
    ) -> None:
        """``asked``: an acceptor is, with the way back; ``due``: a dialler hears that what it holds
        is of the past; ``misbehaved``: the peer asks too often."""
        self._timers = timers
        self._role = role
        self._send = send
        self._asked = asked
        self._due = due
        self._misbehaved = misbehaved
        self._awaits: Answer | None = None
        self._timer: Timer | None = None
        self._may_ask = TokenBucket(limits.RENEWALS_BURST, 1 / limits.RENEWALS_EACH_S, timers.now())
        """Acceptor: how often the dialler may."""

    def receive(self, message: control.Renew | control.Renewed | control.RenewDue) -> None:
        """Raises RemoteProtocolError when the peer is not the one to say that."""
        is_of_dialler = isinstance(message, control.Renew)
        if is_of_dialler != (self._role == "acceptor"):
            raise RemoteProtocolError("bad-order", "renewal the wrong way round")
        if isinstance(message, control.Renewed):
            self._tell(message)  # One that is late tells nobody.
        elif isinstance(message, control.RenewDue):
            self._due()
        elif self._may_ask.take(self._timers.now()):
            self._asked(message.request, self._answer)
        else:
            self._misbehaved()
            self._answer(control.Renewed("", "", "asked too often"))

    def _answer(self, answer: control.Renewed | None) -> None:
        self._send(answer or control.Renewed("", "", "not now"))

    def ask(self, request: str, answered: Answer) -> bool:
        """Dialler: ask for another certificate. False: an answer is still awaited.

        ``answered`` hears the answer; with None, that there will be none.
        """
        if self._role != "dialler" or self._awaits is not None:
            return False
        self._awaits = answered
        self._timer = self._timers.call_at(
            self._timers.now() + limits.RENEW_ANSWER_S, lambda: self._tell(None)
        )
        self._send(control.Renew(request))
        return True

    def tell_due(self) -> bool:
        """Acceptor: what the neighbour holds of us is of the past. False: we are none."""
        if self._role != "acceptor":
            return False
        self._send(control.RenewDue())
        return True

    def stop(self) -> None:
        """The link ends: no answer comes."""
        self._tell(None)

    def _tell(self, message: control.Renewed | None) -> None:
        awaits, self._awaits = self._awaits, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if awaits is not None:
            awaits(message)
