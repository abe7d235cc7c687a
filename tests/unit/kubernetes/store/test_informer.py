"""A mirror of the API server's objects, through everything that goes wrong between the two."""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, AsyncIterator
from itertools import pairwise
from typing import Any

from router.kubernetes.client.api_calls import Page
from router.kubernetes.client.errors import ApiError
from router.kubernetes.store.informer import Informer
from router.kubernetes.store.selections import Selection
from router.model import limits
from tests.unit.kubernetes.client.scripted import (
    CUT,
    EXPIRED,
    SILENT,
    UNREACHABLE,
    ScriptedServer,
)
from tests.unit.virtual_loop import run, running

FORBIDDEN = ApiError(403, "Forbidden", 'pods is forbidden: cannot list resource "pods"')


def _kept(found: dict[str, Any]) -> dict[str, Any]:
    meaning = {name: value for name, value in found.items() if name != "noise"}
    return meaning | {"metadata": {"name": found["metadata"]["name"]}}


ALL = Selection(kind="Pod", keep=_kept)


class Mirror:
    """An informer that runs, and how often it reported a change."""

    def __init__(self, server: ScriptedServer, selection: Selection = ALL) -> None:
        self.told = 0
        self.informer = Informer(server, selection, self._changed, random.Random(1))

    def _changed(self, kind: str) -> None:
        assert kind == "Pod"
        self.told += 1

    @property
    def names(self) -> set[str]:
        return set(self.informer.copy())

    def away_since(self) -> float | None:
        return self.informer.silent_since

    def refused(self) -> ApiError | None:
        return self.informer.refused


@contextlib.asynccontextmanager
async def mirror(server: ScriptedServer, selection: Selection = ALL) -> AsyncIterator[Mirror]:
    found = Mirror(server, selection)
    async with running(found.informer):
        await asyncio.sleep(0.01)
        yield found


def test_it_lists_all_pages_and_then_follows_every_change() -> None:
    async def story() -> None:
        server = ScriptedServer()
        for name in ("a", "b", "c"):
            server.put(name)
        async with mirror(server) as found:
            assert found.informer.settled
            assert found.names == {"a", "b", "c"}
            server.put("d")
            server.remove("b")
            await asyncio.sleep(0)
            await asyncio.sleep(0.01)
            assert found.names == {"a", "c", "d"}
            assert len(server.lists) == 1

    run(story())


def test_what_means_nothing_is_no_change() -> None:
    async def story() -> None:
        server = ScriptedServer()
        server.put("a", spec=1)
        async with mirror(server) as found:
            told = found.told
            server.put("a", spec=1, noise=2)
            server.bookmark()
            await asyncio.sleep(0.01)
            assert found.told == told
            server.put("a", spec=2)
            await asyncio.sleep(0.01)
            assert found.told == told + 1

    run(story())


def test_a_watch_that_the_server_ends_goes_on_from_the_last_version_without_a_list() -> None:
    async def story() -> None:
        server = ScriptedServer()
        server.put("a")
        async with mirror(server) as found:
            server.bookmark()
            server.forget()
            await asyncio.sleep(limits.WATCH_S + 1)
            server.put("b")
            await asyncio.sleep(0.01)
            assert found.names == {"a", "b"}
            assert len(server.lists) == 1
            assert len(server.watches) == 2

    run(story())


def test_what_vanished_while_the_version_expired_is_gone() -> None:
    async def story() -> None:
        server = ScriptedServer()
        server.put("a")
        server.put("b")
        async with mirror(server) as found:
            await asyncio.sleep(limits.WATCH_HEALTHY_S)
            server.watch_faults = [UNREACHABLE]
            server.cut(CUT)
            await asyncio.sleep(0)
            server.remove("a")
            server.put("c")
            server.history.clear()
            server.forget()
            await asyncio.sleep(limits.WATCH_BACKOFF_MAX_S * 3)
            assert found.names == {"b", "c"}

    run(story())


def test_an_error_event_makes_it_list_again() -> None:
    async def story() -> None:
        server = ScriptedServer()
        server.put("a")
        async with mirror(server) as found:
            server.history.clear()
            server.objects.clear()
            server.cut(EXPIRED)
            await asyncio.sleep(5)
            assert found.names == set()
            assert len(server.lists) == 2
            assert not found.informer.trouble

    run(story())


def test_a_watch_that_held_and_fell_silent_is_no_trouble_if_the_next_one_is_answered() -> None:
    """Bookmarks are a courtesy: a server may say nothing for long of a kind that never changed."""

    async def story() -> None:
        server = ScriptedServer()
        server.put("a")
        async with mirror(server) as found:
            await asyncio.sleep(limits.WATCH_SILENCE_S)
            told = found.told
            server.cut(CUT)
            await asyncio.sleep(0.01)
            assert not found.informer.trouble
            await asyncio.sleep(limits.WATCH_BACKOFF_MAX_S)
            assert len(server.watches) == 2
            assert found.told == told
            assert found.away_since() is None

    run(story())


def test_watches_that_are_cut_soon_again_and_again_do_not_say_that_the_server_is_silent() -> None:
    """It answered each of them; whether it still does, the next list says."""

    async def story() -> None:
        server = ScriptedServer()
        server.put("a")
        async with mirror(server) as found:
            for number in range(60):
                server.put(f"b{number}")
                await asyncio.sleep(1)
                server.cut(CUT)
                await asyncio.sleep(0)
                assert found.away_since() is None
            await asyncio.sleep(limits.WATCH_BACKOFF_MAX_S)
            assert found.names == server.objects.keys()

    run(story())


def test_a_watch_that_falls_silent_is_listed_again_and_no_trouble() -> None:
    """An API server sends nothing, not even bookmarks, of versions up to the one asked for
    (`cacheWatcher.process` of Kubernetes): so does one that was restored from an older state."""

    async def story() -> None:
        server = ScriptedServer()
        server.put("a")
        server.put("b")
        async with mirror(server) as found:
            await asyncio.sleep(limits.WATCH_SILENCE_S)
            told = found.told
            del server.objects["b"]
            server.history.clear()
            server.cut(SILENT)
            await asyncio.sleep(0.01)
            assert not found.informer.trouble and found.away_since() is None
            await asyncio.sleep(limits.WATCH_BACKOFF_MAX_S)
            assert found.names == {"a"} and found.told == told + 1

    run(story())


def test_the_last_state_stays_while_the_server_is_away_and_its_age_is_known() -> None:
    async def story() -> None:
        server = ScriptedServer()
        server.put("a")
        async with mirror(server) as found:
            await asyncio.sleep(10)
            server.watch_faults = [UNREACHABLE] * 4
            server.list_faults = [UNREACHABLE] * 4
            server.cut(CUT)
            await asyncio.sleep(0.01 + limits.API_BACKOFF_S)  # The next watch fails, too.
            assert found.names == {"a"}
            since = found.away_since()
            assert since is not None and 10.01 < since <= 10.01 + limits.API_BACKOFF_S
            await asyncio.sleep(limits.WATCH_BACKOFF_MAX_S * 9)
            assert found.away_since() is None
            assert found.names == {"a"}

    run(story())


def test_a_server_that_refuses_is_asked_ever_less_often_and_not_by_all_at_once() -> None:
    async def story() -> None:
        server = ScriptedServer()
        server.list_faults = [ApiError(503, "ServiceUnavailable", "starting")] * 12
        async with mirror(server) as found:
            await asyncio.sleep(100)
            assert found.informer.settled
        waits = [after - before for before, after in pairwise(server.lists)]
        assert waits[0] < 1 < waits[8]
        assert max(waits) <= limits.WATCH_BACKOFF_MAX_S
        assert len({round(wait, 3) for wait in waits[-4:]}) == 4

    run(story())


def test_a_throttling_server_is_given_the_time_it_asks_for() -> None:
    async def story() -> None:
        server = ScriptedServer()
        server.list_faults = [ApiError(429, "TooManyRequests", "slow down", 20.0)]
        async with mirror(server) as found:
            await asyncio.sleep(40)
            assert found.informer.settled
        assert 20 <= server.lists[1] - server.lists[0] <= 25

    run(story())


def test_a_watch_that_ends_at_once_again_and_again_does_not_spin() -> None:
    async def story() -> None:
        server = ScriptedServer()
        async with mirror(server):
            for _ in range(1_000):
                server.cut(None)
                await asyncio.sleep(0.01)
        assert len(server.watches) < 20

    run(story())


def test_a_kind_that_may_not_be_read_is_asked_for_soon_at_first_and_then_ever_more_rarely() -> None:
    async def story() -> None:
        server = ScriptedServer()
        server.list_faults = [FORBIDDEN] * 99
        async with mirror(server):
            await asyncio.sleep(limits.API_AWAY_S)
            assert len(server.lists) >= 3
            await asyncio.sleep(limits.WATCH_REFUSED_S * 2)
            asked = len(server.lists)
            await asyncio.sleep(limits.WATCH_REFUSED_S * 10)
            assert 7 <= len(server.lists) - asked <= 14

    run(story())


def test_a_kind_that_may_not_be_read_is_known_so_and_tried_again_slowly() -> None:
    async def story() -> None:
        server = ScriptedServer()
        server.put("a")
        server.list_faults = [FORBIDDEN] * 2
        async with mirror(server) as found:
            assert found.informer.settled
            assert not found.informer.listed
            assert found.refused() is FORBIDDEN
            await asyncio.sleep(limits.WATCH_REFUSED_S * 3)
            assert len(server.lists) == 3
            assert found.refused() is None
            assert found.names == {"a"}

    run(story())


def test_a_kind_that_the_cluster_has_not_is_never_listed_and_found_once_it_has() -> None:
    async def body() -> None:
        server = ScriptedServer()
        server.is_served = False
        server.put("a")
        optional = Selection(kind="Pod", keep=_kept, optional=True)
        async with mirror(server, optional) as seen:
            assert seen.informer.settled and not seen.informer.listed
            await asyncio.sleep(limits.WATCH_ABSENT_S * 3)
            assert server.lists == []
            server.is_served = True
            await asyncio.sleep(limits.WATCH_ABSENT_S * 1.3)
            assert seen.names == {"a"} and seen.refused() is None

    run(body())


def test_a_custom_resource_that_is_added_later_is_found_soon() -> None:
    async def body() -> None:
        server = ScriptedServer()
        server.is_served = False
        server.put("a")
        custom = Selection(kind="Pod", keep=_kept, optional=True, custom=True)
        async with mirror(server, custom) as seen:
            server.is_served = True
            await asyncio.sleep(limits.CUSTOM_KINDS_IDLE_S * 1.3)
            assert seen.names == {"a"}

    run(body())


def test_rights_that_are_taken_away_take_no_object_away() -> None:
    async def story() -> None:
        server = ScriptedServer()
        server.put("a")
        async with mirror(server) as found:
            server.watch_faults = [FORBIDDEN] * 9
            server.cut(None)
            await asyncio.sleep(limits.WATCH_REFUSED_S * 2)
            assert found.refused() is not None
            assert found.names == {"a"}

    run(story())


def test_a_list_that_broke_off_counts_for_nothing_and_is_made_again() -> None:
    async def story() -> None:
        server = ScriptedServer()
        for name in ("a", "b", "c"):
            server.put(name)
        server.page_faults = [UNREACHABLE]
        async with mirror(server) as found:
            await asyncio.sleep(limits.WATCH_HEALTHY_S + limits.WATCH_BACKOFF_MAX_S)
            assert found.informer.listed
            assert found.names == {"a", "b", "c"}

    run(story())


def test_a_server_that_refuses_does_answer() -> None:
    async def story() -> None:
        server = ScriptedServer()
        server.list_faults = [UNREACHABLE, *[FORBIDDEN] * 9]
        async with mirror(server) as found:
            assert found.away_since() is not None
            await asyncio.sleep(limits.WATCH_REFUSED_S)
            assert found.refused() is FORBIDDEN
            assert found.away_since() is None

    run(story())


def test_a_server_that_refuses_as_it_starts_is_asked_soon_however_long_it_was_away() -> None:
    """As 1.36.2 does: for a second after its start it knows no Roles and forbids everything."""

    async def story() -> None:
        server = ScriptedServer()
        server.list_faults = [*[UNREACHABLE] * 12, *[FORBIDDEN] * 3]
        async with mirror(server) as found:
            await asyncio.sleep(limits.WATCH_BACKOFF_MAX_S * 12)
            assert found.informer.listed
        first_refusal, heard = server.lists[12], server.lists[15]
        assert heard - first_refusal < limits.API_AWAY_S

    run(story())


def test_an_object_that_was_made_anew_is_another_object() -> None:
    async def story() -> None:
        server = ScriptedServer()
        server.put("a", uid=1)
        async with mirror(server) as found:
            server.remove("a")
            server.put("a", uid=2)
            await asyncio.sleep(0.01)
            assert found.informer.copy()["a"]["uid"] == 2

    run(story())


class HeldServer(ScriptedServer):
    """Lists wait for ``held``, if that is set; ``begun``: one waits."""

    def __init__(self) -> None:
        super().__init__()
        self.held: asyncio.Event | None = None
        self.begun = asyncio.Event()

    async def pages(
        self, kind: str, *, labels: str = "", fields: str = "", namespace: str = ""
    ) -> AsyncGenerator[Page, None]:
        if self.held is not None:
            self.begun.set()
            await self.held.wait()
        async for page in super().pages(kind):
            yield page


def test_a_server_that_comes_back_during_a_try_is_tried_again_at_once() -> None:
    """Another mirror has reached it; this one's try began before that, and fails."""

    async def story() -> None:
        server = HeldServer()
        server.put("a")
        server.list_faults = [UNREACHABLE] * 100
        async with mirror(server) as seen:
            await asyncio.sleep(limits.WATCH_BACKOFF_MAX_S * 4)
            server.held = asyncio.Event()
            await server.begun.wait()
            server.list_faults = [UNREACHABLE]
            seen.informer.note_answer()
            server.held.set()
            await asyncio.sleep(0.1)
            assert seen.names == {"a"}

    run(story())
