"""Ejected sites in words: events and notes name the service, the site and the reason."""

from collections.abc import Callable, Iterator
from typing import Self, cast

from router.balance.site.spills import LocalTargets
from router.balance.sites.site_ejection import SiteEjections, SiteNews
from router.exchange.forwarder import Forwarder
from router.model import limits
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.messages.adverts import RemoteCandidate
from router.node.news.ejection_news import SHOWN_MAX, EjectionNews
from router.routing.table import RouteTable
from tests.unit.node.test_message_news import Journal

SHOP = ServiceKey("shop", 80)
NOW = limits.EJECT_AFTER
"""Right after the last of the failures that eject a site."""
WHY = "ejected for 2 s: 5 requests in a row were reset"


def offering(*sites: str) -> RouteTable:
    """A route table in which these have ready targets of the shop."""
    candidates = [
        RemoteCandidate(
            site=SiteId(site),
            site_name=site,
            router=RouterId(site),
            path_cost=1,
            paths=(),
            targets_ready=1,
            capacity=10,
            draining=False,
        )
        for site in sites
    ]
    return RouteTable(
        generation=1,
        site=SiteId("here"),
        sites={},
        candidates={SHOP: tuple(candidates)},
        declarations={},
        name_conflicts=(),
        next_hops={},
        epochs={},
        adjacencies=(),
    )


OFFERING = offering("east", *(f"s{number}" for number in range(SHOWN_MAX + 1)))


class Shop:
    """Plays a forwarder with one service port."""

    def __init__(self, *, may_eject: bool = True) -> None:
        self._hear: Callable[[ServiceKey, SiteNews], None] = lambda *_: None
        self.ejections = SiteEjections(SiteId("here"), lambda *_: may_eject, lambda _: None)
        self.ready_here = 0
        self.ejections.follow(lambda news: self._hear(SHOP, news), lambda: None)

    def follow_sites(self, hear: Callable[[ServiceKey, SiteNews], None]) -> None:
        self._hear = hear

    @property
    def news(self) -> Self:
        """It plays these, too."""
        return self

    @property
    def readings(self) -> Self:
        """Likewise."""
        return self

    @property
    def targets(self) -> Self:
        """Likewise."""
        return self

    def local(self, key: ServiceKey) -> LocalTargets:
        return LocalTargets(self.ready_here, self.ready_here)

    def site_ejections(self) -> Iterator[tuple[ServiceKey, SiteEjections]]:
        yield SHOP, self.ejections

    def fails(self, site: str) -> None:
        for number in range(limits.EJECT_AFTER):
            self.ejections.failed(SiteId(site), None, "reset", float(number))


def utc(moment: float) -> str:
    return f"2026-11-22T19:44:{moment:02.0f}Z"


def news_of(shop: Shop) -> tuple[EjectionNews, Journal]:
    journal = Journal()
    return EjectionNews(cast("Forwarder", shop), str.upper, journal, utc), journal


def test_an_ejection_is_an_event_and_a_note_until_the_site_is_back() -> None:
    shop = Shop()
    news, journal = news_of(shop)
    assert news.notes(OFFERING, NOW) == []
    shop.fails("east")
    ((severity, code, subject, text, hint),) = journal.told
    assert (severity, code, subject) == ("warning", "site-ejected", "EAST")
    assert text == f"EAST gets no requests for shop:80: {WHY}."
    for now in (NOW, NOW + 0.9):
        (note,) = news.notes(OFFERING, now)
        assert (note.code, note.severity, note.hint) == ("SW0334", "warning", hint)
        assert note.message == text.replace("for 2 s:", "for 2 s since 19:44:04 UTC:")
    ejection = shop.ejections.active[SiteId("east")]
    shop.ejections.answered(SiteId("east"), ejection, 10.0)
    assert news.notes(OFFERING, NOW) == []
    assert journal.told[-1][:3] == ("info", "site-returned", "EAST")


def test_a_site_whose_time_is_over_is_said_to_wait_for_a_request() -> None:
    shop = Shop()
    news, _ = news_of(shop)
    shop.fails("east")
    until = shop.ejections.active[SiteId("east")].until
    (note,) = news.notes(OFFERING, until)
    assert (note.code, note.severity) == ("SW0334", "info")
    assert note.message == (
        "EAST failed requests for shop:80: 5 requests in a row were reset. The next one that is "
        "sent tells whether it serves again."
    )
    shop.ejections.active[SiteId("east")].under_way = 1
    (note,) = news.notes(OFFERING, until)
    assert "A request that is under way tells" in note.message


def test_a_failing_site_in_reserve_is_a_note_and_no_event() -> None:
    shop = Shop(may_eject=False)
    news, journal = news_of(shop)
    shop.fails("east")
    (note,) = news.notes(OFFERING, NOW)
    why = "in reserve: 5 requests in a row were reset."
    only = f"EAST gets requests for shop:80 only while no other site has room: {why}"
    assert note.message.startswith(only)
    assert journal.told == []
    ejection = shop.ejections.active[SiteId("east")]
    shop.ejections.answered(SiteId("east"), ejection, 10.0)
    assert ejection.is_back and news.notes(OFFERING, NOW) == []


def test_a_site_in_reserve_whose_time_is_over_waits_for_a_request_as_an_ejected_one_does() -> None:
    shop = Shop(may_eject=False)
    news, _ = news_of(shop)
    shop.fails("east")
    ejection = shop.ejections.active[SiteId("east")]
    assert ejection.places(ejection.until) == 1
    (note,) = news.notes(OFFERING, ejection.until)
    assert note.severity == "info"
    assert note.message == (
        "EAST failed requests for shop:80: 5 requests in a row were reset. The next one that is "
        "sent tells whether it serves again."
    )


def test_a_failing_site_that_is_the_only_one_gets_all_requests_and_the_note_says_so() -> None:
    shop = Shop(may_eject=False)
    news, _ = news_of(shop)
    shop.fails("east")
    only = "EAST still gets requests for shop:80, as no other site has a ready target: "
    (note,) = news.notes(offering("east"), NOW)
    assert note.message == f"{only}5 requests in a row were reset."
    shop.ready_here = 1
    (note,) = news.notes(offering("east"), NOW)
    assert "only while no other site has room" in note.message


def test_a_site_that_is_out_of_reach_is_no_note_of_this_kind() -> None:
    shop = Shop()
    news, _ = news_of(shop)
    shop.fails("east")
    assert news.notes(offering("west"), NOW) == []


def test_notes_are_bounded() -> None:
    shop = Shop()
    news, _ = news_of(shop)
    for number in range(SHOWN_MAX + 1):
        shop.fails(f"s{number}")
    assert len(news.notes(OFFERING, NOW)) == SHOWN_MAX
