"""Which targets another site has for a service port: asked of that site when an operator looks.

LSAs carry counts only. An OPEN with `ASKS_TARGETS` is answered by the site itself and reaches no
target; names, figures and why one is not ready travel, addresses do not.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated

import msgspec

from router.forward.figures import TargetInfo
from router.link.ports import (
    ASKS_TARGETS,
    OpenRequest,
    Refusal,
    ResetCode,
    Stream,
    StreamHandler,
    StreamOpener,
)
from router.model import limits
from router.model.adverts import RemoteCandidate
from router.model.ids import ServiceKey, SiteId
from router.net.ports import Network

_Name = Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9.-]{1,253}\Z")]
_Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]
_Error = Annotated[str, msgspec.Meta(pattern=r"\A[ -~]*\Z", max_length=limits.INQUIRY_ERROR_MAX)]
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=limits.INQUIRY_STATE_S_MAX)]
_PerSecond = Annotated[float, msgspec.Meta(ge=0, le=limits.RATE_SUM_MAX)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class TargetRate(msgspec.Struct, frozen=True, array_like=True):
    """How a target stands to its rate."""

    per_s: _PerSecond
    admitted_per_s: _PerSecond
    is_over: bool


class TargetAnswer(msgspec.Struct, frozen=True, array_like=True):
    """One target as its site tells of it, shown to people as it is. ``name``: its connector's.

    ``state_s``: for how long it has been ready, or has not been; None: an older router's answer.
    """

    name: _Name
    port: _Port
    ready: bool
    in_flight: _Count
    capacity: _Count | None
    requests_total: _Count
    error: _Error = ""
    state_s: _Seconds | None = None
    rate: TargetRate | None = None


class Told(msgspec.Struct, frozen=True):
    """What one site said of its targets for one service port."""

    site: SiteId
    key: ServiceKey
    targets: tuple[TargetAnswer, ...]


_ADDRESS = re.compile(
    r"\d{1,3}(\.\d{1,3}){3}|(([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}|[0-9a-f:]*::[0-9a-f:.]*)(%\w+)?",
    re.IGNORECASE,
)
_decode = msgspec.msgpack.Decoder(tuple[TargetAnswer, ...]).decode
Answered = Callable[[tuple[TargetAnswer, ...]], None]


class _Quiet:
    """A `StreamHandler` that has said all it had to say."""

    def accepted(self, in_flight: int) -> None:
        """Nothing waits for it."""

    def refused(self, reason: Refusal, in_flight: int) -> None:
        """Nothing waits for it."""

    def head(self, head: bytes, body_bytes: int, ended: bool) -> None:
        """No head belongs here."""

    def received(self, data: memoryview) -> None:
        """No question has a body."""

    def trailers(self, block: bytes) -> None:
        """No trailers belong here."""

    def ended(self, in_flight: int) -> None:
        """The other end has finished."""

    def writable(self) -> None:
        """Nothing waits for it."""

    def lost(self, cause: ResetCode | None) -> None:
        """Over."""


def without_addresses(error: str, host: str) -> str:
    """``error`` for people elsewhere: nothing in it is ``host``, or looks like an address."""
    text = re.sub(rf"(?<![\w.-]){re.escape(host)}(?![\w.-]*\w)", "\0", error)
    text = re.sub(r"\[?\0\]?(:\d+)?", "the target", _ADDRESS.sub("\0", text))
    return re.sub(r"[^ -~]+", " ", text)[: limits.INQUIRY_ERROR_MAX]


def answer(stream: Stream, targets: Iterable[TargetInfo], now: float) -> StreamHandler:
    """Tell who asked of ``targets``, a bounded number."""
    told = [
        TargetAnswer(
            target.name,
            target.port,
            target.ready,
            target.in_flight,
            target.capacity,
            target.requests_total,
            without_addresses(target.error, target.host),
            min(max(0.0, now - target.since), limits.INQUIRY_STATE_S_MAX),
            None
            if target.rate is None
            else TargetRate(
                target.rate.per_s, round(target.rate.admitted_per_s, 3), target.rate.is_over
            ),
        )
        for target in targets
    ]
    stream.accept(0)
    stream.send(msgspec.msgpack.encode(told[: limits.INQUIRY_TARGETS_MAX]))
    stream.finish()
    return _Quiet()


class _Question(_Quiet):
    """One question to one site. ``done`` hears the answer once; empty: there was none."""

    def __init__(self, done: Answered) -> None:
        self._done: Answered | None = done
        self._bytes = b""
        self.stream: Stream | None = None

    def received(self, data: memoryview) -> None:
        """Part of the answer."""
        self._bytes += data
        if len(self._bytes) > limits.INQUIRY_BYTES_MAX:
            self.give_up()

    def ended(self, in_flight: int) -> None:
        """The answer is whole."""
        try:
            targets = _decode(self._bytes)
        except (msgspec.MsgspecError, RecursionError):
            targets = ()  # A neighbour that talks nonsense has told us nothing.
        self._tell(targets)

    def lost(self, cause: ResetCode | None) -> None:
        """Refused, or broken off before the answer was whole."""
        self._tell(())

    def give_up(self) -> None:
        """Wait no longer."""
        if self._done is not None and self.stream is not None:
            self.stream.reset("cancelled")
        self._tell(())

    def _tell(self, targets: tuple[TargetAnswer, ...]) -> None:
        if self._done is not None:
            done, self._done = self._done, None
            done(targets)


class Inquiries:
    """Asks other sites, all at once and for a bounded time."""

    def __init__(self, network: Network, streams: StreamOpener, site: SiteId) -> None:
        self._network = network
        self._streams = streams
        self._site = site

    def ask(
        self,
        candidates: Sequence[tuple[ServiceKey, RemoteCandidate]],
        done: Callable[[list[Told]], None],
    ) -> None:
        """``done`` is called once, later, with what those said who answered in time."""
        told: list[Told] = []
        left = len(candidates)
        if not candidates:
            self._network.at_turn_end(lambda: done(told))

        def answered(key: ServiceKey, site: SiteId, targets: tuple[TargetAnswer, ...]) -> None:
            nonlocal left
            left -= 1
            told.append(Told(site, key, targets))
            if not left:
                self._network.at_turn_end(lambda: done(told))

        for key, candidate in candidates:
            self._ask_one(key, candidate, answered)

    def _ask_one(
        self,
        key: ServiceKey,
        candidate: RemoteCandidate,
        answered: Callable[[ServiceKey, SiteId, tuple[TargetAnswer, ...]], None],
    ) -> None:
        question = _Question(lambda targets: answered(key, candidate.site, targets))
        request = OpenRequest(
            path=candidate.paths[0],
            service=key.name,
            port=key.port,
            protocol="tcp",
            ingress=self._site,
            flags=ASKS_TARGETS,
        )
        question.stream = self._streams.open_stream(request, question)
        if question.stream is None:
            question.lost(None)
            return
        question.stream.finish()
        patience = self._network.now() + limits.INQUIRY_WAIT_S
        self._network.call_at(patience, question.give_up)
