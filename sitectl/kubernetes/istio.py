"""Traffic of a site that an Istio mesh refuses: links from other sites, and calls to pods.

Links come from outside the mesh, and routers call pods by their addresses, which a mesh takes for
plain connections. Where mutual TLS of the mesh is STRICT both end at the proxy beside the
application. Which PeerAuthentication counts: of the workload, else of the namespace, else of the
mesh (https://istio.io/latest/docs/reference/config/security/peer_authentication/).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from router.kubernetes.manifests.parts import own_labels
from router.kubernetes.objects.addresses import LINK_PORT
from router.kubernetes.objects.names import COMPONENT_ROUTER
from router.kubernetes.objects.objects import labels, name_of, part
from router.kubernetes.objects.picture import SiteOptions
from sitectl.base.findings import Finding
from sitectl.base.parallel import in_parallel
from sitectl.kubernetes.cluster import Cluster

CODE: Final = "SW0464"
_VERSIONS: Final = ("security.istio.io/v1", "security.istio.io/v1beta1")
_ROOT: Final = "istio-system"
_IN: Final = "traffic.sidecar.istio.io/excludeInboundPorts"
_OUT: Final = "traffic.sidecar.istio.io/excludeOutboundPorts"
_INJECT: Final = "sidecar.istio.io/inject"
_MEMBER: Final = "security.istio.io/tlsMode=istio"
"""Label of pods that have the mesh's proxy, set when it is injected."""
_SHOWN_MAX: Final = 3

Policy = Mapping[str, Any]


def findings(
    cluster: Cluster, options: SiteOptions | None = None, *, has_targets: bool = False
) -> Iterator[Finding]:
    """Warnings with the annotation to set; none where there is no Istio or nothing is STRICT.

    ``options`` None: before `init`. ``has_targets``: pods are targets of this site.
    """
    own, root = in_parallel(lambda place: _policies(cluster, place), (cluster.namespace, _ROOT))
    if own is None and not root:
        return
    marks = {**own_labels(COMPONENT_ROUTER), **(options.labels if options is not None else {})}
    policy = _that_counts(own or [], root or [], marks)
    if policy is None and root is None:
        yield Finding(
            "info",
            CODE,
            f"Istio is there, and whether all of it is STRICT cannot be seen: {_ROOT} is closed to "
            "you",
            f"If links end at once: {_advice()}",
        )
    if policy is None or _mode(policy) != "STRICT":
        return
    shown = f"PeerAuthentication {part(policy, 'metadata', 'namespace') or ''}/{name_of(policy)}"
    if not _is_out_of_mesh(options) and _port_mode(policy) in ("", "UNSET", "STRICT"):
        yield Finding(
            "warning",
            CODE,
            f"{shown} is STRICT: where routers have the mesh's proxy, links of other sites end "
            "at it",
            _advice(),
        )
    if has_targets:
        yield from _targets(cluster, shown)


def _advice() -> str:
    return (
        "sitectl update --router-pod-annotations "
        f"{_IN}={LINK_PORT},{_OUT}={LINK_PORT} (router-pod-annotations of ConfigMap/skupper-site), "
        f"or {_INJECT}=false there, to keep routers out of the mesh"
    )


def _targets(cluster: Cluster, shown: str) -> Iterator[Finding]:
    members = [
        name_of(pod)
        for pod in cluster.list("Pod", _MEMBER)
        if not own_labels(COMPONENT_ROUTER).items() <= labels(pod).items()
    ]
    if members:
        more = f" and {len(members) - _SHOWN_MAX} more" if len(members) > _SHOWN_MAX else ""
        yield Finding(
            "warning",
            CODE,
            f"{shown} is STRICT: pods of the mesh ({', '.join(members[:_SHOWN_MAX])}{more}) "
            "refuse routers, which call pods directly",
            f"In the pod template of each target: annotation {_IN}: 'PORT', with its target port",
        )


def _policies(cluster: Cluster, namespace: str) -> list[Policy] | None:
    """PeerAuthentications of a namespace; None: no Istio, or not ours to look at."""
    for version in _VERSIONS:
        reply = cluster.call("GET", f"apis/{version}/namespaces/{namespace}/peerauthentications")
        if reply.status == 200:
            items: list[Policy] = json.loads(reply.body).get("items") or []
            return sorted(items, key=lambda one: str(part(one, "metadata", "creationTimestamp")))
        if reply.status != 404:
            return None
    return None


def _that_counts(
    own: Sequence[Policy], root: Sequence[Policy], marks: Mapping[str, str]
) -> Policy | None:
    """The one that says what routers take; of several alike the oldest."""
    of_workload = [one for one in own if _selects(one, marks)]
    of_namespace = [one for one in own if part(one, "spec", "selector") is None]
    of_mesh = [one for one in root if part(one, "spec", "selector") is None]
    ranked = [*of_workload[:1], *of_namespace[:1], *of_mesh[:1]]
    return next((one for one in ranked if _mode(one) not in ("", "UNSET")), None)


def _selects(policy: Policy, marks: Mapping[str, str]) -> bool:
    wanted = part(policy, "spec", "selector", "matchLabels")
    return isinstance(wanted, Mapping) and bool(wanted) and wanted.items() <= marks.items()


def _mode(policy: Policy) -> str:
    return str(part(policy, "spec", "mtls", "mode") or "")


def _port_mode(policy: Policy) -> str:
    """The mode that the policy sets for the link port alone."""
    return str(part(policy, "spec", "portLevelMtls", str(LINK_PORT), "mode") or "")


def _is_out_of_mesh(options: SiteOptions | None) -> bool:
    notes = options.router_pod_annotations if options is not None else {}
    ports = {word.strip() for word in notes.get(_IN, "").split(",")}
    return notes.get(_INJECT) == "false" or bool(ports & {str(LINK_PORT), "*"})
