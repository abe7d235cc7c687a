"""StatefulSets whose pods have names: ``db-0.db`` at every site.

The address ``db`` is a service with all pods as targets. Each pod is also a separate service with
the pod's name (``db-0``), so that it is routed, counted and limited like any other; its
`ServiceSpec.headless` has the name that it belongs to. At other sites ``db-0`` gets a Service like
every address, and ``db`` a headless one, whose EndpointSlices (ours) name ``db-0`` with the cluster
IP of that Service. So the cluster's DNS answers ``db-0.db`` with an address where port 80 leads to
the routers. At the site of the StatefulSet, its own headless Service answers for its pods and is
not touched; slices of ours add pods of other sites under the same address.

An EndpointSlice may not hold loopback and link-local addresses, but it may hold cluster IPs;
kube-proxy, which could not follow them, ignores headless Services.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from router.documents import readers
from router.kubernetes.objects import findings, names, texts
from router.kubernetes.objects.changes import Change, Delete, delete
from router.kubernetes.objects.findings import ObjectFindings
from router.kubernetes.objects.objects import Object, Snapshot, labels, name_of, spec_of
from router.kubernetes.objects.picture import NamespacePicture, RequestedService
from router.kubernetes.services import endpoint_slices
from router.model import limits
from router.model.errors import ConfigError
from router.model.specs import ConnectorSpec, Document, ServiceSpec

SERVICE_NAME_LABEL: Final = "kubernetes.io/service-name"
POD_NAME_LABEL: Final = "statefulset.kubernetes.io/pod-name"
"""On each pod of a StatefulSet (Kubernetes, StatefulSet, Pod Name Label)."""


def with_pods(picture: NamespacePicture, snapshot: Snapshot) -> NamespacePicture:
    """``picture`` with a service and a connector for each pod of its headless StatefulSets.

    Their number follows ``spec.replicas``. A pod is left out if its name is a service already, or
    if it is no DNS label: other sites would reject all announcements of a site that declares such
    a service.
    """
    documents = list(picture.documents)
    noted: list[ConfigError] = []
    wishes = dict(picture.wishes)
    taken = {document.name for document in documents if document.kind == "Service"}
    for wish in picture.wishes.values():
        stateful_set = snapshot.get("StatefulSet", wish.stateful_set)
        if stateful_set is None:
            continue
        head = _of_address(documents, wish)
        if head is None:
            continue
        documents[documents.index(head)] = _with_spec(head, head.name, headless=wish.address)
        connectors = _connectors(documents, wish)
        for pod in pods(stateful_set):
            if not readers.is_name(pod):
                noted.append(_nameless(stateful_set, pod))
                break
            if pod in taken:
                continue
            taken.add(pod)
            documents.append(_with_spec(head, pod, headless=wish.address))
            documents += [_connector_of(connector, pod) for connector in connectors]
            # No user asked for these single names: they take over no Service.
            wishes[pod] = msgspec.structs.replace(wish, address=pod, consent=False, stateful_set="")
    errors = (*picture.errors, *noted)
    return msgspec.structs.replace(
        picture, documents=tuple(documents), wishes=wishes, errors=errors
    )


def _nameless(stateful_set: Object, pod: str) -> ConfigError:
    noted = ObjectFindings(f"StatefulSet/{name_of(stateful_set)}")
    noted.add(
        "metadata.name",
        f"{texts.short(pod)} and the pods after it get no names: they are no DNS labels, which "
        f"have at most {limits.NAME_CHARS_MAX} characters",
        f"Give the StatefulSet a shorter name, or remove {names.HEADLESS}",
        findings.ANNOTATION_VALUE,
        "warning",
    )
    return noted.errors[0]


def pods(stateful_set: Object) -> tuple[str, ...]:
    """The names of the pods, ready or not."""
    spec = spec_of(stateful_set)
    replicas = spec.get("replicas", 1)
    ordinals = spec.get("ordinals")
    start = ordinals.get("start", 0) if isinstance(ordinals, dict) else 0
    if not isinstance(replicas, int) or not isinstance(start, int):
        return ()
    count = min(replicas, limits.ENDPOINTS_PER_SLICE_MAX)
    return tuple(f"{name_of(stateful_set)}-{start + index}" for index in range(count))


def is_headless(service: Object) -> bool:
    """Whether the Service's name leads directly to its endpoints."""
    return spec_of(service).get("clusterIP") == "None"


def slices(
    snapshot: Snapshot, service: Object, ports: Sequence[int], members: Mapping[str, Object | None]
) -> list[Change]:
    """EndpointSlices that name each of ``members`` (a pod's name, its Service) below ``service``.

    Members whose Service has no address yet are left out until it has.
    """
    changes: list[Change | None] = []
    marked = {SERVICE_NAME_LABEL: name_of(service)}
    told = [{"name": f"port{port}", "port": port, "protocol": "TCP"} for port in ports]
    for family in endpoint_slices.BOTH:
        name = f"{name_of(service)}-spillway-{family.lower()}"
        found = snapshot.get("EndpointSlice", name)
        named = endpoint_slices.endpoints(sorted(members.items()), family)
        named = named[: limits.ENDPOINTS_PER_SLICE_MAX]
        if found is not None and not _is_ours(found):
            continue
        if named:
            changes.append(
                endpoint_slices.settle(found, name, service, marked, family, named, told)
            )
        elif found is not None:
            changes.append(delete(found))
    return [change for change in changes if change is not None]


def deletions(snapshot: Snapshot, keep: frozenset[str] = frozenset()) -> list[Delete]:
    """Slices of ours for Services outside ``keep``."""
    return [
        delete(found)
        for _, found in sorted(snapshot.of("EndpointSlice").items())
        if _is_ours(found) and labels(found).get(SERVICE_NAME_LABEL) not in keep
    ]


def _of_address(documents: Sequence[Document], wish: RequestedService) -> Document | None:
    for document in documents:
        if document.kind == "Service" and document.name == wish.address:
            return document
    return None


def _with_spec(document: Document, name: str, *, headless: str) -> Document:
    assert isinstance(document.spec, ServiceSpec)
    spec = msgspec.structs.replace(document.spec, headless=headless)
    return msgspec.structs.replace(document, name=name, spec=spec)


def _connectors(documents: Sequence[Document], wish: RequestedService) -> list[Document]:
    workload = f"statefulset/{wish.stateful_set}"
    return [
        document
        for document in documents
        if isinstance(document.spec, ConnectorSpec)
        and document.spec.service == wish.address
        and document.spec.workload == workload
    ]


def _connector_of(connector: Document, pod: str) -> Document:
    assert isinstance(connector.spec, ConnectorSpec)
    workload = f"pods/{POD_NAME_LABEL}={pod}"
    spec = msgspec.structs.replace(connector.spec, service=pod, workload=workload)
    return msgspec.structs.replace(connector, name=f"{connector.name}-{pod}", spec=spec)


def _is_ours(found: Object) -> bool:
    """Whether it is one of our slices for Services; `multicluster.slices` plans the others."""
    return endpoint_slices.is_ours(found) and not endpoint_slices.is_for_import(found)
