"""Settings shared by all HTTP client connections of one service port."""

import random

from router.http.http1.memory import HeadMemory
from router.http.http1.requests import KnownRequests
from router.http.http1.terms import HttpTerms
from router.model.ids import ServiceKey
from router.model.settings import ServiceLimits
from router.net.ports import Timers
from router.service.request_ids import RequestIds


class HttpFrontend:
    """One for all connections, as long as the service lives: each of them follows changed ``terms``
    from its next request on. ``rng`` generates ids of errors.
    """

    __slots__ = (
        "heads",
        "key",
        "known",
        "limits",
        "request_ids",
        "rng",
        "scheme",
        "site_name",
        "terms",
        "timers",
    )

    def __init__(
        self,
        *,
        key: ServiceKey,
        site_name: str,
        scheme: bytes,
        terms: HttpTerms,
        limits: ServiceLimits,
        request_ids: RequestIds,
        heads: HeadMemory,
        timers: Timers,
        rng: random.Random,
    ) -> None:
        self.key = key
        self.site_name = site_name
        self.request_ids = request_ids
        self.heads = heads
        self.timers = timers
        self.rng = rng
        self.set_terms(scheme, terms, limits)

    def set_terms(self, scheme: bytes, terms: HttpTerms, limits: ServiceLimits) -> None:
        """Use other settings from now on."""
        self.scheme = scheme
        """The scheme of clients that are accepted from now on, ``http`` or ``https``."""
        self.terms = terms
        """Another object whenever a setting changed."""
        self.limits = limits
        self.known = KnownRequests(self.heads.requests)
        """Requests that were judged under these terms, among those of ``heads``."""
