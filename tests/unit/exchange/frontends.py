"""What clients of a service meet, for tests of sessions without a service."""

import random

from router.http.http1.memory import HeadMemory
from router.http.http1.terms import http_terms
from router.model.ids import ServiceKey
from router.model.specs import ServiceSpec
from router.net.ports import Timers
from router.service.http_frontend import HttpFrontend
from router.service.request_ids import RequestIds

PLAIN = ServiceSpec(ports=())


def frontend(timers: Timers, config: ServiceSpec = PLAIN, site_name: str = "west") -> HttpFrontend:
    """That of ``shop:8080`` by ``config``."""
    heads, rng = HeadMemory(), random.Random(1)
    request_ids = RequestIds(rng)
    request_ids.set_name(config.request_id)
    return HttpFrontend(
        key=ServiceKey("shop", 8080),
        site_name=site_name,
        scheme=b"https" if config.tls_cert else b"http",
        terms=http_terms(config),
        limits=config.limits,
        request_ids=request_ids,
        heads=heads,
        timers=timers,
        rng=rng,
    )
