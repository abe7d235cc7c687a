"""What the router's journal tells, as Events on the site's ConfigMap: `kubectl get events`.

Events of one code and subject are one Event that is counted. Few are written at a time, by the one
replica that writes, and what cannot be written is left out: the journal itself has all.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from router.kubernetes.client.errors import CONFLICT, ApiError
from router.kubernetes.leader.event_refusal import EventRefusal
from router.kubernetes.leader.recorder import Events
from router.kubernetes.objects.kinds import KINDS
from router.kubernetes.objects.names import PART_OF, ROUTER, SITE_CONFIGMAP
from router.kubernetes.objects.objects import Snapshot, metadata, stamp_of
from router.model import limits
from router.model.events import Event

log = logging.getLogger("router.kubernetes")

_NOT_TOLD = frozenset(
    {
        *("target-up", "target-down", "listener-bound", "certificate-renewed"),
        *("document-added", "document-changed", "document-removed"),
    }
)
"""Pods and objects come and go all the time, and the cluster itself tells of both."""


class _Told(msgspec.Struct):
    """An Event that was written. ``count``: how often it is to be counted, ``written``: it was."""

    event: Event
    heard_at: float
    count: int = 0
    written: int = 0
    since: str = ""


class EventTeller:
    """`hear` takes up what happened, `run` writes it. ``enabled``: somebody wants them.

    A router that may not write forgets what it heard: the router that writes asks for it.
    """

    def __init__(
        self,
        api: Events,
        may_write: Callable[[], bool],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        refusal: EventRefusal | None = None,
    ) -> None:
        self._api, self._may_write, self._clock = api, may_write, clock
        self._refusal = refusal or EventRefusal()
        self._known: dict[str, _Told] = {}  # By name; the one heard of longest ago first.
        self._snapshot = Snapshot("", {})
        self._is_enabled = True

    @property
    def is_enabled(self) -> bool:
        """Whether the site wants Events."""
        return self._is_enabled

    def enable(self, is_wanted: bool) -> None:
        """Write Events from now on, or none."""
        self._is_enabled = is_wanted

    def look(self, snapshot: Snapshot) -> None:
        """The namespace now: where the site's ConfigMap is."""
        self._snapshot = snapshot

    def hear(self, event: Event) -> None:
        """One event of the journal. Findings are told at their objects, by `Recorder`."""
        if not self._is_enabled or event.code in _NOT_TOLD or event.code.startswith("SW"):
            return
        name = _name(event)
        now = asyncio.get_running_loop().time()
        told = self._known.pop(name, None) or _Told(event, now, since=self._stamp())
        told.event, told.heard_at = event, now
        told.count += 1
        self._known[name] = told
        if len(self._known) > limits.OBJECT_EVENTS_KEPT:
            del self._known[next(iter(self._known))]

    async def run(self) -> None:
        """Write what is due until cancelled."""
        while True:
            await asyncio.sleep(limits.OBJECT_EVENTS_EVERY_S)
            if not self._may_write():
                self._forget()
                self._refusal.written()
            elif self._is_enabled:
                await self._write_some()

    def _forget(self) -> None:
        """All but the latest, which a router that is gone may not have written any more."""
        oldest = asyncio.get_running_loop().time() - limits.LEASE_S
        self._known = {name: one for name, one in self._known.items() if one.heard_at >= oldest}

    async def _write_some(self) -> None:
        due = [(name, one) for name, one in self._known.items() if one.written < one.count]
        for name, one in due[: limits.OBJECT_EVENTS_BURST]:
            count = one.count
            try:
                await self._write(name, one, count)
            except ApiError as error:
                log.info("an Event could not be written: %s", error)
                self._refusal.failed(error)
                return  # The rest has no better luck now.
            one.written = count
            self._refusal.written()

    async def _write(self, name: str, one: _Told, count: int) -> None:
        changes = {"message": _message(one.event), "lastTimestamp": self._stamp()}
        if one.written:
            try:
                await self._api.patch("Event", name, {"count": count, **changes})
            except ApiError as error:
                if error.status != 404:
                    raise
            else:
                return  # Else it ran out, as Events do within an hour: it is made anew.
        try:
            await self._api.create(self._made(name, one, count))
        except ApiError as error:
            if error.status != CONFLICT:
                raise
            # An earlier router told of it. There is no right to get Events: a change answers.
            known = (await self._api.patch("Event", name, changes)).get("count")
            one.count += known if isinstance(known, int) else 0
            await self._api.patch("Event", name, {"count": one.count})

    def _made(self, name: str, one: _Told, count: int) -> dict[str, Any]:
        site = self._snapshot.get("ConfigMap", SITE_CONFIGMAP)
        uid = metadata(site).get("uid") if site is not None else None
        involved = {
            "apiVersion": KINDS["ConfigMap"].api_version,
            "kind": "ConfigMap",
            "name": SITE_CONFIGMAP,
            "namespace": self._snapshot.namespace,
        }
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "labels": dict(PART_OF)},
            "involvedObject": involved | ({"uid": uid} if isinstance(uid, str) else {}),
            "reason": _reason(one.event.code),
            "message": _message(one.event),
            "type": "Normal" if one.event.severity == "info" else "Warning",
            "source": {"component": ROUTER},
            "reportingComponent": ROUTER,
            "reportingInstance": ROUTER,
            "firstTimestamp": one.since,
            "lastTimestamp": self._stamp(),
            "count": count,
        }

    def _stamp(self) -> str:
        return stamp_of(self._clock())


def _name(event: Event) -> str:
    digest = hashlib.sha256(f"{event.code} {event.subject}".encode()).hexdigest()[:16]
    return f"{SITE_CONFIGMAP}.spillway-{digest}"


def _reason(code: str) -> str:
    """``link-down`` is ``LinkDown``, as reasons are written."""
    return "".join(word.capitalize() for word in code.split("-"))


def _message(event: Event) -> str:
    by = f" By {event.by}." if event.by else ""
    hint = f" {event.hint}" if event.hint else ""
    return f"{event.subject}: {event.message}{by}{hint}"[: limits.OBJECT_EVENT_CHARS]
