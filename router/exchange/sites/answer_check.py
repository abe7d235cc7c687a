"""Checks an answer that another site sends in parts."""

from router.exchange.exchange_states import RemoteState
from router.exchange.upload import LENGTH_NOT_KNOWN
from router.model import limits
from router.model.requests import Request

NO_BODY_STATUS = (204, 304)
SWITCHING_PROTOCOLS = 101


class AnswerCheck:
    """Checks that heads are canonical, and that the body is as long as the last of them
    declares.
    """

    __slots__ = ("_body_left", "_interim_bytes", "_request")

    def __init__(self, request: Request) -> None:
        self._request = request
        self._body_left = LENGTH_NOT_KNOWN
        self._interim_bytes = 0  # Of its heads before the last.

    def head(self, status: int | None, head_bytes: int, body_bytes: int) -> RemoteState | str:
        """The state after a head of ``status``, None: not canonical; or a description
        of the fault.
        """
        if status is None or body_bytes < LENGTH_NOT_KNOWN:
            return "response head is not canonical"
        if status == SWITCHING_PROTOCOLS:
            return RemoteState.RAW if self._request.upgrade else "101 without having asked for it"
        if status >= 200:
            bodiless = self._request.head_only or status in NO_BODY_STATUS
            self._body_left = 0 if bodiless else body_bytes
            return RemoteState.ANSWERING
        self._interim_bytes += head_bytes
        if self._interim_bytes > limits.INTERIM_BYTES_MAX:
            return "interim responses without end"
        return RemoteState.HELD

    def takes(self, size: int) -> bool:
        """``size`` more bytes of the body are within the length declared by its head."""
        if self._body_left == LENGTH_NOT_KNOWN:
            return True
        self._body_left -= size
        return self._body_left >= 0

    @property
    def may_end(self) -> bool:
        """The body is complete, or only its end delimits it."""
        return self._body_left <= 0
