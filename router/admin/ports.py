"""What the operator's door needs from the rest; `operate` supplies it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, Protocol

import msgspec
from aiohttp import web

from router.admin.named import ServiceNames
from router.admin.views.bursts import BurstView, ScaleView
from router.admin.views.links import LinkView, SiteView
from router.admin.views.services import ServiceView, TargetView
from router.admin.views.status import CaView, Status
from router.admin.views.why import PastDecision, WhyView
from router.model.events import Problem
from router.model.settings import AffinityBy


class HistogramView(msgspec.Struct, frozen=True):
    """``counts`` per bucket of ``bounds`` (upper, seconds), the last one beyond all bounds."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum_s: float


Labels = tuple[str, ...]

Figures = Literal["metrics", "services", "scales", "live", "lately"]
"""What the processes of one router have each its part of."""


class MetricValues(msgspec.Struct, frozen=True):
    """One scrape: values by metric name and label values (in the order of `metrics.FAMILIES`)."""

    numbers: Mapping[str, Mapping[Labels, float]]
    histograms: Mapping[str, Mapping[Labels, HistogramView]]


class UnknownCommand(Exception):
    """No such command, or words that do not fit it; the text says what it takes."""


class CommandFailed(Exception):
    """The order was understood and could not be carried out; nothing has changed."""


class CommandRefused(CommandFailed):
    """It does not fit what is there; ``hint`` is the next step."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.hint = hint


class BadQuestion(Exception):
    """What was asked does not fit the service; the text says why, ``hint`` the next step."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.hint = hint


class NothingRecorded(BadQuestion):
    """The question fits, and there were no requests to answer it from."""


class GivenCommand(msgspec.Struct, frozen=True):
    """A command that somebody gave. ``done``: what it said; ``failed``: why it did nothing."""

    by: str
    name: str
    arguments: Mapping[str, str]
    done: str = ""
    failed: str = ""


def unheard(order: GivenCommand) -> None:
    """Nobody keeps books."""


class RouterView(ServiceNames, Protocol):
    """Snapshots of the router, and the few orders it takes."""

    def status(self) -> Status: ...
    def links(self) -> Sequence[LinkView]: ...
    def services(self) -> Sequence[ServiceView]: ...
    def network(self) -> Sequence[SiteView]: ...
    def bursts(self) -> Sequence[BurstView]: ...
    def ca(self) -> CaView: ...

    def why_unknown(self, service: str) -> Problem | None:
        """The rule by which this site does not know ``service``; None: no rule is why."""

    def ask_targets(
        self, service: str, done: Callable[[Mapping[int, list[TargetView]]], None]
    ) -> None:
        """Targets that other sites have for ``service``, by its port, without their hosts.

        ``done`` is called once, later in this thread, within `limits.INQUIRY_WAIT_S`.
        """

    async def why(
        self,
        service: str,
        port: int | None,
        session: tuple[AffinityBy, str] | None = None,
        *,
        sheddable: bool = False,
    ) -> WhyView | None:
        """None: no such service. ``port`` None: its first. ``sheddable``: of such a request.

        ``session``: of the request, by cookie, header or client with that value. Raises
        BadQuestion: that makes no session of this service, or it has no sheddable requests.
        """

    def scale(self, service: str, port: int | None) -> ScaleView | None:
        """What an autoscaler goes by. None: no such service. ``port`` None: its first."""

    async def past(
        self, service: str, port: int | None, count: int, *, denied: bool
    ) -> Sequence[PastDecision] | None:
        """The last ``count`` requests, newest first; None: no such service. ``port`` None: all.

        ``denied``: of those that no target had a byte of.
        """

    def ready(self) -> bool:
        """Serving and not draining; never depends on peers."""

    def metrics(self) -> Iterator[MetricValues]:
        """Everything `/metrics` shows, some series at a time; between two others may go on."""

    async def look(self, figures: Figures) -> None:
        """Ask the other processes of the router, if there are any, before ``figures`` are shown."""

    def command(self, name: str, arguments: Mapping[str, str]) -> str:
        """Carry out ``name`` and say what was done. Raises UnknownCommand, CommandFailed."""


class ApiPart(Protocol):
    """Some routes of the API, kept apart from the others: flows, history, ping, the console."""

    def add_to(self, routes: web.UrlDispatcher) -> None:
        """Add its routes. Called once for each door that shows the API."""
