"""Requests and limits of containers: every container has all four, so that quotas admit its pod."""

from decimal import Decimal
from typing import Final

import msgspec

from router.kubernetes.manifests.parts import Json
from router.kubernetes.objects import texts


class Amount(msgspec.Struct, frozen=True, kw_only=True):
    """Amounts of one container, as Kubernetes' texts."""

    cpu: str
    memory: str
    cpu_limit: str
    memory_limit: str

    def as_resources(self) -> Json:
        """The ``resources`` of a container."""
        return {
            "requests": {"cpu": self.cpu, "memory": self.memory},
            "limits": {"cpu": self.cpu_limit, "memory": self.memory_limit},
        }


ROUTER: Final = Amount(cpu="100m", memory="128Mi", cpu_limit="2", memory_limit="512Mi")
"""An idle router takes 74 MiB.

It computes on one core; the second is for TLS of new links and for scrapes: throttling these would
cost latency.
"""
SIDECAR: Final = Amount(cpu="20m", memory="96Mi", cpu_limit="1", memory_limit="256Mi")
CONTROLLER: Final = Amount(cpu="20m", memory="96Mi", cpu_limit="1", memory_limit="256Mi")


def resources(stated: Amount, default: Amount) -> Json:
    """Resources of a container: ``stated`` (empty: not configured) wins over ``default``.

    A default gives way to a user's value that contradicts it. `site_config` ensures that two of the
    user's values never contradict each other.
    """
    requests: Json = {}
    limits: Json = {}
    for kind in ("cpu", "memory"):
        request, limit = getattr(stated, kind), getattr(stated, f"{kind}_limit")
        least, most = getattr(default, kind), getattr(default, f"{kind}_limit")
        requests[kind] = request or (limit if limit and _value(limit) < _value(least) else least)
        limits[kind] = limit or (request if request and _value(request) > _value(most) else most)
    return {"requests": requests, "limits": limits}


def _value(text: str) -> Decimal:
    value = texts.amount(text)
    assert value is not None, text
    return value
