"""A Site of Skupper v2 alone makes a site, where the controller for all namespaces runs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from router.kubernetes.objects import names
from tests.kubernetes import skupper2_kinds
from tests.kubernetes.async_waiting import until
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.skupper2_kinds import put, status
from tests.kubernetes.test_controller import MADE, has_router, replicas, running, settled


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster with Skupper's kinds, in which no pod runs."""
    with Cluster(tmp_path, without=("kubelet", "deployment")) as made:
        skupper2_kinds.install(made)
        for name in ("spillway", "west", "east", "north"):
            made.create("Namespace", name)
        yield made


def config_map(cluster: Cluster, namespace: str) -> dict[str, Any]:
    found = cluster.get("ConfigMap", names.SITE_CONFIGMAP, namespace) or {}
    return dict(found.get("data") or {})


def told(cluster: Cluster, namespace: str, kind: str) -> list[str]:
    events = cluster.list("Event", namespace)
    return [str(one["message"]) for one in events if one["involvedObject"]["kind"] == kind]


def test_a_site_makes_a_router_follows_its_spec_and_takes_it_away(cluster: Cluster) -> None:
    async def story(cluster: Cluster) -> None:
        put(cluster, "Site", "shop", "west", linkAccess="loadbalancer")
        await until(lambda: has_router(cluster, "west"))
        assert config_map(cluster, "west") == {
            "name": "shop",
            "ingress": "loadbalancer",
            "router-mode": "interior",
            "routers": "1",
            "service-sync": "false",
        }
        await until(lambda: cluster.get("RoleBinding", "spillway-router-skupper-v2", "west"))
        for kind in MADE:
            found = cluster.get(kind, names.ROUTER, "west")
            assert found is not None
            (owner,) = found["metadata"]["ownerReferences"]
            assert owner["kind"] == "ConfigMap", "the collector must not follow Skupper's CRDs"
        cluster.patch("Site", "shop", {"spec": {"ha": True}}, "west")
        await until(lambda: replicas(cluster, "west") == 2)
        cluster.patch("Site", "shop", {"spec": {"ha": None, "edge": True}}, "west")
        await until(lambda: config_map(cluster, "west")["router-mode"] == "edge")
        patch = {"data": {"routers": "9", "router-cpu": "200m"}}
        cluster.patch("ConfigMap", names.SITE_CONFIGMAP, patch, "west")
        await until(lambda: config_map(cluster, "west")["routers"] == "1")
        assert config_map(cluster, "west")["router-cpu"] == "200m", "what others add stays"
        cluster.delete("Site", "shop", "west")
        await until(lambda: not any(cluster.get(kind, names.ROUTER, "west") for kind in MADE))
        assert not config_map(cluster, "west")

    running(cluster, story)


def test_what_a_deleted_site_leaves_says_that_it_has_none(cluster: Cluster) -> None:
    at = "2026-01-01T00:00:00Z"
    ready = {"type": "Ready", "status": "True", "reason": "Ready", "lastTransitionTime": at}
    was = {"status": "Ready", "message": "OK", "conditions": [{**ready, "message": "OK"}]}

    async def story(cluster: Cluster) -> None:
        put(cluster, "Site", "shop", "west")
        await until(lambda: has_router(cluster, "west"))
        put(cluster, "Listener", "db", "west", routingKey="db", host="db", port=1)
        put(cluster, "Link", "new", "west", endpoints=[])
        cluster.patch("Listener", "db", {"status": was}, "west", "status")
        cluster.delete("Site", "shop", "west")

        def said() -> Any:
            return status(cluster, "Listener", "db", "west").get("message")

        await until(lambda: said() == "No active site in namespace")
        told = status(cluster, "Listener", "db", "west")["conditions"]
        assert [(one["type"], one["status"]) for one in told] == [
            ("Configured", "False"),
            ("Ready", "False"),
        ]
        assert not status(cluster, "Link", "new", "west"), "nobody has said anything of it"

    running(cluster, story)


def test_deleting_skuppers_kinds_deletes_no_site(cluster: Cluster) -> None:
    async def story(cluster: Cluster) -> None:
        put(cluster, "Site", "shop", "west")
        await until(lambda: has_router(cluster, "west"))
        cluster.undefine(*skupper2_kinds.KINDS)
        await settled(cluster, "east")
        await settled(cluster, "north")
        assert has_router(cluster, "west")

    running(cluster, story)


def test_a_site_that_went_while_no_controller_ran_leaves_its_router(cluster: Cluster) -> None:
    async def first(cluster: Cluster) -> None:
        put(cluster, "Site", "shop", "west")
        await until(lambda: has_router(cluster, "west"))

    async def second(cluster: Cluster) -> None:
        await until(lambda: told(cluster, "west", "ConfigMap"))
        assert (
            "kubectl -n west delete configmap skupper-site" in told(cluster, "west", "ConfigMap")[0]
        )
        assert has_router(cluster, "west")
        put(cluster, "Site", "shop", "west", ha=True)
        await until(lambda: replicas(cluster, "west") == 2)

    running(cluster, first)
    cluster.delete("Site", "shop", "west")
    running(cluster, second)


@pytest.mark.parametrize(
    ("kind", "name", "more"),
    [
        ("ConfigMap", names.SKUPPER_CONTROL, {"data": {"controller": "skupper-controller"}}),
        ("Deployment", names.SKUPPER_ROUTER, {"labels": {"skupper.io/type": "site"}}),
    ],
)
def test_a_site_of_another_controller_is_left_to_it(
    cluster: Cluster, kind: str, name: str, more: dict[str, Any]
) -> None:
    if kind == "ConfigMap":
        cluster.create(kind, name, "west", **more)
    else:
        deployed(cluster, name, "west", more["labels"])

    async def story(cluster: Cluster) -> None:
        put(cluster, "Site", "shop", "west")
        await settled(cluster, "north")
        assert not has_router(cluster, "west") and not config_map(cluster, "west")
        cluster.delete(kind, name, "west")
        await until(lambda: has_router(cluster, "west"))

    running(cluster, story)


def test_beside_skuppers_controller_only_namespaces_that_name_us_are_ours(cluster: Cluster) -> None:
    deployed(cluster, names.SKUPPER_CONTROLLER, "north", {})

    async def story(cluster: Cluster) -> None:
        put(cluster, "Site", "shop", "west")
        put(cluster, "Site", "shop", "east")
        ours = {"controller": names.ROUTER}
        cluster.create("ConfigMap", names.SKUPPER_CONTROL, "east", data=ours)
        await until(lambda: has_router(cluster, "east"))
        assert not has_router(cluster, "west") and not config_map(cluster, "west")

    running(cluster, story)


def test_what_a_site_cannot_have_is_said_in_its_status_and_an_event(cluster: Cluster) -> None:
    async def story(cluster: Cluster) -> None:
        put(cluster, "Site", "shop", "west", linkAccess="tunnel")
        await until(lambda: status(cluster, "Site", "shop", "west").get("status") == "Error")
        found = status(cluster, "Site", "shop", "west")
        assert "'tunnel' is not possible here" in found["message"]
        assert {one["type"]: one["status"] for one in found["conditions"]} == {
            "Configured": "False",
            "Ready": "False",
        }
        assert any("tunnel" in text for text in told(cluster, "west", "Site"))
        assert not has_router(cluster, "west")
        cluster.patch("Site", "shop", {"spec": {"linkAccess": "none"}}, "west")
        await until(lambda: has_router(cluster, "west"))

    running(cluster, story)


def test_a_status_that_may_not_be_written_is_told_and_the_rest_is_done(cluster: Cluster) -> None:
    async def story(cluster: Cluster) -> None:
        put(cluster, "Site", "shop", "west", linkAccess="tunnel")
        await until(lambda: len(told(cluster, "west", "Site")) == 2)
        wrong, unwritten = sorted(told(cluster, "west", "Site"), key=lambda text: "403" in text)
        texts = f"{wrong} {unwritten}"
        assert "'tunnel' is not possible here" in texts
        assert 'resources: ["sites/status"], verbs: ["update"]' in texts
        cluster.create("ConfigMap", "skupper-site", "east", data={"name": "east"})
        await until(lambda: has_router(cluster, "east"))
        await until(lambda: told(cluster, "east", "ConfigMap"))
        (text,) = told(cluster, "east", "ConfigMap")
        assert text.startswith("Role/spillway-router-skupper-v2: the API refuses it")
        mark = len(cluster.faults.seen)
        put(cluster, "Site", "shop", "north")
        await until(lambda: has_router(cluster, "north"))
        tried = [one.wanted for one in cluster.faults.seen[mark:] if one.wanted.name == "shop"]
        assert not [one for one in tried if one.is_write and one.namespace == "west"], "once"

    running(cluster, story, without="sites/status")


def test_a_site_of_a_site_that_is_not_followed_says_why(cluster: Cluster) -> None:
    async def first(cluster: Cluster) -> None:
        put(cluster, "Site", "shop", "west")
        await until(lambda: has_router(cluster, "west"))

    async def second(cluster: Cluster) -> None:
        await until(lambda: told(cluster, "west", "ConfigMap"))
        (text,) = told(cluster, "west", "ConfigMap")
        assert "cannot be read" in text and 'resources: ["sites"], verbs: ["get", ' in text
        assert has_router(cluster, "west")

    async def third(cluster: Cluster) -> None:
        await until(lambda: len(told(cluster, "west", "ConfigMap")) == 2)
        texts = told(cluster, "west", "ConfigMap")
        (text,) = [each for each in texts if "controller of all namespaces" in each]
        assert "Apply the Site again" not in text
        assert "kubectl -n west delete configmap skupper-site" in text
        assert has_router(cluster, "west")

    running(cluster, first)
    running(cluster, second, without="sites")
    running(cluster, third, every_namespace=False)


def test_a_config_map_of_a_user_comes_first(cluster: Cluster) -> None:
    async def story(cluster: Cluster) -> None:
        cluster.create("ConfigMap", names.SITE_CONFIGMAP, "west", data={"name": "mine"})
        await until(lambda: has_router(cluster, "west"))
        put(cluster, "Site", "shop", "west", ha=True)
        await settled(cluster, "north")
        assert config_map(cluster, "west") == {"name": "mine"}
        cluster.delete("Site", "shop", "west")
        await settled(cluster, "east")
        assert has_router(cluster, "west")

    running(cluster, story)


def deployed(cluster: Cluster, name: str, namespace: str, labels: dict[str, str]) -> None:
    """A Deployment of Skupper's."""
    pods = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "main", "image": "skupper"}]},
    }
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": name}}, "template": pods}
    cluster.create("Deployment", name, namespace, metadata={"labels": labels}, spec=spec)
