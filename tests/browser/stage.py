"""A scripted router's API and console on a port of this machine, and a Chromium that looks at it.

The server has a separate thread and loop; the test drives the browser from its own thread.
"""

import asyncio
import contextlib
import functools
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from aiohttp import web
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Error,
    Locator,
    Page,
    ViewportSize,
    expect,
    sync_playwright,
)

from router.admin.api import AdminApi
from router.admin.console import static
from router.admin.console.gate import POLICY
from router.admin.console.static import Asset
from router.admin.endpoints.simulation import SimulationApi
from router.admin.events import EventLog
from router.model import limits
from router.model.events import Event
from router.operate.simulation_process import SimulationProcess
from tests.browser.scripted import ScriptedRouter, parts_of
from tests.doors import take_no_more
from tests.programs import find
from tests.scenario.harness import own_address
from tests.scenario.waiting import until

STATIC = Path(__file__).parents[2] / "router/admin/console/static"
SCREENSHOTS = Path(__file__).parents[2] / "build/screenshots"
_ORDER = ("overview", "topology", "services", "flows", "links", "events", "simulate")
PAGES = tuple(name for name in _ORDER if (STATIC / f"pages/{name}.js").exists())
REST_S = 15.0
WIDE = ViewportSize(width=1280, height=800)
NARROW = ViewportSize(width=375, height=800)
_WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`);
});
"""
_DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
_NETWORK = re.compile(r"Failed to load resource|net::ERR_|EventSource's response has a MIME")
"""What Chromium logs of a router that is gone or refuses; tests bring that about on purpose."""


class Served(Protocol):
    """Where a console is."""

    @property
    def url(self) -> str:
        """With a slash at its end."""


@functools.cache
def _files() -> Mapping[str, Asset]:
    return static.load(STATIC)


class StaticFiles:
    """The console's files under the strict policy."""

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/", self._file)
        app.router.add_get("/static/{name:.+}", self._file)
        app.on_response_prepare.append(self._guard)

    async def _file(self, request: web.Request) -> web.Response:
        # From memory: aiohttp's own answer leaves a file open if the browser goes while it opens.
        asset = _files().get(request.match_info.get("name", "index.html"))
        if asset is None:
            raise web.HTTPNotFound()
        return web.Response(body=asset.body, headers={"Content-Type": asset.content_type})

    async def _guard(self, request: web.Request, response: web.StreamResponse) -> None:
        response.headers["Content-Security-Policy"] = POLICY


class Stage:
    """One scripted router behind its API, from `__enter__` to `__exit__`."""

    def __init__(self) -> None:
        self.router = ScriptedRouter()
        self._events = EventLog()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="stage")
        self._runner: web.AppRunner | None = None
        self._host, self._port = own_address(), 0

    def __enter__(self) -> "Stage":
        self._thread.start()
        self.up()
        return self

    def __exit__(self, *exc: object) -> None:
        self.down()
        asyncio.run_coroutine_threadsafe(self._rest(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._port}/"

    def up(self) -> None:
        """Serve, at the same port as before."""
        asyncio.run_coroutine_threadsafe(self._up(), self._loop).result()

    def down(self) -> None:
        """Be gone, as a router whose process ended."""
        asyncio.run_coroutine_threadsafe(self._down(), self._loop).result()

    def tell(self, event: Event) -> None:
        """An event happens."""
        self._loop.call_soon_threadsafe(self._events.add, event)

    async def _up(self) -> None:
        simulation = SimulationApi(
            SimulationProcess(), self.router, self.router.kept_histories, lambda name: ""
        )
        parts = (*parts_of(self.router), simulation)
        api = AdminApi(self.router, self._events, parts=parts)
        app = web.Application(client_max_size=limits.ADMIN_BODY_BYTES_MAX)
        api.add_reading_to(app.router)
        StaticFiles().add_to(app)
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True
        )
        await self._runner.setup()
        self._door = socket.create_server((self._host, self._port))
        await web.SockSite(self._runner, self._door).start()
        self._port = self._door.getsockname()[1]

    async def _rest(self) -> None:
        """Returns when all that requests began has ended, a simulation among them."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=REST_S)

    async def _down(self) -> None:
        if self._runner is not None:
            await take_no_more([self._door])
            await self._runner.cleanup()
            self._runner = None


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    """Debian's Chromium without windows."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find("chromium-headless-shell"),
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        yield browser
        browser.close()


@contextlib.contextmanager
def looking(
    browser: Browser,
    stage: Served,
    at: str = "",
    *,
    viewport: ViewportSize = WIDE,
    dark: bool = False,
    script: str = "",
) -> Iterator[Page]:
    """A page of the console, open ``at`` a hash; it must not break a rule until it is closed.

    ``script`` runs before any of the page's own.
    """
    context: BrowserContext = browser.new_context(
        viewport=viewport,
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="UTC",
    )
    context.set_default_timeout(30_000)
    context.add_init_script(_WATCH)
    context.add_init_script(script)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(f"page error: {error}"))
    page.on(
        "console",
        lambda message: (
            errors.append(f"console: {message.text}")
            if message.type == "error" and not _NETWORK.search(message.text)
            else None
        ),
    )
    foreign: list[str] = []
    page.on(
        "request",
        lambda request: (
            foreign.append(request.url) if not request.url.startswith(stage.url) else None
        ),
    )
    try:
        _load(page, f"{stage.url}{at}")
        yield page
        violations = page.evaluate("window.violations")
        assert violations == [], f"the content security policy was violated: {violations}"
        assert errors == [], f"the console's script failed: {errors}"
        assert foreign == [], f"the console asked somebody else: {foreign}"
    except Exception as failed:
        failed.add_note(f"The page's errors: {errors}")
        raise
    finally:
        context.close()


def _load(page: Page, url: str) -> None:
    """Load the whole console: Chromium cancels loads when a network interface of this machine comes
    or goes, as those of containers do.
    """
    lost, visit = [url], functools.partial(page.goto, url)
    page.on("requestfailed", lambda request: lost.append(request.url))
    while lost:
        lost.clear()
        try:
            visit()
        except Error as error:
            if "ERR_NETWORK_CHANGED" not in error.message:
                raise
            lost.append(url)
        else:
            visit = functools.partial(page.reload)
    page.locator("main").wait_for()


def looks(page: Page) -> Iterator[str]:
    """`light`, then `dark`, each once the page has it: styles alone tell them apart, so that a
    page that is there need not be loaded again."""
    page.emulate_media(color_scheme="light")
    yield "light"
    page.emulate_media(color_scheme="dark")
    yield "dark"


def turn_to(page: Page, stage: Served, at: str) -> None:
    """Open another page of the console by its hash, in a tenth of the time that the console loads.

    Returns when the page has been drawn, so that a test finds nothing of the page before.
    """
    page.goto(f"{stage.url}{at}")
    page.evaluate(_DRAWN)


def ends_at(page: Page, end: str) -> None:
    """Wait until the address ends in ``end``: a click or key takes the page there soon."""
    expect(page).to_have_url(re.compile(re.escape(end) + "$"))


def copied_by(page: Page, button: Locator) -> str:
    """What ``button`` puts on the clipboard. That it did so, it says for 1.5 s only."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("navigator.clipboard.writeText('')")
    button.click()
    text: str = until(
        lambda: page.evaluate("navigator.clipboard.readText()"), "something was copied"
    )
    return text


def keep_picture(page: Page, name: str) -> Path:
    """A screenshot of the whole page among the artefacts."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    path = SCREENSHOTS / f"{name}.png"
    page.screenshot(path=path, full_page=True)
    return path
