"""Bursts as a whole: runs and their times, stored state, reports. Places are stand-ins."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from router.admin.ports import CommandRefused
from router.balance.learning.saturation import Totals
from router.balance.site.wake_hold import Wake
from router.control.bursts import Firing, HookOutcome
from router.model import limits
from router.model.bursts import BurstSpec, CalmMarks, SaturatedMarks
from router.model.ids import ServiceKey
from router.operate.bursts.burst_hook import Hook, HookMemory
from router.operate.bursts.burst_runs import BurstRunner
from tests.unit.virtual_loop import run, running

SHOP = ServiceKey("shop", 80)
SPEC = BurstSpec(
    service="shop",
    window_s=2.0,
    saturated=SaturatedMarks(full=0.5),
    calm=CalmMarks(for_s=1.0),
    cool_down_s=5.0,
    command=("wake",),
)


class Place:
    """Records runs and saves; ``outcomes`` are used up in order, then all runs succeed."""

    def __init__(self) -> None:
        self.fires = True
        self.ran: list[Firing] = []
        self.kept: bytes | None = None
        self.kept_when_run: list[dict[str, HookMemory]] = []
        self.outcomes: list[HookOutcome] = []
        self.takes_s = 0.0
        self.broken: Exception | None = None

    def refusal(self, spec: BurstSpec) -> str:
        return "not here" if spec.kind == "object" else ""

    async def load(self) -> bytes | None:
        if self.broken is not None:
            raise self.broken
        return self.kept

    async def save(self, kept: bytes) -> None:
        if self.broken is not None:
            raise self.broken
        self.kept = kept

    async def run(self, spec: BurstSpec, firing: Firing) -> HookOutcome:
        self.ran.append(firing)
        kept = msgspec.json.decode(self.kept or b"{}", type=dict[str, HookMemory])
        self.kept_when_run.append(kept)
        if self.takes_s:
            await asyncio.sleep(self.takes_s)
        return self.outcomes.pop(0) if self.outcomes else HookOutcome(ok=True, text="done")


class World:
    """A `BurstRunner` in virtual time, whose service is full or not as the test says."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.full = False
        self.told: list[tuple[str, str]] = []
        self.holds: list[tuple[str, Wake | None, bool]] = []  # Each that is another.
        self.ids = 0
        loop = asyncio.get_running_loop()
        self.bursting = BurstRunner(
            "here",
            place,
            lambda service: {SHOP: Totals(full=self.full, demand=3)} if service == "shop" else {},
            self._tell,
            loop.time,
            self._new_id,
            lambda: 1_000_000.0 + loop.time(),
            hold=self._hold,
        )
        self.bursting.apply({"wake": SPEC})

    def _hold(self, *said: Any) -> None:
        if not self.holds or self.holds[-1] != said:
            self.holds.append(said)

    def _new_id(self) -> str:
        self.ids += 1
        return f"id-{self.ids}"

    def _tell(self, severity: str, code: str, subject: str, message: str, hint: str = "") -> None:
        self.told.append((code, message))

    @property
    def events(self) -> list[str]:
        return [firing.event for firing in self.place.ran]


def played(place: Place, *steps: tuple[float, Callable[[World], Any]]) -> World:
    """Run a router's bursts; each step acts after so many seconds."""

    async def play() -> World:
        world = World(place)
        async with running(world.bursting):
            for seconds, act in steps:
                await asyncio.sleep(seconds)
                act(world)
        return world

    return run(play())


def fill(world: World) -> None:
    world.full = True


def empty(world: World) -> None:
    world.full = False


def forget(world: World) -> None:
    world.bursting.apply({})


def nothing(world: World) -> None:
    """Time passes."""


def test_it_is_run_once_for_saturated_and_once_for_calm_and_kept_before_and_after() -> None:
    place = Place()
    world = played(place, (3, fill), (30, empty), (60, nothing))
    assert world.events == ["saturated", "calm"]
    assert place.ran[0].values["demand"] == "3"
    assert place.ran[0].values["site"] == "here"
    before = place.kept_when_run[0]["wake"]
    assert (before.state, before.id, before.done) == ("saturated", place.ran[0].id, "")
    codes = [code for code, _ in world.told]
    assert codes == ["burst-saturated", "burst-hook-done", "burst-calm", "burst-hook-done"]
    assert "full 5" in world.told[0][1] or "full 6" in world.told[0][1]


def test_one_run_at_a_time_and_the_newest_wish_wins() -> None:
    place = Place()
    place.takes_s = 40.0

    def at_most_one(world: World) -> None:
        assert len(place.ran) == 1

    world = played(
        place, (3, fill), (4, empty), (10, fill), (8, empty), (12, at_most_one), (90, nothing)
    )
    assert world.events == ["saturated", "calm"], "the two changes in between were overtaken"


def test_a_run_that_failed_comes_again_ever_more_rarely_while_its_state_lasts() -> None:
    place = Place()
    place.outcomes = [HookOutcome(ok=False, text="no", hint="look")] * 3
    problems: list[str] = []

    def look(world: World) -> None:
        problems.extend(problem.code for problem in world.bursting.problems())

    world = played(place, (3, fill), (10, look), (29, nothing), (60, nothing), (200, look))
    assert world.events == ["saturated"] * 4
    assert len({firing.id for firing in place.ran}) == 1
    assert problems == ["SW0710"]
    assert world.bursting.metrics()["spillway_burst_hooks_total"] == {
        ("wake", "ok"): 1.0,
        ("wake", "failed"): 3.0,
    }


def test_requests_may_be_held_while_a_hook_would_run_or_runs_and_not_while_it_cools_down() -> None:
    world = played(Place(), (3, fill), (30, empty), (60, nothing), (0, forget))
    ready, waking, cooling, again, gone = world.holds
    assert ready == again == ("shop", Wake("wake"), True)
    assert waking[1] is not None and waking[1].woke_at is not None and not waking[1].again_at
    assert cooling == ("shop", None, True) and gone == ("shop", None, False)


def test_requests_may_be_held_from_the_moment_a_hook_is_known() -> None:
    def come(world: World) -> None:
        world.bursting.apply({"wake": SPEC, "more": msgspec.structs.replace(SPEC, service="more")})
        assert world.holds[-1] == ("more", Wake("more"), True), "and not at the next look"

    played(Place(), (1.01, come))


def test_each_run_of_a_hook_that_failed_is_a_wake_of_its_own() -> None:
    place = Place()
    place.outcomes = [HookOutcome(ok=False, text="no")]
    world = played(place, (3, fill), (60, nothing))
    wakes = [wake for _, wake, _ in world.holds if wake is not None and wake.woke_at is not None]
    first, failed, second = wakes
    assert first.woke_at == failed.woke_at and failed.again_at is not None
    assert second.woke_at is not None and failed.again_at <= second.woke_at
    assert first.again_at is None and second.again_at is None


def test_the_next_router_repeats_what_was_cut_short_and_nothing_else() -> None:
    place = Place()
    place.takes_s = 1e6
    played(place, (3, fill), (10, nothing))
    place.takes_s = 0.0
    played(place, (0, fill), (10, nothing))
    assert [firing.id for firing in place.ran] == [place.ran[0].id] * 2
    played(place, (0, fill), (10, nothing))
    assert len(place.ran) == 2


def test_only_who_holds_the_office_runs_hooks_and_takes_over_where_the_last_one_was() -> None:
    first = Place()
    played(first, (3, fill), (10, nothing))
    second = Place()
    second.fires, second.kept = False, first.kept

    def take_over(world: World) -> None:
        assert second.ran == []
        second.fires = True

    world = played(second, (3, fill), (30, take_over), (10, nothing))
    assert second.ran == []
    (view,) = world.bursting.views()
    assert (view.state, view.owed) == ("saturated", None)


def test_a_run_that_outlasts_the_office_does_not_replace_the_state_of_the_next_router() -> None:
    place = Place()
    place.takes_s = 40.0
    newer = b"of the next router"

    def lose_office(world: World) -> None:
        place.fires, place.kept = False, newer

    played(place, (3, fill), (20, lose_office), (60, nothing))
    assert len(place.ran) == 1
    assert place.kept == newer


def test_what_cannot_be_read_runs_nothing_and_what_cannot_be_written_is_told() -> None:
    place = Place()
    place.broken = OSError("the disk is gone")
    found: list[str] = []

    def look(world: World) -> None:
        found.extend(problem.code for problem in world.bursting.problems())
        assert place.ran == []
        place.broken = None

    world = played(place, (3, fill), (20, look), (limits.STATE_RETRY_S + 10, nothing))
    assert found == ["SW0712"]
    assert world.events == ["saturated"]
    assert world.bursting.problems() == []


def test_a_test_is_marked_leaves_the_state_and_is_refused_while_one_runs() -> None:
    place = Place()
    place.takes_s = 5.0

    def try_it(world: World) -> None:
        world.bursting.test("wake", "calm")
        with pytest.raises(CommandRefused, match="runs already"):
            world.bursting.test("wake", "calm")
        with pytest.raises(CommandRefused, match="no burst"):
            world.bursting.test("other", "calm")

    world = played(place, (3, try_it), (10, nothing))
    (firing,) = place.ran
    assert (firing.event, firing.is_test, firing.values["test"]) == ("calm", True, "true")
    (view,) = world.bursting.views()
    assert view.state == "calm"
    assert view.last is None
    assert view.last_test is not None
    assert view.last_test.number == 1
    assert place.kept is None


def test_a_changed_document_keeps_the_state_and_one_that_came_back_too() -> None:
    place = Place()

    def change(world: World) -> None:
        world.bursting.apply({"wake": msgspec.structs.replace(SPEC, command=("other",))})

    def remove(world: World) -> None:
        world.bursting.apply({})

    def bring_back(world: World) -> None:
        world.bursting.apply({"wake": SPEC})
        assert world.bursting.views()[0].state == "saturated"

    world = played(place, (3, fill), (10, change), (10, remove), (10, bring_back), (10, nothing))
    assert world.events == ["saturated"]


@pytest.mark.parametrize("away_s", [10, 60], ids=["during", "after"])
def test_a_run_that_its_document_did_not_wait_for_is_run_once(away_s: float) -> None:
    place = Place()
    place.takes_s = 40.0

    def bring_back(world: World) -> None:
        world.bursting.apply({"wake": SPEC})

    def at_its_end(world: World) -> None:
        (view,) = world.bursting.views()
        assert (view.running, view.owed) == (False, None)
        assert view.last is not None

    world = played(place, (3, fill), (20, forget), (away_s, bring_back), (60, at_its_end))
    assert world.events == ["saturated"]


def test_the_next_router_does_not_repeat_what_ended_while_its_document_was_away() -> None:
    place = Place()
    place.takes_s = 40.0
    played(place, (3, fill), (20, forget), (60, nothing))
    played(place, (0, fill), (20, nothing))
    assert len(place.ran) == 1


def test_a_burst_that_came_back_is_in_its_state_since_it_came_back() -> None:
    shown: dict[str, str | None] = {}

    def note(world: World, when: str) -> None:
        (view,) = world.bursting.views()
        shown[when] = view.since

    def bring_back(world: World) -> None:
        world.bursting.apply({"wake": SPEC})
        note(world, "back")

    def change(world: World) -> None:
        world.bursting.apply({"wake": msgspec.structs.replace(SPEC, command=("other",))})
        note(world, "changed")

    played(
        Place(),
        (3, fill),
        (10, lambda world: note(world, "before")),
        (10, forget),
        (60, bring_back),
        (10, change),
        (5, empty),
        (30, lambda world: note(world, "calm")),
    )
    # 1,000,000 s is 1970-01-12T13:46:40Z; the burst was not watched from second 23 to second 83.
    assert shown["before"] == "1970-01-12T13:46:43Z"
    assert shown["back"] == shown["changed"] == "1970-01-12T13:48:03Z"
    assert shown["calm"] is not None and shown["calm"] > "1970-01-12T13:48:18Z"


def test_a_state_that_was_not_stored_yet_is_known_when_its_document_comes_back() -> None:
    place = Place()

    def break_store(world: World) -> None:
        place.broken = OSError("read-only")

    def bring_back(world: World) -> None:
        world.bursting.apply({"wake": SPEC})
        assert world.bursting.views()[0].state == "saturated"

    world = played(place, (3, break_store), (0, fill), (10, forget), (10, bring_back))
    assert world.events == ["saturated"]


@pytest.mark.parametrize("service", ["shop", "other"])
def test_what_waits_for_a_wake_goes_on_waiting_while_its_document_is_changed(service: str) -> None:
    def change(world: World) -> None:
        later = msgspec.structs.replace(SPEC, service=service, cool_down_s=700.0)
        world.bursting.apply({"wake": later})

    world = played(Place(), (3, fill), (10, nothing), (0, change), (0, nothing))

    of_shop = [(wake, has_hook) for name, wake, has_hook in world.holds if name == "shop"]
    assert of_shop[-1][1] == (service == "shop")
    assert (of_shop[-1][0] is not None) == (service == "shop")


def test_a_clock_that_was_set_back_does_not_make_the_cool_down_longer() -> None:
    hook = Hook("wake", SPEC)
    hook.restore(HookMemory(state="saturated", changed_at=2_000.0, id="a", done="a"), 50.0, 1_000.0)
    assert hook.detector.next_allowed_at == 55.0


@pytest.mark.parametrize(
    "kept",
    [
        b"\x00\xff",
        b"[]",
        b'{"wake": {"state": "asleep"}}',
        b'{"wake": {"changed_at": 1e300, "id": "a"}}',
        b'{"wake": {"changed_at": -1, "id": "a"}}',
        b'{"wake": {"last": {"event": "calm", "id": "a", "at": 1e18, "ok": true, "text": ""}}}',
        b"[" * 100_000,
    ],
)
def test_damaged_memory_is_told_and_no_hook_is_run_on_it(kept: bytes) -> None:
    place = Place()
    place.kept = kept
    world = played(place, (0.0, fill), (10.0, nothing))
    assert place.ran == []
    (problem,) = world.bursting.problems()
    assert problem.code == "SW0712"
    assert world.bursting.views()[0].state == "saturated"
    assert place.kept == kept
