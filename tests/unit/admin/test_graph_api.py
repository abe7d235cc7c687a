"""`GET /api/v1/graph`."""

import asyncio
from typing import Any

import pytest
from aiohttp import web

from router.admin.graph_api import CallerView, GraphApi, GraphEdgeView, GraphView
from router.admin.views import SiteName
from router.model.ids import SiteId
from tests.unit.admin.asked import asked

HERE = SiteName("west", SiteId("a" * 32))


class Fixed:
    """One edge."""

    def __init__(self) -> None:
        self.asked: list[bool] = []

    async def view(self, *, with_history: bool) -> GraphView:
        self.asked.append(with_history)
        edge = GraphEdgeView(
            caller=CallerView(kind="unit", name="shop.service"),
            service="shop",
            port=80,
            site=HERE,
            crosses=False,
            requests_total=3,
            failed_total=1,
            open=0,
            rate_per_s=0.1,
            failed_per_s=0.0,
            p50_s=None,
            p99_s=None,
            history=((3, 1),) if with_history else None,
        )
        return GraphView(
            site=HERE,
            enabled=True,
            named_share=None,
            unnamed_total=0,
            waiting=0,
            step_s=300.0,
            edges=(edge,),
        )


@pytest.mark.parametrize(
    ("query", "history"), [("", None), ("?history=true", [[3, 1]]), ("?history=false", None)]
)
def test_history_is_told_when_it_is_asked_for(query: str, history: Any) -> None:
    graphs = Fixed()

    async def story() -> Any:
        app = web.Application()
        GraphApi(graphs).add_to(app.router)
        async with asked(app) as session, session.get(f"/api/v1/graph{query}") as answer:
            assert answer.status == 200
            return await answer.json()

    told = asyncio.run(story())
    found = told.get("item", told)
    assert found["edges"][0]["history"] == history
    assert found["edges"][0]["caller"] == {"kind": "unit", "name": "shop.service"}
    assert graphs.asked == [history is not None]
