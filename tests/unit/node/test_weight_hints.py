"""Weights that have no effect, because their sites have no target."""

import msgspec
import pytest

from router.documents import Wanted
from router.model.ids import ServiceKey, SiteId
from router.model.rights.sharing import Sharing, SharingRules
from router.model.specs import ConnectorSpec, PolicySpec, ServiceSpec, SiteSpec, TargetSpec
from router.node.problems.weight_hints import weight_hints
from router.routing.declared import Declared
from router.routing.table import RouteTable
from tests.unit.node.test_capacity_hints import table
from tests.unit.node.test_problems import table as sites_named
from tests.unit.routing.fakes import declare


def known(ready: int = 1) -> RouteTable:
    """Of `cloud`, which has targets, and `attic`, which has none."""
    found = table()
    sites = sites_named(b="cloud", c="attic").sites
    (cloud,) = found.candidates[ServiceKey("shop", 8080)]
    cloud = msgspec.structs.replace(cloud, targets_ready=ready)
    return msgspec.structs.replace(
        found, sites=sites, candidates={ServiceKey("shop", 8080): (cloud,)}
    )


def nowhere(service: str) -> bool:
    return False


def said(weights: dict[str, int], *, here: bool = True, ready: int = 1) -> list[str]:
    spec = ServiceSpec(ports=(8080,), policy=PolicySpec(name="split", weights=weights))
    wanted = Wanted(name="onprem", site=SiteSpec(), services={"shop": spec})
    notes = weight_hints(wanted, known(ready), "onprem", lambda service: here, nowhere)
    assert {(note.code, note.severity) for note in notes} <= {("SW0314", "warning")}
    return [note.message for note in notes]


def test_a_weighted_site_without_a_target_is_named() -> None:
    assert said({"cloud": 1, "onprem": 3}) == []
    assert said({"attic": 3, "cloud": 1}) == [
        "Service shop gives weight to attic, which has no ready target: the other sites get its "
        "share."
    ]
    assert said({"attic": 3, "onprem": 3, "cloud": 1}, here=False) == [
        "Service shop gives weight to attic, onprem, which have no ready target: the other sites "
        "get their shares."
    ]


def test_where_targets_are_bound_and_not_ready_the_step_is_to_see_why() -> None:
    found = known()
    key = ServiceKey("shop", 8080)
    (cloud,) = found.candidates[key]
    down = msgspec.structs.replace(
        cloud, site=SiteId("c"), site_name="attic", targets_ready=0, capacity=None
    )
    found = msgspec.structs.replace(found, candidates={key: (cloud, down)})
    weights = {"attic": 3, "cloud": 1, "onprem": 1}

    def hints(connectors: dict[str, ConnectorSpec], weights: dict[str, int]) -> dict[str, str]:
        spec = ServiceSpec(ports=(8080,), policy=PolicySpec(name="split", weights=weights))
        wanted = Wanted(
            name="onprem", site=SiteSpec(), services={"shop": spec}, connectors=connectors
        )
        notes = weight_hints(wanted, found, "onprem", nowhere, nowhere)
        return {note.message.partition(",")[0]: note.hint.partition(":")[0] for note in notes}

    gives = "Service shop gives weight to"
    assert hints({}, weights) == {
        f"{gives} attic": "At attic, see why under ERROR",
        f"{gives} onprem": "Bind targets there, or give all weights again",
    }
    bound = {"shop": ConnectorSpec(service="shop", targets=(TargetSpec("10.0.0.1", port=1),))}
    assert hints(bound, {"onprem": 3, "cloud": 1}) == {f"{gives} onprem": "See why under ERROR"}


def test_at_an_edge_a_site_without_a_target_has_no_row_and_is_named_too() -> None:
    spec = ServiceSpec(ports=(8080,), policy=PolicySpec("split", {"cloud": 1, "far": 1, "off": 0}))
    interior, edge = SiteSpec(), SiteSpec(router_mode="edge")

    def messages(site: SiteSpec) -> list[str]:
        wanted = Wanted(name="onprem", site=site, services={"shop": spec})
        notes = weight_hints(wanted, known(), "onprem", nowhere, nowhere)
        return [note.message.partition(":")[0] for note in notes]

    assert messages(interior) == [], "SW0312 names it"
    assert messages(edge) == ["Service shop gives weight to far, which has no ready target"]


def test_a_weighted_site_that_is_drained_is_no_fault_and_said_to_drain() -> None:
    found = known()
    key = ServiceKey("shop", 8080)
    (cloud,) = found.candidates[key]
    attic = msgspec.structs.replace(
        cloud, site=SiteId("c"), site_name="attic", targets_ready=0, draining=True
    )
    found = msgspec.structs.replace(found, candidates={key: (cloud, attic)})
    spec = ServiceSpec(
        ports=(8080,), policy=PolicySpec(name="split", weights={"attic": 3, "cloud": 1})
    )
    wanted = Wanted(name="onprem", site=SiteSpec(), services={"shop": spec})
    (note,) = weight_hints(wanted, found, "onprem", nowhere, nowhere)
    assert (note.severity, note.message) == (
        "info",
        "Service shop gives weight to attic, which drains: the other sites get its share.",
    )
    stops = {
        site: msgspec.structs.replace(route, draining=route.name == "attic")
        for site, route in found.sites.items()
    }
    found = msgspec.structs.replace(found, sites=stops)
    assert weight_hints(wanted, found, "onprem", nowhere, nowhere) == [], "no command ends a stop"


def test_this_site_is_no_fault_either_while_it_is_drained() -> None:
    spec = ServiceSpec(
        ports=(8080,), policy=PolicySpec(name="split", weights={"onprem": 3, "cloud": 1})
    )
    wanted = Wanted(name="onprem", site=SiteSpec(), services={"shop": spec})
    (note,) = weight_hints(wanted, known(), "onprem", nowhere, lambda service: True)
    assert note.severity == "info" and "onprem, which drains" in note.message


def test_a_name_that_no_site_has_and_a_service_that_no_site_serves_are_other_problems() -> None:
    assert said({"nowhere": 3, "cloud": 1}) == []
    assert said({"attic": 3, "cloud": 1}, here=False, ready=0) == []


@pytest.mark.parametrize("whose", ["own", "theirs"])
def test_a_site_that_a_rule_leaves_out_is_not_said_to_have_no_target(whose: str) -> None:
    found = known()
    key = ServiceKey("shop", 8080)
    (cloud,) = found.candidates[key]
    attic = msgspec.structs.replace(cloud, site=SiteId("c"), site_name="attic")
    if whose == "own":
        attic = msgspec.structs.replace(attic, barred="importFrom does not name attic")
        found = msgspec.structs.replace(found, candidates={key: (cloud, attic)})
    else:
        found = msgspec.structs.replace(found, withheld={key: (attic,)})
    spec = ServiceSpec(
        ports=(8080,), policy=PolicySpec(name="split", weights={"attic": 3, "cloud": 1})
    )
    wanted = Wanted(name="onprem", site=SiteSpec(), services={"shop": spec})
    (note,) = weight_hints(wanted, found, "onprem", nowhere, nowhere)
    assert (note.severity, note.message, note.hint) == (
        "warning",
        "Service shop gives weight to attic, which may not serve this site: the other sites get "
        "its share.",
        "See which rule leaves out attic: sitectl why shop",
    )


def test_a_site_that_may_not_see_the_service_is_not_said_to_have_no_target() -> None:
    """This site became strict: the other one, which had a ready target, no longer knew of it."""
    found = known()
    word = Declared(declaration=declare("shop"), site=found.site, reachable=True, conflicts=())
    found = msgspec.structs.replace(found, declarations={"shop": word})
    spec = ServiceSpec(
        ports=(8080,), policy=PolicySpec(name="split", weights={"attic": 3, "cloud": 1})
    )
    wanted = Wanted(name="onprem", site=SiteSpec(), services={"shop": spec})
    cloud = SharingRules({"shop": Sharing(export_to=("cloud",))}, strict=True)
    (note,) = weight_hints(wanted, found, "onprem", nowhere, nowhere, cloud)
    assert (note.message, note.hint) == (
        "Service shop gives weight to attic, which exportTo of onprem does not name: the other "
        "sites get its share.",
        "Let attic see and serve it: sitectl service grant shop --site attic --offer",
    )


def test_a_site_that_is_not_reached_is_not_said_to_have_no_target() -> None:
    found = known()
    sites = {
        site: msgspec.structs.replace(route, reachable=route.name != "attic")
        for site, route in found.sites.items()
    }
    found = msgspec.structs.replace(found, sites=sites)
    spec = ServiceSpec(
        ports=(8080,), policy=PolicySpec(name="split", weights={"attic": 3, "cloud": 1})
    )
    wanted = Wanted(name="onprem", site=SiteSpec(), services={"shop": spec})
    (note,) = weight_hints(wanted, found, "onprem", nowhere, nowhere)
    assert (note.severity, note.message, note.hint) == (
        "warning",
        "Service shop gives weight to attic, which is not reached: the other sites get its share.",
        "See which links are down: sitectl network status",
    )
