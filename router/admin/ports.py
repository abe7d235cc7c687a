"""Interfaces that the operator's door needs; `operate` implements them."""

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
from router.model.requests import RequestSelection
from router.model.settings import AffinityBy


class HistogramView(msgspec.Struct, frozen=True):
    """``counts`` per bucket of ``bounds`` (upper, seconds), the last one beyond all bounds."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum_s: float


Labels = tuple[str, ...]

Figures = Literal["metrics", "services", "scales", "live", "lately"]
"""Figures that a router's processes must add up: each has only a part."""


class MetricValues(msgspec.Struct, frozen=True):
    """One scrape: values by metric name and label values (in the order of `metrics.FAMILIES`)."""

    numbers: Mapping[str, Mapping[Labels, float]]
    histograms: Mapping[str, Mapping[Labels, HistogramView]]


class UnknownCommand(Exception):
    """No such command, or wrong arguments; the text lists the valid ones."""


class CommandFailed(Exception):
    """The command was understood but could not be carried out; nothing has changed."""


class CommandRefused(CommandFailed):
    """The command does not fit the present state; ``hint`` is the next step."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.hint = hint


class BadQuestion(Exception):
    """The question does not fit the service; the text says why, ``hint`` is the next step."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.hint = hint


class NothingRecorded(BadQuestion):
    """The question fits, but no requests were recorded to answer it."""


class GivenCommand(msgspec.Struct, frozen=True):
    """A command that was given. ``done``: its confirmation; ``failed``: why it had no effect."""

    by: str
    name: str
    arguments: Mapping[str, str]
    done: str = ""
    failed: str = ""


def unheard(order: GivenCommand) -> None:
    """Record nothing."""


def ignored(error: Exception) -> None:
    """Report nothing."""


class RouterView(ServiceNames, Protocol):
    """Snapshots of the router, and its few commands."""

    def status(self) -> Status: ...
    def links(self) -> Sequence[LinkView]: ...
    def services(self) -> Sequence[ServiceView]: ...
    def network(self) -> Sequence[SiteView]: ...
    def bursts(self) -> Sequence[BurstView]: ...
    def ca(self) -> CaView: ...

    def why_unknown(self, service: str) -> Problem | None:
        """Why ``service`` is not known here; None: it is, or no reason is known."""

    def ask_targets(
        self, service: str, done: Callable[[Mapping[int, list[TargetView]]], None]
    ) -> None:
        """Targets of other sites for ``service``, by its port, without their hosts.

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
        """None: no such service. ``port`` None: its first. ``sheddable``: for a sheddable request.

        ``session``: that of the request, by cookie, header or client with that value. Raises
        BadQuestion: such a value makes no session of this service, or it has no sheddable requests.
        """

    def scale(self, service: str, port: int | None) -> ScaleView | None:
        """Figures for an autoscaler. None: no such service. ``port`` None: its first."""

    async def past(
        self, service: str, port: int | None, count: int, which: RequestSelection
    ) -> Sequence[PastDecision] | None:
        """The last ``count`` requests of those selected, newest first; None: no such service.
        ``port`` None: all.
        """

    def ready(self) -> bool:
        """Whether it serves and does not drain; never depends on peers."""

    def metrics(self) -> Iterator[MetricValues]:
        """All values of `/metrics`, some series at a time; other work may run between two."""

    async def look(self, figures: Figures) -> None:
        """Ask the other processes of the router, if any, before ``figures`` are shown."""

    def command(self, name: str, arguments: Mapping[str, str]) -> str:
        """Carry out ``name`` and return a confirmation. Raises UnknownCommand, CommandFailed."""


class ApiPart(Protocol):
    """A group of API routes: flows, history, ping, the console."""

    def add_to(self, routes: web.UrlDispatcher) -> None:
        """Add its routes. Called once for each door that serves the API."""
