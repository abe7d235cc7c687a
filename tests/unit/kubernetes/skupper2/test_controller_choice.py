"""Who acts on a namespace's objects: ConfigMap ``skupper`` decides (SKUPPER2.md, 0.2, 1 and 9)."""

from typing import Any

import pytest

from router.kubernetes.skupper2.controller_choice import controller_of
from tests.unit.kubernetes.namespace_objects import config_map, made, site, snapshot
from tests.unit.kubernetes.skupper2.v2_objects import listener, problems, read, v2


def claimed(by: str) -> dict[str, Any]:
    return config_map("skupper", {"controller": by})


V2_ROUTER = made("Deployment", "skupper-router", labels={"skupper.io/type": "site"})


def reported(by: str) -> dict[str, Any]:
    return {**v2("Site", "west"), "status": {"controller": {"name": by}}}


def other(*objects: Any) -> str:
    return controller_of(snapshot(objects)).other


def test_nobody_else_is_there() -> None:
    assert other() == ""
    assert other(config_map("skupper", {"other": "key"}), config_map("skupper-site")) == ""


@pytest.mark.parametrize("name", ["spillway-router", "shop/spillway-router", " spillway-router\n"])
def test_the_config_map_hands_the_namespace_to_us_whoever_runs_there(name: str) -> None:
    assert other(claimed(name), V2_ROUTER, reported("skupper-controller")) == ""


@pytest.mark.parametrize("name", ["skupper-controller", "skupper/skupper-controller"])
def test_the_config_map_names_another(name: str) -> None:
    assert other(claimed(name)) == name


def test_a_router_of_skupper_v2_runs_there() -> None:
    assert other(V2_ROUTER) == "Skupper's controller"
    owned = made("Deployment", "skupper-router")
    owned["metadata"]["ownerReferences"] = [{"kind": "Site", "name": "west"}]
    assert other(owned) == "Skupper's controller"


def test_a_router_of_skupper_v1_looks_at_no_object_of_v2() -> None:
    assert other(made("Deployment", "skupper-router")) == ""


def test_the_status_of_a_site_names_another_controller() -> None:
    assert other(reported("skupper-controller")) == "skupper-controller"
    assert other(reported("spillway-router")) == ""


def test_objects_of_another_controller_count_for_nothing_and_that_is_said_once() -> None:
    found = read(site(name="west"), V2_ROUTER, listener("front"), v2("Site", "west"))
    assert not any(one.kind == "Listener" for one in found.picture.documents)
    assert problems(found) == [("SW0414", "info", "Listener/front")]
    (error,) = found.picture.errors
    assert "1 more" in error.reason and "controller: spillway-router" in error.hint


def test_while_services_move_the_objects_are_left_alone_and_the_command_says_how_far() -> None:
    found = read(site(name="west"), claimed("spillway-migration"), listener("front"))
    assert problems(found) == [("SW0414", "info", "Listener/front")]
    (error,) = found.picture.errors
    assert "left alone" in error.reason and "sitectl migrate --plan" in error.hint
