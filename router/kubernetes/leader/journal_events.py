"""Events of the router's journal as Events on the site's ConfigMap, for `kubectl get events`.

Events of one code and subject are one Event with a count. The one replica that writes them writes
few at a time and leaves out those that fail: the journal itself has all.
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
from router.model.wording.routing_key_names import shown_subject

log = logging.getLogger("router.kubernetes")

_NOT_TOLD = frozenset(
    {
        *("target-up", "target-down", "listener-bound", "certificate-renewed"),
        *("document-added", "document-changed", "document-removed"),
    }
)
"""Pods and objects come and go all the time, and the cluster itself reports both."""


class _Told(msgspec.Struct):
    """An Event of the journal. ``count``: its occurrences, ``written``: those in the cluster."""

    event: Event
    heard_at: float
    count: int = 0
    written: int = 0
    since: str = ""


class JournalEventWriter:
    """Writes Events of the journal: `hear` takes them, `run` writes.

    A router that may not write drops its events: the router that writes collects them from it.
    """

    def __init__(self, events: EventWriter, may_write: Callable[[], bool]) -> None:
        self._events, self._may_write = events, may_write
        self._known: dict[str, _Told] = {}  # By name, ordered by the last occurrence.
        self._snapshot = Snapshot("", {})
        self._is_enabled = True

    @property
    def is_enabled(self) -> bool:
        """Whether the site wants Events."""
        return self._is_enabled

    def enable(self, is_wanted: bool) -> None:
        """Turn Events on or off."""
        self._is_enabled = is_wanted

    def look(self, snapshot: Snapshot) -> None:
        """Take the namespace, which holds the site's ConfigMap."""
        self._snapshot = snapshot

    def hear(self, event: Event) -> None:
        """Take one event of the journal. `FindingEventWriter` reports findings."""
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
        """Write due Events until cancelled."""
        while True:
            await asyncio.sleep(limits.OBJECT_EVENTS_EVERY_S)
            if not self._may_write():
                self._forget()
                self._events.forget_refusal()
            elif self._is_enabled:
                await self._write_some()

    def _forget(self) -> None:
        """Forget all but the latest, which a router that has gone may have left unwritten."""
        oldest = asyncio.get_running_loop().time() - limits.LEASE_S
        self._known = {name: one for name, one in self._known.items() if one.heard_at >= oldest}

    async def _write_some(self) -> None:
        due = [(name, one) for name, one in self._known.items() if one.written < one.count]
        for name, one in due[: limits.OBJECT_EVENTS_BURST]:
            try:
                await self._write(name, one)
            except ApiError as error:
                log.info("an Event could not be written: %s", error)
                return  # The rest would fail too.

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
        one.count += written - count  # More may have occurred meanwhile.
        one.written = written


def _reason(code: str) -> str:
    """``link-down`` becomes ``LinkDown``, the usual form of reasons."""
    return "".join(word.capitalize() for word in code.split("-"))


def _message(event: Event) -> str:
    """One line of text. The message ends like a sentence, since others may follow it."""
    end = "" if event.message.endswith((".", "?")) else "."
    by = f" By {event.by}." if event.by else ""
    hint = f" {event.hint}" if event.hint else ""
    subject = shown_subject(event.subject, event.message)
    return f"{subject}{': ' if subject else ''}{event.message}{end}{by}{hint}"
