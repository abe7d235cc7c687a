"""The routers of a site, by their Pods: siblings to dial, and this one's part of each capacity."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from router.documents import RefusedPods, Wanted
from router.documents.division import divided
from router.kubernetes.client.errors import refused_pod_step
from router.kubernetes.objects.objects import Object, pod_refusal, seconds_of
from router.kubernetes.services.endpoint_slices import Family
from router.kubernetes.targets import replicas
from router.kubernetes.targets.replicas import HeardRouters
from router.model import limits

_NONE: Final[Mapping[str, int]] = {}


class RouterShares:
    """The shares of the router in Pod ``own``."""

    def __init__(self, own: str) -> None:
        self._own = own
        self._until: float | None = None  # Unix seconds.
        self._heard: Callable[[], HeardRouters | None] = lambda: None

    def follow_routers(self, heard: Callable[[], HeardRouters | None]) -> None:
        """``heard``: returns the other routers of the site; None: not known."""
        self._heard = heard

    @property
    def due_s(self) -> float | None:
        """Seconds until `divide` may differ without a change; None: never."""
        if self._until is None:
            return None
        return max(limits.OBJECTS_SETTLE_MAX_S, self._until - time.time())

    def divide(
        self,
        wanted: Wanted,
        pods: Mapping[str, Object],
        deployment: Object | None,
        families: Sequence[Family],
    ) -> Wanted:
        """``wanted`` with this router's part of it. ``deployment``: that of the site's routers."""
        links = wanted.site.ingress != "none"  # Else no router listens for links: an edge.
        heard, now = self._heard(), time.time()
        partners, over = None, _NONE
        if links and heard is not None:
            partners, over = replicas.partners(pods, self._own, heard), heard.over
        division, self._until = replicas.division(
            pods, self._own, now, agrees=links, heard=partners, over=over
        )
        wanted = msgspec.structs.replace(
            divided(wanted, division),
            unready=replicas.unready(pods, self._own),
            refused=_refused(deployment),
        )
        if not links:
            return wanted
        siblings = replicas.to_dial(pods, self._own, families, wanted.site.bind_port, over)
        agreement, until = replicas.shares(pods, self._own, now, heard=partners, over=over)
        ends = (one for one in (self._until, until) if one is not None)
        self._until = min(ends, default=None)
        return msgspec.structs.replace(wanted, siblings=siblings, shares=agreement)


def _refused(deployment: Object | None) -> RefusedPods | None:
    refusal = None if deployment is None else pod_refusal(deployment)
    if refusal is None:
        return None
    said, since = refusal
    return RefusedPods(seconds_of(since) or 0.0, said, refused_pod_step(said))
