"""What the first worker of a router and another one say to each other, over a socket pair."""

import asyncio
import struct
from typing import TypeVar

import msgspec

from router.admin.endpoints.rebalance import RebalanceView
from router.admin.ports import Figures, MetricValues
from router.admin.views.bursts import ScaleView
from router.admin.views.flow import FlowDetail, FlowsWanted, FlowView
from router.admin.views.history import ServiceHistory
from router.admin.views.services import ServiceView
from router.admin.views.why import PastDecision, WhyView
from router.balance.site.wake_hold import Wake
from router.callers.reports import CallersReport
from router.exchange.clients.rebalancing import RebalanceTerms
from router.model import limits
from router.model.events import Event
from router.model.ids import ServiceKey
from router.model.settings import AffinityBy
from router.workers.link_uses import LinkUse, WorkerLink
from router.workers.recent_port_figures import PortLately, PortPhases

_LENGTH = struct.Struct("!I")


class ServicePlace(msgspec.Struct, frozen=True):
    """Where a service port is listened for, as wanted."""

    key: ServiceKey
    host: str
    port: int


class MessageTooLong(Exception):
    """Beyond `limits.WORKER_MESSAGE_BYTES_MAX`: nobody of ours says so much at once."""


# What is asked ------------------------------------------------------------------------------


class FiguresQuestion(msgspec.Struct, frozen=True, tag="figures"):
    """What each has its part of, and all is summed of."""

    figures: Figures


class PastQuestion(msgspec.Struct, frozen=True, tag="past"):
    """The last requests of a service."""

    service: str
    port: int | None
    count: int
    denied: bool


class WhyQuestion(msgspec.Struct, frozen=True, tag="why"):
    """What the next request of a session would meet."""

    service: str
    port: int | None
    by: AffinityBy
    value: str


class HistoryQuestion(msgspec.Struct, frozen=True, tag="history"):
    """The last quarter of an hour of a service, or of all."""

    service: str | None
    port: int | None


class FlowsQuestion(msgspec.Struct, frozen=True, tag="flows"):
    """The newest of those that are wanted."""

    wanted: FlowsWanted


class FlowNewsQuestion(msgspec.Struct, frozen=True, tag="flow-news"):
    """What ended after that turn, None: nothing, and what lasts if that is asked."""

    turn: int | None
    lasting: bool


class FlowQuestion(msgspec.Struct, frozen=True, tag="flow"):
    """One, by its number."""

    number: int


class EventsQuestion(msgspec.Struct, frozen=True, tag="events"):
    """Those after that number; 0: since the worker started."""

    after: int


class RebalanceQuestion(msgspec.Struct, frozen=True, tag="rebalance"):
    """Connections that the policy would place elsewhere now."""

    service: str
    port: int | None


class GraphQuestion(msgspec.Struct, frozen=True, tag="graph"):
    """Who called whom."""

    with_past: bool


Question = (
    FiguresQuestion
    | PastQuestion
    | WhyQuestion
    | HistoryQuestion
    | FlowsQuestion
    | FlowNewsQuestion
    | FlowQuestion
    | EventsQuestion
    | RebalanceQuestion
    | GraphQuestion
)

# What is told -------------------------------------------------------------------------------


class Metrics(msgspec.Struct, frozen=True, tag="metrics"):
    items: tuple[MetricValues, ...]


class WorkerServices(msgspec.Struct, frozen=True, tag="services"):
    items: tuple[ServiceView, ...]


class PhaseCounts(msgspec.Struct, frozen=True, tag="phases"):
    items: tuple[PortPhases, ...]


class Scales(msgspec.Struct, frozen=True, tag="scales"):
    items: tuple[ScaleView, ...]


class Latelies(msgspec.Struct, frozen=True, tag="latelies"):
    items: tuple[PortLately, ...]


class LinkUses(msgspec.Struct, frozen=True, tag="link-uses"):
    items: tuple[LinkUse, ...]
    states: tuple[WorkerLink, ...]


class Past(msgspec.Struct, frozen=True, tag="past"):
    items: tuple[PastDecision, ...]


class Why(msgspec.Struct, frozen=True, tag="why"):
    item: WhyView


class Histories(msgspec.Struct, frozen=True, tag="histories"):
    items: tuple[ServiceHistory, ...]


class FlowList(msgspec.Struct, frozen=True, tag="flows"):
    items: tuple[FlowView, ...]
    skipped: int


class FlowNews(msgspec.Struct, frozen=True, tag="flow-news"):
    """As of ``turn``."""

    turn: int
    skipped: int
    ended: tuple[FlowView, ...]
    lasting: tuple[FlowView, ...] | None


class Detail(msgspec.Struct, frozen=True, tag="flow"):
    item: FlowDetail


class NumberedEvents(msgspec.Struct, frozen=True, tag="events"):
    items: tuple[tuple[int, Event], ...]


class Rebalances(msgspec.Struct, frozen=True, tag="rebalances"):
    items: tuple[RebalanceView, ...]


class GraphReports(msgspec.Struct, frozen=True, tag="graph"):
    item: CallersReport


_Figures = Metrics | WorkerServices | PhaseCounts | Scales | Latelies | LinkUses
Told = (
    _Figures
    | Past
    | Why
    | Histories
    | FlowList
    | FlowNews
    | Detail
    | NumberedEvents
    | Rebalances
    | GraphReports
)

# Messages -----------------------------------------------------------------------------------


class Follow(msgspec.Struct, frozen=True, tag="follow"):
    """Link to these workers, and listen only as the first one does, for the same services."""

    siblings: tuple[str, ...]
    places: frozenset[ServicePlace]


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """How are you? And this, unless it is None."""

    number: int
    question: Question | None = None


class ReadAgain(msgspec.Struct, frozen=True, tag="read-again"):
    """The documents and secrets may be others."""


class Reopen(msgspec.Struct, frozen=True, tag="reopen"):
    """Log files were moved away; the documents and secrets may be others too."""


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """Drain and end. ``at_once``: whatever is under way."""

    at_once: bool = False


class Rebalance(msgspec.Struct, frozen=True, tag="rebalance"):
    """Move the connections of that service port that are not where the policy would place them."""

    key: ServiceKey
    terms: RebalanceTerms


class Holding(msgspec.Struct, frozen=True, tag="hold"):
    """What a burst hook does for a service; see `Service.set_wake`. Times are of this host's
    monotonic clock."""

    service: str
    wake: Wake | None
    has_hook: bool


class Leave(msgspec.Struct, frozen=True, tag="leave"):
    """The site is to be deleted: its neighbors need not miss it."""


class WorkerDoor(msgspec.Struct, frozen=True, tag="door"):
    """Others reach this worker there."""

    address: str


class WorkerFailed(msgspec.Struct, frozen=True, tag="failed"):
    """This worker ends by an error: the last that it says."""

    error: str


class WorkerCut(msgspec.Struct, frozen=True, tag="cut"):
    """So many requests and connections this worker cuts at its end: the last that it says."""

    under_way: int


class WorkerAnswer(msgspec.Struct, frozen=True, tag="answer"):
    """To `Ask` of that number. ``more``: another one to it follows. ``clients_wait``: why further
    clients wait for a connection there; empty: they do not. ``why_no_dial``: likewise, why it can
    open no connection. ``full_ports``: service ports with as
    many clients there as their limit of connections, with that limit. ``refused_clients``: how
    many clients that worker reset since its start, as their address had too many."""

    number: int
    ready: bool
    links: int
    told: Told | None = None
    more: bool = False
    clients_wait: str = ""
    why_no_dial: str = ""
    full_ports: tuple[tuple[ServiceKey, int], ...] = ()
    refused_clients: tuple[tuple[ServiceKey, int], ...] = ()


ToWorker = Follow | Ask | ReadAgain | Reopen | Stop | Leave | Rebalance | Holding
FromWorker = WorkerDoor | WorkerFailed | WorkerCut | WorkerAnswer

_HeardT = TypeVar("_HeardT")


def words(message: ToWorker | FromWorker) -> bytes:
    """``message`` as it is written. Raises MessageTooLong."""
    body = msgspec.msgpack.encode(message)
    return _LENGTH.pack(_bounded(len(body))) + body


async def heard(reader: asyncio.StreamReader, decoder: msgspec.msgpack.Decoder[_HeardT]) -> _HeardT:
    """The next message. EOFError (`asyncio.IncompleteReadError`): the other one is gone.

    Raises MessageTooLong, before any of it is kept.
    """
    (size,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    return decoder.decode(await reader.readexactly(_bounded(size)))


def _bounded(size: int) -> int:
    if size > limits.WORKER_MESSAGE_BYTES_MAX:
        most = limits.WORKER_MESSAGE_BYTES_MAX
        raise MessageTooLong(f"a message of {size} bytes, and {most} are the most")
    return size
