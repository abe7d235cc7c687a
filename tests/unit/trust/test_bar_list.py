"""The bar list: other sites receive the sites that this one put out; it outlives a restart."""

import json
from pathlib import Path

import pytest

from router.model.ids import SiteId
from router.model.limits import BAR_S, BARS_MAX
from router.routing.adverts.lsa import Bar
from router.trust.bar_list import BARS_FILE, BarList
from tests.unit.journal import Journal

A, B, C = (SiteId(name) for name in "abc")


class Place:
    """A secrets directory, a clock and the list of the revoked."""

    def __init__(self, secrets: Path) -> None:
        self.secrets = secrets
        self.now = 1000.0
        self.revoked: frozenset[str] = frozenset()
        self.journal = Journal()
        self.changes = 0

    def opened(self, *, writes: bool = True) -> BarList:
        bars = BarList(
            self.secrets,
            lambda: self.revoked,
            self.journal.tell,
            writes=writes,
            wall=lambda: self.now,
        )
        bars.follow(self._changed)
        return bars

    def _changed(self) -> None:
        self.changes += 1


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_revoked_site_is_told_for_a_day_and_refused_until_it_is_let_in_again(
    place: Place,
) -> None:
    bars = place.opened()
    place.revoked = frozenset({"a"})
    bars.look()
    assert bars.bars.told == (Bar(A, 1000 + int(BAR_S)),)
    assert bars.bars.refused == {A}
    bars.look()
    assert place.changes == 1
    place.now += BAR_S
    bars.look()
    assert (len(bars.bars.told), bars.bars.refused) == (0, frozenset({A}))
    place.revoked = frozenset()
    bars.look()
    assert not bars.bars.refused and place.changes == 3


def test_a_restart_keeps_the_dates_and_a_lost_file_begins_them_again(place: Place) -> None:
    place.revoked = frozenset({"a"})
    first = place.opened().bars
    place.now += 100
    assert place.opened().bars == first
    (place.secrets / BARS_FILE).unlink()
    assert place.opened().bars.told == (Bar(A, 1100 + int(BAR_S)),)


def test_a_date_that_is_over_stays_over_after_a_restart(place: Place) -> None:
    place.revoked = frozenset({"a"})
    place.opened()
    place.now += BAR_S + 1
    assert place.opened().bars.told == ()


def test_a_site_whose_certificate_ended_is_barred_but_not_refused_until_it_shows_another(
    place: Place,
) -> None:
    bars = place.opened()
    bars.put_out({A, B})
    bars.put_out(())
    assert [bar.site for bar in bars.bars.told] == [A, B] and not bars.bars.refused
    bars.let_in(A)
    bars.let_in(C)
    assert [bar.site for bar in bars.bars.told] == [B]
    assert [bar.site for bar in place.opened().bars.told] == [B]
    place.now += BAR_S
    bars.look()
    assert not bars.bars.told
    assert json.loads((place.secrets / BARS_FILE).read_text())["ended"] == {}


def test_of_very_many_the_newest_are_told(place: Place) -> None:
    place.revoked = frozenset(f"{n:032x}" for n in range(BARS_MAX))
    bars = place.opened()
    place.now += 10
    place.revoked |= {"newest"}
    bars.look()
    told = [bar.site for bar in bars.bars.told]
    assert len(told) == BARS_MAX and "newest" in told
    assert len(bars.bars.refused) == BARS_MAX + 1


@pytest.mark.parametrize(
    "damaged", [b"", b"[]", b"\xff", b'{"revoked":{"a":"soon"}}', b'{"revoked":{"\xff":1}}']
)
def test_a_damaged_file_is_told_of_and_made_anew(place: Place, damaged: bytes) -> None:
    (place.secrets / BARS_FILE).write_bytes(damaged)
    place.revoked = frozenset({"a"})
    assert place.opened().bars.told
    assert place.journal.told() == ["state-unsaved"]
    place.opened()
    assert not place.journal.told()


def test_what_cannot_be_written_counts_all_the_same(place: Place) -> None:
    (place.secrets / BARS_FILE).mkdir()
    place.revoked = frozenset({"a"})
    bars = place.opened()
    assert bars.bars.told
    assert set(place.journal.told()) == {"state-unsaved"}


def test_what_could_not_be_written_is_written_as_soon_as_it_can_be_and_said(place: Place) -> None:
    bars = place.opened()
    (place.secrets / BARS_FILE).mkdir()
    place.revoked = frozenset({"a"})
    bars.look()
    bars.look()
    assert place.journal.told() == ["state-unsaved"]
    (place.secrets / BARS_FILE).rmdir()
    bars.look()
    bars.look()
    assert place.journal.told() == ["state-saved"]
    place.revoked = frozenset()
    assert [bar.site for bar in place.opened().bars.told] == []
    assert json.loads((place.secrets / BARS_FILE).read_text())["revoked"] == {}


def test_a_process_that_follows_writes_nothing(place: Place) -> None:
    place.revoked = frozenset({"a"})
    assert place.opened(writes=False).bars.told
    assert not (place.secrets / BARS_FILE).exists()
