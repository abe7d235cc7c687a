"""A member that opens streams in the name of the very site that it opens them to."""

import json
from pathlib import Path

from tests.hostile.ingress import RogueIngress
from tests.scenario.harness import SHOP_PORT, Network
from tests.scenario.waiting import until

STORE_PORT = SHOP_PORT + 1


def test_a_member_gets_past_no_export_rule_in_the_name_of_its_neighbor(
    net: Network, tmp_path: Path
) -> None:
    """Neither at the neighbor, nor through it at a site that lets only that neighbor in."""
    door, beyond = net.site("door"), net.site("beyond")
    net.link(door, beyond)
    shop, store = net.http("door"), net.http("beyond")
    door.declare("shop")
    door.connect("shop", shop)
    beyond.declare("store", STORE_PORT)
    beyond.connect("store", store)
    net.start()
    net.see_each_other()
    net.ready("shop", {"door": 1})
    net.ready("store", {"beyond": 1})
    door.ctl("service", "set", "shop", "--export-to", "beyond")
    beyond.ctl("service", "set", "store", "--export-to", "door")
    token = tmp_path / "member.token"
    door.ctl("token", "create", str(token), "--token-type", "cert")
    owner = next(one["id"] for one in door.get("network") if one["name"] == "door")
    onward = [json.loads((beyond.directory / "state.json").read_text())["router_id"]]
    with RogueIngress(token) as here, RogueIngress(token, onward=onward) as there:
        for ingress in (here.site, owner):
            here.open_as(ingress, "shop", SHOP_PORT)
        for ingress in (there.site, owner):
            there.open_as(ingress, "store", STORE_PORT)
        for one in (here, there):
            until(lambda one=one: one.refused + one.served == 2, "both are over")  # type: ignore[misc]
            assert (one.refused, one.served) == (2, 0)
    assert not shop.seen and not store.seen
    told = [one["message"] for one in door.get("events") if one["code"] == "link-refused-stream"]
    assert any("in the name of this site" in one for one in told)
