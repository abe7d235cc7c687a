"""`/api/v1/debug`: data for maintainers only, for `sitectl debug dump`."""

from collections.abc import Callable

import msgspec
from aiohttp import web

from router.admin.answers import item


class LsaPart(msgspec.Struct, frozen=True, kw_only=True):
    """One stored LSA."""

    router: str
    site: str
    part: int
    epoch: int
    sequence: int


class RouteView(msgspec.Struct, frozen=True, kw_only=True):
    """A site of the route table, with its routers as ids."""

    site: str
    name: str
    path_cost: int | None
    paths: tuple[tuple[str, ...], ...]
    next_hops: tuple[str, ...]
    neighbours: tuple[tuple[str, int], ...]
    version: str
    reachable: bool
    draining: bool


class DebugView(msgspec.Struct, frozen=True, kw_only=True):
    """``stacks``: for each thread, by name, places in our code without any values."""

    router: str
    process: int
    python: str
    openssl: str
    kernel: str
    loop: str
    packages: dict[str, str]
    loop_lag_s: float
    resident_bytes: int
    descriptors: int
    collections: tuple[int, ...]
    stacks: dict[str, tuple[str, ...]]
    tasks: tuple[str, ...]
    limits: dict[str, float]
    table_generation: int
    routes: tuple[RouteView, ...]
    candidates: dict[str, tuple[str, ...]]
    database: tuple[LsaPart, ...]


class DebugApi:
    """``look`` takes the dump, in the loop's thread."""

    def __init__(self, look: Callable[[], DebugView]) -> None:
        self._look = look

    def add_to(self, routes: web.UrlDispatcher) -> None:
        """See `ApiPart`."""
        routes.add_get("/api/v1/debug", self._debug)

    async def _debug(self, request: web.Request) -> web.Response:
        return item("Debug", self._look())
