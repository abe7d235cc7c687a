"""What a namespace says of pods that are not ready and of rights that its router lacks."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from router.kubernetes.objects.names import ROUTER, STATUS_CONFIGMAP
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.places import (
    EVENTS_S,
    IMAGES,
    START_S,
    Load,
    Place,
    copied,
    install_controller,
)
from tests.kubernetes.published import REQUEST, filled, shop, site
from tests.scenario.waiting import until


@pytest.fixture(scope="module")
def west(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Both namespaces have pods of ``shop``; west dials east."""
    state: Path = tmp_path_factory.mktemp("truth") / "cluster"
    with Cluster(state, images=IMAGES, proxy=True) as made:
        install_controller(made)
        east, west = Place(made, "east"), Place(made, "west")
        east.apply(site("east"), REQUEST.format(name="to-east"), shop("shop-east", "shop"))
        west.apply(
            site("west"),
            shop("shop-west", "shop", replicas=2, capacity=10),
            copied(filled(east, "to-east")),
        )
        west.starts()
        until(lambda: ready(west) == {"west": 2, "east": 1}, "west knows of all pods", START_S)
        until(lambda: codes(west) == set(), "all is well at west", START_S)
        yield west


def ready(place: Place) -> dict[str, int]:
    """Ready targets by site."""
    services = place.router("service", "status")
    return {one["site"]: one["targets_ready"] for s in services for one in s["sites"]}


def codes(place: Place) -> set[str]:
    """Of problems and warnings in `status`."""
    status = place.router("status")
    notes = [one for one in status["notes"] if one["severity"] == "warning"]
    return {one["code"] for one in (*status["problems"], *notes)}


def pods(place: Place) -> list[str]:
    found = place.cluster.list("Pod", place.namespace)
    names = (pod["metadata"]["name"] for pod in found)
    return [name for name in names if name.startswith("shop-")]


def told(place: Place) -> Any:
    """What the status ConfigMap says."""
    found = place.get("ConfigMap", STATUS_CONFIGMAP)
    return json.loads(found["data"]["status.json"]) if found else {}


def well(place: Place) -> str:
    """Its condition NoProblems; empty: it was not written yet."""
    found = {one["type"]: str(one["status"]) for one in told(place).get("conditions", ())}
    return found.get("NoProblems", "")


def written(place: Place) -> set[str]:
    """Codes in the status ConfigMap."""
    return {one["code"] for one in told(place).get("problems", ())}


def reasons(place: Place) -> set[str]:
    """Of Events in the namespace."""
    return {event["reason"] for event in place.cluster.list("Event", place.namespace)}


def test_pods_that_are_not_ready_are_told_while_another_site_serves(west: Place) -> None:
    one, other = pods(west)
    with Load(west, "shop") as load:
        load.goes_on()
        west.cluster.ready(one, "west", is_ready=False)
        until(lambda: codes(west) == {"SW0336"}, "one of two is a warning", START_S)
        west.cluster.ready(other, "west", is_ready=False)
        until(lambda: codes(west) == {"SW0335"}, "none of two is a problem", START_S)
        load.goes_on()
        (problem,) = west.router("status")["problems"]
        assert "0 of 2 targets are ready here" in problem["message"]
        assert "its pod is not ready" in problem["message"]
        (service,) = west.router("service", "status")
        assert [(t["name"], t["ready"], t["error"]) for t in service["targets"]] == [
            (name, False, "its pod is not ready") for name in sorted((one, other))
        ]
        verdicts = {c["site"]: c["verdict"] for c in west.router("why", "shop")["candidates"]}
        assert verdicts == {"west": "no-target", "east": "chosen"}
        until(lambda: written(west) == {"SW0335"}, "the status ConfigMap has it", 2 * START_S)
        assert well(west) == "False"
        until(lambda: "NoTargetBegun" in reasons(west), "an Event tells it", START_S + EVENTS_S)
        west.cluster.ready(one, "west", is_ready=True)
        west.cluster.ready(other, "west", is_ready=True)
        until(lambda: ready(west)["west"] == 2, "both serve again", START_S)
        until(lambda: codes(west) == set(), "and nothing is wrong", START_S)
        before = load.pods.copy()
        load.goes_on()
    assert not load.failed
    assert {pod.rsplit("-", 2)[0] for pod in load.pods - before} == {"shop-west"}
    until(lambda: well(west) == "True", "the status ConfigMap says so", 2 * START_S)


def test_rights_that_are_revoked_are_told_while_all_is_served(west: Place) -> None:
    role = west.get("Role", ROUTER)
    assert role is not None
    # Else the controller gives the rights back before a surface shows that they are gone.
    keep = {"labels": {"internal.skupper.io/site-controller-ignore": "true"}}
    west.cluster.patch("ConfigMap", "skupper-site", {"metadata": keep}, "west")
    of_pods = [rule for rule in role["rules"] if "pods" in rule["resources"]]
    without = [
        {**rule, "resources": [each for each in rule["resources"] if each != "pods"]}
        if rule in of_pods
        else rule
        for rule in role["rules"]
    ]
    with Load(west, "shop") as load:
        load.goes_on()
        west.cluster.patch("Role", ROUTER, {"rules": without}, "west")
        # A watch goes on until its time is over, whatever its reader may read since.
        west.cluster.cut_watches()
        until(lambda: unreadable(west) == {"Pod"}, "pods cannot be read", START_S)
        until(lambda: written(west) == {"SW0432"}, "the status ConfigMap has it", 2 * START_S)
        assert well(west) == "False"
        west.cluster.patch("Role", ROUTER, {"rules": []}, "west")
        west.cluster.cut_watches()
        until(lambda: has_no_right(west), "nothing can be read", START_S)
        until(lambda: "so no Service, Event or status is written" in shown(west), "nor", START_S)
        until(lambda: shown(west).count("SW0432") == 1, "one mistake, one problem", START_S)
        checked = west.commands("check")
        assert checked.returncode == 1
        assert (
            f"SW0467  Role/{ROUTER} does not let the router get, list, watch pods" in checked.stdout
        )
        (service,) = west.router("service", "status")
        assert all(target["ready"] for target in service["targets"]), "what was known counts"
        load.goes_on()
    assert not load.failed


def shown(place: Place) -> str:
    """`status`, which must find fault."""
    done = place.commands("status")
    assert done.returncode == 3
    return done.stdout


def has_no_right(place: Place) -> bool:
    """Whether the router says that it has none, instead of naming each kind."""
    problems = place.router("status")["problems"]
    said = any("has no right in its namespace" in one["message"] for one in problems)
    return said and not unreadable(place)


def unreadable(place: Place) -> set[str]:
    """Kinds that the router may not read."""
    problems = place.router("status")["problems"]
    found = (re.search(r": (\w+) objects cannot be read", one["message"]) for one in problems)
    return {one[1] for one in found if one}
