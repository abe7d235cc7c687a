"""Which sites a neighbor leads to, as the route table has it."""

import msgspec
import pytest

from router.model.ids import RouterId, SiteId
from router.routing.sites_behind import SitesBehind, holders
from router.routing.table import RouteTable, SiteRoute

pytestmark = pytest.mark.usefixtures("both_orders")

HERE, HUB, FAR, OTHER = (SiteId(name) for name in ("here", "hub", "far", "other"))
ROUTERS = {RouterId(f"r-{site}"): site for site in (HERE, HUB, FAR, OTHER)}


def table_of(ways: dict[str, tuple[str, ...]]) -> RouteTable:
    """Next hops by router."""
    return RouteTable(
        generation=1,
        site=HERE,
        sites={},
        candidates={},
        declarations={},
        name_conflicts=(),
        next_hops={
            RouterId(router): frozenset(map(RouterId, hops)) for router, hops in ways.items()
        },
        epochs={},
        adjacencies=(),
        routers=ROUTERS,
    )


def test_a_site_is_behind_the_neighbours_that_its_cheapest_ways_begin_at() -> None:
    table = table_of({"r-hub": ("r-hub",), "r-other": ("r-other",), "r-far": ("r-hub", "r-other")})
    behind = SitesBehind()
    assert behind.has(table, HUB, HUB)
    assert behind.has(table, HUB, FAR)
    assert behind.has(table, OTHER, FAR)
    assert not behind.has(table, HUB, OTHER)


def test_what_no_way_leads_to_is_behind_nobody() -> None:
    behind, table = SitesBehind(), table_of({"r-hub": ("r-hub",)})
    assert not behind.has(table, HUB, FAR)
    assert not behind.has(table, HUB, SiteId("made-up"))
    assert not behind.has(table, SiteId("made-up"), HUB)


def test_a_new_table_counts_at_once() -> None:
    behind = SitesBehind()
    table = table_of({"r-hub": ("r-hub",), "r-far": ("r-hub",)})
    assert behind.has(table, HUB, FAR)
    moved = msgspec.structs.replace(
        table, next_hops={RouterId("r-far"): frozenset({RouterId("r-other")})}
    )
    assert not behind.has(moved, HUB, FAR)
    assert behind.has(moved, OTHER, FAR)


def test_at_an_edge_all_sites_are_behind_its_neighbour() -> None:
    """Its table has the router of each site, and the sites of no routers."""

    def site(name: SiteId) -> SiteRoute:
        return SiteRoute(
            site=name,
            name=name,
            router=RouterId(f"r-{name}"),
            path_cost=1,
            paths=(),
            next_hops=(),
            neighbours=(),
            version="",
            reachable=True,
            draining=False,
        )

    table = msgspec.structs.replace(
        table_of({"r-hub": ("r-hub",), "r-far": ("r-hub",)}),
        routers={},
        sites={name: site(name) for name in (HERE, HUB, FAR)},
    )
    behind = SitesBehind()
    assert behind.has(table, HUB, FAR)
    assert not behind.has(table, HUB, OTHER)


def way(site: SiteId, *paths: tuple[str, ...]) -> SiteRoute:
    """A site that is reached by these routers."""
    return SiteRoute(
        site=site,
        name=site,
        router=RouterId(f"r-{site}"),
        version="1",
        draining=False,
        path_cost=len(paths[0]),
        paths=tuple(tuple(RouterId(f"r-{one}") for one in path) for path in paths),
        next_hops=(),
        neighbours=(),
        reachable=True,
    )


def test_the_branch_of_a_site_is_the_first_site_beyond_the_neighbour() -> None:
    phantom = SiteId("phantom")
    table = table_of({"r-hub": ("r-hub",), "r-far": ("r-hub", "r-other"), "r-phantom": ("r-hub",)})
    table = msgspec.structs.replace(
        table,
        routers={**ROUTERS, RouterId("r-phantom"): phantom, RouterId("r-hub2"): HUB},
        sites={
            HUB: way(HUB, ("hub",)),
            FAR: way(FAR, ("hub", "hub2", "far"), ("other", "far")),
            phantom: way(phantom, ("hub", "far", "phantom")),
        },
    )
    behind = SitesBehind()
    assert behind.branch_to(table, HUB, FAR) == FAR, "a second router of the hub is the hub"
    assert behind.branch_to(table, OTHER, FAR) == FAR
    assert behind.branch_to(table, HUB, phantom) == FAR
    assert behind.branch_to(table, OTHER, phantom) is None
    assert behind.branch_to(table, HUB, SiteId("made-up")) is None


def test_who_lets_in_a_site_is_the_neighbor_before_it_or_the_token_of_that_one() -> None:
    sites = {
        HUB: way(HUB, ("hub",)),
        FAR: way(FAR, ("hub", "far"), ("other", "far")),
        OTHER: way(OTHER, ("other",)),
    }
    table = msgspec.structs.replace(table_of({}), sites=sites)
    assert holders(table, {}) == {HUB: HUB, FAR: HUB, OTHER: OTHER}
    assert holders(table, {HUB: "fleet", OTHER: "fleet"}) == dict.fromkeys(sites, "fleet")
