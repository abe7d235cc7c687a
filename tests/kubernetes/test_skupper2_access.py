"""AccessGrants and AccessTokens as objects of the cluster, with real routers."""

import re
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from router.kubernetes.codecs import grant as grants
from router.kubernetes.codecs.secrets import grant_name
from tests.kubernetes import skupper2_kinds
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.images import ROOT
from tests.kubernetes.routers import LINK_PORT, Router, Start, allow, kubectl, soon
from tests.kubernetes.skupper2_kinds import bind, put, status
from tests.kubernetes.test_skupper2_objects import namespace


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path / "cluster", without=("kubelet", "deployment", "replicaset")) as made:
        skupper2_kinds.install(made)
        yield made


def site(cluster: Cluster, start: Start, name: str, access: str = "none") -> Router:
    """A namespace that a Site makes a site, whose links have an address."""
    namespace(cluster, name)
    put(cluster, "Site", name, name, linkAccess=access)
    return start(name).serves()


def give_address(cluster: Cluster, router: Router) -> None:
    """As a cloud's load balancer does, instead of the cluster's own one."""
    cluster.balancer_delay_s = -1.0
    port = {"name": "inter-router", "port": LINK_PORT, "targetPort": LINK_PORT}
    spec = {"type": "LoadBalancer", "selector": {"app": "router"}, "ports": [port]}
    cluster.create("Service", "spillway-router", router.namespace, spec=spec)
    given = {"status": {"loadBalancer": {"ingress": [{"ip": router.address}]}}}
    cluster.patch("Service", "spillway-router", given, router.namespace, "status")


def conditions(told: dict[str, Any]) -> dict[str, str]:
    return {one["type"]: one["status"] for one in told.get("conditions", ())}


def use(cluster: Cluster, grant: str, name: str, namespace: str) -> None:
    """What the page has people type: the status of a grant in ``west`` becomes an AccessToken."""
    page = (ROOT / "docs" / "kubernetes-skupper-v2.md").read_text("utf-8")
    found = re.search(r"-o template --template '(.*?)' >", page, re.DOTALL)
    assert found is not None
    template = found[1].replace("to-east", name).replace("ca: {{", "linkCost: 7, ca: {{")
    token = kubectl(
        cluster, "west", "get", "accessgrant", grant, "-o", "template", "--template", template
    )
    kubectl(cluster, namespace, "apply", "-f", "-", given=token)


@pytest.mark.programs("kubectl")
def test_a_grant_gets_its_token_and_the_token_becomes_a_link(
    cluster: Cluster, start: Start
) -> None:
    west, east = site(cluster, start, "west", "loadbalancer"), site(cluster, start, "east")
    put(cluster, "AccessGrant", "g", "west", redemptionsAllowed=1, expirationWindow="1h")

    def granted() -> dict[str, Any]:
        return status(cluster, "AccessGrant", "g", "west")

    soon(lambda: conditions(granted()).get("Resolved") == "False", "no address yet", west)
    assert "url" not in granted()
    give_address(cluster, west)
    soon(lambda: granted().get("status") == "Ready", "it has its token", west, within_s=15)
    grant = granted()
    assert grant["url"].startswith(f"https://{west.address}:{LINK_PORT}/spillway/claims/g?")
    assert grant["redemptions"] == 0
    ends = datetime.fromisoformat(grant["expirationTime"]).timestamp()
    assert 3_500 < ends - time.time() <= 3_600
    assert conditions(grant) == {"Processed": "True", "Resolved": "True", "Ready": "True"}

    use(cluster, "g", "to-west", "east")
    soon(lambda: east.is_up("to-west"), "the token is a link of its name", west, east)
    soon(lambda: _redeemed(cluster, "to-west"), "its status says so", west, east)
    assert status(cluster, "AccessToken", "to-west", "east")["status"] == "Ready"
    assert east.link("to-west")["cost"] == 7
    soon(lambda: status(cluster, "Link", "to-west", "east").get("status") == "Ready", "so", east)
    soon(lambda: granted()["redemptions"] == 1, "the grant counts it", west)
    assert granted()["code"] == grant["code"]
    held = cluster.list("Secret", "west")
    assert not any("client.key" in one.get("data", {}) for one in held), "the key stays in east"

    use(cluster, "g", "again", "east")
    soon(
        lambda: status(cluster, "AccessToken", "again", "east").get("status") == "Error",
        "a token has the redemptions that it was granted",
        west,
        east,
    )
    assert status(cluster, "AccessToken", "again", "east")["redeemed"] is False
    put(cluster, "AccessGrant", "g2", "west")
    soon(lambda: status(cluster, "AccessGrant", "g2", "west").get("status") == "Ready", "so", west)
    use(cluster, "g2", "again", "east")
    soon(lambda: _redeemed(cluster, "again"), "its new code is redeemed", west, east)

    cluster.delete("AccessToken", "to-west", "east")
    cluster.delete("AccessGrant", "g", "west")
    soon(lambda: _uses_left(cluster) == 0, "nobody redeems the claim any more", west)
    assert east.is_up("to-west"), "a link outlives its AccessToken, as in v2"
    cluster.delete("Link", "to-west", "east")
    soon(lambda: not east.is_up("to-west"), "and goes with its Link", east)
    soon(lambda: cluster.get("Secret", "to-west", "east") is None, "its Secret goes, too", east)


def test_a_token_of_skuppers_grant_server_is_refused_in_its_status(
    cluster: Cluster, start: Start
) -> None:
    east = site(cluster, start, "east")
    put(
        cluster, "AccessToken", "theirs", "east", url="https://10.0.0.9:9090/1234", code="c", ca="x"
    )
    soon(lambda: status(cluster, "AccessToken", "theirs", "east"), "it has a status", east)
    found = status(cluster, "AccessToken", "theirs", "east")
    assert (found["status"], found["redeemed"]) == ("Error", False)
    assert "issued by a Skupper site" in found["message"]
    assert cluster.get("Secret", "theirs", "east") is None
    assert cluster.get("Link", "theirs", "east") is None


def test_without_a_right_on_statuses_a_grant_is_refused_with_the_way_out(
    cluster: Cluster, start: Start
) -> None:
    cluster.create("Namespace", "west")

    allow(cluster, "west", "none")
    bind(cluster, "west", "B")
    put(cluster, "Site", "west", "west")
    west = start("west").serves()
    put(cluster, "AccessGrant", "g", "west")
    soon(lambda: "SW0113" in west.codes(), "it is a problem", west)
    assert cluster.get("Secret", grant_name("g"), "west") is None


def _redeemed(cluster: Cluster, name: str) -> bool:
    return status(cluster, "AccessToken", name, "east").get("redeemed") is True


def _uses_left(cluster: Cluster) -> int:

    found = cluster.get("Secret", grant_name("g"), "west")
    return -1 if found is None else grants.decode(found).uses_left
