"""Moved to us and back, whatever others do in between and wherever it is interrupted."""

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from router.kubernetes.migration.forecast import planned_steps
from router.kubernetes.services import adoption, owned_services
from tests.examples import examples
from tests.unit.kubernetes.services.moving import World

FORMS: dict[str, Callable[[World, str], None]] = {
    "generated": lambda world, name: world.exposed(name, over=False),
    "over a Service": lambda world, name: world.exposed(name, over=True),
    "elsewhere": lambda world, name: world.exposed(name, over=False, origin="other-site"),
    "Deployment": lambda world, name: world.annotated(name, "Deployment", over=False),
    "DaemonSet over a Service": lambda world, name: world.annotated(name, "DaemonSet", over=True),
    "Service": lambda world, name: world.annotated(name, "Service", over=True),
}
ADDRESSES = ("a", "b", "c")


@st.composite
def worlds(draw: st.DrawFn) -> tuple[World, list[str]]:
    """A namespace that Skupper serves, maybe without its controller by now."""
    world = World(gives_back=draw(st.booleans()))
    chosen = ADDRESSES[: draw(st.integers(1, 3))]
    for name in chosen:
        FORMS[draw(st.sampled_from(sorted(FORMS)))](world, name)
    world.settle()
    if draw(st.booleans()):
        world.controller_runs = False
        world.cluster.objects["Deployment"]["skupper-service-controller"]["status"] = {}
    return world, list(chosen)


def meddling(world: World, data: st.DataObject) -> Callable[[], None]:
    """What the others get done before the next step is up to chance."""

    def run() -> None:
        for _ in range(data.draw(st.integers(0, 3))):
            world.skupper_looks() if data.draw(st.booleans()) else world.router_looks()

    return run


def is_ours(found: Any) -> bool:
    return adoption.is_adopted(found) or owned_services.is_made(found)


@settings(max_examples=examples(30))
@given(made_world=worlds(), data=st.data())
def test_apply_then_rollback_leaves_everything_as_it_was(
    made_world: tuple[World, list[str]], data: st.DataObject
) -> None:
    world, addresses = made_world
    before = world.foreign()
    moved = data.draw(st.lists(st.sampled_from(addresses), unique=True, min_size=1))
    for name in moved:
        world.move(name, "apply", between=meddling(world, data))
    world.settle()
    for name in addresses:
        assert is_ours(world.cluster.service(name)) == (name in moved)
    others = set(addresses) - set(moved)
    assert not any(written in others for _, written in world.written)
    after = world.foreign()
    assert {n: after["Service"][n] for n in others} == {n: before["Service"][n] for n in others}
    for name in moved:
        assert world.move(name, "apply") == [], "applied twice is applied once"

    for name in data.draw(st.permutations(moved)):
        world.move(name, "rollback", between=meddling(world, data))
    world.settle()
    assert world.foreign() == before
    assert not [n for n in world.cluster.objects["ConfigMap"] if n.startswith("spillway-")]


@settings(max_examples=examples(30))
@given(made_world=worlds(), data=st.data())
def test_killed_anywhere_and_typed_again_it_ends_the_same(
    made_world: tuple[World, list[str]], data: st.DataObject
) -> None:
    world, (name, *_) = made_world
    before = world.foreign()
    for _ in range(data.draw(st.integers(1, 4))):
        direction: Any = data.draw(st.sampled_from(("apply", "rollback")))
        world.move(
            name, direction, steps=data.draw(st.integers(0, 9)), between=meddling(world, data)
        )
    world.move(name, "apply")
    world.settle()
    assert is_ours(world.cluster.service(name))
    world.move(name, "rollback")
    world.settle()
    assert world.foreign() == before


@settings(max_examples=examples(20))
@given(made_world=worlds())
def test_what_is_foretold_is_what_happens(made_world: tuple[World, list[str]]) -> None:
    world, (name, *_) = made_world
    told = [
        step.text for step in planned_steps(world.namespace().view(name), "apply") if step.changes
    ]
    done = [step.text for step in world.move(name, "apply") if step.changes]
    # Whether Skupper's controller gives a Service back is known only when it had its time.
    assert [text for text in done if not text.endswith("controller left it")] == told
