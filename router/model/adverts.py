"""What sites tell each other about services: carried in LSAs (slow) and LOAD messages (fast)."""

import msgspec

from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.specs import ServiceSpec


class Declaration(msgspec.Struct, frozen=True, kw_only=True):
    """A site's statement that a service exists. The oldest wins, then the lower site id."""

    name: str
    spec: ServiceSpec
    declared_at_s: float  # Unix seconds; only compared, never a deadline.


class TargetsAdvert(msgspec.Struct, frozen=True, kw_only=True):
    """Ready targets and stated capacity of a service port at one router. No addresses."""

    name: str
    port: int
    targets_ready: int
    capacity: int | None  # Sum over ready targets; None: none stated.
    draining: bool = False


class RemoteCandidate(msgspec.Struct, frozen=True, kw_only=True):
    """A remote site that has a connector for a service, as the route table sees it.

    ``paths`` are the equal-cost cheapest source routes, each the routers after this one, the
    egress last; never empty. ``capacity`` is the sum over ready targets; None: none stated.
    """

    site: SiteId
    site_name: str
    router: RouterId  # The egress router.
    path_cost: int
    paths: tuple[tuple[RouterId, ...], ...]
    targets_ready: int
    capacity: int | None
    draining: bool


class LoadReport(msgspec.Struct, frozen=True, array_like=True):
    """Unsigned advice on the load of one service port at ``router``. ``seq`` grows per router."""

    router: RouterId
    seq: int
    service: str
    port: int
    in_flight: int
    targets_ready: int
    capacity: int | None

    @property
    def key(self) -> ServiceKey:
        """The service port that the report is about."""
        return ServiceKey(self.service, self.port)
