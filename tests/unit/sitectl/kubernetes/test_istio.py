"""Istio beside a site: which PeerAuthentication counts, and which annotation it takes."""

from typing import Any

import pytest

from tests.unit.sitectl.kubernetes.conftest import NamespaceLine
from tests.unit.sitectl.kubernetes.fakes import FakeCluster

ROUTERS = {"spillway.dev/component": "router"}
LINKS = "links of other sites end at it"
TARGETS = "refuse routers, which call pods directly"


def policy(
    mode: str, namespace: str = "shop", selects: dict[str, str] | None = None, **more: Any
) -> dict[str, Any]:
    """A PeerAuthentication."""
    selector = {"selector": {"matchLabels": selects}} if selects is not None else {}
    spec = {"mtls": {"mode": mode}, **selector, **more}
    return {"metadata": {"name": "default", "namespace": namespace}, "spec": spec}


@pytest.mark.parametrize(
    ("own", "root", "strict"),
    [
        ([policy("STRICT")], [], True),
        ([policy("PERMISSIVE")], [], False),
        ([], [policy("STRICT", "istio-system")], True),
        ([], [policy("STRICT", "istio-system", {"app": "x"})], False),
        ([policy("PERMISSIVE")], [policy("STRICT", "istio-system")], False),
        ([policy("UNSET")], [policy("STRICT", "istio-system")], True),
        ([policy("STRICT", selects=ROUTERS), policy("PERMISSIVE")], [], True),
        ([policy("PERMISSIVE", selects=ROUTERS), policy("STRICT")], [], False),
        ([policy("STRICT", selects={"app": "shop"})], [], False),
        ([policy("STRICT", selects=ROUTERS, portLevelMtls={"55671": {"mode": "DISABLE"}})], [], 0),
        ([policy("STRICT", selects=ROUTERS, portLevelMtls={"80": {"mode": "DISABLE"}})], [], True),
    ],
)
def test_the_policy_that_counts_for_routers_decides(
    shop: NamespaceLine, cluster: FakeCluster, own: list[Any], root: list[Any], strict: bool
) -> None:
    cluster.policies = {"shop": own, "istio-system": root}
    for words in (("check",), ("check", "--pre")):
        told = shop(*words).stdout
        assert (LINKS in told) == bool(strict)
        assert ("traffic.sidecar.istio.io/excludeInboundPorts=55671" in told) == bool(strict)


@pytest.mark.parametrize(
    "notes",
    [
        "traffic.sidecar.istio.io/excludeInboundPorts=55671",
        "traffic.sidecar.istio.io/excludeInboundPorts=*",
        "sidecar.istio.io/inject=false",
    ],
)
def test_with_the_annotation_the_warning_is_gone(
    shop: NamespaceLine, cluster: FakeCluster, notes: str
) -> None:
    cluster.policies = {"shop": [policy("STRICT")], "istio-system": []}
    other = "traffic.sidecar.istio.io/excludeInboundPorts=8080"
    shop.ok("update", "--router-pod-annotations", other)
    assert LINKS in shop("check").stdout
    shop.ok("update", "--router-pod-annotations", notes)
    assert LINKS not in shop("check").stdout


def test_targets_in_the_mesh_are_named_with_their_annotation(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    cluster.policies = {"shop": [policy("STRICT")], "istio-system": []}
    member = {"security.istio.io/tlsMode": "istio"}
    for number in range(5):
        cluster.put("Pod", f"shop-{number}", metadata={"labels": member})
    own = {"app.kubernetes.io/name": "spillway-router", "app.kubernetes.io/part-of": "spillway"}
    cluster.put("Pod", "spillway-router-9", metadata={"labels": {**member, **own, **ROUTERS}})
    assert TARGETS not in shop("check").stdout
    cluster.put("Deployment", "shop", spec={})
    shop.ok("expose", "deployment/shop", "--port", "80")
    told = shop("check").stdout
    assert "(shop-0, shop-1, shop-2 and 2 more) refuse routers" in told
    assert "excludeInboundPorts: 'PORT'" in told


def test_a_mesh_whose_root_is_closed_is_told_of_without_a_warning(
    shop: NamespaceLine, cluster: FakeCluster
) -> None:
    cluster.policies = {"shop": []}
    result = shop("check", "--pre")
    assert result.exit_code == 0
    assert "istio-system is closed to you" in result.stdout
    cluster.policies = None
    assert "istio" not in shop("check", "--pre").stdout.lower()
