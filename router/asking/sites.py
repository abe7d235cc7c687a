"""Asks other sites about themselves; the same question within a short time gets the cached
answer."""

from collections.abc import Callable

import msgspec

from router.asking.exchange import QuestionReply, QuestionSender
from router.asking.site_answer import SiteQuestion
from router.link.ports import ASKS_SITE, Refusal
from router.model import limits
from router.model.ids import SiteId
from router.model.messages.packed import pack
from router.model.paths import Path

_Key = tuple[SiteId, SiteQuestion]


class SiteReply(msgspec.Struct, frozen=True):
    """A site's undecoded answer. ``content`` None: there was none, and ``error`` says why.

    ``at``: when it came, on the network's clock.
    """

    content: bytes | None
    error: str
    at: float


Replied = Callable[[SiteReply], None]


class SiteQuestions:
    """Caches answers for `limits.SITE_KEPT_S`; the number of parallel questions is bounded."""

    __slots__ = ("_kept", "_now", "_sender", "_waiting")

    def __init__(self, sender: QuestionSender, now: Callable[[], float]) -> None:
        self._sender = sender
        self._now = now
        self._kept: dict[_Key, SiteReply] = {}
        self._waiting: dict[_Key, list[Replied]] = {}

    def ask(self, site: SiteId, path: Path, question: SiteQuestion, done: Replied) -> bool:
        """Call ``done`` once, perhaps before this call returns. False: too many questions are open,
        and ``done`` is not called."""
        key, now = (site, question), self._now()
        kept = self._kept.get(key)
        if kept is not None and now - kept.at <= limits.SITE_KEPT_S:
            done(kept)
            return True
        if key in self._waiting:
            self._waiting[key].append(done)
            return True
        if len(self._waiting) >= limits.SITE_QUESTIONS_AT_ONCE_MAX:
            return False
        self._waiting[key] = [done]
        self._sender.ask(
            path,
            ASKS_SITE,
            lambda reply: self._take(key, reply),
            question=pack(question),
            bytes_max=limits.SITE_ANSWER_BYTES_MAX,
        )
        return True

    def _take(self, key: _Key, reply: QuestionReply) -> None:
        now = self._now()
        error = reply.error if reply.refusal is None else _REFUSED[reply.refusal]
        told = SiteReply(reply.content, error, now)
        for old in [one for one, kept in self._kept.items() if now - kept.at > limits.SITE_KEPT_S]:
            del self._kept[old]
        if len(self._kept) < limits.SITE_ANSWERS_KEPT_MAX:
            self._kept[key] = told
        for done in self._waiting.pop(key):
            done(told)


_REFUSED: dict[Refusal, str] = {
    "busy": "it answers as many questions as it can",
    "connect-failed": "refused",
    "draining": "it is stopping",
    "no-route": "a router on the way has no link on",
    "no-target": "its router is of an older release, which reports nothing of itself",
    "not-allowed": "it does not tell this site of itself",
}
