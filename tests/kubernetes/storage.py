"""Objects, their resourceVersions and the history that watches read. One thread uses it.

Objects are replaced whole and never changed in place, so objects handed out stay the same.
"""

import itertools
import secrets
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from tests.kubernetes.failures import Failure, expired
from tests.kubernetes.resources import Json, Resource

HISTORY_MAX: Final = 20_000
"""Events kept; older ones are compacted, as etcd does."""
FIRST_REVISION: Final = 1_000

Key = tuple[str, str]
"""(namespace, name)"""
Matches = Callable[[Json], bool]


class Change(msgspec.Struct, frozen=True):
    """One event of the history. ``before`` None: created; ``after`` None: deleted."""

    revision: int
    resource: Resource
    before: Json | None
    after: Json | None

    def seen_through(self, matches: Matches) -> tuple[str, Json] | None:
        """The event for a watch with that selector; None: it does not concern it.

        Who leaves the selector is DELETED, who enters is ADDED.
        """
        before = self.before if self.before is not None and matches(self.before) else None
        after = self.after if self.after is not None and matches(self.after) else None
        if after is not None:
            return ("MODIFIED" if before is not None else "ADDED"), after
        if before is not None:
            return "DELETED", stamped(before, self.revision)
        return None


class Page(msgspec.Struct, frozen=True):
    """A part of a list. ``token`` empty: the last."""

    revision: int
    items: list[Json]
    token: str = ""
    remaining: int = 0


class Store:
    """All objects of the cluster."""

    def __init__(self) -> None:
        self._revision = FIRST_REVISION
        self.compacted = FIRST_REVISION
        self.uids: set[str] = set()
        self._objects: dict[Resource, dict[Key, Json]] = {}
        self._order: dict[
            Resource, list[Key]
        ] = {}  # Of the keys; sorted again after one came or went.
        self._dependents: dict[str, set[tuple[Resource, Key]]] = {}
        self._history: list[Change] = []
        self._untold: list[Change] = []
        self._pages: dict[str, tuple[int, list[Json]]] = {}
        self._listeners: dict[int, Callable[[Change], None]] = {}
        self._numbers = itertools.count()

    @property
    def revision(self) -> int:
        """The version of the newest change."""
        return self._revision

    @property
    def objects(self) -> "Store":
        """The newest state of all objects."""
        return self

    def get(self, resource: Resource, namespace: str, name: str) -> Json | None:
        """One object."""
        return self._objects.get(resource, {}).get((namespace, name))

    def all(self, resource: Resource, namespace: str = "") -> list[Json]:
        """All of a kind, of one namespace if given, in order of their keys."""
        found = self._objects.get(resource, {})
        order = self._order.get(resource)
        if order is None:
            order = self._order[resource] = sorted(found)
        return [found[key] for key in order if not namespace or key[0] == namespace]

    def owned_by(self, uid: str) -> list[tuple[Resource, Json]]:
        """All objects that name that owner."""
        found = self._dependents.get(uid, set())
        return [(resource, self._objects[resource][key]) for resource, key in found]

    def write(self, resource: Resource, after: Json) -> Json:
        """Store one; gives it back with its new resourceVersion."""
        key = key_of(after)
        objects = self._objects.setdefault(resource, {})
        before = objects.get(key)
        self._revision += 1
        stored = stamped(after, self.revision)
        objects[key] = stored
        if before is None:
            self._order.pop(resource, None)
            self.uids.add(stored["metadata"]["uid"])
        self._own(resource, key, before, stored)
        self._note(Change(self.revision, resource, before, stored))
        return stored

    def remove(self, resource: Resource, gone: Json) -> None:
        """Take one away."""
        before = self._objects[resource].pop(key_of(gone))
        self._order.pop(resource, None)
        self.uids.discard(before["metadata"]["uid"])
        self._own(resource, key_of(gone), before, None)
        self._revision += 1
        self._note(Change(self.revision, resource, before, None))

    def compact(self) -> None:
        """Forget the history and all pages: older resourceVersions are gone."""
        self.compacted = self.revision
        self._history.clear()
        self._pages.clear()

    def page(
        self, resource: Resource, namespace: str, matches: Matches, limit: int, token: str
    ) -> Page:
        """A list or its next part, all of one revision. 410 for a token that is not known."""
        if token:
            kept = self._pages.get(token)
            if kept is None:
                raise expired(
                    "The provided continue parameter is too old to display a consistent list "
                    "result. You can start a new list without the continue parameter, or use the "
                    "continue token in this response to retrieve the remainder of the results."
                )
            revision, items = kept
        else:
            revision = self.revision
            items = [each for each in self.all(resource, namespace) if matches(each)]
        if not limit or len(items) <= limit:
            return Page(revision, items)
        following = secrets.token_urlsafe(18)
        self._pages[following] = (revision, items[limit:])
        return Page(revision, items[:limit], following, len(items) - limit)

    def since(self, resource: Resource, revision: int) -> Iterator[Change]:
        """What happened after ``revision``. 410 once that is compacted."""
        if revision < self.compacted:
            raise too_old(revision, self.compacted)
        index = len(self._history)
        while index and self._history[index - 1].revision > revision:
            index -= 1
        for change in self._history[index:]:
            if change.resource is resource:
                yield change

    def listen(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Tell ``listener`` of each change at once; gives what ends it."""
        number = next(self._numbers)
        self._listeners[number] = listener
        return lambda: self._listeners.pop(number, None) and None

    def _own(self, resource: Resource, key: Key, before: Json | None, after: Json | None) -> None:
        for uid in owners(before):
            self._dependents[uid].discard((resource, key))
        for uid in owners(after):
            self._dependents.setdefault(uid, set()).add((resource, key))

    def _note(self, change: Change) -> None:
        self._history.append(change)
        if len(self._history) > HISTORY_MAX:
            half = HISTORY_MAX // 2
            self.compacted = self._history[half - 1].revision
            del self._history[:half]
        self._untold.append(change)
        if len(self._untold) > 1:
            return  # A listener writes: it hears of that in order, after this.
        while self._untold:
            for listener in list(self._listeners.values()):
                listener(self._untold[0])
            del self._untold[0]


def too_old(revision: int, compacted: int) -> Failure:
    """410 for a watch."""
    return expired(f"too old resource version: {revision} ({compacted})")


def owners(found: Json | None) -> list[str]:
    """The uids of its owners."""
    references = (found or {"metadata": {}})["metadata"].get("ownerReferences") or []
    return [each["uid"] for each in references]


def key_of(found: Json) -> Key:
    """Where it is kept."""
    metadata = found["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def stamped(found: Json, revision: int) -> Json:
    """It with that resourceVersion."""
    return {**found, "metadata": {**found["metadata"], "resourceVersion": str(revision)}}
