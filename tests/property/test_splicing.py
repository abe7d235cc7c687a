"""Laws of two joined sockets, however the bytes between them go."""

from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from router.net import pipes, plain
from tests.examples import examples
from tests.unit.net.joined import Joined

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["client", "target"]),
        st.one_of(
            st.tuples(st.just("say"), st.sampled_from([1, 5_000, 70_000, 600_000, 4_000_000])),
            st.tuples(st.sampled_from(["deaf", "hear", "finish"]), st.just(0)),
            st.tuples(st.just("run"), st.integers(1, 60)),
            st.tuples(st.just("reset"), st.just(0)),
        ),
    ),
    max_size=14,
)


@settings(max_examples=examples(60))
@given(
    steps=STEPS,
    pool=st.sampled_from([0, 1, 16]),
    pipe_bytes=st.sampled_from([4096, 65_536, 1_048_576]),
)
def test_bytes_are_a_prefix_an_end_means_all_a_reset_reaches_both_and_nothing_is_left(
    steps: list[tuple[str, tuple[str, int]]], pool: int, pipe_bytes: int
) -> None:
    with (
        mock.patch.object(pipes, "PIPES_MAX", pool),
        mock.patch.object(plain, "PIPE_BYTES", pipe_bytes),
    ):
        check(steps)


def check(steps: list[tuple[str, tuple[str, int]]]) -> None:
    joined = Joined()
    parties = {"client": joined.client, "target": joined.target}
    finished: set[str] = set()
    for name, (what, size) in steps:
        party = parties[name]
        if what == "say" and name not in finished:
            party.say(size)
        elif what == "run":
            joined.run(size)
        elif what in ("deaf", "hear"):
            party.reads = what == "hear"
        elif what == "finish" and name not in finished:
            finished.add(name)
            party.finish()
        elif what == "reset":
            party.reset()
            break
    was_reset = joined.client.broken or joined.target.broken
    for name, party in parties.items():
        party.reads = True
        if name not in finished:
            party.finish()
    joined.settle()
    for here, there in ((joined.client, joined.target), (joined.target, joined.client)):
        assert bytes(here.sent).startswith(bytes(there.received))
        if there.ended:
            assert there.received == here.sent
        assert here.broken == was_reset or here.ended
        assert was_reset or (there.ended and not there.broken)
    session = joined.session
    assert session is not None
    assert session.bytes_in >= len(joined.target.received)
    assert session.bytes_out >= len(joined.client.received)
    assert joined.sockets_open == 0
    joined.close()
