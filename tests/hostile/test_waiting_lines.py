"""A member that fills the queue of a site takes no slot and no place from its own clients."""

import json
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.hostile import wire
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


def test_a_member_holds_its_share_of_the_slots_whatever_ingress_sites_it_names(
    tmp_path: Path,
) -> None:
    with Network(tmp_path) as net:
        site = net.site("door")
        site.declare("shop", queue=QUEUE)
        target = net.http("door", SERVICE_S)
        site.connect("shop", target, capacity=SLOTS)
        net.start()
        net.ready("shop", {"door": 1})
        site.quick("service", "set", "shop", "--max-share", "50%")
        until(lambda: site.service("shop")["max_share"] == 0.5, "it is known")
        token = tmp_path / "member.token"
        site.ctl("token", "create", str(token), "--token-type", "cert")
        with RogueIngress(token) as rogue:
            rogue.open("shop", SHOP_PORT, SLOTS + QUEUE // 2)
            until(lambda: rogue.served > 4 * SLOTS, "it is served")
            assert target.in_hand_max == SLOTS // 2
            own = offer((site.address, SHOP_PORT), OWN_PER_S, SECONDS / 3)
            assert (own.refused, own.errors) == (0, 0), own
        until(lambda: site.service("shop")["queued"] == 0, "it left, and so did its streams")
        net.at_rest("shop")
        assert "spillway_lent_slots{" not in site.metrics()


class Behind(RogueIngress):
    """Behind a hub; ``phantoms``: how many sites it announces behind itself, 0: it makes up names.

    Each stream is said to have come in at the next one.
    """

    def __init__(self, token_file: Path, onward: Sequence[str], phantoms: int) -> None:
        super().__init__(token_file, onward=onward)
        self._keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(phantoms)]
        self.phantoms = [wire.site_id(_public(key)) for key in self._keys]
        self._turn = 0

    def announce(self) -> None:
        """The phantoms, each linked to this member."""
        (router, site), own = self.neighbour, [self.router, self.site, 1]
        near = [[router, site, self.cost]]
        for number, key in enumerate(self._keys):
            near.append([f"{number + 1:016x}", self.phantoms[number], 1])
            head = ["topology", [own], False, False, f"phantom-{number}", "rogue", []]
            ids = (f"{number + 1:016x}", self.phantoms[number], 0, 1, 1, 1, b"rogue123")
            payload = msgspec.msgpack.encode([*ids, _public(key), head])
            signature = key.sign(payload, ec.ECDSA(hashes.SHA256()))
            self.send(wire.control("lsa", msgspec.msgpack.encode([payload, signature])))
        head = ["topology", near, False, False, self.name, "rogue", []]
        self.send(self.lsa(0, head, 1, self.router))

    def flood(self, count: int) -> None:
        """Open that many."""
        if not self.phantoms:
            self.open("shop", SHOP_PORT, count)
        for _ in range(count if self.phantoms else 0):
            self._turn += 1
            self.open_as(self.phantoms[self._turn % len(self.phantoms)], "shop", SHOP_PORT)


def _public(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


@pytest.mark.parametrize("phantoms", [0, 20])
def test_a_member_behind_a_hub_has_one_share_whatever_ingress_sites_it_names_or_announces(
    tmp_path: Path, phantoms: int
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
        with Behind(token, onward, phantoms) as rogue:
            rogue.announce()
            until(lambda: str(door.get("network")).count("phantom-") >= phantoms, "door knows them")
            rogue.flood(SLOTS + QUEUE)
            until(lambda: door.service("shop")["queued"] > QUEUE - 100, "the queue is full")

            def flood() -> None:
                while not done.wait(FLOOD_EVERY_S):
                    rogue.flood(FLOOD)

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
