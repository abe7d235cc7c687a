"""Messages that one end of a link refused: neither a client nor a target is at fault.

Both ends judge by the same grammar, so a refusal means that one of the two routers is wrong: its
release, its Python or its intentions.
"""

from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from router.model import limits
from router.model.ids import ServiceKey, SiteId
from router.service.ports import LegCode

Refusal = Literal["request-refused-here", "request-refused-there", "response-refused-here"]
"""Which end refused which message. ``there``: the other site refused a request as this site sent
it.
"""

BY_FAILURE: dict[LegCode, Refusal] = {
    "bad-head": "request-refused-there",
    "bad-message": "request-refused-there",
    "bad-answer": "response-refused-here",
}
"""The refusal that follows from the failure of a leg to another site."""


class RefusedMessage(msgspec.Struct, frozen=True):
    """``site`` is the other end; for a request refused here, the neighbor that sent it.

    ``claimed``: the ingress that the last such request named. It proves nothing; empty: none.
    """

    refusal: Refusal
    service: ServiceKey
    site: SiteId
    claimed: SiteId | Literal[""] = ""


def _nobody(message: RefusedMessage) -> None:
    pass


class RefusedMessages:
    """Counts refused messages, and reports each kind now and then to ``tell``."""

    __slots__ = ("_claimed", "_counts", "_now", "_seen_at", "_told_at", "tell")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._seen_at: dict[RefusedMessage, float] = {}  # Without claims, longest ago first.
        self._claimed: dict[RefusedMessage, SiteId | Literal[""]] = {}
        self._told_at: dict[RefusedMessage, float] = {}
        self._counts: dict[ServiceKey, dict[Refusal, int]] = {}
        self.tell: Callable[[RefusedMessage], None] = _nobody
        """Called for the first of a kind, then at most once in `REFUSED_STREAMS_TOLD_S`."""

    def note(
        self,
        refusal: Refusal,
        service: ServiceKey,
        site: SiteId,
        claimed: SiteId | Literal[""] = "",
    ) -> None:
        """One message of ``service`` was refused, which came from or went to ``site``."""
        counts = self._counts.setdefault(service, {})
        counts[refusal] = counts.get(refusal, 0) + 1
        kind, now = RefusedMessage(refusal, service, site), self._now()
        self._seen_at.pop(kind, None)
        if len(self._seen_at) >= limits.REFUSED_MESSAGES_KEPT_MAX:
            oldest = next(iter(self._seen_at))
            del self._seen_at[oldest], self._claimed[oldest]
            self._told_at.pop(oldest, None)
        self._seen_at[kind], self._claimed[kind] = now, claimed
        if now - self._told_at.get(kind, float("-inf")) >= limits.REFUSED_STREAMS_TOLD_S:
            self._told_at[kind] = now
            self.tell(self._with_claim(kind))

    def counts(self, service: ServiceKey) -> Mapping[Refusal, int]:
        """Messages of ``service`` that were refused since the start."""
        return self._counts.get(service, {})

    def recent(self) -> list[RefusedMessage]:
        """Each kind that was seen in the last `REFUSED_MESSAGES_SHOWN_S`."""
        since = self._now() - limits.REFUSED_MESSAGES_SHOWN_S
        return [
            self._with_claim(kind) for kind, seen_at in self._seen_at.items() if seen_at > since
        ]

    def forget_service(self, service: ServiceKey) -> None:
        """``service`` is gone here: its counts go with it."""
        self._counts.pop(service, None)

    def _with_claim(self, kind: RefusedMessage) -> RefusedMessage:
        return msgspec.structs.replace(kind, claimed=self._claimed[kind])
