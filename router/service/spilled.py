"""Requests that spilled from a service port, by site or by reason."""

from collections.abc import Callable, Mapping

from router.balance.site.spills import ABSENCES
from router.model.ids import SiteId

SpillKey = tuple[SiteId, str, str]
"""The site that serves it, `SpillReason`, and the overflow reason (empty: no cheaper site was
passed over).
"""


def by_reason(spilled: Mapping[SpillKey, int]) -> dict[str, int]:
    """The sums for each `SpillReason`."""
    found: dict[str, int] = {}
    for (_, reason, _), count in spilled.items():
        found[reason] = found.get(reason, 0) + count
    return found


def _any(key: SpillKey) -> bool:
    return True


def overflowed(key: SpillKey) -> bool:
    """A cheaper site was passed over."""
    return key[2] != ""


def without_target(key: SpillKey) -> bool:
    """No target took requests here."""
    return key[1] in ABSENCES


def by_site(
    spilled: Mapping[SpillKey, int], counts: Callable[[SpillKey], bool] = _any
) -> dict[SiteId, int]:
    """The sums for each site, of the keys that ``counts`` accepts."""
    found: dict[SiteId, int] = {}
    for key, count in spilled.items():
        if counts(key):
            found[key[0]] = found.get(key[0], 0) + count
    return found
