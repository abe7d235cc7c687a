"""Making objects so: only what differs is written."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from router.kubernetes.objects import texts
from router.kubernetes.objects.objects import Object, name_of, version_of
from sitectl.base.parallel import in_parallel
from sitectl.kubernetes.cluster import Cluster
from sitectl.kubernetes.planned import DryCluster
from sitectl.site.site import Change

_QUANTITIES: Final = frozenset({"cpu", "memory"})


def covers(found: object, wanted: object) -> bool:
    """Whether ``found`` contains ``wanted``; further content of ``found`` does not count.

    API servers normalize quantities: 1000m is 1.
    """
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(
            key in found
            and (
                covers(found[key], value)
                or (key in _QUANTITIES and _is_same_amount(found[key], value))
            )
            for key, value in wanted.items()
        )
    if isinstance(wanted, list | tuple):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(covers(one, other) for one, other in zip(found, wanted, strict=True))
        )
    return found == wanted


def _is_same_amount(one: object, other: object) -> bool:
    amount = texts.amount(str(one))
    return amount is not None and amount == texts.amount(str(other))


def make_so(cluster: Cluster, wanted: Iterable[Object]) -> list[tuple[Object, Change]]:
    """Apply objects in their order but those that are so already; a dry run notes them all."""
    objects = list(wanted)

    def look(one: Object) -> dict[str, Any] | None:
        return cluster.find(str(one["kind"]), name_of(one))

    found: list[dict[str, Any] | None] = in_parallel(look, objects)
    changes: list[tuple[Object, Change]] = []
    for one, before in zip(objects, found, strict=True):
        change: Change = "created" if before is None else "updated"
        if before is not None and covers(before, one) and not isinstance(cluster, DryCluster):
            change = "unchanged"
        else:
            after = cluster.apply(one)
            if before is not None and version_of(after) == version_of(before) != "":
                change = "unchanged"  # The API writes some values otherwise.
        changes.append((one, change))
    return changes
