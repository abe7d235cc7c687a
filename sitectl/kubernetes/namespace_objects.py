"""A namespace, read once with all kinds at the same time, and its documents."""

from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from router.kubernetes.client.verbs import Body
from router.kubernetes.codecs import identity
from router.kubernetes.codecs.secrets import SecretError
from router.kubernetes.multicluster import exported
from router.kubernetes.multicluster.names import API_VERSION, EXPORT, IMPORT, OLDER_VERSION
from router.kubernetes.objects import names, skupper2_kinds
from router.kubernetes.objects.kinds import KINDS
from router.kubernetes.objects.objects import Object, Snapshot, name_of
from router.kubernetes.objects.picture import NamespacePicture
from router.kubernetes.skupper2 import reading as v2_reading
from router.kubernetes.translation.site_config import SiteDefaults
from router.kubernetes.translation.translate import translate
from router.model.specs import SiteSpec
from sitectl.base.parallel import in_parallel
from sitectl.kubernetes.cluster import ApiFailure, Cluster

_TOKENS: Final = (
    f"{names.SKUPPER_TYPE} in "
    f"({names.CONNECTION_TOKEN},{names.TOKEN_CLAIM},{names.CONNECTION_TOKEN_REQUEST})"
)
_LISTED: Final = (
    ("ConfigMap", names.DOCUMENTS_LABEL),
    ("Secret", _TOKENS),
    ("Service", ""),
    ("Deployment", ""),
    ("StatefulSet", ""),
    ("DaemonSet", ""),
    ("DeploymentConfig", ""),
)
_OPTIONAL: Final = ("DeploymentConfig", *skupper2_kinds.KINDS)
_GROUPS: Final = ("Route", "Site")
"""Kinds that say whether the cluster has their group: OpenShift's, Skupper v2's."""
_NAMED: Final = (names.SITE_CONFIGMAP, names.SERVICES_CONFIGMAP)


class NamespaceReading(msgspec.Struct, frozen=True):
    """The objects and the picture that they make; ``refused``: why kinds are missing.

    Kinds of Skupper v2 are in it where the cluster has them and the user may read them;
    ``refused_v2``: why the user may not. So are ServiceExports, at a site in a cluster set.
    ``site_id``: empty: the site has no identity yet, or one that cannot be read.
    """

    snapshot: Snapshot
    picture: NamespacePicture
    refused: tuple[ApiFailure, ...]
    refused_v2: tuple[ApiFailure, ...] = ()
    site_id: str = ""


def read_namespace(cluster: Cluster) -> NamespaceReading:
    """Everything that makes documents. Failure: ConfigMaps may not be read, or no API server."""
    refused: list[ApiFailure] = []
    refused_v2: list[ApiFailure] = []
    missing: set[str] = set()
    groups: set[str] = set()  # Kinds of groups that the cluster has: the only sign of Routes.

    def listed(kind: str, selector: str = "") -> list[Body]:
        try:
            return cluster.list(kind, selector)
        except ApiFailure as failure:
            if failure.status not in (403, 404) or kind == "ConfigMap":
                raise
            if kind not in _OPTIONAL:
                refused.append(failure)
            elif kind in skupper2_kinds.KINDS and failure.status == 403:
                refused_v2.append(failure)
            missing.add(kind)
            return []

    def named(name: str) -> list[Body]:
        found = cluster.find("ConfigMap", name)
        return [] if found is None else [found]

    def served(kind: str) -> list[Body]:
        if cluster.serves(KINDS[kind].api_version):
            groups.add(kind)
        return []

    found = _all(
        partial(_identity, cluster),
        *(partial(listed, *one) for one in _LISTED),
        *(partial(named, name) for name in _NAMED),
        *(partial(served, kind) for kind in _GROUPS),
    )
    if "Site" in groups:
        of_v2 = (partial(listed, kind) for kind in skupper2_kinds.KINDS)
        found += _all(partial(named, names.SKUPPER_CONTROL), *of_v2)
    objects: dict[str, dict[str, Object]] = {}
    for one in found:
        objects.setdefault(str(one["kind"]), {})[name_of(one)] = one
    snapshot = Snapshot(cluster.namespace, objects, frozenset(missing))
    defaults = SiteDefaults(ingress="route" if "Route" in groups else "loadbalancer")
    site_id = _site_id(snapshot)
    picture = translate(snapshot, site_id, defaults=defaults)
    picture = v2_reading.read(picture, snapshot, defaults).picture
    site = next((d.spec for d in picture.documents if isinstance(d.spec, SiteSpec)), None)
    if site is not None and site.mcs:
        snapshot = _with_exports(cluster, snapshot)
        place = site.mcs_namespace or cluster.namespace
        of_exports = (d for read in exported.read_all(snapshot, place) for d in read.documents)
        documents = (*picture.documents, *of_exports)
        picture = msgspec.structs.replace(picture, documents=documents)
    return NamespaceReading(snapshot, picture, tuple(refused), tuple(refused_v2), site_id)


def _identity(cluster: Cluster) -> list[Body]:
    try:
        found = cluster.find("Secret", names.IDENTITY_SECRET)
    except ApiFailure as failure:
        if failure.status != 403:
            raise
        return []  # The refusal includes Secrets.
    return [] if found is None else [found]


def _site_id(snapshot: Snapshot) -> str:
    """Of the site, by its identity; empty: it has none yet, or one that cannot be read."""
    found = snapshot.get("Secret", names.IDENTITY_SECRET)
    try:
        return "" if found is None else identity.site_id(found)
    except SecretError:  # `check` says so.
        return ""


def _with_exports(cluster: Cluster, snapshot: Snapshot) -> Snapshot:
    """``snapshot`` with the ServiceExports, which are missing from it if the user may not list
    them."""
    version, plurals = served_for_cluster_sets(cluster)
    if KINDS[EXPORT].plural not in plurals:
        return snapshot
    cluster.use_version(version)
    objects, missing = dict(snapshot.objects), snapshot.missing
    try:
        objects[EXPORT] = {name_of(one): one for one in cluster.list(EXPORT)}
    except ApiFailure as failure:
        if failure.status not in (403, 404):
            raise
        missing |= {EXPORT}
    return Snapshot(snapshot.namespace, objects, missing)


def served_for_cluster_sets(cluster: Cluster) -> tuple[str, frozenset[str]]:
    """The version that routers use, and the plurals of the Multi-Cluster Services API's kinds that
    the cluster serves in it."""
    plurals = frozenset(KINDS[kind].plural for kind in (EXPORT, IMPORT))
    found = [
        (version, plurals & cluster.creatable(version)) for version in (API_VERSION, OLDER_VERSION)
    ]
    return max(found, key=lambda each: len(each[1]))


def _all(*work: Callable[[], list[Body]]) -> list[Body]:
    """The objects that all of ``work`` lists, at the same time."""
    found: list[list[Body]] = in_parallel(lambda run: run(), work)
    return [one for some in found for one in some]
