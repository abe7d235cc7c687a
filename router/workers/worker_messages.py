"""Messages between the first worker of a router and another one, over a socket pair."""

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
from router.model.requests import RequestSelection
from router.model.settings import AffinityBy
from router.workers.link_uses import LinkUse, WorkerLink
from router.workers.recent_port_figures import PortPhases, RecentPortFigures

_LENGTH = struct.Struct("!I")


class ServicePlace(msgspec.Struct, frozen=True):
    """The wanted address of a service port's listener."""

    key: ServiceKey
    host: str
    port: int


class MessageTooLong(Exception):
    """Beyond `limits.WORKER_MESSAGE_BYTES_MAX`: no message of ours is that long."""


# Questions ----------------------------------------------------------------------------------


class FiguresQuestion(msgspec.Struct, frozen=True, tag="figures"):
    """Figures to be summed: each worker has only a part."""

    figures: Figures


class PastQuestion(msgspec.Struct, frozen=True, tag="past"):
    """The last requests of a service."""

    service: str
    port: int | None
    count: int
    which: RequestSelection


class WhyQuestion(msgspec.Struct, frozen=True, tag="why"):
    """The outlook for the next request of a session."""

    service: str
    port: int | None
    by: AffinityBy
    value: str


class HistoryQuestion(msgspec.Struct, frozen=True, tag="history"):
    """The last quarter of an hour of a service, or of all."""

    service: str | None
    port: int | None


class FlowsQuestion(msgspec.Struct, frozen=True, tag="flows"):
    """The newest of the wanted flows."""

    wanted: FlowsWanted


class FlowNewsQuestion(msgspec.Struct, frozen=True, tag="flow-news"):
    """Flows that ended after that turn, None: none; and lasting ones if requested."""

    turn: int | None
    lasting: bool


class FlowQuestion(msgspec.Struct, frozen=True, tag="flow"):
    """One flow, by its number."""

    number: int


class EventsQuestion(msgspec.Struct, frozen=True, tag="events"):
    """Events after that number; 0: since the worker started."""

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

# Answers ------------------------------------------------------------------------------------


class Metrics(msgspec.Struct, frozen=True, tag="metrics"):
    items: tuple[MetricValues, ...]


class WorkerServices(msgspec.Struct, frozen=True, tag="services"):
    items: tuple[ServiceView, ...]


class PhaseCounts(msgspec.Struct, frozen=True, tag="phases"):
    items: tuple[PortPhases, ...]


class Scales(msgspec.Struct, frozen=True, tag="scales"):
    items: tuple[ScaleView, ...]


class RecentFiguresByPort(msgspec.Struct, frozen=True, tag="latelies"):
    items: tuple[RecentPortFigures, ...]


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
    """State as of ``turn``."""

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


_Figures = Metrics | WorkerServices | PhaseCounts | Scales | RecentFiguresByPort | LinkUses
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
    """Link to these workers, and listen only where the first one does, for the same services."""

    siblings: tuple[str, ...]
    places: frozenset[ServicePlace]


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """A question about its state, and ``question`` unless that is None."""

    number: int
    question: Question | None = None


class ReadAgain(msgspec.Struct, frozen=True, tag="read-again"):
    """Read documents and secrets again: they may have changed."""


class Reopen(msgspec.Struct, frozen=True, tag="reopen"):
    """Reopen log files, which were moved; documents and secrets may have changed too."""


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """Drain and end. ``at_once``: even with requests in flight."""

    at_once: bool = False


class Rebalance(msgspec.Struct, frozen=True, tag="rebalance"):
    """Move the connections of that service port that are not where the policy would place them."""

    key: ServiceKey
    terms: RebalanceTerms


class Holding(msgspec.Struct, frozen=True, tag="hold"):
    """The wake-up of a burst hook for a service; see `WakeState.set_wake`. Times are of this host's
    monotonic clock."""

    service: str
    wake: Wake | None
    has_hook: bool


class Leave(msgspec.Struct, frozen=True, tag="leave"):
    """The site will be deleted: its neighbors need not miss it."""


class WorkerDoor(msgspec.Struct, frozen=True, tag="door"):
    """The address where others reach this worker."""

    address: str


class WorkerFailed(msgspec.Struct, frozen=True, tag="failed"):
    """This worker ends with an error: its last message."""

    error: str


class WorkerCut(msgspec.Struct, frozen=True, tag="cut"):
    """How many requests and connections this worker cuts at its end: its last message."""

    under_way: int


class WorkerAnswer(msgspec.Struct, frozen=True, tag="answer"):
    """The answer to `Ask` with that number. ``more``: another part follows. ``clients_wait``: why
    further clients wait for a connection there; empty: they do not. ``why_no_dial``: likewise, why
    it can open no connection. ``full_ports``: service ports with as many clients there as their
    limit of connections, with that limit. ``refused_clients``: how many clients that worker reset
    since its start, because their address had too many."""

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
    """``message`` in its encoded form. Raises MessageTooLong."""
    body = msgspec.msgpack.encode(message)
    return _LENGTH.pack(_bounded(len(body))) + body


async def heard(reader: asyncio.StreamReader, decoder: msgspec.msgpack.Decoder[_HeardT]) -> _HeardT:
    """The next message. EOFError (`asyncio.IncompleteReadError`): the other end is gone.

    Raises MessageTooLong before it stores any of it.
    """
    (size,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    return decoder.decode(await reader.readexactly(_bounded(size)))


def _bounded(size: int) -> int:
    if size > limits.WORKER_MESSAGE_BYTES_MAX:
        most = limits.WORKER_MESSAGE_BYTES_MAX
        raise MessageTooLong(f"a message of {size} bytes, and {most} are the most")
    return size
