"""Settings shared by all HTTP client connections of one service port."""

import random

import msgspec

from router.http.http1.memory import HeadMemory
from router.http.http1.requests import KnownRequests
from router.http.http1.terms import HttpTerms
from router.model.ids import ServiceKey
from router.model.settings import ServiceLimits
from router.net.ports import Timers
from router.service.request_ids import RequestIds


class HttpFrontend(msgspec.Struct, frozen=True, kw_only=True):
    """One for all connections. Other settings create another one; a connection keeps its own.

    ``scheme``: the scheme of its clients, ``http`` or ``https``. ``known``: requests that were
    judged under these terms, among those of ``heads``. ``rng`` generates ids of errors.
    """

    key: ServiceKey
    site_name: str
    scheme: bytes
    terms: HttpTerms
    limits: ServiceLimits
    request_ids: RequestIds
    heads: HeadMemory
    known: KnownRequests
    timers: Timers
    rng: random.Random
