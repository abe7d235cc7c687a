"""Connections that last go where the policy would place them now: none is lost, none is torn.

A PostgreSQL under pooled clients, WebSockets of aiohttp, a channel of gRPC.
"""

import asyncio
import re
import select
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any, Self

import grpc
import pytest
from aiohttp import ClientSession, WSMsgType, web

from tests.scenario.grpc_peers import METHODS, GrpcTarget
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.pgwire import PgError, Session
from tests.scenario.postgres import Postgres
from tests.scenario.waiting import until

POOL, ROOM = 30, 20
PAUSE_S = 1.5  # Between two transactions of a client.
SOCKETS = 12
RESTARTING = 1012  # IANA's registry of close codes: service restart.


class Pool:
    """Clients with one connection each, which they look at before they use it, as pools do."""

    def __init__(self, place: tuple[str, int]) -> None:
        self._place = place
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._client, args=(number,)) for number in range(POOL)
        ]
        self.told = [0] * POOL  # Transactions that a client knows are done.
        self.connects = 0
        self.untold: list[str] = []  # Those of which no client heard how they ended.

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _client(self, number: int) -> None:
        session: Session | None = None
        count = 0
        while not self._stop.wait(PAUSE_S * (0.8 + 0.4 * number / POOL)):
            if session is not None and select.select([session.socket], [], [], 0)[0]:
                session.close()
                session = None
            if session is None:
                session = Session(*self._place)
                self.connects += 1
            count += 1
            name = f"{number}-{count}"
            try:
                session.query(f"begin; insert into done values ('{name}'); commit")
                self.told[number] += 1
            except (OSError, EOFError, PgError):
                self.untold.append(name)
                session.close()
                session = None
        if session is not None:
            session.close()


class Two:
    """``app``, where clients are, with so many workers, and ``far``."""

    def __init__(self, net: Network, workers: int) -> None:
        self.net, self.workers = net, workers
        self.app, self.far = net.site("app", "--workers", str(workers)), net.site("far")
        net.link(self.app, self.far)
        net.start()

    def serve(
        self, service: str, protocol: str, far_port: int, *words: str, address: str
    ) -> tuple[str, int]:
        """Declare it with targets at ``far`` alone; where clients connect."""
        port = SHOP_PORT + {"db": 71, "chat": 72, "calls": 73}[service]
        self.app.quick("service", "create", service, str(port), "--protocol", protocol, *words)
        self.bind(self.far, service, address, far_port, 100)
        self.net.ready(service, {"far": 1}, self.app)
        return self.app.address, port

    def bind(self, site: Site, service: str, address: str, port: int, capacity: int) -> None:
        site.quick(
            *("service", "bind", service, "host", address),
            *("--target-port", str(port), "--capacity", str(capacity)),
        )


def placed(site: Site, service: str) -> dict[str, int]:
    """Its requests in flight, by site; only sites that have some."""
    return {name: count for name, count in site.in_flight(service).items() if count}


@pytest.fixture(scope="module", params=[1, 2], ids=["alone", "workers"])
def two(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    with Network(tmp_path_factory.mktemp("moving")) as net:
        yield Two(net, request.param)


def test_pooled_connections_of_a_database_come_back_and_no_transaction_is_lost(two: Two) -> None:
    app, net = two.app, two.net
    with Postgres(net.target_address, SHOP_PORT + 74) as server:
        server.begin()
        place = two.serve("db", "tcp", server.port, address=server.address)
        with Session(*place) as session:
            session.query("create table done (name text primary key)")
        with Pool(place) as pool:
            until(lambda: placed(app, "db") == {"far": POOL}, "all are served far away")
            two.bind(app, "db", server.address, server.port, ROOM)
            net.ready("db", {"app": 1, "far": 1}, app)
            # Of several workers each plans for its own clients and its part of the room.
            plan = until(lambda: planned(two), "the target has all of its slots, not its first two")
            assert plan["leave"].keys() == {"far"} and plan["leave"]["far"] == plan["come"]["app"]
            assert not plan["running"] and placed(app, "db") == {"far": POOL}
            app.quick("service", "rebalance", "db", "--idle", "1s", "--rate", "20/s")
            until(
                lambda: placed(app, "db") == {"app": ROOM, "far": POOL - ROOM},
                "as many as have room are served here",
                60.0,
            )
            told = sum(pool.told)
            until(lambda: sum(pool.told) > told + 2 * POOL, "all go on")
            assert placed(app, "db") == {"app": ROOM, "far": POOL - ROOM}
        assert pool.connects == POOL + ROOM, "who was right stayed"
        with Session(*place) as session:
            done = {str(row[0]) for row in session.query("select name from done")}
        assert len(done) == sum(pool.told) and not done & set(pool.untold)
        assert len(pool.untold) <= 2, "a word that met our end on its way"
    assert departed(app, "db") == {"rebalance": ROOM}
    until(
        lambda: [e for e in app.json("events") if e["code"] == "rebalanced"],
        "an event says so",
    )


def planned(two: Two) -> Any:
    """What `rebalance` would move; None: less than there is room for."""
    (plan,) = two.app.json("service", "rebalance", "db", "--dry-run")
    is_all = plan["come"].get("app") == ROOM
    return plan if is_all or (two.workers > 1 and plan["come"]) else None


def departed(site: Site, service: str) -> dict[str, int]:
    """Connections that ended after they were asked to, by cause."""
    family = rf'departed_total{{cause="(\w+)",port="\d+",service="{service}"}} (\d+)'
    return {cause: int(count) for cause, count in re.findall(family, site.metrics())}


class Chat:
    """A WebSocket server of aiohttp that sends messages back, and clients that come again."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.port = 0
        self.echoed = 0
        self.closes: Counter[int | None] = Counter()
        self.unanswered = 0
        self.over = asyncio.Event()

    async def serve(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_get("/", self._socket)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, self.address, 0)
        await site.start()
        self.port = runner.addresses[0][1]
        return runner

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(f"{message.data}!")
        return socket

    async def client(self, url: str, number: int) -> None:
        """Says something a few times a second, and waits for each answer."""
        count = 0
        async with ClientSession() as session:
            while not self.over.is_set():
                async with session.ws_connect(url) as socket:
                    while not self.over.is_set():
                        count += 1
                        word = f"{number}-{count}"
                        await socket.send_str(word)
                        answer = await socket.receive()
                        if answer.type is not WSMsgType.TEXT:
                            self.unanswered += 1
                            break
                        assert answer.data == f"{word}!"
                        self.echoed += 1
                        await asyncio.sleep(0.05)
                    self.closes[socket.close_code] += 1


def test_websockets_are_told_to_connect_again_and_every_word_is_answered_whole(two: Two) -> None:
    app = two.app

    def served_at(site: str) -> None:
        until(lambda: placed(app, "chat") == {site: SOCKETS}, f"all are served at {site}", 60.0)

    async def run() -> Chat:
        chat = Chat(two.net.target_address)
        runner = await chat.serve()
        place = await asyncio.to_thread(
            two.serve, "chat", "http", chat.port, "--rebalance", "auto", address=chat.address
        )
        url = f"http://{place[0]}:{place[1]}/"
        async with asyncio.TaskGroup() as tasks:
            for number in range(SOCKETS):
                tasks.create_task(chat.client(url, number))
            await asyncio.to_thread(served_at, "far")
            await asyncio.to_thread(two.bind, app, "chat", chat.address, chat.port, 100)
            await asyncio.to_thread(served_at, "app")
            chat.over.set()
        await runner.cleanup()
        return chat

    chat = asyncio.run(run())
    assert chat.closes[RESTARTING] == SOCKETS, chat.closes
    assert chat.echoed > SOCKETS


def test_a_channel_of_grpc_gets_a_goaway_at_its_age_and_no_call_fails(two: Two) -> None:
    target = GrpcTarget("far", two.net.target_address)
    try:
        place = two.serve(
            "calls",
            "http2",
            target.port,
            *("--max-age", "1s", "--max-age-jitter", "0%"),
            address=target.address,
        )
        with grpc.insecure_channel(f"{place[0]}:{place[1]}") as channel:
            echo = channel.unary_unary(f"{METHODS}Echo")

            def ended() -> int:
                echo(b"hello", timeout=20.0)
                return departed(two.app, "calls").get("age", 0)

            until(lambda: ended() >= 3, "three connections have ended for their age")
    finally:
        target.stop()
