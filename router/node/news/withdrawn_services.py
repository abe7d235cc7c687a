"""Events for services of other sites that are no longer known here, or known again.

Their listeners here close and open accordingly, whatever the clients of this site expect.
"""

import msgspec

from router.model.events import Severity, Tell
from router.model.ids import SiteId
from router.model.limits import (
    EVENT_BUDGETS_MAX,
    GONE_SERVICES_MAX,
    SERVICE_EVENTS_BURST,
    SERVICE_EVENTS_PER_S,
)
from router.model.token_bucket import TokenBuckets
from router.routing.names import Names
from router.routing.table import RouteTable

_SHOWN = 3


class LastDeclarer(msgspec.Struct, frozen=True):
    """The other ``site`` that declared a service, which is not known here ``since`` a monotonic
    second."""

    site: SiteId
    since: float


class WithdrawnServices:
    """Compares each route table with the previous one: one event per site, for all its services.

    All workers know the same tables; the one that ``leads`` reports for all.
    """

    __slots__ = ("_budgets", "_declared", "_gone", "_leads", "_names", "_tell")

    def __init__(self, tell: Tell, names: Names, *, leads: bool) -> None:
        self._tell, self._names, self._leads = tell, names, leads
        # By service, the other site whose declaration counts.
        self._declared: dict[str, SiteId] = {}
        self._gone: dict[str, LastDeclarer] = {}
        self._budgets = TokenBuckets(SERVICE_EVENTS_BURST, SERVICE_EVENTS_PER_S, EVENT_BUDGETS_MAX)

    def last_declarer(self, service: str) -> LastDeclarer | None:
        """Of ``service``, which is not known here any more; None: it is, or was not since the
        start."""
        return self._gone.get(service)

    def table_changed(self, table: RouteTable, now: float) -> None:
        """Report the differences, except for services that an import rule refuses or that this site
        now declares itself."""
        if not self._leads:
            return
        before = self._declared
        self._declared = {
            name: declared.site
            for name, declared in table.declarations.items()
            if declared.site != table.site
        }
        if before == self._declared:
            return
        known = table.declarations.keys() | table.refused.keys()
        lost: dict[SiteId, list[str]] = {}
        for name in sorted(before.keys() - known):
            lost.setdefault(before[name], []).append(name)
        found: dict[SiteId, list[str]] = {}
        for name in sorted(self._gone.keys() & known):
            site = self._gone.pop(name).site
            if name in self._declared:
                found.setdefault(self._declared.get(name, site), []).append(name)
        for site, services in lost.items():
            self._tell_lost(site, services, table, now)
        for site, services in found.items():
            which, verb = _listed(services)
            text = f"{which} of {self._names.site(site)} {verb} known here again."
            self._tell_of(site, "info", "service-back", services, text, now)

    def _tell_lost(self, site: SiteId, services: list[str], table: RouteTable, now: float) -> None:
        for name in services:
            if len(self._gone) >= GONE_SERVICES_MAX:
                del self._gone[next(iter(self._gone))]
            self._gone[name] = LastDeclarer(site, now)
        route, name = table.sites.get(site), self._names.site(site)
        declares = "it" if len(services) == 1 else "them"
        severity: Severity = "info"
        if site in table.deleted:
            why = f"{name} was deleted"
        elif any(site in table.barred.get(service, ()) for service in services):
            severity, why = "warning", f"{name}, which declared {declares}, is barred"
        elif route is None or not route.reachable:
            severity, why = "warning", f"{name}, which declared {declares}, is not reached"
        else:
            why = f"{name} does not declare {declares} for this site any more"
        which, verb = _listed(services)
        text = f"{which} {verb} not known here any more: {why}."
        self._tell_of(site, severity, "service-gone", services, text, now)

    def _tell_of(
        self,
        site: SiteId,
        severity: Severity,
        code: str,
        services: list[str],
        text: str,
        now: float,
    ) -> None:
        if self._budgets.take(f"{code} {site}", now):
            subject = services[0] if len(services) == 1 else self._names.site(site)
            self._tell(severity, code, subject, text)


def _listed(services: list[str]) -> tuple[str, str]:
    """``services`` as the start of a sentence, and its verb."""
    if len(services) == 1:
        return f"Service {services[0]}", "is"
    more = len(services) - _SHOWN
    rest = f" and {more} more" if more > 0 else ""
    return f"Services {', '.join(services[:_SHOWN])}{rest}", "are"
