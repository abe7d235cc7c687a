"""Snapshots of a namespace, with objects as the store keeps them: no test sees dropped fields."""

from collections.abc import Mapping
from typing import Any

from router.kubernetes.objects.objects import NO_NAMESPACES, Object, OtherNamespace, Snapshot
from router.kubernetes.store.selections import SELECTIONS, whole

_KEEP = {one.kind: one.keep for one in SELECTIONS}


def kept(found: Object) -> Any:
    """``found`` without what the store drops."""
    return _KEEP.get(str(found.get("kind", "")), whole)(dict(found))


def seen(
    namespace: str,
    objects: Mapping[str, Mapping[str, Object]],
    missing: frozenset[str] = frozenset(),
    others: Mapping[str, OtherNamespace] = NO_NAMESPACES,
) -> Snapshot:
    """The snapshot of a namespace that has these ``objects``, by kind, then by name."""
    known = {
        kind: {name: kept(one) for name, one in named.items()} for kind, named in objects.items()
    }
    return Snapshot(namespace, known, missing, others)
