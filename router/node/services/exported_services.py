"""Which sites export which service, from the route table and this site's own declarations. Pure."""

from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from router.model.ids import SiteId
from router.model.messages.adverts import Declaration
from router.model.messages.exports import Exports, SiteExport
from router.routing.table import RouteTable


def gather(
    site: SiteId,
    own: Sequence[Declaration],
    declared: Mapping[str, Declaration],
    table: RouteTable,
    owners_of: Callable[[str], Collection[SiteId]],
) -> Exports:
    """The exports of each service in force, sorted by site. O(declarations).

    ``own``: declarations of this ``site``, which count before the table has them. A declaration
    that is only remembered, because its site is away, is treated as that of a site without id and
    name.
    """
    mine = {one.name: one for one in own if one.export is not None}
    found: dict[str, tuple[SiteExport, ...]] = {}
    for name, told in declared.items():
        entry = table.declarations.get(name)
        if entry is None and told.export is None:
            continue  # The usual case, for very many services.
        exports = {one.site: one for one in entry.exports} if entry is not None else {}
        exports.pop(site, None)
        here = mine.get(name)
        if here is not None:
            exports[site] = _export(site, here)
        elif entry is None:
            exports[SiteId("")] = _export(SiteId(""), told)
        if exports:
            owners = owners_of(name)
            found[name] = tuple(
                msgspec.structs.replace(
                    exports[one], site_name=_name(one, table), is_owner=one in owners
                )
                for one in sorted(exports)
            )
    return found


def _export(site: SiteId, told: Declaration) -> SiteExport:
    assert told.export is not None, "the caller checked"
    return SiteExport(site=site, terms=told.export, made_at_s=told.declared_at_s)


def _name(site: SiteId, table: RouteTable) -> str:
    known = table.sites.get(site)
    return known.name if known is not None else ""
