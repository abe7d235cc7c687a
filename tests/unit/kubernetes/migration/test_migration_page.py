"""The steps that docs/kubernetes-migration.md shows are those that are taken."""

import re
from pathlib import Path
from typing import get_args

import pytest

from router.kubernetes.migration.record import Direction
from tests.unit.kubernetes.services.moving import World
from tests.unit.kubernetes.services.moving_v2 import WorldV2

PAGE = Path(__file__).resolve().parents[4] / "docs" / "kubernetes-migration.md"


@pytest.mark.parametrize("direction", get_args(Direction))
def test_the_page_shows_every_step_and_how_many_they_are(direction: Direction) -> None:
    shown = re.search(
        rf"^\$ sitectl -n shop migrate --{direction} backend\n(.*?)^SERVICE[^\n]*\n"
        r"backend +moved(?: back)? +(\d+) ",
        PAGE.read_text("utf-8"),
        re.M | re.S,
    )
    assert shown is not None
    world = World()
    world.annotated("backend", "Deployment", over=False)
    world.settle()
    if direction == "rollback":
        world.move("backend", "apply")

    taken = [f"backend: {step.text}" for step in world.move("backend", direction)]

    assert shown[1].splitlines() == taken
    assert int(shown[2]) == len(taken)


@pytest.mark.parametrize("direction", get_args(Direction))
def test_the_page_shows_every_step_of_v2_and_how_many_they_are(direction: Direction) -> None:
    shown = re.search(
        rf"^\$ sitectl -n west migrate --{direction} front\n(.*?)^SERVICE[^\n]*\n"
        r"front +moved(?: back)? +(\d+) ",
        PAGE.read_text("utf-8"),
        re.M | re.S,
    )
    assert shown is not None
    world = WorldV2()
    world.listens("front", "front", "shop.v2/web")
    world.serves("web", "shop.v2/web")
    world.settle()
    if direction == "rollback":
        world.move("front", "apply")

    taken = [f"front: {step.text}" for step in world.move("front", direction)]

    assert shown[1].splitlines() == taken
    assert int(shown[2]) == len(taken)
