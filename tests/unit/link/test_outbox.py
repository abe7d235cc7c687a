"""The order in which streams share a lane."""

from router.link.streams.outbox import Outbox
from router.model import limits
from router.net.ports import Buffer


class Endless:
    """A stream that always has ``queued_bytes`` to send, however much has left."""

    id = 1
    is_over = False
    is_ready = True
    received_fin = sent_fin = False
    unsent_open = False

    def __init__(self, queued_bytes: int) -> None:
        self.queued_bytes = queued_bytes
        self.deficit_bytes = 0
        self.sent_bytes = 0

    def fill(self, parts: list[Buffer], allowance_bytes: int) -> int:
        used = min(allowance_bytes, self.queued_bytes)
        self.sent_bytes += used
        return used

    def take_credit(self) -> int:
        return 0


def test_much_and_little_that_never_end_get_the_same() -> None:
    outbox: Outbox[Endless] = Outbox(0.0)
    bulk = [Endless(1_000_000) for _ in range(2)]
    small = [Endless(limits.LANE_QUANTUM_BYTES - 100) for _ in range(60)]
    for stream in (*bulk, *small):
        outbox.ready.append(stream)
    for _ in range(400):
        assert outbox.fill([], 0.0, limits.LANE_TURN_BYTES_MAX) >= limits.LANE_TURN_BYTES_MAX
    mean = sum(stream.sent_bytes for stream in small) / len(small)
    for stream in bulk:
        assert abs(stream.sent_bytes - mean) < mean / 10
