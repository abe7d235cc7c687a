"""Custom resources of one API group: the kinds that the cluster serves, our permissions, mirrors.

Discovery comes first: it is open to every account, while a kind that does not exist and one that
may not be read both give 403. A kind that vanishes leaves its objects as they were last seen.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from math import inf

from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import FORBIDDEN, NO_ANSWER, ApiError
from router.kubernetes.objects.access_levels import AccessLevel
from router.kubernetes.objects.kinds import KINDS
from router.kubernetes.store.informer import Informer
from router.kubernetes.store.selections import Selection, whole
from router.kubernetes.store.supervise import run_supervised
from router.model import limits
from router.model.ticks import doubled_s

log = logging.getLogger("router.kubernetes")


class CustomKinds:
    """Mirrors the kinds of one group that the cluster serves and we may read.

    ``api_version`` is the version to use. One of ``older`` is used if the cluster serves more of
    the kinds in it. ``changed`` is called with a kind after each change of its objects or of
    `levels`.
    ``idle_s``: seconds between checks while no kind may be read.

    `run` belongs to one task; the rest may be read from any callback of its loop.
    """

    def __init__(
        self,
        api: Api,
        api_version: str,
        kinds: Iterable[str],
        changed: Callable[[str], None],
        rng: random.Random,
        older: Sequence[str] = (),
        idle_s: float | None = None,
    ) -> None:
        self._api, self._changed = api, changed
        self._versions = (api_version, *older)
        self._rng, self._idle_s = rng, idle_s
        self.api_version = api_version
        """The group and version in use."""
        self.informers = {
            kind: Informer(api, Selection(kind=kind, keep=whole, custom=True), changed, rng)
            for kind in kinds
        }
        """By kind, including kinds that are not served (yet)."""
        self.levels: Mapping[str, AccessLevel] = {}
        """By kind; empty: discovery has not answered yet."""
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._asked_at = -inf  # Last check of permissions; the loop's time.
        self._is_refused = False  # The server answered, but not the question, and will not soon.
        self._barred_looks = 0  # Looks in a row that found a kind that we may not read.

    @property
    def settled(self) -> bool:
        """Whether the first lists arrived, or are known not to arrive."""
        return (bool(self.levels) or self._is_refused) and all(
            self.informers[kind].settled for kind in self.informers if self._may_read(kind)
        )

    @property
    def vanished(self) -> list[str]:
        """Kinds that the cluster no longer serves, but of which objects were seen. The mirrors
        notice that before discovery is asked again."""
        return [
            kind
            for kind, informer in self.informers.items()
            if informer.listed
            and (
                self.levels.get(kind) is AccessLevel.ABSENT
                or (informer.is_unknown and self._may_read(kind))
            )
        ]

    async def run(self) -> None:
        """Discover the kinds and mirror them until cancelled."""
        failures: Counter[bool] = Counter()  # By whether the server answered.
        self._tasks.clear()  # After a fault of ours, those of the run before have ended.
        async with asyncio.TaskGroup() as tasks:
            while True:
                try:
                    await self._look(tasks)
                    failures.clear()
                    wait_s = self._look_again_s()
                except ApiError as error:
                    log.debug("%s cannot be discovered: %s", self.api_version, error)
                    most_s = limits.WATCH_BACKOFF_MAX_S
                    has_answered = error.status != NO_ANSWER
                    if not self._is_refused and _is_refusal(error, failures[True]):
                        self._is_refused = True
                        self._changed(next(iter(self.informers)))  # Stop waiting for it.
                    if error.status == FORBIDDEN:
                        most_s = limits.RIGHTS_LOOK_S
                    wait_s = doubled_s(limits.RIGHTS_AGAIN_S, failures[has_answered], most_s)
                    failures[has_answered] += 1
                await asyncio.sleep(wait_s * self._rng.uniform(0.75, 1.25))

    def _look_again_s(self) -> float:
        wait_s = limits.CUSTOM_KINDS_S
        if self._idle_s is not None and not any(map(self._may_read, self.informers)):
            wait_s = self._idle_s
        if AccessLevel.NONE not in self.levels.values():
            self._barred_looks = 0
            return wait_s
        self._barred_looks += 1
        return doubled_s(limits.RIGHTS_AGAIN_S, self._barred_looks - 1, wait_s)

    async def _look(self, tasks: asyncio.TaskGroup) -> None:
        served = await self._served()
        now = asyncio.get_running_loop().time()
        asks_all = now - self._asked_at >= limits.RIGHTS_LOOK_S
        before = self.levels
        levels = await self._levels(served, asks_all=asks_all)
        self._asked_at = now if asks_all else self._asked_at
        self.levels = levels
        for kind, informer in self.informers.items():
            if self._may_read(kind) and kind not in self._tasks:
                running = run_supervised(informer, f"the mirror of {kind}")
                self._tasks[kind] = tasks.create_task(running)
            elif not self._may_read(kind) and kind in self._tasks:
                self._tasks.pop(kind).cancel()  # The last state stays.
                if levels[kind] is AccessLevel.ABSENT:
                    informer.note_vanished()
            if before.get(kind) is not levels[kind]:
                self._changed(kind)

    async def _served(self) -> frozenset[str]:
        """The plurals of our kinds that the cluster serves in the version to use."""
        ours = {KINDS[kind].plural for kind in self.informers}
        best, found = self.api_version, frozenset[str]()
        for version in self._versions:
            served = ours & await self._api.creatable(version)
            if len(served) > len(found):
                best, found = version, frozenset(served)
            if found == ours:
                break
        if best != self.api_version:
            self._use(best)
        return found

    def _use(self, api_version: str) -> None:
        log.info("the cluster serves %s", api_version)
        self.api_version = api_version
        self._api.use_version(api_version)
        for kind, informer in self.informers.items():
            if kind in self._tasks:
                self._tasks.pop(kind).cancel()  # `_look` starts it again.
            informer.note_version()

    async def _levels(self, served: Collection[str], *, asks_all: bool) -> dict[str, AccessLevel]:
        """The level of each kind; kinds that are not checked again keep theirs."""
        found = dict.fromkeys(self.informers, AccessLevel.ABSENT)
        found |= {
            kind: level for kind, level in self.levels.items() if KINDS[kind].plural in served
        }
        kinds = [kind for kind in found if KINDS[kind].plural in served]
        asked = [kind for kind in kinds if asks_all or found[kind] is AccessLevel.ABSENT]
        barred = [kind for kind in kinds if found[kind] is AccessLevel.NONE and kind not in asked]
        found |= await self._ask([*asked, *barred[:1]])
        if barred and found[barred[0]] is not AccessLevel.NONE:
            found |= await self._ask(barred[1:])  # Permissions on kinds mostly come together.
        return found

    async def _ask(self, kinds: Sequence[str]) -> dict[str, AccessLevel]:
        """Check all kinds in parallel: a starting router waits for the answers."""
        try:
            async with asyncio.TaskGroup() as tasks:
                asked = [tasks.create_task(self._api.access_level(kind)) for kind in kinds]
        except* ApiError as errors:
            raise _first(errors) from None
        return {kind: task.result() for kind, task in zip(kinds, asked, strict=True)}

    def _may_read(self, kind: str) -> bool:
        return self.levels.get(kind, AccessLevel.ABSENT) >= AccessLevel.READ


def _first(errors: BaseExceptionGroup[ApiError]) -> ApiError:
    found = errors.exceptions[0]
    assert isinstance(found, ApiError)
    return found


def _is_refusal(error: ApiError, answers: int) -> bool:
    """Whether to start without these kinds, after ``answers`` with errors. One of the server itself
    may pass: a router that begins without its predecessor's objects withdraws what they declare.
    """
    has_tried = error.status != NO_ANSWER and answers >= limits.DISCOVERY_TRIES
    return error.is_answer or has_tried
