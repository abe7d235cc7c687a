"""Findings become Events: on the right object, counted, few."""

import asyncio
import contextlib
import copy
from collections.abc import AsyncIterator
from typing import Any

import pytest

from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import ApiError
from router.kubernetes.leader.events import EventWriter
from router.kubernetes.leader.finding_events import FindingEventWriter, event_of
from router.kubernetes.objects.objects import Object
from router.model import limits
from router.model.errors import ConfigError
from tests.unit.kubernetes.kept import seen
from tests.unit.virtual_loop import run, running

SHOP = {"kind": "Deployment", "metadata": {"name": "shop", "uid": "u-1"}}
VIEW = seen("web", {"Deployment": {"shop": SHOP}})
SETTLED_S = limits.OBJECT_EVENT_AFTER_S + 2 * limits.OBJECT_EVENTS_EVERY_S


def finding(number: int = 1, source: str = "Deployment/shop") -> ConfigError:
    return ConfigError(
        source, "metadata.annotations[x]", f"it is wrong ({number})", hint="Mend it", code="SW0435"
    )


class Told(Api):
    """The Events as the API server keeps them."""

    def __init__(self) -> None:
        self.events: dict[str, dict[str, Any]] = {}
        self.writes = 0
        self.refusal: ApiError | None = None

    def _write(self) -> None:
        self.writes += 1
        if self.refusal is not None:
            raise self.refusal

    async def create(self, made: Object, *, namespace: str = "") -> dict[str, Any]:
        self._write()
        name = made["metadata"]["name"]
        if name in self.events:
            raise ApiError(409, "AlreadyExists", "there is one")
        self.events[name] = copy.deepcopy(dict(made))
        return self.events[name]

    async def patch(self, kind: str, name: str, changes: Any, **_: str) -> dict[str, Any]:
        self._write()
        if name not in self.events:
            raise ApiError(404, "NotFound", "it ran out")
        self.events[name] |= changes
        return self.events[name]


@contextlib.asynccontextmanager
async def recording(api: Told, *, may_write: bool = True) -> AsyncIterator[FindingEventWriter]:
    recorder = FindingEventWriter(EventWriter(api), lambda: may_write)
    async with running(recorder):
        yield recorder


def test_an_event_names_object_field_and_next_step() -> None:
    found = event_of(finding(), VIEW)
    assert found["involvedObject"] == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "shop",
        "uid": "u-1",
        "namespace": "web",
    }
    assert found["reason"] == "SW0435"
    assert found["message"] == "it is wrong (1) (metadata.annotations[x]). Mend it"
    assert found["type"] == "Warning"


def test_what_names_no_object_is_told_at_the_site() -> None:
    for source in ("Kubernetes", "", "Nonsense/x"):
        involved = event_of(finding(source=source), VIEW)["involvedObject"]
        assert (involved["kind"], involved["name"]) == ("ConfigMap", "skupper-site")
    within = event_of(finding(source="ConfigMap/shop[a.yaml]"), VIEW)["involvedObject"]
    assert (within["kind"], within["name"]) == ("ConfigMap", "shop")


@pytest.mark.parametrize(("line", "place"), [(4, "a.yaml:4:8"), (0, "a.yaml")])
def test_an_event_of_a_document_names_its_key_and_line(line: int, place: str) -> None:
    error = ConfigError("ConfigMap/docs[a.yaml]", "$.spec", "is wrong", line=line, column=8)
    assert event_of(error, VIEW)["message"] == f"{place}: is wrong ($.spec)."


def test_a_finding_that_stays_is_one_event_that_is_counted_seldom() -> None:
    async def story() -> None:
        api = Told()
        async with recording(api) as recorder:
            for _ in range(20):
                recorder.look(VIEW, [finding()])
                await asyncio.sleep(SETTLED_S)
            assert api.writes == 1
            await asyncio.sleep(limits.OBJECT_EVENT_AGAIN_S)
            (only,) = api.events.values()
            assert only["count"] == 2

    run(story())


def test_a_finding_that_passes_is_none() -> None:
    async def story() -> None:
        api = Told()
        async with recording(api) as recorder:
            recorder.look(VIEW, [finding()])
            await asyncio.sleep(limits.OBJECT_EVENT_AFTER_S / 2)
            recorder.look(VIEW, [])
            await asyncio.sleep(SETTLED_S)
            assert not api.events

    run(story())


def test_an_object_has_few_events_and_all_together_come_slowly() -> None:
    async def story() -> None:
        api = Told()
        async with recording(api) as recorder:
            many = [finding(n) for n in range(100)]
            many += [finding(1, f"Service/s-{n}") for n in range(100)]
            recorder.look(VIEW, many)
            await asyncio.sleep(SETTLED_S)
            assert 0 < api.writes <= 3 * limits.OBJECT_EVENTS_BURST
            await asyncio.sleep(200)
            of_shop = [e for e in api.events.values() if e["involvedObject"]["name"] == "shop"]
            assert len(of_shop) == limits.OBJECT_EVENTS_MAX
            assert len(api.events) == limits.OBJECT_EVENTS_MAX + 100

    run(story())


def test_what_an_earlier_router_told_is_counted_on() -> None:
    async def story() -> None:
        api = Told()
        for _ in range(2):
            async with recording(api) as recorder:
                recorder.look(VIEW, [finding()])
                await asyncio.sleep(SETTLED_S)
        (only,) = api.events.values()
        assert only["count"] == 2

    run(story())


def test_an_event_that_ran_out_is_made_anew() -> None:
    async def story() -> None:
        api = Told()
        async with recording(api) as recorder:
            recorder.look(VIEW, [finding()])
            await asyncio.sleep(SETTLED_S)
            api.events.clear()
            await asyncio.sleep(limits.OBJECT_EVENT_AGAIN_S + 2 * limits.OBJECT_EVENT_RETRY_S)
            assert len(api.events) == 1

    run(story())


def test_who_may_not_write_writes_nothing_and_refusals_are_not_repeated_in_haste() -> None:
    async def story() -> None:
        api = Told()
        async with recording(api, may_write=False) as recorder:
            recorder.look(VIEW, [finding()])
            await asyncio.sleep(SETTLED_S)
            assert api.writes == 0
        api.refusal = ApiError(403, "Forbidden", "no right")
        async with recording(api) as recorder:
            recorder.look(VIEW, [finding()])
            await asyncio.sleep(limits.OBJECT_EVENT_RETRY_S)
            assert 2 <= api.writes <= 7
            seldom, api.writes = 10, 0
            await asyncio.sleep(seldom * limits.OBJECT_EVENT_RETRY_S)
            assert 2 <= api.writes <= seldom

    run(story())


def test_an_event_that_was_refused_at_first_is_written_soon() -> None:
    """A Role may follow the router that needs it."""

    async def story() -> None:
        api = Told()
        api.refusal = ApiError(403, "Forbidden", "no right")
        async with recording(api) as recorder:
            recorder.look(VIEW, [finding()])
            await asyncio.sleep(SETTLED_S)
            assert api.writes and not api.events
            api.refusal = None
            await asyncio.sleep(2 * limits.OBJECT_EVENTS_EVERY_S)
            assert len(api.events) == 1

    run(story())


def test_an_object_that_was_made_anew_is_told_of_itself() -> None:
    """`kubectl describe` shows the Events of one UID alone."""

    async def story() -> None:
        api = Told()
        anew = {"kind": "Deployment", "metadata": {"name": "shop", "uid": "u-2"}}
        async with recording(api) as recorder:
            recorder.look(VIEW, [finding()])
            await asyncio.sleep(SETTLED_S)
            recorder.look(seen("web", {"Deployment": {"shop": anew}}), [finding()])
            await asyncio.sleep(SETTLED_S)
        told = [made["involvedObject"]["uid"] for made in api.events.values()]
        assert told == ["u-1", "u-2"]

    run(story())
