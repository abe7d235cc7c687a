"""Findings as Events on the objects that they name, so that `kubectl describe` shows them.

One Event for each finding, counted while it stays; few for each object, and few a minute. It is
for people: what cannot be written is left out and tried again later.
"""

import asyncio
import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from router.kubernetes.client.errors import CONFLICT, ApiError
from router.kubernetes.leader.event_refusal import EventRefusal
from router.kubernetes.objects.kinds import KINDS
from router.kubernetes.objects.names import PART_OF, ROUTER, SITE_CONFIGMAP
from router.kubernetes.objects.objects import Object, Snapshot, metadata, stamp_of
from router.model import limits
from router.model.errors import ConfigError

log = logging.getLogger("router.kubernetes")


class Events(Protocol):
    """The part of `Api` that is used here."""

    async def create(self, made: Object, *, namespace: str = "") -> dict[str, Any]:
        """ApiError 409: there is one of that name."""
        ...

    async def patch(
        self, kind: str, name: str, changes: dict[str, Any], *, namespace: str = ""
    ) -> dict[str, Any]:
        """Merge ``changes``."""
        ...


class _Standing(msgspec.Struct):
    """A finding that is there now. ``told_at`` 0: no Event tells of it yet."""

    error: ConfigError
    since: float
    told_at: float = 0.0
    count: int = 0


class EventRecorder:
    """`look` takes up what is wrong now, `run` writes Events about it."""

    def __init__(
        self,
        api: Events,
        may_write: Callable[[], bool],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        refusal: EventRefusal | None = None,
    ) -> None:
        self._api, self._may_write, self._clock = api, may_write, clock
        self._refusal = refusal or EventRefusal()
        self._standing: dict[str, _Standing] = {}
        self._snapshot = Snapshot("", {})

    def look(self, snapshot: Snapshot, errors: Iterable[ConfigError]) -> None:
        """All findings of now; those that are gone need no Event."""
        now = self._now()
        self._snapshot = snapshot
        before, self._standing = self._standing, {}
        for error in errors:
            key = f"{error} {_involved(error.source, snapshot).get('uid')}"
            self._standing[key] = before.get(key) or _Standing(error, now)

    async def run(self) -> None:
        """Write what is due until cancelled."""
        while True:
            await asyncio.sleep(limits.OBJECT_EVENTS_EVERY_S)
            if self._may_write():
                await self._write_some()

    async def _write_some(self) -> None:
        """A burst of those that stood long enough, those first of which nothing was told."""
        now = self._now()
        due = [
            one
            for one in self._of_each_object_some()
            if now - one.since >= limits.OBJECT_EVENT_AFTER_S
            and (not one.told_at or now - one.told_at >= limits.OBJECT_EVENT_AGAIN_S)
        ]
        due.sort(key=lambda one: one.told_at)
        for one in due[: limits.OBJECT_EVENTS_BURST]:
            try:
                await self._write(one)
            except ApiError as error:
                log.info("an Event could not be written: %s", error)
                self._refusal.failed(error)
                one.told_at = now - limits.OBJECT_EVENT_AGAIN_S + limits.OBJECT_EVENT_RETRY_S
            else:
                self._refusal.written()

    def _of_each_object_some(self) -> list[_Standing]:
        seen: Counter[str] = Counter()
        found: list[_Standing] = []
        for one in self._standing.values():
            seen[one.error.source] += 1
            if seen[one.error.source] <= limits.OBJECT_EVENTS_MAX:
                found.append(one)
        return found

    async def _write(self, one: _Standing) -> None:
        stamp = stamp_of(self._clock())
        made = event(one.error, self._snapshot, stamp)
        name = made["metadata"]["name"]
        try:
            if one.count:
                changes = {"count": one.count + 1, "lastTimestamp": stamp}
                await self._api.patch("Event", name, changes)
            else:
                await self._api.create(made)
        except ApiError as error:
            if error.status != CONFLICT:
                if one.count:
                    one.count = 0  # It ran out, as Events do within an hour: made anew.
                raise
            # An earlier router told of it already. There is no right to get Events: a change
            # answers with the whole.
            known = (await self._api.patch("Event", name, {"lastTimestamp": stamp})).get("count")
            one.count = known if isinstance(known, int) else 1
            await self._api.patch("Event", name, {"count": one.count + 1})
        one.count += 1
        one.told_at = self._now()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def event(error: ConfigError, snapshot: Snapshot, stamp: str) -> dict[str, Any]:
    """The Event (v1) of a finding; always of the same name for the same finding and object."""
    involved = _involved(error.source, snapshot)
    at_field = f" ({error.path})" if error.path else ""
    hint = f" {error.hint}" if error.hint else ""
    message = f"{error.reason}{at_field}.{hint}"
    text = f"{error.source} {error.code} {error} {involved.get('uid')}"
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    prefix = involved["name"][: limits.OBJECT_EVENT_NAME_CHARS].rstrip("-.")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{prefix}.spillway-{digest}", "labels": dict(PART_OF)},
        "involvedObject": involved | {"namespace": snapshot.namespace},
        "reason": error.code,
        "message": message[: limits.OBJECT_EVENT_CHARS],
        "type": "Normal" if error.severity == "info" else "Warning",
        "source": {"component": ROUTER},
        "reportingComponent": ROUTER,
        "reportingInstance": ROUTER,
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
    }


def _involved(source: str, snapshot: Snapshot) -> dict[str, str]:
    """The object that ``source`` (``KIND/NAME[KEY]``) names; the site's where it is none.

    Of an AttachedConnector of another namespace (``KIND/NAMESPACE/NAME``) it is the binding here.
    """
    kind, _, name = source.partition("[")[0].partition("/")
    if "/" in name:
        kind, name = "AttachedConnectorBinding", name.partition("/")[2]
    if kind not in KINDS or not name:
        kind, name = "ConfigMap", SITE_CONFIGMAP
    found = snapshot.get(kind, name)
    involved = {"apiVersion": KINDS[kind].api_version, "kind": kind, "name": name}
    uid = metadata(found).get("uid") if found is not None else None
    return involved | {"uid": uid} if isinstance(uid, str) else involved
