"""The verdict of `mesh test` on a network beforehand, and the network's routers as processes."""

import json
from typing import Any

import pytest

from tests.scenario.clients import fetch
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.meshes import MeshNetwork
from tests.scenario.waiting import stays, until

SITES = ("west", "hub", "east")
QUIET_S = 1.0
"""So long nothing changes any more."""


@pytest.fixture
def mesh(net: Network) -> MeshNetwork:
    """``west`` and ``east``, each linked to ``hub``; ``west`` owns a shop and has its target."""
    mesh = MeshNetwork(net)
    target = net.http("west")
    place = {"host": target.address, "port": target.port}
    mesh.site("west", connectors={"shop": {"targets": [place], "capacity": 10}})
    mesh.site("hub")
    mesh.site("east")
    mesh.link("west", "hub")
    mesh.link("east", "hub")
    mesh.spec["services"]["shop"] = {"owner": "west", "protocol": "http", "ports": [SHOP_PORT]}
    mesh.spec["tests"] = [f"{name} may call shop" for name in SITES]
    return mesh


def judged(mesh: MeshNetwork, *, all_hold: bool) -> dict[str, bool]:
    """Which site may call the shop, by `mesh test`."""
    mesh.write()
    done = mesh.mesh("test", "-o", "json", code=0 if all_hold else 1)
    items = json.loads(done.out)["items"]
    assert [one["test"] for one in items] == mesh.spec["tests"]
    return {one["test"].split()[0]: one["holds"] for one in items}


def serves(site: Site) -> bool:
    """Whether a client of that site is served."""
    try:
        return fetch(site.address, SHOP_PORT, timeout_s=5.0).status == 200
    except OSError:
        return False


def do_so(mesh: MeshNetwork, expected: dict[str, bool]) -> None:
    """Routers do as ``expected``, and go on doing so."""

    def as_expected() -> bool:
        found = {site.name: serves(site) for site in mesh.net.sites}
        return found == expected

    until(as_expected, f"clients are served as {expected}")
    stays(as_expected, f"clients are served as {expected}", QUIET_S)


Policy = dict[str, Any]
RULES: dict[str, tuple[dict[str, Policy], dict[str, Policy], str]] = {
    "open": ({}, {}, "west hub east"),
    "exported to one": ({"west": {"exportTo": ["hub"]}}, {}, "west hub"),
    "not imported": ({"hub": {"importFrom": []}}, {}, "west east"),
    "used on terms": ({}, {"east": {"import": ["other"]}}, "west hub"),
    "declared on terms": ({}, {"west": {"declare": []}}, "west"),
    "served on terms": ({}, {"west": {"export": ["other-*"]}}, "west"),
}


@pytest.mark.parametrize("rules", RULES)
def test_who_may_call_is_who_is_served(mesh: MeshNetwork, rules: str) -> None:
    policies, terms, callers = RULES[rules]
    for name, policy in policies.items():
        mesh.spec["sites"][name]["policies"] = {"shop": policy}
    for link in mesh.spec["links"]:
        link["allow"] = terms.get(link["from"], {})
    expected = {name: name in callers.split() for name in SITES}
    assert judged(mesh, all_hold=all(expected.values())) == expected
    mesh.apply("--wait", "30")
    do_so(mesh, expected)


def test_a_wrong_grant_is_refused_before_it_is_applied(mesh: MeshNetwork) -> None:
    """Sites that trust no other: the owner grants calls to the wrong one."""
    for name in SITES:
        mesh.spec["sites"][name]["settings"]["sharing"] = "strict"
        mesh.spec["sites"][name]["policies"] = {"all": {"service": "*", "importFrom": ["west"]}}
    mesh.spec["tests"][1] = "hub may not call shop"
    mesh.spec["services"]["shop"]["grants"] = [{"site": "hub", "verbs": ["call"]}]
    assert judged(mesh, all_hold=False) == {"west": True, "hub": False, "east": False}
    said = mesh.mesh("test", code=1).out
    assert "FAILED hub may not call shop\n       served by west" in said
    assert "FAILED east may call shop" in said

    mesh.spec["services"]["shop"]["grants"] = [{"site": "east", "verbs": ["call"]}]
    assert judged(mesh, all_hold=True) == dict.fromkeys(SITES, True)
    mesh.apply("--wait", "30")
    do_so(mesh, {"west": True, "hub": False, "east": True})
