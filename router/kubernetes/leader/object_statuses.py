"""The `/status` of custom resources, written by the replica that holds the Lease.

Only differences are written, with the version that was read, and each object at most every
``every_s`` seconds: an object that changes with the traffic would fill etcd. The server silently
drops fields that the schema of a kind lacks; they do not count as a difference.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import CONFLICT, FORBIDDEN, NOT_FOUND, ApiError
from router.kubernetes.objects.objects import Object, Snapshot, version_of
from router.kubernetes.store.supervise import woken
from router.model import limits
from router.model.ticks import doubled_s

log = logging.getLogger("router.kubernetes")

Statuses = Mapping[tuple[str, str], Mapping[str, Any]]
"""The wanted status of each object, by (kind, name)."""


class _Overtaken(NamedTuple):
    """The API refused ``version`` of an object as outdated or gone, ``times`` times before; that
    counts ``until`` then."""

    version: str
    times: int
    until: float


class ObjectStatuses:
    """Writes statuses: `offer` takes the wanted ones, `run` writes those that differ."""

    def __init__(
        self, api: Api, may_write: Callable[[], bool], every_s: float = limits.STATUS_EVERY_S
    ) -> None:
        self._api, self._may_write, self._every_s = api, may_write, every_s
        self._wanted: Statuses = {}
        self._snapshot = Snapshot("", {})
        self._not_before: dict[tuple[str, str], float] = {}  # Earliest next write, by (kind, name).
        # The version and status that the API answered last.
        self._tried: dict[tuple[str, str], tuple[str, Mapping[str, Any]]] = {}
        self._overtaken: dict[tuple[str, str], _Overtaken] = {}
        self._dropped: dict[str, frozenset[str]] = {}  # Fields that the server does not keep.
        self._refusals: dict[tuple[str, str], int] = {}  # In a row, for a missing permission.
        self._woken = asyncio.Event()

    def offer(self, snapshot: Snapshot, wanted: Statuses) -> None:
        """Take the ``wanted`` statuses of objects in ``snapshot``; no others are written."""
        self._snapshot, self._wanted = snapshot, wanted
        self._not_before = {key: at for key, at in self._not_before.items() if key in wanted}
        self._tried = {key: told for key, told in self._tried.items() if key in wanted}
        self._overtaken = {key: told for key, told in self._overtaken.items() if key in wanted}
        self._refusals = {key: times for key, times in self._refusals.items() if key in wanted}
        self._woken.set()

    async def run(self) -> None:
        """Write differences until cancelled."""
        while True:
            due_s = await self._write_due() if self._may_write() else limits.STATUS_EVERY_S
            await woken(self._woken, due_s)
            self._woken.clear()

    async def _write_due(self) -> float | None:
        """Make the due writes; seconds until the next one is due, None: there is none."""
        loop = asyncio.get_running_loop()
        soonest: float | None = None
        for key, status in list(self._wanted.items()):
            found = self._snapshot.get(*key)
            if found is None or self._is_so(found, status):
                continue
            if self._has_answer(key, found, status):
                continue  # If the object differs by now, the watch will deliver another version.
            if self._due_at(key, found) <= loop.time():
                await self._write(key, found, status)
                if self._has_answer(key, found, status):
                    continue
            wait_s = self._due_at(key, found) - loop.time()
            soonest = wait_s if soonest is None else min(soonest, wait_s)
        return soonest

    def _is_so(self, found: Object, status: Mapping[str, Any]) -> bool:
        dropped = self._dropped.get(str(found.get("kind")), frozenset())
        kept = {field: value for field, value in status.items() if field not in dropped}
        return (found.get("status") or {}) == kept

    def _has_answer(self, key: tuple[str, str], found: Object, status: Mapping[str, Any]) -> bool:
        return self._tried.get(key) == (version_of(found), status)

    def _due_at(self, key: tuple[str, str], found: Object) -> float:
        """Earliest time of the next write to ``found``."""
        earliest, overtaken = self._not_before.get(key, 0.0), self._overtaken.get(key)
        if overtaken is None or overtaken.version != version_of(found):
            return earliest
        return max(earliest, overtaken.until)

    def _refused(self, key: tuple[str, str], version: str) -> "_Overtaken":
        before = self._overtaken.get(key)
        times = before.times + 1 if before is not None and before.version == version else 0
        pause_s = doubled_s(limits.STATUS_AGAIN_S, times, limits.STATUS_OVERTAKEN_S)
        return _Overtaken(version, times, asyncio.get_running_loop().time() + pause_s)

    async def _write(self, key: tuple[str, str], found: Object, status: Mapping[str, Any]) -> None:
        kind, name = key
        wait_s = self._every_s
        try:
            answer = await self._api.replace(
                {**found, "status": dict(status)}, subresource="status"
            )
        except ApiError as error:
            if error.status == FORBIDDEN:
                refusals = self._refusals.get(key, 0)
                wait_s = doubled_s(wait_s, refusals, limits.RIGHTS_LOOK_S)
                self._refusals[key] = refusals + 1
            elif error.status in (CONFLICT, NOT_FOUND):
                # The watch will deliver another version, or none if this server was behind.
                self._overtaken[key] = self._refused(key, version_of(found))
            log.info("the status of %s/%s could not be written: %s", kind, name, error)
        else:
            self._refusals.pop(key, None)
            self._tried[key] = (version_of(found), status)
            self._dropped[kind] = frozenset(status.keys() - (answer.get("status") or {}).keys())
        self._not_before[key] = asyncio.get_running_loop().time() + wait_s
