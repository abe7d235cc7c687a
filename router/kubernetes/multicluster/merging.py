"""All exports of one service as one: the content of its ServiceImport, and conflicts.

The owner of the name comes first (`routing.owners`), then the oldest export, then the lowest site
id. KEP-1645 knows no owners: there the oldest comes first.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec

from router.kubernetes.multicluster.named_pods import NamedPod, clusters_of, named_pods
from router.model.ids import SiteId
from router.model.messages.exports import HEADLESS, ExportedPort, ExportTerms, SiteExport

_PROPERTIES: Final[tuple[tuple[str, str, Callable[[ExportTerms], Any]], ...]] = (
    ("PortConflict", "ports", lambda terms: frozenset(terms.ports)),
    ("TypeConflict", "type", lambda terms: terms.kind),
    ("SessionAffinityConflict", "sessionAffinity", lambda terms: terms.affinity),
    ("SessionAffinityConfigConflict", "sessionAffinityConfig", lambda t: t.affinity_timeout_s),
    ("AnnotationsConflict", "exportedAnnotations", lambda terms: terms.annotations),
    ("LabelsConflict", "exportedLabels", lambda terms: terms.labels),
    (
        "InternalTrafficPolicyConflict",
        "internalTrafficPolicy",
        lambda terms: terms.internal_traffic_policy,
    ),
    ("TrafficDistributionConflict", "trafficDistribution", lambda t: t.traffic_distribution),
)
"""Without ``ipFamilies``: routers lead to every backend whatever family a client uses.

So exports of different families are no conflict (KEP-1645, Importing Services).
"""

_FIELDS: Final = {reason: field for reason, field, _ in _PROPERTIES}
_OF_AFFINITY: Final = frozenset(("SessionAffinityConflict", "SessionAffinityConfigConflict"))


class MergedExport(msgspec.Struct, frozen=True, kw_only=True):
    """``terms``: of all exports together. ``first``: its values count where exports differ.

    ``reasons`` of condition ``Conflict``, in the order of the API; ``differing``: the fields.
    ``disagreeing``: how many exports differ from the first.
    """

    terms: ExportTerms
    first: SiteExport
    exports: tuple[SiteExport, ...]
    reasons: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()
    disagreeing: int = 0

    @property
    def clusters(self) -> dict[SiteId, str]:
        """The ids of reachable exporting clusters."""
        return clusters_of(self.exports)

    def pods(self, name: str) -> list[NamedPod]:
        """Named pods, if the service is headless. ``name``: the network's."""
        return named_pods(name, self.exports) if self.terms.kind == HEADLESS else []

    @property
    def conflict(self) -> str:
        """Differences of the exports and whose values count, human-readable; empty: none."""
        if not self.reasons:
            return ""
        why = "owns the name" if self.first.is_owner else "has the oldest export"
        who = self.first.site_name or "a site that is out of reach"
        verb = "disagrees" if self.disagreeing == 1 else "disagree"
        told = f"{', '.join(self.differing)} ({self.disagreeing} of {len(self.exports)} {verb})"
        return f"the exports differ in {told}; those of {who} count: it {why}"


def precedence(exports: Iterable[SiteExport]) -> list[SiteExport]:
    """``exports``, ordered; the values of the first one count."""
    return sorted(exports, key=lambda one: (not one.is_owner, one.made_at_s, one.site))


def merge(exports: Sequence[SiteExport]) -> MergedExport:
    """All of ``exports``, at least one, as one; their order does not matter."""
    ordered = precedence(exports)
    first = ordered[0]
    each = [_differing(first.terms, one.terms) for one in ordered]
    differing = {
        reason: field for reason, field in _FIELDS.items() if any(reason in one for one in each)
    }
    if "TypeConflict" in differing:  # One of them is headless: affinity has no meaning there.
        for reason in _OF_AFFINITY:
            differing.pop(reason, None)
    terms = msgspec.structs.replace(first.terms, ports=union(one.terms.ports for one in ordered))
    return MergedExport(
        terms=terms,
        first=first,
        exports=tuple(ordered),
        reasons=tuple(differing),
        differing=tuple(differing.values()),
        disagreeing=sum(not one.isdisjoint(differing) for one in each),
    )


def union(lists: Iterable[Iterable[ExportedPort]]) -> tuple[ExportedPort, ...]:
    """All ports; of two with equal name, or equal protocol and number, the earlier."""
    kept: list[ExportedPort] = []
    taken: set[str | tuple[str, int]] = set()
    for ports in lists:
        for port in ports:
            place = (port.protocol, port.port)
            if port.name not in taken and place not in taken:
                taken |= {port.name, place}
                kept.append(port)
    return tuple(kept)


def _differing(first: ExportTerms, other: ExportTerms) -> frozenset[str]:
    """Reasons for which ``other`` conflicts with ``first``."""
    found = {reason for reason, _, value_of in _PROPERTIES if value_of(first) != value_of(other)}
    if first.kind == HEADLESS:
        found -= _OF_AFFINITY
    return frozenset(found)
