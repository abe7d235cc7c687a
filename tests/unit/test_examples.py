"""How many examples and seeds a run tries."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import settings

from tests.examples import examples, seeds


@pytest.fixture
def use() -> Iterator[Callable[[str], None]]:
    """Loads a profile until the test ends."""
    before = settings.get_current_profile_name()
    yield settings.load_profile
    settings.load_profile(before)


@pytest.mark.parametrize(
    ("profile", "tried", "played"),
    [
        ("short", [40, 120, 5, 5, 3], [0, 1]),
        ("few", [25, 75, 5, 5, 3], [0, 1]),
        ("long", [300, 900, 36, 15, 9], [0, 1, 2]),
    ],
)
def test_every_law_keeps_its_share_and_a_short_run_plays_half_of_the_seeds(
    profile: str, tried: list[int], played: list[int], use: Callable[[str], None]
) -> None:
    use(profile)
    assert [examples(measured) for measured in (100, 300, 12, 5, 3)] == tried
    assert list(seeds(3)) == played
    assert seeds(2, first=7)[0] == 7
