"""What reading and writing messages between sites costs: ``python -m tests.bench.reading``.

CPU time, the best of several. ``before``: msgspec's own codec, which did both once. Some 10 s.
"""

import time
from collections.abc import Callable
from typing import Any

import msgspec

from router.link import control
from router.link.routing_messages import LoadMessage, LsaMessage
from router.link.sessions.handshake import INTERIOR
from router.model.errors import RemoteProtocolError
from router.model.messages import packed
from router.model.messages.acks import LsaAck
from router.model.messages.adverts import LoadReport
from router.routing.adverts.lsa import Lsa, ReceivedLsa, decode_lsa
from tests.releases import speaking
from tests.unit.link.test_lsa_intake import database

ROUNDS = 7
LAST_COUNT, FIRST_COUNT = 2_000_000_000, 1_000_000
LOADS = tuple(
    LoadReport(speaking.WEST, FIRST_COUNT + n, f"shop-{n}", 8080, 300, 10, 1_000)
    for n in range(256)
)
MESSAGES: dict[str, control.Message] = {
    "ack": LsaAck(speaking.WEST, 3, LAST_COUNT, 12_345, 2**32 - 1),
    "hello": speaking.hello(speaking.Speaker("west", speaking.WEST), INTERIOR),
    "load, 1": LoadMessage(LOADS[:1]),
    "load, 256": LoadMessage(LOADS),
}
HEAVY = {  # 64 KiB that a hostile neighbor may send: the most arrays or maps, all there.
    "empty maps": b"\x80",
    "maps": b"\x81\xa0\xc0",
    "arrays": b"\x91\xc0",
    "deep arrays": b"\x91" * 900 + b"\xc0",
    "numbers": b"\xd0\x80",
    "texts": b"\xa2\xc3\xa9",
}


def cpu_us(work: Callable[[], Any], times: int = 1) -> float:
    """CPU time of ``work``, done ``times`` in a row."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(times):
            work()
        best = min(best, time.process_time() - began)
    return best / times * 1e6


def line(name: str, *figures: float) -> None:
    """One row: bytes, and microseconds of reading, before, writing, before."""
    print(f"{name:28}{figures[0]:>10,.0f}" + "".join(f"{one:>14,.2f}" for one in figures[1:]))


def heavy(item: bytes) -> bytes:
    """An unknown message of nearly 64 KiB."""
    count = (65_000 - 8) // len(item)
    return b"\x92\xa4next\xdc" + count.to_bytes(2, "big") + item * count


def main() -> None:
    """All of it."""
    print(f"{'us of CPU':28}{'bytes':>10}{'read':>14}{'before':>14}{'write':>14}{'before':>14}")
    signed = database()
    received = [one for one in map(decode_lsa, signed) if isinstance(one, ReceivedLsa)]
    former = msgspec.msgpack.Decoder(Lsa).decode
    encode = msgspec.msgpack.Encoder().encode
    payloads = [one.payload for one in received]
    line(
        "LSAs of 1,000 sites",
        sum(map(len, payloads)),
        cpu_us(lambda: [packed.read(one, Lsa) for one in payloads]),
        cpu_us(lambda: [former(one) for one in payloads]),
        cpu_us(lambda: [packed.pack(one.lsa) for one in received]),
        cpu_us(lambda: [encode(one.lsa) for one in received]),
    )
    line("  and judged", sum(map(len, signed)), cpu_us(lambda: [decode_lsa(one) for one in signed]))
    messages = [memoryview(control.encode(LsaMessage(one))) for one in signed]
    read = msgspec.msgpack.Decoder(control.Message).decode
    line(
        "  their messages",
        sum(map(len, messages)),
        cpu_us(lambda: [control.decode(one) for one in messages]),
        cpu_us(lambda: [read(one) for one in messages]),
    )
    for name, message in MESSAGES.items():
        wire = memoryview(control.encode(message))
        times = 10_000 if len(wire) < 1_000 else 100
        line(
            name,
            len(wire),
            cpu_us(lambda wire=wire: control.decode(wire), times),  # type: ignore[misc]
            cpu_us(lambda wire=wire: read(wire), times),  # type: ignore[misc]
            cpu_us(lambda message=message: control.encode(message), times),  # type: ignore[misc]
            cpu_us(lambda message=message: encode(message), times),  # type: ignore[misc]
        )
    for name, item in HEAVY.items():
        wire = memoryview(heavy(item))
        line(name, len(wire), cpu_us(lambda wire=wire: hostile(wire)))  # type: ignore[misc]


def hostile(wire: memoryview) -> None:
    """Read what may be refused."""
    try:
        control.decode(wire, ignore_unknown=True)
    except RemoteProtocolError:
        return


if __name__ == "__main__":
    main()
