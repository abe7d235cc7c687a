"""The complaints of ../test_complaints.py that a cluster makes a difference to."""

from pathlib import Path

import pytest

from tests.unit.sitectl.base.test_watch import LINK
from tests.unit.sitectl.kubernetes.conftest import NamespaceLine
from tests.unit.sitectl.kubernetes.fakes import FakeCluster
from tests.unit.sitectl.show.test_looking import SERVICE


@pytest.mark.parametrize("number", [20, 200])
def test_946_service_status_is_one_exec_however_many_services(
    shop: NamespaceLine, cluster: FakeCluster, number: int
) -> None:
    cluster.run_router()
    cluster.items("/api/v1/services", *({**SERVICE, "name": f"s{n}"} for n in range(number)))
    assert len(shop.json("service", "status")) == number
    assert cluster.execs == 1
    assert len(cluster.calls) == 1


def test_1871_link_status_is_the_same_in_a_namespace(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    cluster.run_router()
    cluster.items("/api/v1/links", LINK)
    assert shop.json("link", "status") == [LINK]
    assert "west" in shop.ok("link", "status").stdout


def test_tokens_are_issued_in_a_namespace(shop: NamespaceLine, tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    shop.ok("token", "create", str(file))
    assert "State:     valid" in shop.ok("token", "status", str(file)).stdout


def test_135_a_namespace_without_services_and_links_says_what_to_type(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    cluster.run_router()
    cluster.items("/api/v1/services")
    cluster.items("/api/v1/links")
    cluster.item("/api/v1/status", {"problems": []})
    assert "sitectl expose deployment/shop" in shop.ok("service", "status").stdout
    assert "sitectl token create" in shop.ok("link", "status").stdout


def test_a_namespace_that_ends_is_said_to_and_no_site_is_to_be_made_in_it(
    empty: NamespaceLine, cluster: FakeCluster
) -> None:
    assert "Next: sitectl -n shop init\n" in empty.fails(4, "status")
    cluster.phase = "Terminating"
    told = empty.fails(4, "status")
    assert "no site in namespace shop, which is being deleted\n" in told
    step = (
        "See what it waits for: kubectl describe namespace shop; once gone: "
        "kubectl create namespace shop"
    )
    assert f"Next: {step}, then sitectl -n shop init\n" in told
    assert told == empty.fails(4, "mesh", "export", "--in", "shop")
    checked = empty("check").stdout
    assert "namespace 'shop' is being deleted" in checked and step in checked
    assert "SW0470" not in checked, "it names no step that would fail"


def test_a_site_whose_configmap_waits_for_finalizers_is_said_to_be_deleted(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    cluster.found("ConfigMap", "skupper-site")["metadata"]["deletionTimestamp"] = "2026-01-01"
    said = "ConfigMap skupper-site is being deleted"
    step = "kubectl -n shop get configmap skupper-site -o yaml"
    for words in (("init",), ("update",), ("update", "--routers", "2")):
        told = shop.fails(5, *words)
        assert said in told and step in told
    checked = " ".join(shop("check").stdout.split())
    assert f"SW0470 {said}: no site" in checked and step in checked
