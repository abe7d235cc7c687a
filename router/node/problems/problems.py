"""Present problems that need a person, in the words of `status`. Pure."""

from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence

import msgspec

from router.model import limits
from router.model.errors import ConfigError
from router.model.events import Note, Problem
from router.model.ids import SiteId
from router.model.rights.sharing import ALL, SHORT_ID_CHARS, SharingRules
from router.model.specs import ServiceSpec
from router.model.wording.file_trouble import next_step
from router.model.wording.plural import counted
from router.node.services import refused_declarations
from router.node.services.plan import Undeclared
from router.routing.table import RouteTable

COPY_HINT = (
    "Stop one of the two; if both should stay, give one a new identity: sitectl delete, then "
    "sitectl init"
)
_NEIGHBORS_COPY_HINT = (
    "Stop one of the two. If both should stay, give one a new identity. There: sitectl delete, "
    "then sitectl init"
)
WEIGHTS_SHOWN = 5  # Sites named in one sentence.
DOCUMENTS_NAMED = 3  # In one sentence.


class KnownSites(msgspec.Struct, frozen=True):
    """The sites that this one knows: ``name_of`` each, and which were ``deleted``.

    ``all_links_up``: every link of this site is up, and there are some. ``similar``: the declared
    service whose name is most like another name; empty: none is. ``ports_collide``: two services
    with one port cannot both have it here: this site is no namespace.
    """

    table: RouteTable
    name_of: Callable[[SiteId], str]
    deleted: Container[SiteId]
    all_links_up: bool
    similar: Callable[[str], str]
    ports_collide: bool = True

    def successor(self, one: Undeclared) -> tuple[str, int] | None:
        """A declared service with a port that the service of ``one`` had, and that port: the
        service may have been renamed, and cannot be declared again as it was."""
        if not self.ports_collide:
            return None
        declared = self.table.declarations.items()
        return next(
            (
                (name, port)
                for port in one.ports
                for name, each in declared
                if port in each.declaration.spec.ports
            ),
            None,
        )


def of_config(errors: list[ConfigError]) -> tuple[Problem, ...]:
    """Errors of the configuration, each with its place; only errors degrade a site."""
    return tuple(
        Problem(code=error.code, message=error.message, hint=error.hint)
        for error in errors
        if error.severity == "error"
    )


def notes_of_config(errors: Iterable[ConfigError]) -> tuple[Note, ...]:
    """The remaining findings: warnings first, then information, a bounded number."""
    found = [error for error in errors if error.severity != "error"]
    found.sort(key=lambda error: error.severity != "warning")
    return tuple(
        Note(severity=one.severity, code=one.code, message=one.message, hint=one.hint)
        for one in found[: limits.STATUS_NOTES_MAX]
    )


def of_router(link_listener_error: str, conflict: str, untold: str) -> list[Problem]:
    """Each argument is a sentence, or empty if there is no problem."""
    found = []
    if link_listener_error:
        hint = "Free the port, or change bindPort in the site's config/site-NAME.yaml"
        found.append(Problem(code="SW0201", message=link_listener_error, hint=hint))
    if conflict:
        found.append(Problem(code="SW0401", message=conflict, hint=COPY_HINT))
    if untold:
        hint = "Remove services that are not used: sitectl service status"
        found.append(Problem(code="SW0305", message=untold, hint=hint))
    return found


def of_copies(kept_out: Iterable[str]) -> list[Problem]:
    """Neighbors that run twice with one identity, a sentence each."""
    return [Problem(code="SW0665", message=text, hint=_NEIGHBORS_COPY_HINT) for text in kept_out]


def of_flapping(
    held: Mapping[str, float], held_by: Iterable[str], utc: Callable[[float], str]
) -> list[Problem]:
    """Neighbors whose link went down too often, with the time at which it counts again; and
    neighbors in ``held_by`` that hold their link to this site back for that reason."""
    why = "See why it goes down: sitectl events"
    here = [
        (
            f"The link with {name} went down too often: nothing is sent over it before "
            f"{utc(until) or 'it has stayed up'}.",
            why,
        )
        for name, until in sorted(held.items())
    ]
    there = [
        (
            f"The link with {name} is up, but {name} holds it back, since it went down too often: "
            "nothing is sent over it before it has stayed up.",
            f"At {name}, sitectl status says until when. {why}",
        )
        for name in sorted(held_by)
    ]
    return [Problem(code="SW0673", message=message, hint=hint) for message, hint in (*here, *there)]


def of_room(
    without_room: Iterable[str], full: Iterable[str], token: str, count: int
) -> list[Problem]:
    """Links that are up but unused, since a router has no room for more neighbors: sites
    ``without_room`` here, and ``full`` ones without room for this site. ``token`` let in ``count``
    neighbors, the most of any token; empty: none let in several."""
    most = f"a router has at most {limits.ADJACENCIES_MAX} neighbors"
    delete = "delete a link that is not needed"
    crowd = f". Token {token} let in {count} of them: sitectl link access" if token else ""
    here = [
        (
            f"The link with {name} is up, but this router has no room for it: {most}. Nothing is "
            "sent over it.",
            f"Here, {delete}: this one is used then{crowd}",
        )
        for name in sorted(without_room)
    ]
    there = [
        (
            f"The link with {name} is up, but {name} has no room for it: {most}. Nothing is sent "
            "over it.",
            f"At {name}, {delete}: this one is used then. Or link this site to another one",
        )
        for name in sorted(full)
    ]
    return [Problem(code="SW0694", message=message, hint=hint) for message, hint in (*here, *there)]


def of_disk(state: str, log: str) -> list[Problem]:
    """Files that cannot be written, and why; empty: they can."""
    found = []
    if state:
        found.append(
            Problem(
                code="SW0662",
                message=f"What this router must remember cannot be written: {state}. It serves, "
                "and would start again with what it knew before.",
                hint=next_step(
                    state,
                    "Free space on that disk and look at its permissions: df -h, df -i, ls -ld",
                ),
            )
        )
    if log:
        found.append(
            Problem(
                code="SW0663",
                message=f"Lines of the log are lost: {log}.",
                hint=next_step(
                    log, "Free space on that disk and look at its permissions; see sitectl events"
                ),
            )
        )
    return found


def of_undeclared(
    found: Sequence[tuple[Undeclared, Sequence[SiteId]]],
    known: KnownSites,
    given: SharingRules,
) -> list[Problem]:
    """One problem for each document, with the other sites that own the name, or that declared it
    last and were deleted.

    A site that is away declares the service once it is back; a site that is there may let this one
    in, or be let in. ``given``: the rules of this site. No problem if a site declares the service
    and another one owns its name: `name_ownership` has a separate problem for that. Connectors of
    one service, one for each target, make one problem.
    """
    connectors: dict[str, list[str]] = {}
    for one, _ in found:
        if one.kind == "Connector":
            connectors.setdefault(one.service, []).append(one.name)
    problems, table = [], known.table
    for one, owners in found:
        alike = connectors[one.service] if one.kind == "Connector" else [one.name]
        if one.name != alike[0]:
            continue
        if one.service in table.refused:
            problems.append(_refused(one, alike, table, given))
        elif one.service not in table.idle:
            problems.append(_undeclared(one, alike, owners, known))
    return problems


def _labelled(kind: str, names: Sequence[str]) -> str:
    """``Connectors a, b, c and 2 more``."""
    shown = ", ".join(names[:DOCUMENTS_NAMED])
    more = f" and {len(names) - DOCUMENTS_NAMED} more" if len(names) > DOCUMENTS_NAMED else ""
    return f"{kind}{'s' if len(names) > 1 else ''} {shown}{more}"


def _refused(
    one: Undeclared, alike: Sequence[str], table: RouteTable, given: SharingRules
) -> Problem:
    """A rule of this site is the reason why no declaration counts."""
    return Problem(
        code="SW0313" if one.kind == "Policy" else "SW0301",
        message=f"{_labelled(one.kind, alike)} {'has' if len(alike) == 1 else 'have'} no effect: "
        f"{refused_declarations.why_refused(table, one.service)}.",
        hint=refused_declarations.let_in(table, given, one.service),
    )


def of_unknown(
    service: str, owners: Sequence[SiteId], known: KnownSites, creation: str, since: str
) -> Problem | None:
    """Why ``service`` is not known here any more; None: no other site is known to have declared it.

    ``owners``: as for `of_undeclared`. ``creation``: the command that declares it. ``since``: the
    time since which it is not known; empty: that is not known either.
    """
    if not owners and not known.table.barred.get(service):
        return None
    why, hint = _gone(service, owners, known, creation)
    start = f"No site declares the service {service}."
    if since and _may_be_hidden(service, owners, known):
        start = f"Service {service} has not been known here since {since}."
    return Problem(code="SW0301", message=f"{start}{why}", hint=hint)


def _may_be_hidden(service: str, owners: Sequence[SiteId], known: KnownSites) -> bool:
    """Whether the sites that declared it last are there: they may still declare it, for others."""
    is_lost = known.table.barred.get(service) or _away(owners, known)
    return bool(owners) and not is_lost and not any(site in known.deleted for site in owners)


def _undeclared(
    one: Undeclared, alike: Sequence[str], owners: Sequence[SiteId], known: KnownSites
) -> Problem:
    successor = None if _away(owners, known) else known.successor(one)
    hint, code = creation_of(one, known), "SW0301"
    if one.kind == "Policy":
        code, undo = "SW0313", f"sitectl service set {one.service} {one.flags}"
        hint = f"{hint}, or: {undo}"
    is_new = not (one.ports or owners or known.table.barred.get(one.service))
    meant, taken = "", ""
    if successor is not None:
        meant, port = successor
        taken = f" {meant} has its port {port} now."
    elif is_new:
        meant = known.similar(one.service)
    if meant:
        hint = f"{_renaming(one, alike, meant)}. If not: {hint}"
    why, hint = _gone(one.service, owners, known, hint)
    none = f"no site declares the service {one.service}"
    if _may_be_hidden(one.service, owners, known):
        none = f"the service {one.service} is not known here any more"
    message = f"{_labelled(one.kind, alike)}: {none}.{why}{taken}"
    return Problem(code=code, message=message, hint=hint)


def creation_of(one: Undeclared, known: KnownSites) -> str:
    """The command that declares the service of ``one``, as it was unless another one has its
    port."""
    return (msgspec.structs.replace(one, ports=()) if known.successor(one) else one).creation


def _renaming(one: Undeclared, alike: Sequence[str], meant: str) -> str:
    """Documents that may have meant ``meant``, a declared service, and how to correct them."""
    correct = f"Did you mean {meant}? Correct {_labelled(one.kind.lower(), alike)}"
    if one.kind == "Policy":
        return correct
    targets = one.targets if one.targets and len(alike) == 1 else "…"
    places = targets.partition(" --")[0]
    return (
        f"{correct}, or: sitectl service bind {meant} {targets}; "
        f"sitectl service unbind {one.service} {places}"
    )


def _away(owners: Sequence[SiteId], known: KnownSites) -> list[SiteId]:
    """The ``owners`` that are out of reach, and not deleted: each may declare the service still."""
    sites = known.table.sites
    return [
        site
        for site in owners
        if site not in known.deleted and (site not in sites or not sites[site].reachable)
    ]


def _gone(service: str, owners: Sequence[SiteId], known: KnownSites, hint: str) -> tuple[str, str]:
    """A sentence, after another one, about the sites that declared ``service`` last, and the next
    step. ``hint``: the step if there are none."""
    table, why = known.table, ""

    def name_of(site: SiteId) -> str:
        """With its id if another site, which is reached, has its name by now."""
        return table.name_of(site, known.name_of(site))

    barred = table.barred.get(service, ())
    gone = [site for site in owners if site in known.deleted]
    away = _away(owners, known)
    if barred:
        names, verb = ", ".join(map(name_of, barred)), "is" if len(barred) == 1 else "are"
        barring = {row.by for row in table.bars if row.site in barred} or {table.site}
        by = ", ".join(sorted(map(name_of, barring)))
        why = f" {names}, which declared it last, {verb} barred by {by}."
        hint = f"To let {names} in again, at {by}: sitectl token create FILE. Else: {hint}"
    elif away:
        unmet = [site for site in away if name_of(site) == site]
        names = ", ".join(f"site {s[:SHORT_ID_CHARS]}" if s in unmet else name_of(s) for s in away)
        verb = "is" if len(away) == 1 else "are"
        begin = "S" if away[0] in unmet else names[0]
        why = f" {begin}{names[1:]}, which declared it last, {verb} not reached."
        if unmet:
            why += " This router knows no name of a site that it has not met since its start."
        see = "link status"
        if known.all_links_up:  # The break is between other sites.
            met = next((name_of(site) for site in away if site not in unmet), None)
            see = "network status" if met is None else f"ping {met}"
        hint = f"The service is back once {names} {verb}. See: sitectl {see}"
    elif gone:
        names, verb = ", ".join(map(name_of, gone)), "was" if len(gone) == 1 else "were"
        why = f" {names}, which declared it last, {verb} deleted."
    elif owners:
        names = ", ".join(map(name_of, owners))
        why = f" {names} declared it last, and does not now, or not for this site."
        hint = f"See who may use what: sitectl access. If {names} gave it up: {hint}"
    return why, hint


def of_edge(left_out: int) -> list[Problem]:
    """Services that an edge uses and that have no room in its table."""
    if not left_out:
        return []
    find, they_have = ("finds", "it has") if left_out == 1 else ("find", "they have")
    return [
        Problem(
            code="SW0310",
            message=f"{counted(left_out, 'service')} {find} no room in the table of this edge "
            f"router ({limits.EDGE_ROWS_MAX} rows): {they_have} no other site here.",
            hint="Turn service sync off and name the services that are used here, or make this "
            "site's router an interior one: routerMode: interior",
        )
    ]


def of_weights(
    services: Mapping[str, ServiceSpec], table: RouteTable, *, knows_all: bool = True
) -> list[Problem]:
    """Weights of services declared here for names that no site has, or more than one.

    ``knows_all``: a site missing in ``table`` does not exist; an edge knows only sites that it
    uses.
    """
    names = {site.name for site in table.sites.values()}
    claimed = {name.partition("@")[0] for name in names if "@" in name}
    found = []
    for service, spec in sorted(services.items()):
        lost = spec.policy.weights.keys() - names
        if shown := sorted(lost if knows_all else lost & claimed):
            found.append(_no_such_sites(service, shown, claimed))
    return found


def _no_such_sites(service: str, lost: Sequence[str], claimed: Collection[str]) -> Problem:
    shown = ", ".join(
        f"{name} (claimed by two sites)" if name in claimed else name
        for name in lost[:WEIGHTS_SHOWN]
    )
    more = f" and {len(lost) - WEIGHTS_SHOWN} more" if len(lost) > WEIGHTS_SHOWN else ""
    return Problem(
        code="SW0312",
        message=f"Service {service} gives weights to names that no single site known here has: "
        f"{shown}{more}. Sites without a weight get only what the others cannot take.",
        hint="See the names: sitectl network status; then give all weights again: "
        f"sitectl service set {service} --weight SITE=N --weight SITE=N",
    )


def of_rules(pending: Mapping[str, Sequence[str]], table: RouteTable) -> list[Problem]:
    """``pending``: names in rules that mean no site yet, with the services of these rules."""
    by_service: dict[str, list[str]] = {}
    for name in sorted(pending.keys() & set(table.name_conflicts)):
        for service in pending[name]:
            by_service.setdefault(service, []).append(name)
    return [
        Problem(
            code="SW0318",
            message=f"The rules of {_of(service)} name {', '.join(lost[:WEIGHTS_SHOWN])}, and two "
            "sites bear that name: the rules mean neither.",
            hint=f"Name it by its id: sitectl network status, then sitectl service set '{service}'",
        )
        for service, lost in sorted(by_service.items())
    ]


def of_terms(unstated: Sequence[str]) -> list[Problem]:
    """Sites whose links have terms for which this router's LSA has no room."""
    if not unstated:
        return []
    more = f" and {len(unstated) - WEIGHTS_SHOWN} more" if len(unstated) > WEIGHTS_SHOWN else ""
    return [
        Problem(
            code="SW0319",
            message="The terms of links find no room in what this router tells of them "
            f"({limits.LSA_TERMS_BYTES_MAX // 1024} KiB): the network allows nothing to "
            f"{', '.join(unstated[:WEIGHTS_SHOWN])}{more}.",
            hint="Let sites in on the same terms, or on fewer patterns: sitectl token create FILE, "
            "and link them again",
        )
    ]


def _of(service: str) -> str:
    return "all services" if service == ALL else service


def of_table(table: RouteTable) -> list[Problem]:
    """Names that several sites have."""
    reached = (route for route in table.sites.values() if route.reachable)
    bearers = Counter(route.name.partition("@")[0] for route in reached)
    own = table.sites[table.site].name.partition("@")[0]
    return [
        Problem(
            code="SW0403",
            message=f"{_how_many(bearers[name])} sites are named {name}; they are shown with the "
            "begin of their ids.",
            hint=f"Give {_the_rest(bearers[name])} another name. "
            + _renamed(name, here=own == name),
        )
        for name in table.name_conflicts
    ]


def _renamed(name: str, *, here: bool) -> str:
    if here:
        return "Here: sitectl delete, then sitectl init NAME"
    return f"At one that is named {name}: sitectl delete, and then there: sitectl init NAME"


def _how_many(count: int) -> str:
    return "Two" if count == 2 else str(count)


def _the_rest(count: int) -> str:
    return "one of them" if count == 2 else "all but one"
