"""One consistent snapshot of everything that a router knows, made once a second: `/api/v1/live`."""

import msgspec

from router.admin.views.bursts import BurstView
from router.admin.views.links import LinkView, SiteView
from router.admin.views.services import ServiceView
from router.admin.views.status import CaView, Status


class ClaimedView(msgspec.Struct, frozen=True, kw_only=True):
    """A redemption of a token."""

    site: str
    id: str
    at: str


class TokenView(msgspec.Struct, frozen=True, kw_only=True):
    """A claim token of this site, without its secret.

    ``state``: open, used, expired, revoked, or old-ca: made before the site replaced its CA.
    ``claimed``: by which sites and when, oldest first.
    """

    name: str
    state: str
    made: str
    expires: str
    uses_left: int
    uses: int
    claimed: tuple[ClaimedView, ...]


class ServiceNow(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of a service port over the last seconds. ``…_to``: requests a second by site.

    ``failed_per_s`` is a part of ``failed_of_per_s``: requests that came, if most of the failures
    found no room, else requests that ended.
    ``requests_per_s``: requests that ended, plus the increase of unfinished ones, so that long TCP
    connections count in it as soon as in ``spilled_…``. ``begun_per_s``: requests that came, also
    those that wait. ``spilled_…``: those of them that other sites have or had, for any reason;
    ``spilled_for``: by reason (`balance.site.spills`). ``overflow_…``: those of them that passed
    over a cheaper site because of its load. ``open_to``: TCP connections and answers in progress at
    other sites, by site, which no rate shows; ``open_for``: by reason.
    ``gave_up_per_s``: requests whose client left before an answer began; not in ``failed_per_s``.
    ``shed_per_s``: sheddable requests that made way for others; not in ``failed_per_s`` either.
    ``rejected_per_s``: requests that this router answered with 4xx itself, because they are
    malformed, too large or too slow: no failure of the service. ``left_out``: while no site takes
    the next request, as in `WhyView`. ``in_flight_mean``: over the last 5 s, at this site's
    targets, for clients of any site. ``more_slots``: the change in this site's slots over the last
    seconds; below 0: fewer.
    """

    service: str
    port: int
    requests_per_s: float
    overflow_per_s: float
    failed_per_s: float
    p50_s: float | None
    p99_s: float | None
    overflow_to: dict[str, float]
    why: str
    """One sentence: why requests go to other sites now; empty: they do not."""
    spilled_per_s: float = 0.0
    spilled_to: dict[str, float] = {}
    spilled_for: dict[str, float] = {}
    in_flight_mean: float = 0.0
    open_to: dict[str, int] = {}
    open_for: dict[str, int] = {}
    left_out: str = ""
    gave_up_per_s: float = 0.0
    shed_per_s: float = 0.0
    rejected_per_s: float = 0.0
    more_slots: int = 0
    routing_key: str = ""
    begun_per_s: float = 0.0
    failed_of_per_s: float = 0.0


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """The console's snapshot, taken ``at`` that time."""

    at: str
    status: Status
    links: tuple[LinkView, ...]
    services: tuple[ServiceView, ...]
    network: tuple[SiteView, ...]
    bursts: tuple[BurstView, ...]
    ca: CaView
    tokens: tuple[TokenView, ...]
    now: tuple[ServiceNow, ...]
