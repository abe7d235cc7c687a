"""Whole networks as their documents say, in virtual time."""

from router.documents import Wanted
from router.model.rights.sharing import Terms
from router.model.specs import (
    ConnectorSpec,
    LinkSpec,
    ListenerSpec,
    ServiceSpec,
    SitePolicySpec,
    SiteSpec,
    TargetSpec,
)
from simulator.runs.rehearsal import AssumedTargets, Rehearsal, RehearsedSite

SHOP = ServiceSpec(protocol="http", ports=(80,))
HELD_S = 900.0


def site(name: str, *, links: dict[str, str] | None = None, **wanted: object) -> RehearsedSite:
    """A site with these documents."""
    dialed = links or {}
    values = {"site": SiteSpec(), **wanted}
    whole = Wanted(name=name, links=dict.fromkeys(dialed, LinkSpec()), **values)  # type: ignore[arg-type]
    return RehearsedSite(wanted=whole, links=dialed)


def serving(capacity: int | str | None, number: int = 1) -> dict[str, ConnectorSpec]:
    """A connector of so many targets."""
    targets = tuple(TargetSpec(f"10.0.0.{i + 1}", port=80) for i in range(number))
    return {"shop": ConnectorSpec(service="shop", targets=targets, capacity=capacity)}


def pair(capacity: int | str | None = 2, **policies: SitePolicySpec) -> dict[str, RehearsedSite]:
    """``west`` declares and serves a shop, ``east`` dials it."""
    west = site("west", services={"shop": SHOP}, connectors=serving(capacity), policies=policies)
    return {"west": west, "east": site("east", links={"west": "west"})}


def import_from_nobody() -> SitePolicySpec:
    return SitePolicySpec(service="shop", import_from=())


def told(network: Rehearsal, at: str) -> tuple[str, int]:
    """Who served a request from there, and its status."""
    request = network.ask(at, "shop", 0.01)
    network.run(5.0)
    return request.served_by, request.status


def test_a_request_is_served_by_the_target_of_another_site() -> None:
    network = Rehearsal(pair(), {})
    assert told(network, "east") == ("west", 200)
    assert network.why_not("east", "shop") == ""


def test_slots_are_the_stated_ones_or_as_assumed() -> None:
    assert Rehearsal(pair(2), {}).slots("west", "shop") == 2
    assert Rehearsal(pair("auto"), {}).slots("west", "shop") == 10
    assumed = {"shop": AssumedTargets(slots=3, targets=2)}
    assert Rehearsal(pair("auto"), assumed).slots("west", "shop") == 3
    workload = {"shop": ConnectorSpec(service="shop", workload="deployment/shop", capacity="auto")}
    west = site("west", services={"shop": SHOP}, connectors=workload)
    assert Rehearsal({"west": west}, assumed).slots("west", "shop") == 6


def test_requests_that_stay_are_at_work_until_they_end() -> None:
    network = Rehearsal(pair(), {})
    for _ in range(2):
        network.ask("east", "shop", HELD_S)
    network.run(1.0)
    assert network.at_work("shop") == {"west": 2, "east": 0}
    network.run(HELD_S)
    assert network.at_work("shop") == {"west": 0, "east": 0}


def test_a_site_that_was_killed_serves_nothing() -> None:
    network = Rehearsal(pair(), {})
    network.kill("west")
    network.run(20.0)
    assert told(network, "east")[0] == ""


def test_rules_count_and_say_why() -> None:
    network = Rehearsal(pair(shop=SitePolicySpec(service="shop", export_to=())), {})
    assert told(network, "east")[0] == ""
    assert told(network, "west") == ("west", 200)
    assert network.why_not("east", "shop") == "", "it has never heard of it"
    deaf = site("east", links={"west": "west"}, policies={"shop": import_from_nobody()})
    network = Rehearsal(pair() | {"east": deaf}, {})
    assert told(network, "east")[0] == ""
    assert "importFrom of east" in network.why_not("east", "shop")


def test_terms_of_a_link_count() -> None:
    sites = pair()
    west = RehearsedSite(wanted=sites["west"].wanted, terms={"east": Terms(None, None, ("other",))})
    assert told(Rehearsal(sites | {"west": west}, {}), "east")[0] == ""


def test_a_rule_that_names_an_id_means_the_site_with_that_id() -> None:
    rule = SitePolicySpec(service="shop", export_to=(f"east@{7:032x}",))
    sites = pair(shop=rule)
    east = RehearsedSite(
        wanted=sites["east"].wanted, links=sites["east"].links, site_id=f"{7:032x}"
    )
    assert told(Rehearsal(sites, {}), "east")[0] == ""
    assert told(Rehearsal(sites | {"east": east}, {}), "east") == ("west", 200)


def test_a_listener_that_is_none_is_none_here_too() -> None:
    sites = pair()
    closed = {"shop": ListenerSpec(service="shop", listen="none")}
    east = site("east", links={"west": "west"}, listeners=closed)
    assert told(Rehearsal(sites | {"east": east}, {}), "east")[0] == ""


def test_the_same_network_does_the_same() -> None:
    found = []
    for _ in range(2):
        network = Rehearsal(pair(), {})
        for _ in range(5):
            network.ask("east", "shop", 0.2)
            network.run(0.05)
        network.run(5.0)
        found.append((network.journal, network.at_work("shop"), network.internet.now))
    assert found[0] == found[1]
