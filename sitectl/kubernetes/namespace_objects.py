"""A namespace read once, all kinds at the same time, and what its objects mean."""

from collections.abc import Callable
from typing import Final

import msgspec

from router.kubernetes.client.verbs import Body
from router.kubernetes.objects import names
from router.kubernetes.objects.kinds import KINDS
from router.kubernetes.objects.objects import Object, Snapshot, name_of
from router.kubernetes.objects.picture import NamespacePicture
from router.kubernetes.translation.site_config import SiteDefaults
from router.kubernetes.translation.translate import translate
from sitectl.kubernetes.cluster import ApiFailure, Cluster, in_parallel

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
_OPTIONAL: Final = ("DeploymentConfig",)
_NAMED: Final = (names.SITE_CONFIGMAP, names.SERVICES_CONFIGMAP)


class NamespaceReading(msgspec.Struct, frozen=True):
    """The objects and the picture that they make; ``refused``: why kinds are missing."""

    snapshot: Snapshot
    picture: NamespacePicture
    refused: tuple[ApiFailure, ...]


def read_namespace(cluster: Cluster) -> NamespaceReading:
    """Everything that makes documents. Failure: ConfigMaps may not be read, or no API server."""
    refused: list[ApiFailure] = []

    def listed(kind: str, selector: str) -> Callable[[], list[Body]]:
        def run() -> list[Body]:
            try:
                return cluster.list(kind, selector)
            except ApiFailure as failure:
                if failure.status not in (403, 404) or kind == "ConfigMap":
                    raise
                if kind not in _OPTIONAL:
                    refused.append(failure)
                missing.add(kind)
                return []

        return run

    def named(name: str) -> Callable[[], list[Body]]:
        def run() -> list[Body]:
            found = cluster.find("ConfigMap", name)
            return [] if found is None else [found]

        return run

    def has_routes() -> list[Body]:
        if cluster.serves(KINDS["Route"].api_version):
            ingress.append("route")
        return []

    missing: set[str] = set()
    ingress: list[str] = []  # Empty: no Routes. DeploymentConfigs tell nothing of them.
    work = [*(listed(*one) for one in _LISTED), *map(named, _NAMED), has_routes]
    objects: dict[str, dict[str, Object]] = {}
    for found in in_parallel(lambda run: run(), work):
        for one in found:
            objects.setdefault(str(one["kind"]), {})[name_of(one)] = one
    snapshot = Snapshot(cluster.namespace, objects, frozenset(missing))
    defaults = SiteDefaults(ingress=ingress[0] if ingress else "loadbalancer")
    return NamespaceReading(snapshot, translate(snapshot, defaults=defaults), tuple(refused))
