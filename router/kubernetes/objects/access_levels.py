"""What a router may do with custom resources that other people's controllers also know."""

from collections.abc import Iterable
from enum import IntEnum

from router.kubernetes.objects.kinds import KINDS


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


def rules(kinds: Iterable[str]) -> list[dict[str, list[str]]]:
    """The rules of a Role that give `AccessLevel.FULL` on ``kinds``, one or two for each group."""
    by_group: dict[str, list[str]] = {}
    for kind in kinds:
        group, _, _ = KINDS[kind].api_version.rpartition("/")
        by_group.setdefault(group, []).append(KINDS[kind].plural)
    found = []
    for group, plurals in by_group.items():
        status = [f"{plural}/status" for plural in plurals]
        read, write = ["get", "list", "watch"], ["get", "update", "patch"]
        found.append({"apiGroups": [group], "resources": plurals, "verbs": read})
        found.append({"apiGroups": [group], "resources": status, "verbs": write})
    return found
