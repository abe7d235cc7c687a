"""What people hear of a state file that cannot be written, and of its end."""

from pathlib import Path

import pytest

from router.model import limits
from router.process.state_keeper import StateKeeper
from tests.unit.exchange.fakes import FakeNetwork
from tests.unit.journal import Journal


class Place:
    """A router that remembers, on a disk that fails while a directory has the file's place."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "state.json"
        self.network, self.journal = FakeNetwork(), Journal()
        self.keeping = StateKeeper(self.path, self.network, self.journal.tell)
        self.keeper = self.keeping.keeper

    def fail(self) -> None:
        """From now on nothing can be written."""
        self.path.unlink()
        self.path.mkdir()
        self.keeper.declared_at("shop")

    def heal(self) -> None:
        """It can be again."""
        self.path.rmdir()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_change_that_is_written_ends_the_fault_and_is_said_to(place: Place) -> None:
    place.fail()
    assert place.journal.told() == ["state-unsaved"]
    place.heal()
    place.keeper.declared_at("other")
    assert not place.keeper.trouble
    assert place.journal.told() == ["state-saved"]
    place.keeper.declared_at("third")
    assert not place.journal.told()


def test_without_a_change_it_is_written_within_a_second_of_space(place: Place) -> None:
    place.fail()
    place.network.advance(limits.STATE_RETRY_S)
    assert place.journal.told() == ["state-unsaved"]
    place.heal()
    place.network.advance(limits.STATE_HEALS_S)
    assert not place.keeper.trouble
    assert place.journal.told() == ["state-saved"]
