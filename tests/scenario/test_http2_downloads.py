"""Downloads over HTTP/2 that targets end in other ways than by END_STREAM."""

from collections.abc import Iterator

import pytest

from tests.scenario.backends import payload
from tests.scenario.h2_downloads import UNTIL_TORN_BYTES, DownloadTarget, downloads
from tests.scenario.harness import Network, Site

AT_ONCE, ROUNDS = 20, 5
PORTS = {"near": 8080, "far": 8081}
INTERNAL = "reset 2"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Where clients come in. Targets of ``near`` are there, those of ``far`` across a link."""
    with Network(tmp_path_factory.mktemp("downloads")) as net:
        door, room = net.site("door"), net.site("room")
        net.link(door, room, token="cert")
        targets = [DownloadTarget(net.background, name, net.target_address) for name in PORTS]
        for (service, port), site, target in zip(PORTS.items(), (door, room), targets, strict=True):
            door.declare(service, port, protocol="http2")
            site.connect(service, target, capacity=100)
        net.start()
        net.ready("near", {"door": 1}, door)
        net.ready("far", {"room": 1}, door)
        yield door
        for service in PORTS:
            net.at_rest(service, door)
        for target in targets:
            target.stop()


@pytest.mark.parametrize("service", PORTS)
@pytest.mark.parametrize("size", [0, 100, 200_000])
def test_a_download_that_node_ends_by_a_reset_without_an_error_is_whole(
    door: Site, service: str, size: int
) -> None:
    for _ in range(ROUNDS):
        got = downloads(door.address, PORTS[service], f"/node/{size}", AT_ONCE)
        assert [(each.status, each.end) for each in got] == [("head 200", "end")] * AT_ONCE
        assert all(each.body == payload(size) for each in got)


@pytest.mark.parametrize("service", PORTS)
@pytest.mark.parametrize("size", [1_100, 200_000])
def test_what_a_target_sent_before_a_reset_is_passed_on_before_it(
    door: Site, service: str, size: int
) -> None:
    for _ in range(ROUNDS):
        got = downloads(door.address, PORTS[service], f"/torn/{size}", AT_ONCE)
        assert [(each.status, each.end) for each in got] == [("head 200", INTERNAL)] * AT_ONCE
        assert all(each.body == payload(size)[:-UNTIL_TORN_BYTES] for each in got)
