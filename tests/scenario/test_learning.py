"""``capacity: auto`` on real processes: a backend that makes requests wait beyond a knee."""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import grpc
import pytest

from tests.doors import close_server
from tests.scenario.grpc_peers import METHODS
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.offering import offer
from tests.scenario.waiting import until

KNEE = 5
WORK_S = 0.05
CALM_PER_S = 0.4 * KNEE / WORK_S
BURST_PER_S = 2 * KNEE / WORK_S
ANSWERS = 400  # Many times what a window of answers needs.


class KneeTarget:
    """An HTTP server with `KNEE` workers: who comes when all work waits for one of them."""

    def __init__(self, net: Network) -> None:
        self.address, self.port = net.target_address, 0
        self.took_s: list[float] = []
        self._background = net.background
        self._workers = asyncio.Semaphore(KNEE)
        net.background.call(self._start())

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._serve, self.address, 0)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def _stop(self) -> None:
        await close_server(self._server)

    def close(self) -> None:
        """Take no more connections."""
        self._background.call(self._stop())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                began = time.perf_counter()
                async with self._workers:
                    await asyncio.sleep(WORK_S)
                self.took_s.append(time.perf_counter() - began)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def learnt(site: Site) -> dict[str, Any]:
    """What the site says of its only target of shop."""
    (target,) = site.service("shop")["targets"]
    found: dict[str, Any] = target["learnt"] or {}
    return found


def fits(found: dict[str, Any], work_s: float) -> bool:
    """Whether it is that of a target with `KNEE` workers, which took ``work_s`` for each request.

    On a busy machine all take longer, and so does the latency learned as normal; as long as latency
    has not doubled from there, as many more slots are right.
    """
    if not found:
        return False
    knee = KNEE * found["baseline_ms"] / (1000 * WORK_S)
    return bool(KNEE <= found["slots"] < 2 * knee <= 3 * KNEE * work_s / WORK_S)


def test_a_burst_spills_before_latency_doubles_and_comes_back(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with Network(tmp_path_factory.mktemp("auto")) as net, closing(KneeTarget(net)) as mine:
        near, far = net.site("near"), net.site("far")
        other = net.http("far", WORK_S)
        near.declare("shop")
        near.connect("shop", mine, capacity="auto")
        far.connect("shop", other, capacity=100)
        net.link(near, far, 5)
        net.start()
        net.see_each_other()
        net.ready("shop", {"near": 1, "far": 1})
        door = (near.address, SHOP_PORT)

        calm = offer(door, CALM_PER_S, 6)
        assert (calm.refused, calm.errors) == (0, 0)
        unloaded_s = sorted(mine.took_s)[len(mine.took_s) // 2]
        mine.took_s.clear()
        other.forget()

        burst = offer(door, BURST_PER_S, 8)
        assert (burst.refused, burst.errors) == (0, 0)
        assert 0.25 * burst.offered <= len(other.seen) <= 0.75 * burst.offered
        assert sum(mine.took_s) / len(mine.took_s) < 2 * unloaded_s
        found = learnt(near)
        assert found["baseline_ms"] >= WORK_S * 1000
        assert fits(found, unloaded_s), (found, unloaded_s)
        (at,) = (one for one in near.service("shop")["sites"] if one["local"])
        assert (at["capacity_kind"], at["capacity"]) == ("auto", found["slots"])
        until(
            lambda: (
                "spillway_target_learnt_slots{" in near.metrics()
                and "spillway_target_baseline_seconds{" in near.metrics()
            ),
            "metrics show what is learnt",
        )

        def takes_all() -> bool:
            """In a phase without a stall of this machine, for which any target looks full."""
            other.forget()
            after = offer(door, CALM_PER_S, 4)
            assert (after.refused, after.errors) == (0, 0)
            return len(other.seen) <= 0.03 * after.offered

        until(takes_all, "it comes back", 20.0)
        (told,) = (one for one in far.json("why", "shop")["candidates"] if one["site"] == "near")
        assert told["capacity_kind"] == "auto"


class Workers(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpcio has no types.
    """A gRPC server with `KNEE` threads."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.took_s: list[float] = []
        self._lock = threading.Lock()
        self._server = grpc.server(ThreadPoolExecutor(KNEE), handlers=[self])
        self.port = self._server.add_insecure_port(f"{address}:0")
        self._server.start()

    def service(self, details: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(self._work, bytes, bytes)

    def _work(self, message: bytes, context: Any) -> bytes:
        began = time.perf_counter()
        time.sleep(WORK_S)
        took_s = time.perf_counter() - began
        with self._lock:
            self.took_s.append(took_s)
        return message

    def median_s(self) -> float:
        """The median time of a call."""
        with self._lock:
            return sorted(self.took_s)[len(self.took_s) // 2]

    def stop(self) -> None:
        self._server.stop(0.0).wait()


@pytest.fixture
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Network, Workers]]:
    with Network(tmp_path_factory.mktemp("auto2")) as net:
        found = Workers(net.target_address)
        yield net, found
        found.stop()


def test_http2_streams_are_learnt_from_as_requests_are(workers: tuple[Network, Workers]) -> None:
    net, target = workers
    site = net.site("near")
    site.declare("shop", protocol="http2")
    site.connect("shop", target, capacity="auto")
    net.start()
    net.ready("shop", {"near": 1})
    with grpc.insecure_channel(f"{site.address}:{SHOP_PORT}") as channel:
        work = channel.unary_unary(METHODS + "Work")
        stopped = threading.Event()
        with ThreadPoolExecutor(4 * KNEE) as clients:

            def ask_on() -> int:
                done = 0
                while not stopped.is_set():
                    try:
                        done += work(b"x", timeout=10, wait_for_ready=True) == b"x"
                    except grpc.RpcError as error:  # There is no second site.
                        assert error.code() is grpc.StatusCode.UNAVAILABLE, error
                return done

            asking = [clients.submit(ask_on) for _ in range(4 * KNEE)]
            try:
                until(lambda: len(target.took_s) > ANSWERS, "it had time to learn")
                until(lambda: fits(learnt(site), target.median_s()), "it has learnt")
            finally:
                stopped.set()
        assert sum(one.result() for one in asking) == len(target.took_s)
    assert learnt(site)["baseline_ms"] >= WORK_S * 1000
