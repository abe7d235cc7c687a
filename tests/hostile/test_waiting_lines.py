"""A member that fills the queue of a site takes no slot and no place from its own clients."""

import json
import threading
from pathlib import Path

from tests.hostile.ingress import RogueIngress
from tests.scenario.harness import SHOP_PORT, Network
from tests.scenario.offering import offer
from tests.scenario.waiting import until

SLOTS, SERVICE_S, QUEUE = 4, 0.1, 900
OWN_PER_S, SECONDS = 8.0, 6.0  # Of 40 a second that the slots serve.
FLOOD_EVERY_S, FLOOD = 0.05, 20
SERVED_SHARE_MIN = 0.9


def test_a_member_with_900_waiting_streams_refuses_no_client_of_the_owner(tmp_path: Path) -> None:
    with Network(tmp_path) as net:
        site = net.site("door")
        site.declare("shop", queue=QUEUE)
        site.connect("shop", net.http("door", SERVICE_S), capacity=SLOTS)
        net.start()
        net.ready("shop", {"door": 1})
        token = tmp_path / "member.token"
        site.ctl("token", "create", str(token), "--token-type", "cert")
        done = threading.Event()
        with RogueIngress(token) as rogue:
            rogue.open("shop", SHOP_PORT, SLOTS + QUEUE)
            until(lambda: site.service("shop")["queued"] > QUEUE - 100, "the queue is full")

            def flood() -> None:
                while not done.wait(FLOOD_EVERY_S):
                    rogue.open("shop", SHOP_PORT, FLOOD)

            flooding = threading.Thread(target=flood)
            flooding.start()
            try:
                own = offer((site.address, SHOP_PORT), OWN_PER_S, SECONDS)
            finally:
                done.set()
                flooding.join()
            assert (own.refused, own.errors) == (0, 0), own
            assert rogue.refused > 0, "its line gave way"
            assert rogue.served > 0, "it has turns of its own"
            assert site.service("shop")["queued"] <= QUEUE
        until(lambda: site.service("shop")["queued"] == 0, "it left, and so did its streams")
        net.at_rest("shop")


def test_a_member_behind_a_hub_has_one_line_whatever_ingress_sites_it_names(
    tmp_path: Path,
) -> None:
    """Clients of the hub wait beside it, over the same link."""
    with Network(tmp_path) as net:
        door, hub = net.site("door"), net.site("hub")
        door.declare("shop", queue=QUEUE)
        door.connect("shop", net.http("door", SERVICE_S), capacity=SLOTS)
        net.link(hub, door)
        net.start()
        net.ready("shop", {"door": 1}, hub)
        token = tmp_path / "member.token"
        hub.ctl("token", "create", str(token), "--token-type", "cert")
        onward = [json.loads((door.directory / "state.json").read_text())["router_id"]]
        done = threading.Event()
        with RogueIngress(token, onward=onward) as rogue:
            rogue.open("shop", SHOP_PORT, SLOTS + QUEUE)
            until(lambda: door.service("shop")["queued"] > QUEUE - 100, "the queue is full")

            def flood() -> None:
                while not done.wait(FLOOD_EVERY_S):
                    rogue.open("shop", SHOP_PORT, FLOOD)

            flooding = threading.Thread(target=flood)
            flooding.start()
            try:
                of_hub = offer((hub.address, SHOP_PORT), OWN_PER_S, SECONDS)
            finally:
                done.set()
                flooding.join()
            print(of_hub, rogue.served, rogue.refused)
            assert of_hub.errors == 0, of_hub
            # On a busy machine a wait may look hopeless for a moment.
            assert of_hub.served >= SERVED_SHARE_MIN * of_hub.offered, of_hub
            assert rogue.refused > 0, "its line gave way"
            assert rogue.served > 0, "it has turns of its own"
        until(lambda: door.service("shop")["queued"] == 0, "it left, and so did its streams")
        net.at_rest("shop")
