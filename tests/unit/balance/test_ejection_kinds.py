"""Why a site has few places: each kind, by all that may happen to the site meanwhile."""

from collections.abc import Callable, Mapping
from itertools import product

import pytest

from router.balance.sites.site_ejection import AFTER_KIND, EjectionKind, SiteEjection, SiteEjections
from router.model import limits
from router.model.ids import SiteId

SITE = SiteId("a")
LATER = 2 * limits.EJECT_BASE_S
"""Every probe is due by then."""
Event = Callable[[SiteEjections], None]


def _fail(ejections: SiteEjections) -> None:
    for number in range(limits.EJECT_AFTER):
        ejections.failed(SITE, ejections.active.get(SITE), "reset", LATER + number)


def _introduce(ejections: SiteEjections) -> None:
    ejections.introduce(SITE, 0.0)


def _wake(ejections: SiteEjections) -> None:
    ejections.wake(SITE, 0.0)


def _answer(ejections: SiteEjections) -> None:
    ejections.answered(SITE, ejections.active.get(SITE), LATER)


def _answer_that_it_is_full(ejections: SiteEjections) -> None:
    ejections.answered(SITE, ejections.active.get(SITE), LATER, is_full=True)


EVENTS: tuple[Event, ...] = (_introduce, _wake, _answer, _answer_that_it_is_full)
WAYS: Mapping[EjectionKind, Event] = {
    EjectionKind.EJECTED: _fail,
    EjectionKind.IN_RESERVE: _fail,
    EjectionKind.NEW: _introduce,
    EjectionKind.WOKEN: _wake,
}


def of_kind(kind: EjectionKind) -> tuple[SiteEjections, SiteEjection]:
    others_can_spare_it = kind is EjectionKind.EJECTED
    ejections = SiteEjections(SiteId("here"), lambda *_: others_can_spare_it, lambda _: None)
    WAYS[kind](ejections)
    return ejections, ejections.active[SITE]


def following(before: EjectionKind, event: Event) -> EjectionKind:
    return EjectionKind.WOKEN if (before, event) == (EjectionKind.NEW, _wake) else before


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__.strip("_"))
@pytest.mark.parametrize("before", EjectionKind, ids=lambda kind: kind.name)
def test_each_event_leaves_one_ejection_of_the_kind_that_is_listed(
    before: EjectionKind, event: Event
) -> None:
    ejections, ejection = of_kind(before)
    assert ejection.kind is before
    event(ejections)
    assert ejections.active == {SITE: ejection}
    assert ejection.kind is following(before, event)


def test_each_pair_that_the_table_lists_is_one_of_these() -> None:
    seen = {(kind, following(kind, event)) for kind, event in product(EjectionKind, EVENTS)}
    listed = {(before, after) for before in EjectionKind for after in AFTER_KIND[before]}
    assert {(before, after) for before, after in seen if before is not after} == listed


@pytest.mark.parametrize("kind", EjectionKind, ids=lambda kind: kind.name)
def test_a_site_that_fails_again_has_another_ejection(kind: EjectionKind) -> None:
    ejections, ejection = of_kind(kind)
    _answer(ejections)
    _fail(ejections)
    again = ejections.active[SITE]
    assert again is not ejection
    assert again.kind in (EjectionKind.EJECTED, EjectionKind.IN_RESERVE)
