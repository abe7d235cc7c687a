"""`check` of a namespace's part in a cluster set: on or off, served, permitted, and its objects.

SW0493: whether it works, and which rule is missing; SW0490: exports that are refused. The same
code words the routers' reports, so that each finding is shown once.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from router.kubernetes.multicluster import availability, exported
from router.kubernetes.multicluster.availability import NOT_AVAILABLE, Availability
from router.kubernetes.multicluster.names import EXPORT, GROUP, IMPORT, is_ours
from router.kubernetes.objects import names
from router.kubernetes.objects.access_levels import AccessLevel
from router.kubernetes.objects.kinds import KINDS
from router.kubernetes.objects.objects import Object, Snapshot
from router.kubernetes.objects.role_rules import rule_text
from router.model.specs import SiteSpec
from router.model.wording.plural import counted
from sitectl.base.findings import Finding
from sitectl.base.parallel import in_parallel
from sitectl.kubernetes.cluster import ApiFailure, Cluster
from sitectl.kubernetes.namespace_objects import NamespaceReading, served_for_cluster_sets

_REVIEWS: Final = "apis/authorization.k8s.io/v1/namespaces/{}/localsubjectaccessreviews"
NOTHING_SERVED: Final = Availability(levels={}, may_import=False)
_EXPORTS, _IMPORTS = KINDS[EXPORT].plural, KINDS[IMPORT].plural
ROUTER_RIGHTS: Final = (
    *((plural, verb) for plural in (_EXPORTS, _IMPORTS) for verb in ("list", "watch")),
    *((f"{plural}/status", "update") for plural in (_EXPORTS, _IMPORTS)),
    *((_IMPORTS, verb) for verb in availability.WRITE_VERBS),
)
"""The rights that the router uses, as resource and verb."""


def findings(cluster: Cluster, reading: NamespaceReading) -> Iterator[Finding]:
    """Findings about the Multi-Cluster Services API here."""
    specs = (document.spec for document in reading.picture.documents)
    site = next((spec for spec in specs if isinstance(spec, SiteSpec)), None)
    if site is None:
        return
    version, plurals = served_for_cluster_sets(cluster)
    if not site.mcs:
        if plurals:
            yield Finding(
                "info",
                NOT_AVAILABLE,
                f"the Multi-Cluster Services API is off, and the cluster serves {version}: "
                "ServiceExports of this namespace do not count for this site",
                f"sitectl -n {cluster.namespace} update --mcs",
            )
        return
    known = _of_router(cluster, plurals) if plurals else NOTHING_SERVED
    if known is not None:
        for error in known.lacking():
            yield Finding(error.severity, error.code, error.message, error.hint)
    if _EXPORTS in plurals:
        yield from _objects(cluster, reading.snapshot, site, version, plurals)


def _of_router(cluster: Cluster, plurals: frozenset[str]) -> Availability | None:
    """The router's rights; None: the user may not ask for them."""
    try:
        answers: list[bool] = in_parallel(lambda right: _may(cluster, *right), ROUTER_RIGHTS)
    except ApiFailure as failure:
        if failure.status not in (403, 404):
            raise
        return None
    may = dict(zip(ROUTER_RIGHTS, answers, strict=True))
    return Availability(
        levels={
            kind: _level(may, KINDS[kind].plural)
            for kind in (EXPORT, IMPORT)
            if KINDS[kind].plural in plurals
        },
        may_import=all(may[_IMPORTS, verb] for verb in availability.WRITE_VERBS),
    )


def _may(cluster: Cluster, resource: str, verb: str) -> bool:
    asked = question(cluster.namespace, resource, verb)
    return cluster.review(_REVIEWS.format(cluster.namespace), asked).get("allowed") is True


def question(namespace: str, resource: str, verb: str) -> dict[str, Any]:
    """A LocalSubjectAccessReview: may the router of ``namespace`` do that there?"""
    plural, _, part = resource.partition("/")
    asked = {"group": GROUP, "resource": plural, "verb": verb, "namespace": namespace}
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "LocalSubjectAccessReview",
        "metadata": {"namespace": namespace},
        "spec": {
            "user": f"system:serviceaccount:{namespace}:{names.ROUTER}",
            "groups": [
                "system:serviceaccounts",
                f"system:serviceaccounts:{namespace}",
                "system:authenticated",
            ],
            "resourceAttributes": asked | ({"subresource": part} if part else {}),
        },
    }


def _level(may: Mapping[tuple[str, str], bool], plural: str) -> AccessLevel:
    if not (may[plural, "list"] and may[plural, "watch"]):
        return AccessLevel.NONE
    return AccessLevel.FULL if may[f"{plural}/status", "update"] else AccessLevel.READ


def _objects(
    cluster: Cluster, snapshot: Snapshot, site: SiteSpec, version: str, plurals: frozenset[str]
) -> Iterator[Finding]:
    """How many exports and imports there are, and which exports are refused."""
    imports = _listed(cluster, IMPORT) if _IMPORTS in plurals else []
    if EXPORT in snapshot.missing or imports is None:
        plural = _EXPORTS if EXPORT in snapshot.missing else _IMPORTS
        rule = rule_text(GROUP, plural, "list")
        yield Finding(
            "info",
            NOT_AVAILABLE,
            f"the Multi-Cluster Services API is on ({version}); you may not list {plural}, so they "
            "are not counted",
            f"Ask an administrator of the cluster for this rule: {rule}",
        )
        return
    reads = exported.read_all(snapshot, site.mcs_namespace or cluster.namespace)
    for read in reads:
        for error in read.errors:
            yield Finding(error.severity, error.code, error.message, error.hint)
    refused = sum(read.terms is None for read in reads)
    ours = sum(map(is_ours, imports))
    yield Finding(
        "ok",
        NOT_AVAILABLE,
        f"the Multi-Cluster Services API is on ({version}): {counted(len(reads), 'export')}, "
        f"{refused} of them refused; {counted(ours, 'import')} of this site"
        + (f", {len(imports) - ours} of others" if len(imports) > ours else ""),
    )


def _listed(cluster: Cluster, kind: str) -> list[Object] | None:
    """All of ``kind``; None: the person may not list them."""
    try:
        return list(cluster.list(kind))
    except ApiFailure as failure:
        if failure.status not in (403, 404):
            raise
        return None
