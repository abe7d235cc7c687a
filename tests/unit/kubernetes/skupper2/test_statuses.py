"""Statuses of Skupper v2's objects as its own tools read them (SKUPPER2.md, 1, Status)."""

from typing import Any

import msgspec
import pytest

from router.documents.skupper2.keys import service_of
from router.kubernetes.objects.access_levels import AccessLevel
from router.kubernetes.objects.addresses import Addresses
from router.kubernetes.objects.skupper2_kinds import KINDS
from router.kubernetes.services import refusals
from router.kubernetes.skupper2.network_facts import GrantFacts, KeyFacts, LinkFacts, NetworkFacts
from router.kubernetes.skupper2.statuses import StatusInputs, statuses, without_site
from router.model.errors import ConfigError
from router.model.specs import ConnectorSpec, ListenerSpec, TargetSpec
from tests.unit.kubernetes.namespace_objects import made, site, snapshot
from tests.unit.kubernetes.skupper2.v2_objects import connector, listener, read, several, v2

NOW = "2026-01-02T03:04:05Z"
FACTS = NetworkFacts(version="1.2.3", is_ready=True, sites={"f" * 32: "east", "0" * 32: "west"})


def inputs(*objects: Any, facts: NetworkFacts = FACTS, **more: Any) -> StatusInputs:
    seen = read(site(name="west"), *objects)
    wanted: dict[str, Any] = {
        "snapshot": snapshot((site(name="west"), *objects)),
        "seen": seen,
        "levels": dict.fromkeys(KINDS, AccessLevel.FULL),
        "facts": facts,
        "addresses": Addresses((("10.1.1.1", 55671),)),
        "now": NOW,
        "errors": seen.picture.errors,
    }
    return StatusInputs(**(wanted | more))


def status(one: Any, *others: Any, **more: Any) -> dict[str, Any]:
    """Of the object ``one``."""
    found = statuses(inputs(one, *others, **more))
    return dict(found[one["kind"], one["metadata"]["name"]])


def conditions(found: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    return [(c["type"], c["status"], c["reason"], c["message"]) for c in found["conditions"]]


def short(found: dict[str, Any]) -> tuple[str, str]:
    return found["status"], found["message"]


def keyed(ready: int, elsewhere: bool = False) -> NetworkFacts:
    facts = {service_of("db"): KeyFacts(ready, elsewhere)}
    return msgspec.structs.replace(FACTS, keys=facts)


def pod(name: str, host: str, unusable: str = "") -> TargetSpec:
    return TargetSpec(host=host, port=5432, name=name, unusable=unusable)


def pods(*targets: TargetSpec) -> ConnectorSpec:
    """A connector of key ``db`` with its targets."""
    return ConnectorSpec(service=service_of("db"), targets=targets)


def test_a_site_that_serves_is_ready() -> None:
    found = status(v2("Site", "west"))
    assert short(found) == ("Ready", "OK")
    (configured, *others) = conditions(found)
    assert configured[:3] == ("Configured", "True", "Ready")
    assert configured[3].startswith("OK. spec.linkAccess: none: ")
    assert others == [
        ("Running", "True", "Ready", "OK"),
        ("Ready", "True", "Ready", "OK"),
    ]
    assert found["sitesInNetwork"] == 2
    assert [one["name"] for one in found["network"]] == ["east", "west"]
    assert found["controller"] == {
        "name": "spillway-router",
        "namespace": "shop",
        "version": "1.2.3",
    }


def test_a_site_that_accepts_links_shows_where() -> None:
    wanted = v2("Site", "west", linkAccess="loadbalancer")
    found = status(wanted)
    assert [one[0] for one in conditions(found)] == [
        "Configured",
        "Running",
        "Resolved",
        "Ready",
    ]
    assert found["endpoints"][0] == {
        "name": "inter-router",
        "host": "10.1.1.1",
        "port": "55671",
        "group": "skupper-router",
    }
    assert {one["name"] for one in found["endpoints"]} == {"inter-router", "edge"}
    waiting = status(wanted, addresses=Addresses(waiting="no address yet"))
    assert short(waiting) == ("Pending", "no address yet")


def test_a_site_without_a_ready_router_waits() -> None:
    facts = msgspec.structs.replace(FACTS, is_ready=False)
    assert short(status(v2("Site", "west"), facts=facts)) == ("Pending", "No router pod is ready")


def test_a_second_site_is_told_in_skuppers_words() -> None:
    second = v2("Site", "other", at="2026-01-01T00:00:00Z")
    found = status(second, v2("Site", "west"))
    text = "An active site already exists in the namespace (west)"
    assert short(found) == ("Error", text)
    assert conditions(found)[0] == ("Configured", "False", "Error", text)
    assert "controller" not in found


@pytest.mark.parametrize(("ready", "told"), [(0, "Pending"), (2, "Ready")])
def test_a_listener_is_matched_when_some_target_is_ready(ready: int, told: str) -> None:
    found = status(listener("front"), facts=keyed(ready))
    assert found["status"] == told
    assert found["hasMatchingConnector"] is (ready > 0)
    assert ("No matching connectors" in found["message"]) is (ready == 0)
    assert [one[0] for one in conditions(found)] == ["Configured", "Matched", "Ready"]


def test_a_listener_whose_service_is_somebody_elses_is_wrong() -> None:
    taken = ConfigError("Service/database", "metadata.name", "exists", code="SW0420")
    found = status(listener("front"), facts=keyed(1), errors=(taken,))
    assert short(found) == ("Error", "Service database already exists in namespace")


@pytest.mark.parametrize("made", [listener("front"), several("front", "db")])
def test_a_listener_whose_service_leads_to_skuppers_router_says_so(made: Any) -> None:
    led = refusals.left_to_skupper("database")
    before = ConfigError("Service/database", "spec.ports", "another obstacle", code="SW0422")
    found = status(made, facts=keyed(1), errors=(before, led))
    assert found["status"] == "Error"
    assert found["message"] == f"Service database: {led.reason}. {led.hint}"


def test_a_connector_shows_its_pods_and_who_listens() -> None:
    more = {"connectors": {"back": pods(pod("db-0", "10.0.0.1"))}}
    found = status(connector("back"), **more)
    assert short(found) == ("Pending", "No matching listeners")
    assert found["selectedPods"] == [{"name": "db-0", "ip": "10.0.0.1"}]
    near = status(connector("back"), listener("front"), **more)
    far = status(connector("back"), facts=keyed(1, elsewhere=True), **more)
    among = status(connector("back"), several("front", "web", "db"), **more)
    for one in (near, far, among):
        assert short(one) == ("Ready", "OK")
        assert one["hasMatchingListener"] is True
    nobody = ConfigError("Connector/back", "spec.selector", "selects no pod", code="SW0434")
    found = status(connector("back"), errors=(nobody,))
    assert short(found) == ("Error", "No matches for selector")


def test_a_pod_that_takes_no_connection_is_not_selected() -> None:
    waiting = pod("db-1", "10.0.0.2", unusable="its pod is not ready")
    some = pods(pod("db-0", "10.0.0.1"), waiting)
    found = status(connector("back"), listener("front"), connectors={"back": some})
    assert short(found) == ("Ready", "OK")
    assert found["selectedPods"] == [{"name": "db-0", "ip": "10.0.0.1"}]
    found = status(connector("back"), listener("front"), connectors={"back": pods(waiting)})
    assert short(found) == ("Error", "No matches for selector: 1 not ready")
    assert found["selectedPods"] == []


def test_a_pod_that_ended_lends_its_name_to_none_that_has_its_address_now() -> None:
    ended = made("Pod", "zz-job", status={"podIP": "10.0.0.1", "phase": "Succeeded"})
    running = made("Pod", "db-0", status={"podIP": "10.0.0.1"})
    now = pods(pod("db-0", "10.0.0.1"))
    found = status(connector("back"), running, ended, connectors={"back": now})
    assert found["selectedPods"] == [{"name": "db-0", "ip": "10.0.0.1"}]


def test_a_link_shows_its_site() -> None:
    link = v2("Link", "to-east", tlsCredentials="none", endpoints=[])
    up = LinkFacts(True, "east", "f" * 32)
    facts = msgspec.structs.replace(FACTS, links={"to-east": up})
    found = status(link, facts=facts, errors=())
    assert short(found) == ("Ready", "OK")
    assert (found["remoteSiteName"], found["remoteSiteId"]) == ("east", "f" * 32)
    down = msgspec.structs.replace(FACTS, links={"to-east": LinkFacts(False, "", "", "refused")})
    assert short(status(link, facts=down, errors=())) == ("Pending", "Not operational: refused")
    assert short(status(link, facts=facts))[0] == "Error", "it has no token of ours"


def test_a_wrong_object_says_what_to_do() -> None:
    found = status(v2("Connector", "both", routingKey="db", selector="a=b", host="h", port=1))
    assert short(found) == (
        "Error",
        "both of selector and host. Give exactly one of them",
    )


def test_a_listener_with_several_keys_shows_those_that_are_reached() -> None:
    strategy = {"priority": {"routingKeys": ["web", "db"]}}
    wanted = v2("MultiKeyListener", "front", host="h", port=1, strategy=strategy)
    found = status(wanted, facts=keyed(1), errors=())
    assert found["strategy"] == {"priority": {"routingKeysReachable": ["db"]}}
    assert found["hasDestination"] is True
    assert [one[0] for one in conditions(found)] == ["Configured", "Operational"]
    weighted = {"weighted": {"routingKeys": {"web": 1, "db": 3}}}
    other = v2("MultiKeyListener", "front", host="h", port=1, strategy=weighted)
    assert status(other, facts=keyed(1), errors=())["strategy"] == {
        "weighted": {"routingKeysReachable": {"db": 3}}
    }


def test_tokens_of_skupper_are_not_redeemed_and_say_so() -> None:
    found = status(v2("AccessToken", "east", url="https://x/1", code="c", ca="ca"))
    assert found["status"] == "Error"
    assert found["redeemed"] is False
    assert [one[:3] for one in conditions(found)] == [("Redeemed", "False", "Error")]


@pytest.mark.parametrize(
    "before",
    [
        {"redeemed": True, "status": "Ready"},
        # Its Site went meanwhile: true with the reason Error, so that no site tries again.
        {"conditions": [{"type": "Redeemed", "status": "True", "reason": "Error"}]},
    ],
)
def test_a_token_that_skupper_redeemed_keeps_its_status(before: dict[str, Any]) -> None:
    used = v2("AccessToken", "east", url="https://x/1", code="c", ca="ca") | {"status": before}
    asked = inputs(used, v2("Site", "west"))
    assert [error for error in asked.errors if error.severity == "error"] == []
    assert list(statuses(asked)) == [("Site", "west")]


OUR_URL = "https://10.1.1.1:55671/spillway/claims/g?site=1"


def test_a_grant_waits_for_an_address_and_then_has_its_token() -> None:
    nowhere = Addresses(waiting="no address yet")
    found = status(v2("AccessGrant", "g"), v2("Site", "west"), addresses=nowhere)
    assert short(found) == ("Pending", "no address yet")
    assert [one[:2] for one in conditions(found)] == [
        ("Processed", "True"),
        ("Resolved", "False"),
        ("Ready", "False"),
    ]
    kept = {"url": OUR_URL, "code": "c", "ca": "x", "expirationTime": NOW}
    made = v2("AccessGrant", "g") | {"status": {**kept, "redemptions": 0}}
    found = status(made, v2("Site", "west"), access=GrantFacts(granted={"g": 2}))
    assert short(found) == ("Ready", "OK")
    assert {key: found[key] for key in kept} == kept and found["redemptions"] == 2


def test_a_grant_whose_token_is_useless_or_has_no_address_is_not_resolved() -> None:
    kept = {"url": OUR_URL, "code": "c", "ca": "x", "expirationTime": NOW}
    made = v2("AccessGrant", "g") | {"status": {**kept, "redemptions": 0}}
    revoked = GrantFacts(granted={"g": 0}, useless={"g": "the token was revoked"})
    found = status(made, v2("Site", "west"), access=revoked)
    assert short(found) == ("Error", "the token was revoked. Make the AccessGrant again")
    assert found["url"] == OUR_URL, "else it would be granted again"
    nowhere = Addresses(waiting="no address yet")
    found = status(made, v2("Site", "west"), access=GrantFacts(granted={"g": 0}), addresses=nowhere)
    assert short(found) == ("Pending", "no address yet")


def test_what_is_left_without_a_site_is_in_error_and_a_grant_keeps_what_its_token_was() -> None:
    was = {"conditions": [{"type": "Ready", "status": "True"}], "hasMatchingConnector": True}
    found = without_site(listener("front") | {"status": was}, "shop", NOW)
    assert found is not None and short(found) == ("Error", "No active site in namespace")
    assert [one[:2] for one in conditions(found)] == [("Configured", "False"), ("Ready", "False")]
    assert "hasMatchingConnector" not in found
    kept = {"url": OUR_URL, "code": "c", "ca": "x", "expirationTime": NOW, "redemptions": 1}
    found = without_site(v2("AccessGrant", "g") | {"status": {**was, **kept}}, "shop", NOW)
    assert found is not None and {key: found[key] for key in kept} == kept
    assert conditions(found)[0][:2] == ("Processed", "False")


@pytest.mark.parametrize(
    "left",
    [
        listener("front"),
        v2("AccessToken", "t") | {"status": {"redeemed": True, "conditions": [{"type": "x"}]}},
        v2("AttachedConnector", "a", siteNamespace="far") | {"status": {"conditions": [{}]}},
    ],
)
def test_what_nobody_reported_on_or_is_done_or_another_sites_stays_as_it_is(left: Any) -> None:
    assert without_site(left, "shop", NOW) is None


def test_a_grant_that_skupper_made_keeps_its_url_and_code() -> None:
    theirs = {"url": "https://10.0.0.9:9090/1", "code": "c", "status": "Ready"}
    asked = inputs(v2("AccessGrant", "g") | {"status": theirs}, v2("Site", "west"))
    assert [error for error in asked.errors if error.severity == "error"] == []
    assert list(statuses(asked)) == [("Site", "west")]


def test_a_token_of_ours_is_redeemed_when_its_link_has_a_certificate() -> None:
    ours = v2("AccessToken", "east", url=OUR_URL, code="c", ca="x")
    found = status(ours, v2("Site", "west"))
    assert (found["status"], found["redeemed"]) == ("Pending", False)
    refused = msgspec.structs.replace(
        FACTS, links={"east": LinkFacts(False, "", "", "claim refused: used up")}
    )
    found = status(ours, v2("Site", "west"), facts=refused)
    assert short(found) == ("Error", "claim refused: used up") and found["redeemed"] is False
    former = GrantFacts(former={"east"})
    found = status(ours, v2("Site", "west"), facts=refused, access=former)
    assert short(found) == ("Pending", "Its link is not made yet"), "the refusal is of an old token"
    found = status(ours, v2("Site", "west"), access=GrantFacts(redeemed={"east"}))
    assert short(found) == ("Ready", "OK") and found["redeemed"] is True
    assert [one[:3] for one in conditions(found)] == [("Redeemed", "True", "Ready")]


def test_nothing_is_said_where_it_may_not_be_or_of_objects_of_others() -> None:
    few = {"Listener": AccessLevel.READ, "Site": AccessLevel.FULL}
    found = statuses(inputs(listener("front"), v2("Site", "west"), levels=few))
    assert list(found) == [("Site", "west")]
    reported = {**v2("Site", "west"), "status": {"controller": {"name": "skupper-controller"}}}
    assert statuses(inputs(reported)) == {}


def test_the_same_state_gives_the_same_status_at_any_time() -> None:
    wanted = listener("front")
    first = status(wanted, facts=keyed(1))
    again = {**wanted, "status": first}
    assert status(again, facts=keyed(1), now="2027-01-01T00:00:00Z") == first
    changed = status(again, facts=keyed(0), now="2027-01-01T00:00:00Z")
    times = {one["type"]: one["lastTransitionTime"] for one in changed["conditions"]}
    assert times == {
        "Configured": NOW,
        "Matched": "2027-01-01T00:00:00Z",
        "Ready": "2027-01-01T00:00:00Z",
    }


def test_fields_without_effect_are_named_in_the_condition_and_the_object_is_ready() -> None:
    asked = v2("Site", "west", defaultIssuer="theirs", settings={"size": "big"})
    told = status(asked)
    assert (told["status"], told["message"]) == ("Ready", "OK")
    configured = told["conditions"][0]
    assert configured["type"] == "Configured" and configured["status"] == "True"
    assert (
        "spec.defaultIssuer: has no effect: a site signs with its own CA" in configured["message"]
    )
    assert "spec.settings" in configured["message"]


def test_a_listener_whose_credential_cannot_be_used_is_not_configured() -> None:
    front = v2(
        "Listener", "front", routingKey="db", host="database", port=1, tlsCredentials="db-tls"
    )
    missing = ConfigError(
        "Secret/db-tls", "data[ca.crt]", "it is missing", hint="Add", code="SW0444"
    )
    assert short(status(front, errors=(missing,))) == ("Error", "Secret/db-tls: it is missing. Add")
    other = ConfigError("Secret/other", "", "it is missing", code="SW0444")
    assert short(status(front, errors=(other,)))[0] == "Pending"


@pytest.mark.parametrize("made", [listener("front"), several("front", "web", "db")])
def test_a_listener_that_is_not_bound_is_not_configured(made: Any) -> None:
    why = "Service db has no listener here: tls/db/tls.crt has expired. Renew it"
    keys = {service_of("db"): KeyFacts(1, unlistened=why)}
    facts = msgspec.structs.replace(FACTS, keys=keys)
    spec = ListenerSpec(service=service_of("db"))
    found = status(made, facts=facts, listeners={"front": spec})
    assert short(found) == ("Error", why)
    assert conditions(found)[0] == ("Configured", "False", "Error", why)
    other = {"front": ListenerSpec(service=service_of("web"))}
    assert short(status(made, facts=facts, listeners=other)) == ("Ready", "OK")
