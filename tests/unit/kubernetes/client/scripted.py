"""An API server in memory for informers: versioned objects, their changes, and faults."""

import asyncio
import copy
from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import Any

from router.kubernetes.client.api import Api
from router.kubernetes.client.api_calls import Page
from router.kubernetes.client.errors import ApiError
from router.kubernetes.client.watches import WatchEvent
from router.kubernetes.objects.access_levels import AccessLevel
from router.kubernetes.objects.kinds import KINDS
from router.kubernetes.objects.selectors import parse
from router.model import limits

UNREACHABLE = ApiError(0, "Unreachable", "connection refused")
EXPIRED = ApiError(410, "Expired", "too old resource version")
CUT = ApiError(0, "Unreachable", "connection reset")
SILENT = ApiError(0, "Timeout", "no answer in time")


class ScriptedServer(Api):
    """One kind in one namespace. ``list_faults`` and ``watch_faults`` are used up in order."""

    def __init__(self) -> None:
        self.version = 100
        self.objects: dict[str, dict[str, Any]] = {}
        self.history: list[tuple[int, WatchEvent]] = []
        self.forgotten = 0
        """Changes up to this version are no longer kept."""
        self.list_faults: list[ApiError] = []
        self.page_faults: list[ApiError] = []
        """Each ends a list after its first page, which took `limits.WATCH_HEALTHY_S`."""
        self.watch_faults: list[ApiError] = []
        self.is_served = True
        self.lists: list[float] = []
        self.watches: list[float] = []
        self._news = asyncio.Event()
        self._cuts = 0
        self._cut: ApiError | None = None

    def put(self, name: str, **fields: Any) -> None:
        self.version += 1
        kind = "MODIFIED" if name in self.objects else "ADDED"
        found = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "resourceVersion": str(self.version)},
            **fields,
        }
        self.objects[name] = found
        self._log(WatchEvent(kind, copy.deepcopy(found)))

    def remove(self, name: str) -> None:
        self.version += 1
        found = self.objects.pop(name)
        found["metadata"]["resourceVersion"] = str(self.version)
        self._log(WatchEvent("DELETED", found))

    def bookmark(self) -> None:
        self.version += 1
        self._log(WatchEvent("BOOKMARK", {"metadata": {"resourceVersion": str(self.version)}}))

    def forget(self) -> None:
        """Compaction: nothing before now can be watched."""
        self.forgotten = self.version

    def cut(self, error: ApiError | None) -> None:
        """End all watches, in order (None) or with ``error``."""
        self._cuts += 1
        self._cut = error
        self._news.set()

    def _log(self, event: WatchEvent) -> None:
        self.history.append((self.version, event))
        self._news.set()

    async def serves(self, kind: str) -> bool:
        return self.is_served

    async def is_creatable(self, kind: str) -> bool:
        return self.is_served

    async def pages(
        self, kind: str, *, labels: str = "", fields: str = "", namespace: str = ""
    ) -> AsyncGenerator[Page, None]:
        self.lists.append(asyncio.get_running_loop().time())
        if self.list_faults:
            raise self.list_faults.pop(0)
        items, version = [copy.deepcopy(o) for o in self.objects.values()], str(self.version)
        for start in range(0, max(1, len(items)), 2):
            yield Page(items[start : start + 2], version)
            if self.page_faults:
                await asyncio.sleep(limits.WATCH_HEALTHY_S)
                raise self.page_faults.pop(0)

    async def watch(
        self,
        kind: str,
        version: str,
        *,
        labels: str = "",
        fields: str = "",
        namespace: str = "",
        timeout_s: int = limits.WATCH_S,
    ) -> AsyncGenerator[WatchEvent, None]:
        loop = asyncio.get_running_loop()
        self.watches.append(loop.time())
        if self.watch_faults:
            raise self.watch_faults.pop(0)
        at, cuts, until = int(version), self._cuts, loop.time() + timeout_s
        if at < self.forgotten:
            raise EXPIRED
        yield WatchEvent("BOOKMARK", {"metadata": {"resourceVersion": version}})
        while True:
            for number, event in list(self.history):
                if number > at:
                    at = number
                    yield WatchEvent(event.kind, copy.deepcopy(event.object))
            if self._cuts != cuts:
                if self._cut is not None:
                    raise self._cut
                return
            self._news.clear()
            try:
                async with asyncio.timeout_at(until):
                    await self._news.wait()
            except TimeoutError:
                return


class ScriptedCluster(Api):
    """A server for each kind; selectors count for lists and for watches.

    ``others``: namespaces beside the site's own; an object is in the one that its metadata names.
    """

    def __init__(self, *objects: dict[str, Any], others: Iterable[str] = ()) -> None:
        self.others = {name: ScriptedCluster() for name in others}
        self.lists_after_s = 0.0
        self.kinds: dict[str, ScriptedServer] = {}
        self.custom_levels: dict[str, AccessLevel] = {}
        """Of custom resources that are served, by kind."""
        self.versions: list[str] = []
        """API versions that the client was set to use, in order."""
        for found in objects:
            self.put(found)

    def of(self, kind: str) -> ScriptedServer:
        return self.kinds.setdefault(kind, ScriptedServer())

    def put(self, found: dict[str, Any]) -> None:
        there = self.others.get(found["metadata"].get("namespace", ""))
        if there is not None:
            there.put(found)
            return
        fields = {k: v for k, v in found.items() if k != "metadata"}
        self.of(found["kind"]).put(found["metadata"]["name"], **fields)
        made = self.of(found["kind"]).objects[found["metadata"]["name"]]
        made["metadata"] = {**found["metadata"], **made["metadata"]}
        _, event = self.of(found["kind"]).history[-1]
        event.object["metadata"] = dict(made["metadata"])

    async def serves(self, kind: str) -> bool:
        return self.of(kind).is_served

    async def creatable(self, api_version: str) -> frozenset[str]:
        served = (info for info in KINDS.values() if info.api_version == api_version)
        return frozenset(info.plural for info in served if info.kind in self.custom_levels)

    async def is_creatable(self, kind: str) -> bool:
        version = self.versions[-1] if self.versions else KINDS[kind].api_version
        return KINDS[kind].plural in await self.creatable(version)

    def use_version(self, api_version: str) -> None:
        self.versions.append(api_version)

    async def access_level(self, kind: str) -> AccessLevel:
        return self.custom_levels[kind]

    async def allows(self, attributes: Mapping[str, str], *, namespace: str = "") -> bool:
        return AccessLevel.FULL in self.custom_levels.values()

    async def pages(
        self, kind: str, *, labels: str = "", fields: str = "", namespace: str = ""
    ) -> AsyncGenerator[Page, None]:
        cluster = self.others.get(namespace, self)
        await asyncio.sleep(cluster.lists_after_s)
        async for page in cluster.of(kind).pages(kind):
            yield Page([o for o in page.items if _selected(o, labels, fields)], page.version)

    async def watch(
        self,
        kind: str,
        version: str,
        *,
        labels: str = "",
        fields: str = "",
        namespace: str = "",
        timeout_s: int = limits.WATCH_S,
    ) -> AsyncGenerator[WatchEvent, None]:
        server = self.others.get(namespace, self).of(kind)
        async for event in server.watch(kind, version, timeout_s=timeout_s):
            if event.kind == "BOOKMARK" or _selected(event.object, labels, fields):
                yield event


def _selected(found: dict[str, Any], labels: str, fields: str) -> bool:
    metadata = found["metadata"]
    if fields and fields != f"metadata.name={metadata['name']}":
        return False
    selector = parse(labels) if labels else None
    return selector is None or selector.matches(metadata.get("labels", {}))
