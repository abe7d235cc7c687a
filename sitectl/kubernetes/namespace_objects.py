"""A namespace read once, all kinds at the same time, and what its objects mean."""

from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from router.kubernetes.client.verbs import Body
from router.kubernetes.objects import names, skupper2_kinds
from router.kubernetes.objects.kinds import KINDS
from router.kubernetes.objects.objects import Object, Snapshot, name_of
from router.kubernetes.objects.picture import NamespacePicture
from router.kubernetes.skupper2 import reading as v2_reading
from router.kubernetes.translation.site_config import SiteDefaults
from router.kubernetes.translation.translate import translate
from sitectl.base.parallel import in_parallel
from sitectl.kubernetes.cluster import ApiFailure, Cluster

_TOKENS: Final = (
    f"{names.SKUPPER_TYPE} in "
    f"({names.CONNECTION_TOKEN},{names.TOKEN_CLAIM},{names.CONNECTION_TOKEN_REQUEST})"
)
_LISTED: Final = (
    ("ConfigMap", f"{names.DOCUMENTS_LABEL}={names.DOCUMENTS}"),
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
    ``refused_v2``: why the user may not.
    """

    snapshot: Snapshot
    picture: NamespacePicture
    refused: tuple[ApiFailure, ...]
    refused_v2: tuple[ApiFailure, ...] = ()


def read_namespace(cluster: Cluster) -> NamespaceReading:
    """Everything that makes documents. Failure: ConfigMaps may not be read, or no API server."""
    refused: list[ApiFailure] = []
    refused_v2: list[ApiFailure] = []
    missing: set[str] = set()
    groups: set[str] = set()  # Kinds of groups that the cluster has. Of Routes nothing else tells.

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
    picture = translate(snapshot, defaults=defaults)
    picture = v2_reading.read(picture, snapshot, defaults).picture
    return NamespaceReading(snapshot, picture, tuple(refused), tuple(refused_v2))


def _all(*work: Callable[[], list[Body]]) -> list[Body]:
    """What all of ``work`` lists, asked for at the same time."""
    found: list[list[Body]] = in_parallel(lambda run: run(), work)
    return [one for some in found for one in some]
