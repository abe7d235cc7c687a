"""A cluster that reads and does not write: what would be written is noted for `--dry-run`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from router.kubernetes.client.api_calls import ApiAnswer
from router.kubernetes.client.errors import refused
from router.kubernetes.client.verbs import Body
from router.kubernetes.objects import names
from router.kubernetes.objects.changes import difference, merged
from router.kubernetes.objects.objects import Object, labels, name_of, shown
from sitectl.base.options import Planned
from sitectl.kubernetes.cluster import Cluster, Executed

_SET_BY_THE_API = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "uid")


class DryCluster(Cluster):
    """Reads through ``cluster``; adds changes to ``planned``, and shows them when asked again."""

    def __init__(self, cluster: Cluster, planned: list[Planned]) -> None:
        super().__init__(cluster.namespace)
        self._cluster, self._planned = cluster, planned
        self._after: dict[tuple[str, str], Body | None] = {}
        self._places: dict[tuple[str, str], int] = {}  # In ``planned``.

    def call(
        self, method: str, path: str, body: object = None, content_type: str = ""
    ) -> ApiAnswer:
        """Only what changes nothing comes here: reading, and asking for rights."""
        return self._cluster.call(method, path, body, content_type)

    def execute(self, pod: str, container: str, command: Sequence[str]) -> Executed:
        """Asking a router is reading."""
        return self._cluster.execute(pod, container, command)

    def follow(self, pod: str, container: str, command: Sequence[str]) -> Iterator[bytes]:
        """Asking a router is reading."""
        return self._cluster.follow(pod, container, command)

    def get(self, kind: str, name: str) -> Body:
        """The object as it would be by now."""
        if (kind, name) not in self._after:
            return super().get(kind, name)
        found = self._after[kind, name]
        if found is None:
            raise self.refusal(refused(404, b"{}"), kind, "get", name)
        return found

    def create(self, made: Object) -> Body:
        """Note it. Failure 409: it exists."""
        if self.find(str(made["kind"]), name_of(made)) is not None:
            raise self.refusal(refused(409, b"{}"), str(made["kind"]), "create", name_of(made))
        return self._note("created", made)

    def replace(self, whole: Object) -> Body:
        """Note it."""
        return self._note("updated", whole)

    def patch(self, kind: str, name: str, changes: Mapping[str, Any]) -> Body:
        """Note the object as it would be. Failure 404: there is none."""
        before = self.get(kind, name)
        after = merged(before, changes)
        return self._note("updated", after) if difference(before, after) else dict(before)

    def apply(self, wanted: Object, *, force: bool = True) -> Body:
        """Note it as it was given."""
        return self._note("applied", wanted)

    def delete(self, kind: str, name: str, uid: str = "") -> bool:
        """Note it."""
        found = self.find(kind, name)
        if found is not None:
            self._note("deleted", found)
        return found is not None

    def _note(self, change: str, body: Object) -> Body:
        """Each object once, as it would be in the end."""
        key = str(body["kind"]), name_of(body)
        self._after[key] = None if change == "deleted" else dict(body)
        place = self._places.setdefault(key, len(self._planned))
        if place < len(self._planned):
            change = self._planned[place].change if change == "updated" else change
            del self._planned[place]
        told = self._told(body) if _may_be_shown(change, body) else {}
        self._planned.insert(place, Planned(change, shown(body), told))
        return dict(body)

    def _told(self, body: Object) -> dict[str, Any]:
        head = body.get("metadata") or {}
        kept = {key: value for key, value in head.items() if key not in _SET_BY_THE_API}
        kept.setdefault("namespace", self.namespace)
        return {key: value for key, value in body.items() if key != "status"} | {"metadata": kept}


def _may_be_shown(change: str, body: Object) -> bool:
    """Whether the content may be printed. Keys of the site and random values may not.

    Neither would be useful: the next run makes others.
    """
    if body["kind"] != "Secret":
        return change != "deleted"
    return change in ("created", "applied") and names.TYPE_LABEL not in labels(body)
