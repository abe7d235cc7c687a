"""A mirror of some objects: list, watch from there, and list again when in doubt.

Objects that were deleted between watches are missing from the next list and so go away here as
well. While the server is away the last state stays, and `silent_since` says for how long. The state
also stays when the objects may no longer be read, unless their selection is ``revocable``.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from contextlib import aclosing
from math import inf

from router.kubernetes.client.api import Api
from router.kubernetes.client.api_calls import ALL_NAMESPACES
from router.kubernetes.client.errors import (
    FORBIDDEN,
    LATE,
    NO_ANSWER,
    NOT_FOUND,
    UNREACHABLE,
    ApiError,
    ServerSilence,
    backoff_s,
)
from router.kubernetes.client.watches import WatchEvent
from router.kubernetes.objects.kinds import KINDS
from router.kubernetes.objects.objects import Object, metadata, name_of
from router.kubernetes.store.selections import LastWrite, Selection, last_write
from router.kubernetes.store.supervise import woken
from router.model import limits
from router.model.ticks import doubled_s

log = logging.getLogger("router.kubernetes")

_WITHOUT_WRITERS = ("Pod", "EndpointSlice")  # Many, and no client writes wanted state into them.


class Informer:
    """Mirrors one `Selection`. ``changed`` is called after each relevant change.

    `run` belongs to one task; the rest may be read from any callback of its loop.
    """

    def __init__(
        self, api: Api, selection: Selection, changed: Callable[[str], None], rng: random.Random
    ) -> None:
        self._api = api
        self._served_at = -inf  # The loop's time when the kind was last known to be served.
        self.retained: frozenset[str] = frozenset()
        """Objects deleted with their kind's definition and not created again since."""
        self._selection = selection
        self._changed = changed
        self._rng = rng
        self._objects: dict[str, Object] = {}
        self.writes: dict[str, LastWrite] = {}
        """By object: the last write. Not for pods and slices."""
        self._version = ""  # Watch from here; empty: list first.
        self.listed = False
        """Whether a list arrived, so that `objects` is the state at some time."""
        self.refused: ApiError | None = None
        """We may not read this kind, or the server has none of it."""
        self.refused_since = inf
        """The loop's time of the first such answer. A starting server may give it for a moment."""
        self.silent_since: float | None = None
        """The loop's time since when the server gives no usable answer; None: it answers."""
        self.fault: ApiError | None = None
        """The reason for the silence, as of the last attempt."""
        self.heard_at = -inf
        """Time of the server's last message, even if only a bookmark (`time.monotonic`)."""
        self.trouble = ""
        """The last fault, human-readable; empty: none since the last message."""
        self._is_watching = False  # Whether the server answered the watch of this round.
        self._answers = asyncio.Event()

    @property
    def kind(self) -> str:
        """The mirrored kind."""
        return self._selection.kind

    @property
    def selection(self) -> Selection:
        """The mirrored selection."""
        return self._selection

    @property
    def silence(self) -> ServerSilence | None:
        """Since when the server gives no usable answer, and why; None: it answers."""
        if self.silent_since is None or self.fault is None:
            return None
        return ServerSilence(self.silent_since, self.fault)

    @property
    def settled(self) -> bool:
        """Whether the first list arrived, or is known not to arrive."""
        return self.listed or self.refused is not None

    @property
    def is_unknown(self) -> bool:
        """Whether the server had none of this kind at the last request."""
        return self.refused is not None and self.refused.status == NOT_FOUND

    def copy(self) -> dict[str, Object]:
        """All objects by name, or NAMESPACE/NAME; callers must not change them."""
        return dict(self._objects)

    def note_vanished(self) -> None:
        """The cluster no longer serves the kind: keep its objects until they are made again."""
        self._version = ""
        self.retained = frozenset(self._objects)

    def note_version(self) -> None:
        """The kind is read in another version from now on: list it again."""
        self._version = ""

    def note_answer(self) -> None:
        """The server answers others: one that could not be reached is not waited for any longer."""
        if self.fault is not None and self.fault.reason == UNREACHABLE:
            self._answers.set()

    def note_rights(self) -> None:
        """Rights to other objects came back. If these are refused, they are asked for at once, and
        until then the last refusal, which may be over, counts as the first.
        """
        if self.refused is not None:
            self.refused_since = self._now()
            self._answers.set()

    async def run(self) -> None:
        """Mirror until cancelled."""
        failures = 0
        while True:
            began = self._now()
            self._answers.clear()  # News that come during the round count after it.
            error = await self._round()
            # A watch that lasted for a while was healthy, whatever ended it.
            held = self._now() - began >= limits.WATCH_HEALTHY_S
            failures = 0 if held else failures + 1
            if error is not None:
                if error.status in (FORBIDDEN, NOT_FOUND) and self.refused is None:
                    # It answers again, but may not know the Roles yet: ask again soon.
                    failures = 1
                is_cut = error.status == NO_ANSWER and error.reason == UNREACHABLE
                is_silent = error.status == NO_ANSWER and error.reason == LATE
                if not ((is_cut or is_silent) and self._is_watching):
                    self._note(error)  # Else the next round shows whether the server is there.
                # Events may have been lost. A server restored from an older state sends nothing,
                # not even a bookmark, on a watch from a version that it has not reached yet.
                if not (is_cut and held):
                    self._version = ""
            if wait_s := self._wait_s(error, failures):
                await woken(self._answers, wait_s)

    async def _round(self) -> ApiError | None:
        """List if necessary, then watch until the watch ends."""
        self._is_watching = False
        try:
            if self._selection.optional and not self.listed:
                await self._find_kind()
            if not self._version:
                await self._check_served()
                await self._list()
            watch = self._api.watch(
                self._selection.kind,
                self._version,
                labels=self._selection.labels,
                fields=self._selection.fields,
                namespace=self._selection.namespace,
                timeout_s=limits.REVOCABLE_WATCH_S if self._selection.revocable else limits.WATCH_S,
            )
            async with aclosing(watch):
                async for event in watch:
                    if event.kind == "DELETED":
                        await self._check_served()
                    self._take(event)
                    self._is_watching = True
                    self._heard()
        except ApiError as error:
            return error
        return None

    async def _find_kind(self) -> None:
        """ApiError 404: the cluster has no such kind. A list of a missing kind would give 403."""
        if not await self._api.serves(self.kind):
            text = f"this cluster serves no {KINDS[self.kind].plural}"
            raise ApiError(NOT_FOUND, "NotFound", text)

    async def _check_served(self) -> None:
        """ApiError 404: the kind's definition is gone or going, so deletions do not count."""
        now = self._now()
        if not self._selection.custom or not self.listed:
            return
        if now - self._served_at < limits.CUSTOM_KIND_SETTLES_S:
            return  # Deletions come in bursts.
        # The server first stops `create`, then deletes the objects; discovery follows at once.
        await asyncio.sleep(limits.CUSTOM_KIND_SETTLES_S)
        if await self._api.is_creatable(self.kind):
            self._served_at = self._now()
            return
        self.note_vanished()
        text = f"this cluster no longer serves {KINDS[self.kind].plural}"
        raise ApiError(NOT_FOUND, "NotFound", text)

    @property
    def _may_be_revoked(self) -> bool:
        """Whether objects of others are held that the server refused at the last request."""
        refused = self.refused is not None and self.refused.status == FORBIDDEN
        return self._selection.revocable and self.listed and refused

    def _wait_s(self, error: ApiError | None, failures: int) -> float:
        if error is not None and error.status in (FORBIDDEN, NOT_FOUND):
            is_absent = self._selection.optional and error.status == NOT_FOUND
            wait_s = doubled_s(limits.API_BACKOFF_S, failures, limits.WATCH_REFUSED_S)
            if is_absent:
                wait_s = limits.WATCH_ABSENT_S
            if self._may_be_revoked:
                wait_s = limits.REVOKED_AGAIN_S
            if is_absent and self._selection.custom:
                # Users add such kinds and then wait for the router.
                wait_s = limits.CUSTOM_KINDS_IDLE_S
            return wait_s * self._rng.uniform(0.75, 1.25)
        if not failures and error is None:
            return 0.0  # The server ends each watch after some minutes.
        asked_s = None if error is None else error.retry_after_s
        return backoff_s(failures, self._rng, asked_s, limits.WATCH_BACKOFF_MAX_S)

    async def _list(self) -> None:
        objects: dict[str, Object] = {}
        began = time.monotonic()
        pages = self._api.pages(
            self._selection.kind,
            labels=self._selection.labels,
            fields=self._selection.fields,
            namespace=self._selection.namespace,
        )
        version = ""
        async with aclosing(pages):
            async for page in pages:
                for found in page.items:
                    kept = self._selection.keep(found)
                    name = self._key(kept)
                    self._note_write(name, found)
                    before = self._objects.get(name)
                    objects[name] = before if before == kept else kept
                version = page.version
                await asyncio.sleep(0)  # Serve traffic between the pages of a long list.
        self.retained -= objects.keys()
        objects |= {name: self._objects[name] for name in self.retained}
        self.writes = {name: write for name, write in self.writes.items() if name in objects}
        is_news = not self.listed or objects != self._objects
        self._objects, self._version, self.listed = objects, version, True
        if is_news:
            self._changed(self.kind)
        self.heard_at = max(self.heard_at, began)

    def _take(self, event: WatchEvent) -> None:
        self._version = event.version or self._version
        name = self._key(event.object)
        if event.kind == "DELETED":
            self.writes.pop(name, None)
            if self._objects.pop(name, None) is not None:
                self._changed(self.kind)
        elif event.kind in ("ADDED", "MODIFIED"):
            self.retained -= {name}
            kept = self._selection.keep(event.object)
            self._note_write(name, event.object)
            if self._objects.get(name) != kept:
                self._objects[name] = kept
                self._changed(self.kind)

    def _note_write(self, name: str, found: Object) -> None:
        if self.kind not in _WITHOUT_WRITERS:
            self.writes[name] = last_write(found)

    def _key(self, found: Object) -> str:
        if self._selection.namespace != ALL_NAMESPACES:
            return name_of(found)
        return f"{metadata(found).get('namespace', '')}/{name_of(found)}"

    def _heard(self) -> None:
        if self.trouble:
            self.silent_since, self.refused, self.fault, self.trouble = None, None, None, ""
            log.info("the API server answers again", extra={"kind": self.kind})
            self._changed(self.kind)
        self.heard_at = time.monotonic()

    def _note(self, error: ApiError) -> None:
        """Store a fault and log it once. 410 is no fault: versions do expire."""
        if error.is_gone:
            return
        if error.status in (FORBIDDEN, NOT_FOUND):
            is_news = self.refused is None or self.refused.message != error.message
            if self.refused is None:
                self.refused_since = self._now()
            # Refused twice, the second time for the list.
            if self._may_be_revoked and error.status == FORBIDDEN and not self._version:
                self._objects, self.retained = {}, frozenset()
                self.listed, is_news = False, True
            self.refused, self.silent_since, self.fault = error, None, None
        else:
            before, self.fault = self.fault, error
            is_news = before is None or before.sort != error.sort
            if self.silent_since is None:
                self.silent_since = self._now()
        if is_news:
            self.trouble = error.message
            missing = self._selection.optional and self.refused is not None
            level = logging.DEBUG if missing else logging.WARNING
            log.log(level, "cannot be read: %s", error.message, extra={"kind": self.kind})
            self._changed(self.kind)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
