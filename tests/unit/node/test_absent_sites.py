"""Rows of `why` for sites that were candidates not long ago."""

import msgspec
import pytest

from router.link.sessions.link_status import LinkStatus
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.limits import ABSENT_DETOUR_S, ABSENT_SITES_MAX, ABSENT_SITES_SHOWN_S
from router.model.messages.adverts import RemoteCandidate
from router.model.rights.sharing import Sharing, SharingRules
from router.node.news.absent_sites import AbsentSites, rows
from router.routing.bars import BarRow
from router.routing.declared import Declared
from router.routing.table import RouteTable, SiteRoute
from tests.unit.routing.fakes import declare

SHOP = ServiceKey("shop", 8080)
HERE, NEAR, FAR = SiteId("00"), SiteId("01"), SiteId("02")


def router_of(site: SiteId) -> RouterId:
    return RouterId(f"r{site}")


def candidate(site: SiteId, cost: int, *path: SiteId) -> RemoteCandidate:
    return RemoteCandidate(
        site=site,
        site_name=f"site-{site}",
        router=router_of(site),
        path_cost=cost,
        paths=(tuple(map(router_of, path)),),
        targets_ready=1,
        capacity=10,
        draining=False,
    )


def route(site: SiteId, *, reachable: bool) -> SiteRoute:
    return SiteRoute(
        site=site,
        name=f"site-{site}",
        router=router_of(site),
        path_cost=5 if reachable else None,
        paths=((router_of(site),),) if reachable else (),
        next_hops=(),
        neighbours=(),
        version="",
        reachable=reachable,
        draining=False,
    )


def table(*candidates: RemoteCandidate, reachable: tuple[SiteId, ...] = ()) -> RouteTable:
    return RouteTable(
        generation=1,
        site=HERE,
        sites={site: route(site, reachable=site in reachable) for site in (NEAR, FAR)},
        candidates={SHOP: candidates} if candidates else {},
        declarations={},
        name_conflicts=(),
        next_hops={},
        epochs={},
        adjacencies=(),
        routers={router_of(site): site for site in (NEAR, FAR)},
    )


def link(neighbour: SiteId, state: str, since: float) -> LinkStatus:
    line = LinkStatus(
        name="link1",
        neighbour_name=f"site-{neighbour}",
        neighbour_site=neighbour,
        neighbour_router=router_of(neighbour),
        direction="outgoing",
        cost=5,
        state="down",
        since=since,
        rtt_s=None,
        lanes=0,
        streams=0,
        error="refused",
        error_code="",
        bytes_in=0,
        bytes_out=0,
    )
    return msgspec.structs.replace(line, state=state)


def time(moment: float) -> str:
    return f"19:44:{moment:02.0f} UTC"


class Clock:
    now = 1.0

    def __call__(self) -> float:
        return self.now


BOTH = (candidate(NEAR, 5, NEAR), candidate(FAR, 15, NEAR, FAR))


@pytest.mark.parametrize(("lasted_s", "cost"), [(0.1, 5), (ABSENT_DETOUR_S, 20)])
def test_a_way_that_a_site_had_for_a_moment_is_not_the_one_that_its_row_names(
    lasted_s: float, cost: int
) -> None:
    clock = Clock()
    absent = AbsentSites(clock)
    absent.table_changed(table(candidate(NEAR, 5, NEAR), reachable=(NEAR,)))
    clock.now = 50.0
    absent.table_changed(table(candidate(NEAR, 20, FAR, NEAR), reachable=(NEAR, FAR)))
    clock.now += lasted_s
    absent.table_changed(table())
    (one,) = absent.of(SHOP)
    assert (one.path_cost, one.since) == (cost, clock.now)
    assert one.via == (NEAR if cost == 5 else FAR)


@pytest.mark.parametrize(("lasted_s", "cost"), [(0.1, 15), (ABSENT_DETOUR_S, 40)])
def test_an_edge_names_the_cost_of_a_lost_site_before_its_neighbors_detour(
    lasted_s: float, cost: int
) -> None:
    """An edge knows only the first router of a way and the last: a detour has the same ones."""
    clock = Clock()
    absent = AbsentSites(clock)
    absent.table_changed(table(*BOTH, reachable=(NEAR, FAR)))
    clock.now = 50.0
    detour = candidate(FAR, 40, NEAR, FAR)
    absent.table_changed(table(BOTH[0], detour, reachable=(NEAR, FAR)))
    clock.now += lasted_s
    absent.table_changed(table(BOTH[0], reachable=(NEAR,)))
    (one,) = absent.of(SHOP)
    assert (one.path_cost, one.via) == (cost, NEAR)


def test_a_way_that_became_cheaper_is_the_one_that_the_row_names() -> None:
    clock = Clock()
    absent = AbsentSites(clock)
    absent.table_changed(table(candidate(NEAR, 20, NEAR), reachable=(NEAR,)))
    absent.table_changed(table(candidate(NEAR, 5, NEAR), reachable=(NEAR,)))
    absent.table_changed(table())
    assert [one.path_cost for one in absent.of(SHOP)] == [5]


def test_sites_that_cannot_be_reached_name_the_link_that_is_down() -> None:
    clock = Clock()
    absent = AbsentSites(clock)
    absent.table_changed(table(*BOTH, reachable=(NEAR, FAR)))
    assert absent.of(SHOP) == []
    clock.now = 55.0
    gone = table()
    absent.table_changed(gone)
    shown = rows(SHOP, absent.of(SHOP), gone, [link(NEAR, "down", 54.0)], time, {})
    assert [(one.site, one.path_cost, one.verdict) for one in shown] == [
        ("site-01", 5, "unreachable"),
        ("site-02", 15, "unreachable"),
    ]
    assert {one.reason for one in shown} == {"link link1 to site-01 is down since 19:44:54 UTC"}
    (near, _) = absent.of(SHOP)
    (up,) = rows(SHOP, [near], gone, [link(NEAR, "up", 54.0)], time, {})
    assert up.reason == "no path has led there since 19:44:55 UTC"


@pytest.mark.parametrize("links", [(), (link(NEAR, "down", 54.0),)])
def test_a_site_that_is_barred_names_the_site_that_bars_it(links: tuple[LinkStatus, ...]) -> None:
    clock = Clock()
    absent = AbsentSites(clock)
    absent.table_changed(table(candidate(FAR, 7, NEAR, FAR), reachable=(NEAR, FAR)))
    clock.now += 10.0
    lost = table(reachable=(NEAR,))
    bars = (BarRow(FAR, NEAR, 100), BarRow(NEAR, HERE, 100), BarRow(FAR, SiteId("9" * 32), 100))
    gone = msgspec.structs.replace(lost, bars=bars)
    absent.table_changed(gone)
    (alone,) = rows(SHOP, absent.of(SHOP), lost, links, time, {})
    (shown,) = rows(SHOP, absent.of(SHOP), gone, links, time, {})
    near = lost.sites[NEAR].name
    assert shown.verdict == "unreachable"
    assert shown.reason == f"barred by @99999999, {near}, and {alone.reason}"


def test_a_link_that_is_down_leads_to_a_site_by_the_name_of_its_row() -> None:
    """Another site that is reached bears its name."""
    clock = Clock()
    absent = AbsentSites(clock)
    absent.table_changed(table(BOTH[0], reachable=(NEAR,)))
    clock.now = 55.0
    gone = table(reachable=(FAR,))
    shown = f"site-{NEAR}@{NEAR}"
    gone.sites[NEAR] = msgspec.structs.replace(gone.sites[NEAR], name=shown)
    gone.sites[FAR] = msgspec.structs.replace(gone.sites[FAR], name=f"site-{NEAR}")
    absent.table_changed(gone)
    (near,) = rows(SHOP, absent.of(SHOP), gone, [link(NEAR, "down", 54.0)], time, {})
    assert near.site == shown
    assert near.reason == f"link link1 to {shown} is down since 19:44:54 UTC"


def test_a_link_that_drains_is_not_called_down_since_it_came_up() -> None:
    clock = Clock()
    absent = AbsentSites(clock)
    absent.table_changed(table(*BOTH, reachable=(NEAR, FAR)))
    clock.now = 55.0
    there = table(BOTH[0], reachable=(NEAR,))  # It stops, and is no longer a way to others.
    absent.table_changed(there)
    (far,) = rows(SHOP, absent.of(SHOP), there, [link(NEAR, "draining", 2.0)], time, {})
    assert (far.site, far.verdict) == ("site-02", "unreachable")
    assert far.reason == (
        "link link1 to site-01 has been draining since 19:44:55 UTC: nothing new goes over it"
    )


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "no path has led there since 19:44:54 UTC"),
        (
            [link(NEAR, "draining", 2.0)],
            "link link1 to site-01 has been draining since 19:44:54 UTC: nothing new goes over it",
        ),
    ],
)
def test_a_site_that_gave_up_the_service_before_it_was_lost_is_not_called_lost_since_then(
    lines: list[LinkStatus], reason: str
) -> None:
    clock = Clock()
    absent = AbsentSites(clock)
    absent.table_changed(table(*BOTH, reachable=(NEAR, FAR)))
    clock.now = 50.0
    absent.table_changed(table(BOTH[1], reachable=(NEAR, FAR)))
    clock.now = 54.0
    lost = table()
    absent.table_changed(lost)
    shown = rows(SHOP, absent.of(SHOP), lost, lines, time, {})
    assert [one.site for one in shown] == ["site-01", "site-02"]
    assert {one.reason for one in shown} == {reason}
    assert absent.last_offered()[NEAR] == (frozenset({"shop"}), 50.0)
    clock.now = 58.0
    back = table(reachable=(NEAR,))
    absent.table_changed(back)
    (near, _) = rows(SHOP, absent.of(SHOP), back, [], time, {})
    assert near.reason == "it has not offered the service since 19:44:50 UTC"


def test_a_link_that_went_down_later_is_not_why_a_site_behind_it_is_gone() -> None:
    """That site was deleted, say, while the link was up; its own link is why, whenever."""
    clock = Clock()
    absent = AbsentSites(clock)
    absent.table_changed(table(*BOTH, reachable=(NEAR, FAR)))
    clock.now = 40.0
    absent.table_changed(table(BOTH[0], reachable=(NEAR,)))
    clock.now = 55.0
    gone = table()
    absent.table_changed(gone)
    down = [link(NEAR, "down", 54.0)]
    reasons = [one.reason for one in rows(SHOP, absent.of(SHOP), gone, down, time, {})]
    assert reasons == [
        "link link1 to site-01 is down since 19:44:54 UTC",
        "no path has led there since 19:44:40 UTC",
    ]
    down = [link(FAR, "down", 54.0)]
    (_, far) = rows(SHOP, absent.of(SHOP), gone, down, time, {})
    assert far.reason == "link link1 to site-01 is down since 19:44:54 UTC".replace("01", "02")


def test_sites_that_are_not_reached_are_named_the_last_to_go_first_and_with_ids_if_needed() -> None:
    clock = Clock()
    absent = AbsentSites(clock)
    assert absent.unreached(SHOP) == []
    absent.table_changed(table(*BOTH, reachable=(NEAR, FAR)))
    clock.now = 40.0
    absent.table_changed(table(BOTH[0], reachable=(NEAR, FAR)))
    assert absent.unreached(SHOP) == [], "it is reached and offers the service no more"
    clock.now = 45.0
    absent.table_changed(table(reachable=()))
    assert absent.unreached(SHOP) == ["site-01", "site-02"]
    again = table(BOTH[0], reachable=(NEAR,))
    clock.now = 50.0
    absent.table_changed(
        msgspec.structs.replace(
            again, sites={NEAR: msgspec.structs.replace(again.sites[NEAR], name="site-02")}
        )
    )
    assert absent.unreached(SHOP) == [f"site-02@{FAR[:8]}"]


def test_a_site_that_was_deleted_is_not_awaited() -> None:
    clock = Clock()
    absent = AbsentSites(clock)
    absent.table_changed(table(*BOTH, reachable=(NEAR, FAR)))
    clock.now = 40.0
    gone = msgspec.structs.replace(table(), deleted=frozenset({FAR}))
    absent.table_changed(gone)
    assert absent.unreached(SHOP) == ["site-01"]
    (_, far) = rows(SHOP, absent.of(SHOP), gone, [link(FAR, "down", 54.0)], time, {})
    assert (far.verdict, far.reason) == ("deleted", "gone since 19:44:40 UTC")


def test_a_site_that_is_put_out_is_not_awaited() -> None:
    """Its targets would count for nothing if it were reached."""
    absent = AbsentSites(Clock())
    absent.table_changed(table(*BOTH, reachable=(NEAR, FAR)))
    gone = table()
    absent.table_changed(msgspec.structs.replace(gone, bars=(BarRow(FAR, NEAR, 100),)))
    assert sorted(absent.unreached(SHOP)) == ["site-01", "site-02"]
    absent.table_changed(msgspec.structs.replace(gone, put_out=frozenset({FAR})))
    assert absent.unreached(SHOP) == ["site-01"]


def test_a_site_that_was_made_again_is_told_from_the_one_that_is_gone() -> None:
    absent = AbsentSites(Clock())
    absent.table_changed(table(BOTH[0], reachable=(NEAR, FAR)))
    known = table()
    absent.table_changed(known)
    again = msgspec.structs.replace(
        known, sites={FAR: msgspec.structs.replace(known.sites[FAR], name="site-01")}
    )
    (near,) = absent.of(SHOP)
    assert rows(SHOP, [near], known, [], time, {})[0].site == "site-01"
    assert rows(SHOP, [near], again, [], time, {})[0].site == f"site-01@{NEAR[:8]}"
    both_gone = [near, msgspec.structs.replace(near, site=SiteId("9" * 32))]
    named = [one.site for one in rows(SHOP, both_gone, table(), [], time, {})]
    assert named == [f"site-01@{NEAR[:8]}", "site-01@99999999"]


def test_the_id_stays_with_the_site_that_was_deleted() -> None:
    """The one that was made again is not reached either: it is called as everywhere else."""
    absent = AbsentSites(Clock())
    absent.table_changed(table(*BOTH, reachable=(NEAR, FAR)))
    known = table()
    again = {FAR: msgspec.structs.replace(known.sites[FAR], name="site-01")}
    gone = msgspec.structs.replace(known, sites=again, deleted=frozenset({NEAR}))
    absent.table_changed(gone)
    (near, far) = absent.of(SHOP)
    named = [near, msgspec.structs.replace(far, name="site-01")]
    assert [one.site for one in rows(SHOP, named, gone, [], time, {})] == [
        f"site-01@{NEAR[:8]}",
        "site-01",
    ]
    nothing_else = msgspec.structs.replace(gone, sites={}, deleted=frozenset({NEAR, FAR}))
    assert [one.site for one in rows(SHOP, named, nothing_else, [], time, {})] == [
        f"site-01@{NEAR[:8]}",
        f"site-01@{FAR[:8]}",
    ]


def test_a_site_that_is_reached_and_offers_it_no_more_says_so() -> None:
    absent = AbsentSites(Clock())
    absent.table_changed(table(*BOTH, reachable=(NEAR, FAR)))
    after = table(BOTH[1], reachable=(NEAR, FAR))
    absent.table_changed(after)
    (near,) = absent.of(SHOP)
    (told,) = rows(SHOP, [near], after, [], time, {NEAR: 3})
    assert (told.verdict, told.reason, told.in_flight) == (
        "no-target",
        "it has not offered the service since 19:44:01 UTC",
        3,
    )
    withheld = msgspec.structs.replace(after, withheld={SHOP: (BOTH[0],)})
    assert rows(SHOP, [near], withheld, [], time, {})[0].verdict == "not-allowed"


def test_a_site_that_offers_another_port_of_the_service_is_not_said_to_offer_none() -> None:
    """A site declared the name again, with another port: its targets serve that one."""
    absent = AbsentSites(Clock())
    absent.table_changed(table(*BOTH, reachable=(NEAR, FAR)))
    after = table(BOTH[1], reachable=(NEAR, FAR))
    moved = after.candidates | {ServiceKey(SHOP.name, 8081): (BOTH[0],)}
    after = msgspec.structs.replace(after, candidates=moved)
    absent.table_changed(after)
    (told,) = rows(SHOP, absent.of(SHOP), after, [], time, {})
    assert (told.verdict, told.reason) == (
        "no-target",
        "it offers the service at port 8081, and has not offered shop:8080 since 19:44:01 UTC",
    )


def test_a_site_that_may_not_see_the_service_is_not_said_to_lack_a_target() -> None:
    """A site became strict: the others, which had ready targets, no longer knew the service."""
    absent = AbsentSites(Clock())
    absent.table_changed(table(*BOTH, reachable=(NEAR, FAR)))
    declared = Declared(declaration=declare(SHOP.name), site=HERE, reachable=True, conflicts=())
    after = msgspec.structs.replace(
        table(reachable=(NEAR, FAR)), declarations={SHOP.name: declared}
    )
    absent.table_changed(after)
    near = absent.of(SHOP)[:1]
    (told,) = rows(SHOP, near, after, [], time, {}, SharingRules(strict=True))
    assert told.verdict == "excluded"
    assert told.reason.startswith("exportTo of ")
    assert told.reason.endswith(
        " does not name it, and it has not offered the service since 19:44:01 UTC"
    )
    named = SharingRules({SHOP.name: Sharing(export_to=(NEAR,))}, strict=True)
    for rules in (SharingRules(), named):
        assert rows(SHOP, near, after, [], time, {}, rules)[0].verdict == "no-target"
    alike = msgspec.structs.replace(declared, alike=(FAR,))
    alike_too = msgspec.structs.replace(after, declarations={SHOP.name: alike})
    strict = SharingRules(strict=True)
    assert rows(SHOP, near, alike_too, [], time, {}, strict)[0].verdict == "no-target"


def test_a_site_that_is_back_has_its_own_row_again_and_old_ones_are_forgotten() -> None:
    clock = Clock()
    absent = AbsentSites(clock)
    absent.table_changed(table(*BOTH))
    absent.table_changed(table())
    absent.table_changed(table(BOTH[0]))
    assert [one.site for one in absent.of(SHOP)] == [FAR]
    clock.now += ABSENT_SITES_SHOWN_S + 1
    assert absent.of(SHOP) == []


def test_what_is_remembered_is_bounded() -> None:
    absent = AbsentSites(Clock())
    many = [candidate(SiteId(f"s{n}"), 5, NEAR) for n in range(ABSENT_SITES_MAX + 5)]
    absent.table_changed(table(*many))
    absent.table_changed(table())
    assert len(absent.of(SHOP)) == ABSENT_SITES_MAX


def test_what_a_site_offered_that_is_not_reached_is_known_with_the_time_for_a_while() -> None:
    clock = Clock()
    absent = AbsentSites(clock)
    absent.table_changed(table(*BOTH, reachable=(NEAR, FAR)))
    clock.now = 50.0
    absent.table_changed(table(candidate(NEAR, 5, NEAR), reachable=(NEAR,)))
    assert absent.last_offered() == {FAR: (frozenset({"shop"}), 50.0)}
    clock.now = 60.0
    absent.table_changed(table(candidate(NEAR, 5, NEAR), reachable=(NEAR, FAR)))
    assert absent.last_offered() == {}, "it is reached, and offers nothing"
    absent.table_changed(table(reachable=()))
    clock.now = 60.0 + ABSENT_SITES_SHOWN_S + 1
    assert absent.last_offered() == {}


def test_what_a_site_withdrew_before_it_was_lost_is_not_what_it_offered_last() -> None:
    clock = Clock()
    pay = ServiceKey("pay", 8090)
    absent = AbsentSites(clock)
    shop_alone = table(BOTH[0], reachable=(NEAR, FAR))
    both = msgspec.structs.replace(
        shop_alone, candidates={SHOP: (BOTH[0],), pay: (candidate(NEAR, 5, NEAR),)}
    )
    absent.table_changed(both)
    clock.now = 40.0
    absent.table_changed(shop_alone)
    clock.now = 400.0
    lost = table()
    absent.table_changed(lost)
    assert absent.last_offered() == {NEAR: (frozenset({"shop"}), 400.0)}
    assert absent.of(pay) == [] == absent.unreached(pay)
