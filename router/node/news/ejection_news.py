"""Remote sites that fail requests, as events and as notes."""

from collections.abc import Callable, Iterator

from router.balance.sites.site_ejection import SiteEjected, SiteEjection, SiteNews, SiteWoken
from router.exchange.forwarder import Forwarder
from router.model.events import Note, Severity, Tell
from router.model.ids import ServiceKey, SiteId
from router.node.time_text import ejected_since
from router.routing.table import RouteTable

SHOWN_MAX = 16
"""The most notes of this kind at once; more would add nothing."""


class EjectionNews:
    """Reports ejections with the names of the sites. ``utc``: ISO 8601 of monotonic seconds."""

    __slots__ = ("_forwarder", "_name", "_tell", "_utc")

    def __init__(
        self,
        forwarder: Forwarder,
        name: Callable[[SiteId], str],
        tell: Tell,
        utc: Callable[[float], str],
    ) -> None:
        self._forwarder, self._name, self._tell, self._utc = forwarder, name, tell, utc
        forwarder.news.follow_sites(self._heard)

    def notes(self, table: RouteTable, now: float) -> list[Note]:
        """One note for each service port and site in ``table``: another site has a separate
        problem, such as a link that is down.

        After its time a site gets the next request that would go there: no more is known to be
        wrong with it.
        """
        found = self._texts(table, now)
        return [
            Note(severity=severity, code="SW0334", message=text, hint=_hint(key))
            for _, (key, severity, text) in zip(range(SHOWN_MAX), found, strict=False)
        ]

    def _texts(self, table: RouteTable, now: float) -> Iterator[tuple[ServiceKey, Severity, str]]:
        for key, ejections in self._forwarder.readings.site_ejections():
            offering = {one.site for one in table.candidates.get(key, ())}
            for ejection in ejections.active.values():
                if ejection.site not in offering or ejection.is_back or ejection.is_woken:
                    continue
                name, why = self._name(ejection.site), ejection.reason.partition(": ")[2]
                if ejection.in_reserve and self._is_the_only_one(key, ejection.site, table):
                    yield (
                        key,
                        "warning",
                        f"{name} still gets requests for {key}, as no other site has a ready "
                        f"target: {why}.",
                    )
                elif now >= ejection.until:
                    yield (
                        key,
                        "info",
                        f"{name} failed requests for {key}: {why}. {_probe(ejection)} tells "
                        "whether it serves again.",
                    )
                elif ejection.in_reserve:
                    yield (
                        key,
                        "warning",
                        f"{name} gets requests for {key} only while no other site has room: "
                        f"{ejection.reason}. The others are not known to serve as much as it did.",
                    )
                else:
                    since = self._utc(ejection.until - ejection.period_s)
                    reason = ejected_since(ejection.reason, since)
                    yield key, "warning", f"{name} gets no requests for {key}: {reason}."

    def _is_the_only_one(self, key: ServiceKey, site: SiteId, table: RouteTable) -> bool:
        """No target is ready here or at another site."""
        others = [one for one in table.candidates.get(key, ()) if one.site != site]
        here = self._forwarder.readings.targets.local(key).ready
        return not here and not any(one.targets_ready and not one.unused for one in others)

    def _heard(self, key: ServiceKey, news: SiteNews) -> None:
        name = self._name(news.site)
        if isinstance(news, SiteWoken):
            text = (
                f"{name} became ready for {key} while a burst hook wakes a site, and has answered "
                "its first request. Requests that were held for it, if any, go on."
            )
            self._tell("info", "site-woken", name, text)
        elif isinstance(news, SiteEjected):
            text = f"{name} gets no requests for {key}: {news.reason}."
            self._tell("warning", "site-ejected", name, text, _hint(key))
        else:
            text = f"{name} answers requests for {key} again: it gets a few, then more."
            self._tell("info", "site-returned", name, text)


def _probe(ejection: SiteEjection) -> str:
    return "A request that is under way" if ejection.under_way else "The next one that is sent"


def _hint(key: ServiceKey) -> str:
    return f"See what it answers: sitectl why {key}, sitectl check --traffic {key.name}"
