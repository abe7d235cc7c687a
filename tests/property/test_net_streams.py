"""Laws of connections under any interleaving of what both ends do, on every network."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.net.simulated.internet import SimulatedInternet
from tests.examples import examples
from tests.unit.net.recorder import Recorder
from tests.unit.net.worlds import Pair, RealWorld

Step = tuple[str, tuple[str, list[int]]]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["left", "right"]),
        st.one_of(
            st.tuples(st.just("send"), st.lists(st.integers(0, 90_000), max_size=3)),
            st.tuples(
                st.sampled_from(["pause", "resume", "finish", "run", "cut", "heal"]), st.just([])
            ),
            st.tuples(st.sampled_from(["abort"]), st.just([])),
        ),
    ),
    max_size=25,
)


class End:
    """One end of the connection, and the bytes that it has sent."""

    def __init__(self, seed: int) -> None:
        self.recorder = Recorder()
        self.sent = bytearray()
        self.finished = False
        self.aborted = False
        self._byte = seed

    def send(self, sizes: list[int]) -> None:
        parts = []
        for size in sizes:
            self._byte = (self._byte * 31 + 7) % 251
            parts.append(bytes([self._byte]) * size)
        self.recorder.wire.send(*parts)
        if not (self.finished or self.aborted or self.recorder.losses):
            self.sent += b"".join(parts)

    def do(self, what: str, sizes: list[int]) -> None:
        if what == "send":
            self.send(sizes)
        elif what in ("pause", "resume", "finish", "abort"):
            getattr(self.recorder.wire, what)()
            self.finished |= what == "finish"
            self.aborted |= what == "abort"

    def wind_up(self) -> None:
        self.recorder.wire.resume()
        self.recorder.wire.finish()
        self.finished = True


def check(left: End, right: End) -> None:
    """The laws, once both have finished and nothing is under way."""
    for here, there in ((left, right), (right, left)):
        assert bytes(here.sent).startswith(bytes(there.recorder.data))
        if there.recorder.told("ended"):
            assert there.recorder.data == here.sent
        # A reset that a cut swallowed may leave its peer waiting, as in life.
        assert there.recorder.told("lost") == 1 or here.aborted
    if not (left.aborted or right.aborted):
        assert left.recorder.losses == right.recorder.losses == [None]


@settings(max_examples=examples(80))
@given(seed=st.integers(0, 1000), steps=STEPS)
def test_simulated_bytes_are_a_prefix_an_end_means_all_and_lost_comes_once(
    seed: int, steps: list[Step]
) -> None:
    internet = SimulatedInternet(seed, buffer_bytes=40_000)
    left, right = End(1), End(2)
    listener = internet.host("10.0.0.2").listen("10.0.0.2", 80, right.recorder.take)
    internet.host("10.0.0.1").dial(
        "10.0.0.2",
        listener.address.port,
        left.recorder.take,
        lambda failure: None,
        timeout_s=1.0,
    )
    internet.run_until_idle()
    for who, (what, sizes) in steps:
        if what == "run":
            internet.run_until(internet.now + 0.0015)
        elif what in ("cut", "heal"):
            getattr(internet, what)("10.0.0.1", "10.0.0.2")
        else:
            (left if who == "left" else right).do(what, sizes)
    internet.heal("10.0.0.1", "10.0.0.2")
    left.wind_up()
    right.wind_up()
    internet.run_until_idle()
    check(left, right)


@pytest.mark.parametrize("tls", [False, True])
@settings(max_examples=examples(40))
@given(steps=STEPS, factor=st.sampled_from([1, 1, 60]))
def test_real_bytes_are_a_prefix_an_end_means_all_and_lost_comes_once(
    tls: bool, steps: list[Step], factor: int
) -> None:
    world = RealWorld(tls=tls)
    pair = Pair(world)
    left, right = End(1), End(2)
    left.recorder, right.recorder = pair.left, pair.right
    for who, (what, sizes) in steps:
        if what == "run":
            world.host.step(0.0)
        else:
            (left if who == "left" else right).do(what, [size * factor for size in sizes])
    left.wind_up()
    right.wind_up()
    pair.run_until_lost()
    check(left, right)
    world.close()
