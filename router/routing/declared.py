"""Declarations of one name by several sites: the one that counts, and the differences. Pure.

`owners` decides whose declaration counts; this module applies it.
"""

import hashlib
from collections.abc import Sequence

import msgspec

from router.model.ids import RouterId, SiteId
from router.model.messages import packed
from router.model.messages.adverts import Declaration
from router.model.messages.exports import SiteExport
from router.model.rights.grants import NONE, REDECLARE, granted
from router.model.rights.grants import in_force as grants_in_force
from router.model.rights.owners import Owner

_CONTENT_BYTES = 8


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """The declaration that counts. ``conflicts``: sites that declare the name differently.

    ``rivals``: those of them that may own the name as well, heard together with the owner.
    ``alike``: other sites that declare it the same way. ``exports``: of all sites that export it.
    """

    declaration: Declaration
    site: SiteId
    reachable: bool
    conflicts: tuple[SiteId, ...]
    rivals: tuple[SiteId, ...] = ()
    alike: tuple[SiteId, ...] = ()
    exports: tuple[SiteExport, ...] = ()


class Claim(msgspec.Struct, frozen=True):
    """One of several declarations of a name. ``cost`` of the path there; None: not reached."""

    declaration: Declaration
    site: SiteId
    router: RouterId
    cost: int | None

    @property
    def reachable(self) -> bool:
        return self.cost is not None


def counting(claims: Sequence[Claim], own: SiteId, owner: Owner | None, unix: float) -> list[Claim]:
    """Those of ``claims`` on one name that count at site ``own``, the first before the others.

    A site's own always counts there. Otherwise the owner's; while the owner declares nothing, that
    of a site that it lets declare the name at ``unix`` seconds, else one equal to the owner's last.
    """
    if len(claims) == 1 and (owner is None or claims[0].site in owner.sites):
        return list(claims)  # The usual case, for very many names.
    found = [claim for claim in claims if claim.site == own]
    if not found and owner is not None:
        found = [claim for claim in claims if claim.site in owner.sites]
        heirs = () if found else granted(grants_in_force(owner.grants, unix), REDECLARE)
        found = found or [claim for claim in claims if claim.site in heirs]
        found = found or [c for c in claims if content_of(c.declaration) == owner.content]
    elif not found:
        found = list(claims)
    return in_order(found)


def in_order(claims: Sequence[Claim]) -> list[Claim]:
    """The nearest first, then the lowest site id. Dates are unproven claims, so they do not
    count."""
    return sorted(claims, key=_distance) if len(claims) > 1 else list(claims)


def in_force(claims: Sequence[Claim], first: Claim, owner: Owner | None) -> Declared:
    """Make the `Declared` value for ``first``, which counts among ``claims``."""
    if len(claims) == 1:  # The usual case, for very many names.
        return Declared(
            declaration=first.declaration,
            site=first.site,
            reachable=first.reachable,
            conflicts=(),
            exports=exports_of(claims),
        )
    alike = _alike(first.declaration)
    different = {claim.site for claim in claims if _alike(claim.declaration) != alike}
    same = {claim.site for claim in claims} - different - {first.site}
    owners = () if owner is None else owner.sites
    conflicts = tuple(sorted(different - {first.site}))
    return Declared(
        declaration=first.declaration,
        site=first.site,
        reachable=any(claim.reachable for claim in claims if claim.site == first.site),
        conflicts=conflicts,
        rivals=tuple(site for site in conflicts if {site, first.site} <= {*owners}),
        alike=tuple(sorted(same)),
        exports=exports_of(claims),
    )


def exports_of(claims: Sequence[Claim]) -> tuple[SiteExport, ...]:
    """The export of each site that has one, sorted by site."""
    if all(claim.declaration.export is None for claim in claims):
        return ()  # The usual case, for very many names.
    found = {
        claim.site: SiteExport(
            site=claim.site,
            terms=claim.declaration.export,
            made_at_s=claim.declaration.declared_at_s,
        )
        for claim in claims
        if claim.declaration.export is not None
    }
    return tuple(found[site] for site in sorted(found))


def content_of(declaration: Declaration) -> str:
    """A short digest of everything that two sites can disagree about."""
    encoded = packed.pack(_alike(declaration))
    return hashlib.blake2b(encoded, digest_size=_CONTENT_BYTES).hexdigest()


def differ(one: Declaration, other: Declaration) -> bool:
    """Whether the two declarations disagree."""
    return _alike(one) != _alike(other)


def _alike(declaration: Declaration) -> Declaration:
    return msgspec.structs.replace(
        declaration, declared_at_s=0.0, export_to=None, grants=NONE, export=None
    )


def _distance(claim: Claim) -> tuple[bool, int, SiteId, RouterId]:
    return claim.cost is None, claim.cost or 0, claim.site, claim.router
