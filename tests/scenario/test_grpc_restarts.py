"""Every site restarted in turn under gRPC calls, which no client may repeat."""

import threading
from concurrent.futures import ThreadPoolExecutor

import grpc

from tests.scenario.grpc_peers import GrpcClient, GrpcTarget
from tests.scenario.harness import SHOP_PORT, Network
from tests.scenario.waiting import until

CLIENTS = 4


def test_a_rolling_restart_fails_no_call_and_runs_none_twice(net: Network) -> None:
    door, east, west = (net.site(name) for name in ("door", "east", "west"))
    targets = [GrpcTarget(name, net.target_address) for name in ("east", "west")]
    door.declare("shop", protocol="http2", queueWait="9s")
    east.connect("shop", targets[0], capacity=3)  # Less than there are clients: some spill.
    west.connect("shop", targets[1], capacity=3)
    net.link(door, east, token="cert")
    net.link(door, west, 2, token="cert")
    net.link(east, west, token="cert")
    net.start()
    ready = {"east": 1, "west": 1}
    net.ready("shop", ready)
    net.see_each_other()
    stopped = threading.Event()
    failed: list[str] = []
    asked = [0] * CLIENTS

    def load(number: int) -> None:
        with GrpcClient(door.address, SHOP_PORT, moves=True) as client:
            while not stopped.is_set():
                try:
                    client.echo(b"x")
                except grpc.RpcError as error:
                    failed.append(f"{error.code()}: {error.details()}")
                asked[number] += 1

    with ThreadPoolExecutor(CLIENTS) as pool:
        loads = [pool.submit(load, number) for number in range(CLIENTS)]
        try:
            for site in (east, west, door):
                count = sum(asked)
                until(lambda count=count: sum(asked) > count + 50, "the load runs")  # type: ignore[misc]
                site.ctl("stop")
                assert site.gone()
                site.start()
                net.ready("shop", ready)
                net.see_each_other()
        finally:
            stopped.set()
        for each in loads:
            each.result()
    assert failed == []
    assert sum(target.served for target in targets) == sum(asked)
    net.at_rest("shop")
    for target in targets:
        target.stop()
