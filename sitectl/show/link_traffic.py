"""Bytes a second of links, of two looks at the same router."""

import datetime
from collections.abc import Mapping
from typing import Any, NamedTuple

from sitectl.show.live import Live

LinkKey = tuple[str, str]
"""Name and direction."""


class LinkThroughput(NamedTuple):
    """Bytes a second that a link carries to this site and from it."""

    in_per_s: float
    out_per_s: float


def link_key(link: Mapping[str, Any]) -> LinkKey:
    """The key of a link among all links of a picture."""
    return str(link.get("name")), str(link.get("direction"))


class LinkTraffic:
    """The traffic of each link between the last two pictures that differ in time."""

    def __init__(self) -> None:
        self.now: dict[LinkKey, LinkThroughput] = {}
        self._at: datetime.datetime | None = None
        self._totals: dict[LinkKey, tuple[int, int]] = {}

    def note(self, live: Live) -> None:
        """Take in a picture. A link that counts from zero again has no traffic until the next."""
        at = datetime.datetime.fromisoformat(str(live.get("at")))
        if at == self._at:
            return  # The same picture again: routers make one a second.
        totals = {
            link_key(one): (int(one["bytes_in_total"]), int(one["bytes_out_total"]))
            for one in reversed(live.get("links") or [])  # A link comes before its draining one.
            if "bytes_in_total" in one  # Older routers do not count for us.
        }
        lasted_s = (at - self._at).total_seconds() if self._at is not None else 0.0
        self.now = {}
        for key, (inward, outward) in totals.items():
            inward_before, outward_before = self._totals.get(key, (inward + 1, outward + 1))
            if lasted_s > 0 and inward >= inward_before and outward >= outward_before:
                self.now[key] = LinkThroughput(
                    (inward - inward_before) / lasted_s, (outward - outward_before) / lasted_s
                )
        self._at, self._totals = at, totals
