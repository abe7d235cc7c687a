"""The states of an exchange and of an attempt at another site, and what may follow each."""

import enum
from collections.abc import Mapping
from typing import Final


class ExchangeState(enum.Enum):
    """The life of one request at one site."""

    CHOOSING = enum.auto()  # No attempt is under way: it is chosen, or waited for.
    ASKING = enum.auto()  # An attempt is under way and holds no target: no byte has reached one.
    HELD = enum.auto()  # The attempt holds a target: a byte may have reached it.
    ANSWERING = enum.auto()  # The caller has a part of its answer: it is the last attempt.
    OVER = enum.auto()  # Counted once; its caller gets no more calls.


# Bound once: reading a member of an Enum costs more than a call (CPython 3.11).
CHOOSING = ExchangeState.CHOOSING
ASKING = ExchangeState.ASKING
HELD = ExchangeState.HELD
ANSWERING = ExchangeState.ANSWERING
OVER = ExchangeState.OVER


class RemoteState(enum.Enum):
    """The state of one attempt at another site."""

    NOT_BEGUN = enum.auto()  # There is no way to the site, unless it is asked in a moment.
    ASKED = enum.auto()  # The site takes it at once, or refuses.
    STANDING = enum.auto()  # Likewise, but it may wait there.
    HELD = enum.auto()  # The site has a target for it; with http no final head has come.
    ANSWERING = enum.auto()  # The final head has come, and its body will follow.
    RAW = enum.auto()  # Bytes both ways: tcp with a target, or after 101. None came yet.
    RAW_SERVED = enum.auto()  # Some came, so the site has served: its end does not matter.
    GIVEN_UP = enum.auto()  # By this router: its end will follow.
    OVER = enum.auto()  # Its exchange was notified.


_Exchange, _Remote = ExchangeState, RemoteState

AFTER: Final[Mapping[ExchangeState, frozenset[ExchangeState]]] = {
    _Exchange.CHOOSING: frozenset((_Exchange.ASKING, _Exchange.OVER)),
    _Exchange.ASKING: frozenset((_Exchange.CHOOSING, _Exchange.HELD, _Exchange.OVER)),
    _Exchange.HELD: frozenset(
        (_Exchange.CHOOSING, _Exchange.ASKING, _Exchange.ANSWERING, _Exchange.OVER)
    ),
    _Exchange.ANSWERING: frozenset((_Exchange.OVER,)),
    _Exchange.OVER: frozenset(),
}
"""Allowed successors; `HELD` goes back if no target processed it, or its method is repeatable."""

AFTER_REMOTE: Final[Mapping[RemoteState, frozenset[RemoteState]]] = {
    _Remote.NOT_BEGUN: frozenset((_Remote.ASKED, _Remote.STANDING)),
    _Remote.ASKED: frozenset((_Remote.HELD, _Remote.RAW, _Remote.GIVEN_UP, _Remote.OVER)),
    _Remote.STANDING: frozenset((_Remote.HELD, _Remote.RAW, _Remote.GIVEN_UP, _Remote.OVER)),
    _Remote.HELD: frozenset((_Remote.ANSWERING, _Remote.RAW, _Remote.GIVEN_UP, _Remote.OVER)),
    _Remote.ANSWERING: frozenset((_Remote.GIVEN_UP, _Remote.OVER)),
    _Remote.RAW: frozenset((_Remote.RAW_SERVED, _Remote.GIVEN_UP, _Remote.OVER)),
    _Remote.RAW_SERVED: frozenset((_Remote.GIVEN_UP, _Remote.OVER)),
    _Remote.GIVEN_UP: frozenset((_Remote.OVER,)),
    _Remote.OVER: frozenset(),
}
