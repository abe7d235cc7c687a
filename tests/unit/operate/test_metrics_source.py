"""What a scrape reads out of the rooms."""

from collections.abc import Iterable
from platform import python_version

from router.admin.exposition import pieces
from router.admin.metrics import FAMILIES
from router.admin.ports import MetricValues
from router.model.events import Problem
from router.model.limits import SILENCE_TOLD_S
from router.model.specs import ConnectorSpec, TargetSpec
from router.operate.figures.metrics_source import measure
from router.operate.figures.site_labels import with_site_names
from tests.simulation.world import SimMemory, World


def whole(parts: Iterable[MetricValues]) -> MetricValues:
    """All parts of a scrape as one."""
    made = MetricValues({}, {})
    for part in parts:
        made = MetricValues(
            {
                name: {**made.numbers.get(name, {}), **part.numbers.get(name, {})}
                for name in made.numbers.keys() | part.numbers.keys()
            },
            {
                name: {**made.histograms.get(name, {}), **part.histograms.get(name, {})}
                for name in made.histograms.keys() | part.histograms.keys()
            },
        )
    return made


def test_every_value_has_a_family_and_as_many_labels_as_it_says() -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    a.declare()
    b.serve(1, capacity=1)
    world.run(5)
    answers = [a.request() for _ in range(2)]
    world.run(5)
    assert [answer.status for answer in answers] == [200, 200]
    measured = measure(a.router, SimMemory(a, 100).guard, {"leaf": 1.0}, 0.5)
    values = whole(with_site_names(measured, a.router.site_name))
    read = {**values.numbers, **values.histograms}
    assert read.keys() <= FAMILIES.keys()
    for metric, series in read.items():
        assert {len(labels) for labels in series} == {len(FAMILIES[metric].labels)}, metric
    served = ("shop", "8080", "http", "b", "2xx")
    assert values.numbers["spillway_requests_total"][served] == 2
    assert b"spillway_loop_lag_seconds 0.5" in b"".join(pieces([values]))


def test_requests_spilled_to_two_sites_that_come_to_have_one_name_are_added() -> None:
    """As when a site was deleted and made again: no scrape of its neighbors worked any more."""
    world = World(1, "a", "b", "c")
    a, b, c = world.sites.values()
    a.declare()
    for site in (a, b, c):
        site.serve(1, capacity=1, service_s=1.0)
    for site in (b, c):
        a.link(site, cost=1)
    world.run(5)
    answers = [a.request() for _ in range(3)]
    world.run(5)
    assert [answer.status for answer in answers] == [200, 200, 200]
    measured = measure(a.router, SimMemory(a, 100).guard, {}, 0.0)
    values = whole(with_site_names(measured, lambda site: "see" if site else ""))
    assert values.numbers["spillway_spilled_total"] == {("shop", "8080", "see", "full"): 2}


def test_a_link_that_is_silent_is_up_and_says_for_how_long() -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    world.run(2)

    def told(name: str) -> float:
        values = whole(measure(a.router, SimMemory(a, 100).guard, {}, 0.0))
        return values.numbers[name]["to-b", "outgoing", "b"]

    assert told("spillway_link_silent_seconds") == 0.0
    world.internet.cut(a.ip, b.ip)
    world.run(SILENCE_TOLD_S + 0.01)
    assert told("spillway_link_up") == 1.0
    assert told("spillway_link_silent_seconds") > SILENCE_TOLD_S


def test_a_service_without_a_ready_target_is_measured_where_status_names_it() -> None:
    world = World(1, *"abc")
    a, b, c = world.sites.values()
    a.link(b, cost=1)
    c.link(b, cost=1)
    a.declare()
    world.run(5)

    def lacking() -> dict[str, bool]:
        measured = {
            name: whole(measure(site.router, SimMemory(site, 100).guard, {}, 0.0)).numbers
            for name, site in world.sites.items()
        }
        found = {
            name: ("shop", "8080") in one.get("spillway_unserved", {})
            for name, one in measured.items()
        }
        for name, site in world.sites.items():
            assert found[name] == ("SW0309" in [one.code for one in site.router.problems()])
        return found

    assert lacking() == {"a": False, "b": False, "c": False}
    b.connectors["here"] = ConnectorSpec(service="shop", targets=(TargetSpec("127.0.0.1", 9000),))
    b.apply()
    world.run(5)
    assert lacking() == {"a": True, "b": True, "c": False}, "no client asks for it at c"


def test_requests_that_are_shed_are_told_from_those_that_are_refused() -> None:
    world = World(1, "a")
    (a,) = world.sites.values()
    a.declare(sheddable="x-priority: batch", queue=0)
    a.serve(1, capacity=1, service_s=1.0)
    world.run(5)
    served = a.request()
    world.run(0.1)
    shed = [a.request("X-Priority: batch") for _ in range(3)]
    refused = [a.request() for _ in range(2)]
    world.run(5)
    assert served.status == 200
    assert {one.status for one in (*shed, *refused)} == {503}
    values = whole(measure(a.router, SimMemory(a, 100).guard, {}, 0.0))
    assert values.numbers["spillway_failed_requests_total"] == {
        ("shop", "8080", "shed"): 3.0,
        ("shop", "8080", "all-full"): 2.0,
    }


def test_problems_are_counted_by_their_code() -> None:
    world = World(1, "a")
    (a,) = world.sites.values()
    codes = ("SW0202", "SW0403", "SW0202")
    problems = [Problem(code=code, message="", hint="") for code in codes]
    measured = measure(a.router, SimMemory(a, 100).guard, {}, 0.0, problems=problems)
    found = whole(measured).numbers["spillway_problems"]
    assert found == {("SW0202",): 2.0, ("SW0403",): 1.0}


def test_a_scrape_names_the_version_and_old_names_have_the_series_of_the_new_ones() -> None:
    world = World(1, "a", "b", "edge", edges=frozenset({"edge"}))
    a, b, edge = world.sites.values()
    a.link(b, cost=1)
    edge.link(a, cost=1)
    world.run(5)
    values = whole(measure(a.router, SimMemory(a, 100).guard, {}, 0.0))
    versions = values.numbers["spillway_build_info"]
    assert versions == {(a.router.version, python_version()): 1.0}
    text = b"".join(pieces([values])).decode()
    for old, family in FAMILIES.items():
        if family.replaced_by:
            assert f"# HELP {old} Deprecated, use {family.replaced_by}.\n" in text
            new = FAMILIES[family.replaced_by]
            assert (family.kind, family.labels) == (new.kind, new.labels)
    assert "\nspillway_attached_routers 1.0\n" in text and "\nspillway_edges 1.0\n" in text
    (updates,) = values.numbers["spillway_route_updates_total"].values()
    assert updates > 0 and f"\nspillway_lsa_total {updates:.1f}\n" in text


def test_an_edge_counts_no_updates_of_routes_since_its_neighbor_sends_none() -> None:
    world = World(1, "a", "edge", edges=frozenset({"edge"}))
    a, edge = world.sites.values()
    edge.link(a, cost=1)
    world.run(5)
    values = whole(measure(edge.router, SimMemory(edge, 100).guard, {}, 0.0))
    assert values.numbers["spillway_sites"] == {(): 2}
    assert "spillway_route_updates_total" not in values.numbers


def test_whatever_names_a_link_names_its_neighbor() -> None:
    named = [name for name, family in FAMILIES.items() if "link" in family.labels]
    assert len(named) >= 3
    assert all("neighbour" in FAMILIES[name].labels for name in named)


def test_a_site_without_connector_shows_no_slots_of_its_own() -> None:
    world = World(1, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    a.declare()
    b.serve(1, capacity=7)
    world.run(5)
    values = whole(measure(a.router, SimMemory(a, 100).guard, {}, 0.0))
    capacities = values.numbers["spillway_capacity"]
    assert capacities == {("shop", "8080", "b"): 7}


def test_two_sites_of_one_name_have_series_of_their_own_from_when_both_are_known() -> None:
    world = World(1, "a", "b", "c")
    a, b, c = world.sites.values()
    a.link(b, cost=1)
    a.declare()
    a.serve(1, capacity=2, service_s=30.0)
    b.serve(1, capacity=5, service_s=30.0)
    world.run(5)
    for _ in range(3):
        a.request()
    world.run(5)
    c.kill()
    c.identity.name = "b"
    c.start()
    a.link(c, cost=2)
    world.run(5)
    bears = {site: route.name for site, route in a.router.routing.table.sites.items()}
    first, twin = bears[b.identity.site], bears[c.identity.site]
    assert (first, twin) == (f"b@{b.identity.site[:8]}", f"b@{c.identity.site[:8]}")
    values = whole(measure(a.router, SimMemory(a, 100).guard, {}, 0.0)).numbers
    held = values["spillway_clients_in_flight"]
    assert {labels[-1]: count for labels, count in held.items() if count} == {"a": 2, first: 1}
    world.run(60)
    measured = measure(a.router, SimMemory(a, 100).guard, {}, 0.0)
    values = whole(with_site_names(measured, a.router.site_name)).numbers
    served = {labels[-2]: count for labels, count in values["spillway_requests_total"].items()}
    assert served == {"a": 2, first: 1}


def test_a_site_that_stops_does_not_miss_its_own_targets() -> None:
    """It takes none of them for ready any more once its last request ended, and no other site is
    reached: with two workers `status` said so until the other one was through as well."""
    world = World(3, "a", "b")
    a, b = world.sites.values()
    a.link(b, cost=1)
    a.declare()
    a.serve(1, capacity=5, service_s=2.0)
    world.run(3)
    done: list[bool] = []
    a.offer(2, 1)
    a.router.drain(lambda: done.append(True))
    world.run(5)
    assert done
    assert [one.code for one in a.router.problems()] == []
    values = whole(measure(a.router, SimMemory(a, 100).guard, {}, 0.0))
    assert "spillway_unserved" not in values.numbers
