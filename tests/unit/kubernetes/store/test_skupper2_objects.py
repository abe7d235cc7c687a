"""Objects of Skupper v2 in a namespace, as they come, go, and may be read or not."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from router.kubernetes.client.api_calls import Page
from router.kubernetes.client.errors import ApiError
from router.kubernetes.objects.access_levels import AccessLevel
from router.kubernetes.objects.skupper2_kinds import KINDS
from router.model import limits
from tests.unit.kubernetes.client.scripted import ScriptedCluster
from tests.unit.kubernetes.namespace_objects import made
from tests.unit.kubernetes.objects_made import pod
from tests.unit.kubernetes.skupper2.v2_objects import connector, listener, v2
from tests.unit.kubernetes.store.test_store import SITE, Told, store_of
from tests.unit.virtual_loop import run

FORBIDDEN = ApiError(403, "Forbidden", "listeners.skupper.io is forbidden")
ROUND_S = limits.CUSTOM_KINDS_S * 2


def cluster_with(*objects: Any, level: AccessLevel = AccessLevel.FULL) -> ScriptedCluster:
    """A cluster that serves v2's kinds, with one router and one server in its namespace."""
    cluster = ScriptedCluster(SITE, pod("a", "10.0.0.1", labels={"app": "db"}), *objects)
    cluster.custom_levels = dict.fromkeys(KINDS, level)
    return cluster


def levels(told: Told) -> list[tuple[str, str]]:
    """Severity and level of each finding about the kinds."""
    return [(e.severity, e.reason.partition(":")[0]) for e in told.errors if e.code == "SW0495"]


def test_objects_are_in_force_and_changes_follow() -> None:
    async def story() -> None:
        cluster = cluster_with(listener("front"), connector("back"))
        async with store_of(cluster) as told:
            assert told.wanted.listeners["front"].host == "database"
            assert told.targets == ["10.0.0.1"]
            (change,) = told.looks[-1].plan.changes
            assert change.name == "database", "a Listener alone makes a Service"
            assert levels(told) == [("info", "level A")]
            cluster.put(listener("front", host="renamed"))
            await told.until(lambda: told.wanted.listeners["front"].host == "renamed")
            cluster.of("Connector").remove("back")
            await told.until(lambda: not told.wanted.connectors)
            assert "db" in told.wanted.services, "the Listener names the key, too"
            cluster.of("Listener").remove("front")
            await told.until(lambda: not told.wanted.services)

    run(story())


def test_an_object_that_turns_wrong_keeps_what_it_was_and_is_reported() -> None:
    async def story() -> None:
        cluster = cluster_with(listener("front"))
        async with store_of(cluster) as told:
            cluster.put(listener("front", host="not.a.name"))
            await told.until(lambda: "SW0113" in told.codes())
            assert told.wanted.listeners["front"].host == "database"
            assert "SW0418" in told.codes(), "it says that this is so"
            cluster.put(listener("front", host="right"))
            await told.until(lambda: told.wanted.listeners["front"].host == "right")
            assert "SW0113" not in told.codes()

    run(story())


def test_a_link_whose_secret_is_gone_says_nothing_that_stays() -> None:
    async def story() -> None:
        marked = {"skupper.io/type": "connection-token"}
        notes = {"spillway.dev/site-name": "east"}
        credential = made("Secret", "to-east", notes, labels=marked, data={"ca.crt": "Yg=="})
        link = v2("Link", "east", tlsCredentials="to-east", endpoints=[], cost=3)
        cluster = cluster_with(credential, link)
        async with store_of(cluster) as told:
            assert told.wanted.links["east"].cost == 3
            cluster.of("Secret").remove("to-east")
            await told.until(lambda: "SW0113" in told.codes())
            assert "SW0418" not in told.codes()

    run(story())


def test_a_site_alone_makes_the_namespace_a_site() -> None:
    async def story() -> None:
        cluster = ScriptedCluster(v2("Site", "west"))
        cluster.custom_levels = dict.fromkeys(KINDS, AccessLevel.FULL)
        async with store_of(cluster) as told:
            assert told.wanted.name == "west"
            assert not told.store.site_is_gone
            cluster.of("Site").remove("west")
            await told.until(lambda: "SW0109" in told.codes())
            assert told.wanted.name == "west", "the last site stays in force"
            assert told.store.site_is_gone

    run(story())


def test_kinds_that_vanish_withdraw_nothing() -> None:
    async def story() -> None:
        cluster = cluster_with(listener("front"), connector("back"))
        async with store_of(cluster) as told:
            cluster.custom_levels = {}
            for kind, name in (("Listener", "front"), ("Connector", "back")):
                cluster.of(kind).remove(name)
            await told.until(
                lambda: ("error", "the cluster no longer serves") in _begun(told), ROUND_S
            )
            assert list(told.wanted.listeners) == ["front"]
            assert told.targets == ["10.0.0.1"]

    run(story())


def test_a_kind_that_vanishes_is_not_called_a_missing_permission_until_discovery_shows_it() -> None:
    async def story() -> None:
        cluster = cluster_with(listener("front"))
        async with store_of(cluster) as told:
            cluster.custom_levels = {}
            cluster.of("Listener").remove("front")
            await told.until(lambda: any(one == "error" for one, _ in levels(told)), 5.0)
            assert ("error", "the cluster no longer serves") in _begun(told)
            assert ("error", "the router may no longer") not in _begun(told)

    run(story())


def test_kinds_that_come_back_and_may_not_be_read_are_a_missing_permission() -> None:
    async def story() -> None:
        cluster = cluster_with(listener("front"))
        async with store_of(cluster) as told:
            cluster.custom_levels = {}
            cluster.of("Listener").remove("front")
            await told.until(
                lambda: ("error", "the cluster no longer serves") in _begun(told), ROUND_S
            )
            await asyncio.sleep(ROUND_S)
            cluster.custom_levels = dict.fromkeys(KINDS, AccessLevel.NONE)
            await told.until(lambda: ("error", "the router may no longer") in _begun(told), ROUND_S)
            assert ("error", "the cluster no longer serves") not in _begun(told)

    run(story())


def _begun(told: Told) -> list[tuple[str, str]]:
    return [(severity, " ".join(text.split()[:5])) for severity, text in levels(told)]


def test_rights_that_are_revoked_withdraw_nothing() -> None:
    async def story() -> None:
        cluster = cluster_with(listener("front"))
        async with store_of(cluster) as told:
            cluster.custom_levels = dict.fromkeys(KINDS, AccessLevel.NONE)
            cluster.of("Listener").cut(FORBIDDEN)
            await told.until(
                lambda: ("error", "the router may no longer") in _begun(told),
                limits.RIGHTS_LOOK_S * 2,
            )
            assert list(told.wanted.listeners) == ["front"]
            cluster.custom_levels = dict.fromkeys(KINDS, AccessLevel.READ)
            await told.until(
                lambda: levels(told) == [("warning", "level B")], limits.RIGHTS_LOOK_S * 2
            )

    run(story())


def test_without_rights_the_namespace_is_what_v1_says_and_a_note_says_the_level() -> None:
    async def story() -> None:
        cluster = cluster_with(listener("front"), level=AccessLevel.NONE)
        async with store_of(cluster) as told:
            assert not told.wanted.listeners
            assert levels(told) == [("info", "level C")]
            cluster.custom_levels = dict.fromkeys(KINDS, AccessLevel.FULL)
            await told.until(lambda: "front" in told.wanted.listeners, limits.RIGHTS_LOOK_S)

    run(story())


def test_a_release_of_skupper_with_fewer_kinds_is_no_warning() -> None:
    async def story() -> None:
        cluster = cluster_with(level=AccessLevel.NONE)
        del cluster.custom_levels["MultiKeyListener"]
        async with store_of(cluster) as told:
            assert levels(told) == [("info", "level C")]

    run(story())


def test_a_cluster_without_the_kinds_is_asked_for_them_seldom() -> None:
    async def story() -> None:
        cluster = Counting(SITE)
        async with store_of(cluster) as told:
            await asyncio.sleep(600)
            assert 4 <= cluster.questions <= 8
            assert levels(told) == []
            cluster.custom_levels = dict.fromkeys(KINDS, AccessLevel.FULL)
            cluster.put(listener("front"))
            await told.until(lambda: "front" in told.wanted.listeners, 160)

    run(story())


class Counting(ScriptedCluster):
    """Counts questions for the kinds and for rights on them."""

    def __init__(self, *objects: Any) -> None:
        super().__init__(*objects)
        self.questions = 0
        self.fault: ApiError | None = None

    async def creatable(self, api_version: str) -> frozenset[str]:
        self.questions += 1
        if self.fault is not None:
            raise self.fault
        return await super().creatable(api_version)


@pytest.mark.parametrize("status", [403, 500])
def test_a_cluster_that_answers_no_discovery_keeps_no_router_from_starting(status: int) -> None:
    async def story() -> None:
        cluster = Counting(SITE)
        cluster.fault = ApiError(status, "InvalidText", "no")
        async with store_of(cluster) as told:
            assert told.wanted.name == "west"

    run(story())


def test_another_controller_takes_the_objects_over_and_gives_them_back_at_once() -> None:
    async def story() -> None:
        cluster = cluster_with(listener("front"))
        async with store_of(cluster) as told:
            assert "front" in told.wanted.listeners
            named = {"kind": "ConfigMap", "metadata": {"name": "skupper"}}
            cluster.put({**named, "data": {"controller": "skupper-controller"}})
            await told.until(lambda: "SW0414" in told.codes())
            assert not told.wanted.listeners
            cluster.put({**named, "data": {"controller": "spillway-router"}})
            await told.until(lambda: "front" in told.wanted.listeners)

    run(story())


def test_a_connector_without_pods_is_told_of_by_its_own_field() -> None:
    async def story() -> None:
        cluster = cluster_with(connector("back"))
        async with store_of(cluster) as told:
            cluster.of("Pod").remove("a")
            await told.until(lambda: "SW0434" in told.codes())
            (error,) = (error for error in told.errors if error.code == "SW0434")
            assert (error.source, error.path) == ("Connector/back", "spec.selector")

    run(story())


def test_rights_on_one_kind_are_found_with_those_on_all() -> None:
    async def story() -> None:
        cluster = cluster_with(listener("front"), level=AccessLevel.NONE)
        async with store_of(cluster) as told:
            cluster.custom_levels["Site"] = AccessLevel.FULL
            cluster.custom_levels["Listener"] = AccessLevel.FULL
            await told.until(lambda: "front" in told.wanted.listeners, 2 * ROUND_S)
            assert levels(told)[0][0] == "warning", "some kinds cannot be read"

    run(story())


class Slow(ScriptedCluster):
    """Lists objects of some kinds late."""

    slow: tuple[str, ...] = ()

    async def pages(
        self, kind: str, *, labels: str = "", fields: str = "", namespace: str = ""
    ) -> AsyncGenerator[Page, None]:
        if kind in self.slow:
            await asyncio.sleep(30)
        async for page in super().pages(kind, labels=labels, fields=fields, namespace=namespace):
            yield page


@pytest.mark.parametrize("kind", ["ConfigMap", "Site"])
def test_no_object_is_acted_on_before_it_is_known_whose_the_namespace_is(kind: str) -> None:
    async def story() -> None:
        named = {"kind": "ConfigMap", "metadata": {"name": "skupper"}}
        reported = {**v2("Site", "west"), "status": {"controller": {"name": "skupper-controller"}}}
        theirs = {"ConfigMap": {**named, "data": {"controller": "theirs"}}, "Site": reported}
        cluster = Slow(SITE, listener("front"), theirs[kind])
        async with store_of(cluster) as told:
            cluster.slow = (kind,)
            cluster.custom_levels = dict.fromkeys(KINDS, AccessLevel.FULL)  # The CRDs come.
            within_s = limits.CUSTOM_KINDS_IDLE_S * 2
            await told.until(lambda: "SW0414" in told.codes(), within_s)
            readings = [look.reading for look in told.looks if look.reading is not None]
            assert not any("front" in reading.wanted.listeners for reading in readings)

    run(story())


def attached(namespace: str, site: str = "web", selector: str = "app=db") -> dict[str, Any]:
    found = v2("AttachedConnector", "db", siteNamespace=site, selector=selector, port=5432)
    return placed(found, namespace)


def placed(found: dict[str, Any], namespace: str) -> dict[str, Any]:
    return {**found, "metadata": {**found["metadata"], "namespace": namespace}}


def binding(namespace: str) -> dict[str, Any]:
    found = v2("AttachedConnectorBinding", "db", connectorNamespace=namespace, routingKey="db")
    return placed(found, "web")


def attached_cluster(*objects: dict[str, Any]) -> ScriptedCluster:
    there = placed(pod("b", "10.0.0.2", labels={"app": "db"}), "work")
    here = pod("a", "10.0.0.1", labels={"app": "db"})
    cluster = ScriptedCluster(SITE, others=["work"])
    for one in (here, there, *objects):
        cluster.put(one)
    cluster.custom_levels = dict.fromkeys(KINDS, AccessLevel.FULL)
    return cluster


def test_a_slip_in_an_attached_connector_keeps_its_targets_and_another_site_in_it_does_not() -> (
    None
):
    async def story() -> None:
        cluster = attached_cluster(attached("work"), binding("work"))
        async with store_of(cluster) as told:
            await told.until(lambda: told.targets == ["10.0.0.2"])
            cluster.put(attached("work", selector=""))
            await told.until(lambda: "SW0113" in told.codes())
            assert told.targets == ["10.0.0.2"]
            cluster.put(attached("work", site="other"))
            await told.until(lambda: not told.wanted.connectors)
            cluster.put(attached("work"))
            await told.until(lambda: told.targets == ["10.0.0.2"])

    run(story())


@pytest.mark.parametrize("then", ["none", "work"])
def test_a_pair_of_one_namespace_ends_with_its_binding(then: str) -> None:
    async def story() -> None:
        cluster = attached_cluster(attached("web"), binding("web"))
        async with store_of(cluster) as told:
            await told.until(lambda: told.targets == ["10.0.0.1"])
            if then == "none":
                cluster.of("AttachedConnectorBinding").remove("db")
            else:
                cluster.put(binding(then))
            await told.until(lambda: not told.wanted.connectors)

    run(story())
