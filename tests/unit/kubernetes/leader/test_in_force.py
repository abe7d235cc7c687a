"""What counts of a wrong object over restarts of routers: the store and what it has written."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from router.kubernetes.client.errors import ApiError
from router.kubernetes.codecs.secrets import IN_FORCE_FILE, value_of
from router.kubernetes.leader.in_force import InForceWriter
from router.kubernetes.objects.access_levels import AccessLevel
from router.kubernetes.objects.names import DOCUMENTS, DOCUMENTS_LABEL, IN_FORCE_SECRET
from router.kubernetes.objects.objects import Object
from router.kubernetes.objects.skupper2_kinds import KINDS
from router.model import limits
from tests.unit.kubernetes.client.scripted import ScriptedCluster
from tests.unit.kubernetes.namespace_objects import made
from tests.unit.kubernetes.objects_made import pod
from tests.unit.kubernetes.skupper2.v2_objects import v2
from tests.unit.kubernetes.store.test_store import SITE, Told, deployment, store_of
from tests.unit.kubernetes.trust.fake_secrets import AWAY, FORBIDDEN
from tests.unit.virtual_loop import run, running

QUOTA = ApiError(403, "Forbidden", 'secrets "spillway-in-force" is forbidden: exceeded quota: few')
SERVICE = "apiVersion: spillway/v1\nkind: Service\nname: {}\nspec: {{ports: [{}]}}\n"


class Namespace(ScriptedCluster):
    """Takes writes; ``refusal``: the answer to all of them."""

    refusal: ApiError | None = None

    def __init__(self, *objects: dict[str, Any]) -> None:
        super().__init__(*objects)
        self.writes: list[str] = []

    @property
    def stored(self) -> Object | None:
        return self.of("Secret").objects.get(IN_FORCE_SECRET)

    def _write(self, verb: str) -> None:
        self.writes.append(verb)
        if self.refusal is not None:
            raise self.refusal

    async def apply(self, wanted: Any, **_: Any) -> dict[str, Any]:
        self._write("apply")
        self.put(wanted)
        return self.of("Secret").objects[IN_FORCE_SECRET]

    async def delete(self, kind: str, name: str, **_: str) -> bool:
        self._write("delete")
        self.of(kind).remove(name)
        return True


class Router:
    """One router of the namespace; ``told``: its store."""

    def __init__(self, told: Told, writer: InForceWriter) -> None:
        self.told, self.writer = told, writer

    @property
    def ports(self) -> dict[str, tuple[int, ...]]:
        return {name: spec.ports for name, spec in self.told.wanted.services.items()}

    def still(self) -> str:
        """The one finding that something stays in force."""
        (found,) = (error for error in self.told.errors if error.code == "SW0418")
        return str(found)


@contextlib.asynccontextmanager
async def router(
    cluster: Namespace, *, leads: bool = True, gone: bool = False
) -> AsyncIterator[Router]:
    async with store_of(cluster) as told:
        writer = InForceWriter(cluster, lambda: leads, lambda: gone)
        told.store.followers.append(writer.look)
        told.store.add_errors(lambda: writer.errors)
        writer.follow_errors(told.store.poke)
        told.store.poke()
        async with running(writer):
            yield Router(told, writer)


def marked(uid: str = "1", **annotations: str) -> dict[str, Any]:
    made = deployment(**annotations)
    made["metadata"]["uid"] = uid
    return made


WRONG = marked(**{"skupper.io_port": "eighty"})
WRONG_ELSEWISE = marked(**{"skupper.io_port": "ninety"})
RIGHT = marked(**{"skupper.io_port": "81:8080"})


async def settled() -> None:
    """Everything has been seen and written."""
    await asyncio.sleep(2 * limits.TRUST_OPEN_S)


async def edited_wrong(cluster: Namespace) -> None:
    """A router sees a right object, then a wrong edit; then it ends."""
    async with router(cluster) as one:
        cluster.put(WRONG)
        await settled()
        assert one.ports == {"shop": (80,)}
        assert "stays in force, also after a restart of the router" in one.still()


def test_what_a_wrong_object_said_counts_at_the_next_router_too() -> None:
    async def story() -> None:
        cluster = Namespace(SITE, marked(), pod("a", "10.0.0.1"))
        await edited_wrong(cluster)
        async with router(cluster) as other:
            assert other.ports == {"shop": (80,)}
            assert other.told.targets == ["10.0.0.1"]
            assert "also after a restart" in other.still()
            await settled()
            assert cluster.writes == ["apply"], "nothing changed"

    run(story())


def test_a_right_object_is_in_no_secret_and_the_secret_goes_with_the_last_wrong_one() -> None:
    async def story() -> None:
        cluster = Namespace(SITE, marked())
        async with router(cluster):
            await settled()
            assert cluster.stored is None and not cluster.writes
        await edited_wrong(cluster)
        async with router(cluster) as one:
            cluster.put(RIGHT)
            await settled()
            assert one.ports == {"shop": (81,)}
            assert "SW0418" not in one.told.codes()
            assert cluster.stored is None

    run(story())


def test_another_wrong_content_is_followed_and_one_from_before_the_start_is_not() -> None:
    async def story() -> None:
        cluster = Namespace(SITE, marked())
        await edited_wrong(cluster)
        async with router(cluster) as one:
            cluster.put(WRONG_ELSEWISE)
            await settled()
            assert one.ports == {"shop": (80,)}
        async with router(cluster) as one:
            assert one.ports == {"shop": (80,)}
        cluster.put(WRONG)  # An older release may have run, and taken a right content meanwhile.
        async with router(cluster) as one:
            assert one.ports == {}
            await settled()
            assert cluster.stored is None

    run(story())


@pytest.mark.parametrize("again", [WRONG, marked("2", **{"skupper.io_port": "eighty"})])
def test_an_object_that_was_deleted_counts_as_nothing_when_it_is_made_again(
    again: dict[str, Any],
) -> None:
    async def story() -> None:
        cluster = Namespace(SITE, marked())
        await edited_wrong(cluster)
        async with router(cluster) as one:
            cluster.of("Deployment").remove("shop")
            await settled()
            assert one.ports == {} and cluster.stored is None
            cluster.put(again)
            await settled()
            assert one.ports == {}

    run(story())


def test_an_object_that_another_one_replaced_while_no_router_ran_counts_as_nothing() -> None:
    async def story() -> None:
        cluster = Namespace(SITE, marked())
        await edited_wrong(cluster)
        cluster.put(marked("2", **{"skupper.io_port": "eighty"}))
        async with router(cluster) as one:
            assert one.ports == {}

    run(story())


def test_the_scale_and_other_tools_notes_on_a_wrong_object_change_nothing() -> None:
    async def story() -> None:
        cluster = Namespace(SITE, marked())
        await edited_wrong(cluster)
        noted = marked(**{"skupper.io_port": "eighty", "deployment.kubernetes.io_revision": "7"})
        noted["spec"]["replicas"] = 5
        cluster.put(noted)
        async with router(cluster) as one:
            assert one.ports == {"shop": (80,)}
            await settled()
            assert cluster.writes == ["apply"]

    run(story())


def test_an_object_that_may_not_be_read_for_some_time_still_counts_when_it_may() -> None:
    async def story() -> None:
        cluster = Namespace(SITE, marked())
        await edited_wrong(cluster)
        cluster.of("Deployment").list_faults = [FORBIDDEN]
        async with router(cluster) as one:
            assert one.ports == {}
            await one.told.until(lambda: one.ports == {"shop": (80,)}, limits.RIGHTS_LOOK_S)
            assert cluster.writes == ["apply"]

    run(story())


def documents(**keys: str) -> dict[str, Any]:
    labels = {DOCUMENTS_LABEL: DOCUMENTS}
    metadata = {"name": "mine", "uid": "1", "labels": labels}
    return {
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": {f"{key}.yaml": text for key, text in keys.items()},
    }


def test_each_key_of_a_config_map_counts_on_its_own() -> None:
    async def story() -> None:
        cluster = Namespace(SITE, documents(a=SERVICE.format("a", 1), b=SERVICE.format("b", 2)))
        async with router(cluster) as one:
            cluster.put(documents(a=SERVICE.format("a", 0), b=SERVICE.format("b", 2)))
            await settled()
            assert one.ports == {"a": (1,), "b": (2,)}
        cluster.put(documents(a=SERVICE.format("a", 0), b=SERVICE.format("b", 3)))
        async with router(cluster) as one:
            assert one.ports == {"a": (1,), "b": (3,)}
            assert one.still().startswith("ConfigMap/mine[a.yaml]")

    run(story())


def test_a_link_is_stored_without_its_credential() -> None:
    async def story() -> None:
        def link(cost: object) -> dict[str, Any]:
            return v2("Link", "east", tlsCredentials="to-east", endpoints=[], cost=cost)

        notes, marks = {"spillway.dev/site-name": "east"}, {"skupper.io/type": "connection-token"}
        secret = {"ca.crt": "Q1JFREVOVElBTA=="}
        credential = made("Secret", "to-east", notes, labels=marks, data=secret)
        cluster = Namespace(SITE, credential, link(3))
        cluster.custom_levels = dict.fromkeys(KINDS, AccessLevel.FULL)
        async with router(cluster) as one:
            assert one.told.wanted.links["east"].cost == 3
            cluster.put(link("dear"))
            await settled()
            assert one.told.wanted.links["east"].cost == 3
            assert cluster.stored is not None
            stored = value_of(cluster.stored, IN_FORCE_FILE)
            assert b'"east"' in stored
            assert b"CREDENTIAL" not in stored and b"Q1JF" not in stored
        async with router(cluster) as one:
            assert one.told.wanted.links["east"].cost == 3

    run(story())


def test_a_router_without_the_lease_reads_what_the_other_one_wrote() -> None:
    async def story() -> None:
        cluster = Namespace(SITE, marked())
        async with router(cluster) as leader, router(cluster, leads=False) as other:
            cluster.put(WRONG)
            await settled()
            assert leader.ports == other.ports == {"shop": (80,)}
            assert "also after a restart" in other.still()
            assert cluster.writes == ["apply"]

    run(story())


def test_a_router_that_started_too_early_takes_what_another_one_wrote() -> None:
    async def story() -> None:
        cluster = Namespace(SITE, marked())
        async with router(cluster, leads=False) as one:
            cluster.put(WRONG)
            await settled()
            assert "does not have it" in one.still()
            async with router(cluster, leads=False) as late:
                assert late.ports == {}
                writer = InForceWriter(cluster, lambda: True, lambda: False)
                writer.look(one.told.looks[-1])
                await writer.step()
                await settled()
                assert late.ports == {"shop": (80,)}

    run(story())


@pytest.mark.parametrize(
    ("refusal", "codes"), [(FORBIDDEN, {"SW0443"}), (QUOTA, {"SW0443"}), (AWAY, set())]
)
def test_a_refused_write_is_reported_and_tried_again(refusal: ApiError, codes: set[str]) -> None:
    async def story() -> None:
        cluster = Namespace(SITE, marked())
        cluster.refusal = refusal
        async with router(cluster) as one:
            cluster.put(WRONG)
            await settled()
            assert codes == {"SW0443"} & set(one.told.codes())
            assert "until the router restarts, since Secret spillway-in-force" in one.still()
            assert "before a router restarts" in one.still()
            cluster.refusal = None
            await settled()
            assert "also after a restart" in one.still()
            assert "SW0443" not in one.told.codes()

    run(story())


@pytest.mark.parametrize("later_s", range(8))
def test_no_refusal_is_reported_of_a_secret_that_is_not_wanted_any_more(later_s: int) -> None:
    """The object may be right again between two tries, or within the pause after one."""

    async def story() -> None:
        cluster = Namespace(SITE, marked())
        cluster.refusal = QUOTA
        async with router(cluster) as one:
            cluster.put(WRONG)
            await settled()
            await asyncio.sleep(later_s)
            assert "SW0443" in one.told.codes()
            cluster.put(RIGHT)
            await settled()
            assert not {"SW0418", "SW0443"} & set(one.told.codes())

    run(story())


def test_what_the_secret_has_no_room_for_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        monkeypatch.setattr(limits, "IN_FORCE_BYTES_MAX", 10)
        cluster = Namespace(SITE, marked())
        async with router(cluster) as one:
            cluster.put(WRONG)
            await settled()
            assert one.ports == {"shop": (80,)}
            assert "Secret spillway-in-force has no room for it" in one.still()
            assert cluster.writes == []

    run(story())


@pytest.mark.parametrize("data", [{}, {"in-force.json": "!"}, {"in-force.json": "e30x"}])
def test_a_damaged_secret_is_replaced(data: dict[str, str]) -> None:
    async def story() -> None:
        cluster = Namespace(SITE, marked())
        async with router(cluster) as one:
            cluster.put(WRONG)
            await settled()
            assert cluster.stored is not None
            good = dict(cluster.stored)
            cluster.put({**good, "data": data})
            await settled()
            assert cluster.stored is not None
            assert cluster.stored["data"] == good["data"]
            assert one.ports == {"shop": (80,)}

    run(story())


def test_nothing_is_written_for_a_site_that_is_gone() -> None:
    async def story() -> None:
        cluster = Namespace(SITE, marked())
        async with router(cluster, gone=True):
            cluster.put(WRONG)
            await settled()
            assert cluster.writes == []

    run(story())
