"""Objects as the API gives them, short to write."""

from collections.abc import Iterable, Mapping
from typing import Any

from router.kubernetes.objects.objects import Snapshot
from router.kubernetes.objects.picture import NamespacePicture
from router.kubernetes.translation.translate import translate
from router.model.specs import ConnectorSpec, Document, LinkSpec, ServiceSpec, SiteSpec
from tests.unit.kubernetes.kept import seen

OWN_SITE = "0123456789abcdef0123456789abcdef"


def made(
    kind: str,
    name: str,
    annotations: dict[str, Any] | None = None,
    *,
    labels: dict[str, Any] | None = None,
    at: str = "2024-01-01T00:00:00Z",
    **rest: Any,
) -> dict[str, Any]:
    """An object with its metadata; ``rest`` are its other fields."""
    metadata = {
        "name": name,
        "namespace": "shop",
        "uid": f"uid-{name}",
        "resourceVersion": "1",
        "creationTimestamp": at,
        "labels": labels or {},
        "annotations": annotations or {},
    }
    return {"kind": kind, "metadata": metadata, **rest}


def workload(
    name: str,
    *container_ports: int,
    kind: str = "Deployment",
    at: str = "2024-01-01T00:00:00Z",
    spec: dict[str, Any] | None = None,
    **notes: str,
) -> dict[str, Any]:
    """A workload; ``proxy="tcp"`` is the annotation ``skupper.io/proxy``."""
    ports = [{"containerPort": port} for port in container_ports]
    template = {"spec": {"containers": [{"name": "main", "ports": ports}]}}
    selector = {"matchLabels": {"app": name}}
    body = {"selector": selector, "template": template, **(spec or {})}
    return made(kind, name, noted(**notes), at=at, spec=body)


def service(name: str, *ports: int | dict[str, Any], spec: Any = None, **notes: str) -> Any:
    """A Service with a selector, unless ``spec`` says otherwise."""
    entries = [{"port": port} if isinstance(port, int) else port for port in ports]
    body = {"selector": {"app": name}, "ports": entries, **(spec or {})}
    return made("Service", name, noted(**notes), spec=body)


def noted(**notes: str) -> dict[str, str]:
    """``tls_cert`` is ``skupper.io/tls-cert``; ``own_queue`` is ``spillway.dev/queue``."""
    found = {}
    for key, value in notes.items():
        dashed = key.replace("_", "-")
        own = dashed.removeprefix("own-")
        found[f"skupper.io/{dashed}" if own == dashed else f"spillway.dev/{own}"] = value
    return found


def config_map(name: str, data: Any = None, **rest: Any) -> dict[str, Any]:
    """A ConfigMap; without ``data`` the field is left out."""
    return made("ConfigMap", name, **rest, **({} if data is None else {"data": data}))


def site(**data: str) -> dict[str, Any]:
    """ConfigMap ``skupper-site``; ``router_mode`` is the key ``router-mode``."""
    return config_map("skupper-site", {key.replace("_", "-"): text for key, text in data.items()})


def documents(name: str, text: str, **rest: Any) -> dict[str, Any]:
    """A ConfigMap with documents under one key."""
    labels = {"spillway.dev/documents": "true"}
    return config_map(name, {"all.yaml": text}, labels=labels, **rest)


def snapshot(objects: Iterable[Mapping[str, Any]]) -> Snapshot:
    """Of namespace ``shop``."""
    by_kind: dict[str, dict[str, Any]] = {}
    for found in objects:
        by_kind.setdefault(found["kind"], {})[found["metadata"]["name"]] = found
    return seen("shop", by_kind)


def picture(*objects: Mapping[str, Any]) -> NamespacePicture:
    """What these objects say."""
    return translate(snapshot(objects), OWN_SITE)


def specs_of(found: NamespacePicture, kind: str) -> dict[str, Any]:
    """Documents of one kind by name."""
    return {d.name: d.spec for d in found.documents if d.kind == kind}


def services_of(found: NamespacePicture) -> dict[str, ServiceSpec]:
    """Services by address."""
    return specs_of(found, "Service")


def connectors_of(found: NamespacePicture) -> dict[str, ConnectorSpec]:
    """Connectors by name."""
    return specs_of(found, "Connector")


def links_of(found: NamespacePicture) -> dict[str, LinkSpec]:
    """Links by name."""
    return specs_of(found, "Link")


def site_of(found: NamespacePicture) -> tuple[str, SiteSpec]:
    """The one Site document's name and spec."""
    (document,) = (d for d in found.documents if d.kind == "Site")
    assert isinstance(document.spec, SiteSpec)
    return document.name, document.spec


def told(found: NamespacePicture) -> list[tuple[str, str, str]]:
    """Findings, short: code, object, and the field, of an annotation the part in brackets."""
    return [(e.code, e.source, e.path.removeprefix("metadata.annotations")) for e in found.errors]


def sole(found: NamespacePicture, kind: str) -> Document:
    """The one document of a kind."""
    (document,) = (d for d in found.documents if d.kind == kind)
    return document
