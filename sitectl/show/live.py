"""The picture that `top` shows: the router's own (`/api/v1/live`), or made of what older ones tell.

Older routers count from their start; what happens now is then the difference between two looks.
Their picture has the same fields, as far as they are known.
"""

import time
import urllib.parse
from collections.abc import Mapping
from typing import Any, Final

from sitectl.base.failure import Exit, Failure
from sitectl.site.ports import RouterDoor

PATH: Final = "/api/v1/live"
_PATHS: Final = ("/api/v1/status", "/api/v1/links", "/api/v1/services", "/api/v1/network")

Live = dict[str, Any]
Port = tuple[str, int]


class Pictures:
    """Looks at one router again and again."""

    def __init__(self, door: RouterDoor) -> None:
        self._door = door
        self._is_old = False
        self._is_first = True
        self._before: tuple[float, dict[Port, tuple[int, int]]] | None = None

    @property
    def needs_two(self) -> bool:
        """Whether the last picture has no rates yet, since it was the first."""
        return self._is_old and self._is_first

    def why(self, port: Port) -> dict[str, Any]:
        """Where the next request of a service port would go. Failure: no router answers."""
        name, number = port
        item: dict[str, Any] = self._door.get(
            f"/api/v1/why/{urllib.parse.quote(name, safe='')}:{number}"
        )
        return item

    def look(self) -> Live:
        """The current figures. Failure: no router answers."""
        if not self._is_old:
            try:
                live: Live = self._door.get(PATH)
                return live
            except Failure as failure:
                if failure.exit_code is not Exit.NOT_FOUND:
                    raise
                self._is_old = True
        status, links, services, network = self._door.get_all(*_PATHS)
        now = time.monotonic()
        totals = {_port(one): _totals(one) for one in services}
        before, self._before = self._before, (now, totals)
        self._is_first = before is None
        return {
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "status": status,
            "links": links,
            "services": services,
            "network": network,
            "now": _rates(before, now, totals) if before is not None else [],
        }


def _port(service: Mapping[str, Any]) -> Port:
    return str(service.get("name")), int(service.get("port") or 0)


def _totals(service: Mapping[str, Any]) -> tuple[int, int]:
    return int(service.get("requests_total") or 0), int(service.get("overflow_total") or 0)


def _rates(
    before: tuple[float, dict[Port, tuple[int, int]]], now: float, totals: dict[Port, Any]
) -> list[dict[str, Any]]:
    """Counts a second since ``before``; a router that restarted meanwhile counts from 0."""
    then, counted = before
    lasted = max(now - then, 0.001)
    found = []
    for (name, port), (requests, overflow) in totals.items():
        requests_before, overflow_before = counted.get((name, port), (requests, overflow))
        found.append(
            {
                "service": name,
                "port": port,
                "requests_per_s": round(max(0, requests - requests_before) / lasted, 3),
                "overflow_per_s": round(max(0, overflow - overflow_before) / lasted, 3),
                "failed_per_s": None,
                "p50_s": None,
                "p99_s": None,
                "overflow_to": {},
                "why": "",
            }
        )
    return found
