"""docs/own-gpus.md with real processes: SSE and gRPC streams, users, batch jobs, a cloud site."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from tests.scenario.grpc_peers import GrpcClient, GrpcTarget
from tests.scenario.harness import Network, Site
from tests.scenario.sse_peers import SseClient, SseTarget
from tests.scenario.waiting import until

SLOTS = 4  # Of each site, of which batch jobs get 2.
PORT = 8000
BATCH: dict[str, Any] = {"x_priority": "batch"}


def declared(net: Network, protocol: str, queue: str) -> tuple[Site, Site]:
    """Sites own and cloud, and the service as the page has people type it."""
    own, cloud = net.site("own"), net.site("cloud")
    shape = ("--protocol", protocol, "--queue", queue, "--queue-wait", "30s")
    own.quick("service", "create", "llm", str(PORT), *shape)
    sheddable = ("--sheddable", "x-priority: batch", "--sheddable-share", "50%")
    own.quick("service", "set", "llm", *sheddable)
    net.link(own, cloud)
    return own, cloud


def attach(site: Site, target: SseTarget | GrpcTarget) -> None:
    place = (target.address, "--target-port", str(target.port))
    site.quick("service", "bind", "llm", "host", *place, "--capacity", str(SLOTS))


@pytest.fixture
def targets(net: Network) -> Iterator[tuple[SseTarget, SseTarget]]:
    address = net.target_address
    with SseTarget("own", address) as own, SseTarget("cloud", address) as cloud:
        yield own, cloud


def test_batch_jobs_make_way_and_a_cloud_that_goes_cuts_no_stream(
    net: Network, targets: tuple[SseTarget, SseTarget]
) -> None:
    own, cloud = declared(net, "http", "1")
    here, there = targets
    attach(own, here)
    attach(cloud, there)
    net.start()
    net.ready("llm", {"own": 1, "cloud": 1})

    def ask(name: str, **fields: str) -> SseClient:
        return SseClient(own.address, PORT, name, **fields)

    def busy(at_own: int, at_cloud: int) -> None:
        def is_so() -> bool:
            known = {"own": at_own, "cloud": at_cloud}
            return (len(here.streams), len(there.streams)) == (at_own, at_cloud) and (
                own.in_flight("llm") == known
            )

        until(is_so, f"{at_own} streams run at own and {at_cloud} in the cloud")

    batch = [ask(f"batch-{number}", **BATCH) for number in range(4)]
    busy(2, 2)
    queued = ask("queued", **BATCH)
    until(lambda: own.service("llm")["queued"] == 1, "a batch job waits beside free slots")

    def free(*of: str) -> dict[str, int]:
        return {one["site"]: one["free"] for one in own.json("why", "llm", *of)["candidates"]}

    assert free("--sheddable") == {"own": 0, "cloud": 0}, "of them a batch job may take none"
    assert free() == {"own": 2, "cloud": 2}
    users = [ask(f"user-{number}") for number in range(4)]
    busy(4, 4)

    late = ask("late")
    until(lambda: queued.is_over, "the batch job that waited is shed")
    assert (queued.status, queued.headers["Spillway-Error"]) == (503, "shed")
    assert int(queued.headers["Retry-After"]) >= 1
    assert own.service("llm")["queued"] == 1 and not late.is_over
    denied = own.ctl("why", "llm", "--denied").out
    assert "shed" in denied and "it is sheddable" in denied
    assert 'verdict="shed"} 1' in own.metrics()
    until(
        lambda: 'reason="sheddable-share",service="llm",to="cloud"} 2' in own.metrics(),
        "streams that left for the share are counted",
    )
    assert "Sheddable: x-priority: batch, up to 50%" in own.ctl("service", "status", "llm").out

    cloud.quick("site", "drain")
    until(lambda: own.ready_targets("llm")["cloud"] == 0, "own knows that the cloud drains")
    here.end(*(stream for stream in here.streams if stream.startswith("batch")))
    until(lambda: late.stream in here.streams, "the user that waited has a slot")
    there.end(*there.streams)
    busy(3, 0)
    cloud.ctl("stop")
    here.end(*here.streams)
    served = [*batch, *users, late]
    until(lambda: all(one.is_over for one in served), "all streams have ended")
    assert [one.error for one in served if not one.is_whole] == []
    assert {one.status for one in served} == {200}


def test_streams_of_grpc_have_classes_too(net: Network) -> None:
    own, cloud = declared(net, "http2", "0")
    here, there = (GrpcTarget(name, net.target_address) for name in ("own", "cloud"))
    attach(own, here)
    attach(cloud, there)
    net.start()
    net.ready("llm", {"own": 1, "cloud": 1})
    for target in (here, there):
        target.hold()
    with GrpcClient(own.address, PORT) as client:
        batch = [client.tokens(**BATCH) for _ in range(4)]
        assert sorted(next(one) for one in batch) == [b"cloud"] * 2 + [b"own"] * 2
        shed = client.tokens(**BATCH)
        with pytest.raises(grpc.RpcError) as refused:
            next(shed)
        assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
        fields = dict(refused.value.trailing_metadata())
        assert fields["spillway-error"] == "shed" and int(fields["retry-after"]) >= 1
        users = [client.tokens() for _ in range(4)]
        assert sorted(next(one) for one in users) == [b"cloud"] * 2 + [b"own"] * 2
        for target in (here, there):
            target.release()
        assert all(len(list(one)) == 1 for one in batch + users), "each has its last token"
    net.at_rest("llm", own)
    for target in (here, there):
        target.stop()
