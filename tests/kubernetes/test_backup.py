"""A site of a namespace that is deleted and comes back in another, with routers and kubectl."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from router.kubernetes.codecs.secrets import link_name
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.commands import Commands
from tests.kubernetes.routers import LINK_PORT, Start, claim, kubectl, manifest, soon

WORDS = "correct horse battery"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path / "cluster", without=("kubelet",)) as made:
        yield made


def test_a_site_comes_back_in_another_namespace_with_its_identity_and_links(
    cluster: Cluster, start: Start, tmp_path: Path
) -> None:
    east, west = start("east"), start("west")
    east.serves(), west.serves()
    token = claim(cluster, "east", ((east.address, LINK_PORT),))
    kubectl(cluster, "west", "create", "-f", "-", given=manifest(token, "link1"))
    soon(partial(west.is_up, "link1"), "linked", east, west)
    soon(lambda: len(_data(cluster, link_name("link1"), "west")) == 4, "it is kept", west)
    site_id, before = west.site_id, _data(cluster, link_name("link1"), "west")
    here = Commands(cluster, "west", tmp_path / "here")
    here.ok("service", "create", "db", "5432")
    file = str(tmp_path / "west.backup")
    here.ok("backup", file, "--passphrase-file", "-", stdin=WORDS)
    west.kill()
    kubectl(cluster, "west", "delete", "namespace", "west")
    soon(lambda: cluster.get("Namespace", "west") is None, "the namespace is gone")

    cluster.create("Namespace", "other")
    there = Commands(cluster, "other", tmp_path / "there")
    words = ("restore", file, "--passphrase-file", "-", "-o", "json")
    assert json.loads(there.ok(*words, stdin=WORDS))["item"]["change"] == "created"
    assert "spillway-service-db" in there.kubectl("get", "configmap", "-o", "name")
    deployed = there.kubectl("get", "deployment", "spillway-router", "-o", "name")
    assert deployed.strip() == "deployment.apps/spillway-router"
    other = start("other")
    other.serves()
    assert other.site_id == site_id
    soon(partial(other.is_up, "link1"), "the link is up without a new claim", east, other)
    assert other.admin.get("/api/v1/status")["name"] == "west"
    assert _data(cluster, link_name("link1"), "other") == before
    assert json.loads(there.ok(*words, stdin=WORDS))["item"]["change"] == "unchanged"


def _data(cluster: Cluster, name: str, namespace: str) -> dict[str, str]:
    found = cluster.get("Secret", name, namespace)
    return {} if found is None else found["data"]
