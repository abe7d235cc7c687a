"""Findings as Events on the objects that they name, so that `kubectl describe` shows them.

One Event per finding, counted while the finding lasts; few per object, and few a minute. Events are
a convenience: one that cannot be written is left out and tried again later.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from router.kubernetes.client.errors import ApiError
from router.kubernetes.leader.events import EventWriter, event, event_name, involved
from router.kubernetes.objects.kinds import KINDS
from router.kubernetes.objects.names import SITE_CONFIGMAP
from router.kubernetes.objects.objects import Snapshot
from router.model import limits
from router.model.errors import ConfigError
from router.model.ticks import doubled_s

log = logging.getLogger("router.kubernetes")


class _Standing(msgspec.Struct):
    """A current finding. ``told_at``: when its Event was written last; 0: not yet.

    ``first``: time of its first Event; ``refusals``: in a row; ``not_before``: of the next try.
    """

    error: ConfigError
    since: float
    told_at: float = 0.0
    count: int = 0
    first: str = ""
    refusals: int = 0
    not_before: float = 0.0


class FindingEventWriter:
    """Writes Events about findings: `look` takes the current ones, `run` writes."""

    def __init__(self, events: EventWriter, may_write: Callable[[], bool]) -> None:
        self._events, self._may_write = events, may_write
        self._standing: dict[str, _Standing] = {}
        self._snapshot = Snapshot("", {})

    def look(self, snapshot: Snapshot, errors: Iterable[ConfigError]) -> None:
        """Replace the findings by the current ``errors``; findings that are gone need no Event."""
        now = self._now()
        self._snapshot = snapshot
        before, self._standing = self._standing, {}
        for error in errors:
            key = f"{error} {_involved(error.source, snapshot).get('uid')}"
            self._standing[key] = before.get(key) or _Standing(error, now)

    async def run(self) -> None:
        """Write due Events until cancelled."""
        while True:
            await asyncio.sleep(limits.OBJECT_EVENTS_EVERY_S)
            if self._may_write():
                await self._write_some()

    async def _write_some(self) -> None:
        """Write one batch of findings that lasted long enough, refused ones last."""
        now = self._now()
        due = [
            one
            for one in self._of_each_object_some()
            if now - one.since >= limits.OBJECT_EVENT_AFTER_S
            and now >= one.not_before
            and (not one.told_at or now - one.told_at >= limits.OBJECT_EVENT_AGAIN_S)
        ]
        due.sort(key=lambda one: (one.refusals, one.told_at))
        for one in due[: limits.OBJECT_EVENTS_BURST]:
            try:
                await self._write(one)
            except ApiError as error:
                log.info("an Event could not be written: %s", error)
                pause_s = doubled_s(
                    limits.RIGHTS_AGAIN_S, one.refusals, limits.OBJECT_EVENT_RETRY_S
                )
                one.refusals, one.not_before = one.refusals + 1, now + pause_s

    def _of_each_object_some(self) -> list[_Standing]:
        seen: Counter[str] = Counter()
        found: list[_Standing] = []
        for one in self._standing.values():
            seen[one.error.source] += 1
            if seen[one.error.source] <= limits.OBJECT_EVENTS_MAX:
                found.append(one)
        return found

    async def _write(self, one: _Standing) -> None:
        made = event_of(one.error, self._snapshot)
        one.first = one.first or self._events.stamp()
        one.count = await self._events.write(
            made, one.count + 1, one.first, is_told=bool(one.count)
        )
        one.told_at, one.refusals = self._now(), 0

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def event_of(error: ConfigError, snapshot: Snapshot) -> dict[str, Any]:
    """The Event of a finding; the same finding and object always give the same name."""
    about = _involved(error.source, snapshot)
    at_field = f" ({error.path})" if error.path else ""
    hint = f" {error.hint}" if error.hint else ""
    return event(
        event_name(about["name"], f"{error.source} {error.code} {error} {about.get('uid')}"),
        about,
        error.code,
        f"{_place(error)}{error.reason}{at_field}.{hint}",
        is_warning=error.severity != "info",
    )


def _place(error: ConfigError) -> str:
    """Key and line within an object that holds several documents; empty for other objects."""
    _, is_within, key = error.source.removesuffix("]").partition("[")
    at = f":{error.line}:{error.column}" if error.line else ""
    return f"{key}{at}: " if is_within else ""


def _involved(source: str, snapshot: Snapshot) -> dict[str, str]:
    """The object that ``source`` (``KIND/NAME[KEY]``) names; the site's ConfigMap if it names none.

    For an AttachedConnector of another namespace (``KIND/NAMESPACE/NAME``), its binding here.
    """
    kind, _, name = source.partition("[")[0].partition("/")
    if "/" in name:
        kind, name = "AttachedConnectorBinding", name.partition("/")[2]
    if kind not in KINDS or not name:
        kind, name = "ConfigMap", SITE_CONFIGMAP
    return involved(snapshot, kind, name)
