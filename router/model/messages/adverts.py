"""Adverts of services between sites: in LSAs (slow) and LOAD messages (fast)."""

import msgspec

from router.model import limits
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.messages.exports import ExportTerms
from router.model.rights.grants import NONE, ServiceGrant
from router.model.specs import ServiceSpec


class Declaration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A site's statement that a service exists. Which of several counts: `routing.owners`.

    ``export_to``: patterns of the sites that it is for (`model.rights.sharing`); None: all.
    ``grants`` count while the site owns the name. ``export``: the ServiceExport behind it; None:
    none.
    """

    name: str
    spec: ServiceSpec
    declared_at_s: float  # Unix seconds; only compared, never a deadline.
    export_to: tuple[str, ...] | None = None
    grants: tuple[ServiceGrant, ...] = NONE
    export: ExportTerms | None = None


class RateLoad(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How a site stands to its rate. ``permits``: how many it would take at once.

    ``state`` 0: calm, 1: over, they come back at ``per_s``; 2: over, and all that is new shall
    leave it while another site has room. A greater one is taken for 1.
    """

    per_s: float
    permits: int
    state: int = 0

    @property
    def is_over(self) -> bool:
        return self.state != 0

    @property
    def is_bad(self) -> bool:
        """Its values cannot be."""
        return (
            not 0 < self.per_s <= limits.RATE_SUM_MAX
            or not 0 <= self.permits <= limits.PERMITS_MAX
            or self.state < 0
        )


class TargetsAdvert(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Ready targets and stated capacity of a service port at one router. No addresses.

    ``export_to``: patterns of the sites that they are offered to; None: all. ``reserved``: slots
    that it has besides and that only its own clients get; ``most_for_one``: what it lets one
    neighbor hold at once, None: any number.
    """

    name: str
    port: int
    targets_ready: int
    capacity: int | None  # Sum over ready targets, for clients of others; None: none stated.
    draining: bool = False
    rate_per_s: float | None = None  # The most that is taken a second; None: no rate is stated.
    shares_targets: bool = False
    """Other routers of its site have these very targets too, and their parts of the capacity."""
    export_to: tuple[str, ...] | None = None
    reserved: int = 0
    most_for_one: int | None = None


class RemoteCandidate(msgspec.Struct, frozen=True, kw_only=True):
    """A remote site that has a connector for a service, as the route table sees it.

    ``paths`` are the equal-cost cheapest source routes, each the routers after this one, the
    egress last; never empty. ``capacity`` is the sum over ready targets; None: none stated.
    ``export_to``: whom it is offered to; None: all. ``barred``: the rule by which this site does
    not use it, for people. ``differs``: that it would refuse, since it declares the service as
    another protocol. Both are empty: it is used. ``reserved`` and ``most_for_one`` as in its
    `TargetsAdvert`.
    """

    site: SiteId
    site_name: str
    router: RouterId  # The egress router.
    path_cost: int
    paths: tuple[tuple[RouterId, ...], ...]
    targets_ready: int
    capacity: int | None
    draining: bool
    rate_per_s: float | None = None
    shares_targets: bool = False  # With the other routers of its site.
    export_to: tuple[str, ...] | None = None
    barred: str = ""
    differs: str = ""
    reserved: int = 0
    most_for_one: int | None = None

    @property
    def unused(self) -> str:
        """Why nothing is sent there, for people; empty: it is used."""
        return self.barred or self.differs


class LoadReport(msgspec.Struct, frozen=True, array_like=True):
    """Unsigned advice on the load of one service port at ``router``. ``seq`` grows per router.

    ``in_flight`` is what takes slots: at ready targets, of each up to its capacity. ``beyond`` runs
    besides, above a lowered capacity or at targets that are down; ``waiting`` for a slot there.
    ``reserved`` and ``most_for_one`` as in `TargetsAdvert`: ``capacity`` is what others may have.
    ``refuses``: it takes nothing new, since it is short of memory.
    """

    router: RouterId
    seq: int
    service: str
    port: int
    in_flight: int
    targets_ready: int
    capacity: int | None
    rate: RateLoad | None = None  # None: no rate is stated, or an older version says nothing.
    beyond: int = 0  # As `waiting`, an older version says nothing.
    waiting: int = 0
    reserved: int = 0
    most_for_one: int | None = None
    refuses: bool = False

    @property
    def key(self) -> ServiceKey:
        """The service port that the report is about."""
        return ServiceKey(self.service, self.port)
