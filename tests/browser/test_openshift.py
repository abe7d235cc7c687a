"""A real browser logs in by an OpenShift that is another site: its cookies must find the way."""

import asyncio
import threading
from collections.abc import Iterator
from html import escape
from pathlib import Path

import pytest
from aiohttp import web
from playwright.sync_api import Browser, expect

from router.admin.console.listener import serving
from tests.kubernetes.openshift import AUTHORIZE, METADATA, OpenShift
from tests.kubernetes.test_openshift import World


async def _by_name(openshift: OpenShift, request: web.Request) -> web.Response:
    """``localhost`` is another site than 127.0.0.1."""
    there = openshift.url.replace("127.0.0.1", "localhost")
    return web.json_response(
        {
            "authorization_endpoint": f"{there}/oauth/authorize",
            "token_endpoint": f"{there}/oauth/token",
            "code_challenge_methods_supported": ["S256"],
        }
    )


async def _by_hand(openshift: OpenShift, request: web.Request) -> web.Response:
    """A page with a button, from which the way back begins."""
    sent = await openshift.authorize(request)
    text = f'<a href="{escape(sent.headers["Location"])}">Allow</a>'
    return web.Response(text=text, content_type="text/html")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A console and its OpenShift, in a separate thread."""
    made: list[World] = []
    is_up, is_over = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        async with OpenShift(tmp_path) as openshift:
            openshift.instead[METADATA] = lambda request: _by_name(openshift, request)
            openshift.instead[AUTHORIZE] = lambda request: _by_hand(openshift, request)
            world = World(openshift)
            async with serving(world.door, ("127.0.0.1", 0), None) as place:
                world.url = f"http://127.0.0.1:{place[1]}"
                made.append(world)
                is_up.set()
                await is_over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert is_up.wait(20)
    yield made[0]
    loops[0].call_soon_threadsafe(is_over.set)
    thread.join(20)


def test_a_browser_comes_back_from_openshift_and_sees_the_console(
    chromium: Browser, world: World
) -> None:
    context = chromium.new_context(ignore_https_errors=True)
    page = context.new_page()
    page.goto(world.url)
    page.get_by_role("link", name="Log in with OpenShift").click()
    page.get_by_role("link", name="Allow").click()
    page.wait_for_url(f"{world.url}/**")
    page.wait_for_url(lambda url: "/oauth/" not in url and "/login" not in url)
    expect(page.get_by_text("Overview").first).to_be_visible()
    assert {one["name"] for one in context.cookies(world.url)} == {"spillway-abababababab"}
    context.close()
