"""Reports of refused links: one for each cause, until the cause changes."""

from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from router.link.fault import Fault
from router.link.neighbour import Neighbour
from router.link.sessions.link_status import LinkStatus
from router.model import limits
from router.model.ids import RouterId, SiteId
from router.node.news.link_news import LinkNews
from router.routing.names import Names
from router.routing.table import SiteRoute
from tests.unit.journal import Journal
from tests.unit.node.test_absent_sites import NEAR, route, table
from tests.unit.node.test_deleted_sites import LINK, Watched

NAMES = Watched().names
"""Of a table without the neighbors of these tests, so that they have the names they give."""

WEST = Neighbour(RouterId("1" * 16), SiteId("1" * 32), "west", b"key")


def still() -> float:
    """No time passes."""
    return 0.0


def news() -> tuple[LinkNews, Journal]:
    journal = Journal()
    return LinkNews(journal.tell, cast(Any, None), NAMES, cast(Any, None), still), journal


SIBLING = Neighbour(RouterId("2" * 16), SiteId("2" * 32), "near", b"key", is_sibling=True)


def test_links_among_the_workers_of_a_router_are_no_news() -> None:
    journal = Journal()
    said = LinkNews(journal.tell, cast(Any, None), NAMES, cast(Any, None), still, has_workers=True)
    said.up(SIBLING, 0, "west", "incoming")
    said.draining(SIBLING.router)
    said.held(SIBLING.router, 5.0)
    said.stayed(SIBLING.router)
    said.heard_again(SIBLING.router, 2.0)
    said.down(SIBLING.router, "it is silent")
    assert journal.told() == []
    said.up(WEST, 1, "west", "incoming")
    said.down(WEST.router, "it is silent")
    assert journal.told() == ["link-up", "link-down"]


def test_links_that_come_and_go_hide_no_event_of_another_neighbor() -> None:
    journal, now = Journal(), [0.0]
    said = LinkNews(journal.tell, cast(Any, None), NAMES, cast(Any, None), lambda: now[0])
    said.up(WEST, 1, "west", "incoming")
    for number in range(limits.EVENTS_BURST):
        changes = {"router": RouterId(f"{number:016x}"), "site": SiteId(f"{number:032x}")}
        rogue = msgspec.structs.replace(WEST, name=f"m{number}", token="fleet", **changes)
        said.up(rogue, 1, "west", "incoming")
        said.down(rogue.router, "it left")
    said.down(WEST.router, "it is silent")
    downs = [code for code in journal.told() if code == "link-down"]
    assert len(downs) == limits.LINK_EVENTS_BURST + 1 <= limits.EVENTS_BURST // 2 + 1
    now[0] += 1 / limits.LINK_EVENTS_PER_S
    said.up(rogue, 1, "west", "incoming")
    held_back = limits.EVENTS_BURST - limits.LINK_EVENTS_BURST
    _, last = journal.messages[-1]
    assert last == (
        f"Linked to m{limits.EVENTS_BURST - 1}, cost 1. ({held_back} more like it of neighbors "
        "that token fleet let in were not told.)"
    )


def test_another_router_of_this_site_is_no_neighbour_with_a_cost() -> None:
    said: list[str] = []

    def tell(severity: object, code: str, subject: str, message: str, hint: str = "") -> None:
        said.append(message)

    LinkNews(tell, cast(Any, None), NAMES, cast(Any, None), still).up(
        SIBLING, 0, "west", "incoming"
    )
    assert said == ["Linked to another router of this site, near."]


def test_only_the_last_link_to_a_site_of_several_routers_is_said_to_be_the_last() -> None:
    said: list[str] = []

    def tell(severity: object, code: str, subject: str, message: str, hint: str = "") -> None:
        said.append(message)

    news = LinkNews(tell, cast(Any, None), NAMES, cast(Any, None), still)
    second = Neighbour(RouterId("3" * 16), WEST.site, "west", b"key")
    news.up(WEST, 1, "west", "incoming")
    news.up(second, 1, "west-2", "incoming")
    news.draining(WEST.router)
    news.draining(second.router)
    news.down(WEST.router, "it stops")
    news.down(second.router, "it stops")
    assert said == [
        "Linked to west, cost 1.",
        "One more link to west is up, cost 1.",
        "One of the links to west drains.",
        "The last link to west drains.",
        "One of the links to west went down: it stops.",
        "The last link to west went down: it stops.",
    ]


def test_connections_of_one_link_are_one_link_in_events() -> None:
    """Each worker of the neighbor's router dials it, and `link status` has one row for all."""
    said, journal = news()
    others = [msgspec.structs.replace(WEST, router=RouterId(f"{n:016x}")) for n in (3, 4)]
    workers = [WEST, *others]
    for one in workers:
        said.up(one, 1, "west", "incoming")
    said.further_up(WEST.router, "west-2", "incoming")
    said.down(others[0].router, "its worker was killed")
    said.up(others[0], 1, "west", "incoming")
    for one in others:
        said.draining(one.router)
        said.down(one.router, "west was asked to stop", is_planned=True)
    said.further_down(WEST.router, "west-2", "incoming", "it is silent", is_planned=False)
    said.draining(WEST.router)
    said.down(WEST.router, "west was asked to stop", is_planned=True)
    assert [message for _, message in journal.messages] == [
        "Linked to west, cost 1.",
        "Link west-2 from west is up.",
        "Link west-2 from west went down: it is silent.",
        "The last link to west drains.",
        "The last link to west went down: west was asked to stop.",
    ]


def test_a_link_that_flaps_at_each_worker_of_the_neighbor_is_told_of_once() -> None:
    journal = Journal()
    said = LinkNews(journal.tell, cast(Any, Dialed()), NAMES, cast(Any, None), still)
    workers = [WEST, *(msgspec.structs.replace(WEST, router=RouterId(one * 16)) for one in "56")]
    for one in workers:
        said.up(one, 1, "to-here", "incoming")
    assert journal.told() == ["link-up"]
    for one in workers:
        said.held(one.router, 5.0)
    assert journal.told() == ["link-flapping"]
    said.down(WEST.router, "it is silent")
    said.up(WEST, 1, "to-here", "incoming")
    said.held(WEST.router, 5.0)
    assert journal.told() == []
    for one in workers:
        said.stayed(one.router)
    assert journal.told() == ["link-steady"]


def test_a_connection_that_is_gone_flaps_no_more() -> None:
    """Its end is reported, so the others are steady when they are."""
    journal = Journal()
    said = LinkNews(journal.tell, cast(Any, Dialed()), NAMES, cast(Any, None), still)
    other = msgspec.structs.replace(WEST, router=RouterId("5" * 16))
    for one in (WEST, other):
        said.up(one, 1, "to-here", "incoming")
        said.held(one.router, 5.0)
    said.down(WEST.router, "it is silent")
    said.stayed(other.router)
    assert journal.told() == ["link-up", "link-flapping", "link-steady"]
    said.up(WEST, 1, "to-here", "incoming")
    said.held(other.router, 5.0)
    assert journal.told() == ["link-flapping"]


def test_a_worker_does_not_say_that_a_link_is_the_last_one() -> None:
    """Another worker may have a connection of it."""
    journal = Journal()
    said = LinkNews(journal.tell, cast(Any, None), NAMES, cast(Any, None), still, has_workers=True)
    said.up(WEST, 1, "west", "incoming")
    said.draining(WEST.router)
    said.down(WEST.router, "its worker was killed")
    assert [message for _, message in journal.messages] == [
        "Linked to west, cost 1.",
        "A connection to west drains.",
        "A connection to west went down: its worker was killed.",
    ]


def test_a_link_to_another_router_of_this_site_is_not_said_to_be_one_to_a_site() -> None:
    said, journal = news()
    sibling = Neighbour(RouterId("3" * 16), WEST.site, "west", b"key", is_sibling=True)
    said.up(sibling, 1, "west", "incoming")
    said.draining(sibling.router)
    said.down(sibling.router, "nothing was heard for 3.00 s")
    assert [message for _, message in journal.messages] == [
        "Linked to another router of this site, west.",
        "The link to another router of this site, west, drains.",
        "The link to another router of this site, west, went down: nothing was heard for 3.00 s.",
    ]


def test_a_drain_is_told_when_it_begins_and_once() -> None:
    said, journal = news()
    said.up(WEST, 1, "west", "incoming")
    said.draining(WEST.router)
    assert journal.told() == ["link-up", "link-draining"]
    said.down(WEST.router, "west was asked to stop", is_planned=True)
    assert journal.told() == ["link-down"]


def test_two_sites_of_one_name_have_a_last_link_each_and_are_told_apart() -> None:
    said: list[str] = []

    def tell(severity: object, code: str, subject: str, message: str, hint: str = "") -> None:
        said.append(message)

    news = LinkNews(tell, cast(Any, None), NAMES, cast(Any, None), still)
    twin = Neighbour(RouterId("3" * 16), SiteId("3" * 32), "west", b"key")
    news.up(WEST, 1, "west", "incoming")
    news.up(twin, 1, "west", "incoming")
    news.down(WEST.router, "it stops")
    news.down(twin.router, "it stops")
    assert said == [
        "Linked to west, cost 1.",
        "Linked to west@33333333, cost 1.",
        "The last link to west@11111111 went down: it stops.",
        "The last link to west went down: it stops.",
    ]


def names_of(*sites: SiteRoute) -> Names:
    known = msgspec.structs.replace(table(), sites={one.site: one for one in sites})
    return Names(cast(Any, SimpleNamespace(table=known)), SiteId("0" * 32))


def called(site: SiteId, name: str, *, reachable: bool) -> SiteRoute:
    return msgspec.structs.replace(route(site, reachable=reachable), name=name)


def test_a_neighbor_whose_name_another_site_bears_is_told_as_status_shows_it() -> None:
    """It comes back, and a site that nothing links here bears its name."""
    journal = Journal()
    names = names_of(
        called(WEST.site, "west@11111111", reachable=False), called(NEAR, "west", reachable=True)
    )
    said = LinkNews(journal.tell, cast(Any, None), names, cast(Any, None), still)
    said.up(WEST, 5, "west", "incoming")
    said.down(WEST.router, "it stops")
    assert [message for _, message in journal.messages] == [
        "Linked to west@11111111, cost 5.",
        "The last link to west@11111111 went down: it stops.",
    ]


@pytest.mark.parametrize(("reachable", "shown"), [(True, "west@11111111"), (False, "west")])
def test_a_new_neighbor_shares_its_name_only_with_a_site_that_is_reached(
    reachable: bool, shown: str
) -> None:
    journal = Journal()
    names = names_of(called(NEAR, "west", reachable=reachable))
    LinkNews(journal.tell, cast(Any, None), names, cast(Any, None), still).up(
        WEST, 5, "west", "incoming"
    )
    assert [message for _, message in journal.messages] == [f"Linked to {shown}, cost 5."]


def refusal(reason: str) -> Fault:
    return Fault("revoked", reason, kind="refused")


def test_who_is_refused_again_and_again_is_told_once_until_the_cause_is_another() -> None:
    said, journal = news()
    for _ in range(5):
        said.refused("west", refusal("its access was revoked"))
    assert journal.told() == ["link-refused"]
    said.refused("west", refusal("its certificate has ended"))
    said.refused("east", refusal("its certificate has ended"))
    assert journal.told() == ["link-refused"] * 2
    said.refused("west", refusal("its access was revoked"))
    assert journal.told() == ["link-refused"]


@pytest.mark.parametrize(
    ("code", "severity"), [("revoked", "warning"), ("old-certificate", "info")]
)
def test_a_refusal_that_ends_by_itself_is_no_warning(code: str, severity: str) -> None:
    said, journal = news()
    said.refused("west", Fault(code, "west has a newer certificate", kind="refused"))
    assert [one.severity for one in journal.events] == [severity]


def test_once_it_was_linked_the_same_refusal_is_news() -> None:
    said, journal = news()
    said.refused("west", refusal("its access was revoked"))
    said.up(WEST, 1, "west", "incoming")
    said.refused("west", refusal("its access was revoked"))
    assert journal.told() == ["link-refused", "link-up", "link-refused"]


def test_handshakes_that_fail_for_one_reason_are_told_once() -> None:
    said, journal = news()
    for _ in range(3):
        said.tls_rejected("tls", "certificate unknown")
    said.tls_rejected("clock", "certificate is not yet valid")
    assert journal.told() == ["link-refused"] * 2


class Dialed:
    """Links with one that is dialed here, to `WEST`."""

    def __init__(self) -> None:
        self.line = msgspec.structs.replace(LINK, neighbour_name="west", neighbour_site=WEST.site)

    def outgoing_status(self, name: str) -> LinkStatus:
        return self.line

    def status(self) -> list[LinkStatus]:
        return [self.line]

    def fails(self, reason: str) -> None:
        self.line = msgspec.structs.replace(self.line, state="down", error=reason)


def test_reasons_that_take_turns_are_told_once_each_until_the_link_is_up() -> None:
    links, site = Dialed(), Watched()
    said = LinkNews(site.journal.tell, cast(Any, links), NAMES, site.deleted, still)
    for reason in ("it broke off", "it broke off: reset by peer") * 3:
        links.fails(reason)
        said.changed("link1")
    assert site.journal.told() == ["link-failing"] * 2
    links.line = msgspec.structs.replace(links.line, state="up", error="")
    said.changed("link1")
    links.fails("it broke off")
    said.changed("link1")
    assert site.journal.told() == ["link-failing"]


def test_of_an_endless_variety_of_reasons_the_latest_are_remembered() -> None:
    links, site = Dialed(), Watched()
    said = LinkNews(site.journal.tell, cast(Any, links), NAMES, site.deleted, still)
    reasons = [f"reason {number}" for number in range(limits.LINK_REASONS_KEPT_MAX + 1)]
    for reason in (*reasons, reasons[-1], reasons[1]):
        links.fails(reason)
        said.changed("link1")
    assert len(site.journal.told()) == len(reasons)
    links.fails(reasons[0])
    said.changed("link1")
    assert site.journal.told() == ["link-failing"]


def test_why_the_last_link_went_down_is_not_told_again_of_the_link_that_is_dialed() -> None:
    links, site = Dialed(), Watched()
    links.line = msgspec.structs.replace(links.line, neighbour_router=WEST.router)
    said = LinkNews(site.journal.tell, cast(Any, links), NAMES, site.deleted, still)
    said.up(WEST, 5, "west", "incoming")
    said.down(WEST.router, "nothing was heard for 2.9 s")
    links.fails("nothing was heard for 2.9 s")
    said.changed("link1")
    assert site.journal.told() == ["link-up", "link-down"]
    links.fails("the TLS handshake took over 5 s")
    said.changed("link1")
    assert site.journal.told() == ["link-failing"]


def test_a_further_link_that_goes_is_told_of_once_and_as_planned_if_it_drained() -> None:
    links, site = Dialed(), Watched()
    links.line = msgspec.structs.replace(links.line, neighbour_router=WEST.router)
    events: list[tuple[str, str]] = []

    def tell(severity: str, code: str, subject: str, message: str, hint: str = "") -> None:
        events.append((severity, message))

    said = LinkNews(tell, cast(Any, links), NAMES, site.deleted, still)
    said.up(WEST, 5, "west", "incoming")
    said.further_up(WEST.router, "link1", "outgoing")
    said.further_down(WEST.router, "link1", "outgoing", "it is silent", is_planned=False)
    links.fails("it is silent")
    said.changed("link1")
    said.further_up(WEST.router, "west-2", "incoming")
    said.further_down(WEST.router, "west-2", "incoming", "it was deleted", is_planned=True)
    assert events[1:] == [
        ("info", "Link link1 to west is up."),
        ("warning", "Link link1 to west went down: it is silent."),
        ("info", "Link west-2 from west is up."),
        ("info", "Link west-2 from west went down: it was deleted."),
    ]


def test_a_link_that_flaps_is_named_as_this_site_names_it() -> None:
    hints: list[str] = []

    def tell(severity: object, code: str, subject: str, message: str, hint: str = "") -> None:
        hints.append(hint)

    links = Dialed()
    links.line = msgspec.structs.replace(links.line, neighbour_router=WEST.router)
    said = LinkNews(tell, cast(Any, links), NAMES, cast(Any, None), still)
    said.up(WEST, 5, "west", "incoming")
    said.held(WEST.router, 4.0)
    assert hints == ["", f"sitectl link status {links.line.name}"]


def test_a_link_that_is_an_object_of_a_user_is_removed_where_it_is() -> None:
    links, site = Dialed(), Watched()
    links.line = msgspec.structs.replace(
        links.line, state="refused", error_code="deleted", error="west was deleted"
    )
    hints: list[str] = []

    def tell(severity: object, code: str, subject: str, message: str, hint: str = "") -> None:
        hints.append(hint)

    for removal in ("sitectl link delete {}".format, "kubectl delete link/{}".format):
        said = LinkNews(tell, cast(Any, links), NAMES, site.deleted, still, removal=removal)
        said.changed("link1")
    assert hints == ["sitectl link delete link1", "kubectl delete link/link1"]


def test_a_link_to_a_site_that_was_deleted_is_told_of_once_and_not_blamed() -> None:
    links, site = Dialed(), Watched()
    said = LinkNews(site.journal.tell, cast(Any, links), NAMES, site.deleted, still)
    said.changed("link1")
    assert site.journal.told() == ["link-failing"]
    known = table()
    site.hears(msgspec.structs.replace(known, deleted=frozenset({WEST.site})))
    said.changed("link1")
    links.line = msgspec.structs.replace(links.line, error="timed out", state="connecting")
    said.changed("link1")
    assert site.journal.told() == ["link-needless"]


def test_who_connects_and_says_nothing_is_told_once_whatever_its_port() -> None:
    said: list[tuple[object, str]] = []

    def tell(severity: object, code: str, subject: str, message: str, hint: str = "") -> None:
        said.append((severity, hint))

    news = LinkNews(tell, cast(Any, None), NAMES, cast(Any, None), still)
    for port in range(50_000, 50_005):
        news.tls_rejected("refused", f"10.0.0.1:{port} broke off the TLS handshake")
        news.tls_rejected("tls", f"TLS handshake with 10.0.0.2:{port} failed: unknown ca")
    (probe, stranger) = said
    assert (probe[0], "token" in probe[1]) == ("info", False)
    assert (stranger[0], "token" in stranger[1]) == ("warning", True)


def test_a_bounded_number_of_names_is_remembered() -> None:
    said, journal = news()
    most = limits.REFUSALS_KEPT_MAX
    for number in range(most):
        said.refused(f"s{number}", refusal("unknown"))
    said.refused("s0", refusal("unknown"))
    assert len(journal.told()) == most
    said.refused("one more", refusal("unknown"))
    said.refused("s0", refusal("unknown"))
    assert len(journal.told()) == 2


def test_a_neighbour_that_was_silent_and_stays_is_told_with_the_length_of_it() -> None:
    said, journal = news()
    said.up(WEST, 1, "west", "incoming")
    said.heard_again(WEST.router, 2.04)
    assert journal.told() == ["link-up", "link-silent"]


def test_a_refusal_that_another_certificate_may_end_needs_no_person_yet() -> None:
    said: list[tuple[object, str]] = []

    def tell(severity: object, code: str, subject: str, message: str, hint: str = "") -> None:
        said.append((severity, message))

    links, due = Dialed(), [True]
    site = Watched()
    news = LinkNews(
        tell, cast(Any, links), NAMES, site.deleted, still, is_renewal_due=lambda link: due[0]
    )
    links.line = msgspec.structs.replace(links.line, state="refused", error="its CA is another")
    news.changed("link1")
    links.line = msgspec.structs.replace(links.line, state="connecting", error="")
    news.changed("link1")
    due[0] = False  # It has another one, and is refused all the same.
    for _ in range(2):
        links.line = msgspec.structs.replace(links.line, state="refused", error="its CA is another")
        news.changed("link1")
    assert said == [
        (
            "warning",
            "Link link1 is not up: its CA is another. But first this site asks there for another "
            "certificate.",
        ),
        ("error", "Link link1 is not up: its CA is another."),
    ]
