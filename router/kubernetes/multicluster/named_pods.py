"""Pods of headless services that other sites reach by name: each is a service of the network.

Its network name is derived from the service, the site and the pod (`names.pod_network_name`), so
that a member cannot claim another service by it. Pure.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from router.documents import readers
from router.kubernetes.multicluster.names import cluster_ids, pod_network_name
from router.kubernetes.objects.objects import Object, Snapshot, spec_of
from router.kubernetes.services import adoption, headless
from router.model import limits
from router.model.ids import SiteId
from router.model.messages.exports import HEADLESS, Exports, ExportTerms, SiteExport
from router.model.specs import ConnectorSpec, Document

POD_WORKLOAD: Final = f"pods/{headless.POD_NAME_LABEL}="


class NamedPod(msgspec.Struct, frozen=True, kw_only=True):
    """``name``: the network's. ``cluster``: the id of its site; empty: it is out of reach."""

    name: str
    host: str
    site: SiteId
    cluster: str


def of_service(snapshot: Snapshot, service: str) -> tuple[str, ...]:
    """Names of the pods of the service's StatefulSets, ready or not, if they are DNS labels."""
    found = [
        pod
        for _, each in sorted(snapshot.of("StatefulSet").items())
        if spec_of(each).get("serviceName") == service
        for pod in headless.pods(each)
        if readers.is_name(pod)
    ]
    return tuple(dict.fromkeys(found))


def documents(
    terms: ExportTerms, service: Document, connector: Document, found: Object
) -> list[Document]:
    """A service and a connector for each pod of ``terms``.

    ``service`` and ``connector`` are those of all pods; ``found`` is the Service.
    """
    assert isinstance(connector.spec, ConnectorSpec)
    targets = {
        port["port"]: port.get("targetPort") or port["port"]
        for port in adoption.ports(found)
        if (port.get("protocol") or "TCP") == "TCP"
    }
    ports = tuple(targets[port] for port in connector.spec.target_ports if isinstance(port, int))
    made = []
    for pod in terms.pods:
        name = pod_network_name(service.name, terms.pods_site, pod)
        spec = msgspec.structs.replace(
            connector.spec, service=name, workload=POD_WORKLOAD + pod, target_ports=ports
        )
        made.append(msgspec.structs.replace(service, name=name))
        made.append(msgspec.structs.replace(connector, name=name, spec=spec))
    return made


def clusters_of(exports: Iterable[SiteExport]) -> dict[SiteId, str]:
    """The ids of clusters that export one service. The owner of its name keeps its own."""
    told = list(exports)
    owner = next((one.site for one in told if one.is_owner), None)
    return cluster_ids({one.site: one.site_name for one in told}, owner)


def named_pods(name: str, exports: Iterable[SiteExport]) -> list[NamedPod]:
    """Named pods of one service, sorted.

    A pod that one site announces for another site does not count.
    """
    told = list(exports)
    clusters = clusters_of(told)
    return [
        NamedPod(
            name=pod_network_name(name, one.terms.pods_site, pod),
            host=pod,
            site=one.site,
            cluster=clusters.get(one.site, ""),
        )
        for one in told
        if one.terms.kind == HEADLESS
        # Empty: remembered, while its site is away.
        and one.site in ("", one.terms.pods_site)
        for pod in one.terms.pods[: limits.EXPORTED_PODS_MAX]
    ]


def names_in(exports: Exports) -> set[str]:
    """The network's names of all pods in ``exports``."""
    return {pod.name for name, told in exports.items() for pod in named_pods(name, told)}
