"""What the router's journal tells, as Events on the site's ConfigMap: `kubectl get events`.

Events of one code and subject are one Event that is counted. Few are written at a time, by the one
replica that writes, and what cannot be written is left out: the journal itself has all.
"""

import asyncio
import logging
from collections.abc import Callable

import msgspec

from router.kubernetes.client.errors import ApiError
from router.kubernetes.leader.events import EventWriter, event, event_name, involved
from router.kubernetes.objects.names import SITE_CONFIGMAP
from router.kubernetes.objects.objects import Snapshot
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

    def __init__(self, events: EventWriter, may_write: Callable[[], bool]) -> None:
        self._events, self._may_write = events, may_write
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
        """One event of the journal. Findings are told at their objects, by `EventRecorder`."""
        if not self._is_enabled or event.code in _NOT_TOLD or event.code.startswith("SW"):
            return
        name = event_name(SITE_CONFIGMAP, f"{event.code} {event.subject}")
        now = asyncio.get_running_loop().time()
        told = self._known.pop(name, None) or _Told(event, now, since=self._events.stamp())
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
                self._events.forget_refusal()
            elif self._is_enabled:
                await self._write_some()

    def _forget(self) -> None:
        """All but the latest, which a router that is gone may not have written any more."""
        oldest = asyncio.get_running_loop().time() - limits.LEASE_S
        self._known = {name: one for name, one in self._known.items() if one.heard_at >= oldest}

    async def _write_some(self) -> None:
        due = [(name, one) for name, one in self._known.items() if one.written < one.count]
        for name, one in due[: limits.OBJECT_EVENTS_BURST]:
            try:
                await self._write(name, one)
            except ApiError as error:
                log.info("an Event could not be written: %s", error)
                return  # The rest has no better luck now.

    async def _write(self, name: str, one: _Told) -> None:
        count = one.count
        made = event(
            name,
            involved(self._snapshot, "ConfigMap", SITE_CONFIGMAP),
            _reason(one.event.code),
            _message(one.event),
            is_warning=one.event.severity != "info",
        )
        written = await self._events.write(made, count, one.since, is_told=bool(one.written))
        one.count += written - count  # Others may have been heard meanwhile.
        one.written = written


def _reason(code: str) -> str:
    """``link-down`` is ``LinkDown``, as reasons are written."""
    return "".join(word.capitalize() for word in code.split("-"))


def _message(event: Event) -> str:
    """All in one line; the message ends as a sentence does, since others may follow it."""
    end = "" if event.message.endswith((".", "?")) else "."
    by = f" By {event.by}." if event.by else ""
    hint = f" {event.hint}" if event.hint else ""
    return f"{event.subject}: {event.message}{end}{by}{hint}"
