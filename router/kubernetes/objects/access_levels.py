"""A router's access to custom resources that foreign controllers also handle."""

from collections.abc import Iterable
from enum import IntEnum


class AccessLevel(IntEnum):
    """Permissions on one kind, or the least of several kinds.

    ``ABSENT``: the cluster does not serve the kind. ``NONE``: it may not be read. ``READ``: the
    objects take effect, but their status cannot be written. ``FULL``: both.
    """

    ABSENT = 0
    NONE = 1
    READ = 2
    FULL = 3

    @property
    def letter(self) -> str:
        """The level in the documentation, ``A``, ``B`` or ``C``; empty: the kind is absent."""
        return {AccessLevel.FULL: "A", AccessLevel.READ: "B", AccessLevel.NONE: "C"}.get(self, "")


def least(levels: Iterable[AccessLevel]) -> AccessLevel:
    """The level of several kinds together; kinds that the cluster does not serve do not count."""
    served = [level for level in levels if level is not AccessLevel.ABSENT]
    return min(served, default=AccessLevel.ABSENT)
