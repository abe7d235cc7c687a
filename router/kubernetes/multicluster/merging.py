"""All exports of one service as one: what its ServiceImport says, and where exports differ.

The owner of the name comes first (`routing.owners`), then the oldest export, then the lowest site
id. KEP-1645 knows no owners: there the oldest comes first.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec

from router.model.exports import HEADLESS, ExportedPort, ExportTerms, SiteExport

_PROPERTIES: Final[tuple[tuple[str, str, Callable[[ExportTerms], Any]], ...]] = (
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
    ("IPFamilyConflict", "ipFamilies", lambda terms: frozenset(terms.families)),
)


class MergedExport(msgspec.Struct, frozen=True, kw_only=True):
    """``terms``: of all exports together. ``first``: whose values count where they differ.

    ``reasons`` of condition ``Conflict``, in the order of the API; ``differing``: the fields.
    """

    terms: ExportTerms
    first: SiteExport
    sites: tuple[str, ...]
    reasons: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()

    @property
    def conflict(self) -> str:
        """Where the exports differ and whose values count, for people; empty: nowhere."""
        if not self.reasons:
            return ""
        why = "owns the name" if self.first.is_owner else "has the oldest export"
        who = self.first.site_name or "a site that is out of reach"
        return f"the exports differ in {', '.join(self.differing)}; those of {who} count: it {why}"


def precedence(exports: Iterable[SiteExport]) -> list[SiteExport]:
    """``exports``, the one whose values count first."""
    return sorted(exports, key=lambda one: (not one.is_owner, one.made_at_s, one.site))


def merge(exports: Sequence[SiteExport]) -> MergedExport:
    """All of ``exports``, at least one, as one. The same in whatever order they are given."""
    ordered = precedence(exports)
    first = ordered[0]
    differing = {
        reason: field
        for reason, field, value_of in _PROPERTIES
        if any(value_of(one.terms) != value_of(first.terms) for one in ordered)
    }
    if first.terms.kind == HEADLESS or "TypeConflict" in differing:
        for reason in ("SessionAffinityConflict", "SessionAffinityConfigConflict"):
            differing.pop(reason, None)  # The field means nothing for a headless service.
    if any(_as_set(one.terms) != _as_set(first.terms) for one in ordered):
        differing = {"PortConflict": "ports"} | differing
    terms = msgspec.structs.replace(first.terms, ports=union(one.terms.ports for one in ordered))
    sites = sorted({one.site_name for one in ordered if one.site_name})
    return MergedExport(
        terms=terms,
        first=first,
        sites=tuple(sites),
        reasons=tuple(differing),
        differing=tuple(differing.values()),
    )


def union(lists: Iterable[Iterable[ExportedPort]]) -> tuple[ExportedPort, ...]:
    """All ports; of two with one name, or one protocol and number, the earlier."""
    kept: list[ExportedPort] = []
    taken: set[str | tuple[str, int]] = set()
    for ports in lists:
        for port in ports:
            place = (port.protocol, port.port)
            if port.name not in taken and place not in taken:
                taken |= {port.name, place}
                kept.append(port)
    return tuple(kept)


def _as_set(terms: ExportTerms) -> frozenset[ExportedPort]:
    return frozenset(terms.ports)
