"""Renewal of a dialer's certificate over its link: one session's part.

The dialer sends RENEW with a request for a new key, the acceptor answers RENEWED. One request is
pending at a time; an answer that does not come counts as lost. Issuing certificates and trusting
them is `trust`'s business.
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
    """The default for a router that issues no certificates."""
    answer(control.Renewed("", "", "this router issues no certificates"))


class Renewals:
    """The pending renewal of one link, at either end."""

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
        """``asked``: an acceptor got a request, with a callback for the answer. ``due``: a dialer
        holds an outdated certificate. ``misbehaved``: the peer asks too often."""
        self._timers = timers
        self._role = role
        self._send = send
        self._asked = asked
        self._due = due
        self._misbehaved = misbehaved
        self._awaits: Answer | None = None
        self._timer: Timer | None = None
        self._may_ask = TokenBucket(limits.RENEWALS_BURST, 1 / limits.RENEWALS_EACH_S, timers.now())
        """Acceptor: limits how often the dialer may ask."""

    def receive(self, message: control.Renew | control.Renewed | control.RenewDue) -> None:
        """Raises RemoteProtocolError when this end must not receive that message."""
        is_of_dialer = isinstance(message, control.Renew)
        if is_of_dialer != (self._role == "acceptor"):
            raise RemoteProtocolError("bad-order", "renewal the wrong way round")
        if isinstance(message, control.Renewed):
            self._tell(message)  # Ignored if it is late.
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
        """Dialer: ask for another certificate. False: an answer is still pending.

        ``answered`` gets the answer; None: there will be none.
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
        """Acceptor: report that the neighbor's certificate from us is outdated. False: we
        dialed."""
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
