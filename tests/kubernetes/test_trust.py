"""Sites in namespaces: who they are, how they link, and what survives what."""

import json
import ssl
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from certs.ca.authority import Leaf, issue_service_leaf
from certs.certificates import fingerprint
from certs.joining.claims import decode
from router.kubernetes.codecs.secrets import (
    GRANT_FILE,
    data_of,
    encoded,
    grant_name,
    link_name,
    revoked_secret,
)
from router.kubernetes.objects.names import IDENTITY_SECRET, REVOKED_SECRET, ROUTER
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.faults import Fault
from tests.kubernetes.routers import (
    LINK_PORT,
    Router,
    Start,
    certificate,
    claim,
    kubectl,
    manifest,
    soon,
)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path / "cluster", without=("kubelet",)) as made:
        yield made


def secret(cluster: Cluster, name: str, namespace: str) -> dict[str, Any]:
    found = cluster.get("Secret", name, namespace)
    assert found is not None, f"no Secret {name} in {namespace}"
    return found


def links_up(*routers: Router, name: str = "link1") -> None:
    for router in routers:
        soon(partial(router.is_up, name), f"{name} of {router.namespace} is up", *routers)


def test_a_claim_created_by_kubectl_links_two_namespaces_and_outlives_their_pods(
    cluster: Cluster, start: Start
) -> None:
    east, west = start("east"), start("west")
    east.serves(), west.serves()
    token = claim(cluster, "east", ((east.address, LINK_PORT),))
    kubectl(cluster, "west", "create", "-f", "-", given=manifest(token, "link1"))
    users = secret(cluster, "link1", "west")
    links_up(west)
    ids = (east.site_id, west.site_id)
    soon(lambda: len(secret(cluster, link_name("link1"), "west")["data"]) == 4, "it is kept", west)
    grant = decode(data_of(secret(cluster, grant_name("claim"), "east"))[GRANT_FILE], "")
    assert (grant.uses_left, len(grant.redeemed)) == (0, 1)
    for router in (east, west):
        router.kill()
    east, west = start("east", east.address), start("west")  # Empty directories.
    east.serves(), west.serves()
    links_up(west)
    assert (east.site_id, west.site_id) == ids
    again = decode(data_of(secret(cluster, grant_name("claim"), "east"))[GRANT_FILE], "")
    assert again == grant
    assert secret(cluster, "link1", "west") == users  # It was not touched.
    kubectl(cluster, "west", "delete", "secret", "link1")
    soon(lambda: not west.link("link1"), "the link is gone", west)
    deleted = "west closed: the link was deleted"
    soon(lambda: deleted in east.log(), "east hears why", east)
    soon(lambda: cluster.get("Secret", link_name("link1"), "west") is None, "collected", west)


def test_two_replicas_that_start_at_once_are_one_site(cluster: Cluster, start: Start) -> None:
    one, other = start("east"), start("east")
    one.serves(), other.serves()
    assert one.site_id == other.site_id
    created = [
        seen
        for seen in cluster.faults.seen
        if seen.wanted.verb == "create" and seen.wanted.resource.kind == "Secret"
    ]
    assert sorted(seen.code for seen in created)[0] == 201
    assert [seen.code for seen in created].count(201) == 1


def test_one_claim_asked_of_two_replicas_by_two_replicas_is_used_once(
    cluster: Cluster, start: Start
) -> None:
    first, second = start("east"), start("east")
    here, there = start("west"), start("west")
    for router in (first, second, here, there):
        router.serves()
    endpoints = ((first.address, LINK_PORT), (second.address, LINK_PORT))
    token = claim(cluster, "east", endpoints)
    kubectl(cluster, "west", "create", "-f", "-", given=manifest(token, "link1"))
    links_up(here, there)
    grant = decode(data_of(secret(cluster, grant_name("claim"), "east"))[GRANT_FILE], "")
    assert (grant.uses_left, len(grant.redeemed)) == (0, 1)


def test_a_claim_is_used_once_though_the_api_is_away_and_then_an_answer_is_lost(
    cluster: Cluster, start: Start
) -> None:
    east, west = start("east"), start("west")
    east.serves(), west.serves()
    grant = grant_name("claim")
    away = cluster.faults.add(Fault(code=500, verb="update", kind="Secret", name=grant))
    cluster.faults.add(Fault(cut="after", verb="update", kind="Secret", name=grant, times=1))
    token = manifest(claim(cluster, "east", ((east.address, LINK_PORT),)), "link1")
    kubectl(cluster, "west", "create", "-f", "-", given=token)
    soon(lambda: west.link("link1").get("error"), "the claim was not answered", west, east)
    assert west.link("link1")["state"] == "connecting"
    away.times = 0
    links_up(west)
    kept = decode(data_of(secret(cluster, grant, "east"))[GRANT_FILE], "")
    assert (kept.uses_left, len(kept.redeemed)) == (0, 1)


def test_one_certificate_token_works_for_many_sites_and_each_is_revoked_alone(
    cluster: Cluster, start: Start
) -> None:
    east, west, north = start("east"), start("west"), start("north")
    for router in (east, west, north):
        router.serves()
    token = manifest(certificate(cluster, "east", ((east.address, LINK_PORT),)), "link1")
    for namespace in ("west", "north", "east"):  # Synced to its own site, too.
        kubectl(cluster, namespace, "apply", "-f", "-", given=token)
    links_up(west, north)
    assert east.link("link1") == {}
    assert len({east.site_id, west.site_id, north.site_id}) == 3
    revoked = json.dumps({"serials": [], "sites": [west.site_id]}).encode()
    cluster.create_object(revoked_secret(revoked), "east")
    soon(lambda: not west.is_up("link1"), "west is out", east, west, within_s=5.0)
    assert north.is_up("link1")
    east.admin.command("revoke", site=north.site_id)
    soon(lambda: not north.is_up("link1"), "north is out", east, north)
    soon(
        lambda: north.site_id in str(data_of(secret(cluster, REVOKED_SECRET, "east"))),
        "it is kept",
        east,
    )


def test_a_request_filled_here_and_copied_there_links_whatever_its_label_says(
    cluster: Cluster, start: Start
) -> None:
    east = start("east", ingress="loadbalancer").serves()
    request = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "wish", "labels": {"skupper.io/type": "connection-token-request"}},
    }
    kubectl(cluster, "east", "apply", "-f", "-", given=json.dumps(request))
    soon(lambda: "SW0442" in {event["code"] for event in east.get("events")}, "it waits", east)
    cluster.balancer_delay_s = -1.0  # The address is given below.
    cluster.create(
        "Service",
        "spillway-router",
        "east",
        spec={"type": "LoadBalancer", "ports": [{"name": "links", "port": LINK_PORT}]},
    )
    cluster.patch(
        "Service",
        "spillway-router",
        {"status": {"loadBalancer": {"ingress": [{"ip": east.address}]}}},
        "east",
        "status",
    )
    soon(lambda: "tls.crt" in secret(cluster, "wish", "east").get("data", {}), "filled", east)
    filled = secret(cluster, "wish", "east")
    assert filled["metadata"]["labels"]["skupper.io/type"] == "connection-token"
    kubectl(cluster, "east", "apply", "-f", "-", given=json.dumps(request))  # Self-heal.
    healed = secret(cluster, "wish", "east")
    assert healed["metadata"]["labels"]["skupper.io/type"] == "connection-token-request"
    west = start("west")
    west.serves()
    kubectl(cluster, "west", "apply", "-f", "-", given=json.dumps(request))
    assert west.link("wish") == {}
    metadata = {key: healed["metadata"][key] for key in ("name", "labels", "annotations")}
    copied = {**request, "metadata": metadata, "data": healed["data"]}
    kubectl(cluster, "west", "replace", "-f", "-", given=json.dumps(copied))
    links_up(west, name="wish")
    assert secret(cluster, "wish", "east")["data"] == filled["data"]
    version = secret(cluster, "wish", "east")["metadata"]["resourceVersion"]
    assert version == healed["metadata"]["resourceVersion"]


NOTHING = {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]}
SHOP = """
apiVersion: spillway/v1
kind: Service
name: shop
spec: {protocol: tcp, ports: [9443], tlsCert: shop-tls}
"""


def test_a_service_shows_the_certificate_of_a_secret_and_follows_its_rotation(
    cluster: Cluster, start: Start
) -> None:
    east = start("east").serves()
    labels = {"spillway.dev/documents": "true"}
    cluster.create(
        "ConfigMap", "own", "east", metadata={"labels": labels}, data={"shop.yaml": SHOP}
    )
    soon(lambda: "SW0444" in {event["code"] for event in east.get("events")}, "it is missed", east)
    for _ in range(2):
        leaf = _given_pair(cluster)
        soon(partial(_shows, east, leaf.chain_pem), "it is shown", east)
    again = start("east").serves()
    assert _shows(again, leaf.chain_pem)  # From the first moment.


def test_a_new_service_with_a_secret_that_was_there_before_never_lacks_it(
    cluster: Cluster, start: Start
) -> None:
    east = start("east").serves()
    leaf = _given_pair(cluster)
    labels = {"spillway.dev/documents": "true"}
    cluster.create(
        "ConfigMap", "own", "east", metadata={"labels": labels}, data={"shop.yaml": SHOP}
    )
    soon(lambda: east.get("services"), "it is known", east)
    soon(partial(_shows, east, leaf.chain_pem), "it is shown", east)
    told = {event["code"] for event in east.get("events")}
    assert "document-added" in told
    assert not told & {"listener-failed", "SW0444"}


def _given_pair(cluster: Cluster) -> Leaf:
    """A new certificate in Secret shop-tls of the namespace east."""
    leaf, _ = issue_service_leaf("shop", ["shop"], time.time())
    data = {"tls.crt": leaf.chain_pem.encode(), "tls.key": leaf.key_pem.encode()}
    made = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": "shop-tls"},
        "data": encoded(data),
    }
    kubectl(cluster, "east", "apply", "-f", "-", given=json.dumps(made))
    return leaf


def _shows(router: Router, chain_pem: str) -> bool:
    listener = router.get("services")[0]["listener"]
    try:
        shown = ssl.get_server_certificate((listener["host"], listener["port"]), timeout=2.0)
    except OSError:
        return False
    return fingerprint(shown) == fingerprint(chain_pem)


def test_without_a_right_to_secrets_the_router_says_which_rule_it_needs(
    cluster: Cluster, start: Start
) -> None:
    start("east").serves().stop()
    cluster.delete("Secret", IDENTITY_SECRET, "east")
    role = cluster.get("Role", ROUTER, "east")
    assert role is not None
    reading = [
        rule if "create" not in rule["verbs"] or "secrets" not in rule["resources"] else NOTHING
        for rule in role["rules"]
    ]
    cluster.patch("Role", ROUTER, {"rules": reading}, "east")
    code, said = start("east").ended()
    assert code == 1
    assert IDENTITY_SECRET in said and "Role spillway-router" in said and "[secrets]" in said
