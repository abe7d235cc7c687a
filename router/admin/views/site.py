"""One whole site, this one or another: `/api/v1/sites/SITE`."""

import msgspec

from router.admin.views.links import SiteName
from router.admin.views.services import TargetView


class SiteServed(msgspec.Struct, frozen=True):
    """Requests of that site's clients that ``site`` served (empty: no site), and how many of them a
    cheaper site was too full for."""

    site: str
    requests: int
    overflow: int


class SiteService(msgspec.Struct, frozen=True, kw_only=True):
    """A service port at that site. Totals count its own clients' requests that ended.

    ``in_flight``, ``capacity`` and ``rate_per_s`` are those of its targets.
    """

    name: str
    port: int
    protocol: str
    policy: str
    requests_total: int
    overflow_total: int
    queued: int
    in_flight: int
    targets_ready: int
    capacity: int | None
    rate_per_s: float | None
    served: tuple[SiteServed, ...]
    targets: tuple[TargetView, ...]


class SiteLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link of that site, as it sees it."""

    neighbour: SiteName
    direction: str
    cost: int
    state: str
    rtt_ms: float | None
    streams: int
    certificate_expires: str | None


class SiteProblem(msgspec.Struct, frozen=True):
    """``message`` empty: its content is not meant for this site."""

    code: str
    message: str


class SiteDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One site, as it reports itself. ``told``: it answered; otherwise ``error`` says why not, and
    all but the first five fields are empty. ``age_s``: the age of the answer.

    ``services_left_out``: how many services that this site may know did not fit.
    """

    name: str
    id: str
    local: bool
    reachable: bool
    path_cost: int | None
    told: bool
    error: str
    age_s: float | None = None
    version: str = ""
    mode: str = ""
    ready: bool | None = None
    uptime_s: float | None = None
    replicas: int | None = None
    problems: tuple[SiteProblem, ...] = ()
    links: tuple[SiteLink, ...] = ()
    services: tuple[SiteService, ...] = ()
    services_left_out: int = 0
