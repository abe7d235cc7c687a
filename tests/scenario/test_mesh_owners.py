"""Services of a mesh file whose names belong to another site, or move to one."""

from functools import partial

from tests.scenario.clients import fetch
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.meshes import MeshNetwork
from tests.scenario.waiting import until


def served_by(site: Site, name: str) -> bool:
    """Whether a client there is served by that target."""
    try:
        return fetch(site.address, SHOP_PORT).site == name
    except OSError:
        return False


def test_a_service_moves_to_another_owner_with_its_targets(net: Network) -> None:
    mesh = MeshNetwork(net)
    targets = {name: net.http(name) for name in ("west", "east")}
    sites = {name: mesh.site(name) for name in targets}
    mesh.link("east", "west")
    for owner in ("west", "east"):
        for name, target in targets.items():
            place = {"host": target.address, "port": target.port}
            connectors = {"shop": {"targets": [place]}} if name == owner else {}
            mesh.spec["sites"][name]["connectors"] = connectors
        shop = {"owner": owner, "protocol": "http", "ports": [SHOP_PORT]}
        mesh.spec["services"]["shop"] = shop
        mesh.apply("--wait", "30")
        for site in sites.values():
            until(partial(served_by, site, owner), f"{site.name} is served by {owner}", 60.0)
        assert mesh.changes("drift") == []
