"""Requests and limits of containers: every container has all four, so that quotas admit its pod."""

import re
from fractions import Fraction
from typing import Final

import msgspec

from router.kubernetes.manifests.parts import Json
from router.model.errors import ConfigError

_QUANTITY: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,2})?([a-zA-Z]*)")
_SUFFIXES: Final = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "": Fraction(1),
    "k": Fraction(10**3),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
    "T": Fraction(10**12),
    "P": Fraction(10**15),
    "E": Fraction(10**18),
    "Ki": Fraction(2**10),
    "Mi": Fraction(2**20),
    "Gi": Fraction(2**30),
    "Ti": Fraction(2**40),
    "Pi": Fraction(2**50),
    "Ei": Fraction(2**60),
}


class Amount(msgspec.Struct, frozen=True, kw_only=True):
    """Of one container; Kubernetes' texts."""

    cpu: str
    memory: str
    cpu_limit: str
    memory_limit: str

    def as_resources(self) -> Json:
        """As a container states it."""
        return {
            "requests": {"cpu": self.cpu, "memory": self.memory},
            "limits": {"cpu": self.cpu_limit, "memory": self.memory_limit},
        }


ROUTER: Final = Amount(cpu="100m", memory="128Mi", cpu_limit="2", memory_limit="512Mi")
"""A router at rest takes 50 MiB. It computes on one core; the second is for TLS of new links and
for scrapes, which throttling would otherwise let it pay for with latency."""
SIDECAR: Final = Amount(cpu="20m", memory="96Mi", cpu_limit="1", memory_limit="256Mi")
CONTROLLER: Final = Amount(cpu="20m", memory="96Mi", cpu_limit="1", memory_limit="256Mi")


def quantity(text: str) -> Fraction | None:
    """What ``text`` means (``250m``, ``1.5Gi``, ``2e3``); None: it is no quantity."""
    found = _QUANTITY.fullmatch(text)
    if found is None or found[3] not in _SUFFIXES or (found[2] and found[3]):
        return None
    return Fraction(found[1] + (found[2] or "")) * _SUFFIXES[found[3]]


def resources(stated: Amount, default: Amount, source: str) -> tuple[Json, list[ConfigError]]:
    """Resources of a container where ``stated`` (empty: not stated) goes before ``default``.

    A default gives way to a value of the user's that contradicts it. A limit of the user's below
    their request, which the API would refuse, is raised to it and reported.
    """
    errors: list[ConfigError] = []
    requests: Json = {}
    limits: Json = {}
    for kind in ("cpu", "memory"):
        request, limit = getattr(stated, kind), getattr(stated, f"{kind}_limit")
        for key, text in ((kind, request), (f"{kind}-limit", limit)):
            if text and quantity(text) is None:
                errors.append(_not_a_quantity(source, f"router-{key}", text))
        request = request if quantity(request) is not None else ""
        limit = limit if quantity(limit) is not None else ""
        if request and limit and _value(request) > _value(limit):
            errors.append(_upside_down(source, f"router-{kind}-limit", limit, request))
            limit = request
        requests[kind] = request or _least(getattr(default, kind), limit)
        limits[kind] = limit or _greatest(getattr(default, f"{kind}_limit"), request)
    return {"requests": requests, "limits": limits}, errors


def _value(text: str) -> Fraction:
    value = quantity(text)
    assert value is not None, text
    return value


def _least(default: str, limit: str) -> str:
    return limit if limit and _value(limit) < _value(default) else default


def _greatest(default: str, request: str) -> str:
    return request if request and _value(request) > _value(default) else default


def _not_a_quantity(source: str, key: str, text: str) -> ConfigError:
    return ConfigError(
        source,
        f"data.{key}",
        f"{text!r} is no quantity, the default is used",
        hint="Write it like 500m or 256Mi",
        code="SW0450",
    )


def _upside_down(source: str, key: str, limit: str, request: str) -> ConfigError:
    return ConfigError(
        source,
        f"data.{key}",
        f"the limit {limit} is below the request {request}, which is used for both",
        hint=f"Set {key} to {request} or more",
        code="SW0451",
    )
