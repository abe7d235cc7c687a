"""A member that sends LSAs as fast as its link carries them: reading costs a share of a core."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from router.model import limits
from router.routing.adverts.lsa import ReceivedLsa, decode_lsa
from tests.hostile.member import Member
from tests.hostile.test_swarm import cpu_s
from tests.hostile.wire import Frame, message_of
from tests.scenario.clients import Load
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import own_time, until

FLOOD_S = 4.0
AT_ONCE = 64  # In one write, so that this process is faster than the router.
DECODINGS_MAX = 2.0
"""Of the time that decoding alone takes on this machine: how much all of it may take."""
CPU_SHARE_IDLE = 0.1  # For requests and commands.
STATUS_S, STATUS_EVERY_S = 2.0, 0.25
IN_SOCKETS_BYTES = 16 << 20  # That both kernels hold of one connection, at most.


def lsa_of(rogue: Member) -> Frame:
    declared = [
        {"name": f"b{at}", "spec": {"ports": [20_000 + at]}, "declared_at_s": 0.0}
        for at in range(300)
    ]
    return rogue.lsa(1, ["services", declared, []], 1, rogue.router)


def decoding_s(lsa: Frame) -> float:
    """What decoding it costs here, by the byte."""
    signed = message_of(lsa)[1]
    began = time.process_time()
    for _ in range(100):
        assert isinstance(decode_lsa(signed), ReceivedLsa)
    return (time.process_time() - began) / 100 / len(lsa.payload)


@contextmanager
def flooding(rogue: Member, lsa: Frame) -> Iterator[list[int]]:
    """``lsa`` again and again; how many bytes were taken of it."""
    sent, is_over = [0], threading.Event()

    def flood() -> None:
        while not is_over.is_set():
            rogue.send(*[lsa] * AT_ONCE)
            sent[0] += AT_ONCE * len(lsa.payload)

    thread = threading.Thread(target=flood, daemon=True)
    thread.start()
    try:
        yield sent
    finally:
        is_over.set()


def test_lsas_at_link_speed_cost_a_share_of_a_core_and_delay_their_own_link_alone(
    net: Network, tmp_path: Path
) -> None:
    room = net.site("room")
    room.declare("shop")
    room.connect("shop", net.http("room"))
    net.start()
    net.ready("shop", {"room": 1})
    token = tmp_path / "member.token"
    room.ctl("token", "create", str(token), "--token-type", "cert")
    with Member(token) as rogue:
        lsa = lsa_of(rogue)
        byte_s = decoding_s(lsa)
        _flood(room, rogue, lsa, byte_s)


def _flood(room: Site, rogue: Member, lsa: Frame, byte_s: float) -> None:
    with flooding(rogue, lsa) as sent:
        until(lambda: sent[0] > limits.LSA_INTAKE_BURST_BYTES, "the flood is above its budget")
        began, cpu, before = time.monotonic(), cpu_s(room), sent[0]
        with Load([(room.address, SHOP_PORT)], 20) as load:
            while time.monotonic() < began + FLOOD_S:
                asked = own_time()
                assert "shop" in room.ctl("service", "status").out
                assert own_time() - asked < STATUS_S
                time.sleep(STATUS_EVERY_S)  # Else answering it is what costs.
        took_s = time.monotonic() - began
        size, share = sent[0] - before, (cpu_s(room) - cpu) / took_s
        decoding = byte_s * size / took_s
        print(
            f"{size / took_s / 2**20:.1f} MiB/s were taken, for {share:.2f} of a core; "
            f"decoding alone: {decoding:.2f}"
        )
        assert size <= limits.LSA_INTAKE_BYTES_PER_S * took_s + IN_SOCKETS_BYTES
        assert share < DECODINGS_MAX * decoding + CPU_SHARE_IDLE
        assert load.answers and not load.failed
        assert not rogue.closed.is_set(), "its link stays, and is slow"
