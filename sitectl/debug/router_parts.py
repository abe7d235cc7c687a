"""The parts that a router answers, over whatever way leads to it."""

import json
from collections.abc import Callable
from typing import Any, Final

from sitectl.base.failure import not_found
from sitectl.debug.archive import ArchivePart, Content
from sitectl.site.admin import AdminClient, Call

_PATHS: Final = {
    "status": "/api/v1/status",
    "links": "/api/v1/links",
    "services": "/api/v1/services",
    "network": "/api/v1/network",
    "bursts": "/api/v1/bursts",
    "ca": "/api/v1/ca",
    "tokens": "/api/v1/tokens",
    "events": "/api/v1/events",
    "live": "/api/v1/live",
    "history": "/api/v1/history",
    "flows": "/api/v1/flows?count=500",
    "debug": "/api/v1/debug",
}
WHY_MAX: Final = 50


def router_parts(admin: AdminClient) -> list[ArchivePart]:
    """The router's own data. A router of another version may lack some of it."""
    parts = [
        ArchivePart(f"api/{name}.json", _asking(admin, path), needs_router=True)
        for name, path in _PATHS.items()
    ]
    parts.append(ArchivePart("api/why.json", lambda: _why(admin), needs_router=True))
    parts.append(ArchivePart("metrics.txt", lambda: _metrics(admin), needs_router=True))
    return parts


def _asking(admin: AdminClient, path: str) -> Callable[[], Content]:
    def ask() -> Content:
        answer = admin.exchange([Call("GET", path)])[0]
        if answer.status != 200:
            raise not_found(f"the router answered {answer.status}", code="not-told")
        told: Content = json.loads(answer.content)
        return told

    return ask


def _why(admin: AdminClient) -> Content:
    services: list[dict[str, Any]] = admin.get("/api/v1/services")
    names = [f"{one['name']}:{one['port']}" for one in services[:WHY_MAX]]
    return {name: admin.get(f"/api/v1/why/{name}") for name in names}


def _metrics(admin: AdminClient) -> str:
    return admin.exchange([Call("GET", "/metrics")])[0].content.decode("utf-8", "replace")
