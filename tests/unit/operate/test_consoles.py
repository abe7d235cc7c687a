"""Who is asked where the document wants OpenShift, and what `status` says of it."""

import asyncio
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from certs.ca.authority import Authority
from router.admin.api import AdminApi
from router.admin.console import static
from router.admin.events import EventLog
from router.model import limits
from router.model.specs import ConsoleSpec, SiteSpec
from router.operate.consoles.consoles import ConsoleHost
from router.service.ports import NoTls
from tests.unit.admin.test_api import FakeRouter


class Cluster:
    """Says why OpenShift is not there."""

    def __init__(self, why: str) -> None:
        self.why = why

    async def absence(self) -> str:
        return self.why

    async def login_url(self, redirect_uri: str, state: str, challenge: str) -> str:
        return "https://oauth.corp/"

    async def user(self, code: str, redirect_uri: str, verifier: str) -> str:
        return "eve"


def no_authority() -> Authority:
    raise AssertionError("loopback has no TLS")


def host(tmp_path: Path, cluster: Cluster | None, told: Callable[[str], None]) -> ConsoleHost:
    def tell(severity: str, code: str, subject: str, message: str, hint: str = "") -> None:
        told(code)

    users = tmp_path / "console-users"
    users.mkdir(mode=0o700)
    (users / "admin").write_text("a password")
    (users / "admin").chmod(0o600)
    made = ConsoleHost(
        *(tmp_path, "west", "ab" * 16, no_authority, lambda name: NoTls("", "")),
        tell,
        openshift=cluster,
        namespace="shop",
    )
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    made.apply(SiteSpec(console=ConsoleSpec(bind=f"127.0.0.1:{port}", auth="openshift")))
    return made


async def page(made: ConsoleHost) -> str:
    async with aiohttp.ClientSession() as client, client.get(made.view().url) as answer:
        return await answer.text()


def test_the_console_knows_by_which_name_sitectl_finds_a_site_that_was_renamed(
    tmp_path: Path,
) -> None:
    place = tmp_path / "before" / "secrets"
    made = ConsoleHost(
        *(place, "after", "ab" * 16, no_authority, lambda name: NoTls("", "")), lambda *told: None
    )
    made.apply(SiteSpec(console=ConsoleSpec(bind="127.0.0.1:8010")))
    assert made.view().directory == "before"


def run(made: ConsoleHost, up: asyncio.Queue[str], test: Callable[[], Any]) -> None:
    async def serve() -> None:
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(made.run(AdminApi(FakeRouter(), EventLog())))
            assert await up.get() == "console-up"
            await test()
            serving.cancel()

    asyncio.run(serve())


def test_openshift_is_asked_where_it_is(tmp_path: Path) -> None:
    up: asyncio.Queue[str] = asyncio.Queue()
    made = host(tmp_path, Cluster(""), up.put_nowait)

    async def test() -> None:
        assert made.problems() == ()
        assert (made.view().auth, made.view().secret) == ("openshift", "")
        assert made.view().namespace == "shop"
        assert "Log in with OpenShift" in await page(made)

    run(made, up, test)


@pytest.mark.parametrize("cluster", [None, Cluster("this cluster has none")])
def test_passwords_are_asked_for_where_it_is_not(tmp_path: Path, cluster: Cluster | None) -> None:
    up: asyncio.Queue[str] = asyncio.Queue()
    made = host(tmp_path, cluster, up.put_nowait)

    async def test() -> None:
        assert [problem.code for problem in made.problems()] == ["SW0472"]
        assert made.view().auth == "internal" and made.view().secret
        assert 'type="password"' in await page(made)

    run(made, up, test)


def test_it_is_asked_as_soon_as_it_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CONSOLE_OAUTH_LOOK_S", 0.0)
    monkeypatch.setattr(limits, "CONSOLE_STREAMS_LOOK_S", 0.01)
    up: asyncio.Queue[str] = asyncio.Queue()
    cluster = Cluster("this cluster has none")
    made = host(tmp_path, cluster, up.put_nowait)

    async def test() -> None:
        assert 'type="password"' in await page(made)
        cluster.why = ""
        assert await up.get() == "console-up"
        assert made.problems() == ()
        assert "Log in with OpenShift" in await page(made)

    run(made, up, test)


def _broken() -> None:
    raise ImportError("its files cannot be read")


def test_a_router_starts_without_a_console_that_cannot_be_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The router reports that, and serves the console as soon as it can."""
    up: asyncio.Queue[str] = asyncio.Queue()
    made = host(tmp_path, None, up.put_nowait)
    monkeypatch.setattr(limits, "CONSOLE_RETRY_S", 0.05)

    async def story() -> None:
        with monkeypatch.context() as broken:
            broken.setattr(static, "load", _broken)
            await made.prepare()
            async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
                serving = tasks.create_task(made.run(AdminApi(FakeRouter(), EventLog())))
                assert await up.get() == "console-down"
                assert "SW0208" in {problem.code for problem in made.problems()}
                broken.undo()
                assert await up.get() == "console-up"
                serving.cancel()

    asyncio.run(story())


def test_a_certificate_that_cannot_be_written_is_not_blamed_on_the_port(tmp_path: Path) -> None:
    up: asyncio.Queue[str] = asyncio.Queue()
    (tmp_path / "ca").mkdir(mode=0o700)
    authority = Authority.create(tmp_path / "ca", "ab" * 16, time.time())
    made = ConsoleHost(
        *(tmp_path, "west", "ab" * 16, lambda: authority, lambda name: NoTls("", "")),
        lambda severity, code, subject, message, hint="": up.put_nowait(code),
    )
    (tmp_path / "console.key" / "taken").mkdir(parents=True)
    made.apply(SiteSpec(console=ConsoleSpec(bind="0.0.0.0:0")))

    async def story() -> None:
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(made.run(AdminApi(FakeRouter(), EventLog())))
            assert await up.get() == "console-down"
            (problem, _) = made.problems()
            assert problem.message == (
                f"The console is not served: {tmp_path}/console.key: Is a directory."
            )
            assert problem.hint == f"See what is there: ls -ld {tmp_path}"
            serving.cancel()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("namespace", "step"),
    [
        ("", "sitectl update --enable-console --console-user eve"),
        (
            "shop",
            "kubectl -n shop patch secret/skupper-console-users -p "
            '\'{"stringData":{"eve":"PASSWORD"}}\'',
        ),
    ],
)
def test_a_user_without_a_password_is_a_problem_with_the_command_that_sets_one(
    namespace: str, step: str, tmp_path: Path
) -> None:
    users = tmp_path / "console-users"
    users.mkdir(mode=0o700)
    for name, password in (("admin", "a password"), ("eve", "")):
        (users / name).write_text(password)
        (users / name).chmod(0o600)
    place = "Secret/skupper-console-users" if namespace else ""
    made = ConsoleHost(
        *(tmp_path, "west", "ab" * 16, no_authority, lambda name: NoTls("", "")),
        lambda *told: None,
        place,
        namespace=namespace,
    )
    made.apply(SiteSpec(console=ConsoleSpec(bind="127.0.0.1:8010")))
    (problem,) = made.problems()
    where = f"{place or users}/eve"
    assert problem.code == "SW0210"
    assert problem.message == (
        f"User eve cannot log in to the console: {where} has no password in it."
    )
    assert problem.hint == step
