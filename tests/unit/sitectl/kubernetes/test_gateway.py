"""`sitectl -n … gateway`: a claim made in the namespace, and errors of missing permissions."""

from pathlib import Path

import pytest

from certs.joining import claims
from router.kubernetes.codecs.secrets import GRANT_FILE, data_of, grant_name
from sitectl.gateway.home import read_record
from sitectl.runtimes.process import ProcessRuntime
from tests.unit.sitectl.kubernetes.conftest import NamespaceLine
from tests.unit.sitectl.kubernetes.fakes import FakeCluster

INIT = ("gateway", "init", "--name", "gw", "--type", "process")
DIALED = ("--ingress-host", "10.0.0.9:31000")


@pytest.fixture(autouse=True)
def no_routers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No router runs here."""
    monkeypatch.setattr(ProcessRuntime, "start", lambda *_: False)
    monkeypatch.delenv("KUBECONFIG", raising=False)


def grant(cluster: FakeCluster, name: str = "gateway-gw") -> claims.Grant:
    """The claim that the namespace holds."""
    return claims.decode(data_of(cluster.found("Secret", grant_name(name)))[GRANT_FILE], "test")


def test_a_claim_is_made_in_the_namespace_and_revoked_alone(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    assert shop.json(*INIT, *DIALED)["change"] == "created"
    assert (grant(cluster).uses_left, grant(cluster).revoked) == (1, False)
    record = read_record(shop.state / "gateways.d" / "gw")
    assert record is not None
    assert (record.platform, record.namespace, record.grant) == (
        "kubernetes",
        "shop",
        "gateway-gw",
    )
    assert record.flags == "-n shop "
    cluster.calls.clear()
    assert shop.json(*INIT)["change"] == "unchanged"
    assert shop.json("gateway", "bind", "db", "127.0.0.1", "5432")["change"] == "created"
    assert cluster.calls == []  # Work on its host needs no permission in the cluster.
    shop.ok(*INIT[:2], "--name", "two", "--type", "process", *DIALED)
    assert shop.json("gateway", "delete", "--name", "gw")["change"] == "deleted"
    assert grant(cluster).revoked
    assert not grant(cluster, "gateway-two").revoked


def test_a_site_within_its_cluster_needs_a_way_in(shop: NamespaceLine) -> None:
    told = shop.fails(7, *INIT)
    assert "is private" in told and "--ingress-host" in told
    assert not (shop.state / "gateways.d").exists()


def test_who_may_make_no_secrets_is_told_the_rule_and_the_way_by_token(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    cluster.refused.add(("create", "secrets"))
    told = shop.fails(7, *INIT, *DIALED)
    assert 'resources: ["secrets"], verbs: ["create"]' in told
    assert "sitectl gateway init --token gw.yaml" in told
    cluster.refused.clear()
    assert shop.json(*INIT, *DIALED)["change"] == "created"  # It goes on from there.


def test_delete_without_the_right_to_revoke_says_what_to_type(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    shop.ok(*INIT, *DIALED)
    cluster.refused.add(("list", "secrets"))
    told = shop.ok("gateway", "delete").stderr
    assert "There type: sitectl -n shop revoke-access --link" in told
    assert not (shop.state / "gateways.d" / "gw").exists()


def test_with_a_kubeconfig_and_no_site_here_the_cluster_is_meant(
    shop: NamespaceLine, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SITECTL_PLATFORM", "")
    monkeypatch.setenv("KUBECONFIG", "/home/somebody/config")
    assert shop.json(*INIT, *DIALED)["change"] == "created"
    record = read_record(shop.state / "gateways.d" / "gw")
    assert record is not None
    assert (record.platform, record.kubeconfig) == ("kubernetes", "/home/somebody/config")


def test_without_a_site_in_the_namespace_none_is_made(empty: NamespaceLine) -> None:
    assert "no site in namespace shop" in empty.fails(4, *INIT, *DIALED)
    assert not (empty.state / "gateways.d").exists()
