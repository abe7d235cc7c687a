"""Adverts of services between sites: in LSAs (slow) and LOAD messages (fast)."""

import msgspec

from router.model import limits
from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.messages.exports import ExportTerms
from router.model.rights.grants import NONE, ServiceGrant
from router.model.specs import ServiceSpec


class Declaration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A site's statement that a service exists. Which of several counts: `routing.owners`.

    ``export_to``: patterns of the sites that may see it (`model.rights.sharing`); None: all.
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
    """A site's rate at this moment. ``permits``: how many requests it would take at once.

    ``state`` 0: calm. 1: over; permits come back at ``per_s``. 2: over, and all new requests must
    go to other sites while one has room. A greater value counts as 1.
    """

    per_s: float
    permits: int
    state: int = 0

    @property
    def is_over(self) -> bool:
        return self.state != 0

    @property
    def is_bad(self) -> bool:
        """Whether a value is out of range."""
        return (
            not 0 < self.per_s <= limits.RATE_SUM_MAX
            or not 0 <= self.permits <= limits.PERMITS_MAX
            or self.state < 0
        )


class TargetsAdvert(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Ready targets and configured capacity of a service port at one router. No addresses.

    ``export_to``: patterns of the sites that may use them; None: all. ``reserved``: additional
    slots that only its own clients get; ``most_for_one``: the most that one neighbor may hold at
    once, None: any number. ``serves``: the protocol, of a name that sites declare differently;
    empty: its site knows of one protocol only, or an older version sent this.
    """

    name: str
    port: int
    targets_ready: int
    capacity: int | None  # Sum over ready targets, for clients of others; None: none configured.
    draining: bool = False
    rate_per_s: float | None = None  # The most a second; None: no rate is configured.
    shares_targets: bool = False
    """Other routers of its site serve the same targets, with their own parts of the capacity."""
    export_to: tuple[str, ...] | None = None
    reserved: int = 0
    most_for_one: int | None = None
    serves: str = ""


class RemoteCandidate(msgspec.Struct, frozen=True, kw_only=True):
    """A remote site that has a connector for a service, as the route table sees it.

    ``paths`` are the cheapest source routes, all of equal cost: each lists the routers after this
    one, the egress last; never empty. ``capacity`` is the sum over ready targets; None: none
    configured. ``export_to``: sites that may use it; None: all. ``barred``: the rule that keeps
    this site from using it, in words. ``differs``: why it would refuse, because it declares the
    service with another protocol. If both are empty, the candidate is used. ``serves``: its
    protocol, for a name that sites declare differently; empty: not known. ``reserved`` and
    ``most_for_one`` as in its `TargetsAdvert`. ``drained``: of a draining one, whether an operator
    drained it there, or else its router stops; None: an edge does not know which.
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
    serves: str = ""
    reserved: int = 0
    most_for_one: int | None = None
    drained: bool | None = None

    @property
    def unused(self) -> str:
        """Why this candidate gets nothing, in words; empty: it is used."""
        return self.barred or self.differs


class LoadReport(msgspec.Struct, frozen=True, array_like=True):
    """Unsigned advice on the load of one service port at ``router``. ``seq`` grows per router.

    ``in_flight``: requests that take slots, at ready targets, per target up to its capacity.
    ``beyond``: further ones that run, above a lowered capacity or at targets that are down;
    ``waiting``: requests that wait for a slot. ``reserved`` and ``most_for_one`` as in
    `TargetsAdvert`: ``capacity`` is the part for others. ``refuses``: the router takes nothing new,
    because it is short of memory. ``asked_per_s``: requests asked for a second over the window of
    the service port's rate, wherever they were served, without those that other routers of the site
    brought; only these use it. None: there is no rate, or an older version sent this.
    """

    router: RouterId
    seq: int
    service: str
    port: int
    in_flight: int
    targets_ready: int
    capacity: int | None
    rate: RateLoad | None = None  # None: no rate is configured, or an older version sent this.
    beyond: int = 0  # An older version sends neither this nor `waiting`.
    waiting: int = 0
    reserved: int = 0
    most_for_one: int | None = None
    refuses: bool = False
    asked_per_s: float | None = None

    @property
    def key(self) -> ServiceKey:
        """The service port of this report."""
        return ServiceKey(self.service, self.port)
