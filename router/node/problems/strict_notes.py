"""Notes of a strict site: it shares nothing yet, or an owner has not granted an offer. Pure."""

from collections.abc import Collection, Iterator

from router.model.events import Note
from router.model.limits import UNAPPROVED_NOTES_MAX
from router.model.rights.grants import in_force
from router.model.rights.owners import Owner
from router.model.rights.sharing import SharingRules, name_any
from router.routing.sharing import counting_word
from router.routing.table import RouteTable


def strict_notes(
    given: SharingRules,
    rules: SharingRules,
    services: Collection[str],
    table: RouteTable,
    unix: float,
) -> list[Note]:
    """``given``: the rules as configured; ``rules``: the same by ids. ``services``: those that this
    site declares or serves. A bounded number of notes."""
    if not rules.strict:
        return []
    found = list(_unapproved(rules, table))
    if services and len(table.sites) > 1 and not _shares(given, unix):
        found.append(_shares_nothing(min(services), len(services)))
    return found


def _shares(given: SharingRules, unix: float) -> bool:
    """Whether an operator decided on sharing: by a grant that has not ended, or an export rule,
    even one that names no site."""
    return any(
        rule.export_to is not None or in_force(rule.grants, unix)
        for rule in given.services.values()
    )


def _shares_nothing(service: str, count: int) -> Note:
    what = f"its service {service}" if count == 1 else f"any of its {count} services"
    return Note(
        severity="warning",
        code="SW0350",
        message=f"This site is strict and does not share {what}: there is no export rule and "
        "no grant.",
        hint=f"sitectl service grant {service} --site SITE --call, or: sitectl service set '*' "
        "--export-to none, if no site should use them",
    )


def _unapproved(rules: SharingRules, table: RouteTable) -> Iterator[Note]:
    """Offers that a grant of the owner would approve; import rules leave out the others."""
    offers = {
        (key.name, one.site)
        for key, candidates in table.candidates.items()
        for one in candidates
        if one.barred and key.name in table.declarations
    }
    told = 0
    for service, site in sorted(offers):
        party, declared = table.party(site), table.declarations[service]
        if not name_any(rules.of(service).import_from, party):
            continue
        if told == UNAPPROVED_NOTES_MAX:
            return
        told += 1
        # An older neighbor sends an edge no owners: there the counting declaration decides.
        owner = table.owners.get(service, Owner((declared.site,), ""))
        owners = counting_word(table.site, owner, declared)[0] or (table.site,)
        named = ", ".join(table.party(one).shown for one in owners)
        where = "" if owners == (table.site,) else f"At {named}: "
        yield Note(
            severity="info",
            code="SW0351",
            message=f"Site {party.shown} offers {service}, and this strict site does not use the "
            f"offer: {named} owns {service} and has not granted it.",
            hint=f"{where}sitectl service grant {service} --site {party.shown} --offer",
        )
