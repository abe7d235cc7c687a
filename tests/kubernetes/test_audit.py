"""Diagnostics of a site in a namespace: who changed what, Events, an archive without secrets."""

import base64
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kubernetes.cluster import Cluster
from tests.kubernetes.places import IMAGES, Place, install_controller
from tests.kubernetes.published import shop, site
from tests.kubernetes.routers import Router, Start, kubectl, soon

MARKER = "pLaNtEd0MaRkEr"
DOCUMENTS = """apiVersion: v1
kind: ConfigMap
metadata: {{name: documents, labels: {{spillway.dev/documents: "true"}}}}
data:
  shop.yaml: |
    apiVersion: spillway/v1
    kind: Service
    name: shop
    spec: {{protocol: http, ports: [8080], policy: {{name: {policy}}}}}
"""


def events(router: Router, code: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = router.get(f"events?code={code}")
    return found


def told(cluster: Cluster, namespace: str) -> dict[str, dict[str, Any]]:
    """The Events on the site, by reason."""
    return {
        one["reason"]: one
        for one in cluster.list("Event", namespace)
        if one["involvedObject"]["name"] == "skupper-site"
    }


def test_an_edit_is_told_with_its_field_manager_and_as_an_event_on_the_site(
    cluster: Cluster, start: Start
) -> None:
    router = start("west").serves()
    kubectl(cluster, "west", "apply", "-f", "-", given=DOCUMENTS.format(policy="fill"))
    soon(lambda: events(router, "document-added"), "the service is told", router)
    kubectl(cluster, "west", "apply", "-f", "-", given=DOCUMENTS.format(policy="spread"))
    soon(lambda: events(router, "policy-changed"), "the policy is told", router)

    (changed,) = events(router, "policy-changed")
    assert changed["by"] == "kubectl-client-side-apply, field manager of ConfigMap/documents"
    assert changed["changes"] == [{"field": "policy.name", "old": "", "new": "spread"}]

    soon(lambda: "PolicyChanged" in told(cluster, "west"), "the Event is there", router)
    made = told(cluster, "west")["PolicyChanged"]
    uid = (cluster.get("ConfigMap", "skupper-site", "west") or {})["metadata"]["uid"]
    assert made["involvedObject"]["uid"] == uid
    assert made["type"] == "Normal"
    assert "policy.name unset -> spread" in made["message"]


def test_no_event_is_written_where_nobody_wants_them(cluster: Cluster, start: Start) -> None:
    router = start("west", **{"enable-skupper-events": "false"}).serves()
    kubectl(cluster, "west", "apply", "-f", "-", given=DOCUMENTS.format(policy="fill"))
    kubectl(cluster, "west", "apply", "-f", "-", given=DOCUMENTS.format(policy="spread"))
    soon(lambda: events(router, "policy-changed"), "the journal has it", router)
    kubectl(
        cluster,
        "west",
        *("patch", "configmap", "skupper-site", "--type=merge"),
        *("-p", '{"data":{"enable-skupper-events":"true"}}'),
    )
    kubectl(cluster, "west", "apply", "-f", "-", given=DOCUMENTS.format(policy="failover"))
    soon(lambda: "PolicyChanged" in told(cluster, "west"), "now it is written", router)

    made = told(cluster, "west")["PolicyChanged"]
    assert made["count"] == 1
    assert "RouterStarted" not in told(cluster, "west")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with Cluster(tmp_path / "cluster", images=IMAGES, proxy=True) as cluster:
        install_controller(cluster)
        yield Place(cluster, "hub")


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def dump(place: Place, path: Path) -> dict[str, bytes]:
    place.commands.ok("debug", "dump", str(path))
    assert path.stat().st_mode & 0o777 == 0o600
    with tarfile.open(path) as archive:
        found: dict[str, bytes] = {}
        for member in archive:
            file = archive.extractfile(member)
            assert file is not None
            found[member.name.removeprefix("spillway-dump/")] = file.read()
    return found


def test_a_dump_of_a_namespace_has_its_objects_and_no_secret(place: Place, tmp_path: Path) -> None:
    made = shop("shop", "shop", capacity=2)
    users = {  # There before the router, which makes its own where there are none.
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "skupper-console-users",
            "labels": {"app.kubernetes.io/part-of": "spillway"},
        },
        "data": {"admin": encoded(f"{MARKER}-console")},
    }
    place.apply(site("hub"), made, users)
    place.starts()
    place.cluster.create(
        "ConfigMap",
        "notes",
        "hub",
        metadata={
            "labels": {"app.kubernetes.io/part-of": "spillway"},
            "annotations": {"example.com/token": f"{MARKER}-annotation"},
        },
        data={"password": f"{MARKER}-data"},
    )
    kubectl(
        place.cluster,
        "hub",
        *("patch", "configmap", "skupper-site", "--type=merge", "-p"),
        json.dumps({"data": {"console-user": "admin", "console-password": f"{MARKER}-site"}}),
    )
    parts = dump(place, tmp_path / "d.tar.gz")

    everything = b"\n".join(parts.values())
    assert MARKER.encode() not in everything
    assert encoded(f"{MARKER}-console").encode() not in everything
    for secret in place.cluster.list("Secret", "hub"):
        for key, text in (secret.get("data") or {}).items():
            if key.endswith(("key", "password", "json")) and len(text) >= 16:
                assert text.encode() not in everything, (secret["metadata"]["name"], key)
                plain = base64.b64decode(text).strip()
                assert plain not in everything, (secret["metadata"]["name"], key)
    manifest = json.loads(parts["manifest.json"])
    problems = {one["name"]: one["problem"] for one in manifest["parts"] if not one["ok"]}
    later = {"api/live.json", "api/history.json", "api/flows.json"}
    assert problems.keys() <= {*later, "logs/pods.txt"}, problems
    names = {one["name"] for one in json.loads(parts["cluster/Secret.json"])}
    assert {"skupper-console-users", "spillway-identity"} <= names
    (pod,) = json.loads(parts["cluster/Pod.json"])
    assert pod["status"]["containers"][0]["ready"]
    assert json.loads(parts["api/status.json"])
    assert json.loads(parts["cluster/rights.json"])


def test_a_dump_without_a_router_says_so_and_has_the_rest(cluster: Cluster, tmp_path: Path) -> None:
    place = Place(cluster, "hub")
    place.apply(site("hub"))  # And no controller runs a router for it.
    parts = dump(place, tmp_path / "d.tar.gz")

    manifest = json.loads(parts["manifest.json"])
    problems = {one["name"]: one["problem"] for one in manifest["parts"] if not one["ok"]}
    assert "router" in problems["api/status.json"]
    (made,) = json.loads(parts["cluster/ConfigMap.json"])
    assert made["data"]["ingress"] == "loadbalancer"
    assert "console-password" not in made["data"]
    assert json.loads(parts["documents.json"])["documents"]
