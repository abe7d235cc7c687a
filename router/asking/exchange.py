"""One question to one site: an OPEN along a source route, and the reply that came in time."""

from collections.abc import Callable

import msgspec

from router.asking.kinds import QUESTIONED_PORT, QUESTIONED_SERVICE
from router.link.ports import OpenRequest, Refusal, ResetCode, Stream, StreamOpener
from router.model import limits
from router.model.ids import RouterId, SiteId
from router.net.ports import Network, Timer


class QuestionReply(msgspec.Struct, frozen=True):
    """The result of a question. ``content`` None: no complete answer; ``refusal``: sent instead of
    one.

    ``rtt_s``: time until the answer or refusal began; None: nothing came. ``error``: why there is
    no answer, if no router refused the question.
    """

    content: bytes | None
    refusal: Refusal | None = None
    rtt_s: float | None = None
    error: str = ""


Replied = Callable[[QuestionReply], None]


class _Question:
    """A `StreamHandler`. Calls ``done`` once with the reply."""

    def __init__(self, now: Callable[[], float], bytes_max: int, done: Replied) -> None:
        self._now = now
        self._bytes_max = bytes_max
        self._done: Replied | None = done
        self._bytes = b""
        self._refusal: Refusal | None = None
        self._asked_at = now()
        self._rtt_s: float | None = None
        self.stream: Stream | None = None
        self.patience: Timer | None = None

    def accepted(self, in_flight: int) -> None:
        """The site starts its answer."""
        self._rtt_s = self._now() - self._asked_at

    def refused(self, reason: Refusal, in_flight: int) -> None:
        """The site, or a router before it, refuses the question."""
        self._rtt_s, self._refusal = self._now() - self._asked_at, reason

    def head(self, head: bytes, body_bytes: int, ended: bool) -> None:
        """Answers have no head; ignore one."""

    def received(self, data: memoryview) -> bool:
        """Add a part of the answer."""
        self._bytes += data
        if len(self._bytes) > self._bytes_max:
            self.give_up("its answer is too long")
        return True

    def trailers(self, block: bytes) -> None:
        """Answers have no trailers; ignore them."""

    def ended(self, in_flight: int) -> None:
        """The answer is complete."""
        self._tell(self._bytes)

    def answered(self, head: bytes, body_bytes: int, body: memoryview, in_flight: int) -> None:
        """Answers have no head: this one is unreadable."""
        self._tell(None, "its answer cannot be read")

    def writable(self) -> None:
        """Nothing to send: the OPEN contained the whole question."""

    def lost(self, cause: ResetCode | None) -> None:
        """The question was refused, or the stream broke before the answer was complete."""
        self._tell(None, "" if self._refusal else "it was lost with a link on the way")

    def give_up(self, error: str) -> None:
        """Stop waiting."""
        if self._done is not None and self.stream is not None:
            self.stream.reset("cancelled")
        self._tell(None, error)

    def _tell(self, content: bytes | None, error: str = "") -> None:
        if self._done is not None:
            done, self._done = self._done, None
            self._bytes = b""
            if self.patience is not None:
                self.patience.cancel()
            done(QuestionReply(content, self._refusal, self._rtt_s, error))


class QuestionSender:
    """Sends questions of ``site`` and waits for each answer for a bounded time."""

    __slots__ = ("_network", "_site", "_streams")

    def __init__(self, network: Network, streams: StreamOpener, site: SiteId) -> None:
        self._network = network
        self._streams = streams
        self._site = site

    def ask(
        self,
        path: tuple[RouterId, ...],
        flag: int,
        done: Replied,
        *,
        service: str = QUESTIONED_SERVICE,
        port: int = QUESTIONED_PORT,
        question: bytes = b"",
        bytes_max: int = limits.INQUIRY_BYTES_MAX,
    ) -> None:
        """Call ``done`` once: before this call returns if no link to the first router of ``path``
        takes new streams, else within `limits.INQUIRY_WAIT_S`."""
        asked = _Question(self._network.now, bytes_max, done)
        request = OpenRequest(
            path=path,
            service=service,
            port=port,
            protocol="tcp",
            ingress=self._site,
            flags=flag,
            head=question,
        )
        asked.stream = self._streams.open_stream(request, asked, ends=True)
        if asked.stream is None:
            asked.give_up("no link to it takes new streams now")
            return
        patience = self._network.now() + limits.INQUIRY_WAIT_S
        late = f"no answer within {limits.INQUIRY_WAIT_S:g} s"
        asked.patience = self._network.call_at(patience, lambda: asked.give_up(late))
