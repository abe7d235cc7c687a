"""Names and costs of sites that samples name, for as long as they do."""

from router.history.readings import OTHERS
from router.model import limits
from router.model.ids import RouterId, SiteId
from router.routing.table import RouteTable, SiteRoute
from router.workers.history_sites import HistorySites
from simulator.runs.virtual import SimIdentity

OWN = SimIdentity("here", RouterId("r"))


def id_of(name: str) -> SiteId:
    return SiteId(f"id of {name}")


def name_of(site: SiteId) -> str:
    return site.removeprefix("id of ")


def route(name: str, path_cost: int | None) -> SiteRoute:
    return SiteRoute(
        site=id_of(name),
        name=name,
        router=OWN.router,
        path_cost=path_cost,
        paths=(),
        next_hops=(),
        neighbours=(),
        version="",
        reachable=path_cost is not None,
        draining=False,
    )


def table(**costs: int | None) -> RouteTable:
    routes = [route(name, cost) for name, cost in costs.items()]
    return RouteTable(
        generation=1,
        site=OWN.site,
        sites={one.site: one for one in routes},
        candidates={},
        declarations={},
        name_conflicts=(),
        next_hops={},
        epochs={},
        adjacencies=(),
    )


def told(sites: HistorySites, *names: str) -> list[tuple[str, str, int | None, int | None]]:
    _, *others = sites.of(OWN, {id_of(name) for name in names})
    return [(one.name, one.id, one.path_cost, one.last_cost) for one in others]


def test_a_site_that_is_gone_is_known_until_no_sample_can_name_it() -> None:
    sites = HistorySites(name_of)
    sites.look(table(near=2, far=7), 0.0)
    sites.look(table(near=2), 5.0)
    kept = [("near", "id of near", 2, 2), ("far", "id of far", None, 7)]
    assert told(sites, "far", "near") == kept
    sites.look(table(near=2), 5.0 + limits.HISTORY_S)
    assert told(sites, "far", "near") == kept
    sites.look(table(near=2), 10.0 + limits.HISTORY_S + limits.HISTORY_STEP_S)
    assert told(sites, "far", "near") == [
        ("near", "id of near", 2, 2),
        ("far", "id of far", None, None),
    ]


def test_a_site_without_a_path_keeps_its_cost_and_one_that_is_back_has_its_new_one() -> None:
    sites = HistorySites(name_of)
    sites.look(table(near=2, far=7), 0.0)
    sites.look(table(near=None, far=7), 5.0)
    assert told(sites, "far", "near")[0] == ("near", "id of near", None, 2)
    sites.look(table(near=9, far=7), 10.0)
    assert told(sites, "far", "near")[1] == ("near", "id of near", 9, 9)


def test_a_site_that_had_a_detour_for_a_moment_keeps_the_cost_of_its_way() -> None:
    """It read "gone, cost 7" for 40 ms over another site, while both links of it drained."""
    sites = HistorySites(name_of)
    for at, cost in ((0.0, 3), (10.0, 7), (10.1, 9), (10.3, None)):
        sites.look(table(far=cost), at)
    assert told(sites, "far") == [("far", "id of far", None, 3)]
    for at, cost in ((20.0, 7), (21.0, 3), (22.0, None)):  # It was the way again.
        sites.look(table(far=cost), at)
    assert told(sites, "far") == [("far", "id of far", None, 3)]
    for at, cost in ((40.0, 3), (45.0, 7), (50.0, None)):  # A step apart, as a recorder looks.
        sites.look(table(far=cost), at)
    assert told(sites, "far") == [("far", "id of far", None, 3)]
    later = 61.0 + limits.ABSENT_DETOUR_S + limits.HISTORY_STEP_S
    for at, cost in ((60.0, 3), (61.0, 7), (later, None)):
        sites.look(table(far=cost), at)
    assert told(sites, "far") == [("far", "id of far", None, 7)]


def test_of_more_than_there_is_room_for_the_newest_are_known() -> None:
    sites = HistorySites(name_of)
    many = [f"s{number}" for number in range(limits.HISTORY_GONE_SITES_MAX + 1)]
    for number, name in enumerate(many):
        sites.look(table(**{name: 1}), float(number))
    sites.look(table(), float(len(many)))
    assert told(sites, many[0]) == [(many[0], f"id of {many[0]}", None, None)]
    assert [cost for _, _, _, cost in told(sites, many[1], many[-1])] == [1, 1]


def test_two_sites_of_one_name_are_two_sites_and_told_apart() -> None:
    first, second = SiteId("1" * 32), SiteId("2" * 32)
    sites = HistorySites(lambda site: "far")
    found = sites.of(OWN, {first, second})
    assert [(one.name, one.id) for one in found[1:]] == [
        ("far@11111111", first),
        ("far@22222222", second),
    ]


def test_sites_that_a_sample_had_no_room_for_come_last_and_have_no_id() -> None:
    sites = HistorySites(name_of)
    sites.look(table(near=2), 0.0)
    found = sites.of(OWN, {OTHERS, id_of("near"), id_of("away")})
    assert [(one.name, one.id) for one in found[1:]] == [
        ("near", "id of near"),
        ("away", "id of away"),
        (OTHERS, ""),
    ]
