"""The HTTP API over a real unix socket, and over TCP with a credential."""

import asyncio
import contextlib
import io
import json
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec
import pytest
from yarl import URL

from router.admin.events import EventLog
from router.admin.ports import BadQuestion, HistogramView, MetricValues, UnknownCommand
from router.admin.server import serving
from router.admin.views.bursts import BurstView, ScaleView
from router.admin.views.links import LinkView, SiteName, SiteView
from router.admin.views.services import AffinityView, ServiceView, TargetView
from router.admin.views.status import CaView, ListenerView, Status
from router.admin.views.why import PastDecision, WhyDecision, WhySession, WhyView
from router.model import limits
from router.model.events import Event, Problem
from router.model.ids import ServiceKey
from router.model.requests import RequestSelection
from router.model.settings import AffinityBy
from router.model.wording.routing_key_names import hashed_name

SHOP = ServiceView(
    name="shop",
    port=8080,
    protocol="http",
    policy="fill",
    queued=0,
    demand=2,
    requests_total=3,
    overflow_total=1,
    tls_cert="",
    listener=ListenerView(host="127.0.0.1", port=8080, state="bound", error=""),
    sites=(),
    targets=(),
)


SCALE = ScaleView(
    service="shop",
    port=8080,
    demand=25,
    demand_avg=24.5,
    demand_per_s=60.0,
    in_flight=10,
    overflowed=12,
    queued=3,
    refused=0,
    refused_per_s=0.0,
    targets_ready=1,
    capacity=10,
    capacity_kind="concurrency",
    capacity_per_target=10.0,
    targets_wanted=3,
)

FAR_TARGET = TargetView(
    site="west",
    name="there",
    host="",
    port=9001,
    ready=True,
    in_flight=1,
    capacity=5,
    requests_total=7,
    error="",
)


class FakeRouter:
    """A router that shows one of each."""

    def __init__(self) -> None:
        self.is_ready = True
        self.uptime_s = 1.5
        self.commands: list[tuple[str, Mapping[str, str]]] = []
        self.scrapes = 0
        self.carriers: list[ServiceView] = []  # Services that carry routing keys.
        self.refused: dict[str, Problem] = {}  # By import rules.

    def status(self) -> Status:
        return Status(
            name="east",
            id="00" * 16,
            mode="interior",
            version="0.1.0",
            ready=self.is_ready,
            uptime_s=self.uptime_s,
            links=1,
            services=1,
            sites=2,
            problems=(),
        )

    def links(self) -> Sequence[LinkView]:
        return [
            LinkView(
                name="link1",
                neighbour=SiteName("west", "11" * 16),
                direction="outgoing",
                cost=5,
                state="up",
                since="2026-01-01T00:00:00Z",
                rtt_ms=1.25,
                lanes=1,
                streams=0,
                error="",
                certificate_expires=None,
            )
        ]

    def services(self) -> Sequence[ServiceView]:
        return [SHOP, *self.carriers]

    def service_keys(self) -> Sequence[ServiceKey]:
        return [ServiceKey(one.name, one.port) for one in self.services()]

    def routing_key_of(self, service: str) -> str:
        return next((one.routing_key for one in self.carriers if one.name == service), "")

    def bursts(self) -> Sequence[BurstView]:
        return []

    def ca(self) -> CaView:
        return CaView(
            phase="one",
            since=None,
            until=None,
            next="it is replaced by itself",
            hurried=False,
            certificates=(),
            waiting=(),
        )

    def network(self) -> Sequence[SiteView]:
        return []

    def why_unknown(self, service: str) -> Problem | None:
        return self.refused.get(service)

    def ask_targets(
        self, service: str, done: Callable[[Mapping[int, list[TargetView]]], None]
    ) -> None:
        asyncio.get_running_loop().call_soon(done, {8080: [FAR_TARGET], 1: [FAR_TARGET]})

    async def why(
        self,
        service: str,
        port: int | None,
        session: tuple[AffinityBy, str] | None = None,
        *,
        sheddable: bool = False,
    ) -> WhyView | None:
        if session is not None and session[0] != "client":
            raise BadQuestion("Service 'shop' keeps sessions by client.", "sitectl why shop")
        if service != "shop" or port not in (None, 8080):
            return None
        return WhyView(
            service="shop",
            port=8080,
            policy="fill",
            affinity=AffinityView("client", ""),
            session=WhySession("07", session[1], None) if session is not None else None,
            decision=WhyDecision(None, (), "no-route"),
            candidates=(),
        )

    def scale(self, service: str, port: int | None) -> ScaleView | None:
        return SCALE if service == "shop" and port in (None, 8080) else None

    async def past(
        self, service: str, port: int | None, count: int, which: RequestSelection
    ) -> Sequence[PastDecision] | None:
        if service != "shop" or port not in (None, 8080):
            return None
        return [
            PastDecision(
                service="shop",
                port=8080,
                at=f"last {count}",
                outcome={"all": "ok", "denied": "all-full", "failed": "busy"}[which],
                site=None,
                answer=None,
                reason="",
                overflow_reason="",
                spill_reason="",
                waited_s=0.0,
                total_s=0.0,
                attempts=0,
                retried_for=None,
                session=None,
                policy=None,
                decided_at=None,
                in_flight=None,
                capacity=None,
                candidates=(),
                further=0,
            )
        ]

    def ready(self) -> bool:
        return self.is_ready

    def metrics(self) -> Iterator[MetricValues]:
        self.scrapes += 1
        yield MetricValues(
            numbers={"spillway_requests_total": {("shop", "8080", "http", 'we"st\n', "2xx"): 3}},
            histograms={
                "spillway_request_seconds": {
                    ("shop", "8080", "http", "west", "2xx"): HistogramView(
                        (0.1, 1.0), (1, 1, 1), 3.5
                    )
                }
            },
        )

    async def look(self, figures: str) -> None:
        """There is no other process."""

    def command(self, name: str, arguments: Mapping[str, str]) -> str:
        if name not in ("reload", "rebalance"):
            raise UnknownCommand("Commands are: reload, stop.")
        self.commands.append((name, arguments))
        return "Reading the configuration again."


Client = Callable[[str], Awaitable[tuple[int, Any]]]


@contextlib.asynccontextmanager
async def running(
    tmp_path: Path, router: FakeRouter, events: EventLog
) -> AsyncIterator[aiohttp.ClientSession]:
    socket = tmp_path / "admin.sock"
    async with (
        serving(router, events, socket),
        aiohttp.ClientSession(
            "http://site", connector=aiohttp.UnixConnector(str(socket))
        ) as session,
    ):
        yield session


def test_every_listing_comes_in_the_envelope(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(tmp_path, FakeRouter(), EventLog()) as session:
            for path, kind, many in (
                ("status", "Status", False),
                ("links", "Link", True),
                ("services", "Service", True),
                ("services/shop", "Service", True),
                ("services/shop/scale", "Scale", False),
                ("services/shop:8080/scale", "Scale", False),
                ("network", "Site", True),
                ("why/shop:8080", "Why", False),
                ("events", "Event", True),
            ):
                async with session.get(f"/api/v1/{path}") as response:
                    answer = await response.json()
                    assert response.status == 200, path
                    assert answer["apiVersion"] == "spillway/v1"
                    assert answer["kind"] == kind
                    assert ("items" in answer) is many

    asyncio.run(story())


def test_one_service_comes_with_the_targets_of_other_sites_for_that_port(tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            running(tmp_path, FakeRouter(), EventLog()) as session,
            session.get("/api/v1/services/shop") as response,
        ):
            (item,) = (await response.json())["items"]
            assert [(t["site"], t["name"], t["host"]) for t in item["targets"]] == [
                ("west", "there", "")
            ]

    asyncio.run(story())


@pytest.mark.parametrize("key", ["shop.v2/web", "a b?c#d", "50%2F", "ключ", "shop:http", "x" * 253])
def test_a_routing_key_is_asked_for_by_its_own_text(tmp_path: Path, key: str) -> None:
    async def story() -> None:
        router = FakeRouter()
        name = hashed_name(key)
        carrier = msgspec.structs.replace(SHOP, name=name, port=1, routing_key=key)
        router.carriers = [carrier]
        path = f"/api/v1/services/{quote(key, safe='')}"
        async with running(tmp_path, router, EventLog()) as session:
            async with session.get(URL(path, encoded=True)) as response:
                (item,) = (await response.json())["items"]
                assert (item["name"], item["routing_key"]) == (name, key)
            async with session.get(URL(f"{path}:1", encoded=True)) as response:
                (item,) = (await response.json())["items"]
                assert item["name"] == name
            router.carriers = []
            router.refused = {
                name: Problem(code="SW0343", message="It is refused.", hint="Let it in")
            }
            async with session.get(URL(path, encoded=True)) as response:
                said = await response.json()
                expected = "bad-port" if ":" in key else "SW0343"
                assert said["code"] == expected, "a text with a colon names no port"

    asyncio.run(story())


def test_why_is_asked_for_a_session_by_its_query(tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            running(tmp_path, FakeRouter(), EventLog()) as session,
            session.get("/api/v1/why/shop?client=10.0.0.9") as response,
        ):
            item = (await response.json())["item"]
            assert item["affinity"] == {"by": "client", "name": ""}
            assert item["session"] == {"key": "07", "site": "10.0.0.9", "target": None}

    asyncio.run(story())


def test_why_of_a_port_that_a_service_has_not_says_which_it_has(tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            running(tmp_path, FakeRouter(), EventLog()) as session,
            session.get("/api/v1/why/shop:99") as response,
        ):
            said = await response.json()
            assert response.status == 404
            assert said["message"] == "Service 'shop' has no port 99, it has 8080."
            assert said["hint"] == "sitectl why shop:8080"

    asyncio.run(story())


@pytest.mark.parametrize(
    ("query", "at", "outcome"),
    [
        ("last=7", "last 7", "ok"),
        ("last=7&denied=0", "last 7", "ok"),
        ("last=1&denied=1", "last 1", "all-full"),
        ("denied=1", f"last {limits.DECISIONS_KEPT}", "all-full"),
        ("last=1&failed=1", "last 1", "busy"),
        ("failed=1&denied=0", f"last {2 * limits.DECISIONS_KEPT}", "busy"),
        ("failed=1&denied=1", f"last {2 * limits.DECISIONS_KEPT}", "busy"),
    ],
)
def test_why_is_asked_for_the_past_by_its_query(
    tmp_path: Path, query: str, at: str, outcome: str
) -> None:
    async def story() -> None:
        async with (
            running(tmp_path, FakeRouter(), EventLog()) as session,
            session.get(f"/api/v1/why/shop:8080?{query}") as response,
        ):
            answer = await response.json()
            assert answer["kind"] == "PastDecisions"
            assert [(one["at"], one["outcome"]) for one in answer["items"]] == [(at, outcome)]

    asyncio.run(story())


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/v1/services/nothing", 404, "not-found"),
        ("/api/v1/services/nothing/scale", 404, "not-found"),
        ("/api/v1/services/shop:81/scale", 404, "not-found"),
        ("/api/v1/services/shop:eighty/scale", 400, "bad-port"),
        ("/api/v1/services/shop:/scale", 400, "bad-port"),
        ("/api/v1/services/shop:888888888888888888888/scale", 400, "bad-port"),
        ("/api/v1/why/nothing", 404, "not-found"),
        ("/api/v1/why/shop:eighty", 400, "bad-port"),
        ("/api/v1/why/shop:%D9%A8", 400, "bad-port"),
        ("/api/v1/why/shop?header=x", 400, "bad-session"),
        ("/api/v1/why/shop?client=x&cookie=y", 400, "bad-session"),
        ("/api/v1/why/nothing?last=3", 404, "not-found"),
        ("/api/v1/why/shop?last=0", 400, "bad-last"),
        ("/api/v1/why/shop?last=-1", 400, "bad-last"),
        ("/api/v1/why/shop?last=", 400, "bad-last"),
        ("/api/v1/why/shop?last=1e1", 400, "bad-last"),
        ("/api/v1/why/shop?last=%D9%A3", 400, "bad-last"),
        (f"/api/v1/why/shop?last={limits.DECISIONS_KEPT + 1}", 400, "bad-last"),
        ("/api/v1/why/shop?denied=yes", 400, "bad-denied"),
        ("/api/v1/why/shop?failed=", 400, "bad-failed"),
        ("/api/v1/why/shop?failed=1&last=33", 400, "bad-last"),
        ("/api/v1/why/shop?last=3&client=10.0.0.9", 400, "bad-session"),
        ("/api/v1/../../etc/passwd", 404, "not-found"),
        ("/api/v1/%2e%2e/status", 404, "not-found"),
    ],
)
def test_a_wrong_path_is_told_as_json(tmp_path: Path, path: str, status: int, code: str) -> None:
    async def story() -> None:
        async with (
            running(tmp_path, FakeRouter(), EventLog()) as session,
            session.get(path) as response,
        ):
            assert (response.status, (await response.json())["code"]) == (status, code)

    asyncio.run(story())


def test_the_socket_is_its_owners_alone_and_goes_with_the_server(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(tmp_path, FakeRouter(), EventLog()):
            assert stat.S_IMODE((tmp_path / "admin.sock").stat().st_mode) == 0o600

    asyncio.run(story())
    assert not (tmp_path / "admin.sock").exists()


def test_the_socket_may_lie_deeper_than_a_socket_address_can_say(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)

    async def story() -> None:
        async with serving(FakeRouter(), EventLog(), deep / "admin.sock"):
            assert stat.S_ISSOCK((deep / "admin.sock").stat().st_mode)

    asyncio.run(story())
    assert not (deep / "admin.sock").exists()


def test_a_fault_of_ours_is_reported_wherever_it_was_asked_for(tmp_path: Path) -> None:
    class Broken(FakeRouter):
        def status(self) -> Status:
            raise RuntimeError("a fault of ours")

        def metrics(self) -> Iterator[MetricValues]:
            raise TypeError("a fault of ours")

        def links(self) -> Sequence[LinkView]:
            raise TimeoutError

    async def story() -> None:
        failed: list[Exception] = []
        socket, tcp, probes = tmp_path / "admin.sock", free_port(), free_port()
        doors = serving(
            Broken(),
            EventLog(),
            socket,
            tcp=("127.0.0.1", tcp),
            credential="s3cret",
            probes=("127.0.0.1", probes),
            failed=failed.append,
        )
        local = aiohttp.UnixConnector(str(socket))
        async with (
            doors,
            aiohttp.ClientSession("http://site", connector=local) as owner,
            aiohttp.ClientSession(headers={"Authorization": "Bearer s3cret"}) as caller,
        ):
            for asked in (
                owner.get("/api/v1/status"),
                caller.get(f"http://127.0.0.1:{tcp}/api/v1/status"),
                caller.get(f"http://127.0.0.1:{probes}/metrics"),
                owner.get("/api/v1/links"),  # Another site was too slow, for one.
            ):
                async with asked as response:
                    assert response.status == 500
            async with owner.get("/api/v1/nothing") as response:
                assert response.status == 404
        assert [type(one) for one in failed] == [RuntimeError, RuntimeError, TypeError]

    asyncio.run(story())


def test_readiness_follows_the_router_and_health_does_not(tmp_path: Path) -> None:
    async def story() -> None:
        router = FakeRouter()
        router.is_ready = False
        async with running(tmp_path, router, EventLog()) as session:
            async with session.get("/readyz") as response:
                assert response.status == 503
            async with session.get("/healthz") as response:
                assert response.status == 200

    asyncio.run(story())


def test_commands_are_carried_out_or_refused_without_effect(tmp_path: Path) -> None:
    async def story() -> None:
        router = FakeRouter()
        async with running(tmp_path, router, EventLog()) as session:
            for body, status in (
                (b'{"command": "reload"}', 200),
                (b'{"command": "explode"}', 400),
                (b'{"command": 7}', 400),
                (b'{"command": "reload", "also": 1}', 400),
                (b"not json", 400),
                (b'{"command": "\x80"}', 400),
                (b"[" * 100_000, 400),
                (b"x" * 2_000_000, 413),
            ):
                async with session.post("/api/v1/commands", data=io.BytesIO(body)) as response:
                    assert response.status == status, body[:40]
                    assert isinstance(await response.json(), dict)
        assert router.commands == [("reload", {})]

    asyncio.run(story())


def test_a_command_takes_a_routing_key_for_a_service(tmp_path: Path) -> None:
    async def story() -> None:
        router, name = FakeRouter(), hashed_name("shop.v2/web")
        router.carriers = [msgspec.structs.replace(SHOP, name=name, routing_key="shop.v2/web")]
        async with running(tmp_path, router, EventLog()) as session:
            for text in ("shop.v2/web", "shop:8080"):
                body = json.dumps({"command": "rebalance", "arguments": {"service": text}})
                async with session.post("/api/v1/commands", data=body) as response:
                    assert response.status == 200
        assert router.commands == [
            ("rebalance", {"service": name}),
            ("rebalance", {"service": "shop:8080"}),
        ]

    asyncio.run(story())


def test_metrics_escape_labels_and_are_cached_for_a_second(tmp_path: Path) -> None:
    async def story() -> None:
        router = FakeRouter()
        async with running(tmp_path, router, EventLog()) as session:
            for _ in range(5):
                async with session.get("/metrics") as response:
                    text = await response.text()
            assert router.scrapes == 1
            assert 'site="we\\"st\\n"} 3.0' in text
            assert 'spillway_request_seconds_bucket{code_class="2xx",le="+Inf"' in text
            assert "spillway_request_seconds_count" in text
            assert "_created" not in text
            for _ in range(5):
                accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
                async with session.get("/metrics", headers=accept) as response:
                    kind, text = response.content_type, await response.text()
            assert (router.scrapes, kind) == (2, "application/openmetrics-text")
            assert text.endswith("# EOF\n")

    asyncio.run(story())


def test_a_follower_gets_the_kept_events_and_then_the_new_ones(tmp_path: Path) -> None:
    def event(code: str) -> Event:
        return Event(at="", severity="info", code=code, subject="s", message="<b>\n")

    async def story() -> None:
        events = EventLog()
        events.add(event("first"))
        events.add(event("second"))
        async with (
            running(tmp_path, FakeRouter(), events) as session,
            session.get(
                "/api/v1/events",
                headers={"Accept": "text/event-stream", "Last-Event-ID": "1"},
            ) as response,
        ):
            seen = []
            async for line in response.content:
                if line.startswith(b"data: "):
                    seen.append(json.loads(line[6:])["code"])
                    if len(seen) == 1:
                        events.add(event("third"))
                    else:
                        break
            assert seen == ["second", "third"]

    asyncio.run(story())


def test_a_follower_that_does_not_read_is_dropped_and_too_many_are_refused() -> None:
    events = EventLog()
    followers = [events.follow() for _ in range(32)]
    assert all(followers)
    assert events.follow() is None
    for _ in range(300):
        events.add(Event(at="", severity="info", code="x", subject="", message=""))
    first = followers[0]
    assert first is not None
    entries = [first.get_nowait() for _ in range(first.qsize())]
    assert entries[-1] is None
    assert events.follow() is not None


def test_tcp_is_served_only_to_who_shows_the_credential(tmp_path: Path) -> None:
    async def story() -> None:
        import socket

        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        async with (
            serving(
                FakeRouter(),
                EventLog(),
                tmp_path / "admin.sock",
                tcp=("127.0.0.1", port),
                credential="s3cret",
            ),
            aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
        ):
            for header, status in (("", 401), ("Bearer wrong", 401), ("Bearer s3cret", 200)):
                async with session.get(
                    "/api/v1/status", headers={"Authorization": header}
                ) as response:
                    assert response.status == status
                    if status == 401:
                        assert "secrets/admin.credential" in (await response.json())["hint"]
            async with session.get("/healthz") as response:
                assert response.status == 200

    asyncio.run(story())


def test_a_credential_that_is_no_text_is_wrong_and_no_error_of_ours(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> bytes:
        place = ("127.0.0.1", free_port())
        socket_path = tmp_path / "admin.sock"
        async with serving(FakeRouter(), EventLog(), socket_path, tcp=place, credential="s3cret"):
            reader, writer = await asyncio.open_connection(*place)
            writer.write(b"GET /api/v1/status HTTP/1.1\r\nHost: a\r\n")
            writer.write(b"Authorization: Bearer \xff\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
            writer.close()
        return answer

    assert asyncio.run(story()).startswith(b"HTTP/1.1 401 ")
    assert not caplog.records


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def probed(router: FakeRouter, tmp_path: Path) -> AsyncIterator[tuple[str, int]]:
    """Where the probes of ``router`` answer."""
    place = ("127.0.0.1", free_port())
    async with serving(router, EventLog(), tmp_path / "admin.sock", probes=place):
        yield place


def test_probes_tell_health_metrics_and_demand_without_a_credential_and_nothing_else(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        router = FakeRouter()
        async with (
            probed(router, tmp_path) as (host, port),
            aiohttp.ClientSession(f"http://{host}:{port}") as session,
        ):

            async def status(method: str, path: str) -> int:
                async with session.request(method, path) as response:
                    await response.read()
                    return response.status

            assert await status("GET", "/healthz") == 200
            assert await status("GET", "/metrics") == 200
            assert await status("GET", "/api/v1/services/shop/scale") == 200
            assert await status("GET", "/readyz") == 200
            router.is_ready = False
            assert await status("GET", "/readyz") == 503
            assert await status("GET", "/healthz") == 200
            for path in ("/", "/api/v1/status", "/api/v1/services/shop", "/api/v1/events"):
                assert await status("GET", path) == 404
            assert await status("POST", "/api/v1/commands") == 404
            assert await status("POST", "/healthz") == 405
            assert router.commands == []

    asyncio.run(story())


def test_who_asks_for_demand_without_a_credential_starts_no_search(tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            probed(FakeRouter(), tmp_path) as (host, port),
            aiohttp.ClientSession(f"http://{host}:{port}") as session,
            session.get("/api/v1/services/shpo/scale") as response,
        ):
            said = await response.json()
            assert (response.status, said["code"]) == (404, "not-found")
            assert said["message"] == "No service 'shpo' is known here."
            assert said["hint"] == "sitectl service status"

    asyncio.run(story())


def test_readiness_waits_for_the_named_services_but_not_for_ever(tmp_path: Path) -> None:
    async def story() -> None:
        router = FakeRouter()
        async with (
            probed(router, tmp_path) as (host, port),
            aiohttp.ClientSession(f"http://{host}:{port}") as session,
        ):

            async def asked(query: str) -> tuple[int, str]:
                async with session.get(f"/readyz{query}") as response:
                    return response.status, await response.text()

            assert await asked("?service=shop") == (200, "ready\n")
            missing = await asked("?service=shop&service=db")
            assert missing == (503, "not listening yet for db\n")
            router.uptime_s = 31.0
            assert await asked("?service=shop&service=db") == (200, "ready\n")

    asyncio.run(story())


def test_strangers_that_stay_connected_cannot_keep_a_kubelet_from_its_probes(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        async with probed(FakeRouter(), tmp_path) as (host, port):
            strangers = [await asyncio.open_connection(host, port) for _ in range(40)]
            for _ in range(20):
                reader, writer = await asyncio.open_connection(host, port)
                writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                async with asyncio.timeout(5):
                    assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
                writer.close()
            async with asyncio.timeout(5):
                assert await strangers[0][0].read() == b""
            for _, stranger in strangers:
                stranger.close()

    asyncio.run(story())


def test_connections_beyond_the_bound_are_closed_until_one_leaves(tmp_path: Path) -> None:
    async def story() -> None:
        path = tmp_path / "admin.sock"
        async with serving(FakeRouter(), EventLog(), path):
            idle = [await asyncio.open_unix_connection(path) for _ in range(64)]
            reader, crowded = await asyncio.open_unix_connection(path)
            assert await reader.read() == b""
            crowded.close()
            _, leaving = idle.pop()
            leaving.close()
            await leaving.wait_closed()
            async with asyncio.timeout(10):
                while not (answer := await asked(path)):
                    pass
            assert answer.startswith(b"HTTP/1.1 200 OK")
            for _, writer in idle:
                writer.close()

    asyncio.run(story())


async def asked(path: Path) -> bytes:
    """The answer to one request over a separate connection; empty: it was turned away."""
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: site\r\nConnection: close\r\n\r\n")
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()
