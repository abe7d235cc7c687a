"""Objects of a real API server, as `Registry` and `Store` have those of the tests' own."""

import asyncio
import copy
import time
from collections.abc import Callable
from typing import Any, Final

import aiohttp
import msgspec

from tests.kubernetes.decoding import NOTHING_ASKED, Asked
from tests.kubernetes.failures import Failure, expired, not_found
from tests.kubernetes.registry import MERGE_PATCH, Registry
from tests.kubernetes.resources import Catalogue, Json, Resource
from tests.kubernetes.storage import Change, Key, Store, key_of
from tests.kubernetes.upkeep import ROOT_CA
from tests.kubernetes.upstream import Upstream, path_of

MIRRORED: Final = ("Namespace", "Pod", "Secret", "ConfigMap", "Service", "EndpointSlice")
"""The kinds that the node, the proxy and the load balancers follow."""
SOON_S: Final = 10.0
POLL_S: Final = 0.05
WATCH_S: Final = 600
LINE_BYTES_MAX: Final = 8 * 1024 * 1024


class RemoteObjects(Store):
    """Reads each object from the server when it is asked for."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def get(self, resource: Resource, namespace: str, name: str) -> Json | None:
        """One object."""
        try:
            return self._upstream.ask("GET", path_of(resource, namespace, name))
        except Failure as failure:
            if failure.code != 404:
                raise
            return None

    def all(self, resource: Resource, namespace: str = "") -> list[Json]:
        """All of a kind, of one namespace if given."""
        found = self.listed(resource, namespace)
        return [
            {"apiVersion": resource.api_version, "kind": resource.kind, **each}
            for each in found["items"]
        ]

    def listed(self, resource: Resource, namespace: str = "") -> Json:
        """The list as the server gives it."""
        return self._upstream.ask("GET", path_of(resource, namespace))


class RemoteStore(Store):
    """A mirror of the kinds in `MIRRORED`; others are read when they are asked for.

    ``ca_pem`` is that of the door through which pods reach the server.
    """

    def __init__(self, upstream: Upstream, catalogue: Catalogue, ca_pem: str) -> None:
        self.fresh = RemoteObjects(upstream)
        self.compacted = 0
        self.pages_are_gone = False
        self._upstream, self._ca_pem = upstream, ca_pem
        self._kinds = [catalogue.kind(kind) for kind in MIRRORED]
        self._held: dict[Resource, dict[Key, Json]] = {each: {} for each in self._kinds}
        self._listeners: dict[int, Callable[[Change], None]] = {}
        self._versions = {each: self._read(each) for each in self._kinds}

    @property
    def objects(self) -> Store:
        """The newest state of all objects."""
        return self.fresh

    @property
    def revision(self) -> int:
        """The version of the server's newest object."""
        return int(self.fresh.listed(self._kinds[0])["metadata"]["resourceVersion"])

    def get(self, resource: Resource, namespace: str, name: str) -> Json | None:
        """One object."""
        if resource not in self._held:
            return self.fresh.get(resource, namespace, name)
        found = self._held[resource].get((namespace, name))
        if found is not None and resource.kind == "ConfigMap" and name == ROOT_CA:
            return {**found, "data": {"ca.crt": self._ca_pem}}
        return found

    def all(self, resource: Resource, namespace: str = "") -> list[Json]:
        """All of a kind, of one namespace if given, in order of their keys."""
        if resource not in self._held:
            return self.fresh.all(resource, namespace)
        found = self._held[resource]
        return [found[key] for key in sorted(found) if not namespace or key[0] == namespace]

    def compact(self) -> None:
        """From now on the door refuses versions and pages of before, as after a compaction."""
        self.compacted = self.revision
        self.pages_are_gone = True

    def listen(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Tell ``listener`` of each change of a mirrored kind; gives what ends it."""
        self._listeners[id(listener)] = listener
        return lambda: self._listeners.pop(id(listener), None) and None

    def note(self, resource: Resource, found: Json, *, is_gone: bool = False) -> None:
        """Take the state of an object that an answer or a watch shows, unless a newer is known."""
        held = self._held.get(resource)
        if held is None:
            return
        key = key_of(found)
        before = held.get(key)
        version = int(found["metadata"]["resourceVersion"])
        if before is not None and int(before["metadata"]["resourceVersion"]) >= version:
            return
        if is_gone:
            if before is None or before["metadata"]["uid"] != found["metadata"]["uid"]:
                return
            del held[key]
        else:
            held[key] = found
        change = Change(version, resource, before, None if is_gone else found)
        for listener in list(self._listeners.values()):
            listener(change)

    async def run(self) -> None:
        """Follow the server until cancelled."""
        timeout = aiohttp.ClientTimeout(total=None)
        connector = aiohttp.TCPConnector(ssl=self._upstream.context, limit=0)
        async with (
            aiohttp.ClientSession(
                connector=connector,
                headers=self._upstream.headers,
                timeout=timeout,
                read_bufsize=LINE_BYTES_MAX,
            ) as session,
            asyncio.TaskGroup() as group,
        ):
            for each in self._kinds:
                group.create_task(self._follow(session, each))

    async def _follow(self, session: aiohttp.ClientSession, resource: Resource) -> None:
        url = self._upstream.url + path_of(resource)
        while True:
            words = {"watch": "true", "timeoutSeconds": str(WATCH_S)}
            query = {**words, "resourceVersion": self._versions[resource]}
            async with session.get(url, params=query) as answer:
                async for line in answer.content:
                    event = msgspec.json.decode(line)
                    if event["type"] == "ERROR":
                        self._versions[resource] = self._read(resource)
                        break
                    found = event["object"]
                    self._versions[resource] = found["metadata"]["resourceVersion"]
                    self.note(resource, found, is_gone=event["type"] == "DELETED")

    def _read(self, resource: Resource) -> str:
        page = self.fresh.listed(resource)
        stated = {"apiVersion": resource.api_version, "kind": resource.kind}
        version: str = page["metadata"]["resourceVersion"]
        listed = {key_of(each) for each in page["items"]}
        for key in [key for key in self._held[resource] if key not in listed]:
            gone = self._held[resource][key]
            metadata = {**gone["metadata"], "resourceVersion": version}
            self.note(resource, {**gone, "metadata": metadata}, is_gone=True)
        for each in page["items"]:
            self.note(resource, {**stated, **each})
        return version


class RemoteRegistry(Registry):
    """Writes to the server, and reads from `RemoteStore`."""

    store: RemoteStore

    def __init__(self, upstream: Upstream, store: RemoteStore, catalogue: Catalogue) -> None:
        self.store, self.catalogue = store, catalogue
        self.warnings: list[str] = []
        self.upstream = upstream

    def get(self, resource: Resource, namespace: str, name: str) -> Json:
        """One object; 404."""
        return self.upstream.ask("GET", path_of(resource, namespace, name))

    def create(
        self, resource: Resource, namespace: str, given: Json, asked: Asked = NOTHING_ASKED
    ) -> Json:
        """Create an object; gives it as stored."""
        body = {**given, "apiVersion": resource.api_version, "kind": resource.kind}
        path = path_of(resource, namespace)
        found = self._written(resource, "POST", path, body, query=_query(asked))
        if resource.kind == "Node" and "status" in given:  # The node itself states it.
            found = self.set_status(resource, found, given["status"])
        if resource.kind == "Namespace":
            self._wait_for_account(found["metadata"]["name"])
        return found

    def update(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        given: Json,
        asked: Asked = NOTHING_ASKED,
        subresource: str = "",
    ) -> Json:
        """Replace an object, or its status; gives it as stored."""
        body = {**given, "apiVersion": resource.api_version, "kind": resource.kind}
        path = path_of(resource, namespace, name, subresource)
        return self._written(resource, "PUT", path, body, query=_query(asked))

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        patch: Any,
        kind: str,
        asked: Asked = NOTHING_ASKED,
        subresource: str = "",
    ) -> tuple[Json, bool]:
        """Patch an object; gives it as stored."""
        path = path_of(resource, namespace, name, subresource)
        query = _query(asked)
        return self._written(resource, "PATCH", path, patch, kind=kind, query=query), False

    def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        options: Json | None = None,
        *,
        dry_run: bool = False,
    ) -> tuple[Json, bool]:
        """Delete an object or begin to; gives what the server answers."""
        stated = {"apiVersion": "v1", "kind": "DeleteOptions", **(options or {})}
        query = {"dryRun": "All"} if dry_run else {}
        path = path_of(resource, namespace, name)
        found = self.upstream.ask("DELETE", path, stated, query=query)
        is_gone = found.get("kind") == "Status" or "deletionTimestamp" not in found["metadata"]
        if not is_gone:
            self.store.note(resource, found)
        return found, is_gone

    def finalize(self, given: Json) -> Json:
        """``namespaces/finalize``: replace the finalizers of a namespace."""
        name = given["metadata"]["name"]
        return self.update(
            self.catalogue.kind("Namespace"), "", name, given, subresource="finalize"
        )

    def set_status(self, resource: Resource, found: Json, status: Json) -> Json:
        """Set the status to ``status``; 404 also where the object was replaced meanwhile."""
        changes = _difference(found.get("status") or {}, status)
        if not changes:
            return found
        metadata = found["metadata"]
        patch = {"metadata": {"uid": metadata["uid"]}, "status": changes}
        namespace = metadata.get("namespace", "")
        path = path_of(resource, namespace, metadata["name"], "status")
        try:
            return self._written(resource, "PATCH", path, patch, kind=MERGE_PATCH)
        except Failure as failure:
            if failure.code != 409:
                raise
            raise not_found(resource, metadata["name"]) from failure

    def change(self, resource: Resource, found: Json, edit: Callable[[Json], None]) -> Json:
        """Edit a copy of the newest state and store it if it differs. A node binds pods so."""
        namespace, name = key_of(found)
        current = self.get(resource, namespace, name)
        edited = copy.deepcopy(current)
        edit(edited)
        node = edited.get("spec", {}).get("nodeName")
        if resource.kind == "Pod" and node and not current["spec"].get("nodeName"):
            target = {"apiVersion": "v1", "kind": "Node", "name": node}
            binding = {"apiVersion": "v1", "kind": "Binding", "target": target}
            named = {"name": name, "uid": current["metadata"]["uid"]}
            path = path_of(resource, namespace, name, "binding")
            self.upstream.ask("POST", path, {**binding, "metadata": named})
            bound = self.get(resource, namespace, name)
            self.store.note(resource, bound)
            return bound
        if edited == current:
            return current
        return self.update(resource, namespace, name, edited)

    def _written(self, resource: Resource, method: str, path: str, body: Any, **more: Any) -> Json:
        found = self.upstream.ask(method, path, body, **more)
        if "dryRun" not in more.get("query", {}):
            self.store.note(resource, found)
        return found

    def _wait_for_account(self, namespace: str) -> None:
        """A namespace takes pods once it has its ServiceAccount, which a controller makes."""
        account, certificates = (
            self.catalogue.kind("ServiceAccount"),
            self.catalogue.kind("ConfigMap"),
        )
        deadline = time.monotonic() + SOON_S
        while time.monotonic() < deadline:
            if self.store.fresh.get(account, namespace, "default") and self.store.fresh.get(
                certificates, namespace, ROOT_CA
            ):
                return
            time.sleep(POLL_S)
        raise Failure(500, "InternalError", f"namespace {namespace} gets no ServiceAccount")


def refused(store: RemoteStore, version: str, token: str) -> Failure | None:
    """What a server answers that has forgotten this version, or this page."""
    if token and store.pages_are_gone:
        return expired("The provided continue parameter is too old")
    if version.isdigit() and 0 < int(version) < store.compacted:
        return expired(f"too old resource version: {version} ({store.compacted})")
    return None


def _query(asked: Asked) -> dict[str, str]:
    found = {"fieldManager": asked.manager} if asked.manager else {}
    if asked.dry_run:
        found["dryRun"] = "All"
    if asked.force:
        found["force"] = "true"
    return found


def _difference(before: Json, after: Json) -> Json:
    """The merge patch from one to the other."""
    found: Json = {key: None for key in before if key not in after}
    for key, value in after.items():
        old = before.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            if deeper := _difference(old, value):
                found[key] = deeper
        elif value != old:
            found[key] = value
    return found
