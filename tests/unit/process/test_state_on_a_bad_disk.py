"""The router's small state file when the disk fails."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from certs import files
from router.documents import in_force
from router.documents.in_force import InForce
from router.process.state import FileKeeper


def unwritable(path: Path) -> None:
    """A directory in the place of the file."""
    path.unlink()
    path.mkdir()


def test_a_state_that_cannot_be_written_is_told_once_and_kept_in_memory(tmp_path: Path) -> None:
    told: list[str] = []
    keeper = FileKeeper(tmp_path / "state.json", told.append)
    unwritable(tmp_path / "state.json")
    first = keeper.declared_at("shop")
    keeper.keep_learnt(())
    keeper.keep_epoch(2**40)
    assert keeper.declared_at("shop") == first
    assert len(told) == 1
    assert "state.json" in told[0]


def test_a_router_starts_on_a_disk_that_takes_nothing_and_epochs_still_grow(
    tmp_path: Path,
) -> None:
    told: list[str] = []
    keeper = FileKeeper(tmp_path / "state.json", told.append)
    before = keeper.next_epoch()
    unwritable(tmp_path / "state.json")
    assert keeper.next_epoch() > before
    assert len(told) == 1


def test_what_counts_in_place_of_a_wrong_document_is_written_once_the_disk_takes_it(
    tmp_path: Path,
) -> None:
    told: list[str] = []
    keeper = FileKeeper(tmp_path / "state.json", told.append)
    path = tmp_path / in_force.FILE
    path.mkdir()
    keeper.keep_in_force({"shop.yaml": InForce("digest", ())})
    assert told == [f"{path}: Is a directory"]
    path.rmdir()
    keeper.retry()
    assert told[1:] == [""]
    assert in_force.decode(path.read_bytes()).keys() == {"shop.yaml"}


def test_one_file_that_cannot_be_written_keeps_no_other_one_from_it(tmp_path: Path) -> None:
    keeper = FileKeeper(tmp_path / "state.json")
    (tmp_path / in_force.FILE).mkdir()
    keeper.keep_in_force({"shop.yaml": InForce("digest", ())})
    before = (tmp_path / "state.json").read_bytes()
    keeper.keep_epoch(2**40)
    assert (tmp_path / "state.json").read_bytes() != before
    assert in_force.FILE in keeper.trouble


def test_a_disk_without_room_is_told_before_anything_is_to_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    keeper = FileKeeper(tmp_path / "state.json", told.append)
    keeper.next_epoch()
    keeper.retry()
    assert not keeper.trouble
    monkeypatch.setattr(files, "ROOM_BYTES", 2**62)  # As if the disk were full,
    keeper.retry()
    assert not keeper.trouble  # and still took a small file.
    unwritable(tmp_path / "state.json")
    keeper.retry()
    assert told == [keeper.trouble] and "state.json" in keeper.trouble
    (tmp_path / "state.json").rmdir()
    keeper.retry()
    assert told[1:] == [""] and not keeper.trouble


def test_a_disk_without_room_gets_no_write_more_until_it_is_fuller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = SimpleNamespace(f_bavail=9, f_bfree=9, f_frsize=4_096, f_files=99, f_favail=50)
    monkeypatch.setattr(os, "statvfs", lambda place: free)
    path = tmp_path / "state.json"
    keeper = FileKeeper(path)

    def is_rewritten() -> bool:
        before = path.stat().st_ino, path.stat().st_mtime_ns
        keeper.retry()
        assert not keeper.trouble
        return (path.stat().st_ino, path.stat().st_mtime_ns) != before

    assert [is_rewritten() for _ in range(3)] == [True, False, False]
    free.f_bavail = free.f_bfree = 8
    assert [is_rewritten() for _ in range(2)] == [True, False]
    free.f_favail = 49
    assert [is_rewritten() for _ in range(2)] == [True, False]
    free.f_bavail = free.f_bfree = 99
    assert not is_rewritten(), "there is room"
    free.f_bavail = free.f_bfree = 9
    assert [is_rewritten() for _ in range(2)] == [True, False]


def test_what_could_not_be_written_is_written_as_soon_as_it_can_be(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    keeper = FileKeeper(path)
    unwritable(path)
    first = keeper.declared_at("shop")
    keeper.retry()
    assert str(path) in keeper.trouble
    path.rmdir()
    keeper.retry()
    assert keeper.trouble == ""
    written = path.stat().st_mtime_ns, path.stat().st_ino
    keeper.retry()
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == written, "nothing waits any more"
    assert FileKeeper(path).declared_at("shop") == first
