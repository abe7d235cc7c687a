"""Totals and figures of a service port: counted on the data path, kept by the history."""

from collections.abc import Mapping
from typing import Final

import msgspec

from router.model.ids import SiteId
from router.model.latency import NO_COUNTS

SERVED_NOWHERE = SiteId("")
"""The site of requests that no site took."""


class Spills(msgspec.Struct, frozen=True, kw_only=True):
    """Requests that spilled: ``overflow`` by site, those that a cheaper site was too full for;
    ``spilled`` by reason and ``spilled_to`` by site, all.
    """

    overflow: Mapping[SiteId, int] = {}
    spilled: Mapping[str, int] = {}
    spilled_to: Mapping[SiteId, int] = {}


NONE_SPILLED: Final = Spills()


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """Counters and gauges of a service port, cheap enough to read every few seconds.

    ``served`` and the other counters count from the start; ``capacity`` and the other gauges are
    current values. ``served``: requests that ended, by site (`SERVED_NOWHERE`: no site).
    ``overflow``: those that a cheaper site was too full for, by site. ``spilled``: those that
    another site serves or served, by reason, and ``spilled_to`` by site; TCP connections count once
    they are established, requests once their answers begin. ``pending``: requests that another site
    has now, and whose answers have not begun. ``failed``: with 5xx or cut off; ``failed_for``: of
    those, by code of the `LegFailure`, or of this router's answer to what is no request (a 5xx of a
    target has none).
    ``gave_up``: the client left before an answer began; none of these failed. ``counts``: those
    that a site served, by latency in fine buckets. ``unfinished``: requests and connections of this
    site's clients that came and have not ended, also those that wait.
    """

    served: Mapping[SiteId, int] = {}
    overflow: Mapping[SiteId, int] = {}
    spilled: Mapping[str, int] = {}
    spilled_to: Mapping[SiteId, int] = {}
    pending: Spills = NONE_SPILLED
    failed: int = 0
    failed_for: Mapping[str, int] = {}
    gave_up: int = 0
    counts: tuple[int, ...] = NO_COUNTS
    capacity: int | None = None
    capacity_per_s: float | None = None
    targets_ready: int = 0
    queued: int = 0
    queue_limit: int = 0
    queue_is_full: bool = False
    unfinished: int = 0
