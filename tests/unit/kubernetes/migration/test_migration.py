"""One address moved step by step: cases that are easier to say than to generate."""

import json

import msgspec
import pytest

from router.documents import resolve
from router.kubernetes.migration.migration import next_step
from router.kubernetes.migration.skupper1_objects import original, placeholder
from router.kubernetes.objects import names
from router.kubernetes.services import adoption
from router.kubernetes.translation.translate import translate
from tests.kubernetes.skupper import entry
from tests.unit.kubernetes.namespace_objects import made
from tests.unit.kubernetes.services.moving import World


@pytest.fixture
def world() -> World:
    return World()


def entries(world: World) -> dict[str, str]:
    found: dict[str, str] = world.cluster.objects["ConfigMap"][names.SERVICES_CONFIGMAP]["data"]
    return found


def texts(world: World, address: str) -> list[str]:
    return [step.text for step in world.move(address, "apply")]


@pytest.mark.parametrize("kind", ["Deployment", "Service"])
def test_declared_only_both_routers_serve_and_nothing_contradicts(world: World, kind: str) -> None:
    world.annotated("a", kind, over=kind == "Service")
    world.settle()
    before = world.foreign()
    view = msgspec.structs.replace(world.namespace().view("a"), only_declare=True, is_serving=True)
    world.move("a", "apply", steps=2)
    after = world.namespace().view("a")
    view = msgspec.structs.replace(view, records=after.records, maps=after.maps)
    assert next_step(view, "apply") is None
    world.settle()
    assert world.foreign() == before
    found = translate(world.snapshot())
    assert not found.errors and not resolve(found.documents)[1]
    (connector,) = (d for d in found.documents if d.kind == "Connector")
    assert connector.source.startswith("ConfigMap/")
    assert "capacity: 3" in str(world.cluster.objects["ConfigMap"])


def test_what_skuppers_sync_brings_back_is_held_at_the_next_apply(world: World) -> None:
    world.exposed("a", over=False)
    world.settle()
    kept = entries(world)["a"]
    world.move("a", "apply")
    world.exposed("a", over=False, origin="other-site")
    world.settle()
    assert adoption.is_skuppers(world.cluster.service("a"))
    assert "hold the address at Skupper, with no Service" in texts(world, "a")
    assert json.loads(entries(world)["a"])["exposeIngress"] == "Never"
    assert not adoption.is_skuppers(world.cluster.service("a"))
    world.move("a", "rollback")
    assert entries(world)["a"] == kept


def test_yaml_applied_anew_gives_it_to_skupper_and_apply_takes_it_again(world: World) -> None:
    world.annotated("a", "Deployment", over=True)
    world.settle()
    before = world.foreign()
    world.move("a", "apply")
    notes = world.cluster.objects["Deployment"]["a"]["metadata"]["annotations"]
    world.cluster.objects["Deployment"]["a"]["metadata"]["annotations"] = {
        **notes,
        "skupper.io/proxy": "http",
        "skupper.io/port": "80:8000",
    }
    world.settle()
    assert adoption.is_skuppers(world.cluster.service("a"))
    assert "remove Skupper's annotations from Deployment/a" in texts(world, "a")
    assert adoption.is_adopted(world.cluster.service("a"))
    world.move("a", "rollback")
    world.settle()
    assert world.foreign() == before


def test_without_skuppers_controller_we_say_that_we_do_its_part(world: World) -> None:
    world.exposed("a", over=True)
    world.settle()
    world.controller_runs = False
    world.cluster.objects["Deployment"][names.SKUPPER_SERVICE_CONTROLLER]["status"] = {}
    told = texts(world, "a")
    assert "give Service a back its selector: Skupper's controller does not run" in told
    told = [step.text for step in world.move("a", "rollback")]
    assert "lead Service a to Skupper again: its controller does not run" in told


def test_without_our_router_a_rollback_gives_the_service_back_itself(world: World) -> None:
    world.exposed("a", over=True)
    world.settle()
    before = world.foreign()
    world.move("a", "apply")
    world.router_runs = False
    told = [step.text for step in world.move("a", "rollback")]
    assert "give Service a back: our router does not run" in told
    world.settle()
    assert world.foreign() == before


def test_pods_with_names_keep_them(world: World) -> None:
    target = {"name": "db", "selector": "app=db", "targetPorts": {"80": 80}}
    text = entry("db", 80, targets=[target], headless={"name": "db", "size": 2})
    world.put("ConfigMap", names.SERVICES_CONFIGMAP, data={"db": text})
    view = world.namespace().view("db")
    assert not view.is_led
    (connector,) = (one for one in view.wanted if "connector" in one["metadata"]["name"])
    assert "workload: statefulset/db" in str(connector["data"])
    assert connector["metadata"]["annotations"] == {"skupper.io/headless": "true"}


def test_labels_of_the_service_and_never_are_carried_over(world: World) -> None:
    text = entry("a", 80, targets=[], exposeIngress="Never", labels={"tier": "web"})
    world.put("ConfigMap", names.SERVICES_CONFIGMAP, data={"a": text})
    (found,) = world.namespace().view("a").wanted
    notes = {"skupper.io/ingress": "Never", "skupper.io/service-labels": "tier=web"}
    assert found["metadata"]["annotations"] == notes
    assert texts(world, "a")[-1] == "remove its entry from skupper-services"


def test_original_ports_come_back_by_name_and_number() -> None:
    notes = {
        names.SKUPPER_ORIGINAL_SELECTOR: "app=a,tier=web",
        names.SKUPPER_ORIGINAL_PORT: "80:8080,81:web",
        names.SKUPPER_ASSIGNED_PORT: "80:1024,81:1025,82:1026",
        "team": "x",
    }
    ports = [{"port": port, "targetPort": 1024 + at} for at, port in enumerate((80, 81, 82))]
    found = original(made("Service", "a", notes, spec={"selector": {"x": "y"}, "ports": ports}))
    assert found["spec"]["selector"] == {"app": "a", "tier": "web"}
    assert [(p["port"], p["targetPort"]) for p in found["spec"]["ports"]] == [
        (80, 8080),
        (81, "web"),
    ]
    assert found["metadata"]["annotations"] == {"team": "x"}


def test_a_held_address_says_no_more_than_skupper_needs() -> None:
    held = json.loads(placeholder(entry("a", 80, 81, origin="x", labels={"b": "c"})))
    assert held == {
        "address": "a",
        "protocol": "http",
        "ports": [80, 81],
        "exposeIngress": "Never",
        "targets": [],
    }


def test_an_address_that_skupper_has_gets_no_service_of_ours(world: World) -> None:
    world.exposed("a", over=False, origin="other-site")
    assert not world.router_looks()
    world.put("ConfigMap", names.SERVICES_CONFIGMAP, data={"a": placeholder(entry("a", 80))})
    assert world.router_looks()
    assert world.cluster.service("a")["spec"]["selector"] == adoption.ROUTERS
