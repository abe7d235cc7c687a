"""Events of `RoutingCore`: messages to send and facts for `node`."""

import msgspec

from router.model.ids import RouterId, SiteId
from router.model.messages.acks import LsaAck, checksum_of
from router.model.messages.edges import EdgeMessage
from router.routing.adverts.lsa import ReceivedLsa
from router.routing.table import RouteTable


class SendLsa(msgspec.Struct, frozen=True):
    """One signed part for the neighbour ``to``, verbatim."""

    to: RouterId
    signed: bytes


class SendAck(msgspec.Struct, frozen=True):
    """Tell ``to`` what we received."""

    to: RouterId
    ack: LsaAck


class SendDigest(msgspec.Struct, frozen=True, kw_only=True):
    """Tell ``to`` what we hold, by `DatabaseDigest`: it sends what differs.

    ``wants_answer``: and it is to tell what it holds.
    """

    to: RouterId
    digest: bytes
    wants_answer: bool


def ack_of(received: ReceivedLsa, to: RouterId) -> SendAck:
    """Tell ``to`` that we received this."""
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

    ``withdrawn``: it is us who started later. We originate nothing and route nothing any more;
    `node` closes the links and says so. ``neighbours``: the sites that the other one is linked to,
    as far as it said.
    """

    site: SiteId
    router: RouterId
    withdrawn: bool
    neighbours: tuple[SiteId, ...] = ()


class EpochRaised(msgspec.Struct, frozen=True):
    """A former life of ours had a later epoch; ``epoch`` is in use now and must be persisted."""

    epoch: int


class ForeignLsa(msgspec.Struct, frozen=True):
    """A neighbour that is in on terms told of another ``site``: nothing behind it counts."""

    sender: RouterId
    site: SiteId


class OriginEquivocated(msgspec.Struct, frozen=True, kw_only=True):
    """``router`` signed two different parts with one number. All sites believe the same of them."""

    site: SiteId
    router: RouterId


class SiteOverBudget(msgspec.Struct, frozen=True, kw_only=True):
    """The routers of ``site`` tell more than is kept of one site; what is more was refused.

    ``excess``: which limit it would pass, for people. ``is_brought``: not of itself, but of the
    sites behind it it brings more than is kept of what one neighbor brings. ``token``: it shares
    that limit with other sites that the token let in; empty: with none.
    """

    site: SiteId
    excess: str
    is_brought: bool = False
    token: str = ""


class LsaRejected(msgspec.Struct, frozen=True, kw_only=True):
    """A neighbour sent what no honest router sends. ``code`` as in `LsaFault`."""

    sender: RouterId
    code: str
    reason: str


class AdjacencyDamped(msgspec.Struct, frozen=True):
    """The neighbour ``router`` flaps: no path leads over it before ``until``. None: it has stayed
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
