"""Since when a link is down, over a restart of the router that dials it."""

from pathlib import Path

import pytest

from router.model import limits
from router.net.ports import DialFailure
from router.node.down_links import SAVE_AFTER_S, DownLinks
from router.process.state import LINKS_DOWN_FILE, FileKeeper
from tests.unit.link.routers import Router
from tests.unit.link.wire import World


def test_what_was_kept_is_older_by_now_and_a_clock_that_was_set_back_makes_it_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1_000.0]
    monkeypatch.setattr("router.process.state.time.time", lambda: clock[0])
    path = tmp_path / "state.json"
    assert FileKeeper(path).links_down() == {}
    FileKeeper(path).keep_links_down({"far": 30.0})
    clock[0] += 12.0
    assert FileKeeper(path).links_down() == {"far": 42.0}
    clock[0] -= 100.0
    assert FileKeeper(path).links_down() == {"far": 0.0}
    FileKeeper(path).keep_links_down({})
    assert (tmp_path / LINKS_DOWN_FILE).read_text().split() == ["{}"]


def life(world: World, directory: Path) -> Router:
    """West, restarted with its saved state; its events go to `DownLinks`."""
    west = Router(world, "west")
    down_links = DownLinks(FileKeeper(directory / "state.json"), world, west.links)
    west.owner.link_changed = lambda name: down_links.changed()  # type: ignore[method-assign]  # As `Neighbours`.
    return west


def test_a_link_is_down_since_before_the_restart_until_it_was_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    monkeypatch.setattr("router.process.state.time.time", lambda: 1e9 + world.time)
    west, east = life(world, tmp_path), Router(world, "east")
    west.link("east")
    world.settle()
    world.dial_failure = DialFailure("refused", "east:1 refused")
    for wire in list(world.wires):
        wire.break_()
    lost_at = world.time
    world.advance(SAVE_AFTER_S + 40.0)
    west.links.close()

    west = life(world, tmp_path)
    west.link("east")
    world.advance(10.0)
    (line,) = west.links.status()
    assert line.state == "down" and line.since == pytest.approx(lost_at, abs=0.01)
    west.link("east", name="second")
    assert west.links.status()[0].since == world.time, "it is new"
    world.dial_failure = None
    world.advance(limits.RECONNECT_MAX_S + SAVE_AFTER_S)
    assert {line.state for line in west.links.status()} == {"up"}
    west.links.close()
    east.links.close()

    world.dial_failure = DialFailure("refused", "east:1 refused")
    west, began = life(world, tmp_path), world.time
    west.link("east")
    world.advance(10.0)
    assert west.links.status()[0].since == began, "it was up before"
