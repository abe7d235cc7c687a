"""Moved from Skupper v2 and back, with other writers in between and interrupted anywhere."""

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from router.kubernetes.migration.forecast import planned_steps
from router.kubernetes.objects import names
from tests.examples import examples
from tests.unit.kubernetes.services.moving_v2 import WorldV2

HOSTS = ("a", "b")


@st.composite
def worlds(draw: st.DrawFn) -> tuple[WorldV2, list[str]]:
    """A namespace that Skupper v2 serves: hosts with one key or two, whose targets are here."""
    world = WorldV2(guards=draw(st.booleans()), named=draw(st.booleans()))
    chosen = list(HOSTS[: draw(st.integers(1, 2))])
    for host in chosen:
        for number in range(draw(st.integers(1, 2))):
            key = f"{host}/{number}"
            world.listens(f"{host}-{number}", host, key, 80 + number)
            if draw(st.booleans()):
                world.serves(f"{host}-{number}", key)
    world.serves("served", "elsewhere")
    world.settle()
    return world, chosen


def meddling(world: WorldV2, data: st.DataObject) -> Callable[[], None]:
    """What the others get done before the next step is up to chance, as are touched Listeners."""

    def run() -> None:
        for _ in range(data.draw(st.integers(0, 2))):
            match data.draw(st.sampled_from(("skupper", "router", "touch", "restart"))):
                case "skupper":
                    world.skupper_looks()
                case "router":
                    world.router_looks()
                case "touch":
                    listeners = world.cluster.objects["Listener"]
                    name = data.draw(st.sampled_from(sorted(listeners)))
                    metadata = {**listeners[name]["metadata"], "labels": {"touched": "yes"}}
                    world.cluster.put({**listeners[name], "metadata": metadata})
                case "restart":
                    world.skupper.restart()

    return run


def untouched(world: WorldV2) -> Any:
    found = {kind: dict(objects) for kind, objects in world.foreign().items()}
    del found["Listener"]
    return found


@settings(max_examples=examples(12))
@given(made_world=worlds(), data=st.data())
def test_apply_then_rollback_leaves_everything_as_it_was(
    made_world: tuple[WorldV2, list[str]], data: st.DataObject
) -> None:
    world, hosts = made_world
    before = untouched(world)
    moved = data.draw(st.lists(st.sampled_from(hosts), unique=True, min_size=1))
    for host in moved:
        world.move(host, "apply", between=meddling(world, data))
    world.settle()
    assert {h: world.led_by(h) for h in hosts} == {
        h: "spillway" if h in moved else "skupper" for h in hosts
    }
    for host in moved:
        assert world.move(host, "apply") == [], "applied twice is applied once"
        assert "ownerReferences" not in world.cluster.service(host)["metadata"]
    for host in data.draw(st.permutations(moved)):
        world.move(host, "rollback", between=meddling(world, data))
    world.settle()
    assert untouched(world) == before
    assert not [n for n in world.cluster.objects["ConfigMap"] if n.startswith("spillway-")]


@settings(max_examples=examples(12))
@given(made_world=worlds(), data=st.data())
def test_killed_anywhere_and_typed_again_it_ends_the_same(
    made_world: tuple[WorldV2, list[str]], data: st.DataObject
) -> None:
    world, hosts = made_world
    before = untouched(world)
    for _ in range(data.draw(st.integers(1, 3))):
        direction: Any = data.draw(st.sampled_from(("apply", "rollback")))
        host = data.draw(st.sampled_from(hosts))
        steps = data.draw(st.integers(0, 7))
        world.move(host, direction, steps=steps, between=meddling(world, data))
        for one in hosts:  # Whatever happened: the Service leads to one of the two, whole.
            assert world.led_by(one) in ("skupper", "spillway")
    for host in hosts:
        world.move(host, "apply", between=meddling(world, data))
    world.settle()
    assert {world.led_by(host) for host in hosts} == {"spillway"}
    for host in hosts:
        world.move(host, "rollback", between=meddling(world, data))
    world.settle()
    assert untouched(world) == before


@settings(max_examples=examples(8))
@given(made_world=worlds())
def test_what_is_foretold_is_what_happens(made_world: tuple[WorldV2, list[str]]) -> None:
    world, (host, *_) = made_world
    told = [
        step.text for step in planned_steps(world.namespace().view(host), "apply") if step.changes
    ]
    done = [step.text for step in world.move(host, "apply") if step.changes]
    assert done == told
    told = [s.text for s in planned_steps(world.namespace().view(host), "rollback") if s.changes]
    done = [step.text for step in world.move(host, "rollback") if step.changes]
    assert done == told


@settings(max_examples=examples(8))
@given(made_world=worlds())
def test_a_key_without_listener_is_declared_and_skupper_is_not_kept_away(
    made_world: tuple[WorldV2, list[str]],
) -> None:
    world, _ = made_world
    before = untouched(world)
    done = [step.text for step in world.move("elsewhere", "apply")]
    assert len(done) == 2 and done[1].startswith("write documents")
    assert untouched(world) == before
    world.move("elsewhere", "rollback")
    assert names.MIGRATION_CONFIGMAP not in world.cluster.objects["ConfigMap"]
