"""The console over real sockets: its pages, who may see them, and its refusals."""

import asyncio
import base64
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from certs.ca.authority import Authority
from certs.tls.contexts import service_server_context
from router.admin.api import AdminApi
from router.admin.connections import Handler
from router.admin.console import gate, static
from router.admin.console.auth import ConsoleSessions, Users
from router.admin.console.door import POLL, ConsoleDoor, ReadOnlyApi
from router.admin.console.listener import serving
from router.admin.events import EventLog
from router.model import limits
from router.model.events import Event
from router.model.specs import ConsoleAuth
from tests.unit.admin.test_api import FakeRouter

PASSWORD = "correct horse"
ADMIN = {"Authorization": "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode()}


class Console:
    """One that is served on loopback, with all that a test may turn."""

    def __init__(self, auth: ConsoleAuth = "internal", reading: ReadOnlyApi | None = None) -> None:
        self.passwords = {"admin": PASSWORD.encode()}
        self.told: list[tuple[str, str]] = []
        self.events = EventLog()
        self.router = FakeRouter()
        self.now = 0.0
        self.sessions = ConsoleSessions()
        self.door = ConsoleDoor(
            reading or AdminApi(self.router, self.events),
            static.load(),
            lambda: Users(b"k" * 32, self.passwords),
            lambda: ["west.corp"],
            lambda severity, code, subject, message, hint="": self.told.append((code, message)),
            self.sessions,
            site="west",
            site_id="ab" * 16,
            auth=auth,
            is_tls=False,
            clock=lambda: self.now,
        )
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def run(
    test: Callable[[Console], Awaitable[None]],
    auth: ConsoleAuth = "internal",
    reading: ReadOnlyApi | None = None,
) -> None:
    async def serve() -> None:
        console = Console(auth, reading)
        async with asyncio.timeout(30), serving(console.door, ("127.0.0.1", 0), None) as place:
            console.port = place[1]
            await test(console)

    asyncio.run(serve())


@contextlib.asynccontextmanager
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        yield session


async def log_in(client: aiohttp.ClientSession, console: Console, password: str = PASSWORD) -> int:
    form = {"user": "admin", "password": password}
    async with client.post(f"{console.url}/login", data=form, allow_redirects=False) as answer:
        return answer.status


async def raw(console: Console, data: bytes, wait_s: float = 5.0) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", console.port)
    try:
        writer.write(data)
        async with asyncio.timeout(wait_s):
            return await reader.read()
    finally:
        writer.close()


def test_a_stranger_sees_the_login_page_and_nothing_else() -> None:
    async def test(console: Console) -> None:
        async with browser() as client:
            async with client.get(console.url) as page:
                assert page.url.path == "/login"
                assert "<form" in await page.text()
            for path in ("/api/v1/status", "/api/v1/events", "/api/v1/session", "/api/v1/nothing"):
                async with client.get(console.url + path) as answer:
                    assert answer.status == 401, path
                    assert (await answer.json())["code"] == "unauthorized"

    run(test)


def test_a_login_gives_a_cookie_that_no_script_and_no_other_site_gets() -> None:
    async def test(console: Console) -> None:
        async with browser() as client:
            form = {"user": "admin", "password": PASSWORD}
            url = f"{console.url}/login"
            async with client.post(url, data=form, allow_redirects=False) as answer:
                assert (answer.status, answer.headers["Location"]) == (303, "/")
                cookie = answer.headers["Set-Cookie"]
                assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
                assert cookie.startswith("spillway-abababababab=")
            async with client.get(f"{console.url}/") as page:
                assert page.headers["Content-Type"].startswith("text/html")
            async with client.get(f"{console.url}/api/v1/session") as answer:
                assert (await answer.json())["item"] == {"user": "admin", "auth": "internal"}
            async with client.post(f"{console.url}/logout", allow_redirects=False) as answer:
                assert answer.headers["Location"] == "/login"
            async with client.get(f"{console.url}/api/v1/status") as answer:
                assert answer.status == 401
        assert len(console.sessions) == 0
        assert not [text for _, text in console.told if PASSWORD in text]

    run(test)


def test_programs_show_user_and_password_with_each_request() -> None:
    async def test(console: Console) -> None:
        async with aiohttp.ClientSession() as client:
            async with client.get(f"{console.url}/api/v1/status", headers=ADMIN) as answer:
                assert (await answer.json())["item"]["name"] == "east"
            async with client.get(f"{console.url}/api/v1/status") as answer:
                assert answer.headers["WWW-Authenticate"].startswith("Basic")
            headers = {"Sec-Fetch-Mode": "cors"}
            async with client.get(f"{console.url}/api/v1/status", headers=headers) as answer:
                assert "WWW-Authenticate" not in answer.headers
        assert len(console.sessions) == 0

    run(test)


def test_another_password_counts_at_once_and_ends_sessions_and_streams() -> None:
    async def test(console: Console) -> None:
        async with browser() as client:
            assert await log_in(client, console) == 303
            accept = {"Accept": "text/event-stream"}
            async with client.get(f"{console.url}/api/v1/events", headers=accept) as stream:
                console.events.add(
                    Event(at="2026", severity="info", code="x", subject="y", message="z", hint="")
                )
                assert await stream.content.readline()
                console.door.end_streams()
                console.passwords["admin"] = b"another"
                console.door.end_streams()
                with contextlib.suppress(aiohttp.ClientError):
                    await stream.content.read()
            async with client.get(f"{console.url}/api/v1/status") as answer:
                assert answer.status == 401
            assert await log_in(client, console) == 401
            assert await log_in(client, console, "another") == 303

    run(test)


def test_a_page_that_only_polls_is_logged_out_as_one_that_is_not_used() -> None:
    async def test(console: Console) -> None:
        async with browser() as client:
            assert await log_in(client, console) == 303
            url, statuses = f"{console.url}/api/v1/events", []
            for headers in ({}, {POLL: "1"}, {POLL: "1"}):
                async with client.get(url, headers=headers) as answer:
                    statuses.append(answer.status)
                console.now += limits.CONSOLE_SESSION_IDLE_S * 0.6
            assert statuses == [200, 200, 401]

    run(test)


def test_wrong_passwords_are_paced_even_for_who_guesses_right_then() -> None:
    async def test(console: Console) -> None:
        async with browser() as client:
            for _ in range(limits.CONSOLE_FAILURES_BURST):
                assert await log_in(client, console, "wrong") == 401
            assert await log_in(client, console) == 429
            async with client.get(f"{console.url}/api/v1/status", headers=ADMIN) as answer:
                assert answer.status == 429 and int(answer.headers["Retry-After"]) > 0
            console.now += limits.CONSOLE_FAILURE_EACH_S
            assert await log_in(client, console) == 303
        assert [code for code, _ in console.told].count("console-login-failed") == 5

    run(test)


def test_nothing_is_changed_through_the_console() -> None:
    async def test(console: Console) -> None:
        async with aiohttp.ClientSession(headers=ADMIN) as client:
            for path in ("status", "flows", "nothing"):
                for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PURGE"):
                    url = f"{console.url}/api/v1/{path}"
                    async with client.request(method, url, data=b"{}") as answer:
                        assert answer.status == 405, (method, path)
            for path in ("commands", "debug"):
                for method in ("GET", "POST"):
                    url = f"{console.url}/api/v1/{path}"
                    async with client.request(method, url, data=b"{}") as answer:
                        assert answer.status == 404
        assert console.router.commands == []

    run(test)


@pytest.mark.parametrize("target", ["http://evil.com/api/v1/status", "http://evil.com:80/"])
def test_a_target_that_names_another_host_is_misdirected(target: str) -> None:
    async def test(console: Console) -> None:
        request = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        assert b" 421 " in (await raw(console, request.encode())).splitlines()[0]
        request = request.replace("evil.com", "west.corp")
        assert b" 421 " not in (await raw(console, request.encode())).splitlines()[0]

    run(test)


def test_a_page_of_the_other_scheme_is_another_site_s() -> None:
    async def test(console: Console) -> None:
        async with aiohttp.ClientSession(headers=ADMIN) as client:
            for scheme, status in (("https", 403), ("http", 303)):
                head = {"Origin": f"{scheme}://127.0.0.1:{console.port}"}
                url = f"{console.url}/logout"
                async with client.post(url, headers=head, allow_redirects=False) as answer:
                    assert answer.status == status

    run(test)


def test_every_answer_has_the_strict_headers() -> None:
    async def test(console: Console) -> None:
        async with aiohttp.ClientSession(headers=ADMIN) as client:
            for method, path, status in (
                ("GET", "/", 200),
                ("GET", "/static/login.css", 200),
                ("GET", "/static/none.js", 404),
                ("GET", "/login", 200),
                ("GET", "/nothing", 404),
                ("GET", "/api/v1/status", 200),
                ("GET", "/api/v1/why/none", 404),
                ("POST", "/api/v1/commands", 404),
                ("POST", "/api/v1/status", 405),
            ):
                async with client.request(method, console.url + path) as answer:
                    assert answer.status == status, path
                    for name, value in gate.HEADERS.items():
                        assert answer.headers[name] == value, path
                    assert "Server" not in answer.headers
                    wanted = "no-cache" if status == 200 and path in _FILES else "no-store"
                    assert answer.headers["Cache-Control"] == wanted, path
        for bad in (b"GARBAGE\r\n\r\n", b"GET / HTTP/1.1\r\nA:" + b"x" * 20_000 + b"\r\n\r\n"):
            text = (await raw(console, bad)).decode()
            assert text.startswith("HTTP/1.") and " 400 " in text.splitlines()[0]
            for name, value in gate.HEADERS.items():
                assert f"{name}: {value}\r\n" in text
            assert "xxxx" not in text and "GARBAGE" not in text

    run(test)


_FILES = ("/", "/static/login.css")


@pytest.mark.parametrize("host", ["evil.com", "west.corp.evil.com", ""])
def test_a_name_that_was_made_to_lead_here_is_refused(host: str) -> None:
    async def test(console: Console) -> None:
        text = await raw(
            console, f"GET /login HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
        )
        assert b" 421 " in text.splitlines()[0] and b"<form" not in text

    run(test)


def test_a_login_from_another_page_is_refused() -> None:
    async def test(console: Console) -> None:
        async with aiohttp.ClientSession() as client:
            form = {"user": "admin", "password": PASSWORD}
            for headers in ({"Origin": "https://evil.com"}, {"Sec-Fetch-Site": "cross-site"}):
                url = f"{console.url}/login"
                async with client.post(url, data=form, headers=headers) as answer:
                    assert answer.status == 403
            headers = {"Origin": console.url, "Host": f"127.0.0.1:{console.port}"}
            async with client.post(
                f"{console.url}/login", data=form, headers=headers, allow_redirects=False
            ) as answer:
                assert answer.status == 303

    run(test)


@pytest.mark.parametrize(
    "path",
    [
        "/static/../door.py",
        "/static/%2e%2e/door.py",
        "/static/..%2fdoor.py",
        "/static//etc/passwd",
        "/static/%00",
        "/static/",
        "/door.py",
    ],
)
def test_no_path_leads_out_of_the_files(path: str) -> None:
    async def test(console: Console) -> None:
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        text = await raw(console, head.encode())
        assert text.split(b" ", 2)[1] in (b"303", b"400", b"404"), text[:200]
        assert b"Handlers" not in text and b"root:" not in text

    run(test)


def test_a_file_that_is_known_is_not_sent_again() -> None:
    async def test(console: Console) -> None:
        url = f"{console.url}/static/login.css"
        async with aiohttp.ClientSession(auto_decompress=False) as client:
            async with client.get(url, headers={"Accept-Encoding": "gzip"}) as answer:
                assert answer.headers["Content-Encoding"] == "gzip"
                etag = answer.headers["ETag"]
            async with client.get(url, headers={"Accept-Encoding": "identity"}) as answer:
                assert "Content-Encoding" not in answer.headers
                assert answer.headers["Content-Type"] == "text/css; charset=utf-8"
            async with client.get(url, headers={"If-None-Match": f'"x", {etag}'}) as answer:
                assert answer.status == 304 and await answer.read() == b""

    run(test)


def test_a_login_beyond_the_bound_is_refused() -> None:
    async def test(console: Console) -> None:
        async with aiohttp.ClientSession() as client:
            most = limits.CONSOLE_LOGIN_BYTES_MAX
            for size, status in ((most, 401), (most + 1, 413)):
                body = b"user=admin&password="
                data = body + b"x" * (size - len(body))
                headers = {"Content-Type": "application/x-www-form-urlencoded"}
                url = f"{console.url}/login"
                async with client.post(url, data=data, headers=headers) as answer:
                    assert answer.status == status

    run(test)


class Reading:
    """Routes of a `ReadOnlyApi` without faults."""

    @web.middleware
    async def note_faults(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        return await handler(request)


def test_a_body_beyond_the_bound_is_refused() -> None:
    class Echo(Reading):
        def add_reading_to(self, routes: web.UrlDispatcher) -> None:
            routes.add_post("/api/v1/simulate", self.answer)

        async def answer(self, request: web.Request) -> web.Response:
            return web.Response(text=str(len(await request.read())))

    async def test(console: Console) -> None:
        async with aiohttp.ClientSession(headers=ADMIN) as client:
            most = limits.CONSOLE_BODY_BYTES_MAX
            for size, status in ((most, 200), (most + 1, 413)):
                url = f"{console.url}/api/v1/simulate"
                head = {"Content-Type": "application/yaml"}
                async with client.post(url, data=b"x" * size, headers=head) as answer:
                    assert answer.status == status
                async with client.post(url, data=b"x") as answer:
                    assert answer.status == 415

    run(test, reading=Echo())


FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("path", ["/login", "/nothing"])
def test_what_a_stranger_expects_is_not_repeated_and_is_no_error_of_ours(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(console: Console) -> None:
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: tea"
        answer = await raw(console, head.encode() + b"\xff\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 417 ")
        assert b"tea" not in answer
        assert b"Content-Security-Policy" in answer

    run(test)
    assert not caplog.records


@pytest.mark.parametrize(
    ("content_type", "body", "more"),
    [
        (f"{FORM}; charset=punycode", b"a" * 4_000, ""),
        (f"{FORM}; charset=nonesuch", b"user=a&password=b", ""),
        (f"{FORM}; charset=utf-16", b"user=a&password=b", ""),
        (FORM, b"user=\xff&password=b", ""),
        (FORM, b"user=%ff&password=b", ""),
        (FORM, b"a=&" * 1_000, ""),
        (FORM, b"a=&" * 80_000, ""),
        (FORM, b"no deflate", "Content-Encoding: deflate\r\n"),
        (FORM, b"no br", "Content-Encoding: br\r\n"),
        ("multipart/form-data", b"--x\r\n", ""),
        ("multipart/form-data; boundary=x", b"--x\r\n" * 3, ""),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\nb\r\n--x--\r\n", ""),
        ("multipart/form-data; boundary=x", b'--x\r\nX: "\r\n\r\nb\r\n' * 9_000, ""),
        ("multipart/form-data; boundary=" + "x" * 99, b"", ""),
        ("application/json", b"{}", ""),
        ("", b"user=a&password=b", ""),
    ],
)
def test_a_login_that_is_no_form_is_refused_at_once_and_is_no_error_of_ours(
    content_type: str, body: bytes, more: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(console: Console) -> None:
        head = (
            f"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
            f"Content-Type: {content_type}\r\nConnection: close\r\n{more}\r\n"
        )
        answer = b" 413 "
        with contextlib.suppress(ConnectionResetError):  # It was refused before we had sent all.
            answer = await raw(console, head.encode() + body)
        assert answer.split(b" ", 2)[1] in (b"400", b"401", b"413", b"415")

    run(test)
    assert not caplog.records


def test_without_a_login_on_loopback_everybody_may_look() -> None:
    async def test(console: Console) -> None:
        async with aiohttp.ClientSession() as client:
            async with client.get(f"{console.url}/api/v1/session") as answer:
                assert (await answer.json())["item"] == {"user": "", "auth": "unsecured"}
            async with client.get(f"{console.url}/login", allow_redirects=False) as answer:
                assert answer.headers["Location"] == "/"

    run(test, "unsecured")


def test_who_has_logged_in_is_not_kept_out_by_strangers() -> None:
    async def test(console: Console) -> None:
        async with aiohttp.ClientSession(headers=ADMIN) as client:
            async with client.get(f"{console.url}/api/v1/status") as answer:
                assert answer.status == 200
            strangers = [
                await asyncio.open_connection("127.0.0.1", console.port)
                for _ in range(limits.CONSOLE_CONNECTIONS_MAX)
            ]
            assert await strangers[0][0].read() == b""  # The oldest of them gave way.
            async with client.get(f"{console.url}/api/v1/status") as answer:
                assert answer.status == 200
            async with (
                aiohttp.ClientSession(headers=ADMIN) as another,
                another.get(f"{console.url}/api/v1/status") as answer,
            ):
                assert answer.status == 200
            for _, writer in strangers:
                writer.close()

    run(test)


def test_who_makes_no_tls_handshake_keeps_nobody_out() -> None:
    async def test() -> None:
        authority, _ = Authority.generate("ab" * 16, time.time())
        leaf = authority.issue_page_leaf(["localhost", "127.0.0.1"], time.time())
        tls = service_server_context(leaf, ("http/1.1",))
        trust = ssl.create_default_context(cadata=authority.ca_pem)
        console = Console()
        async with asyncio.timeout(30), serving(console.door, ("127.0.0.1", 0), tls) as place:
            silent = [
                await asyncio.open_connection(*place)
                for _ in range(limits.CONSOLE_HANDSHAKES_MAX + 1)
            ]
            assert await silent[0][0].read() == b""  # The oldest gave way.
            url = f"https://127.0.0.1:{place[1]}/api/v1/status"
            async with (
                aiohttp.ClientSession(headers=ADMIN) as client,
                client.get(url, ssl=trust) as answer,
            ):
                assert answer.status == 200
            silent[-1][1].write(b"GET / HTTP/1.1\r\n\r\n")  # No TLS at all.
            assert b"HTTP" not in await silent[-1][0].read()
            for _, writer in silent:
                writer.close()

    asyncio.run(test())


def test_one_stream_too_many_is_refused() -> None:
    async def test(console: Console) -> None:
        accept = {"Accept": "text/event-stream"}
        url = f"{console.url}/api/v1/events"
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(headers=ADMIN, connector=connector) as client:
            streams: list[Any] = []
            for _ in range(limits.CONSOLE_STREAMS_PER_PATH_MAX):
                streams.append(await client.get(url, headers=accept))
                assert streams[-1].status == 200
            async with client.get(url, headers=accept) as answer:
                assert answer.status == 503
            for stream in streams:
                stream.close()

    run(test)


class Slow(Reading):
    """Three routes that tell nothing for long."""

    def add_reading_to(self, routes: web.UrlDispatcher) -> None:
        for name in ("a", "b", "c"):
            routes.add_get(f"/api/v1/{name}", self.wait)

    async def wait(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.Event().wait()
        return response


def test_streams_of_all_kinds_together_are_bounded() -> None:
    async def test(console: Console) -> None:
        accept = {"Accept": "text/event-stream"}
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(headers=ADMIN, connector=connector) as client:
            streams: list[Any] = []
            for number in range(limits.CONSOLE_STREAMS_MAX):
                url = f"{console.url}/api/v1/{'ab'[number % 2]}"
                streams.append(await client.get(url, headers=accept))
                assert streams[-1].status == 200
            async with client.get(f"{console.url}/api/v1/c", headers=accept) as answer:
                assert answer.status == 503
            for stream in streams:
                stream.close()

    run(test, reading=Slow())


def test_who_sends_no_head_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CONSOLE_HEAD_S", 0.1)

    async def test(console: Console) -> None:
        with contextlib.suppress(ConnectionResetError):
            assert await raw(console, b"GET /login HTTP/1.1\r\nHost: loc") == b""

    run(test)


def test_who_sends_no_body_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CONSOLE_REQUEST_S", 0.1)
    head = (
        b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n\r\nuser"
    )

    async def test(console: Console) -> None:
        with contextlib.suppress(ConnectionResetError):
            assert await raw(console, head) == b""

    run(test)


def test_who_reads_no_answer_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CONSOLE_REQUEST_S", 0.3)

    async def test(console: Console) -> None:
        console.passwords["admin"] = b"x"
        big = static.Asset(b"x" * 60_000_000, b"", '"e"', "text/plain")
        console.door._files = {"big": big}
        reader, writer = await asyncio.open_connection("127.0.0.1", console.port, limit=1024)
        writer.write(b"GET /static/big HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await asyncio.sleep(0)
        total = 0
        with contextlib.suppress(ConnectionResetError):
            # Read nothing for longer than the deadline: only bytes already under way arrive.
            await asyncio.sleep(1.0)
            while chunk := await reader.read(1 << 20):
                total += len(chunk)
        assert total < 60_000_000
        writer.close()

    run(test)
