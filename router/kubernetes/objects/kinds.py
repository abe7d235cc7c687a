"""The kinds in use, and where the API serves them."""

from typing import Final

import msgspec


class KindInfo(msgspec.Struct, frozen=True):
    """``api_version`` as in objects (``apps/v1``), ``plural`` as in paths."""

    kind: str
    api_version: str
    plural: str


KINDS: Final = {
    info.kind: info
    for info in (
        KindInfo("Namespace", "v1", "namespaces"),
        KindInfo("ConfigMap", "v1", "configmaps"),
        KindInfo("Secret", "v1", "secrets"),
        KindInfo("Service", "v1", "services"),
        KindInfo("ServiceAccount", "v1", "serviceaccounts"),
        KindInfo("Pod", "v1", "pods"),
        KindInfo("Event", "v1", "events"),
        KindInfo("EndpointSlice", "discovery.k8s.io/v1", "endpointslices"),
        KindInfo("Deployment", "apps/v1", "deployments"),
        KindInfo("StatefulSet", "apps/v1", "statefulsets"),
        KindInfo("DaemonSet", "apps/v1", "daemonsets"),
        KindInfo("DeploymentConfig", "apps.openshift.io/v1", "deploymentconfigs"),
        KindInfo("Lease", "coordination.k8s.io/v1", "leases"),
        KindInfo("Role", "rbac.authorization.k8s.io/v1", "roles"),
        KindInfo("RoleBinding", "rbac.authorization.k8s.io/v1", "rolebindings"),
        KindInfo("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies"),
        KindInfo("Ingress", "networking.k8s.io/v1", "ingresses"),
        KindInfo("PodDisruptionBudget", "policy/v1", "poddisruptionbudgets"),
        KindInfo("HTTPProxy", "projectcontour.io/v1", "httpproxies"),
        KindInfo("Route", "route.openshift.io/v1", "routes"),
        KindInfo("Site", "skupper.io/v2alpha1", "sites"),
        KindInfo("Link", "skupper.io/v2alpha1", "links"),
        KindInfo("AccessGrant", "skupper.io/v2alpha1", "accessgrants"),
        KindInfo("AccessToken", "skupper.io/v2alpha1", "accesstokens"),
        KindInfo("RouterAccess", "skupper.io/v2alpha1", "routeraccesses"),
        KindInfo("Listener", "skupper.io/v2alpha1", "listeners"),
        KindInfo("Connector", "skupper.io/v2alpha1", "connectors"),
        KindInfo("MultiKeyListener", "skupper.io/v2alpha1", "multikeylisteners"),
        KindInfo("AttachedConnector", "skupper.io/v2alpha1", "attachedconnectors"),
        KindInfo("AttachedConnectorBinding", "skupper.io/v2alpha1", "attachedconnectorbindings"),
        KindInfo("ServiceExport", "multicluster.x-k8s.io/v1beta1", "serviceexports"),
        KindInfo("ServiceImport", "multicluster.x-k8s.io/v1beta1", "serviceimports"),
        KindInfo(
            "SelfSubjectAccessReview",
            "authorization.k8s.io/v1",
            "selfsubjectaccessreviews",
        ),
    )
}
