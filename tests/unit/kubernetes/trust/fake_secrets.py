"""Objects in memory with versions as an API server keeps them, and faults on demand."""

import asyncio
import copy
import itertools
from collections.abc import Callable
from typing import Any

from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import ApiError

AWAY = ApiError(0, "Unreachable", "the API server does not answer")
FORBIDDEN = ApiError(403, "Forbidden", 'secrets is forbidden: User "sa" cannot create')
CONFLICT = ApiError(409, "Conflict", "the object has been modified")
MISSING = ApiError(404, "NotFound", "not found")


class FakeSecrets(Api):
    """Secrets at an API server. ``before``: called with the verb before each call.

    An error that ``before`` raises is the answer; ``after`` likewise, after the call took effect.
    """

    namespace = "west"

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.others: dict[tuple[str, str], dict[str, Any]] = {}
        self.writes: list[str] = []
        self.calls: list[str] = []
        self.before: Callable[[str, str], None] = lambda verb, name: None
        self.after: Callable[[str, str], None] = lambda verb, name: None
        self._numbers = itertools.count(100)

    def put(self, made: dict[str, Any]) -> dict[str, Any]:
        """As another client: create or replace, whatever exists."""
        name = made["metadata"]["name"]
        number = str(next(self._numbers))
        before = self.objects.get(name, {}).get("metadata", {})
        kept = {"uid": before.get("uid", f"uid-{number}"), "resourceVersion": number}
        stored = copy.deepcopy(made)
        stored["metadata"] |= kept
        self.objects[name] = stored
        return copy.deepcopy(stored)

    def seen(self) -> dict[str, dict[str, Any]]:
        """As a watch shows them."""
        return copy.deepcopy(self.objects)

    async def find(self, kind: str, name: str, **_: str) -> dict[str, Any] | None:
        self._begin("get", name)
        found = self.objects.get(name, {})
        if found.get("kind") != kind:
            found = self.others.get((kind, name), {})
        seen = copy.deepcopy(found) or None
        await asyncio.sleep(0)  # Others go on meanwhile: the read may be outdated by now.
        return seen

    async def create(self, made: Any, **_: str) -> dict[str, Any]:
        name = made["metadata"]["name"]
        self._begin("create", name)
        if name in self.objects:
            raise ApiError(409, "AlreadyExists", f"{name} already exists")
        return self._end("create", name, self.put(made))

    async def replace(self, whole: Any, **_: str) -> dict[str, Any]:
        name = whole["metadata"]["name"]
        self._begin("update", name)
        self._check(name, whole["metadata"])
        return self._end("update", name, self.put(whole))

    async def patch(self, kind: str, name: str, changes: Any, **_: str) -> dict[str, Any]:
        self._begin("patch", name)
        self._check(name, changes.get("metadata", {}))
        merged = copy.deepcopy(self.objects[name])
        _merge(merged, changes)
        return self._end("patch", name, self.put(merged))

    async def delete(
        self, kind: str, name: str, *, uid: str = "", version: str = "", **_: str
    ) -> bool:
        self._begin("delete", name)
        if name not in self.objects:
            return False
        self._check(name, {"resourceVersion": version} if version else {})
        del self.objects[name]
        self.writes.append(f"delete {name}")
        return True

    def _begin(self, verb: str, name: str) -> None:
        self.calls.append(f"{verb} {name}")
        self.before(verb, name)

    def _end(self, verb: str, name: str, found: dict[str, Any]) -> dict[str, Any]:
        self.writes.append(f"{verb} {name}")
        self.after(verb, name)
        return found

    def _check(self, name: str, stated: dict[str, Any]) -> None:
        found = self.objects.get(name)
        if found is None:
            raise MISSING
        for field in ("resourceVersion", "uid"):
            if stated.get(field, "") not in ("", found["metadata"][field]):
                raise CONFLICT


def failing(error: ApiError, *verbs: str) -> Callable[[str, str], None]:
    """For ``before`` and ``after``: each of ``verbs`` fails."""

    def fail(verb: str, name: str) -> None:
        if not verbs or verb in verbs:
            raise error

    return fail


def _merge(into: dict[str, Any], changes: dict[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, dict):
            into.setdefault(key, {})
            _merge(into[key], value)
        elif value is None:
            into.pop(key, None)
        else:
            into[key] = value
