"""Who owns a name, as a site remembers it, and how the routers of one site agree on it."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from router.model.grants import NONE, Grant
from router.model.ids import SiteId


class Owner(msgspec.Struct, frozen=True, array_like=True):
    """Who owns a name, and what was in force last (`routing.declared.content_of`).

    Several ``sites``, sorted: nobody can tell which of them declared it first, and the nearest
    counts. ``grants``: those that the owner gave, by its last word, with known verbs alone.
    """

    sites: tuple[SiteId, ...]
    content: str
    grants: tuple[Grant, ...] = NONE

    @property
    def weight(self) -> int:
        """How much room it takes: a grant takes as much as a name."""
        return len(self.sites) + len(self.grants)


NOBODY: Final[Mapping[str, Owner]] = MappingProxyType({})


def agreed(
    base: Mapping[str, Owner],
    ours: Mapping[str, Owner],
    shared: Mapping[str, Owner],
    adopted: Collection[str] = (),
) -> dict[str, Owner]:
    """The owners that count, where a router knows ``ours`` and all routers have ``shared``.

    ``base``: what was shared when ``ours`` began to differ from it. The shared owner of a name
    stays unless this router changed exactly that one, or an operator chose ours (``adopted``): of
    two routers that hear of two owners, the first to write decides. O(names).
    """
    return {
        name: owner
        for name in shared.keys() | ours.keys()  # What is in neither has no owner.
        if (owner := _agreed(name, base, ours, shared, adopted)) is not None
    }


def _agreed(
    name: str,
    base: Mapping[str, Owner],
    ours: Mapping[str, Owner],
    shared: Mapping[str, Owner],
    adopted: Collection[str],
) -> Owner | None:
    before, here, there = base.get(name), ours.get(name), shared.get(name)
    if name in adopted or there == before:
        return here
    # Other routers changed it too. If they changed only the content, the owners are ours to change.
    is_ours = before is not None and there is not None and there.sites == before.sites
    is_changed = here is None or before is None or here.sites != before.sites
    return here if is_ours and is_changed else there
