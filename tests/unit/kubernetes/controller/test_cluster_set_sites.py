"""Which namespaces take part in a cluster set, and how their sites are made and linked."""

import asyncio
from typing import Any

import pytest

from certs.ca.authority import Authority
from certs.ca.rotation import CaState
from certs.identity import SiteIdentity
from certs.joining import claims
from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import ApiError
from router.kubernetes.codecs import grant as grants
from router.kubernetes.codecs import identity
from router.kubernetes.codecs import token as token_secrets
from router.kubernetes.codecs.secrets import grant_name, link_name
from router.kubernetes.controller.cluster_set_membership import (
    ClusterSite,
    Membership,
    cluster_site,
)
from router.kubernetes.controller.cluster_set_sites import (
    LINK,
    ClusterSetSites,
    claim_name,
    is_made,
    site_config_map,
)
from router.kubernetes.objects import names
from router.model.errors import ConfigError

NOW = 1_800_000_000.0
PLACE = "spillway"


def stated(text: str | None, name: str = "west") -> dict[str, Any]:
    noted = {} if text is None else {"annotations": {names.MCS_NAMESPACES: text}}
    return {"metadata": {"name": names.SITE_CONFIGMAP, **noted}, "data": {"name": name}}


def site(text: str) -> ClusterSite:
    found = cluster_site(stated(text), PLACE)
    assert isinstance(found, ClusterSite)
    return found


def namespace(name: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}}


def test_without_the_annotation_no_namespace_takes_part() -> None:
    assert cluster_site(None, PLACE) is None
    assert cluster_site(stated(None), PLACE) is None


def test_all_leaves_out_kubernetes_and_the_clusters_own_site() -> None:
    there = [namespace(name) for name in ("default", "kube-system", PLACE, "shop")]
    assert site("all").members(there) == {"default", "shop"}


def test_a_selector_chooses_by_labels_and_never_one_that_is_being_deleted() -> None:
    going = namespace("going", team="a")
    going["metadata"]["deletionTimestamp"] = "2026-11-26T05:00:00Z"
    there = [namespace("shop", team="a"), namespace("test", team="b"), going]
    assert site("team=a").members(there) == {"shop"}


@pytest.mark.parametrize("text", ["", "a b", "(", "=x", "team in (shop"])
def test_what_is_no_selector_is_a_finding_and_chooses_nothing(text: str) -> None:
    found = cluster_site(stated(text), PLACE)
    assert isinstance(found, ConfigError) and names.MCS_NAMESPACES in found.path


def test_a_site_that_we_make_is_known_by_its_label_and_has_a_name_that_fits() -> None:
    made = site_config_map("n" * 63, ClusterSite("spillway", "w" * 60, None))
    assert is_made(made) and not is_made(stated("all"))
    assert len(made["data"]["name"]) <= 63
    assert site_config_map("shop", site("all"))["data"] == {
        "name": "west-shop",
        "ingress": "none",
        "mcs": "true",
        "service-sync": "false",
    }


NAMESPACES = {name: namespace(name, team=name) for name in ("shop", "test")}


def test_where_the_selector_is_a_typo_no_namespace_has_left_and_the_site_says_so() -> None:
    known = Membership(cluster_site(stated("team in (shop"), PLACE), NAMESPACES)
    assert not known.members() and known.site_for("shop") is None
    assert not any(known.has_left(name) for name in NAMESPACES)
    problem = known.problem()
    assert problem is not None and "nor deletes" in problem.message


@pytest.mark.parametrize("text", ["all", "team=shop"])
def test_where_namespaces_could_not_be_listed_none_has_left_and_the_site_says_so(text: str) -> None:
    known = Membership(site(text), None)
    assert not known.members() and not known.has_left("shop")
    problem = known.problem()
    assert problem is not None and "cannot list Namespaces" in problem.message


def test_a_namespace_has_left_when_the_selector_or_the_annotation_says_so() -> None:
    known = Membership(site("team=shop"), NAMESPACES)
    assert known.members() == {"shop"} and known.site_for("shop") == site("team=shop")
    assert not known.has_left("shop") and known.has_left("test") and known.problem() is None
    assert not known.has_left("new"), "its Namespace was not seen yet"
    off = Membership(None, None)
    assert off.has_left("shop") and off.problem() is None


class Cluster(Api):
    """Objects by kind, namespace and name."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Any] = {}

    async def find(self, kind: str, name: str, *, namespace: str = "") -> dict[str, Any] | None:
        return self.objects.get((kind, namespace, name))

    async def create(self, made: Any, *, namespace: str = "") -> dict[str, Any]:
        key = (made["kind"], namespace, made["metadata"]["name"])
        assert key not in self.objects
        self.objects[key] = made
        return dict(made)

    async def delete(
        self, kind: str, name: str, *, uid: str = "", version: str = "", namespace: str = ""
    ) -> bool:
        return self.objects.pop((kind, namespace, name), None) is not None


def ready(cluster: Cluster) -> None:
    """The cluster's site has an identity and an address."""
    who, identity_pem = SiteIdentity.generate()
    authority, key_pem = Authority.generate(who.site_id, NOW)
    secret = identity.secret(identity.made_of(identity_pem, CaState(key_pem, authority.ca_pem)))
    cluster.objects["Secret", PLACE, names.IDENTITY_SECRET] = secret
    service = {"metadata": {"name": names.ROUTER}, "spec": {"clusterIP": "10.0.0.5"}}
    cluster.objects["Service", PLACE, names.ROUTER] = service


def test_a_link_waits_for_the_clusters_site() -> None:
    sites = ClusterSetSites(Cluster(), lambda: NOW)
    with pytest.raises(ApiError, match="not ready to link"):
        asyncio.run(sites.link("shop", stated(None), site("all")))


def test_a_link_is_a_claim_that_the_clusters_site_granted() -> None:
    cluster, at = Cluster(), [NOW]
    ready(cluster)
    sites = ClusterSetSites(cluster, lambda: at[0])
    owner = site_config_map("shop", site("all"))
    owner["metadata"]["uid"] = "u1"

    def link() -> Any:
        asyncio.run(sites.link("shop", owner, site("all")))
        return cluster.objects["Secret", "shop", LINK]

    first = link()
    token = token_secrets.decode(first)
    assert token.endpoints == (("10.0.0.5", 55671),) and token.site_name == "west"
    (reference,) = first["metadata"]["ownerReferences"]
    assert reference["uid"] == "u1"
    granted = cluster.objects["Secret", PLACE, grant_name(claim_name("shop"))]
    assert grants.decode(granted).uses_left == 1
    assert link() is first, "it is made once"

    at[0] = token.expires_at + 1
    assert link() is not first, "what expired before it was redeemed is made again"
    at[0] += claims.claim_expires_at(0) + 1
    second = cluster.objects["Secret", "shop", LINK]
    cluster.objects["Secret", "shop", link_name(LINK)] = {}
    assert link() is second, "it was redeemed"

    asyncio.run(sites.forget("shop", PLACE))
    assert ("Secret", PLACE, grant_name(claim_name("shop"))) not in cluster.objects


@pytest.mark.parametrize("is_token", [False, True])
def test_a_secret_of_the_links_name_that_is_not_our_token_is_a_finding(is_token: bool) -> None:
    cluster = Cluster()
    ready(cluster)
    sites = ClusterSetSites(cluster, lambda: NOW)
    theirs: dict[str, Any] = {"metadata": {"name": LINK}, "data": {}}
    if is_token:
        assert asyncio.run(sites.link("other", stated(None), site("all"))) is None
        theirs = cluster.objects["Secret", "other", LINK]
    cluster.objects["Secret", "shop", LINK] = theirs
    problem = asyncio.run(sites.link("shop", stated(None), site("all")))
    assert isinstance(problem, ConfigError)
    assert LINK in problem.message and f"kubectl -n shop delete secret {LINK}" in problem.hint
    assert cluster.objects["Secret", "shop", LINK] is theirs
    assert ("Secret", PLACE, grant_name(claim_name("shop"))) not in cluster.objects


def ends(cluster: Cluster, text: str | None) -> bool:
    """Whether the site of ``shop`` goes by what the cluster's site says when it is read again."""
    cluster.objects["ConfigMap", PLACE, names.SITE_CONFIGMAP] = stated(text)
    made = site_config_map("shop", site("all"))
    cluster.objects["ConfigMap", "shop", names.SITE_CONFIGMAP] = made
    cluster.objects["Secret", PLACE, grant_name(claim_name("shop"))] = {}
    asyncio.run(ClusterSetSites(cluster, lambda: NOW).end("shop", made, PLACE, NAMESPACES))
    return ("ConfigMap", "shop", names.SITE_CONFIGMAP) not in cluster.objects


@pytest.mark.parametrize("text", ["all", "team=shop", "team in (shop"])
def test_a_site_stays_if_the_annotation_was_put_back_meanwhile(text: str) -> None:
    cluster = Cluster()
    with pytest.raises(ApiError) as refusal:
        ends(cluster, text)
    assert refusal.value.status == 409
    assert ("ConfigMap", "shop", names.SITE_CONFIGMAP) in cluster.objects
    assert ("Secret", PLACE, grant_name(claim_name("shop"))) in cluster.objects


@pytest.mark.parametrize("text", [None, "team=test"])
def test_a_site_and_its_claim_go_if_the_annotation_still_leaves_it_out(text: str | None) -> None:
    cluster = Cluster()
    assert ends(cluster, text)
    assert ("Secret", PLACE, grant_name(claim_name("shop"))) not in cluster.objects
