"""What a router may do with custom resources that other people's controllers also know."""

from collections.abc import Iterable
from enum import IntEnum


class AccessLevel(IntEnum):
    """Rights on one kind, or the least of several kinds.

    ``ABSENT``: the cluster does not serve the kind. ``NONE``: it may not be read. ``READ``: what
    the objects ask for works, but their status cannot be written. ``FULL``: both.
    """

    ABSENT = 0
    NONE = 1
    READ = 2
    FULL = 3

    @property
    def letter(self) -> str:
        """``A``, ``B`` or ``C`` as the documentation names levels; empty: the kind is absent."""
        return {AccessLevel.FULL: "A", AccessLevel.READ: "B", AccessLevel.NONE: "C"}.get(self, "")


def least(levels: Iterable[AccessLevel]) -> AccessLevel:
    """The level of several kinds together; kinds that the cluster does not serve do not count."""
    served = [level for level in levels if level is not AccessLevel.ABSENT]
    return min(served, default=AccessLevel.ABSENT)
