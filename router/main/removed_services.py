"""Connections of services that were removed, or have another protocol now: what to report."""

from collections.abc import Iterator, Mapping
from typing import Final

from router.model.events import Note
from router.model.ids import ServiceKey

SITES_NAMED: Final = 3


def notes(removed: Mapping[ServiceKey, Mapping[str, int]], own_name: str) -> Iterator[Note]:
    """One for each service port of ``removed``, which has by site what it has under way."""
    for key, open_now in sorted(removed.items()):
        yield Note(
            severity="warning",
            code="SW0332",
            message=sentence(key, open_now, own_name),
            hint="They go on until either side closes them. A service of that name that is made "
            "again counts them.",
        )


def sentence(key: ServiceKey, open_now: Mapping[str, int], own_name: str) -> str:
    """``Service db:5432 was removed, and 3 connections … of it go on: 2 here, 1 at far.``"""
    total = sum(open_now.values())
    what = (
        "1 connection or request of it goes"
        if total == 1
        else (f"{total} connections or requests of it go")
    )
    order = sorted(open_now, key=lambda site: (site != own_name, -open_now[site], site))
    shown = [
        f"{open_now[site]} {'here' if site == own_name else f'at {site}'}"
        for site in order[:SITES_NAMED]
    ]
    rest = len(order) - SITES_NAMED
    more = f" and more at {rest} other sites" if rest > 0 else ""
    return f"Service {key} was removed, and {what} on: {', '.join(shown)}{more}."
