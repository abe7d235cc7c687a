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
    """The owner of a name, and the content of its last declaration (`routing.declared.content_of`).

    Several ``sites``, sorted: it is not known which of them declared the name first, and the
    nearest counts. ``grants``: those in the owner's last declaration, with known verbs only.
    ``versions``, one for each site or none: the declarations that established this owner. Anything
    a site signed before them does not affect the name.
    """

    sites: tuple[SiteId, ...]
    content: str
    grants: tuple[ServiceGrant, ...] = NONE
    versions: tuple[Version, ...] = ()

    @property
    def weight(self) -> int:
        """Its size against the limit: a grant counts as much as a name."""
        return len(self.sites) + len(self.grants)

    def version(self, site: SiteId) -> Version:
        """The version of ``site``'s declaration; `UNKNOWN`: any of its declarations counts."""
        return self.versions[self.sites.index(site)] if self.versions else UNKNOWN

    def only(self, sites: Collection[SiteId]) -> "Owner":
        """This owner without the sites that are not in ``sites``."""
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
    """The owners that count, given this router's ``ours`` and the ``shared`` ones of all routers.

    ``base``: the shared owners when ``ours`` began to differ. The shared owner of a name stays
    unless only this router changed it, or an operator chose ours (``adopted``): of two routers that
    learn of two owners, the first to write decides. O(names).
    """
    return {
        name: owner
        for name in shared.keys() | ours.keys()  # A name in neither has no owner.
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
    # Other routers changed it too. If they changed only the content, this router may change the
    # owners.
    is_ours = before is not None and there is not None and there.sites == before.sites
    is_changed = here is None or before is None or here.sites != before.sites
    return here if is_ours and is_changed else there
