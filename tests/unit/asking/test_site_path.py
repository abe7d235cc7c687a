"""The way to a site, for `ping`: why there is none."""

from types import SimpleNamespace

from router.asking.site_path import NetworkWay, way_to
from router.model.ids import RouterId, SiteId
from router.routing.bars import BarRow
from router.routing.table import RouteTable, SiteRoute

HERE, BY, OUT = SiteId("h" * 32), SiteId("b" * 32), SiteId("o" * 32)


def route(site: SiteId, name: str, *, reachable: bool = True) -> SiteRoute:
    return SiteRoute(
        site=site,
        name=name,
        router=RouterId(name),
        reachable=reachable,
        draining=False,
        path_cost=1 if reachable else None,
        paths=(),
        next_hops=(),
        neighbours=(),
        version="",
    )


def way(bars: tuple[BarRow, ...], put_out: frozenset[SiteId]) -> NetworkWay:
    gone = route(OUT, "moor", reachable=False)
    table = RouteTable(
        generation=1,
        site=HERE,
        sites={HERE: route(HERE, "here"), BY: route(BY, "berg"), OUT: gone},
        candidates={},
        declarations={},
        name_conflicts=(),
        next_hops={},
        epochs={},
        adjacencies=(),
        bars=bars,
        put_out=put_out,
    )
    found = way_to(gone, SimpleNamespace(table=table), None, lambda site: "")  # type: ignore[arg-type]
    assert found is not None
    return found


def test_a_site_that_was_put_out_is_not_said_to_be_lost_alone() -> None:
    bars = (BarRow(OUT, BY, 100),)
    lost = way(bars, frozenset()).reason
    assert lost.startswith("no way to moor is known")
    assert way(bars, frozenset({OUT})).reason == f"barred by berg, and {lost}"
