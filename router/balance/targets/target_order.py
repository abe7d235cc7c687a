"""The order in which several ready targets of a site serve, and what may follow each."""

import enum
from collections.abc import Mapping
from typing import Final


class TargetOrder(enum.Enum):
    """The order of targets with room."""

    LEAST_LOADED = enum.auto()
    COLD_FIRST = enum.auto()  # Likewise, but those that answer fast come first: some are timed.
    IN_TURN = enum.auto()  # All alike (policy `spread`).


AFTER_ORDER: Final[Mapping[TargetOrder, frozenset[TargetOrder]]] = {
    TargetOrder.LEAST_LOADED: frozenset((TargetOrder.COLD_FIRST, TargetOrder.IN_TURN)),
    TargetOrder.COLD_FIRST: frozenset((TargetOrder.IN_TURN,)),
    TargetOrder.IN_TURN: frozenset((TargetOrder.LEAST_LOADED, TargetOrder.COLD_FIRST)),
}
