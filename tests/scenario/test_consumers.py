"""What a site says that only consumes a service, while no target of it is ready."""

from typing import Any

from tests.scenario.clients import fetch
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import until


class Consumed:
    """far declares and serves the shop; clients enter at near, which has no part in it, nor has
    idle, whose clients ask for nothing."""

    def __init__(self, net: Network) -> None:
        self.near, self.far, self.idle = (net.site(name) for name in ("near", "far", "idle"))
        self.target = net.http("far")
        self.far.declare("shop")
        self.far.connect("shop", self.target)
        net.link(self.near, self.far, 5)
        net.link(self.idle, self.far, 5)
        net.start()
        net.see_each_other()
        net.ready("shop", {"far": 1})

    def refused(self, *words: str) -> None:
        """A client of near is; status and check have all ``words`` of it then."""
        until(lambda: fetch(self.near.address, SHOP_PORT).status == 503, "no target is ready")
        until(lambda: self._says(words), f"near says {words}")

    def _says(self, words: tuple[str, ...]) -> bool:
        problem = problem_of(self.near)
        if problem is None:
            return False
        checked = self.near.ctl("check", code=3).out.replace(f" --site {self.near.name}", "")
        hint = problem["hint"].replace(f" --site {self.near.name}", "")
        said = f"{problem['message']} {problem['hint']}"
        return problem["message"] in checked and hint in checked and all(w in said for w in words)


def problem_of(site: Site) -> Any:
    found = [one for one in site.get("status")["problems"] if one["code"] == "SW0309"]
    return found[0] if found else None


def test_one_refused_client_is_enough_and_the_site_with_targets_is_named(net: Network) -> None:
    scene = Consumed(net)
    scene.target.stop()
    until(lambda: problem_of(scene.far), "it is a problem where the targets are")
    assert problem_of(scene.near) is None, "no client has asked"
    scene.refused("far has targets, none of them ready. At far: sitectl service status shop")
    assert scene.near.ctl("status", code=3).code == 3
    assert problem_of(scene.idle) is None, "its clients do not ask"

    scene.far.ctl("stop")
    scene.refused(
        "far: link far to far is down since ",
        "See the links: sitectl link status. At far: sitectl service status shop",
    )

    scene.far.start()
    scene.target.start()
    until(lambda: fetch(scene.near.address, SHOP_PORT).status == 200, "far serves again")
    until(lambda: problem_of(scene.near) is None, "no problem is left")
    scene.near.until_well()


def test_a_rule_that_leaves_out_the_only_targets_is_named(net: Network) -> None:
    scene = Consumed(net)
    scene.near.ctl("service", "create", "shop", str(SHOP_PORT), "--protocol", "http")
    scene.near.ctl("service", "set", "shop", "--import-from", "idle")
    command = "sitectl service set shop --import-from idle,far"
    scene.refused("importFrom of near leaves out far.", f"Let far in: {command}")
    assert command in scene.near.get("why/shop")["let_in"]
    scene.near.ctl(*command.split()[1:])
    until(lambda: fetch(scene.near.address, SHOP_PORT).status == 200, "far serves it")
