"""How many targets of a service are at this site, and how many of them are ready."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Count(NamedTuple):
    """Of one service port: what connectors of this site name, and what of it is ready."""

    total: int
    ready: int

    @property
    def shown(self) -> str:
        """``0 of 2 here``; empty: all are ready, or there are none."""
        return "" if self.ready >= self.total else f"{self.ready} of {self.total} here"


def of(service: Mapping[str, Any]) -> Count:
    """Of an item of `/api/v1/services` or `/api/v1/live`. Older routers, and stopped ones, do not
    say: then nothing is missing as far as is known."""
    told = service.get("local_targets") or {}
    return Count(int(told.get("total") or 0), int(told.get("ready") or 0))
