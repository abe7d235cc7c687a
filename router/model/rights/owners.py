"""Owners of names as a site remembers them, and how the routers of one site agree."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from router.model.ids import SiteId
from router.model.rights.grants import NONE, ServiceGrant

Version = tuple[int, int]
"""(epoch, sequence) of routing data: the greater is the newer."""

UNKNOWN: Final[Version] = (0, 0)


class Owner(msgspec.Struct, frozen=True, array_like=True):
    """Who owns a name, and what was in force last (`routing.declared.content_of`).

    Several ``sites``, sorted: nobody can tell which of them declared it first, and the nearest
    counts. ``grants``: those that the owner gave, by its last word, with known verbs alone.
    ``versions``, one for each site or none: of the words by which it came to be so. What a site
    signed before that says nothing about the name.
    """

    sites: tuple[SiteId, ...]
    content: str
    grants: tuple[ServiceGrant, ...] = NONE
    versions: tuple[Version, ...] = ()

    @property
    def weight(self) -> int:
        """How much room it takes: a grant takes as much as a name."""
        return len(self.sites) + len(self.grants)

    def version(self, site: SiteId) -> Version:
        """Of the words of ``site``; `UNKNOWN`: all that it says counts."""
        return self.versions[self.sites.index(site)] if self.versions else UNKNOWN

    def only(self, sites: Collection[SiteId]) -> "Owner":
        """Without those that are not in ``sites``."""
        left = tuple(site for site in self.sites if site in sites)
        versions = tuple(map(self.version, left)) if self.versions else ()
        return Owner(left, self.content, self.grants, versions)

    def __post_init__(self) -> None:
        if self.versions and len(self.versions) != len(self.sites):
            raise ValueError("one version for each site, or none")


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
