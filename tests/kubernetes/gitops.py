"""Apply, heal and prune a namespace as a GitOps tool, Argo CD, does, over and over.

It applies each object that differs from its manifests (``server_side``, else as ``kubectl apply``
by the annotation with the last applied object), marks each object, and deletes objects that carry
its mark and are not in its manifests (any more). It never touches an object that a controller owns.
"""

import copy
import json
from typing import Any, Final

import yaml

from tests.kubernetes.client import raw
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.resources import Json

LABEL: Final = "app.kubernetes.io/instance"
ANNOTATION: Final = "argocd.argoproj.io/tracking-id"
LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
MANAGER: Final = "argocd-controller"
_PRUNED_KINDS: Final = (
    "ConfigMap",
    "Secret",
    "Service",
    "ServiceAccount",
    "Deployment",
    "StatefulSet",
    "Role",
    "RoleBinding",
    "EndpointSlice",
    "Lease",
)
_SYSTEM: Final = ("kube-root-ca.crt", "default")


class GitOps:
    """One application: the manifests of one namespace. ``mark``: `LABEL` or `ANNOTATION`.

    ``ignored``: paths that it does not compare (``ignoreDifferences``): ``Service/spec/selector``.
    """

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        *,
        server_side: bool = True,
        mark: str = LABEL,
        ignored: tuple[str, ...] = (),
    ) -> None:
        self.cluster, self.namespace = cluster, namespace
        self.desired: dict[tuple[str, str], Json] = {}
        self.pruned: list[tuple[str, str]] = []
        self.written: list[tuple[str, str]] = []
        self._server_side, self._mark, self._ignored = server_side, mark, ignored
        self._http = raw(cluster)

    def close(self) -> None:
        """End its connections."""
        self._http.close()

    def want(self, *manifests: str | Json) -> None:
        """Commit manifests."""
        for text in manifests:
            found = yaml.safe_load_all(text) if isinstance(text, str) else [copy.deepcopy(text)]
            for each in found:
                each["metadata"]["namespace"] = self.namespace
                place = "labels" if self._mark == LABEL else "annotations"
                each["metadata"].setdefault(place, {})[self._mark] = self._id(each)
                self.desired[each["kind"], each["metadata"]["name"]] = each

    def drop(self, kind: str, name: str) -> None:
        """Remove a manifest."""
        del self.desired[kind, name]

    def sync(self) -> int:
        """One reconcile; how many objects it wrote or deleted."""
        before = len(self.written) + len(self.pruned)
        for found in self.desired.values():
            self._apply(found)
        self._prune()
        return len(self.written) + len(self.pruned) - before

    def _id(self, found: Json) -> str:
        group = found["apiVersion"].rpartition("/")[0]
        name = found["metadata"]["name"]
        if self._mark == LABEL:
            return f"{self.namespace}-app"
        return f"{self.namespace}-app:{group}/{found['kind']}:{self.namespace}/{name}"

    def _apply(self, wanted: Json) -> None:
        kind, name = wanted["kind"], wanted["metadata"]["name"]
        live = self.cluster.get(kind, name, self.namespace)
        given = self._without_ignored(wanted, live)
        last = self._last(live)
        if live is not None and _holds(live, given) and not _gone(last, given, live):
            return
        path = self.cluster.catalogue.kind(kind)
        if self._server_side:
            answer = self._http.patch(
                f"{self._path(path)}/{name}?fieldManager={MANAGER}&force=true",
                content=json.dumps(given),
                headers={"Content-Type": "application/apply-patch+yaml"},
            )
        else:
            patch = {**given, **_gone(last, given, live or {})}
            notes = {**given["metadata"].get("annotations", {}), LAST_APPLIED: json.dumps(given)}
            patch = {**patch, "metadata": {**given["metadata"], "annotations": notes}}
            answer = (
                self._http.post(self._path(path), json=patch)
                if live is None
                else self._http.patch(
                    f"{self._path(path)}/{name}",
                    content=json.dumps(patch),
                    headers={"Content-Type": "application/merge-patch+json"},
                )
            )
        assert answer.status_code < 300, f"{kind}/{name}: {answer.text}"
        if live is None or answer.json()["metadata"]["resourceVersion"] != _version(live):
            self.written.append((kind, name))

    def _path(self, resource: Any) -> str:
        base = f"/apis/{resource.group}" if resource.group else "/api"
        return f"{base}/{resource.version}/namespaces/{self.namespace}/{resource.plural}"

    def _without_ignored(self, wanted: Json, live: Json | None) -> Json:
        """Fields that are not compared are applied as they are (``RespectIgnoreDifferences``)."""
        found = copy.deepcopy(wanted)
        for path in self._ignored:
            kind, *steps = path.split("/")
            if kind != wanted["kind"] or live is None:
                continue
            place: Any = found
            for step in steps[:-1]:
                place = place.get(step, {})
            place.pop(steps[-1], None)
        return found

    def _last(self, live: Json | None) -> Json:
        notes = (live or {}).get("metadata", {}).get("annotations") or {}
        found: Json = json.loads(notes.get(LAST_APPLIED, "{}"))
        return found

    def _prune(self) -> None:
        for kind in _PRUNED_KINDS:
            for found in self.cluster.list(kind, self.namespace):
                metadata = found["metadata"]
                key = (kind, metadata["name"])
                if metadata["name"] in _SYSTEM or metadata.get("ownerReferences"):
                    continue
                if key not in self.desired and self._is_tracked(found):
                    self.cluster.delete(kind, metadata["name"], self.namespace)
                    self.pruned.append(key)

    def _is_tracked(self, found: Json) -> bool:
        marks = found["metadata"].get("labels" if self._mark == LABEL else "annotations") or {}
        return bool(marks.get(self._mark) == self._id(found))


def _version(found: Json) -> str:
    return str(found["metadata"]["resourceVersion"])


def _holds(live: Any, wanted: Any) -> bool:
    """Whether everything of ``wanted`` is so; lists element by element, more fields are allowed."""
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(
            _holds(live.get(key), value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(live, list)
            and len(live) == len(wanted)
            and all(_holds(*pair) for pair in zip(live, wanted, strict=True))
        )
    return bool(live == wanted)


def _gone(last: Json, wanted: Json, live: Json) -> Json:
    """Nulls for fields that were applied last, are not wanted any more and are still there."""
    patch: Json = {}
    for key, value in last.items():
        if key in ("annotations", "labels") or isinstance(value, dict):
            inner = _gone(value, wanted.get(key) or {}, live.get(key) or {})
            if inner:
                patch[key] = inner
        elif key not in wanted and key in live:
            patch[key] = None
    return patch
