"""Lessons from streams that a site does not answer."""

import pytest

from router.model import limits
from router.service.sites.remotes import SMOOTHING, Remotes
from router.service.sites.unanswered import UnansweredStreams
from tests.unit.exchange.fakes import FakeNetwork, candidate, site_of

B = site_of("b")
CONNECT_S = 0.7


class Asking:
    """A stream to ``b``."""

    egress_site = B

    def __init__(self, *, is_probe: bool) -> None:
        self.is_probe = is_probe
        self.given_up = 0

    def unanswered(self) -> None:
        self.given_up += 1


@pytest.mark.parametrize("is_probe", [False, True])
def test_a_probe_without_an_answer_counts_as_a_round_trip_and_a_request_does_not(
    is_probe: bool,
) -> None:
    network, remotes, stream = FakeNetwork(), Remotes(), Asking(is_probe=is_probe)
    remotes.learn([candidate("b")])
    remotes.note_round_trip(B, 0.01)
    streams = UnansweredStreams(network, remotes, lambda: CONNECT_S)
    streams.since[stream] = network.now()
    streams.watch()
    patience_s = CONNECT_S + limits.UNANSWERED_BEYOND_S_MIN
    network.advance(patience_s - 0.01)
    assert (stream.given_up, len(streams.since)) == (0, 1)
    network.advance(2 * limits.UNANSWERED_LOOK_S)
    assert (stream.given_up, len(streams.since), streams.is_watched) == (1, 0, False)
    least_s = 0.01 + SMOOTHING * (patience_s - 0.01) if is_probe else 0.01
    most_s = least_s + SMOOTHING * 2 * limits.UNANSWERED_LOOK_S if is_probe else 0.01
    assert least_s <= remotes.round_trip_s(B) <= most_s


@pytest.mark.parametrize(
    ("connect_s", "round_trip_s", "patience_s"),
    [
        (0.05, 0.01, limits.UNANSWERED_S_MIN),
        (1.5, 0.01, 1.5 + limits.UNANSWERED_BEYOND_S_MIN),
        (1.5, 0.2, 1.5 + 2.0),
        (1.5, 9.0, 1.5 + limits.UNANSWERED_S_MAX),
        (30.0, 0.0, 30.0 + limits.UNANSWERED_FIRST_S),
    ],
)
def test_a_site_has_the_time_of_a_connect_and_some_round_trips_more(
    connect_s: float, round_trip_s: float, patience_s: float
) -> None:
    network, remotes, stream = FakeNetwork(), Remotes(), Asking(is_probe=False)
    remotes.learn([candidate("b")])
    if round_trip_s:
        remotes.note_round_trip(B, round_trip_s)
    streams = UnansweredStreams(network, remotes, lambda: connect_s)
    streams.since[stream] = network.now()
    streams.watch()
    network.advance(patience_s - 0.01)
    assert stream.given_up == 0
    network.advance(2 * limits.UNANSWERED_LOOK_S)
    assert stream.given_up == 1


def test_a_fault_of_ours_in_one_request_leaves_the_others_watched() -> None:
    class Broken(Asking):
        def unanswered(self) -> None:
            raise LookupError("a fault of ours")

    network, remotes, stream = FakeNetwork(), Remotes(), Asking(is_probe=False)
    streams = UnansweredStreams(network, remotes, lambda: CONNECT_S)
    streams.since = {Broken(is_probe=False): network.now(), stream: network.now()}
    streams.watch()
    with pytest.raises(LookupError):
        network.advance(60.0)
    network.advance(2 * limits.UNANSWERED_LOOK_S)
    assert (stream.given_up, streams.is_watched) == (1, False)
