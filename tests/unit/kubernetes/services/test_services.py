"""Plans of Services, case by case; `tests/property/test_kubernetes_services.py` has the laws."""

import copy
from typing import Any

import pytest

from router.kubernetes.objects import names
from router.kubernetes.objects.changes import Create, Delete, Patch
from router.kubernetes.objects.picture import RequestedService, SiteOptions
from router.kubernetes.services import adoption
from router.kubernetes.services.services import Memory, ServicePlan, plan, restore
from router.model import limits
from router.model.ids import ServiceKey
from router.model.specs import ListenerSpec, ServiceSpec
from tests.unit.kubernetes.cluster import Cluster, users_service, without_version

HTTP = ServiceSpec(protocol="http", ports=(80,))


class Site:
    """A site in a namespace that settles at each look."""

    def __init__(self, **options: Any) -> None:
        self.cluster = Cluster()
        self.options: SiteOptions | None = SiteOptions(name="here", **options)
        self.wishes: dict[str, RequestedService] = {}
        self.declared: dict[str, ServiceSpec] = {}
        self.local: set[str] = set()
        self.listeners: dict[str, ListenerSpec] = {}
        self.now = 0.0
        self.memory = Memory(began_at=0.0)

    def declare(self, name: str, spec: ServiceSpec = HTTP, *, here: bool = False) -> None:
        self.declared[name] = spec
        if here:
            self.local.add(name)

    def wish(self, name: str, **fields: Any) -> None:
        self.wishes[name] = RequestedService(address=name, source=f"Deployment/{name}", **fields)

    def look(self) -> ServicePlan:
        """Plan without writing."""
        found = plan(
            self.cluster.snapshot(),
            self.options,
            self.wishes,
            self.declared,
            self.local,
            self.memory,
            self.now,
            listeners=self.listeners,
        )
        self.memory = found.memory
        return found

    def settle(self) -> ServicePlan:
        for _ in range(5):
            found = self.look()
            if not found.changes:
                return found
            for change in found.changes:
                self.cluster.carry_out(change)
        raise AssertionError("does not settle")

    def codes(self) -> list[str]:
        return [error.code for error in self.settle().findings]


def test_an_address_gets_a_service_whose_ports_have_stable_names() -> None:
    site = Site(labels={"tier": "web"}, annotations={"note": "x"})
    site.declare("shop", ServiceSpec(protocol="http2", ports=(80, 443)))
    site.wish("shop", labels={"team": "a"})
    found = site.settle()
    service = site.cluster.service("shop")
    assert [(p["name"], p["port"], p["targetPort"]) for p in service["spec"]["ports"]] == [
        ("port80", 80, 1024),
        ("port443", 443, 1025),
    ]
    assert {p["appProtocol"] for p in service["spec"]["ports"]} == {"kubernetes.io/h2c"}
    assert service["spec"]["selector"] == {"spillway.dev/component": "router"}
    assert service["spec"]["ipFamilyPolicy"] == "PreferDualStack"
    assert service["metadata"]["labels"] == {
        "tier": "web",
        "team": "a",
        "app.kubernetes.io/part-of": "spillway",
        "app.kubernetes.io/managed-by": "spillway",
        "spillway.dev/service": "shop",
    }
    assert service["metadata"]["annotations"]["note"] == "x"
    assert found.inner_ports == {ServiceKey("shop", 80): 1024, ServiceKey("shop", 443): 1025}


def test_a_label_that_is_wished_no_more_goes_and_one_of_somebody_else_stays() -> None:
    site = Site()
    site.declare("shop")
    site.wish("shop", labels={"team": "a"})
    site.settle()
    live = copy.deepcopy(site.cluster.service("shop"))
    live["metadata"]["labels"]["colour"] = "red"
    site.cluster.put(live)
    site.wish("shop")
    site.settle()
    labels = site.cluster.service("shop")["metadata"]["labels"]
    assert "team" not in labels and labels["colour"] == "red"


def test_three_hundred_services_share_port_80() -> None:
    site = Site()
    for index in range(300):
        site.declare(f"shop-{index}")
    found = site.settle()
    assert len(set(found.inner_ports.values())) == 300
    assert site.cluster.writes == 300


def test_a_thousand_services_some_of_them_impossible_hold_up_nobody() -> None:
    site = Site()
    for index in range(1_000):
        site.declare(f"shop-{index}", here=True)
    site.cluster.put(users_service("shop-7", 80, 81))
    site.cluster.put(users_service("shop-8", 80, type="ExternalName", externalName="a.example"))
    site.declare("9lives")
    found = site.settle()
    assert sorted(error.code for error in found.findings) == ["SW0421", "SW0422", "SW0426"]
    assert len(set(found.inner_ports.values())) == 998
    assert site.cluster.writes == 998


def test_a_router_that_restarts_and_a_second_one_come_to_the_same_inner_ports() -> None:
    site = Site()
    for name in ("b", "a", "c"):
        site.declare(name)
        before = site.settle()
    site.memory = Memory(began_at=0.0)
    after = site.look()
    assert after.inner_ports == before.inner_ports and not after.changes


def test_a_service_that_comes_back_finds_its_inner_port_and_nobody_else_got_it() -> None:
    site = Site()
    site.declare("a")
    site.declare("b")
    first = site.settle().inner_ports[ServiceKey("a", 80)]
    del site.declared["a"]
    site.settle()
    site.declare("c")
    assert first not in site.settle().inner_ports.values()
    site.declare("a")
    assert site.settle().inner_ports[ServiceKey("a", 80)] == first


def test_of_two_services_that_claim_one_inner_port_the_older_keeps_it() -> None:
    site = Site()
    site.declare("b")
    site.settle()
    site.declare("a")
    site.settle()
    live = copy.deepcopy(site.cluster.service("a"))
    live["spec"]["ports"][0]["targetPort"] = 1024
    live["metadata"]["annotations"][names.MADE] = '{"innerPorts":{"80":1024}}'
    site.cluster.put(live)
    site.memory = Memory(began_at=0.0)
    ports = site.settle().inner_ports
    assert ports == {ServiceKey("b", 80): 1024, ServiceKey("a", 80): 1025}


@pytest.mark.parametrize("name", ["9lives", "spillway-router", "skupper-router", "a.b"])
def test_a_name_that_no_service_can_have_is_told(name: str) -> None:
    site = Site()
    site.declare(name)
    site.declare("shop")
    assert site.codes() == ["SW0426"]
    assert "shop" in site.cluster.objects["Service"]


def test_another_site_cannot_take_over_a_name_of_this_namespace() -> None:
    site = Site()
    users = site.cluster.put(users_service("shop", 80))
    site.declare("shop")
    (error,) = site.settle().findings
    assert error.code == "SW0420" and error.source == "Service/shop"
    assert site.cluster.service("shop") == users and site.cluster.writes == 0


def test_local_consent_and_adopt_services_hand_a_service_over() -> None:
    for here in (True, False):
        site = Site(adopt_services=not here)
        site.cluster.put(users_service("shop", 80))
        site.declare("shop", here=here)
        found = site.settle()
        service = site.cluster.service("shop")
        assert service["spec"]["selector"] == adoption.ROUTERS
        assert service["spec"]["ports"][0]["name"] == "p80"
        assert (
            service["spec"]["ports"][0]["targetPort"] == found.inner_ports[ServiceKey("shop", 80)]
        )


def test_a_wish_without_consent_adopts_nothing() -> None:
    site = Site()
    site.cluster.put(users_service("shop", 80))
    site.declare("shop", here=True)
    site.wish("shop", consent=False)
    assert site.codes() == ["SW0420"]


@pytest.mark.parametrize(
    ("service", "code"),
    [
        (users_service("shop", 80, type="ExternalName", externalName="a.b"), "SW0421"),
        (users_service("shop", 80, clusterIP="None"), "SW0421"),
        (users_service("shop", 80, selector=None), "SW0421"),
        (users_service("shop", 80, internalTrafficPolicy="Local"), "SW0421"),
        (users_service("shop", 80, 9090), "SW0422"),
        (users_service("shop", 80, selector={"skupper.io/component": "router"}), "SW0424"),
        (users_service("shop", 80, selector={"spillway.dev/component": "router"}), "SW0424"),
    ],
)
def test_what_cannot_be_adopted_is_told_and_not_touched(service: Any, code: str) -> None:
    site = Site()
    users = site.cluster.put(service)
    site.declare("shop", here=True)
    (error,) = site.settle().findings
    assert error.code == code and error.hint
    assert site.cluster.service("shop") == users


def test_a_udp_port_of_the_same_number_is_not_broken() -> None:
    site = Site()
    service = users_service("shop", 80)
    service["spec"]["ports"].append({"name": "u", "port": 80, "protocol": "UDP"})
    site.cluster.put(service)
    site.declare("shop", here=True)
    assert site.codes() == ["SW0422"]


def test_a_service_that_skupper_controls_is_never_touched() -> None:
    site = Site(adopt_services=True)
    service = users_service("shop", 80)
    service["metadata"]["annotations"][names.SKUPPER_CONTROLLED] = "true"
    users = site.cluster.put(service)
    site.declare("shop", here=True)
    assert site.codes() == ["SW0424"] and site.cluster.service("shop") == users


def test_without_rewriting_selectors_a_service_stays_and_new_ones_are_made() -> None:
    site = Site(rewrite_selectors=False)
    users = site.cluster.put(users_service("shop", 80))
    site.declare("shop", here=True)
    site.declare("other")
    assert site.codes() == ["SW0423"]
    assert site.cluster.service("shop") == users and "other" in site.cluster.objects["Service"]


def test_turning_off_the_rewriting_gives_services_back() -> None:
    site = Site()
    users = site.cluster.put(users_service("shop", 80))
    site.declare("shop", here=True)
    site.settle()
    site.options = SiteOptions(name="here", rewrite_selectors=False)
    site.settle()
    assert without_version(site.cluster.service("shop")) == without_version(users)


def test_ports_of_the_address_that_an_adopted_service_lacks_are_added_and_removed_again() -> None:
    site = Site()
    users = site.cluster.put(users_service("shop", 80, type="LoadBalancer"))
    site.declare("shop", ServiceSpec(ports=(80, 443)), here=True)
    site.settle()
    ports = site.cluster.service("shop")["spec"]["ports"]
    assert [p["name"] for p in ports] == ["p80", "port443"]
    assert ports[0]["nodePort"] == users["spec"]["ports"][0]["nodePort"]
    del site.declared["shop"]
    site.local.clear()
    site.settle()
    assert without_version(site.cluster.service("shop")) == without_version(users)


def test_what_a_service_was_is_seen_through_its_adoption() -> None:
    site = Site()
    users = site.cluster.put(users_service("shop", 80))
    site.declare("shop", here=True)
    site.settle()
    before = adoption.before(site.cluster.service("shop"))
    assert before["spec"] == users["spec"]


def test_kubectl_apply_of_an_adopted_service_is_mended_and_what_it_changed_is_kept() -> None:
    site = Site()
    site.cluster.put(users_service("shop", 80))
    site.declare("shop", here=True)
    site.settle()
    live = copy.deepcopy(site.cluster.service("shop"))
    live["spec"]["selector"] |= {"app": "shop", "tier": "web"}
    site.cluster.put(live)
    site.settle()
    assert site.cluster.service("shop")["spec"]["selector"] == adoption.ROUTERS
    was = adoption.before(site.cluster.service("shop"))
    assert was["spec"]["selector"] == {"app": "shop", "tier": "web"}


def test_an_unreadable_original_is_told_and_traffic_goes_on() -> None:
    site = Site()
    site.cluster.put(users_service("shop", 80))
    site.declare("shop", here=True)
    inner = site.settle().inner_ports
    live = copy.deepcopy(site.cluster.service("shop"))
    live["metadata"]["annotations"][names.ORIGINAL] = '{"ports": 3'
    site.cluster.put(live)
    found = site.settle()
    assert [error.code for error in found.findings] == ["SW0429"]
    assert found.inner_ports == inner
    assert [error.code for error in restore(site.cluster.snapshot())[1]] == ["SW0429"]


def reverted(site: Site, users: dict[str, Any]) -> ServicePlan:
    """GitOps puts the Service back, and we look."""
    live = copy.deepcopy(site.cluster.service("shop"))
    live["spec"]["selector"] = users["spec"]["selector"]
    site.cluster.put(live)
    site.now += 10
    return site.settle()


def test_a_fight_over_a_selector_ends_with_the_service_as_it_was() -> None:
    site = Site()
    users = site.cluster.put(users_service("shop", 80))
    site.declare("shop", here=True)
    site.settle()
    for _ in range(limits.SERVICE_REVERTS_MAX):
        assert not reverted(site, users).findings
    found = reverted(site, users)
    (finding,) = found.findings
    assert (finding.code, finding.source) == ("SW0425", "Service/shop"), "an Event says it there"
    assert finding.severity == "error" and "expose the Service again" in finding.hint
    assert without_version(site.cluster.service("shop")) == without_version(users)
    writes = site.cluster.writes
    site.now += limits.SERVICE_REVERTS_WITHIN_S / 2
    site.settle()
    assert site.cluster.writes == writes

    assert found.again_at is not None
    site.now = found.again_at
    assert not site.settle().findings, "one more attempt"
    assert [error.code for error in reverted(site, users).findings] == ["SW0425"]

    site.local.clear()
    del site.declared["shop"]
    site.settle()
    site.declare("shop", here=True)
    assert not site.settle().findings, "exposed again, it is adopted at once"


def owned_by(service: dict[str, Any], manager: str) -> dict[str, Any]:
    """``service`` after ``manager`` wrote its selector."""
    wrote = {"manager": manager, "fieldsV1": {"f:spec": {"f:selector": {}}}}
    service["metadata"]["managedFields"] = [wrote]
    return service


@pytest.mark.parametrize(
    ("manager", "selector", "is_fight"),
    [
        ("kubectl-client-side-apply", {"app": "shop"}, False),
        ("kubectl", {"app": "shop"}, False),
        ("helm", {"app": "shop", **adoption.ROUTERS}, False),
        ("argocd-controller", {"app": "shop", **adoption.ROUTERS}, False),
        ("argocd-controller", {"app": "shop"}, True),
        ("helm-controller", {"app": "shop"}, True),
        ("spillway", {"app": "shop", **adoption.ROUTERS}, True),  # A webhook changed our write.
    ],
)
def test_only_a_whole_selector_of_a_controller_counts_as_a_fight(
    manager: str, selector: dict[str, str], is_fight: bool
) -> None:
    site = Site()
    site.cluster.put(users_service("shop", 80))
    site.declare("shop", here=True)
    site.settle()
    for _ in range(2 * limits.SERVICE_REVERTS_MAX):
        live = copy.deepcopy(site.cluster.service("shop"))
        live["spec"]["selector"] = selector
        site.cluster.put(owned_by(live, manager))
        site.now += 10
        found = site.look()
        if found.findings:
            break
        (change,) = found.changes
        assert isinstance(change, Patch) and change.is_urgent != is_fight
        site.settle()
    assert [error.code for error in found.findings] == (["SW0425"] if is_fight else [])


def test_a_few_reverts_in_a_long_time_are_no_fight() -> None:
    site = Site()
    users = site.cluster.put(users_service("shop", 80))
    site.declare("shop", here=True)
    site.settle()
    for _ in range(20):
        site.now += limits.SERVICE_REVERTS_WITHIN_S / 2
        assert not reverted(site, users).findings


def test_routers_listen_for_a_service_until_it_leads_to_them_no_more() -> None:
    site = Site()
    theirs, ours = ServiceKey("theirs", 80), ServiceKey("ours", 80)
    site.cluster.put(users_service("theirs", 80))
    for name in ("theirs", "ours"):
        site.declare(name)
        site.wish(name, consent=True)
    before = site.settle()
    assert before.inner_ports.keys() == {theirs, ours}
    site.options = SiteOptions(name="here", service_sync=False)
    site.wishes.clear()  # Other sites still declare both.
    leaving = site.look()
    assert sorted(change.name for change in leaving.changes) == ["ours", "theirs"]
    assert leaving.inner_ports == before.inner_ports  # Nothing was written yet.
    assert site.settle().inner_ports == {}


def test_a_restart_deletes_no_service_of_sites_not_heard_of_yet() -> None:
    site = Site()
    site.declare("far")
    site.settle()
    site.memory, site.declared = Memory(began_at=site.now), {}
    found = site.settle()
    assert "far" in site.cluster.objects["Service"]
    assert found.again_at == site.now + limits.SERVICE_SYNC_TTL_S
    site.now = found.again_at
    site.settle()
    assert "far" not in site.cluster.objects["Service"]


def test_a_restart_knows_where_clients_are_led_before_it_hears_who_declares_it() -> None:
    site = Site(adopt_services=True)
    site.cluster.put(users_service("shop", 80))
    site.declare("far")
    site.declare("shop", here=True)
    before = site.settle()
    assert before.promised == before.inner_ports != {}
    site.memory, site.declared = Memory(began_at=site.now), {}
    after = site.look()
    assert (after.promised, after.inner_ports) == (before.inner_ports, {})


def test_a_service_withdrawn_everywhere_goes_at_once() -> None:
    site = Site()
    site.declare("far")
    site.settle()
    site.declared = {}
    site.settle()
    assert not site.cluster.objects["Service"]


def test_a_service_withdrawn_here_while_no_router_ran_is_given_back_at_once() -> None:
    site = Site()
    users = site.cluster.put(users_service("shop", 80))
    site.declare("shop", here=True)
    site.settle()
    site.memory, site.declared, site.local = Memory(began_at=site.now), {}, set()
    site.settle()
    assert without_version(site.cluster.service("shop")) == without_version(users)


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_a_router_that_may_not_read_who_asks_for_services_takes_none_away(kind: str) -> None:
    site = Site()
    site.cluster.put(users_service("cart", 80))
    for name in ("shop", "cart"):
        site.declare(name, here=True)
        site.wish(name)
    site.settle()
    before = copy.deepcopy(site.cluster.objects["Service"])
    site.cluster.missing.add(kind)
    site.memory, site.declared, site.local, site.wishes = Memory(began_at=0.0), {}, set(), {}
    site.now = limits.SERVICE_SYNC_TTL_S + 1
    site.settle()
    assert site.cluster.objects["Service"] == before
    site.cluster.missing.clear()
    site.settle()
    assert set(site.cluster.objects["Service"]) == {"cart"}


def test_a_site_that_cannot_be_read_leaves_everything_as_it_is() -> None:
    site = Site()
    site.declare("shop")
    before = site.settle()
    site.options = None
    found = site.look()
    assert not found.changes and found.inner_ports == before.inner_ports


def test_services_that_could_not_be_listed_are_not_made_again() -> None:
    site = Site()
    site.declare("shop")
    snapshot = site.cluster.snapshot()
    unread = type(snapshot)("shop", {}, frozenset({"Service"}))
    found = plan(unread, site.options, {}, site.declared, set(), site.memory, 0.0)
    assert not found.changes


def test_a_service_whose_ingress_is_never_gets_none() -> None:
    site = Site()
    site.declare("shop", here=True)
    site.wish("shop", is_made=False)
    found = site.settle()
    assert not site.cluster.objects["Service"] and not found.inner_ports


def test_without_service_sync_only_addresses_asked_for_here_have_a_service() -> None:
    site = Site(service_sync=False)
    for name in ("far", "wished", "own"):
        site.declare(name, here=name == "own")
    site.wish("wished")
    site.settle()
    assert set(site.cluster.objects["Service"]) == {"wished", "own"}


def test_without_service_sync_a_listener_asks_for_a_service_and_gives_no_service_away() -> None:
    """As on a host, where a Listener opens a port for a service of another site."""
    site = Site(service_sync=False)
    for name, listen in (("far", "8085"), ("every", "auto"), ("closed", "none")):
        site.declare(name)
        site.listeners[name] = ListenerSpec(service=name, listen=listen)
    users = copy.deepcopy(site.cluster.put(users_service("taken", 80)))
    site.declare("taken")
    site.listeners["taken"] = ListenerSpec(service="taken")
    assert site.codes() == ["SW0420"]
    assert set(site.cluster.objects["Service"]) == {"far", "every", "taken"}
    assert site.cluster.service("taken") == users
    site.listeners.clear()
    site.settle()
    assert set(site.cluster.objects["Service"]) == {"taken"}


def test_without_service_controller_no_service_is_made_and_all_are_given_back() -> None:
    site = Site()
    users = copy.deepcopy(site.cluster.put(users_service("shop", 80)))
    for name in ("shop", "far"):
        site.declare(name, here=True)
        site.wish(name)
    site.settle()
    site.options = SiteOptions(name="here", service_controller=False)
    site.settle()
    assert set(site.cluster.objects["Service"]) == {"shop"}
    assert without_version(site.cluster.service("shop")) == without_version(users)


def test_an_inner_port_at_which_the_router_itself_listens_is_not_taken_from_a_service() -> None:
    site = Site()
    site.declare("shop")
    site.settle()
    live = copy.deepcopy(site.cluster.service("shop"))
    live["spec"]["ports"][0]["targetPort"] = 9090
    live["metadata"]["annotations"][names.MADE] = '{"innerPorts":{"80":9090}}'
    site.cluster.put(live)
    site.memory = Memory(began_at=0.0)
    assert site.settle().inner_ports == {ServiceKey("shop", 80): 1024}


def test_a_label_of_the_users_that_we_needed_comes_back() -> None:
    site = Site()
    users = users_service("shop", 80)
    users["metadata"]["labels"] = {names.SERVICE_LABEL: "theirs"}
    site.cluster.put(users)
    site.declare("shop", here=True)
    site.settle()
    assert site.cluster.service("shop")["metadata"]["labels"][names.SERVICE_LABEL] == "shop"
    site.declared, site.local = {}, set()
    site.settle()
    assert site.cluster.service("shop")["metadata"]["labels"] == {names.SERVICE_LABEL: "theirs"}


def test_changes_say_what_they_were_computed_from_and_where_the_routers_must_listen() -> None:
    site = Site()
    users = site.cluster.put(users_service("shop", 80))
    site.declare("shop", here=True)
    (change,) = site.look().changes
    assert isinstance(change, Patch)
    assert change.version == users["metadata"]["resourceVersion"]
    assert change.body["metadata"]["resourceVersion"] == change.version
    assert change.needs == ((ServiceKey("shop", 80), 1024),)
    site.settle()
    site.declare("other")
    (made,) = site.look().changes
    assert isinstance(made, Create) and made.needs
    site.settle()
    del site.declared["other"]
    (deleted,) = site.look().changes
    assert isinstance(deleted, Delete) and deleted.uid and deleted.version


def test_a_copy_of_our_service_under_another_name_is_not_ours() -> None:
    site = Site()
    site.declare("shop")
    site.settle()
    copied = copy.deepcopy(site.cluster.service("shop"))
    copied["metadata"] |= {"name": "copy"}
    site.cluster.put(copied)
    changes, _ = restore(site.cluster.snapshot())
    assert [change.name for change in changes] == ["shop"]


def test_an_hour_of_reconciles_that_leave_selector_and_ports_alone_costs_no_write() -> None:
    site = Site()
    site.cluster.put(users_service("shop", 80))
    site.declare("shop", here=True)
    site.declare("far")
    site.settle()
    writes = site.cluster.writes
    for _ in range(20):
        live = copy.deepcopy(site.cluster.service("shop"))
        live["metadata"]["annotations"] |= users_service("shop", 80)["metadata"]["annotations"]
        site.cluster.put(live)
        site.now += 180
        assert not site.settle().findings
    assert site.cluster.writes == writes


DEEP = "[" * 5_000
DIGITS = "9" * 5_000


@pytest.mark.parametrize("key", [names.ORIGINAL, names.MADE])
@pytest.mark.parametrize(
    "text",
    [f'{{"x":{DEEP}', f'{{"ports":[{{"x":{DEEP}', f'{{"innerPorts":{{"{DIGITS}":1024}}}}'],
    ids=["deep", "deep-ports", "digits"],
)
def test_no_annotation_of_one_service_keeps_another_from_being_made(key: str, text: str) -> None:
    site = Site()
    spoilt = users_service("spoilt")
    spoilt["metadata"] |= {"labels": {names.SERVICE_LABEL: "spoilt"}, "annotations": {key: text}}
    site.cluster.put(spoilt)
    site.declare("shop")
    site.settle()
    assert site.cluster.service("shop")["spec"]["selector"] == adoption.ROUTERS


def applied(site: Site, name: str, **spec: Any) -> None:
    """`kubectl apply` of the user's Service over the existing one."""
    found = copy.deepcopy(site.cluster.service(name))
    found["metadata"]["labels"]["app"] = "theirs"
    found["spec"]["selector"]["app"] = "theirs"
    by_number = {port["port"]: port for port in found["spec"]["ports"]}
    for port in spec.pop("ports"):
        by_number[port["port"]] = {**by_number.get(port["port"], {}), **port}
    found["spec"]["ports"] = list(by_number.values())
    site.cluster.put(found)


@pytest.mark.parametrize(
    ("theirs", "kept"),
    [
        ({"name": "pg", "port": 5432, "targetPort": 5432}, {"name": "pg", "port": 5432}),
        ({"port": 80, "targetPort": "web"}, {"name": "port80", "port": 80, "targetPort": "web"}),
        ({"port": 80}, {"name": "port80", "port": 80}),
    ],
)
def test_a_service_applied_over_one_that_another_site_had_made_is_the_users(
    theirs: dict[str, Any], kept: dict[str, Any]
) -> None:
    site = Site()
    site.declare("db")
    site.settle()
    applied(site, "db", ports=[theirs])
    assert site.codes() == ["SW0420"]
    found = site.cluster.service("db")
    assert found["spec"]["selector"] == {"app": "theirs"}
    assert found["metadata"]["labels"] == {"app": "theirs"}
    assert not found["metadata"].get("annotations")
    assert [{k: port[k] for k in kept} for port in found["spec"]["ports"]] == [kept]
    assert all(port.get("targetPort") != 1024 for port in found["spec"]["ports"])
    del site.declared["db"]
    site.settle()
    assert site.cluster.service("db") == found  # And it is not deleted with the address.


def test_a_service_applied_over_one_that_was_asked_for_here_is_put_back() -> None:
    site = Site()
    site.declare("db")
    site.wish("db")
    site.settle()
    applied(site, "db", ports=[{"port": 80, "targetPort": 8080}])
    assert site.codes() == []
    assert site.cluster.service("db")["spec"]["selector"] == adoption.ROUTERS


def test_a_claimed_service_is_handed_over_though_the_address_is_withdrawn_meanwhile() -> None:
    site = Site()
    site.declare("db")
    site.settle()
    applied(site, "db", ports=[{"name": "pg", "port": 5432, "targetPort": 5432}])
    changes, _ = restore(site.cluster.snapshot())
    assert [type(change) for change in changes] == [Patch]


def test_more_ports_than_pods_have_room_for_get_no_service_and_take_none_away() -> None:
    site = Site()
    site.declare("old")
    site.settle()
    most = limits.PORTS_PER_SERVICE_MAX
    for number in range(limits.SERVICE_PORTS_UNASKED_MAX // most + 1):
        site.declare(f"a-{number:03}", ServiceSpec(ports=tuple(range(1, most + 1))))
    site.declare("huge", ServiceSpec(ports=tuple(range(1, most + 2))))
    site.declare("asked", ServiceSpec(ports=tuple(range(1, most + 1))))
    site.wish("asked")
    site.declare("listened", ServiceSpec(ports=tuple(range(1, most + 2))))
    site.listeners["listened"] = ListenerSpec(service="listened")
    found = site.settle()
    ports = sum(
        len(service["spec"]["ports"]) for service in site.cluster.objects["Service"].values()
    )
    assert ports <= limits.SERVICE_PORTS_UNASKED_MAX + 2 * most + 1
    assert {"old", "asked", "listened"} <= site.cluster.objects["Service"].keys()
    assert "huge" not in site.cluster.objects["Service"]
    assert {e.code for e in found.findings} == {"SW0427"}
    before = set(site.cluster.objects["Service"])
    site.declare("aaa", ServiceSpec(ports=tuple(range(1, most + 1))))
    site.settle()
    assert set(site.cluster.objects["Service"]) == before


def test_only_names_of_pods_are_below_the_name_of_a_stateful_set_of_another_site() -> None:
    site = Site()
    for name in ("com", "google", "db-0"):
        site.declare(name, ServiceSpec(ports=(80,), headless="com"))
    site.settle()
    slices = site.cluster.objects["EndpointSlice"].values()
    named = {each["hostname"] for found in slices for each in found["endpoints"]}
    assert named == {"db-0"}
