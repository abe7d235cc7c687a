"""The router's small state file when the disk fails."""

from pathlib import Path

import pytest

from router.main.state import FileKeeper


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


def test_an_epoch_is_not_used_before_it_is_written(tmp_path: Path) -> None:
    keeper = FileKeeper(tmp_path / "state.json")
    unwritable(tmp_path / "state.json")
    with pytest.raises(OSError):
        keeper.next_epoch()
