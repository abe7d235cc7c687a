"""Every case of the corpus at routers: for a target of the site and for one across a link.

Whole and one byte per write; what the target gets and what the client gets is read by a reader that
shares no code with ours.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.corpus import requests, responses
from tests.corpus.cases import RequestCase, ResponseCase
from tests.corpus.judge import singly
from tests.corpus.sites import RecordingTarget, request_fault, response_fault
from tests.scenario.harness import SHOP_PORT, Network, own_address
from tests.scenario.test_hostile_http import attach

PORTS = {"local": SHOP_PORT + 1, "linked": SHOP_PORT}


class Pair:
    """`here` has its target at ``near``, `shop` at ``far``; clients are at ``near``."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.near, self.far = net.site("near"), net.site("far")
        self.targets = {place: RecordingTarget(own_address()) for place in PORTS}
        self.near.declare("here", PORTS["local"], halfClose="serve")
        self.near.declare("shop", PORTS["linked"], halfClose="serve")
        attach(self.near, "here", self.targets["local"])
        attach(self.far, "shop", self.targets["linked"])
        net.link(self.near, self.far, token="cert")
        net.start()
        net.ready("here", {"near": 1}, self.near)
        net.ready("shop", {"far": 1}, self.near)
        self.since = self.near.link("far")["since"]

    def request(self, case: RequestCase, pieces: Sequence[bytes], place: str) -> str:
        """The fault in the handling of a client's bytes there."""
        return request_fault(case, pieces, self.targets[place], self.near.address, PORTS[place])

    def response(self, case: ResponseCase, pieces: Sequence[bytes], place: str) -> str:
        """The fault in the handling of a target's bytes there."""
        return response_fault(case, pieces, self.targets[place], self.near.address, PORTS[place])


@pytest.fixture(scope="module")
def fresh_pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """The two sites, once for all cases."""
    with Network(tmp_path_factory.mktemp("corpus")) as net:
        pair = Pair(net)
        yield pair
        for target in pair.targets.values():
            target.stop()


@pytest.fixture
def pair(fresh_pair: Pair) -> Iterator[Pair]:
    """Idle and on the same link afterwards."""
    yield fresh_pair
    link = fresh_pair.near.link("far")
    assert (link["state"], link["since"]) == ("up", fresh_pair.since)
    fresh_pair.net.at_rest("here", fresh_pair.near)
    fresh_pair.net.at_rest("shop")


@pytest.mark.parametrize("cut", ["whole", "singly"])
def test_every_request_of_the_corpus_meets_its_verdict(pair: Pair, cut: str) -> None:
    def run(place: str) -> list[str]:
        faults = []
        for case in requests.CASES.values():
            pieces = [case.raw] if cut == "whole" else singly(case.raw)
            fault = pair.request(case, pieces, place)
            if fault:
                faults.append(f"{place}, {case.name}: {fault}")
        return faults

    with ThreadPoolExecutor(len(PORTS)) as pool:
        assert [fault for faults in pool.map(run, PORTS) for fault in faults] == []


@pytest.mark.parametrize("cut", ["whole", "singly"])
def test_every_response_of_the_corpus_meets_its_verdict(pair: Pair, cut: str) -> None:
    def run(place: str) -> list[str]:
        faults = []
        for case in responses.CASES.values():
            pieces = [case.raw] if cut == "whole" else singly(case.raw)
            fault = pair.response(case, pieces, place)
            if fault:
                faults.append(f"{place}, {case.name}: {fault}")
        return faults

    with ThreadPoolExecutor(len(PORTS)) as pool:
        assert [fault for faults in pool.map(run, PORTS) for fault in faults] == []
