"""All burst hooks of a site: figures from the forwarder, detectors, runs, stored state, events.

One task, with a child for each run. No serving code awaits this one: a hook that hangs, or an
internal error, costs hooks and never traffic.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from math import inf
from typing import Final, Protocol

import msgspec

from router.admin.ports import CommandRefused
from router.admin.views.bursts import BurstFigure, BurstRun, BurstView
from router.balance.learning.saturation import Totals, together
from router.balance.site.wake_hold import Wake
from router.control.bursts import Firing, HookOutcome
from router.model import limits
from router.model.bursts import BurstSpec, BurstState
from router.model.events import Problem, Tell
from router.model.ids import ServiceKey
from router.model.ticks import pause_s
from router.model.wording.plural import counted
from router.operate.bursts.burst_hook import Hook, HookMemory, HookRun, wakes_by_service

log = logging.getLogger("router.operate")


def _nobody_waits(service: str, wake: Wake | None, has_hook: bool) -> None:
    pass


_KEPT: Final = msgspec.json.Decoder(dict[str, HookMemory])
SHOWN: Final = {"queue_wait_s": "queueWait"}


class BurstPlace(Protocol):
    """Where hooks run and their state is stored: a directory, or a namespace."""

    @property
    def fires(self) -> bool:
        """Whether this router runs hooks: of several replicas one does."""

    def refusal(self, spec: BurstSpec) -> str:
        """Why such a hook cannot run here; empty: it can."""

    async def load(self) -> bytes | None:
        """The last stored state; None: none yet. RouterError, OSError, CertError."""

    async def save(self, kept: bytes) -> None:
        """Store it, whole or not at all. RouterError, OSError, CertError."""

    async def run(self, spec: BurstSpec, firing: Firing) -> HookOutcome:
        """Run the hook of ``spec``."""


class BurstRunner:
    """All Burst documents of this site. ``totals_of`` returns totals for the ports of a service."""

    def __init__(
        self,
        site_name: str,
        place: BurstPlace,
        totals_of: Callable[[str], Mapping[ServiceKey, Totals]],
        tell: Tell,
        now: Callable[[], float],
        new_id: Callable[[], str],
        unix: Callable[[], float] = time.time,
        hold: Callable[[str, Wake | None, bool], None] = _nobody_waits,
    ) -> None:
        """``hold`` is called repeatedly with a service's present wake-up, and whether it has a
        hook: its requests may be held meanwhile.
        """
        self._site_name, self._place, self._totals_of = site_name, place, totals_of
        self._tell, self._now, self._new_id, self._unix = tell, now, new_id, unix
        self._hold = hold
        self._hooks: dict[str, Hook] = {}
        self._leaving: dict[str, Hook] = {}  # Their documents were removed during a run.
        self._had_hooks = asyncio.Event()
        self._kept: dict[str, HookMemory] = {}
        self._fires = False
        self._unkept = False
        self._unread_since = -inf
        self._trouble = ""
        self._write_lock = asyncio.Lock()  # The newest state is written last.

    # Wanted state ---------------------------------------------------------------------------

    def apply(self, bursts: Mapping[str, BurstSpec]) -> None:
        """Watch these documents. A removed burst runs nothing more, not even for calm."""
        for name in list(self._hooks.keys() - bursts.keys()):
            gone = self._hooks.pop(name)
            if gone.busy:
                self._leaving[name] = gone
            if gone.memory.id:
                self._kept[name] = gone.memory
                self._kept = self._memories()
            self._hold(gone.spec.service, None, False)
        for name, spec in bursts.items():
            hook = self._hooks.get(name)
            if hook is None:
                hook = self._leaving.pop(name, None) or Hook(name, spec)
                hook.set_spec(spec)
                self._hooks[name] = hook
                if name in self._kept:
                    hook.came_back(self._kept[name], self._now(), self._unix())
            elif hook.spec != spec:
                if hook.spec.service != spec.service:  # Otherwise waiting requests keep waiting.
                    self._hold(hook.spec.service, None, False)
                hook.set_spec(spec)
        if self._hooks:
            self._had_hooks.set()
            self._say_who_wakes(self._now())  # Otherwise requests are refused until the next look.

    def test(self, name: str, event: BurstState) -> str:
        """Run the hook of ``name`` now, marked as a test; return a readable confirmation."""
        hook = self._hooks.get(name)
        if hook is None:
            raise CommandRefused(f"there is no burst {name[:80]!r} here", "sitectl burst status")
        if hook.busy or hook.test is not None:
            raise CommandRefused(
                f"the hook of burst {name!r} runs already: one at a time",
                f"sitectl burst status {name}",
            )
        refused = self._place.refusal(hook.spec)
        if refused:
            raise CommandRefused(refused, f"sitectl burst status {name}")
        hook.test = event
        return f"The {hook.spec.kind} of burst {name} runs as a test of {event}."

    # Running --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Sample figures and run hooks until canceled, which also ends a running hook."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                try:
                    await self._look(tasks)
                except Exception:  # The owner of the task; serving goes on, and so do hooks.
                    log.exception("bursts could not be looked at")
                now = self._now()
                await asyncio.sleep(pause_s(now, limits.BURST_SAMPLE_S))
                await self._had_hooks.wait()  # Most sites never have a burst.

    async def _look(self, tasks: asyncio.TaskGroup) -> None:
        now = self._now()
        if self._hooks and self._place.fires != self._fires:
            await self._take_office(now)
        for hook in list(self._hooks.values()):
            ports = self._totals_of(hook.spec.service)
            hook.seen_service = bool(ports)
            changed = hook.feed(now, self._unix(), together(list(ports.values())), self._new_id())
            if changed is not None:
                self._changed(hook, changed)
            if self._place.refusal(hook.spec):
                continue
            if not self._fires and hook.test is None:
                continue
            since = _utc(hook.state_since) if hook.state_since is not None else ""
            values = hook.values(self._site_name, since)
            firing = hook.due(now, f"test-{self._new_id()}", values)
            if firing is not None:
                tasks.create_task(self._fire(hook, firing))
        self._say_who_wakes(now)
        if self._unkept and self._fires:
            await self._keep()

    def _say_who_wakes(self, now: float) -> None:
        able = [one for one in self._hooks.values() if not self._place.refusal(one.spec)]
        found = dict.fromkeys((one.spec.service for one in self._hooks.values()), None)
        for service, wake in (found | wakes_by_service(able, now)).items():
            self._hold(service, wake, True)

    async def _take_office(self, now: float) -> None:
        """Begin to run hooks, from the state stored by the predecessor; or stop running them."""
        if not self._place.fires:
            self._fires = False
            return
        if now - self._unread_since < limits.STATE_RETRY_S:
            return
        try:
            data = await self._place.load()
            self._kept = {} if data is None else _KEPT.decode(data)
        except Exception as error:  # Any store may fail; the failure is reported and tried again.
            self._unread_since = now
            self._trouble = f"What bursts did before could not be read, so none is run: {error}"
            return
        self._trouble = ""
        for name, kept in self._kept.items():
            if name in self._hooks:
                self._hooks[name].restore(kept, now, self._unix())
        self._fires = True

    def _changed(self, hook: Hook, state: BurstState) -> None:
        self._unkept = True
        figures = ", ".join(
            f"{figure.name} {_value(figure.name, figure.now)} "
            f"(marks {_value(figure.name, figure.saturated)}, {_value(figure.name, figure.calm)})"
            for figure in _figures(hook)
        )
        self._tell(
            "warning" if state == "saturated" else "info",
            f"burst-{state}",
            hook.name,
            f"Service {hook.spec.service} is {state} here: {figures}, "
            f"demand {hook.detector.figures.demand:.1f}{_held_text(hook, state)}.",
        )

    async def _fire(self, hook: Hook, firing: Firing) -> None:
        if not firing.is_test and self._unkept:
            await self._keep()  # A restart during the run must know about it.
        try:
            outcome = await self._place.run(hook.spec, firing)
        except asyncio.CancelledError:
            hook.broke_off()
            raise
        except Exception as error:  # An internal error counts as the hook's failure.
            log.exception("the hook of burst %s failed", hook.name)
            outcome = HookOutcome(ok=False, text=f"{type(error).__name__}: {error}")
        run = hook.ended(firing, outcome, self._now(), self._unix())
        what = f"The {hook.spec.kind} of burst {hook.name} for {firing.event}"
        test = " (a test)" if firing.is_test else ""
        if outcome.ok:
            self._tell("info", "burst-hook-done", hook.name, f"{what}{test} went well: {run.text}.")
        else:
            text = f"{what}{test} failed: {run.text}."
            self._tell("error", "burst-hook-failed", hook.name, text, run.hint)
        if self._leaving.get(hook.name) is hook:
            del self._leaving[hook.name]
            if hook.memory.id:
                self._kept[hook.name] = hook.memory
        if not firing.is_test:
            self._unkept = True
            if self._place.fires:  # Otherwise the state is that of the next router by now.
                await self._keep()

    async def _keep(self) -> None:
        async with self._write_lock:
            await self._keep_now()

    def _memories(self) -> dict[str, HookMemory]:
        """The states of all present documents, and of up to `BURSTS_MAX` absent ones."""
        known = {name: hook.memory for name, hook in self._hooks.items() if hook.memory.id}
        others = {name: kept for name, kept in self._kept.items() if name not in self._hooks}
        newest = sorted(others.items(), key=lambda item: item[1].changed_at)
        return dict(newest[-limits.BURSTS_MAX :]) | known

    async def _keep_now(self) -> None:
        self._unkept = False
        self._kept = self._memories()
        try:
            await self._place.save(msgspec.json.encode(self._kept))
        except Exception as error:  # Any store may fail; reported, and retried next time.
            self._unkept = True
            self._trouble = f"What bursts did could not be kept: {error}"
        else:
            self._trouble = ""

    # Views -----------------------------------------------------------------------------------

    def views(self) -> list[BurstView]:
        """All bursts, by name."""
        return [self._view(hook) for _, hook in sorted(self._hooks.items())]

    def _view(self, hook: Hook) -> BurstView:
        detector, kept = hook.detector, hook.memory
        wait_s = detector.next_allowed_at - self._now()
        retry_s = hook.again_at - self._now()
        return BurstView(
            name=hook.name,
            service=hook.spec.service,
            hook=hook.spec.kind,
            state=detector.state,
            since=_utc(hook.state_since) if hook.state_since is not None else None,
            figures=tuple(_figures(hook)),
            window_s=hook.spec.window_s,
            window_whole=detector.figures.whole,
            requests=detector.figures.requests,
            demand=round(detector.figures.demand, 2),
            next_allowed=_utc(self._unix() + wait_s) if wait_s > 0 else None,
            fires_here=self._place.fires,
            refusal=self._place.refusal(hook.spec),
            running=hook.busy or hook.test is not None,
            owed=kept.state if hook.is_owed else None,
            again=_utc(self._unix() + retry_s) if hook.is_owed and retry_s > 0 else None,
            last=_shown(kept.last),
            last_test=_shown(hook.last_test),
            runs=dict(hook.runs),
        )

    def problems(self) -> list[Problem]:
        """Hooks that fail, or cannot run here."""
        found: list[Problem] = []
        if self._trouble:
            hint = "Fix that; it is tried again by itself"
            found.append(Problem(code="SW0712", message=self._trouble, hint=hint))
        for name, hook in sorted(self._hooks.items()):
            refused, last = self._place.refusal(hook.spec), hook.memory.last
            if refused:
                text = f"Burst {name} runs nothing: {refused}."
                hint = f"Change it, or: sitectl burst status {name}"
                found.append(Problem(code="SW0711", message=text, hint=hint))
            elif hook.is_owed and last is not None and not last.ok and last.id == hook.memory.id:
                found.append(
                    Problem(
                        code="SW0710",
                        message=f"The {hook.spec.kind} of burst {name} for {last.event} failed: "
                        f"{last.text}. It is run again by itself.",
                        hint=last.hint or f"sitectl burst status {name}",
                        since=_utc(last.at),
                    )
                )
            if not hook.seen_service:
                found.append(
                    Problem(
                        code="SW0713",
                        message=f"Burst {name} watches service {hook.spec.service}, which is not "
                        "known here.",
                        hint="sitectl service status; then correct service: in the Burst",
                    )
                )
        return found

    def metrics(self) -> dict[str, dict[tuple[str, ...], float]]:
        """Values by metric and label values."""
        state: dict[tuple[str, ...], float] = {}
        runs: dict[tuple[str, ...], float] = {}
        for name, hook in self._hooks.items():
            state[(name,)] = float(hook.detector.state == "saturated")
            for result, count in hook.runs.items():
                runs[(name, result)] = count
        return {"spillway_burst_state": state, "spillway_burst_hooks_total": runs}


def _held_text(hook: Hook, state: BurstState) -> str:
    held = hook.detector.figures.held if state == "saturated" else 0
    return f"; {counted(held, 'request')} would have been refused and wait for it" if held else ""


def _figures(hook: Hook) -> list[BurstFigure]:
    figures = hook.detector.figures
    return [
        BurstFigure(
            name=SHOWN.get(mark.name, mark.name),
            now=round(mark.now(figures), 4),
            saturated=mark.high,
            calm=mark.low,
        )
        for mark in hook.detector.marks
    ]


def _value(name: str, number: float) -> str:
    if name == "queueWait":
        return f"{number * 1000:.0f} ms"
    return f"{number * 100:.3g}%" if number < 1 else f"{number * 100:.0f}%"


def _shown(run: HookRun | None) -> BurstRun | None:
    if run is None:
        return None
    return BurstRun(
        event=run.event,
        id=run.id,
        at=_utc(run.at),
        ok=run.ok,
        text=run.text,
        hint=run.hint,
        number=run.number,
    )


def _utc(unix: float) -> str:
    moment = datetime.fromtimestamp(unix, UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
