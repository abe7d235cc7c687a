"""An edge says what an interior router in its place would, although its table has less."""

import re
from collections.abc import Callable, Iterator

import pytest

from router.model import limits
from router.model.specs import GrantSpec, SitePolicySpec
from tests.simulation.world import SERVICE, SimSite, World
from tests.unit.operate.views import view_of

_TOLD_BY_ITS_NEIGHBOR = "SW0403"
"""That two sites bear one name."""
_TIME = re.compile(r"\d\d:\d\d:\d\d|\d+ s\b")
Site = SimSite
Act = Callable[[World, Site, Site, Site, Site], None]


def _withdraws(world: World, e: Site, a: Site, b: Site, c: Site) -> None:
    c.connectors.clear()
    c.services.clear()
    c.apply()


def _withdraws_during_a_cut(world: World, e: Site, a: Site, b: Site, c: Site) -> None:
    world.internet.cut(e.ip, a.ip)
    world.run(10)
    _withdraws(world, e, a, b, c)
    world.run(2)
    world.internet.heal(e.ip, a.ip)
    world.run(8)


def _comes_back_without_targets(world: World, e: Site, a: Site, b: Site, c: Site) -> None:
    c.kill()
    world.run(30)
    c.connectors.clear()
    c.start()


def _exports_no_more(world: World, e: Site, a: Site, b: Site, c: Site) -> None:
    c.policies["shop"] = SitePolicySpec(service="shop", export_to=("b",))
    c.apply()


def _exports_no_more_before_a_reset(world: World, e: Site, a: Site, b: Site, c: Site) -> None:
    _exports_no_more(world, e, a, b, c)
    world.run(1)
    world.internet.reset_all(e.ip, a.ip)
    world.run(8)


def _exports_no_more_and_withdraws(world: World, e: Site, a: Site, b: Site, c: Site) -> None:
    _exports_no_more(world, e, a, b, c)
    world.run(20)
    _withdraws(world, e, a, b, c)


def _exports_again(world: World, e: Site, a: Site, b: Site, c: Site) -> None:
    _exports_no_more(world, e, a, b, c)
    world.run(20)
    c.policies.clear()
    c.apply()


def _dies(world: World, e: Site, a: Site, b: Site, c: Site) -> None:
    c.kill()


def _stops(world: World, e: Site, a: Site, b: Site, c: Site) -> None:
    c.stop(lambda: None)


def _is_cut_off(world: World, e: Site, a: Site, b: Site, c: Site) -> None:
    a.unlink(b)


def _withdraws_and_dies(world: World, e: Site, a: Site, b: Site, c: Site) -> None:
    _withdraws(world, e, a, b, c)
    world.run(60)
    c.kill()


def _gets_weights(world: World, e: Site, a: Site, b: Site, c: Site) -> None:
    e.declare(policy="split", weights={"a": 1, "b": 2, "c": 1})


def _gets_weights_for_a_site_that_exports_no_more(
    world: World, e: Site, a: Site, b: Site, c: Site
) -> None:
    _gets_weights(world, e, a, b, c)
    _exports_no_more(world, e, a, b, c)


def _comes_back(world: World, e: Site, a: Site, b: Site, c: Site) -> None:
    c.kill()
    world.run(30)
    c.start()


def _is_granted_an_offer(world: World, e: Site, a: Site, b: Site, c: Site) -> None:
    grant = GrantSpec(site=b.identity.site, verbs=("offer",))
    for owner in (e, a, c):
        if owner.services:
            owner.policies["shop"] = SitePolicySpec(service="shop", grants=(grant,))
            owner.apply()
    world.run(limits.NEW_OFFERS_LEARN_S)
    b.serve(1, capacity=2, service_s=0.2)
    world.run(30)


def _is_declared_otherwise(world: World, e: Site, a: Site, b: Site, c: Site) -> None:
    b.declare(policy="balanced")


def _bears_the_name_of_another(world: World, e: Site, a: Site, b: Site, c: Site) -> None:
    c.kill()
    c.identity.name = "a"
    c.start()


def _has_a_neighbor_that_restarts(world: World, e: Site, a: Site, b: Site, c: Site) -> None:
    a.kill()
    world.run(10)
    a.start()


def _has_a_neighbor_that_stops(world: World, e: Site, a: Site, b: Site, c: Site) -> None:
    a.stop(lambda: None)


ACTS = (
    _is_declared_otherwise,
    _bears_the_name_of_another,
    _has_a_neighbor_that_restarts,
    _has_a_neighbor_that_stops,
    _is_granted_an_offer,
    _withdraws,
    _withdraws_during_a_cut,
    _comes_back_without_targets,
    _exports_no_more,
    _exports_no_more_before_a_reset,
    _exports_no_more_and_withdraws,
    _exports_again,
    _dies,
    _stops,
    _is_cut_off,
    _withdraws_and_dies,
    _gets_weights,
    _gets_weights_for_a_site_that_exports_no_more,
    _comes_back,
)


def said(act: Act, declarer: str, *, is_edge: bool) -> list[list[str]]:
    """What the router of ``e`` says before ``act``, soon after it and later, of the rest of a line
    ``e`` - ``a`` - ``b`` - ``c``, of which ``a`` and ``c`` serve."""
    world = World(1, "e", "a", "b", "c", edges=frozenset({"e"} if is_edge else ()))
    e, a, b, c = world.sites.values()
    events: list[str] = []
    e.told.append(lambda code, subject, text: events.append(f"{code} {subject}: {text}"))
    e.link(a, cost=1)
    a.link(b, cost=5)
    b.link(c, cost=2)
    world[declarer].declare()
    a.serve(1, capacity=2, service_s=0.2)
    c.serve(1, capacity=2, service_s=0.2)
    found = []
    for do, seconds in ((None, 5), (act, 2), (None, 40)):
        if do is not None:
            do(world, e, a, b, c)
        world.run(seconds)
        for _ in range(3):
            e.request()
        world.run(3)
        found.append([_TIME.sub("TIME", one) for one in (*sorted(events), *_words(e))])
        events.clear()
    return found


def _words(site: Site) -> Iterator[str]:
    view = view_of(site)
    status = view.status()
    yield f"{status.services} services, {status.links_up} links up"
    for found in (status.problems, status.notes):
        for one in found:
            if one.code != _TOLD_BY_ITS_NEIGHBOR:
                yield f"{one.code} {one.message} {one.hint}"
    for service in view.services():
        yield from (f"{one.site} {one.targets_ready} {one.note}" for one in service.sites)
        yield from (f"{one.site} {one.verdict}: {one.reason}" for one in service.absent)
    explained = site.router.readings.explain(SERVICE, site.network.now())
    if explained is not None:
        yield from (f"{one.site_name} {one.verdict}: {one.reason}" for one in explained.candidates)
    yield f"not reached: {site.router.news.absent.unreached(SERVICE)}"


@pytest.mark.parametrize("declarer", ["e", "a", "c"])
@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__.strip("_"))
def test_an_edge_says_what_an_interior_router_in_its_place_would(act: Act, declarer: str) -> None:
    assert said(act, declarer, is_edge=True) == said(act, declarer, is_edge=False)


def _sites(site: Site) -> list[tuple[str, bool, tuple[str, ...], bool]]:
    view = view_of(site)
    status = view.status()
    found = [(x.name, x.reachable, x.services, bool(x.services_at)) for x in view.network()]
    assert (status.sites, status.sites_known) == (sum(one[1] for one in found), len(found))
    return sorted(found)


@pytest.mark.parametrize("is_edge", [True, False])
@pytest.mark.parametrize("stops", [True, False])
def test_a_site_that_lost_its_neighbor_shows_the_sites_behind_it_and_what_they_offered(
    is_edge: bool, stops: bool
) -> None:
    world = World(1, "e", "a", "b", "c", edges=frozenset({"e"} if is_edge else ()))
    e, a, b, c = world.sites.values()
    e.link(a, cost=1)
    a.link(b, cost=5)
    b.link(c, cost=2)
    for site in (e, b, c):
        site.declare()
    for site in (b, c):
        site.serve(1, capacity=2, service_s=0.2)
    world.run(5)
    assert [one[0] for one in _sites(e)] == ["a", "b", "c", "e"]
    if stops:
        a.stop(lambda: None)
    else:
        a.kill()
    world.run(20)
    lost = [("a", False, (), False), ("b", False, ("shop",), True), ("c", False, ("shop",), True)]
    assert _sites(e) == [*lost, ("e", True, (), False)]
    if not stops:
        return
    a.start()
    world.run(20)
    assert all(is_reached for _, is_reached, _, _ in _sites(e))


@pytest.mark.parametrize("is_edge", [True, False])
def test_a_site_further_away_that_stops_is_shown_as_draining(is_edge: bool) -> None:
    world = World(1, "e", "a", "c", edges=frozenset({"e"} if is_edge else ()))
    e, a, c = world.sites.values()
    e.link(a, cost=1)
    c.link(a, cost=2)
    c.declare()
    c.serve(1, capacity=1, service_s=10.0)
    world.run(5)

    def draining() -> list[str]:
        return [one.name for one in view_of(e).network() if one.draining]

    e.request()
    world.run(1)
    assert draining() == []
    c.stop(lambda: None)
    world.run(2)
    assert draining() == ["c"]
    world.run(20)
    assert draining() == []


@pytest.mark.parametrize("is_edge", [True, False])
def test_a_site_that_a_neighbor_lost_is_shown_as_unreachable(is_edge: bool) -> None:
    world = World(1, "e", "a", "b", "c", edges=frozenset({"e"} if is_edge else ()))
    e, a, b, c = world.sites.values()
    e.link(a, cost=1)
    a.link(b, cost=5)
    b.link(c, cost=2)
    for site in (e, b, c):
        site.declare()
    for site in (b, c):
        site.serve(1, capacity=2, service_s=0.2)
    world.run(5)
    reached = _sites(e)
    b.kill()
    world.run(20)
    here, near = ("e", True, (), False), ("a", True, (), False)
    lost = [("b", False, ("shop",), True), ("c", False, ("shop",), True)]
    assert _sites(e) == [near, *lost, here]
    if is_edge:  # It has no LSAs, which other sites hold for longer.
        world.run(limits.SERVICE_SYNC_TTL_S)
        assert _sites(e) == [near, here]
    b.start()
    world.run(20)
    assert _sites(e) == reached


@pytest.mark.parametrize("is_edge", [True, False])
def test_a_site_that_declares_a_service_alike_is_not_among_those_that_differ(is_edge: bool) -> None:
    world = World(1, "e", "a", "b", edges=frozenset({"e"} if is_edge else ()))
    e, a, b = world.sites.values()
    e.link(a, cost=1)
    a.link(b, cost=5)
    a.declare(protocol="tcp")
    world.run(5)
    for site in (e, b):
        site.declare(protocol="http")
    world.run(5)
    (told,) = [one.message for one in view_of(e).status().problems if one.code == "SW0304"]
    assert told.startswith("Service shop is declared differently by a; this site uses its own ")
