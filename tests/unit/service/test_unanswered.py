"""What is learnt from streams that a site does not answer."""

import pytest

from router.model import limits
from router.service.sites.remotes import SMOOTHING, Remotes
from router.service.sites.unanswered import UnansweredStreams
from tests.unit.exchange.fakes import FakeNetwork, candidate, site_of

B = site_of("b")


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
    streams = UnansweredStreams(network, remotes)
    streams.since[stream] = network.now()
    streams.watch()
    network.advance(limits.UNANSWERED_S_MIN - 0.01)
    assert (stream.given_up, len(streams.since)) == (0, 1)
    network.advance(2 * limits.UNANSWERED_LOOK_S)
    assert (stream.given_up, len(streams.since), streams.is_watched) == (1, 0, False)
    least_s = 0.01 + SMOOTHING * (limits.UNANSWERED_S_MIN - 0.01) if is_probe else 0.01
    most_s = least_s + SMOOTHING * 2 * limits.UNANSWERED_LOOK_S if is_probe else 0.01
    assert least_s <= remotes.round_trip_s(B) <= most_s
