"""How many examples a law of Hypothesis tries, and how many seeds a simulation.

Each run draws other examples, so that `make test`, which runs often, tries few of them, and `make
test-long` many. Where CI is set Hypothesis draws the same ones each time: a change is judged by its
effect alone. A law that needs more or fewer than others says so as a share of a hundred. A seed
repeats one history: `make test` plays half of the seeds, `make test-long` all.
"""

from typing import Final, TypeVar

from hypothesis import settings
from hypothesis import strategies as st

StepT = TypeVar("StepT")

MEASURE: Final = 100
LEAST: Final = 5


def examples(of_hundred: int) -> int:
    """``of_hundred``, where the profile in use tries a hundred; in proportion where it does not."""
    return max(min(of_hundred, LEAST), of_hundred * settings().max_examples // MEASURE)


def seeds(count: int, first: int = 0) -> range:
    """``count`` seeds where the profile in use tries a hundred examples or more; else half."""
    played = count if settings().max_examples >= MEASURE else (count + 1) // 2
    return range(first, first + played)


def histories(step: st.SearchStrategy[StepT], most: int) -> st.SearchStrategy[list[StepT]]:
    """Up to ``most`` steps, half of ``most`` on average: ``st.lists`` draws about five, however
    many it may, and few faults show after five steps."""
    counts = st.integers(0, most)
    return counts.flatmap(lambda count: st.lists(step, min_size=count, max_size=count))
