"""`sitectl migrate` beside a Skupper v2 that runs, under load, with a real router of ours."""

import copy
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from router.kubernetes.objects import names
from router.kubernetes.services import adoption
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.places import IMAGES, Place, fetch
from tests.kubernetes.skupper import ROUTER_LABELS
from tests.kubernetes.skupper2 import DEFINITIONS, RunningSiteController
from tests.kubernetes.threads import Beside
from tests.scenario.waiting import until

EVERY_S, LAG_S = 0.02, 0.5
APP = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec: {{containers: [{{name: shop, image: example/shop, ports: [{{containerPort: 8080}}]}}]}}
"""
V2 = """
apiVersion: skupper.io/v2alpha1
kind: {kind}
metadata: {{name: {name}}}
spec: {spec}
"""
SERVICES = {"front": "web", "store": "db"}
"""Hosts of Listeners, and the Deployments that serve them: the keys are not names of services."""


def v2(kind: str, name: str, spec: str) -> str:
    return V2.format(kind=kind, name=name, spec=spec)


OBJECTS = (
    v2("Site", "west", "{}"),
    v2("Listener", "front", "{routingKey: shop.v2/web, host: front, port: 80}"),
    v2("Connector", "web", "{routingKey: shop.v2/web, selector: app=web, port: 8080}"),
    v2("Listener", "store", "{routingKey: db, host: store, port: 80}"),
    v2("Connector", "db", "{routingKey: db, selector: app=db, port: 8080}"),
    v2("Connector", "for-others", "{routingKey: far, selector: app=db, port: 8080}"),
    v2("Listener", "taken", "{routingKey: db2, host: mine, port: 80}"),
)
MINE = """
apiVersion: v1
kind: Service
metadata: {name: mine}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
"""


class Clients(Beside):
    """Asks each Service 50 times a second, on a connection each; ``wrong``: what failed, or was
    answered by pods of another service.

    They see endpoints up to twice `LAG_S` late, as nodes do.
    """

    def __init__(self, place: Place) -> None:
        self.place, self.during = place, ""
        self.wrong: list[str] = []
        self.answered = dict.fromkeys(SERVICES, 0)
        self._doors = {name: place.doors(name) for name in SERVICES}
        works = (self._run, self._follow)
        super().__init__([partial(work, name) for name in SERVICES for work in works])

    def go_on(self) -> None:
        """Returns when each was answered ten times more."""
        wanted = {name: count + 10 for name, count in self.answered.items()}
        until(lambda: all(self.answered[n] >= wanted[n] for n in wanted), "clients go on", 20)

    def follow(self) -> None:
        """Returns when every client knows the current addresses of its Service, and its requests to
        former ones were answered.
        """
        until(
            lambda: all(self._doors[name] == self.place.doors(name) for name in SERVICES),
            "clients follow",
        )
        self.go_on()

    def _follow(self, name: str) -> None:
        while not self.stop.is_set():
            doors = self.place.doors(name)
            self.stop.wait(LAG_S)
            self._doors[name] = doors

    def _run(self, name: str) -> None:
        while not self.stop.wait(EVERY_S):
            doors = self._doors[name]
            try:
                by = fetch(random.choice(doors), "/", name)
            except (OSError, IndexError) as error:  # No endpoint: refused, as kube-proxy does it.
                self.wrong.append(f"{self.during}: {name} at {doors}: {error!r}")
                continue
            if not by.startswith(f"{SERVICES[name]}-"):
                self.wrong.append(f"{self.during}: {name} answered by {by}")
            self.answered[name] += 1


class Namespace(NamedTuple):
    """``west``: where Skupper v2 runs, serves two services, and our router stands beside it."""

    place: Place
    skupper: RunningSiteController


@pytest.fixture(params=[True, False], ids=["2.2", "2.1"])
def west(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Namespace]:
    with Cluster(tmp_path / "cluster", images=IMAGES) as cluster:
        cluster.define(*DEFINITIONS)
        place = Place(cluster, "west")
        place.apply(*(APP.format(name=name) for name in SERVICES.values()), MINE)
        with RunningSiteController(cluster, "west", guards=request.param) as running:
            place.apply(*(OBJECTS if request.param else OBJECTS[:-1]))
            until(lambda: all(place.pod_that_answers(n) for n in SERVICES), "Skupper serves", 30)
            place.commands.ok("init", "west", "--ingress", "none", "--wait", "ready")
            yield Namespace(place, running)


def seen(place: Place) -> dict[str, Any]:
    """Everything that is not ours, as people see it."""
    result = {}
    for kind in ("ConfigMap", "Service", "Deployment", "Site", "Listener", "Connector"):
        for found in copy.deepcopy(place.cluster.list(kind, place.namespace)):
            name = found["metadata"]["name"]
            if name.startswith("spillway-") or name == names.SITE_CONFIGMAP:
                continue
            for field in ("resourceVersion", "managedFields", "generation"):
                found["metadata"].pop(field, None)
            result[f"{kind}/{name}"] = {k: v for k, v in found.items() if k != "status"}
    return result


def is_led(place: Place, name: str, selector: dict[str, str]) -> bool:
    found = place.get("Service", name)
    return found is not None and found["spec"]["selector"] == selector


def test_two_services_move_and_move_back_and_no_request_is_lost(
    west: Namespace,
) -> None:
    place = west.place
    commands = place.commands
    before = seen(place)
    plan = commands.json("migrate", "--plan")
    assert plan["release"] == "v2"
    planned = {item["name"]: item for item in plan["services"]}
    assert {n: i["state"] for n, i in planned.items() if n != "mine"} == dict.fromkeys(
        ("front", "store", "far"), "at skupper"
    )
    if "mine" in planned:
        assert "is not Skupper's" in planned["mine"]["obstacles"][0]
    assert "shop.v2/web" in str(planned["front"]["becomes"])
    assert seen(place) == before, "a plan changes nothing"
    with Clients(place) as clients:
        for words in (
            ("--apply", "front"),
            ("--apply", "store"),
            ("--rollback", "front"),
            ("--apply", "front"),
        ):
            clients.go_on()
            clients.during = " ".join(words)
            (item,) = commands.json("migrate", *words)
            assert item["error"] is None
            clients.go_on()
        assert is_led(place, "front", adoption.ROUTERS) and is_led(place, "store", adoption.ROUTERS)
        states = {i["name"]: i["state"] for i in commands.json("migrate", "--plan")["services"]}
        assert states["front"] == states["store"] == "moved"
        assert commands.json("migrate", "--apply", "front")[0]["change"] == "unchanged"
        clients.during = "rollback of all"
        commands.ok("migrate", "--rollback")
        clients.go_on()
        assert is_led(place, "front", ROUTER_LABELS) and is_led(place, "store", ROUTER_LABELS)
    assert not clients.wrong, "\n".join(clients.wrong)
    assert seen(place) == before
    print("answered:", clients.answered)


@pytest.mark.parametrize(("lines", "goes_on"), [(2, False), (4, True), (5, False)])
@pytest.mark.parametrize("west", [True], indirect=True, ids=["2.2"])
def test_killed_after_any_step_it_goes_on_or_back_and_no_request_is_lost(
    west: Namespace, lines: int, goes_on: bool
) -> None:
    place, commands = west.place, west.place.commands
    before = seen(place)
    with Clients(place) as clients:
        clients.during = "apply killed"
        commands.killed(lines, "migrate", "--apply", "front")
        clients.go_on()
        clients.during = "apply again" if goes_on else "rollback"
        commands.ok("migrate", "--apply" if goes_on else "--rollback", "front")
        assert is_led(place, "front", adoption.ROUTERS if goes_on else ROUTER_LABELS)
        commands.ok("migrate", "--apply", "front")
        clients.during = "rollback killed"
        commands.killed(lines - 1, "migrate", "--rollback", "front")
        clients.go_on()
        clients.during = "rollback again"
        commands.ok("migrate", "--rollback", "front")
        clients.go_on()
    assert not clients.wrong, "\n".join(clients.wrong)
    assert seen(place) == before
    assert place.get("ConfigMap", names.MIGRATION_CONFIGMAP) is None
    assert place.get("ConfigMap", names.SKUPPER_CONTROL) is None


@pytest.mark.parametrize("west", [True], indirect=True, ids=["2.2"])
def test_skupper_cannot_take_back_what_moved_and_its_own_goes_on(west: Namespace) -> None:
    place, commands = west.place, west.place.commands
    commands.ok("migrate", "--apply", "store")
    with Clients(place) as clients:
        for restarts in (False, True):
            clients.during = f"a Listener is touched, restarted: {restarts}"
            if restarts:
                west.skupper.controller.restart()
            observer = {"spec": {"observer": "none" if restarts else "auto"}}
            place.cluster.patch("Listener", "store", observer, "west")
            clients.go_on()
            assert is_led(place, "store", adoption.ROUTERS)
        commands.ok("migrate", "--apply", "front")
        clients.follow()
        clients.during = "Skupper's Site goes"
        place.cluster.delete("Site", "west", "west")
        until(lambda: place.get("Deployment", names.SKUPPER_ROUTER) is None, "its router went")
        clients.go_on()
    assert not clients.wrong, "\n".join(clients.wrong)
    assert is_led(place, "front", adoption.ROUTERS) and is_led(place, "store", adoption.ROUTERS)
