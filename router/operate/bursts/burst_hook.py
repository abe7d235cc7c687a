"""One Burst document in operation: its detector, due runs, past runs. No task, no clock."""

from collections.abc import Iterable, Mapping
from math import ceil, inf
from typing import Annotated

import msgspec

from router.balance.learning.saturation import Saturation, Totals
from router.balance.site.wake_hold import Wake
from router.control.bursts import Firing, HookOutcome
from router.model import limits
from router.model.bursts import BurstSpec, BurstState
from router.model.ticks import doubled_s

_Unix = Annotated[float, msgspec.Meta(ge=0, le=limits.UNIX_S_MAX)]


class HookRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that ended. ``at``: Unix seconds; ``number`` counts tests."""

    event: BurstState
    id: str
    at: _Unix
    ok: bool
    text: str
    hint: str = ""
    number: int = 0


class HookMemory(msgspec.Struct, frozen=True, kw_only=True):
    """The state that survives a restart. Times are Unix seconds.

    ``id``: of the last change of state; ``done``: of the last change for which the hook succeeded.
    If they differ, the hook must run.
    """

    state: BurstState = "calm"
    changed_at: _Unix = 0.0
    id: str = ""
    done: str = ""
    last: HookRun | None = None


class Hook:
    """Takes figures and outcomes of runs, and returns the run that is due."""

    __slots__ = (
        "again_at",
        "began_at",
        "busy",
        "detector",
        "failures",
        "last_test",
        "memory",
        "name",
        "runs",
        "seen_service",
        "spec",
        "test",
        "watched_at",
    )

    def __init__(self, name: str, spec: BurstSpec) -> None:
        self.name, self.spec = name, spec
        self.memory = HookMemory()
        self.detector = Saturation(spec)
        self.busy = False
        self.test: BurstState | None = None
        self.last_test: HookRun | None = None
        self.failures = 0
        self.again_at = -inf
        self.began_at = -inf
        """When its hook last ran, tests excepted; among replicas only one runs it."""
        self.seen_service = True
        self.watched_at = 0.0
        """Unix seconds when its document came back; the state was not watched before."""
        self.runs: dict[str, int] = {"ok": 0, "failed": 0}

    def set_spec(self, spec: BurstSpec) -> None:
        """Apply other marks, or another hook: figures restart, the state stays."""
        self.spec = spec
        before = self.detector
        self.detector = Saturation(spec, before.state, before.changed_at)
        self.again_at = -inf  # The new settings may fix the failure.

    def restore(self, kept: HookMemory, now: float, unix: float) -> None:
        """Continue from ``kept``. If the clock was set back since, the change counts as just
        made."""
        self.memory = kept
        changed_at = now - max(0.0, unix - kept.changed_at) if kept.id else -inf
        self.detector = Saturation(self.spec, kept.state, changed_at)

    def came_back(self, kept: HookMemory, now: float, unix: float) -> None:
        """As `restore`, after the document was away: its state is known only since ``unix``."""
        self.restore(kept, now, unix)
        self.watched_at = unix

    @property
    def state_since(self) -> float | None:
        """Unix seconds since which its state is known; None: it never changed."""
        return max(self.memory.changed_at, self.watched_at) if self.memory.id else None

    def feed(self, now: float, unix: float, totals: Totals, new_id: str) -> BurstState | None:
        """See `Saturation.feed`; records a change under ``new_id``."""
        changed = self.detector.feed(now, totals)
        if changed is not None:
            self.memory = msgspec.structs.replace(
                self.memory, state=changed, changed_at=unix, id=new_id
            )
            self.failures, self.again_at = 0, -inf
        return changed

    def wake(self, now: float) -> Wake | None:
        """The wake-up for which requests may be held: under way, or possible; None: not now."""
        detector = self.detector
        if detector.state == "calm":
            is_able = now >= detector.next_allowed_at and not self.is_owed
            return Wake(self.name) if is_able else None
        is_awaited = self.is_owed and self.failures and not self.busy
        again_at = self.again_at if is_awaited else None
        due_at = detector.changed_at
        return Wake(self.name, max(due_at, self.began_at), again_at, due_at)

    @property
    def is_owed(self) -> bool:
        """Whether the hook has not succeeded yet for the last change."""
        return self.memory.id != self.memory.done

    def due(self, now: float, test_id: str, values: Mapping[str, str]) -> Firing | None:
        """The hook run that is due, now marked as begun; None while another one runs."""
        if self.busy:
            return None
        if self.test is not None:
            event, self.test = self.test, None
            return self._begin(test_id, event, values, is_test=True)
        if self.is_owed and now >= self.again_at:
            self.began_at = now
            return self._begin(self.memory.id, self.memory.state, values, is_test=False)
        return None

    def _begin(
        self, id: str, event: BurstState, values: Mapping[str, str], *, is_test: bool
    ) -> Firing:
        self.busy = True
        told = {"event": event, "id": id, "test": "true" if is_test else "false"}
        return Firing(id=id, event=event, is_test=is_test, values={**values, **told})

    def ended(self, firing: Firing, outcome: HookOutcome, now: float, unix: float) -> HookRun:
        """Record the outcome. A failed run is repeated while its state still calls for it."""
        self.busy = False
        self.runs["ok" if outcome.ok else "failed"] += 1
        number = 0
        if firing.is_test:
            number = 1 + (self.last_test.number if self.last_test is not None else 0)
        run = HookRun(
            event=firing.event,
            id=firing.id,
            at=unix,
            ok=outcome.ok,
            text=outcome.text,
            hint=outcome.hint,
            number=number,
        )
        if firing.is_test:
            self.last_test = run
            return run
        self.memory = msgspec.structs.replace(self.memory, last=run)
        if outcome.ok:
            self.memory = msgspec.structs.replace(self.memory, done=firing.id)
        if firing.id == self.memory.id:
            self.failures = 0 if outcome.ok else self.failures + 1
            if self.failures:
                self.again_at = now + doubled_s(
                    limits.BURST_AGAIN_S, self.failures - 1, limits.BURST_AGAIN_MAX_S
                )
        return run

    def broke_off(self) -> None:
        """The router ends: the next one starts the run again, under the same id."""
        self.busy = False

    def values(self, site: str, since: str) -> dict[str, str]:
        """The figures under the names of `documents.templates`; the event's own are added later."""
        figures = self.detector.figures
        return {
            "burst": self.name,
            "service": self.spec.service,
            "site": site,
            "demand": str(ceil(round(figures.demand, 6))),
            "used": str(round(figures.used * 100)),
            "full": str(round(figures.full * 100)),
            "overflow": str(round(figures.overflow * 100)),
            "refused": str(round(figures.refused * 100)),
            "queueWaitMs": str(round(figures.queue_wait_s * 1000)),
            "capacity": str(figures.capacity),
            "since": since,
        }


def wakes_by_service(hooks: Iterable[Hook], now: float) -> dict[str, Wake | None]:
    """The wake-up for which requests of each service may be held (monotonic ``now``).

    With several hooks of a service: one that is waking a site, else one that could. None: none can.
    """
    found: dict[str, Wake | None] = {}
    for hook in hooks:
        wake, known = hook.wake(now), found.get(hook.spec.service)
        if known is None or (wake is not None and known.woke_at is None):
            found[hook.spec.service] = wake if wake is not None else known
    return found
