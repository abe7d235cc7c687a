"""Ids and names that several rooms use."""

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
    """Whether ``text`` has the form of a site id; peers may send anything."""
    return _SITE_ID.search(text) is not None


RouterId = NewType("RouterId", str)
"""Random, generated once per router and kept in its state: 16 lower-case hex digits."""


ROUTER_ID: Final = r"\A[0-9a-f]{16}\Z"
_ROUTER_ID = re.compile(ROUTER_ID)


def is_router_id(text: str) -> bool:
    """Whether ``text`` has the form of a router id; peers may send anything."""
    return _ROUTER_ID.search(text) is not None


SITE_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
"""A site name, wherever a peer sends one. Without ``@``, which marks names with an id."""

SiteName = Annotated[str, msgspec.Meta(pattern=rf"\A{SITE_NAME}\Z")]

_SHOWN_SITE_NAME: Final = rf"\A({SITE_NAME})?(@[0-9a-f]{{8}})?\Z"

ShownSiteName = Annotated[str, msgspec.Meta(pattern=_SHOWN_SITE_NAME)]
"""NAME@id8 if two sites have the same name; only @id8 if the name is not known."""

_SHOWN = re.compile(_SHOWN_SITE_NAME)


def is_shown_site_name(text: str) -> bool:
    """Whether ``text`` is a `ShownSiteName` and not empty."""
    return bool(text) and _SHOWN.search(text) is not None


_FigureT = TypeVar("_FigureT", int, float)


def by_name(
    figures: Mapping[SiteId, _FigureT], name_of: Callable[[SiteId], str]
) -> dict[str, _FigureT]:
    """Figures of sites by their readable names. Two sites share a name when one of them is gone:
    their figures are added."""
    named: dict[str, _FigureT] = {}
    for site, figure in figures.items():
        name = name_of(site)
        named[name] = named[name] + figure if name in named else figure
    return named


def by_cost(names: Iterable[str], costs: Mapping[str, int | None]) -> list[str]:
    """Site names in the order of every list: by path cost, then by name.

    Sites without a cost in ``costs`` come last.
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
    """The sorted keys of ``service`` with ``port``; None: any port."""
    return sorted(key for key in keys if key.name == service and port in (None, key.port))
