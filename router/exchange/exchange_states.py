"""The states of an exchange and of an attempt at another site, and what may follow each."""

import enum
from collections.abc import Mapping
from typing import Final


class ExchangeState(enum.Enum):
    """Of the life of one request at one site."""

    CHOOSING = enum.auto()  # No attempt is under way: it is chosen, or waited for.
    ASKING = enum.auto()  # One is, and holds no target: no byte has reached one.
    HELD = enum.auto()  # It holds one: from here on a byte may have reached it.
    ANSWERING = enum.auto()  # The caller has a part of its answer: it is the last attempt.
    OVER = enum.auto()  # Counted once, and its caller hears no more.


# Bound once: reading a member of an Enum costs more than a call (CPython 3.11).
CHOOSING = ExchangeState.CHOOSING
ASKING = ExchangeState.ASKING
HELD = ExchangeState.HELD
ANSWERING = ExchangeState.ANSWERING
OVER = ExchangeState.OVER


class RemoteState(enum.Enum):
    """Of one attempt at another site."""

    NOT_BEGUN = enum.auto()  # There is no way to the site, unless it is asked in a moment.
    ASKED = enum.auto()  # The site takes it at once, or refuses.
    STANDING = enum.auto()  # Likewise, but it may wait there.
    HELD = enum.auto()  # The site has a target for it; of http no final head has come.
    ANSWERING = enum.auto()  # That has, and its body is to follow.
    RAW = enum.auto()  # Bytes both ways: tcp with a target, or after 101. None came yet.
    RAW_SERVED = enum.auto()  # Some came, so the site has served: its end says nothing of it.
    GIVEN_UP = enum.auto()  # By us: its end is to follow.
    OVER = enum.auto()  # Its exchange was told.


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
"""What may follow; from `HELD` back: a target did not process it, or the method may be repeated."""

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
