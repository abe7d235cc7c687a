"""Remembered heads change nothing: the verdict on the bytes is the same without them."""

from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.http.http1.bytes_cache import BytesCache
from router.http.http1.forwarding import Forwarding
from router.http.http1.heads import HeadLimits, head_limits
from router.http.http1.requests import KnownRequest, KnownRequests, RequestParser
from router.http.http1.response_heads import ResponseHead, read_response_head
from router.http.http1.responses import KnownResponse, KnownResponses
from router.model.ids import ServiceKey
from router.model.requests import Request
from router.model.settings import ServiceLimits
from router.service.targets.pool import TargetPool
from tests.corpus import requests as request_corpus
from tests.corpus import responses as response_corpus
from tests.property.test_http1 import mutated, requests, responses
from tests.unit.exchange.fakes_http import FakeNetwork
from tests.unit.exchange.taken import RecordingTaker
from tests.unit.http.test_http_requests import Recorder

CLIENTS = (b"192.0.2.7", b"2001:db8::1", b"192.0.2.7", b"10.0.0.1")
STRICT = head_limits(ServiceLimits(headers=2))
ROOMY = head_limits(ServiceLimits())


class Listener:
    """One service port's limits and site name, with the heads that are known under them."""

    def __init__(self, site: bytes, limits: HeadLimits, store: BytesCache[KnownRequest]) -> None:
        self._site, self._limits = site, limits
        self._known = KnownRequests(store)

    def asked(self, stream: bytes, client: bytes, *, remembers: bool) -> Recorder:
        """A new client's connection brings ``stream`` in one piece."""
        forwarding = Forwarding(site_name=self._site, client=client, proto=b"http", host=b"shop")
        recorder = Recorder()
        known = self._known if remembers else None
        recorder.parser = RequestParser(recorder, forwarding, self._limits, known)
        return recorder.feed(stream)


def check_requests(stream: bytes) -> None:
    store: BytesCache[KnownRequest] = BytesCache()
    listeners = [Listener(b"west", ROOMY, store), Listener(b"east", STRICT, store)]
    for client, listener in zip(CLIENTS * 4, cycle((*listeners, listeners[0])), strict=False):
        with_it = listener.asked(stream, client, remembers=True)
        without = listener.asked(stream, client, remembers=False)
        assert with_it.events == without.events
        assert with_it.parser.held_bytes == without.parser.held_bytes
        assert with_it.parser.is_in_head == without.parser.is_in_head


@pytest.mark.parametrize("name", request_corpus.CASES)
def test_a_request_of_the_corpus_means_the_same_when_its_head_is_known(name: str) -> None:
    check_requests(request_corpus.CASES[name].raw)


@given(mutated(requests()))
def test_a_request_means_the_same_when_its_head_is_known(stream: bytes) -> None:
    check_requests(stream)


def leg_outcome(pieces: list[bytes], known: KnownResponses | None) -> tuple[object, ...]:
    """Events of a leg for a response, and the state of its connection afterwards."""
    network = FakeNetwork()
    responses = known if known is not None else KnownResponses()
    pool = TargetPool(network, "127.0.0.1", 9001, via=b"1.1 east", known=responses)
    taker = RecordingTaker()
    head = b"GET / HTTP/1.1\r\nHost: shop\r\n"
    request = Request(key=ServiceKey("shop", 80), protocol="http", idempotent=True, head=head)

    pool.dial(request, taker, from_client=False)
    connection = network.connect()
    for piece in pieces:
        if not connection.is_aborted():
            connection.deliver(piece)
    network.turn()
    state = (connection.is_aborted(), connection.is_finished(), pool.idle_count)
    return taker.events, taker.status, taker.blames_target, state


def check_responses(stream: bytes) -> None:
    store: BytesCache[KnownResponse] = BytesCache()
    roomy, strict = KnownResponses(ROOMY, store), KnownResponses(STRICT, store)
    for known in (roomy, roomy, strict, roomy, strict, strict, roomy):
        whole = leg_outcome([stream], known)
        assert whole == leg_outcome([stream], KnownResponses(known.limits))
        end = stream.find(b"\r\n\r\n") + 4
        if end >= 4:
            told = known.read(stream[:end])
            judged = read_response_head(
                stream[:end], head_only=False, upgrade=b"", limits=known.limits
            )
            assert (told.head if isinstance(told, KnownResponse) else told) == judged
            if isinstance(judged, ResponseHead) and judged.whole_bytes == len(stream) - end:
                singly = [stream[at : at + 1] for at in range(len(stream))]
                assert leg_outcome(singly, known) == whole, "it depends on the cut"


@pytest.mark.parametrize("name", response_corpus.CASES)
def test_a_response_of_the_corpus_means_the_same_when_its_head_is_known(name: str) -> None:
    check_responses(response_corpus.CASES[name].raw)


@given(st.one_of(responses(), mutated(responses())))
def test_a_response_means_the_same_when_its_head_is_known(stream: bytes) -> None:
    check_responses(stream)
