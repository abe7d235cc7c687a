"""Events of `RoutingCore`: messages to send and facts for `node`."""

import msgspec

from router.model.ids import RouterId, SiteId
from router.model.messages.acks import LsaAck, checksum_of
from router.model.messages.edges import EdgeMessage
from router.routing.adverts.lsa import ReceivedLsa
from router.routing.table import RouteTable


class SendLsa(msgspec.Struct, frozen=True):
    """One signed part for the neighbor ``to``, verbatim. ``age_s``: see `Lsdb.age_s`."""

    to: RouterId
    signed: bytes
    age_s: int = 0


class SendAck(msgspec.Struct, frozen=True):
    """Acknowledge a received part to ``to``."""

    to: RouterId
    ack: LsaAck


class SendDigest(msgspec.Struct, frozen=True, kw_only=True):
    """Send ``to`` our `DatabaseDigest`, so that it sends the parts that differ.

    ``wants_answer``: it should also send its digest.
    """

    to: RouterId
    digest: bytes
    wants_answer: bool


def ack_of(received: ReceivedLsa, to: RouterId) -> SendAck:
    """The acknowledgement of ``received`` for ``to``."""
    lsa, checksum = received.lsa, checksum_of(received.signed)
    return SendAck(to, LsaAck(lsa.router, lsa.part, lsa.epoch, lsa.sequence, checksum))


class SendEdge(msgspec.Struct, frozen=True):
    """A message between an edge and its neighbor."""

    to: RouterId
    message: EdgeMessage


class EdgeCaughtUp(msgspec.Struct, frozen=True):
    """The edge ``router`` holds its newest table; candidates of ``services`` are new in it."""

    router: RouterId
    services: frozenset[str]


class TableChanged(msgspec.Struct, frozen=True):
    """A new table, different from the last in more than its generation."""

    table: RouteTable


class IdentityConflict(msgspec.Struct, frozen=True, kw_only=True):
    """Another live process has our site and router id: two sites from one copy of the state.

    ``withdrawn``: ours started later. It originates and routes nothing any more; `node` closes the
    links and reports it. ``neighbours``: the sites that the other one is linked to, as far as its
    LSA says.
    """

    site: SiteId
    router: RouterId
    withdrawn: bool
    neighbours: tuple[SiteId, ...]


class EpochRaised(msgspec.Struct, frozen=True):
    """A process of ours before a restart, or another router of this site, had a later epoch;
    ``epoch`` is in use now or will be, and must be stored before."""

    epoch: int


class ForeignLsa(msgspec.Struct, frozen=True):
    """A neighbor that is let in on terms sent an LSA of another ``site``: nothing behind it
    counts."""

    sender: RouterId
    site: SiteId


class OriginEquivocated(msgspec.Struct, frozen=True, kw_only=True):
    """``router`` signed two different parts with one number. All sites use the same one of them."""

    site: SiteId
    router: RouterId


class SiteOverBudget(msgspec.Struct, frozen=True, kw_only=True):
    """The routers of ``site`` report more than is stored for one site; the excess was refused.

    ``excess``: the limit in words. ``is_relayed``: the excess is not about ``site`` itself, but
    about the sites behind it, beyond the limit for one neighbor. ``token``: ``site`` shares that
    limit with other sites that the token let in; empty: it does not.
    """

    site: SiteId
    excess: str
    is_relayed: bool
    token: str


class LsaRejected(msgspec.Struct, frozen=True, kw_only=True):
    """A neighbor sent data that no honest router sends. ``code`` as in `LsaFault`."""

    sender: RouterId
    code: str
    reason: str


class AdjacencyDamped(msgspec.Struct, frozen=True):
    """The neighbor ``router`` flaps: no path leads over it before ``until``. None: it has stayed
    up, and counts again."""

    router: RouterId
    until: float | None


RoutingChange = (
    EdgeCaughtUp
    | TableChanged
    | IdentityConflict
    | EpochRaised
    | LsaRejected
    | AdjacencyDamped
    | ForeignLsa
    | OriginEquivocated
    | SiteOverBudget
)
RoutingEvent = SendLsa | SendAck | SendDigest | SendEdge | RoutingChange
