"""Create, update, patch and delete as the API server does them, on top of the store."""

import datetime
import random
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from tests.kubernetes import (
    admission,
    custom_schemas,
    decoding,
    defaults,
    deleting,
    managed,
    patching,
    quotas,
    schemas,
    services,
    validation,
)
from tests.kubernetes.decoding import NOTHING_ASKED, Asked
from tests.kubernetes.failures import (
    Failure,
    already_exists,
    bad_request,
    conflict,
    invalid,
    not_found,
    required,
    wrong,
)
from tests.kubernetes.managed import Manager
from tests.kubernetes.resources import Catalogue, Json, Resource, duplicate
from tests.kubernetes.storage import Store

JSON_PATCH, MERGE_PATCH = "application/json-patch+json", "application/merge-patch+json"
STRATEGIC_PATCH: Final = "application/strategic-merge-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"
FOREGROUND: Final = "foregroundDeletion"
ORPHAN: Final = "orphan"
_SUFFIX: Final = "bcdfghjklmnpqrstvwxz2456789"
_KEPT: Final = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


CREATED_BY_UPDATE: Final = ("Lease",)
"""An update of one that is missing creates it, whatever version it was made from."""


class Registry:
    """Writes of all kinds. ``warnings`` of the last write, for the answer's headers."""

    def __init__(
        self, store: Store, catalogue: Catalogue, addresses: Iterator[str] | None = None
    ) -> None:
        self.store, self.catalogue = store, catalogue
        self.warnings: list[str] = []
        self._services = services.Allocator(addresses)
        self._random = random.Random(7)

    def get(self, resource: Resource, namespace: str, name: str) -> Json:
        """One object; 404."""
        found = self.store.get(resource, namespace, name)
        if found is None:
            raise not_found(resource, name)
        return found

    def create(
        self, resource: Resource, namespace: str, given: Json, asked: Asked = NOTHING_ASKED
    ) -> Json:
        """Store a new object; gives it as stored."""
        found = self._read(resource, given, asked)
        metadata = found["metadata"]
        decoding.place(resource, namespace, metadata)
        if not metadata.get("name") and metadata.get("generateName"):
            chosen = "".join(self._random.choices(_SUFFIX, k=5))
            metadata["name"] = f"{metadata['generateName']}{chosen}"
        if not metadata.get("name"):
            cause = required("metadata.name", "name or generateName is required")
            raise invalid(resource, "", [cause])
        if metadata.get("resourceVersion"):
            raise bad_request("resourceVersion should not be set on objects to be created")
        if resource.namespaced:
            admission.admit_namespace(
                self.store, self.catalogue, resource, namespace, metadata["name"]
            )
        if self.store.get(resource, namespace, metadata["name"]) is not None:
            raise already_exists(resource, metadata["name"])
        applied = metadata.pop("managedFields", None)
        for key in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
            metadata.pop(key, None)
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = now()
        if resource.has_generation:
            metadata["generation"] = 1
        if "status" in resource.subresources and resource.kind != "Node":
            found.pop("status", None)
        if resource.kind == "Pod":
            suffix = "".join(self._random.choices(_SUFFIX, k=5))
            admission.admit_pod(self.store, self.catalogue, namespace, found, suffix)
        self._finish(resource, found, None)
        if resource.namespaced:
            quotas.admit(self.store, self.catalogue, resource, namespace, found)
        manager = self._manager(resource, asked, "")
        metadata["managedFields"] = applied or managed.updated(
            None, found, schemas.of(resource), manager, now()
        )
        return found if asked.dry_run else self.store.write(resource, found)

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
        if resource.kind in CREATED_BY_UPDATE and not self.store.get(resource, namespace, name):
            found = duplicate(given)
            found.get("metadata", {}).pop("resourceVersion", None)
            return self.create(resource, namespace, found, asked)
        before = self.get(resource, namespace, name)
        found = self._read(resource, given, asked)
        metadata = found["metadata"]
        decoding.place(resource, namespace, metadata)
        if metadata.get("name", name) != name:
            raise bad_request(
                f"the name of the object ({metadata.get('name')}) does not match the name on "
                f"the URL ({name})"
            )
        metadata["name"] = name
        self._same_version(resource, before, metadata)
        return self._replace(resource, before, found, asked, subresource)

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
        """Patch an object; gives it as stored, and whether apply created it."""
        before = self.store.get(resource, namespace, name)
        if kind == APPLY_PATCH:
            return self._apply(resource, namespace, name, before, patch, asked, subresource)
        if before is None:
            raise not_found(resource, name)
        after = self.patched(resource, before, patch, kind)
        found = self._read(resource, after, asked)
        decoding.place(resource, namespace, found["metadata"])
        if found["metadata"].get("name") != name:
            raise invalid(
                resource,
                name,
                [wrong("metadata.name", found["metadata"].get("name", ""), "field is immutable")],
            )
        self._same_version(resource, before, found["metadata"])
        return self._replace(resource, before, found, asked, subresource), False

    def patched(self, resource: Resource, before: Json, patch: Any, kind: str) -> Json:
        """The object with a patch applied, not stored. 415 for a kind of patch not taken."""
        schema = schemas.of(resource)
        if kind == MERGE_PATCH and isinstance(patch, dict):
            return dict(patching.merged(before, patch))
        if kind == STRATEGIC_PATCH and schema is not None and isinstance(patch, dict):
            return patching.strategic(before, patch, schema)
        if kind == JSON_PATCH and isinstance(patch, list):
            return dict(patching.json_patched(before, patch))
        if kind in (MERGE_PATCH, JSON_PATCH):
            raise bad_request("cannot unmarshal the patch into the type of its kind")
        allowed = [JSON_PATCH, MERGE_PATCH, APPLY_PATCH]
        text = f"the body of the request was in an unknown format - accepted media types: {allowed}"
        raise Failure(415, "UnsupportedMediaType", text)

    def delete(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        options: Json | None = None,
        *,
        dry_run: bool = False,
    ) -> tuple[Json, bool]:
        """Delete an object or begin to; gives its last state and whether it is gone."""
        before = self.get(resource, namespace, name)
        options = options or {}
        deleting.preconditions(resource, before, options.get("preconditions") or {})
        metadata = dict(before["metadata"])
        finalizers = list(metadata.get("finalizers") or [])
        policy = options.get("propagationPolicy")
        if options.get("orphanDependents"):
            policy = "Orphan"
        for wanted, word in (("Foreground", FOREGROUND), ("Orphan", ORPHAN)):
            if policy == wanted and word not in finalizers:
                finalizers.append(word)
        grace = deleting.grace(resource, before, options)
        waits = bool(finalizers or grace or self._has_content(resource, before))
        if dry_run:
            return before, not waits
        if not waits:
            self.store.remove(resource, before)
            return before, True
        if "deletionTimestamp" in metadata:
            if grace >= metadata.get("deletionGracePeriodSeconds", 0) and (
                finalizers == (metadata.get("finalizers") or [])
            ):
                return before, False
        elif resource.has_generation:
            metadata["generation"] += 1
        metadata["deletionTimestamp"] = now(grace)
        metadata["deletionGracePeriodSeconds"] = grace
        if finalizers:
            metadata["finalizers"] = finalizers
        after = {**before, "metadata": metadata}
        if resource.kind == "Namespace":
            after["status"] = {**before.get("status", {}), "phase": "Terminating"}
        return self.store.write(resource, after), False

    def finalize(self, given: Json) -> Json:
        """``namespaces/finalize``: replace the finalizers of a namespace."""
        resource = self.catalogue.kind("Namespace")
        before = self.get(resource, "", given["metadata"]["name"])
        spec = {**before["spec"], "finalizers": given.get("spec", {}).get("finalizers") or []}
        return self._store(resource, before, {**before, "spec": spec})

    def set_status(self, resource: Resource, found: Json, status: Json) -> Json:
        """As controllers do, set the status to ``status``; write nothing if it is that already."""
        current = self.get(resource, *_place_of(found))
        if current.get("status") == status:
            return current
        return self.store.write(resource, {**current, "status": status})

    def change(self, resource: Resource, found: Json, edit: Callable[[Json], None]) -> Json:
        """What controllers do: edit a copy of the newest state and store it if it differs."""
        current = self.get(resource, *_place_of(found))
        edited = duplicate(current)
        edit(edited)
        return self._store(resource, current, edited)

    # Steps.

    def _read(self, resource: Resource, given: Json, asked: Asked) -> Json:
        found, self.warnings = decoding.read(resource, given, asked)
        return found

    def _same_version(self, resource: Resource, before: Json, metadata: Json) -> None:
        held = before["metadata"]
        version = metadata.get("resourceVersion")
        if not version and not resource.is_unconditional:
            text = "must be specified for an update"
            cause = wrong("metadata.resourceVersion", 0, text)
            raise invalid(resource, held["name"], [cause])
        if metadata.get("uid") and metadata["uid"] != held["uid"]:
            why = (
                f"Precondition failed: UID in precondition: {metadata['uid']}, UID in object "
                f"meta: {held['uid']}"
            )
            raise conflict(resource, held["name"], why)
        if version and version != held["resourceVersion"]:
            raise conflict(resource, held["name"])

    def _replace(
        self, resource: Resource, before: Json, found: Json, asked: Asked, subresource: str
    ) -> Json:
        old, metadata = before["metadata"], found["metadata"]
        if subresource == "status":
            kept = metadata.get("managedFields")
            found = {**before, "status": found.get("status", {})}
            found["metadata"] = metadata = {**old, "managedFields": kept}
        elif "status" in resource.subresources:
            found.pop("status", None)
            if "status" in before:
                found["status"] = before["status"]
        for key in _KEPT:
            metadata.pop(key, None)
            if key in old:
                metadata[key] = old[key]
        found = duplicate(found)
        self._finish(resource, found, before)
        manager = self._manager(resource, asked, subresource)
        found["metadata"]["managedFields"] = managed.updated(
            before, found, schemas.of(resource), manager, now()
        )
        return found if asked.dry_run else self._store(resource, before, found)

    def _finish(self, resource: Resource, found: Json, before: Json | None) -> None:
        """Defaults, allocation, validation, generation."""
        if resource.kind == "Service" and before is not None:
            found.setdefault("spec", {}).setdefault("type", "ClusterIP")
            services.carry(found["spec"], before["spec"])
        defaults.fill(resource.kind, found)
        causes = validation.causes(resource, found, before)
        causes += custom_schemas.causes(resource, found)
        if resource.kind == "Service" and not causes:
            own = found["metadata"]["name"], found["metadata"]["namespace"]
            others = [
                each
                for each in self.store.all(resource)
                if (each["metadata"]["name"], each["metadata"]["namespace"]) != own
            ]
            causes = self._services.fill(found["spec"], others)
        if causes:
            raise invalid(resource, found["metadata"]["name"], causes)
        if before is not None and resource.has_generation:
            found["metadata"]["generation"] = before["metadata"]["generation"]
            if _without_meta(found) != _without_meta(before):
                found["metadata"]["generation"] += 1

    def _store(self, resource: Resource, before: Json, found: Json) -> Json:
        """Write it unless nothing differs; finish a deletion that waited for this."""
        metadata = found["metadata"]
        is_ending = "deletionTimestamp" in metadata and not metadata.get("finalizers")
        is_ending = is_ending and not metadata.get("deletionGracePeriodSeconds")
        if is_ending and not self._has_content(resource, found):
            self.store.remove(resource, before)
            return found
        if _plain(found) == _plain(before):
            return before
        return self.store.write(resource, found)

    def _apply(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        before: Json | None,
        wanted: Any,
        asked: Asked,
        subresource: str,
    ) -> tuple[Json, bool]:
        wanted = self._read(resource, wanted, asked)
        decoding.place(resource, namespace, wanted["metadata"])
        if wanted["metadata"].get("name", name) != name:
            raise bad_request(f"name in the object does not match {name}")
        wanted["metadata"]["name"] = name
        if wanted["metadata"].get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        if before is None and subresource:
            raise not_found(resource, name)
        if before is not None:
            version = wanted["metadata"].pop("resourceVersion", None)
            if version and version != before["metadata"]["resourceVersion"]:
                raise conflict(resource, name)
            uid = wanted["metadata"].pop("uid", None)
            if uid and uid != before["metadata"]["uid"]:
                raise conflict(resource, name, f"Precondition failed: UID in precondition: {uid}")
        manager = msgspec.structs.replace(
            self._manager(resource, asked, subresource), operation="Apply"
        )
        done = managed.apply(
            before, wanted, schemas.of(resource), manager, now(), force=asked.force
        )
        found = duplicate(done.found)
        found["metadata"]["managedFields"] = done.managed
        warnings = self.warnings
        if before is None:
            created = self.create(resource, namespace, found, asked)
            self.warnings = warnings
            return created, True
        if subresource == "status":
            found = {**before, "status": found.get("status", {}), "metadata": found["metadata"]}
        elif "status" in resource.subresources and "status" in before:
            found["status"] = before["status"]
        self._finish(resource, found, before)
        return (found if asked.dry_run else self._store(resource, before, found)), False

    def _manager(self, resource: Resource, asked: Asked, subresource: str) -> Manager:
        return Manager(
            name=asked.manager,
            operation="Update",
            subresource=subresource,
            api_version=resource.api_version,
        )

    def _has_content(self, resource: Resource, found: Json) -> bool:
        return resource.kind == "Namespace" and bool(found["spec"].get("finalizers"))


def now(later_s: float = 0) -> str:
    """A timestamp as the API writes it."""
    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=later_s)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _place_of(found: Json) -> tuple[str, str]:
    return found["metadata"].get("namespace", ""), found["metadata"]["name"]


def _without_meta(found: Json) -> Json:
    return {key: value for key, value in found.items() if key not in ("metadata", "status")}


def _plain(found: Json) -> Json:
    """It without what changes by writing alone."""
    metadata = dict(found["metadata"])
    metadata.pop("resourceVersion", None)
    metadata["managedFields"] = [
        {key: value for key, value in entry.items() if key != "time"}
        for entry in metadata.get("managedFields") or []
    ]
    return {**found, "metadata": {key: value for key, value in metadata.items() if value != []}}
