"""States that have gone on for some time: requests that fail, others that spill, and calm."""

from collections.abc import Callable, Sequence
from typing import Final

from tests.simulation.hours.truth import Truth
from tests.simulation.world import LEFT, Answer

CALM_S: Final = 40.0
"""After so long no trace of a fault is left."""
QUICK_S: Final = 0.9
"""Whole answers of targets that are well come so much later at most than they take."""
A_FIFTH: Final = 0.2
MOST: Final = 0.6
_FAULTS: Final = (
    *("partly drained", "stopping", "refusing", "lacking", "ill", "unshared"),
    "lending",  # Which has no effect where slots have no number.
)
_PARTS: Final = ((11.0, 8.0), (8.0, 5.0), (5.0, 2.5), (2.5, 0.0))
"""Of the last seconds: what goes on is in each of them."""


def fail(truth: Truth, key: str) -> bool:
    """Requests of clients of a router do. Of a tcp service only the router knows whether a
    connection that was reset failed."""
    ended = truth.lately(key, lambda one: one.ended > 0)
    return truth.protocol == "http" and goes_on(truth.now, ended, is_failure, 2)


def is_failure(one: Answer) -> bool:
    """Of one that has ended: its client waited, and has no whole answer."""
    return one.status != 200 and one.error != LEFT and not is_shed(one)


def is_shed(one: Answer) -> bool:
    """It made way for others, as configured."""
    return one.fields.get("Spillway-Error") == "shed"


def give_up(truth: Truth, key: str) -> bool:
    """Clients of a router leave before they are answered."""
    ended = truth.lately(key, lambda one: one.ended > 0)
    return goes_on(truth.now, ended, lambda one: one.error == LEFT, 3, share=MOST)


def leave(truth: Truth, key: str) -> bool:
    """Requests of clients of a router go to other sites. A connection counts when it begins."""
    name = truth.name_of(key)
    elsewhere = truth.lately(key, lambda one: one.site not in ("", name))
    if truth.protocol == "tcp":
        return goes_on(truth.now, elsewhere, lambda one: True, 3, lambda one: one.began)
    return goes_on(truth.now, elsewhere, lambda one: True, 3)


def goes_on(
    now: float,
    asked: Sequence[Answer],
    pick: Callable[[Answer], bool],
    least: int,
    moment: Callable[[Answer], float] = lambda one: one.ended,
    share: float = A_FIFTH,
) -> bool:
    """In each part of the last seconds ``least`` of ``asked``, and that ``share``, are such."""
    for since, until in _PARTS:
        part = [one for one in asked if since >= now - moment(one) >= until]
        found = sum(map(pick, part))
        if found < least or found < share * len(part):
            return False
    return True


def serves_others(truth: Truth, name: str) -> bool:
    """Clients of other sites have something at a site, or lately had, or may have."""
    return any(
        truth.lately(key, lambda one: one.site in (name, ""))
        for key in truth.keys
        if truth.name_of(key) != name
    )


def is_calm(truth: Truth, key: str) -> bool:
    """For long nothing has been wrong at any site: no way or target was missing, no target refused,
    failed or was slow, and no request failed."""
    quick_s = truth.service_s + QUICK_S
    return (
        truth.lasts("whole") > CALM_S
        and all(truth.lasts("joined", key, one) > CALM_S for one in truth.names)
        and all(truth.is_over(fact, name) > CALM_S for name in truth.names for fact in _FAULTS)
        and all(truth.lasts("known", one) > CALM_S for one in truth.keys)
        and all(
            truth.is_over(fact, one) > CALM_S
            for one in truth.keys
            for fact in ("taken", "misspelled")
        )
        and sum(truth.is_over("declaring", name) < CALM_S for name in truth.names) < 2
        and all(
            one.status == 200 and one.ended - one.began < quick_s
            for router in truth.keys
            for one in truth.lately(
                router, lambda one: one.ended > 0 or one.began < truth.now - quick_s, CALM_S
            )
        )
    )
