"""Messages between routers of one site while their shares of its capacity change."""

from typing import Annotated

import msgspec

from router.model import limits

_Member = Annotated[str, msgspec.Meta(min_length=1, max_length=253)]
_Counter = Annotated[int, msgspec.Meta(ge=0, le=limits.COUNTER_MAX)]
_Debt = tuple[
    Annotated[str, msgspec.Meta(min_length=1, max_length=limits.SHARE_NAME_CHARS_MAX)], _Counter
]


class SharesMessage(msgspec.Struct, frozen=True, array_like=True, tag="shares"):
    """How ``member``, in its ``life``, divides capacity (``division``); empty: it does not know
    yet.

    ``number`` grows with each message of a life, ``round`` with each change of its division.
    ``heard_life`` and ``heard_round``: the newest that the sender has heard from the receiver.
    ``debts``: by resource, the sender's requests in flight above its share. ``is_over``: in this
    life it has nothing in flight and admits nothing more.
    """

    member: _Member
    life: _Counter
    number: _Counter
    round: _Counter
    division: Annotated[str, msgspec.Meta(max_length=limits.SHARE_NAME_CHARS_MAX)]
    heard_life: _Counter
    heard_round: _Counter
    debts: Annotated[tuple[_Debt, ...], msgspec.Meta(max_length=limits.SHARE_DEBTS_MAX)] = ()
    is_over: bool = False
