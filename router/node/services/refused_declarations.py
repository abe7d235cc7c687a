"""Services that this site does not know, since its import rule refuses every declaration of them.

A declaration of another site counts only if ``importFrom`` names that site. So such a service has
no listener here, and the kernel refuses its clients. That is a problem if the rule names the
service and some sites. A rule that says ``none``, or that is for all services, is a choice: it is
reported once, when it closes a listener.
"""

import shlex
from collections.abc import Container, Iterator, Sequence
from typing import Final

from router.model.events import Problem, Tell
from router.model.ids import SiteId
from router.model.rights.sharing import SharingRules, names_of_patterns
from router.routing.table import RouteTable

CODE: Final = "SW0343"
SITES_NAMED: Final = 3


def problems_of(table: RouteTable, given: SharingRules) -> list[Problem]:
    """One problem for each service with such a rule. ``given``: the rules as configured."""
    return [_problem(table, given, service) for service in _named(table, given)]


def problem_of(table: RouteTable, given: SharingRules, service: str) -> Problem | None:
    """Why this site does not know ``service``, whichever rule refuses it; None: no rule does."""
    return _problem(table, given, service) if service in table.refused else None


def why_refused(table: RouteTable, service: str) -> str:
    """``importFrom of near does not name hub, which declares shop``."""
    names = [table.party(site).shown for site in _declarers(table, service)[:SITES_NAMED]]
    own, verb = table.party(table.site).shown, "declares" if len(names) == 1 else "declare"
    *first, last = names
    shown = f"{', '.join(first)} or {last}" if first else last
    return f"importFrom of {own} does not name {shown}, which {verb} {service}"


def let_in(table: RouteTable, given: SharingRules, service: str) -> str:
    """The next step that makes the service known here."""
    name = table.party(_declarers(table, service)[0]).shown
    named = ",".join((*(names_of_patterns(given.of(service).import_from) or ()), name))
    return f"Let {name} in: {_command(service)} {shlex.quote(named)}"


class RefusedDeclarations:
    """Reports each once: services that a rule refuses by name, and services known before."""

    __slots__ = ("_known", "_reported", "_tell")

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._known: Container[str] = ()  # Services of the table at the previous look.
        self._reported: set[str] = set()

    def look(self, table: RouteTable, given: SharingRules) -> None:
        """Compare with the previous look, after either changed."""
        before, self._known = self._known, table.declarations
        if not table.refused and not self._reported:
            return
        found = {*_named(table, given), *(name for name in table.refused if name in before)}
        for service in sorted(found - self._reported):
            problem = _problem(table, given, service)
            self._tell("warning", "declaration-refused", service, problem.message, problem.hint)
        for service in sorted(self._reported & table.declarations.keys()):
            text = f"Service {service} is known here again: its declaration counts."
            self._tell("info", "declaration-accepted", service, text)
        self._reported = (self._reported | found) & table.refused.keys()


def _named(table: RouteTable, given: SharingRules) -> Iterator[str]:
    """Services with a rule that names sites, but none of those that declare them."""
    for service in table.refused:
        rule = given.services.get(service)
        if rule is not None and rule.import_from:
            yield service


def _problem(table: RouteTable, given: SharingRules, service: str) -> Problem:
    return Problem(
        code=CODE,
        message=f"Service {service} has no listener here, so clients are refused: "
        f"{why_refused(table, service)}.",
        hint=f"{let_in(table, given, service)}. If no client here should reach it: "
        f"{_command(service)} none",
    )


def _declarers(table: RouteTable, service: str) -> Sequence[SiteId]:
    """Only the owner of the name if it is one of them: then no other declaration would count."""
    owner, refused = table.owners.get(service), table.refused[service]
    owners = () if owner is None else owner.sites
    return [site for site in refused if site in owners] or refused


def _command(service: str) -> str:
    return f"sitectl service set {shlex.quote(service)} --import-from"
