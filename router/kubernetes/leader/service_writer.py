"""Carries out the plans of `kubernetes.services`: several changes at a time, each on its own.

Level-triggered: a change is valid for the object it was computed from. If another writer was faster
(409), the change is dropped: the mirror shows the current object, and the next plan uses it. If the
API refuses a change for another reason (a quota, an admission webhook, a missing permission), that
is a finding, and the change is tried again at growing intervals. Everything else goes on.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Iterable
from random import Random
from typing import Final, assert_never

import msgspec

from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import (
    CONFLICT,
    FORBIDDEN,
    INVALID,
    NOT_FOUND,
    ApiError,
    admission_step,
)
from router.kubernetes.objects.changes import Change, Create, Delete, Listens, Patch
from router.kubernetes.objects.kinds import KINDS
from router.kubernetes.objects.objects import Object, Snapshot, name_of, spec_of
from router.kubernetes.services.services import restore
from router.kubernetes.store.supervise import woken
from router.model import limits
from router.model.errors import ConfigError
from router.model.ticks import doubled_s
from router.model.token_bucket import TokenBucket

log = logging.getLogger("router.kubernetes")

_AT_ONCE: Final = 4
"""Changes under way: a webhook that is slow for one object holds up a quarter of them."""
_UNPROCESSABLE: Final = 422
_WAIT_S_MIN: Final = 0.001
"""Event loops wake up slightly early; without a minimum the loop would spin until then."""
_RETRY_MAX_S: Final = limits.SERVICE_RETRY_MAX_S
_VERBS: Final = {Create: "create", Patch: "patch", Delete: "delete"}
_DONE: Final = {Create: "made", Patch: "changed", Delete: "deleted"}
_Key = tuple[str, str]


class Restored(msgspec.Struct, frozen=True):
    """``findings``: objects that could not be given back; ``refusal``: the API's last refusal.

    Without a refusal, trying again does not help.
    """

    findings: tuple[ConfigError, ...] = ()
    refusal: ApiError | None = None


class _Tried(msgspec.Struct):
    """A change that was tried. ``error`` None: it is done, or another writer was faster.

    ``repeats``: how often it was done before, each time soon after the last: another program (an
    admission webhook, another controller) undoes it, and each repeat moves ``held_until`` further
    away. ``times``: how often the object was changed in any way: a site that keeps declaring and
    withdrawing an address moves ``rests_until`` further away.
    """

    change: Change
    again_at: float
    failures: int = 0
    error: ApiError | None = None
    repeats: int = 0
    held_until: float = 0.0
    times: int = 0
    rests_until: float = 0.0
    forget_at: float = 0.0
    done_at: float = 0.0

    def blocked_until(self, change: Change) -> float:
        """Earliest time for ``change``, which is due for the same object."""
        if self.error is None and (self.change is change or self.change == change):
            return self.again_at
        if self.error is None and _is_urgent(change):
            return self.done_at + limits.SERVICE_URGENT_EVERY_S
        if _content(self.change) != _content(change):
            return self.rests_until
        return self.held_until if self.error is None else self.again_at


class ServiceWriter:
    """Carries out planned changes: `offer` takes the plan, `run` works on it.

    Belongs to one event loop.

    ``may_write``: whether this router writes; call `poke` when that changes.
    ``listening``: whether the routers already listen there; call `poke` when that may have changed,
    else it is asked again a moment later. A Service that led to them earlier would lose
    connections.
    ``changed`` is called when `findings` changed.
    """

    def __init__(
        self,
        api: Api,
        rng: Random,
        *,
        may_write: Callable[[], bool] = lambda: True,
        listening: Callable[[Listens], bool] = lambda needs: True,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._api, self._rng = api, rng
        self._may_write, self._listening, self._told_of = may_write, listening, changed
        self._wanted: dict[_Key, Change] = {}
        self._tried: dict[_Key, _Tried] = {}
        self._busy: set[_Key] = set()
        self._writes = TokenBucket(limits.SERVICE_WRITES_BURST, limits.SERVICE_WRITES_PER_S, 0.0)
        self._woken = asyncio.Event()
        self._told: tuple[str, ...] = ()
        self.findings: tuple[ConfigError, ...] = ()

    def offer(self, changes: Iterable[Change]) -> None:
        """Replace the due changes by those of the newest plan."""
        self._wanted = {(change.kind, change.name): change for change in changes}
        now = self._now()
        self._tried = {
            key: tried
            for key, tried in self._tried.items()
            if key in self._wanted or (tried.error is None and tried.forget_at > now)
        }
        self._tell()
        self.poke()

    def poke(self) -> None:
        """Check again for changes that may be made."""
        self._woken.set()
        self._woken.clear()  # Every current waiter is already woken.

    async def run(self) -> None:
        """Carry out the offered changes until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(_AT_ONCE):
                tasks.create_task(self._work())

    # One change -----------------------------------------------------------------------------

    async def _work(self) -> None:
        while True:
            change, wait_s = self._next()
            if change is None:
                await woken(self._woken, wait_s)
                continue
            key = (change.kind, change.name)
            self._busy.add(key)
            try:
                error = await self._carry_out(change)
            finally:
                self._busy.discard(key)
            self._note(key, change, error)

    def _next(self) -> tuple[Change | None, float | None]:
        """A change that may be made now; else the longest time to wait."""
        if not self._may_write():
            return None, None
        now = self._now()
        due_at: float | None = None
        due: Change | None = None
        for key, change in self._wanted.items():
            if key in self._busy:
                continue
            if not self._listening(_needs(change)):
                due_at = min(now + limits.SERVICE_LISTEN_LOOK_S, due_at or math.inf)
                continue
            tried = self._tried.get(key)
            if tried is None:  # Before those that are tried again.
                due = change
                break
            until = tried.blocked_until(change)
            if now >= until:
                due = due or change
            else:
                due_at = until if due_at is None else min(due_at, until)
        if due is None:
            return None, None if due_at is None else max(due_at - now, _WAIT_S_MIN)
        if self._writes.take(now):
            return due, None
        return None, max(self._writes.ready_at() - now, _WAIT_S_MIN)

    async def _carry_out(self, change: Change) -> ApiError | None:
        try:
            await carry_out(self._api, change)
        except ApiError as error:
            return error
        log.info("%s %s/%s", _DONE[type(change)], change.kind, change.name)
        return None

    def _note(self, key: _Key, change: Change, error: ApiError | None) -> None:
        now = self._now()
        before = self._tried.get(key)
        if error is None:
            repeats = times = 0
            if before is not None and before.forget_at > now:
                counted = not _is_urgent(change)
                is_again = counted and _content(before.change) == _content(change)
                repeats = before.repeats + is_again
                times = before.times + counted
            held_s = doubled_s(limits.SERVICE_RETRY_S, repeats, _RETRY_MAX_S)
            beyond = times - limits.SERVICE_CHANGES_BURST
            rest_s = doubled_s(limits.SERVICE_RETRY_S, beyond, limits.SERVICE_REST_MAX_S)
            rests_until = now + rest_s if beyond > 0 else now
            self._tried[key] = _Tried(
                change,
                now + limits.SERVICE_SEEN_WITHIN_S,
                repeats=repeats,
                held_until=max(now + held_s if repeats else now, rests_until),
                times=times,
                rests_until=rests_until,
                forget_at=rests_until + 2 * _RETRY_MAX_S,
                done_at=now,
            )
        else:
            failures = before.failures + 1 if before is not None else 1
            wait_s = doubled_s(limits.SERVICE_RETRY_S, failures - 1, _RETRY_MAX_S)
            wait_s = max(wait_s * self._rng.uniform(0.5, 1.0), error.retry_after_s or 0.0)
            told = None if _is_outdated(change, error) else error
            known = before if before is not None and before.forget_at > now else None
            self._tried[key] = _Tried(
                change,
                now + wait_s,
                failures,
                told,
                times=known.times if known else 0,
                rests_until=known.rests_until if known else 0.0,
                forget_at=known.forget_at if known else 0.0,
            )
        self._tell()

    # Findings -------------------------------------------------------------------------------

    def _tell(self) -> None:
        findings = tuple(
            _undone(tried.change) if tried.error is None else _finding(tried.change, tried.error)
            for key, tried in sorted(self._tried.items())
            if tried.error is not None
            or (tried.repeats > limits.SERVICE_REVERTS_MAX and key in self._wanted)
        )
        told = tuple(str(finding) for finding in findings)
        if told != self._told:
            for finding in findings:
                if str(finding) not in self._told:
                    log.warning("%s", finding)
            self._told, self.findings = told, findings
            self._told_of()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


async def carry_out(api: Api, change: Change, *, namespace: str = "") -> None:
    """Make one change. ApiError 409, 404: the object is not the one it was computed from."""
    match change:
        case Create():
            await _create(api, change.body, namespace)
        case Patch():
            await api.patch(change.kind, change.name, change.body, namespace=namespace)
        case Delete():
            await api.delete(
                change.kind,
                change.name,
                uid=change.uid,
                version=change.version,
                namespace=namespace,
            )
        case _:
            assert_never(change)


async def _create(api: Api, body: Object, namespace: str) -> None:
    """Create ``body``; a Service whose address is taken by now gets another one."""
    try:
        await api.create(body, namespace=namespace)
    except ApiError as error:
        spec = spec_of(body)
        if error.status != INVALID or spec.get("clusterIP") in (None, "None"):
            raise
        rest = {key: value for key, value in spec.items() if key != "clusterIP"}
        await api.create({**body, "spec": rest}, namespace=namespace)


async def restore_all(api: Api, *, namespace: str = "") -> Restored:
    """Give back all Services of a namespace and delete ours; returns what failed.

    A refused change does not hold up the others. Starts again, up to four rounds in all, if changes
    were refused. ApiError: the Services cannot be listed.
    """
    for is_last in (False, False, False, True):
        changes, findings = restore(await _services(api, namespace))
        refused = await _carried_out(api, changes, namespace)
        if not refused or is_last:
            told = tuple(_finding(change, error) for change, error in refused)
            return Restored((*findings, *told), refused[-1][1] if refused else None)
    raise AssertionError("unreachable: the last round returns")


async def _carried_out(
    api: Api, changes: Iterable[Change], namespace: str
) -> list[tuple[Change, ApiError]]:
    """Make all changes, several at a time; returns the refused ones."""
    left = iter(changes)
    refused: list[tuple[Change, ApiError]] = []

    async def work() -> None:
        for change in left:
            try:
                await carry_out(api, change, namespace=namespace)
            except ApiError as error:
                if change.kind != "EndpointSlice" or error.status != FORBIDDEN:
                    refused.append((change, error))
                continue  # The cluster removes slices of ours with their Service.
            log.info("gave back %s/%s", change.kind, change.name, extra={"site": namespace})

    async with asyncio.TaskGroup() as tasks:
        for _ in range(_AT_ONCE):
            tasks.create_task(work())
    return refused


async def _services(api: Api, namespace: str) -> Snapshot:
    objects: dict[str, dict[str, Object]] = {}
    for kind in ("Service", "EndpointSlice"):
        try:
            page = await api.list(kind, namespace=namespace)
        except ApiError as error:
            if kind == "Service" or error.status not in (FORBIDDEN, NOT_FOUND):
                raise
            continue  # The cluster removes slices of ours with their Service.
        objects[kind] = {name_of(found): found for found in page.items}
    return Snapshot(namespace, objects)


def _is_outdated(change: Change, error: ApiError) -> bool:
    """Whether the object is not the one that the change was computed from."""
    is_missing = error.status == NOT_FOUND and not isinstance(change, Create)
    return error.status == CONFLICT or is_missing


def _needs(change: Change) -> Listens:
    return () if isinstance(change, Delete) else change.needs


def _is_urgent(change: Change) -> bool:
    return isinstance(change, Patch) and change.is_urgent


def _content(change: Change) -> tuple[str, object]:
    match change:
        case Create():
            return "create", change.body
        case Patch():
            metadata = {k: v for k, v in change.body["metadata"].items() if k != "resourceVersion"}
            return "patch", {**change.body, "metadata": metadata}
        case Delete():
            return "delete", change.uid
        case _:
            assert_never(change)


def _undone(change: Change) -> ConfigError:
    return ConfigError(
        f"{change.kind}/{change.name}",
        "",
        "what we write there is undone each time",
        hint="Find who does: kubectl get --show-managed-fields, and admission webhooks",
        code="SW0428",
    )


def _finding(change: Change, error: ApiError) -> ConfigError:
    verb = _VERBS[type(change)]
    if "exceeded quota" in error.message:
        hint = "Raise the quota (kubectl describe quota), or withdraw services that are not used"
    elif step := admission_step(error):
        hint = step
    elif error.status == FORBIDDEN:
        plural = KINDS[change.kind].plural
        hint = (
            f"Allow {verb} of {plural} in the router's Role; sitectl check names each missing one"
        )
    elif error.status == _UNPROCESSABLE:
        hint = "Change what the API names: the Service, or the service's ports or labels"
    elif error.status == CONFLICT:
        hint = "Another program keeps changing it: see kubectl get --show-managed-fields"
    else:
        hint = "It is tried again; see the API server and its admission webhooks"
    return ConfigError(
        f"{change.kind}/{change.name}",
        "",
        f"the API refused to {verb} it: {error.message or error.reason}",
        hint=hint,
        code="SW0428",
    )
