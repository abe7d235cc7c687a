"""Statuses of Skupper v2's objects, and what the router says about its rights on them."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from certs.ca.authority import issue_service_leaf
from router.kubernetes.codecs.secrets import encoded
from router.kubernetes.objects.names import ROUTER
from tests.kubernetes import skupper2_kinds
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.faults import Fault
from tests.kubernetes.routers import Router, soon
from tests.kubernetes.skupper2_kinds import put, status
from tests.kubernetes.test_reach import Serve, asked, serve
from tests.kubernetes.test_sitectl_rights import NAMESPACE_ADMIN, as_user
from tests.kubernetes.test_skupper2_objects import KEY, backend, cluster, link, namespace

__all__ = ["cluster", "serve"]

SOON = {
    "RIGHTS_LOOK_S": 1.0,
    "CUSTOM_KINDS_S": 1.0,
    "CUSTOM_KINDS_IDLE_S": 1.0,
    "STATUS_LOOK_S": 0.5,
    "V2_STATUS_EVERY_S": 0.5,
    "WATCH_REFUSED_S": 0.5,
    "REVOCABLE_WATCH_S": 1,
    "REVOKED_AGAIN_S": 0.5,
}
Begin = Callable[[str, str], Router]


@pytest.fixture
def begin(cluster: Cluster, tmp_path: Path) -> Iterator[Begin]:
    """Starts a router of a Site, of a level of rights; it looks at everything often."""
    routers: list[Router] = []

    def started(name: str, level: str) -> Router:
        namespace(cluster, name, level)
        data = {"name": name, "ingress": "none"}
        cluster.create("ConfigMap", "skupper-site", name, data=data)
        put(cluster, "Site", name, name)
        user = cluster.service_account(name, ROUTER)
        router = Router(cluster, name, tmp_path / f"pod-{name}", user, bounds=SOON)
        routers.append(router)
        return router.serves()

    yield started
    for router in routers:
        router.stop()


def conditions(cluster: Cluster, kind: str, name: str, namespace: str) -> dict[str, str]:
    """By type: True, False."""
    listed = status(cluster, kind, name, namespace).get("conditions") or []
    return {one["type"]: one["status"] for one in listed}


def is_ready(cluster: Cluster, kind: str, name: str, namespace: str) -> bool:
    return conditions(cluster, kind, name, namespace).get("Ready") == "True"


def levels(router: Router) -> list[str]:
    """What the router says about its rights on v2's kinds."""
    told: dict[str, Any] = router.get("status")
    found = [*told["problems"], *told["notes"]]
    return [str(one["message"]).partition(": ")[2] for one in found if one["code"] == "SW0495"]


@pytest.mark.programs("kubectl")
def test_statuses_follow_links_pods_and_targets(
    cluster: Cluster, begin: Begin, serve: Serve
) -> None:
    west, east = begin("west", "A"), begin("east", "A")
    put(cluster, "Listener", "front", "east", routingKey=KEY, host="storefront", port=80)
    link(cluster, "to-west", west, east)

    soon(lambda: is_ready(cluster, "Site", "west", "west"), "the Site is ready", west)
    told = status(cluster, "Site", "west", "west")
    assert told["controller"]["name"] == "spillway-router"
    soon(lambda: is_ready(cluster, "Link", "to-west", "east"), "the Link is ready", east, west)
    assert status(cluster, "Link", "to-west", "east")["remoteSiteName"] == "west"
    soon(
        lambda: status(cluster, "Site", "east", "east").get("sitesInNetwork") == 2,
        "both Sites are counted",
        east,
    )
    assert conditions(cluster, "Listener", "front", "east")["Matched"] == "False"
    backend(cluster, "west", serve("west"))
    soon(lambda: is_ready(cluster, "Listener", "front", "east"), "it is matched", east, west)
    soon(lambda: is_ready(cluster, "Connector", "backend", "west"), "so is the Connector", west)
    told = status(cluster, "Connector", "backend", "west")
    assert told["hasMatchingListener"] is True, "the Listener is at the other site"
    assert [one["name"] for one in told["selectedPods"]] == ["backend-0"]
    cluster.delete("Pod", "backend-0", "west")
    soon(
        lambda: (
            status(cluster, "Connector", "backend", "west").get("message")
            == "No matches for selector"
        ),
        "the pod is gone",
        west,
    )
    soon(lambda: not is_ready(cluster, "Listener", "front", "east"), "and its target", east)
    assert conditions(cluster, "Connector", "backend", "west")["Matched"] == "True"
    cluster.delete("Link", "to-west", "east")
    cluster.delete("Secret", "credential", "east")
    soon(
        lambda: not status(cluster, "Connector", "backend", "west")["hasMatchingListener"],
        "the site with the Listener is out of reach",
        west,
    )
    assert conditions(cluster, "Connector", "backend", "west")["Matched"] == "False"


def test_a_listener_whose_certificate_has_expired_says_so_until_it_is_renewed(
    cluster: Cluster, begin: Begin, serve: Serve
) -> None:
    def credential(now: float) -> dict[str, str]:
        leaf, ca = issue_service_leaf("storefront", ["storefront"], now)
        files = {"tls.crt": leaf.chain_pem, "tls.key": leaf.key_pem, "ca.crt": ca}
        return encoded({name: text.encode() for name, text in files.items()})

    west = begin("west", "A")
    backend(cluster, "west", serve("west"))
    expired = credential(0.0)
    cluster.create("Secret", "front-tls", "west", type="kubernetes.io/tls", data=expired)
    spec = {"routingKey": KEY, "host": "storefront", "port": 443, "tlsCredentials": "front-tls"}
    put(cluster, "Listener", "front", "west", **spec)

    def told() -> str:
        return str(status(cluster, "Listener", "front", "west").get("message"))

    def problem() -> str:
        listed = west.get("status")["problems"]
        found = next((one for one in listed if one["code"] == "SW0202"), None)
        return f"{found['message']}. {found['hint']}" if found else ""

    soon(lambda: "expired at 1971" in told() and told() == problem(), "its words are there", west)
    assert conditions(cluster, "Listener", "front", "west")["Configured"] == "False"
    good = {"data": credential(time.time())}
    cluster.patch("Secret", "front-tls", good, "west")
    soon(lambda: is_ready(cluster, "Listener", "front", "west"), "it listens", west)


def test_each_level_of_rights_shows_what_it_can_and_how_to_get_the_next(
    cluster: Cluster, begin: Begin, serve: Serve
) -> None:
    west = begin("west", "C")
    put(cluster, "Listener", "front", "west", routingKey=KEY, host="storefront", port=80)
    backend(cluster, "west", serve("west"))
    soon(lambda: any("level C" in one for one in levels(west)), "it may read nothing", west)
    assert cluster.get("Service", "storefront", "west") is None

    skupper2_kinds.grant(cluster, "west", skupper2_kinds.rules()[:1])
    soon(lambda: any("level B" in one for one in levels(west)), "it may read", west)
    soon(lambda: asked(cluster, west, "storefront") == "west", "objects are in force", west)
    assert not status(cluster, "Listener", "front", "west")

    skupper2_kinds.grant(cluster, "west", skupper2_kinds.rules())
    soon(lambda: any("level A" in one for one in levels(west)), "it may do all", west)
    soon(lambda: is_ready(cluster, "Listener", "front", "west"), "statuses are written", west)

    skupper2_kinds.grant(cluster, "west", [])
    soon(lambda: any("may no longer read" in one for one in levels(west)), "rights go", west)
    assert asked(cluster, west, "storefront") == "west", "what was in force stays"


def test_commands_read_objects_of_v2_as_the_router_does(cluster: Cluster) -> None:
    namespace(cluster, "west")
    put(cluster, "Site", "shop-west", "west")
    put(cluster, "Listener", "front", "west", routingKey=KEY, host="storefront", port=80)
    put(cluster, "Connector", "far", "west", routingKey="db", port=70_000, host="h")
    rules = [*NAMESPACE_ADMIN, *skupper2_kinds.rules()]
    owner = as_user(cluster, "owner", "west", rules=rules)
    found = json.loads(owner("check", "-o", "json").stdout)["items"]
    told = {(one["code"], one["message"].partition(":")[0]) for one in found}
    assert ("SW0470", "site shop-west in namespace west") in told, told
    assert ("SW0113", "Connector/far") in told, told
    kept = owner("service", "delete", KEY)
    assert kept.returncode == 5, kept.stdout + kept.stderr
    assert "Next: kubectl -n west delete listener/front" in kept.stderr
    blind = as_user(cluster, "blind", "west", rules=NAMESPACE_ADMIN)
    assert "no site" in blind("check").stdout, "objects that may not be read make no site"


def test_a_site_gets_the_rights_where_the_administrator_of_its_namespace_holds_them(
    cluster: Cluster,
) -> None:
    cluster.create("Namespace", "west")
    owner = as_user(cluster, "owner", "west", rules=[*NAMESPACE_ADMIN, *skupper2_kinds.rules()])
    owner.ok("init", "west", "--ingress", "none")
    role = cluster.get("Role", "spillway-router-skupper-v2", "west")
    assert role is not None and role["rules"] == skupper2_kinds.rules()
    assert "is so already" in owner.ok("update"), "again changes nothing"
    owner.ok("delete", "--yes")
    assert cluster.get("Role", "spillway-router-skupper-v2", "west") is None

    cluster.create("Namespace", "east")
    other = as_user(cluster, "other", "east", rules=NAMESPACE_ADMIN)
    # As a real server, which lets no user grant rights that they do not hold.
    refused = Fault(code=403, verb="write", kind="Role", name="spillway-router-skupper-v2")
    cluster.faults.add(refused)
    done = other("init", "east", "--ingress", "none")
    assert done.returncode == 0, done.stderr
    assert "deploy/kubernetes/skupper-v2/cluster-role.yaml" in done.stderr
