"""How far from the site of their client requests may go (`PolicySpec.isolation`). Pure.

As Google's service load balancing policy has it: `NEAREST` and `STRICT` isolation.
"""

from collections.abc import Iterable
from math import inf
from typing import assert_never

from router.balance.deciding.candidates import Candidate
from router.model.ids import SiteId
from router.model.settings import Isolation


def kept_from(sites: Iterable[Candidate], isolation: Isolation) -> dict[SiteId, str]:
    """Which of the other ``sites`` get no requests, and why."""
    match isolation:
        case "none":
            return {}
        case "strict":
            return {one.site: "its policy keeps requests at this site" for one in sites}
        case "nearest":
            known = list(sites)
            costs = [one.cost for one in known if one.targets_ready and not one.draining]
            least = min(costs, default=inf)
            text = "its policy lets requests leave only for the nearest site"
            return {one.site: text for one in known if one.cost > least}
        case _:
            assert_never(isolation)
