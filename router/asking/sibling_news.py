"""Events, problems and notes of a router, for another router of the same site.

In a site with several routers, one of them (`kubernetes.leader`) writes the statuses and events
that people read outside the router. It asks the others for facts that only their clients and links
show. Routers of other sites get no answer.
"""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TypeVar

import msgspec

from router.asking.exchange import QuestionReply, QuestionSender
from router.asking.site_answer import SiteQuestion
from router.link.ports import ASKS_SITE
from router.model import limits
from router.model.events import Event, Note, Problem
from router.model.ids import RouterId
from router.model.messages import packed

ABOUT = "news"
RECENT = -1
"""Asks for the events of the last `limits.LEASE_S`: perhaps no other writer received them."""
NO_EVENTS = limits.COUNTER_MAX
"""Asks for problems and notes alone: another router writes the events."""

_Said = TypeVar("_Said", Event, Problem, Note)


class SiblingNews(msgspec.Struct, frozen=True, array_like=True):
    """``name``: the router's human-readable name. ``last``: the number of its newest event in this
    answer.
    """

    name: str
    last: int
    events: tuple[Event, ...] = ()
    problems: tuple[Problem, ...] = ()
    notes: tuple[Note, ...] = ()


def encoded(
    name: str,
    after: int,
    events: Iterable[tuple[int, Event]],
    problems: Iterable[Problem],
    notes: Iterable[Note],
) -> bytes:
    """The encoded answer. ``events``: those after number ``after``, oldest first; a bounded
    number."""
    some = list(islice(events, limits.SIBLING_NEWS_MAX))
    return packed.pack(
        SiblingNews(
            name,
            some[-1][0] if some else max(0, after),
            tuple(_cut(_in_words(event)) for _, event in some),
            tuple(map(_cut, islice(problems, limits.SIBLING_NEWS_MAX))),
            tuple(map(_cut, islice(notes, limits.SIBLING_NEWS_MAX))),
        )
    )


def ask(
    sender: QuestionSender, router: RouterId, after: int, done: Callable[[SiblingNews | None], None]
) -> None:
    """Call ``done`` once, perhaps before this call returns. None: no answer, or the router is too
    old.
    """

    def read(reply: QuestionReply) -> None:
        try:
            news = None if reply.content is None else packed.read(reply.content, SiblingNews)
        except packed.Unreadable:
            news = None
        done(news)

    question = packed.pack(SiteQuestion(ABOUT, after=after))
    most = limits.SITE_ANSWER_BYTES_MAX
    sender.ask((router,), ASKS_SITE, read, question=question, bytes_max=most)


def _in_words(event: Event) -> Event:
    """``event`` without its figures, which are unbounded; its message has the main ones."""
    return msgspec.structs.replace(
        event, changes=(), overflow=None, without_target=None, refused=None
    )


def _cut(said: _Said) -> _Said:
    most = limits.STATUS_TEXT_CHARS_MAX
    return msgspec.structs.replace(said, message=said.message[:most], hint=said.hint[:most])
