"""Names of things that cross rooms."""

import re
from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import Annotated, Final, NewType, TypeVar

import msgspec

SiteId = NewType("SiteId", str)
"""SHA-256 of the site's public identity key (DER), first 128 bits, 32 lower-case hex digits."""

SITE_ID: Final = r"\A[0-9a-f]{32}\Z"
_SITE_ID = re.compile(SITE_ID)


def is_site_id(text: str) -> bool:
    """Whether a site can have that id; others may say anything."""
    return _SITE_ID.search(text) is not None


RouterId = NewType("RouterId", str)
"""Random, made once per router and kept in its state: 16 lower-case hex digits."""


ROUTER_ID: Final = r"\A[0-9a-f]{16}\Z"
_ROUTER_ID = re.compile(ROUTER_ID)


def is_router_id(text: str) -> bool:
    """Whether a router can have that id; others may say anything."""
    return _ROUTER_ID.search(text) is not None


SITE_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
"""What a site may be called, wherever others say it. No ``@``: shown names are told apart by it."""

SiteName = Annotated[str, msgspec.Meta(pattern=rf"\A{SITE_NAME}\Z")]

_SHOWN_SITE_NAME: Final = rf"\A({SITE_NAME})?(@[0-9a-f]{{8}})?\Z"

ShownSiteName = Annotated[str, msgspec.Meta(pattern=_SHOWN_SITE_NAME)]
"""With the begin of its id where two sites have one name, and only that where no name is known."""

_SHOWN = re.compile(_SHOWN_SITE_NAME)


def is_shown_site_name(text: str) -> bool:
    """Whether it is a `ShownSiteName` and not empty."""
    return bool(text) and _SHOWN.search(text) is not None


_FigureT = TypeVar("_FigureT", int, float)


def by_name(
    figures: Mapping[SiteId, _FigureT], name_of: Callable[[SiteId], str]
) -> dict[str, _FigureT]:
    """``figures`` of sites, for people. Two sites have one name when one of them is gone: what
    they have is added."""
    named: dict[str, _FigureT] = {}
    for site, figure in figures.items():
        name = name_of(site)
        named[name] = named[name] + figure if name in named else figure
    return named


def by_cost(names: Iterable[str], costs: Mapping[str, int | None]) -> list[str]:
    """Names of sites as every list has them: by the cost of their way, then by name.

    Those of which ``costs`` has none come last.
    """
    known = {name: cost for name, cost in costs.items() if cost is not None}
    return sorted(names, key=lambda name: (known.get(name, inf), name))


class ServiceKey(msgspec.Struct, frozen=True, order=True, cache_hash=True):
    """One port of a service: the unit of listeners, balancing and counters."""

    name: str
    port: int

    def __str__(self) -> str:
        return f"{self.name}:{self.port}"


def ports_of(keys: Iterable[ServiceKey], service: str, port: int | None) -> list[ServiceKey]:
    """Those of ``service`` at ``port``, in order; None: at any."""
    return sorted(key for key in keys if key.name == service and port in (None, key.port))
