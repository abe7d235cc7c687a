"""From Skupper v2, step by step: cases that are easier to say than to generate."""

import copy

import msgspec
import pytest

from router.kubernetes.migration.forecast import planned_steps
from router.kubernetes.migration.migration import next_step
from router.kubernetes.migration.record import Direction, MigrationRecord
from router.kubernetes.migration.views import AddressView
from router.kubernetes.migration.writing import documents_away
from router.kubernetes.objects import names
from router.kubernetes.objects.objects import Object
from router.kubernetes.services import adoption
from sitectl.kubernetes.migration.migration_run import can_serve
from tests.kubernetes.skupper2 import NAME
from tests.unit.kubernetes.cluster import users_service
from tests.unit.kubernetes.namespace_objects import made
from tests.unit.kubernetes.services.moving_v2 import WorldV2


@pytest.fixture
def world() -> WorldV2:
    world = WorldV2(named=True)
    for name in ("db", "web"):
        world.listens(name, f"my-{name}", f"shop/{name}")
        world.serves(name, f"shop/{name}")
    world.settle()
    return world


def controller(world: WorldV2) -> str:
    return str(world.cluster.objects["ConfigMap"][names.SKUPPER_CONTROL]["data"]["controller"])


def test_skuppers_controller_is_away_from_the_first_service_until_the_last_is_back(
    world: WorldV2,
) -> None:
    moves: tuple[tuple[str, Direction, str], ...] = (
        ("my-db", "apply", "spillway-migration"),
        ("my-web", "apply", "spillway-migration"),
        ("my-db", "rollback", "spillway-migration"),
        ("my-web", "rollback", NAME),
    )
    for host, direction, named in moves:
        world.move(host, direction)
        assert controller(world) == named
    control = world.cluster.objects["ConfigMap"][names.SKUPPER_CONTROL]
    assert control["data"]["other"] == "x" and "annotations" not in control["metadata"]


def test_a_service_that_moved_outlives_the_site_and_an_awake_controller(world: WorldV2) -> None:
    before = world.cluster.service("my-db")
    assert before["metadata"]["ownerReferences"][0]["kind"] == "Site"
    world.move("my-db", "apply")
    after = world.cluster.service("my-db")
    assert "ownerReferences" not in after["metadata"]
    assert names.SKUPPER_CONTROLLED not in after["metadata"].get("annotations", {})
    assert after["spec"]["clusterIP"] == before["spec"]["clusterIP"]
    assert [port["name"] for port in after["spec"]["ports"]] == ["db"]
    # An admin gives the namespace back to Skupper: no event of the Service concerns it.
    control = world.cluster.objects["ConfigMap"][names.SKUPPER_CONTROL]
    world.cluster.put({**control, "data": {"controller": NAME}})
    world.settle()
    assert after["spec"]["selector"] == adoption.ROUTERS
    plan = [step.text for step in world.move("my-db", "apply")]
    assert plan == ["keep Skupper's controller away: ConfigMap skupper names spillway-migration"]


def test_declared_only_nothing_of_skupper_changes(world: WorldV2) -> None:
    before = world.foreign()
    for _ in range(2):
        view = msgspec.structs.replace(
            world.namespace().view("my-db"), only_declare=True, is_serving=True
        )
        step = next_step(view, "apply")
        assert step is not None
        for change in step.changes:
            world.cluster.carry_out(change)
    view = msgspec.structs.replace(
        world.namespace().view("my-db"), only_declare=True, is_serving=True
    )
    assert next_step(view, "apply") is None
    world.settle()
    assert world.foreign() == before
    assert "wait until clients" not in str([s.text for s in world.move("my-db", "rollback")])
    assert world.foreign() == before


def test_of_a_site_made_anew_the_service_gets_the_new_owner(world: WorldV2) -> None:
    world.move("my-db", "apply")
    del world.cluster.objects["Site"]["shop"]
    made = world.put("Site", "shop", spec={})
    world.move("my-db", "rollback")
    (owner,) = world.cluster.service("my-db")["metadata"]["ownerReferences"]
    assert owner["uid"] == made["metadata"]["uid"]


def test_without_the_site_the_service_goes_back_and_nothing_collects_it(world: WorldV2) -> None:
    world.move("my-db", "apply")
    del world.cluster.objects["Site"]["shop"]
    world.move("my-db", "rollback")
    assert world.led_by("my-db") == "skupper"
    assert "ownerReferences" not in world.cluster.service("my-db")["metadata"]


def test_what_cannot_move_says_why(world: WorldV2) -> None:
    world.cluster.put(users_service("mine", 80))
    world.listens("taken", "mine", "other")
    world.listens("twice", "your-db", "shop/db")
    world.put("Listener", "odd", spec={"routingKey": "x", "host": "odd", "port": 80, "type": "udp"})
    world.settle()
    found = world.namespace().candidates
    assert "is not Skupper's" in found["mine"].obstacles[0]
    assert "already listens for key" in found["your-db"].obstacles[0]
    assert "'udp' is not possible" in found["odd"].obstacles[0]
    assert found["my-db"].obstacles == ()


def test_an_address_of_several_keys_moves_with_the_servers_of_all(world: WorldV2) -> None:
    world.put(
        "MultiKeyListener",
        "both",
        spec={
            "host": "my-both",
            "port": 80,
            "strategy": {"priority": {"routingKeys": ["first", "second"]}},
        },
    )
    world.serves("one", "first")
    world.serves("two", "second")
    found = world.namespace().candidates
    assert "first" not in found and "second" not in found, "units of their own"
    both = found["my-both"]
    assert both.services == ("first", "second")
    assert [one.service for one in both.connectors] == ["first", "second"]
    (listener,) = [text for source, text in both.becomes if "MultiKeyListener" in source]
    assert listener.endswith("for service first, second")
    view = world.namespace().view("my-both")

    def is_served(*ready: str) -> bool:
        names_ = ("first", "second")
        return can_serve(
            view,
            [{"name": name, "sites": [{"targets_ready": int(name in ready)}]} for name in names_],
        )

    assert is_served("first") and is_served("second"), "the other one is a standby"
    assert not is_served()
    world.listens("alone", "my-both", "first", 81)
    view = world.namespace().view("my-both")
    assert is_served("first") and not is_served("second"), "port 81 has no other"


def test_a_tool_that_keeps_who_controls_the_namespace_is_told(world: WorldV2) -> None:
    control = world.cluster.objects["ConfigMap"][names.SKUPPER_CONTROL]
    marked = {**control["metadata"], "annotations": {"argocd.argoproj.io/tracking-id": "x"}}
    world.cluster.put({**control, "metadata": marked})
    (obstacle,) = world.namespace().candidates["my-db"].obstacles
    assert "Argo CD" in obstacle and "controller: spillway-migration" in obstacle


def test_documents_that_two_services_need_stay_until_the_last_went_back() -> None:
    documents = ("spillway-service-db", "spillway-listener-a")
    maps: dict[str, Object] = {name: made("ConfigMap", name) for name in documents}
    other = MigrationRecord(release="v2", documents=("spillway-service-db",))
    text = msgspec.json.encode(other).decode()
    record = MigrationRecord(release="v2", documents=tuple(maps))
    view = AddressView(address="a", release="v2", maps=maps)
    step = documents_away(view, record)
    assert step is not None and {change.name for change in step.changes} == set(maps)
    records = made("ConfigMap", names.MIGRATION_CONFIGMAP, data={"b": text})
    step = documents_away(msgspec.structs.replace(view, records=records), record)
    assert step is not None
    assert [change.name for change in step.changes] == ["spillway-listener-a"]


@pytest.mark.parametrize("direction", ["apply", "rollback"])
def test_a_service_that_a_user_put_there_meanwhile_is_not_touched(
    world: WorldV2, direction: Direction
) -> None:
    world.move("my-db", "apply", steps=60 if direction == "rollback" else 2)
    del world.cluster.objects["Service"]["my-db"]
    world.cluster.put(users_service("my-db", 80))
    before = copy.deepcopy(world.cluster.service("my-db"))
    last = world.move("my-db", direction)[-1]
    assert "neither ours nor Skupper's" in last.text
    assert f"sitectl migrate --{direction} my-db" in last.hint and not last.changes
    assert planned_steps(world.namespace().view("my-db"), direction)[-1].hint == last.hint
    assert world.cluster.service("my-db") == before
    del world.cluster.objects["Service"]["my-db"]
    world.settle()
    world.move("my-db", direction)
    assert world.led_by("my-db") == ("skupper" if direction == "rollback" else "spillway")


def test_a_service_of_ours_with_a_users_selector_does_not_go_to_skupper(world: WorldV2) -> None:
    world.move("my-db", "apply")
    found = world.cluster.service("my-db")
    world.cluster.put({**found, "spec": {**found["spec"], "selector": {"app": "mine"}}})
    assert world.move("my-db", "rollback")[-1].hint
    assert world.cluster.service("my-db")["spec"]["selector"] == {"app": "mine"}


def test_listeners_that_came_after_the_declaration_are_there_after_the_way_back(
    world: WorldV2,
) -> None:
    declared = msgspec.structs.replace(
        world.namespace().view("my-db"), only_declare=True, is_serving=True
    )
    step = next_step(declared, "apply")
    assert step is not None and step.text == "note what Skupper has"
    for change in step.changes:
        world.cluster.carry_out(change)
    world.listens("second", "my-db", "shop/second", 81)
    world.settle()
    before = world.foreign()
    world.move("my-db", "apply")
    world.move("my-db", "rollback")
    ports = world.cluster.service("my-db")["spec"]["ports"]
    assert sorted(port["port"] for port in ports) == [80, 81]
    assert world.foreign() == before


def test_a_key_of_two_hosts_has_its_servers_at_both_until_the_last_goes_back(
    world: WorldV2,
) -> None:
    strategy = {"priority": {"routingKeys": ["shop/db", "standby"]}}
    world.put("MultiKeyListener", "any", spec={"host": "any", "port": 80, "strategy": strategy})
    world.settle()
    found = world.namespace().candidates
    assert [one.service for one in found["any"].connectors] == [found["my-db"].services[0]]
    assert "Connector/db" in dict(found["any"].becomes), "people see what becomes of it"
    world.move("any", "apply")
    assert "spillway-connector-db" in world.cluster.objects["ConfigMap"]
    world.move("my-db", "apply")
    world.move("my-db", "rollback")
    assert "spillway-connector-db" in world.cluster.objects["ConfigMap"]
    world.move("any", "rollback")
    assert "spillway-connector-db" not in world.cluster.objects["ConfigMap"]


@pytest.mark.parametrize("named", ["spillway-router", "shop/spillway-router", " spillway-router\n"])
def test_a_namespace_that_is_ours_already_stays_ours(world: WorldV2, named: str) -> None:
    world.put("ConfigMap", names.SKUPPER_CONTROL, data={"controller": named})
    world.move("my-db", "apply")
    assert controller(world) == named
    world.move("my-db", "rollback")
    assert controller(world) == named
