"""Objects of the Multi-Cluster Services API, and a namespace that carries out changes."""

from collections.abc import Iterable, Mapping
from typing import Any

from router.kubernetes.multicluster.names import EXPORT, IMPORT
from router.kubernetes.objects.changes import Change, Create, Delete, changed
from router.kubernetes.objects.objects import Object, Snapshot, metadata
from router.model.ids import SiteId
from router.model.messages.exports import ExportedPort, ExportTerms, SiteExport
from tests.unit.kubernetes.kept import seen

NOW = "2026-11-26T05:00:00Z"
HTTP = ExportedPort(name="http", port=80)


def export(name: str = "shop", **spec: Any) -> dict[str, Any]:
    """A ServiceExport."""
    made_at = "2026-11-26T04:00:00Z"
    return {
        "apiVersion": "multicluster.x-k8s.io/v1beta1",
        "kind": EXPORT,
        "metadata": {"name": name, "creationTimestamp": made_at, "generation": 1},
        "spec": spec,
    }


def service(name: str = "shop", *ports: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A user's Service."""
    listed = [dict(port) for port in ports] or [{"name": "http", "port": 80, "protocol": "TCP"}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": listed, "clusterIP": "10.0.0.9"} | spec,
    }


def stateful_set(replicas: int, name: str = "db", service: str = "shop") -> dict[str, Any]:
    """A StatefulSet whose pods have names below ``service``."""
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name},
        "spec": {"serviceName": service, "replicas": replicas},
    }


def snapshot(*objects: Object) -> Snapshot:
    """A namespace ``prod`` with these."""
    found: dict[str, dict[str, Object]] = {}
    for each in objects:
        found.setdefault(each["kind"], {})[each["metadata"]["name"]] = each
    return seen("prod", found)


def site_export(
    site: str = "east", made_at_s: float = 1.0, *, is_owner: bool = False, **terms: Any
) -> SiteExport:
    """An export of ``prod/shop`` by ``site``."""
    told = {"namespace": "prod", "service": "shop", "ports": (HTTP,)} | terms
    return SiteExport(
        site=SiteId(site),
        terms=ExportTerms(**told),
        made_at_s=made_at_s,
        site_name=site,
        is_owner=is_owner,
    )


def after(before: Snapshot, changes: Iterable[Change]) -> Snapshot:
    """``before`` with ``changes`` made as an API server does: addresses, uids, garbage."""
    objects = {kind: dict(found) for kind, found in before.objects.items()}
    for change in changes:
        found = objects.setdefault(change.kind, {})
        if isinstance(change, Delete):
            uid = metadata(found.pop(change.name, {})).get("uid")
            _collect(objects, uid)
            continue
        if isinstance(change, Create):
            assert change.name not in found
        made = dict(changed(found.get(change.name), change) or {})
        made["metadata"] = {"uid": f"{change.kind}-{change.name}", **made["metadata"]}
        if change.kind == "Service" and "clusterIP" not in made["spec"]:
            last = len(found) + 1 - ("shop" in found)
            address = {
                "clusterIP": f"10.0.0.{last}",
                "clusterIPs": [f"10.0.0.{last}", f"fd00::{last}"],
            }
            made["spec"] = made["spec"] | address
        found[change.name] = made
    return seen(before.namespace, objects)


def _collect(objects: dict[str, dict[str, Object]], uid: object) -> None:
    """What the garbage collector deletes after the owner with that uid."""
    for kind in (IMPORT, "EndpointSlice"):
        for name, each in list(objects.get(kind, {}).items()):
            owners = metadata(each).get("ownerReferences") or ()
            if any(owner["uid"] == uid for owner in owners):
                gone = objects[kind].pop(name)
                _collect(objects, metadata(gone).get("uid"))


Statuses = Mapping[tuple[str, str], Mapping[str, Any]]


def reported(before: Snapshot, statuses: Statuses) -> Snapshot:
    """``before`` with these statuses written."""
    objects = {kind: dict(found) for kind, found in before.objects.items()}
    for (kind, name), status in statuses.items():
        if name in objects.get(kind, {}):
            objects[kind][name] = {**objects[kind][name], "status": status}
    return seen(before.namespace, objects)


def is_reported(found: Snapshot, statuses: Statuses) -> bool:
    """Whether they are written."""
    return all(
        (each := found.get(*key)) is None or each.get("status") == status
        for key, status in statuses.items()
    )
