"""The kinds that are served: where, under which names, with which subresources."""

from typing import Any, Final

import msgspec

Json = dict[str, Any]
"""One object or a part of one. What the store holds is never changed in place."""


def duplicate(found: Json) -> Json:
    """A copy that shares nothing with it. `copy.deepcopy` takes ten times as long."""
    copied: Json = msgspec.json.decode(msgspec.json.encode(found))
    return copied


ALL_VERBS: Final = (
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
)


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """One kind. ``is_unconditional``: an update without resourceVersion is taken."""

    kind: str
    plural: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: tuple[str, ...] = ()
    is_unconditional: bool = True
    has_generation: bool = False

    @property
    def api_version(self) -> str:
        """As objects state it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """``deployments.apps``: as messages state it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def singular(self) -> str:
        """As discovery states it."""
        return self.kind.lower()


def _of(group: str, *resources: Resource) -> tuple[Resource, ...]:
    return tuple(msgspec.structs.replace(each, group=group) for each in resources)


_ALL, _STATUS = ("all",), ("status",)
_SCALED: Final = ("status", "scale")

CORE: Final = (
    Resource(
        kind="Namespace",
        plural="namespaces",
        namespaced=False,
        short_names=("ns",),
        subresources=("status", "finalize"),
    ),
    Resource(
        kind="Node", plural="nodes", namespaced=False, short_names=("no",), subresources=_STATUS
    ),
    Resource(kind="ConfigMap", plural="configmaps", short_names=("cm",)),
    Resource(kind="Secret", plural="secrets"),
    Resource(
        kind="Service",
        plural="services",
        short_names=("svc",),
        categories=_ALL,
        subresources=_STATUS,
    ),
    Resource(
        kind="ServiceAccount",
        plural="serviceaccounts",
        short_names=("sa",),
        subresources=("token",),
    ),
    Resource(
        kind="Pod",
        plural="pods",
        short_names=("po",),
        categories=_ALL,
        subresources=("status", "log", "exec", "eviction", "portforward"),
    ),
    Resource(kind="Event", plural="events", short_names=("ev",)),
    Resource(kind="Endpoints", plural="endpoints", short_names=("ep",)),
    Resource(kind="LimitRange", plural="limitranges", short_names=("limits",)),
    Resource(
        kind="ResourceQuota",
        plural="resourcequotas",
        short_names=("quota",),
        subresources=_STATUS,
    ),
    Resource(
        kind="PersistentVolumeClaim",
        plural="persistentvolumeclaims",
        short_names=("pvc",),
        subresources=_STATUS,
    ),
)
APPS: Final = _of(
    "apps",
    Resource(
        kind="Deployment",
        plural="deployments",
        short_names=("deploy",),
        categories=_ALL,
        subresources=_SCALED,
        has_generation=True,
    ),
    Resource(
        kind="ReplicaSet",
        plural="replicasets",
        short_names=("rs",),
        categories=_ALL,
        subresources=_SCALED,
        has_generation=True,
    ),
    Resource(
        kind="StatefulSet",
        plural="statefulsets",
        short_names=("sts",),
        categories=_ALL,
        subresources=_SCALED,
        has_generation=True,
    ),
    Resource(
        kind="DaemonSet",
        plural="daemonsets",
        short_names=("ds",),
        categories=_ALL,
        subresources=_STATUS,
        has_generation=True,
    ),
    Resource(kind="ControllerRevision", plural="controllerrevisions"),
)
OTHERS: Final = (
    *_of(
        "batch",
        Resource(
            kind="Job",
            plural="jobs",
            categories=_ALL,
            subresources=_STATUS,
            has_generation=True,
        ),
        Resource(
            kind="CronJob",
            plural="cronjobs",
            short_names=("cj",),
            categories=_ALL,
            subresources=_STATUS,
            has_generation=True,
        ),
    ),
    *_of(
        "discovery.k8s.io",
        Resource(kind="EndpointSlice", plural="endpointslices", has_generation=True),
    ),
    *_of(
        "coordination.k8s.io",
        Resource(kind="Lease", plural="leases", is_unconditional=False),
    ),
    *_of(
        "rbac.authorization.k8s.io",
        Resource(kind="Role", plural="roles"),
        Resource(kind="RoleBinding", plural="rolebindings"),
        Resource(kind="ClusterRole", plural="clusterroles", namespaced=False),
        Resource(kind="ClusterRoleBinding", plural="clusterrolebindings", namespaced=False),
    ),
    *_of(
        "networking.k8s.io",
        Resource(
            kind="NetworkPolicy",
            plural="networkpolicies",
            short_names=("netpol",),
            has_generation=True,
        ),
        Resource(
            kind="Ingress",
            plural="ingresses",
            short_names=("ing",),
            subresources=_STATUS,
            has_generation=True,
        ),
        Resource(kind="IngressClass", plural="ingressclasses", namespaced=False),
    ),
    *_of(
        "policy",
        Resource(
            kind="PodDisruptionBudget",
            plural="poddisruptionbudgets",
            short_names=("pdb",),
            subresources=_STATUS,
            is_unconditional=False,
            has_generation=True,
        ),
    ),
    *_of(
        "autoscaling",
        Resource(
            kind="HorizontalPodAutoscaler",
            plural="horizontalpodautoscalers",
            short_names=("hpa",),
            categories=_ALL,
            subresources=_STATUS,
        ),
    ),
    *_of(
        "storage.k8s.io",
        Resource(
            kind="StorageClass", plural="storageclasses", namespaced=False, short_names=("sc",)
        ),
    ),
    *_of(
        "apiextensions.k8s.io",
        Resource(
            kind="CustomResourceDefinition",
            plural="customresourcedefinitions",
            namespaced=False,
            short_names=("crd", "crds"),
            subresources=_STATUS,
            is_unconditional=False,
        ),
    ),
)
_CREATED: Final = ("create",)
REVIEWS: Final = (
    *_of(
        "authorization.k8s.io",
        Resource(
            kind="SelfSubjectAccessReview",
            plural="selfsubjectaccessreviews",
            namespaced=False,
            verbs=_CREATED,
        ),
        Resource(
            kind="SelfSubjectRulesReview",
            plural="selfsubjectrulesreviews",
            namespaced=False,
            verbs=_CREATED,
        ),
        Resource(
            kind="LocalSubjectAccessReview",
            plural="localsubjectaccessreviews",
            verbs=_CREATED,
        ),
        Resource(
            kind="SubjectAccessReview",
            plural="subjectaccessreviews",
            namespaced=False,
            verbs=_CREATED,
        ),
    ),
    *_of(
        "authentication.k8s.io",
        Resource(kind="TokenReview", plural="tokenreviews", namespaced=False, verbs=_CREATED),
        Resource(
            kind="SelfSubjectReview",
            plural="selfsubjectreviews",
            namespaced=False,
            verbs=_CREATED,
        ),
    ),
)
"""Questions: answered, never stored."""

KUBERNETES: Final = (*CORE, *APPS, *OTHERS, *REVIEWS)
OPENSHIFT: Final = (
    Resource(
        kind="Route",
        plural="routes",
        group="route.openshift.io",
        subresources=_STATUS,
        is_unconditional=False,
    ),
    Resource(
        kind="DeploymentConfig",
        plural="deploymentconfigs",
        group="apps.openshift.io",
        short_names=("dc",),
        subresources=_SCALED,
        is_unconditional=False,
        has_generation=True,
    ),
)


def custom(
    group: str, version: str, *kinds: tuple[str, str, tuple[str, ...]]
) -> tuple[Resource, ...]:
    """Custom resources with a status: kind, plural and short names of each."""
    return tuple(
        Resource(
            kind=kind,
            plural=plural,
            group=group,
            version=version,
            short_names=short,
            subresources=_STATUS,
            is_unconditional=False,
            has_generation=True,
        )
        for kind, plural, short in kinds
    )


class Catalogue:
    """The resources of one server, looked up by path and by kind.

    `terminating`: custom resources whose definition is being deleted: listed, without ``create``.
    """

    def __init__(self, resources: tuple[Resource, ...]) -> None:
        self.terminating: set[Resource] = set()
        self._set(resources)

    def _set(self, resources: tuple[Resource, ...]) -> None:
        self.resources = resources
        self._by_path = {(each.group, each.version, each.plural): each for each in resources}
        self._by_kind = {(each.api_version, each.kind): each for each in resources}
        self._by_name = {each.kind: each for each in reversed(resources)}

    def define(self, resources: tuple[Resource, ...]) -> None:
        """Serve further resources, as after a CustomResourceDefinition was established."""
        known = tuple(each for each in self.resources if each not in resources)
        self._set((*known, *resources))

    def undefine(self, resources: tuple[Resource, ...]) -> None:
        """Serve them no longer."""
        self.terminating -= set(resources)
        self._set(tuple(each for each in self.resources if each not in resources))

    def verbs(self, resource: Resource) -> list[str]:
        """What discovery says that may be done with it."""
        if resource not in self.terminating:
            return list(resource.verbs)
        return ["delete", "deletecollection", "get", "list", "watch"]

    def at(self, group: str, version: str, plural: str) -> Resource | None:
        """The resource that is served under that path."""
        return self._by_path.get((group, version, plural))

    def of(self, api_version: str, kind: str) -> Resource | None:
        """What an object says that it is."""
        return self._by_kind.get((api_version, kind))

    def kind(self, kind: str) -> Resource:
        """By kind alone, for tests. KeyError: not served."""
        return self._by_name[kind]
