"""The phrases with which every surface says that no site takes a request of a service.

A site that a rule leaves out may have room: `router.node.problems.left_out` names it.
"""

from collections.abc import Sequence
from typing import Final

EVERY_SITE_IS_FULL: Final = "every site that may serve it is full"
EVERY_REACHED_IS_FULL: Final = "every site that is reached and may serve it is full"
KEPT_FOR_OTHERS: Final = (
    "it is sheddable, and every site that may serve it is full or keeps its rest for others"
)
NO_SITE_HAS_ROOM: Final = "no site that is reached and may serve it has room"
"""For a request that is over or waits: a site may have been full, draining or out of reach."""
NO_SITE_IS_READY: Final = "no site that is reached and may serve it has a ready target"

# For several requests.
NONE_HAD_ROOM: Final = "found room at no site that is reached and may serve them"
WERE_SHED: Final = "were shed, as sheddable requests make way for others"
NO_READY_TARGET: Final = "found no ready target at any site that is reached and may serve them"


def every_site_is_full(
    *,
    is_one_away: bool,
    unready: Sequence[str] = (),
    draining: Sequence[str] = (),
    ejected: Sequence[str] = (),
    refusing: Sequence[str] = (),
) -> str:
    """``is_one_away``: a site that recently offered the service is out of reach. ``unready``: names
    of sites with targets of which none is ready; ``draining``: of those that take nothing new;
    ``ejected``: of those where requests fail; ``refusing``: of those whose router is short of
    memory."""
    full = EVERY_REACHED_IS_FULL if is_one_away else EVERY_SITE_IS_FULL
    others = (
        ("without a ready target", unready),
        ("draining", draining),
        ("ejected", ejected),
        ("short of memory", refusing),
    )
    return " or ".join([full, *(f"{word} ({', '.join(names)})" for word, names in others if names)])
