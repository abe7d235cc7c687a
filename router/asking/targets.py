"""The targets that another site has for a service port; the router asks when an operator looks.

LSAs carry only counts. The site itself answers an OPEN with `ASKS_TARGETS`; it reaches no target.
The answer has names, figures and the reasons why targets are not ready, but no addresses.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Annotated

import msgspec

from router.asking.exchange import QuestionReply, QuestionSender
from router.asking.texts import without_addresses
from router.link.ports import ASKS_TARGETS, OfferedStream
from router.model import limits
from router.model.addresses import join
from router.model.ids import ServiceKey, SiteId
from router.model.messages import packed
from router.model.messages.adverts import RemoteCandidate
from router.net.ports import Network
from router.routing.table import RouteTable
from router.service.figures import TargetInfo

_Name = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9._:%-]{1,253}\Z")]
_Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]
_Error = Annotated[str, msgspec.Meta(pattern=r"\A[ -~]*\Z", max_length=limits.INQUIRY_ERROR_MAX)]
_Kind = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-z-]{0,32}\Z")]
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=limits.INQUIRY_STATE_S_MAX)]
_PerSecond = Annotated[float, msgspec.Meta(ge=0, le=limits.RATE_SUM_MAX)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class TargetRate(msgspec.Struct, frozen=True, array_like=True):
    """A target's configured and measured rate."""

    per_s: _PerSecond
    admitted_per_s: _PerSecond
    is_over: bool


class TargetAnswer(msgspec.Struct, frozen=True, array_like=True):
    """One target as its site reports it; displayed unchanged. ``name``: the target's own, which may
    be any host's, else its connector's.

    ``state_s``: for how long the target has been ready, or not ready; None: its connector is gone,
    or the router is an older one. ``error_kind``: as in `TargetInfo`; a newer router may send
    others.
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
    error_kind: _Kind = ""


class RouterTargets(msgspec.Struct, frozen=True):
    """The targets for one service port that one router of a site reports.

    ``shares_targets``: the other routers of its site have the same targets.
    """

    site: SiteId
    key: ServiceKey
    targets: tuple[TargetAnswer, ...]
    shares_targets: bool = False


OtherWorkersRequests = Callable[[ServiceKey], Mapping[str, int]]
"""Requests by target address."""


class Answers:
    """Answers questions about this site's targets; one answer serves all for
    `limits.INQUIRY_KEPT_S`.
    """

    __slots__ = ("_kept", "_now", "_requests_beside", "_targets_of")

    def __init__(
        self, now: Callable[[], float], targets_of: Callable[[ServiceKey], Sequence[TargetInfo]]
    ) -> None:
        self._now, self._targets_of = now, targets_of
        self._kept: dict[ServiceKey, tuple[float, bytes]] = {}
        self._requests_beside: OtherWorkersRequests = lambda _: {}

    def count_with(self, requests_beside: OtherWorkersRequests) -> None:
        """Add ``requests_beside`` to the requests of each target."""
        self._requests_beside = requests_beside

    def give(self, stream: OfferedStream, key: ServiceKey) -> None:
        """Answer at once."""
        stream.accept(0)
        stream.send(self._of(key))
        stream.finish()

    def _of(self, key: ServiceKey) -> bytes:
        now, kept = self._now(), self._kept.get(key)
        if kept is not None and now - kept[0] <= limits.INQUIRY_KEPT_S:
            return kept[1]
        targets = _with_requests(self._targets_of(key), self._requests_beside(key))
        made = packed.pack(public_targets(targets, now))
        # Do not cache empty answers: they may be for any made-up name.
        if targets:
            if key not in self._kept and len(self._kept) >= limits.INQUIRY_ANSWERS_KEPT_MAX:
                self._kept.clear()
            self._kept[key] = now, made
        return made


def _with_requests(
    targets: Sequence[TargetInfo], beside: Mapping[str, int]
) -> Sequence[TargetInfo]:
    if not beside:
        return targets
    more = [beside.get(join(one.host, one.port), 0) for one in targets]
    return [
        msgspec.structs.replace(one, requests_total=one.requests_total + count)
        for one, count in zip(targets, more, strict=True)
    ]


def public_targets(targets: Iterable[TargetInfo], now: float) -> tuple[TargetAnswer, ...]:
    """The public part of ``targets`` for other sites: a bounded number, and no addresses.

    Routers of one site with the same targets use the same order, whatever their history; targets
    that are leaving come last.
    """
    in_order = sorted(targets, key=lambda one: (one.leaving, one.name, one.host, one.port))
    return tuple(
        TargetAnswer(
            target.name,
            target.port,
            target.ready,
            target.in_flight,
            target.capacity,
            target.requests_total,
            without_addresses(target.error, target.host),
            None
            if target.leaving
            else min(max(0.0, now - target.since), limits.INQUIRY_STATE_S_MAX),
            None
            if target.rate is None
            else TargetRate(
                target.rate.per_s, round(target.rate.admitted_per_s, 3), target.rate.is_over
            ),
            target.error_kind,
        )
        for target in islice(in_order, limits.INQUIRY_TARGETS_MAX)
    )


def routers_to_ask(
    keys: Iterable[ServiceKey], table: RouteTable
) -> list[tuple[ServiceKey, RemoteCandidate]]:
    """The routers to ask: those with targets of ``keys``, except routers of this site that share
    ours.
    """
    return [
        (key, candidate)
        for key in keys
        for candidate in table.candidates.get(key, ())
        if not candidate.unused and (candidate.site != table.site or not candidate.shares_targets)
    ]


class TargetQuestions:
    """Asks other sites in parallel, for a bounded time."""

    def __init__(self, network: Network, sender: QuestionSender) -> None:
        self._network = network
        self._sender = sender

    def ask(
        self,
        candidates: Sequence[tuple[ServiceKey, RemoteCandidate]],
        done: Callable[[list[RouterTargets]], None],
    ) -> None:
        """Call ``done`` once, later, with the answers that came in time."""
        told: list[RouterTargets] = []
        left = len(candidates)
        if not candidates:
            self._network.at_turn_end(lambda: done(told))

        def answered(
            key: ServiceKey, candidate: RemoteCandidate, targets: tuple[TargetAnswer, ...]
        ) -> None:
            nonlocal left
            left -= 1
            told.append(RouterTargets(candidate.site, key, targets, candidate.shares_targets))
            if not left:
                self._network.at_turn_end(lambda: done(told))

        for key, candidate in candidates:
            self._sender.ask(
                candidate.paths[0],
                ASKS_TARGETS,
                lambda reply, key=key, one=candidate: answered(key, one, _read(reply)),  # type: ignore[misc]
                service=key.name,
                port=key.port,
            )


def _read(reply: QuestionReply) -> tuple[TargetAnswer, ...]:
    if reply.content is None:
        return ()
    try:
        return packed.read(reply.content, tuple[TargetAnswer, ...])
    except packed.Unreadable:
        # An unreadable answer counts as none.
        return ()
