"""Objects of Skupper v2 beside v1's objects and documents (SKUPPER2.md, 6, 7 and 9)."""

from typing import Any

from router.documents.skupper2.keys import service_of
from router.documents.text import write
from router.kubernetes.objects.objects import seconds_of
from router.model.specs import LinkSpec, ServiceSpec
from router.model.wording.routing_key_names import NOMINAL_PORT
from tests.unit.kubernetes.namespace_objects import (
    connectors_of,
    documents,
    links_of,
    made,
    services_of,
    site,
    site_of,
    specs_of,
    workload,
)
from tests.unit.kubernetes.skupper2.v2_objects import (
    connector,
    listener,
    problems,
    read,
    several,
    v2,
)

KEY = "shop.v2/db"


def token(name: str, issuer: str = "f" * 32) -> dict[str, Any]:
    notes = {"skupper.io/generated-by": issuer, "spillway.dev/site-name": "east"}
    marked = {"skupper.io/type": "connection-token"}
    return made("Secret", name, notes, labels=marked, data={"ca.crt": "Y2E="})


def test_a_namespace_without_such_objects_stays_as_it_is() -> None:
    found = read(site(name="west"))
    assert (found.is_used, found.site, problems(found)) == (False, "", [])


def test_a_listener_and_a_connector_make_one_service_of_their_key() -> None:
    at = "2025-06-01T00:00:00Z"
    later = v2("Listener", "front", at=at, routingKey=KEY, host="database", port=80)
    found = read(site(name="west"), connector("back", KEY), later)
    service = service_of(KEY)
    assert services_of(found.picture) == {
        service: ServiceSpec(protocol="tcp", ports=(NOMINAL_PORT,), routing_key=KEY)
    }
    assert connectors_of(found.picture)["back"].workload == "pods/app=db"
    front = specs_of(found.picture, "Listener")["front"]
    assert (front.service, front.host, front.listen) == (service, "database", "80")
    (declared,) = (one for one in found.picture.documents if one.kind == "Service")
    assert declared.source == "Connector/back", "the older object declares it"
    assert declared.declared_at_s == seconds_of("2025-01-01T00:00:00Z")
    assert problems(found) == []


def test_a_wrong_object_is_not_half_applied_and_stops_no_other() -> None:
    wrong = v2("Connector", "both", routingKey="db", selector="app=db", host="h", port=1)
    found = read(site(name="west"), wrong, listener("front"))
    assert connectors_of(found.picture) == {}
    assert list(specs_of(found.picture, "Listener")) == ["front"]
    assert problems(found) == [("SW0113", "error", "Connector/both")]


def test_an_object_that_is_being_deleted_counts_as_gone() -> None:
    going = listener("front")
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert not specs_of(read(site(name="west"), going).picture, "Listener")


def test_a_site_makes_the_site_where_there_is_no_other() -> None:
    found = read(v2("Site", "shop-west", linkAccess="loadbalancer", ha=True))
    name, spec = site_of(found.picture)
    assert (name, found.site) == ("shop-west", "shop-west")
    assert not spec.service_sync, "only what a Listener names is listened for"
    assert found.picture.options is not None
    assert found.picture.options.ingress == "loadbalancer"
    assert found.picture.options.routers == 2
    assert problems(found) == []
    edge = read(v2("Site", "west", edge=True)).picture
    assert site_of(edge)[1].router_mode == "edge"


def test_skupper_site_comes_before_a_site_and_the_site_says_so() -> None:
    other = read(site(name="west"), v2("Site", "east"))
    assert site_of(other.picture)[0] == "west"
    assert (other.site, problems(other)) == ("", [("SW0411", "error", "Site/east")])
    same = read(site(name="west", ingress="none"), v2("Site", "west", linkAccess="route"))
    assert (same.site, problems(same)) == ("west", [("SW0411", "info", "Site/west")])


def test_of_two_sites_the_older_one_is_the_site() -> None:
    younger = v2("Site", "a", at="2026-01-01T00:00:00Z")
    found = read(younger, v2("Site", "b"))
    assert found.site == "b"
    assert ("SW0113", "error", "Site/a") in problems(found)


def test_a_dotted_site_is_no_site() -> None:
    found = read(v2("Site", "west.example"))
    assert found.picture.options is None
    assert problems(found) == [("SW0113", "error", "Site/west.example")]


def test_a_document_comes_before_an_object_of_its_name() -> None:
    head = "apiVersion: spillway/v1\nkind: "
    text = f"{head}Connector\nname: back\nspec: {{service: db, workload: deployment/db}}\n"
    declared = f"{head}Service\nname: db\nspec: {{ports: [5432]}}\n"
    found = read(site(name="west"), documents("d", f"{declared}---\n{text}"), connector("back"))
    assert connectors_of(found.picture)["back"].target_ports == ()
    assert ("SW0411", "error", "Connector/back") in problems(found)


def test_a_key_is_carried_by_the_annotated_service_of_its_name() -> None:
    annotated = workload("shop", 8080, proxy="tcp", address="db", port="5432:8080")
    found = read(site(name="west"), annotated, listener("front"), connector("more"))
    assert services_of(found.picture)["db"].ports == (5432,), "v1's service keeps its port"
    assert set(connectors_of(found.picture)) >= {"more"}
    assert problems(found) == []


def test_a_key_is_not_carried_by_a_service_with_several_ports() -> None:
    annotated = workload("shop", 8080, proxy="tcp", address="db", port="80:8080,81:8081")
    found = read(site(name="west"), annotated, listener("front"))
    assert not specs_of(found.picture, "Listener")
    assert ("SW0411", "error", "Listener/front") in problems(found)


def test_a_link_gives_its_name_and_cost_to_the_link_of_its_secret() -> None:
    link = v2("Link", "to-east", tlsCredentials="credential", cost=7, endpoints=[])
    found = read(site(name="west"), token("credential"), link)
    assert {name: spec.cost for name, spec in links_of(found.picture).items()} == {"to-east": 7}
    assert list(found.picture.tokens) == ["to-east"]
    assert found.picture.tokens["to-east"].uid == "uid-credential"
    assert problems(found) == []


def test_a_link_may_have_the_name_of_its_secret() -> None:
    link = v2("Link", "east", tlsCredentials="east", cost=3, endpoints=[])
    found = read(site(name="west"), token("east"), link)
    assert links_of(found.picture)["east"].cost == 3
    assert problems(found) == []


def test_a_link_without_a_token_of_ours_dials_nothing() -> None:
    link = v2("Link", "to-east", tlsCredentials="of-skupper", endpoints=[])
    found = read(site(name="west"), link)
    assert links_of(found.picture) == {} == found.picture.tokens
    assert problems(found) == [("SW0113", "error", "Link/to-east")]


def test_two_links_of_one_secret_are_one_link() -> None:
    first = v2("Link", "a", tlsCredentials="credential", endpoints=[])
    second = v2("Link", "b", tlsCredentials="credential", endpoints=[])
    found = read(site(name="west"), token("credential"), first, second)
    assert list(links_of(found.picture)) == ["a"]
    assert problems(found) == [("SW0411", "error", "Link/b")]


def test_grants_and_tokens_of_ours_are_asked_for_and_skuppers_refused() -> None:
    url = "https://10.0.0.1:55671/spillway/claims/1"
    ours = v2("AccessToken", "t", url=url, code="c", ca="ca", linkCost=4)
    theirs = v2("AccessToken", "u", url="https://10.0.0.1:9090/1", code="c", ca="ca")
    link = v2("Link", "t", tlsCredentials="credential", endpoints=[])
    grant = v2("AccessGrant", "g", redemptionsAllowed=3, expirationWindow="2h")
    found = read(site(name="west"), token("credential"), link, ours, theirs, grant)
    assert list(links_of(found.picture)) == ["t"], "the Link of that name is another link"
    assert problems(found) == [("SW0113", "error", "AccessToken/u")]
    assert {name: (one.url, one.cost) for name, one in found.tokens.items()} == {"t": (url, 4)}
    assert {name: (g.uses, g.window_s) for name, g in found.grants.items()} == {"g": (3, 7_200)}


def test_an_object_that_its_document_repeats_is_no_problem() -> None:
    objects = listener("front", KEY), several("many", "a", "b", port=81), connector("back", KEY)
    made = read(site(name="west"), *objects).picture.documents
    written = documents("moved", "---\n".join(map(write, made[1:])))
    found = read(site(name="west"), written, *objects)
    assert problems(found) == []
    assert {one.source for one in found.picture.documents[1:]} == {"ConfigMap/moved[all.yaml]"}
    changed = read(site(name="west"), written, *objects[1:], listener("front", KEY, port=99))
    assert problems(changed) == [("SW0411", "error", "Listener/front")]


def test_a_link_of_another_name_keeps_the_state_and_cost_of_its_secret() -> None:
    secret = token("credential")
    noted = {"skupper.io/cost": "5", "internal.skupper.io/disabled": "true"}
    secret["metadata"]["annotations"] |= noted
    link = v2("Link", "to-east", tlsCredentials="credential", endpoints=[])
    found = read(site(name="west"), secret, link)
    assert links_of(found.picture) == {"to-east": LinkSpec(cost=5, disabled=True)}
    costly = v2("Link", "to-east", tlsCredentials="credential", endpoints=[], cost=7)
    found = read(site(name="west"), secret, costly)
    assert links_of(found.picture) == {"to-east": LinkSpec(cost=7, disabled=True)}


def test_every_key_of_a_listener_with_several_is_declared() -> None:
    found = read(site(name="west"), several("front", "a", "b"))
    assert set(services_of(found.picture)) == {"a", "b"}
    assert specs_of(found.picture, "Listener")["front"].services == ("a", "b")


def test_each_key_of_a_listener_is_compared_with_v1s_services() -> None:
    fits = workload("fits", 8080, proxy="tcp", address="a", port="5432:8080")
    two = workload("two", 8080, proxy="tcp", address="b", port="80:8080,81:8081")
    found = read(site(name="west"), fits, several("front", "c", "a"))
    assert set(services_of(found.picture)) == {"a", "c"}
    assert services_of(found.picture)["a"].ports == (5432,), "v1's service keeps its port"
    found = read(site(name="west"), two, several("front", "c", "b"))
    assert not specs_of(found.picture, "Listener")
    assert list(services_of(found.picture)) == ["b"], "nothing of the object counts"
    assert problems(found) == [("SW0411", "error", "MultiKeyListener/front")]
