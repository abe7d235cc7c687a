"""The wanted status of each ServiceExport. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from router.kubernetes.multicluster import conditions
from router.kubernetes.multicluster.exported import ReadExport
from router.kubernetes.multicluster.import_objects import not_carried
from router.kubernetes.multicluster.merging import MergedExport
from router.kubernetes.multicluster.names import EXPORT
from router.kubernetes.objects.conditions import Condition
from router.kubernetes.objects.findings import ObjectFindings
from router.kubernetes.objects.objects import name_of, section
from router.model.errors import ConfigError
from router.model.ids import ServiceKey
from router.model.messages.exports import HEADLESS, ExportTerms
from router.model.wording.plural import counted

CONFLICT: Final = "SW0491"


def statuses(
    reads: Iterable[ReadExport],
    merged: Mapping[str, MergedExport],
    inner: Collection[ServiceKey],
    now: str,
) -> conditions.ReportedStatuses:
    """Statuses by kind and name.

    ``inner``: service ports that are carried here; ``now``: RFC 3339.
    """
    return {
        (EXPORT, name_of(read.found)): {
            **section(read.found, "status"),
            "conditions": conditions.listed(
                read.found, _conditions(read, merged.get(read.name), inner), now
            ),
        }
        for read in reads
        if read.valid is not None
    }


def findings(
    reads: Iterable[ReadExport], merged: Mapping[str, MergedExport]
) -> Iterator[ConfigError]:
    """A finding for each ServiceExport that differs from those of other sites."""
    for read in reads:
        one = merged.get(read.name)
        if read.terms is not None and one is not None and one.conflict:
            noted = ObjectFindings(f"ServiceExport/{read.terms.service}")
            hint = "Give the Services of all exporting sites the same spec"
            noted.add("status.conditions", one.conflict, hint, CONFLICT, "warning")
            yield from noted.errors


def _conditions(
    read: ReadExport, merged: MergedExport | None, inner: Collection[ServiceKey]
) -> Iterator[Condition]:
    assert read.valid is not None, "another controller reports on it"
    yield read.valid
    if read.terms is None:
        reason = read.errors[0].reason if read.errors else "it is not valid"
        yield _condition("Ready", False, "Failed", f"nothing is exported: {reason}")
        return
    if merged is None:
        yield _condition("Ready", False, "Pending", "it is being announced")
        return
    yield _condition("Ready", True, "Exported", _exported(read, read.terms, inner))
    if merged.reasons:
        yield _condition("Conflict", True, ",".join(merged.reasons), merged.conflict)
    else:
        yield _condition("Conflict", False, "NoConflicts", "all exports agree")


def _exported(read: ReadExport, terms: ExportTerms, inner: Collection[ServiceKey]) -> str:
    carried = {key.port for key in inner if key.name == read.name}
    lacking = not_carried(terms.ports, carried)
    return f"known to the network as service {read.name}{_pods(read, terms)}{lacking}"


def _pods(read: ReadExport, terms: ExportTerms) -> str:
    if terms.kind != HEADLESS:
        return ""
    if not terms.pods:
        why = f"no StatefulSet has serviceName {terms.service}"
        return f"; its pods have no names in other clusters: {why}"
    more = f", {read.unnamed} more have none" if read.unnamed else ""
    return f"; {counted(len(terms.pods), 'pod')} with a name in other clusters{more}"


def _condition(type_: str, is_true: bool, reason: str, message: str) -> Condition:
    return conditions.condition(type_, is_true=is_true, reason=reason, message=message)
