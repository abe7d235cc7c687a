"""`/api/v1/simulate` and `/api/v1/what-if`: run the decision code beside the router.

Neither changes anything. Both run in a separate process (`Runner`), one at a time.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Protocol

import msgspec
from aiohttp import web

from router.admin.answers import ErrorView, failure, item, items, json
from router.admin.ports import BadQuestion, NothingRecorded, RouterView
from router.admin.views.history import ServiceHistory
from router.admin.views.what_if import WhatIf
from router.admin.what_if import KnownLoad, SimulatedOutcome, WhatIfPlan, plan
from router.admin.what_if_answer import told
from router.model import limits
from router.model.unreadable import UNREADABLE_JSON

Histories = Callable[[str | None, int | None], Awaitable[Iterator[ServiceHistory]]]
"""The recorded history of a service at this site, by name and port."""


class SimulationOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Texts of scenarios, run one after the other; each ends after ``requests_max`` of its
    requests.

    ``rivals``: also run the first under Skupper's rule.
    """

    scenarios: tuple[str, ...]
    requests_max: int
    rivals: bool = True


class ScenarioFinding(msgspec.Struct, frozen=True):
    """An error in a scenario, and its place."""

    line: int
    column: int
    code: str
    message: str
    hint: str


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """``outcomes`` as in `sitectl simulate -o json`, one per scenario; or ``errors``."""

    outcomes: list[msgspec.Raw] = []
    errors: list[ScenarioFinding] = []
    notes: list[str] = []


class SimulationBusy(Exception):
    """Another simulation is running."""


class RunFailed(Exception):
    """The simulation gave no answer; the text says why."""


class Runner(Protocol):
    """Runs simulations outside of the router."""

    async def run(self, order: SimulationOrder) -> Ran:
        """Run ``order``. Raises SimulationBusy, RunFailed."""


class SimulationApi:
    """The two routes."""

    def __init__(
        self,
        runner: Runner,
        view: RouterView,
        histories: Histories,
        declared_elsewhere: Callable[[str], str],
    ) -> None:
        """``declared_elsewhere``: the other site that declares a service; empty: this one does."""
        self._runner, self._view, self._histories = runner, view, histories
        self._declared_elsewhere = declared_elsewhere

    def add_to(self, routes: web.UrlDispatcher) -> None:
        """Add its two routes."""
        routes.add_post("/api/v1/simulate", self._simulate)
        routes.add_post("/api/v1/what-if", self._what_if)

    async def _simulate(self, request: web.Request) -> web.Response:
        body = await request.read()
        most = limits.SIMULATION_TEXT_BYTES_MAX
        if len(body) > most:
            return failure(
                413,
                "scenario-too-long",
                f"A scenario has at most {most} bytes here.",
                "sitectl simulate FILE takes longer ones",
            )
        try:
            text = body.decode()
        except UnicodeDecodeError:
            return failure(400, "bad-scenario", "The scenario is not UTF-8 text.")
        ran = await self._run(
            SimulationOrder(scenarios=(text,), requests_max=limits.SIMULATION_REQUESTS_MAX)
        )
        if isinstance(ran, web.Response):
            return ran
        if ran.errors:
            return failure(422, "bad-scenario", *_findings(ran.errors))
        return items("Simulation", ran.outcomes)

    async def _what_if(self, request: web.Request) -> web.Response:
        try:
            asked = msgspec.json.decode(await request.read(), type=WhatIf)
        except UNREADABLE_JSON as error:
            return failure(400, "bad-request", f"The body is not a what-if: {error}.")
        planned = await self._planned(asked)
        if isinstance(planned, web.Response):
            return planned
        order = SimulationOrder(
            scenarios=(planned.current, planned.proposed),
            requests_max=2 * limits.WHAT_IF_REQUESTS_MAX,
            rivals=False,
        )
        ran = await self._run(order)
        if isinstance(ran, web.Response):
            return ran
        if ran.errors:
            return failure(422, "bad-what-if", *_findings(ran.errors))
        outcomes = [msgspec.json.decode(one, type=SimulatedOutcome) for one in ran.outcomes]
        if len(outcomes) < len(order.scenarios) or any(one.interrupted for one in outcomes):
            return _too_long(f"both runs took longer than {limits.SIMULATION_S:g} s")
        return item("WhatIf", told(planned, *outcomes))

    async def _planned(self, asked: WhatIf) -> WhatIfPlan | web.Response:
        """The two scenarios; or an error answer."""
        service = next(
            (
                one
                for one in self._view.services()
                if one.name == asked.service and asked.port in (None, one.port)
            ),
            None,
        )
        if service is None:
            text = f"No service {asked.service[:100]!r} with that port is known here."
            return failure(404, "not-found", text, "sitectl service status")
        history = next(await self._histories(service.name, service.port), None)
        if history is None or not history.samples:
            text = f"Nothing is recorded of {service.name}:{service.port} yet."
            return failure(409, "nothing-recorded", text, "Ask again after some requests")
        try:
            known = KnownLoad(
                service,
                history,
                self._view.links(),
                self._view.network(),
                self._declared_elsewhere(service.name),
            )
            return plan(asked, known)
        except NothingRecorded as error:
            return failure(409, "nothing-recorded", f"{error}.", error.hint)
        except BadQuestion as error:
            return failure(422, "bad-what-if", str(error), error.hint)

    async def _run(self, order: SimulationOrder) -> Ran | web.Response:
        try:
            return await self._runner.run(order)
        except SimulationBusy:
            busy = ErrorView(
                "busy",
                "Another simulation runs; there is one at a time.",
                f"Ask again in {limits.SIMULATION_AGAIN_S:g} s",
                retryable=True,
            )
            response = json(busy, 429)
            response.headers["Retry-After"] = f"{limits.SIMULATION_AGAIN_S:g}"
            return response
        except RunFailed as error:
            return _too_long(str(error))


def _too_long(reason: str) -> web.Response:
    hint = "Shorten the time or lower the rates; sitectl simulate FILE has no deadline"
    return failure(503, "simulation-failed", f"It was given up: {reason}.", hint)


def _findings(errors: Sequence[ScenarioFinding]) -> tuple[str, str]:
    """All errors in one text, with their places, and the first hint."""
    lines = [f"{one.line}:{one.column}: {one.code} {one.message}" for one in errors]
    return "\n".join(lines), next((one.hint for one in errors if one.hint), "")
