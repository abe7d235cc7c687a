"""`/api/v1/graph` over a real socket."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from router.admin.endpoints.graph import CallerView, GraphApi, GraphEdgeView, GraphView
from router.admin.events import EventLog
from router.admin.server import serving
from router.admin.views.links import SiteName
from tests.unit.admin.test_api import FakeRouter


class TwoCalls:
    """A caller of `shop` and of `billing`."""

    async def view(self, *, with_history: bool) -> GraphView:
        """As `Graphs`."""
        past = ((3, 1), (2, 0)) if with_history else None
        return GraphView(
            site=SiteName("east", "e" * 32),
            enabled=True,
            named_share=1.0,
            unnamed_total=0,
            waiting=0,
            step_s=300.0,
            edges=tuple(_edge(service, past) for service in ("shop", "billing")),
        )


def _edge(service: str, past: tuple[tuple[int, int], ...] | None) -> GraphEdgeView:
    return GraphEdgeView(
        caller=CallerView(kind="unit", name="web.service"),
        service=service,
        port=8080,
        site=None,
        crosses=False,
        requests_total=5,
        failed_total=1,
        open=0,
        rate_per_s=0.1,
        failed_per_s=0.0,
        p50_s=0.1,
        p99_s=0.2,
        history=past,
    )


@pytest.mark.parametrize(
    ("query", "status", "services"),
    [
        ("", 200, ["shop", "billing"]),
        ("?service=shop", 200, ["shop"]),
        ("?service=billing:8080", 200, ["billing"]),
        ("?service=shop:99", 200, []),
        ("?service=shop:x", 400, None),
    ],
)
@pytest.mark.parametrize("with_history", [False, True])
def test_edges_are_of_one_service_or_of_all_with_their_history_if_asked_for(
    tmp_path: Path, query: str, status: int, services: list[str] | None, with_history: bool
) -> None:
    async def story() -> None:
        socket = tmp_path / "admin.sock"
        history = ("&" if query else "?") + "history=true" if with_history else ""
        async with (
            serving(FakeRouter(), EventLog(), socket, parts=[GraphApi(TwoCalls(), FakeRouter())]),
            aiohttp.ClientSession(
                "http://site", connector=aiohttp.UnixConnector(str(socket))
            ) as session,
            session.get(f"/api/v1/graph{query}{history}") as response,
        ):
            answer = await response.json()
            assert response.status == status
            if services is None:
                assert "is not a port number" in answer["message"]
                return
            edges = answer["item"]["edges"]
            assert [edge["service"] for edge in edges] == services
            past = [[3, 1], [2, 0]] if with_history else None
            assert all(edge["history"] == past for edge in edges)

    asyncio.run(story())
