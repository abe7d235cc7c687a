"""Logging in to the console by OpenShift: both sides over real sockets, and who lies there."""

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from aiohttp import web

from router.admin.api import AdminApi
from router.admin.console import static
from router.admin.console.auth import ConsoleSessions, Users
from router.admin.console.door import ConsoleDoor
from router.admin.console.listener import serving
from router.admin.events import EventLog
from router.kubernetes.trust.openshift import OpenShiftLogin
from router.model import limits
from tests.kubernetes.openshift import (
    METADATA,
    NAMESPACE,
    REVIEW,
    TOKEN,
    USER,
    Answer,
    OpenShift,
    elsewhere,
    endless,
    of_size,
    silent,
)
from tests.kubernetes.pki import Pki
from tests.unit.admin.test_api import FakeRouter

CALLBACK, BEGIN = "/oauth/callback", "/login/openshift"


class World:
    """A console, and the OpenShift that it asks."""

    def __init__(self, openshift: OpenShift) -> None:
        self.openshift = openshift
        self.now = 0.0
        self.told: list[tuple[str, str]] = []
        self.sessions = ConsoleSessions()
        self.login = OpenShiftLogin(openshift.url, NAMESPACE, openshift.account)
        self.door = ConsoleDoor(
            AdminApi(FakeRouter(), EventLog()),
            static.load(),
            lambda: Users(b"k" * 32, {"admin": b"a password"}),
            lambda: ["west.corp"],
            lambda severity, code, subject, message, hint="": self.told.append((code, message)),
            self.sessions,
            site="west",
            site_id="ab" * 16,
            auth="openshift",
            is_tls=False,
            openshift=self.login,
            clock=lambda: self.now,
        )
        self.url = ""

    async def begin(self, browser: aiohttp.ClientSession) -> str:
        """Press the button; where OpenShift's page is."""
        async with browser.get(self.url + BEGIN, allow_redirects=False) as answer:
            assert answer.status == 303, await answer.text()
            return answer.headers["Location"]

    async def agree(self, there: str) -> str:
        """What the user does at OpenShift; where it sends the browser back to."""
        async with (
            aiohttp.ClientSession() as elsewhere,
            elsewhere.get(there, ssl=False, allow_redirects=False) as answer,
        ):
            assert answer.status == 302, await answer.text()
            return answer.headers["Location"]

    async def come(self, browser: aiohttp.ClientSession, back: str) -> tuple[int, str]:
        """Status and text of the page that one comes back to."""
        async with browser.get(back, allow_redirects=False) as answer:
            return answer.status, await answer.text()

    async def log_in(self, browser: aiohttp.ClientSession) -> tuple[int, str]:
        return await self.come(browser, await self.agree(await self.begin(browser)))

    async def status(self, browser: aiohttp.ClientSession) -> int:
        async with browser.get(f"{self.url}/api/v1/status") as answer:
            return answer.status

    def failures(self) -> list[str]:
        return [message for code, message in self.told if code == "console-login-failed"]


def browser() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))


def run(tmp_path: Path, test: Callable[[World], Awaitable[None]]) -> None:
    async def serve() -> None:
        async with asyncio.timeout(30), OpenShift(tmp_path) as openshift:
            world = World(openshift)
            async with serving(world.door, ("127.0.0.1", 0), None) as place:
                world.url = f"http://127.0.0.1:{place[1]}"
                await test(world)

    asyncio.run(serve())


def test_who_may_look_at_the_namespace_comes_in_and_nothing_secret_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []

    async def test(world: World) -> None:
        async with browser() as eve:
            async with eve.get(world.url) as page:
                assert page.url.path == "/login"
                text = await page.text()
                assert f'href="{BEGIN}"' in text and "password" not in text
            status, text = await world.log_in(eve)
            shown.append(text)
            assert status == 200 and "eve" in text and 'content="0;url=/"' in text
            async with eve.get(f"{world.url}/api/v1/session") as answer:
                assert (await answer.json())["item"] == {"user": "eve", "auth": "openshift"}
            cookies = {one.key: one for one in eve.cookie_jar}
            assert cookies["spillway-abababababab"]["samesite"] == "Strict"
            assert list(cookies) == ["spillway-abababababab"]  # That of the login is gone.
        assert ("console-login", "eve logged in.") in world.told
        secrets = [world.openshift.secret, *world.openshift.issued]
        assert len(secrets) == 3
        written = [*(text for _, text in world.told), *shown, *map(str, caplog.records)]
        written += [record.getMessage() for record in caplog.records]
        assert not [text for text in written for secret in secrets if secret in text]

    run(tmp_path, test)


def test_a_session_ends_after_some_hours_whatever_is_done(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        async with browser() as eve:
            await world.log_in(eve)
            step_s = limits.CONSOLE_SESSION_IDLE_S / 2
            while world.now + step_s < limits.CONSOLE_OAUTH_SESSION_S:
                world.now += step_s
                assert await world.status(eve) == 200
            world.now = limits.CONSOLE_OAUTH_SESSION_S
            assert await world.status(eve) == 401

    run(tmp_path, test)


def test_a_server_without_pkce_does_too(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        world.openshift.has_s256 = False
        async with browser() as eve:
            assert (await world.log_in(eve))[0] == 200

    run(tmp_path, test)


def test_passwords_do_not_count(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        async with browser() as client:
            form = {"user": "admin", "password": "a password"}
            async with client.post(f"{world.url}/login", data=form) as answer:
                assert answer.status == 405
            shown = base64.b64encode(b"admin:a password").decode()
            headers = {"Authorization": f"Basic {shown}"}
            async with client.get(f"{world.url}/api/v1/status", headers=headers) as answer:
                assert answer.status == 401
                assert "WWW-Authenticate" not in answer.headers

    run(tmp_path, test)


def test_who_may_not_look_at_the_namespace_is_told_so_and_stays_out(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        world.openshift.user = "mallory<b>"
        async with browser() as mallory:
            status, text = await world.log_in(mallory)
            assert status == 403
            assert "mallory&lt;b&gt; may not look at namespace shop" in text
            assert "oc policy add-role-to-user view" in text
            assert await world.status(mallory) == 401
        assert len(world.failures()) == 1 and len(world.sessions) == 0

    run(tmp_path, test)


def test_who_says_no_at_openshift_is_told_so(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        world.openshift.user = ""
        async with browser() as eve:
            status, text = await world.log_in(eve)
            assert status == 403 and "it was not allowed there" in text and "<b>no" not in text
        assert TOKEN not in world.openshift.asked

    run(tmp_path, test)


def test_a_way_back_that_another_browser_began_logs_nobody_in(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        async with browser() as mallory, browser() as victim:
            theirs = await world.agree(await world.begin(mallory))
            assert (await world.come(victim, theirs))[0] == 403  # Without any cookie.
            await world.begin(victim)
            assert (await world.come(victim, theirs))[0] == 403  # With that of another login.
            assert await world.status(victim) == 401
        assert TOKEN not in world.openshift.asked

    run(tmp_path, test)


def test_a_state_that_is_wrong_missing_or_twice_asks_nobody(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        async with browser() as eve:
            for change in ("state=x&code=c", "code=c", "state={0}&state={0}&code=c", "state={0}"):
                state = parse_qs(urlsplit(await world.begin(eve)).query)["state"][0]
                status, _ = await world.come(eve, f"{world.url}{CALLBACK}?{change.format(state)}")
                assert status == 403, change
        assert TOKEN not in world.openshift.asked

    run(tmp_path, test)


def test_a_code_counts_once(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        async with browser() as eve:
            back = await world.agree(await world.begin(eve))
            kept = {one.key: one.value for one in eve.cookie_jar}
            assert (await world.come(eve, back))[0] == 200
        async with browser() as thief:
            assert (await world.come(thief, back))[0] == 403
            thief.cookie_jar.update_cookies(kept)
            status, text = await world.come(thief, back)
            assert status == 403 and "does not take the code" in text
            assert await world.status(thief) == 401

    run(tmp_path, test)


def test_a_code_of_another_login_or_client_is_refused(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        async with browser() as eve, browser() as mallory:
            theirs = parse_qs(urlsplit(await world.agree(await world.begin(mallory))).query)
            asked = dict(parse_qs(urlsplit(await world.begin(eve)).query))
            state = asked["state"][0]
            stolen = f"{world.url}{CALLBACK}?state={state}&code={theirs['code'][0]}"
            assert (await world.come(eve, stolen))[0] == 403  # Its verifier is another.
            state = parse_qs(urlsplit(await world.begin(eve)).query)["state"][0]
            plain = {key: values[0] for key, values in asked.items()}
            code = world.openshift.code(plain, "system:serviceaccount:evil:app")
            status, _ = await world.come(eve, f"{world.url}{CALLBACK}?state={state}&code={code}")
            assert status == 403 and await world.status(eve) == 401

    run(tmp_path, test)


def test_a_console_under_a_name_that_is_not_the_routes_is_refused_by_openshift(
    tmp_path: Path,
) -> None:
    async def test(world: World) -> None:
        async with aiohttp.ClientSession() as client:
            headers = {"Host": "west.corp"}
            async with client.get(
                world.url + BEGIN, headers=headers, allow_redirects=False
            ) as answer:
                there = answer.headers["Location"]
            async with client.get(there, ssl=False, allow_redirects=False) as answer:
                assert answer.status == 400 and "Location" not in answer.headers

    run(tmp_path, test)


@pytest.mark.parametrize("path", [METADATA, TOKEN, USER, REVIEW])
@pytest.mark.parametrize("answer", [endless, silent, elsewhere("https://127.0.0.1:1/")])
def test_an_answer_without_end_or_none_or_a_redirect_lets_nobody_in(
    tmp_path: Path, path: str, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(world: World) -> None:
        async with browser() as eve:
            back = await world.agree(await world.begin(eve))
            monkeypatch.setattr(limits, "CONSOLE_OAUTH_ANSWER_S", 0.3)  # Not what must be answered.
            world.openshift.instead[path] = answer
            status, text = await world.come(eve, back)
            assert status == 502 and 'role="alert"' in text
            assert await world.status(eve) == 401
            if path == METADATA:
                async with eve.get(world.url + BEGIN, allow_redirects=False) as begun:
                    assert begun.status == 502
        assert world.failures()

    run(tmp_path, test)


@pytest.mark.parametrize("more", [0, 1])
def test_an_answer_may_be_as_long_as_its_limit_and_no_longer(tmp_path: Path, more: int) -> None:
    async def test(world: World) -> None:
        size = limits.CONSOLE_OAUTH_ANSWER_BYTES_MAX + more
        world.openshift.instead[USER] = of_size(size, {"metadata": {"name": "eve"}})
        async with browser() as eve:
            assert (await world.log_in(eve))[0] == (502 if more else 200)

    run(tmp_path, test)


@pytest.mark.parametrize("more", [0, 1])
def test_a_code_may_be_as_long_as_its_limit_and_no_longer(tmp_path: Path, more: int) -> None:
    async def test(world: World) -> None:
        async with browser() as eve:
            state = parse_qs(urlsplit(await world.begin(eve)).query)["state"][0]
            code = "c" * (limits.CONSOLE_OAUTH_TEXT_BYTES_MAX + more)
            await world.come(eve, f"{world.url}{CALLBACK}?state={state}&code={code}")
        assert (TOKEN in world.openshift.asked) is not bool(more)

    run(tmp_path, test)


def test_so_many_logins_are_asked_about_at_once_and_no_more(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        most, all_came = limits.CONSOLE_OAUTH_AT_ONCE_MAX, asyncio.Event()

        async def count(request: web.Request) -> web.StreamResponse:
            if world.openshift.asked.count(METADATA) == most:
                all_came.set()
            return await silent(request)

        world.openshift.instead[METADATA] = count
        async with browser() as client, asyncio.TaskGroup() as tasks:
            waiting = [tasks.create_task(_status(client, world.url + BEGIN)) for _ in range(most)]
            await all_came.wait()
            assert await _status(client, world.url + BEGIN) == 429
            for task in waiting:
                task.cancel()

    run(tmp_path, test)


async def _status(client: aiohttp.ClientSession, url: str) -> int:
    async with client.get(url, allow_redirects=False) as answer:
        return answer.status


def test_a_server_by_another_ca_is_not_told_the_secret(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        other = Pki(tmp_path / "other", "127.0.0.1")
        (world.openshift.account / "ca.crt").write_bytes(other.ca_pem)
        async with browser() as eve, eve.get(world.url + BEGIN) as answer:
            assert answer.status == 502
            assert "neither the cluster&#x27;s CA nor the system" in await answer.text()
        assert world.openshift.asked == []

    run(tmp_path, test)


def test_a_cluster_without_openshifts_oauth_says_so(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        assert await world.login.absence() == ""
        world.openshift.has_oauth = False
        assert "no OAuth server" in await world.login.absence()
        world.openshift.has_oauth = True
        world.openshift.instead[METADATA] = elsewhere("https://127.0.0.1:1/")
        assert await world.login.absence() == ""  # Not known: no password is asked for.
        (world.openshift.account / "token").unlink()
        assert "service account" in await world.login.absence()
        plain = OpenShiftLogin("http://10.0.0.1", NAMESPACE, world.openshift.account)
        assert await plain.absence() != ""

    run(tmp_path, test)


def test_an_account_that_cannot_be_read_is_told_on_the_page(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        for name in ("token", "ca.crt"):
            kept = (world.openshift.account / name).read_bytes()
            (world.openshift.account / name).write_bytes(b"")
            async with browser() as eve, eve.get(world.url + BEGIN) as answer:
                assert answer.status == 502, name
            (world.openshift.account / name).write_bytes(kept)

    run(tmp_path, test)


def test_who_shows_made_up_codes_is_slowed_down(tmp_path: Path) -> None:
    async def test(world: World) -> None:
        async with browser() as mallory:
            for number in range(limits.CONSOLE_FAILURES_BURST + 1):
                state = parse_qs(urlsplit(await world.begin(mallory)).query)["state"][0]
                back = f"{world.url}{CALLBACK}?state={state}&code=made-up"
                status, _ = await world.come(mallory, back)
                assert status == (403 if number < limits.CONSOLE_FAILURES_BURST else 429)
        assert world.openshift.asked.count(TOKEN) == limits.CONSOLE_FAILURES_BURST

    run(tmp_path, test)
