"""How many examples a law of Hypothesis tries, and how many seeds a simulation.

Each run draws other examples, so that `make test`, which runs often, tries few of them, and
`make test-long` many. Where CI is set Hypothesis draws the same ones each time: a change is judged
by what it changes. A law that needs more or fewer than others says so as a share of a hundred.
A seed repeats one history: `make test` plays half of the seeds, `make test-long` all.
"""

from typing import Final

from hypothesis import settings

MEASURE: Final = 100
LEAST: Final = 5


def examples(of_hundred: int) -> int:
    """``of_hundred``, where the profile in use tries a hundred; in proportion where it does not."""
    return max(min(of_hundred, LEAST), of_hundred * settings().max_examples // MEASURE)


def seeds(count: int, first: int = 0) -> range:
    """``count`` seeds where the profile in use tries a hundred examples or more; else half."""
    played = count if settings().max_examples >= MEASURE else (count + 1) // 2
    return range(first, first + played)
