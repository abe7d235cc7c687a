"""The mean number in flight, sampled at any time."""

from hypothesis import given
from hypothesis import strategies as st

from router.history.in_flight_means import LOOKS, InFlightMeans
from router.model import limits
from router.model.ids import ServiceKey

SHOP = ServiceKey("shop", 80)
IN_FLIGHT = st.lists(st.integers(0, 9), min_size=1, max_size=3 * LOOKS)


def fed(in_flight: list[int], first: int = 7) -> InFlightMeans:
    busy = InFlightMeans()
    for number, count in enumerate(in_flight, first):
        busy.look(number)
        if count:
            busy.hold(SHOP, count)
    return busy


@given(in_flight=IN_FLIGHT)
def test_it_is_the_mean_of_the_last_looks(in_flight: list[int]) -> None:
    last = in_flight[-LOOKS:]
    assert fed(in_flight).mean(SHOP, 6 + len(in_flight)) == sum(last) / len(last)


@given(in_flight=IN_FLIGHT, later=st.integers(0, 2 * LOOKS))
def test_nothing_is_in_flight_while_the_router_rests(in_flight: list[int], later: int) -> None:
    busy, now = fed(in_flight), 6 + len(in_flight) + later
    expected = fed([*in_flight, *[0] * later]).mean(SHOP, now)
    assert busy.mean(SHOP, now) == expected
    busy.rest(now)
    busy.look(now + 1)
    busy.hold(SHOP, 9)
    assert busy.mean(SHOP, now + 1) == fed([*in_flight, *[0] * later, 9]).mean(SHOP, now + 1)


def test_a_late_look_stands_for_those_it_missed() -> None:
    busy = fed([4] * LOOKS)
    busy.look(6 + 2 * LOOKS)
    busy.hold(SHOP, 6)
    assert busy.mean(SHOP, 6 + 2 * LOOKS) == 6
    busy.look(6 + 5 * LOOKS)
    busy.hold(SHOP, 2)
    assert busy.mean(SHOP, 6 + 5 * LOOKS) == 2


def test_service_ports_are_bounded_and_idle_ones_give_way() -> None:
    busy = InFlightMeans()
    busy.look(1)
    for number in range(limits.HISTORY_PORTS_MAX + 1):
        busy.hold(ServiceKey("shop", number), 1)
    assert busy.mean(ServiceKey("shop", 0), 1) == 1
    assert busy.mean(ServiceKey("shop", limits.HISTORY_PORTS_MAX), 1) == 0
    busy.forget(1 + LOOKS)
    busy.look(2 + LOOKS)
    busy.hold(ServiceKey("shop", limits.HISTORY_PORTS_MAX), LOOKS)
    assert busy.mean(ServiceKey("shop", limits.HISTORY_PORTS_MAX), 2 + LOOKS) > 0


@given(
    gaps=st.lists(st.integers(1, LOOKS), min_size=1, max_size=2 * LOOKS),
    later=st.integers(0, LOOKS - 1),
)
def test_what_is_constant_is_its_mean_however_late_looks_come(gaps: list[int], later: int) -> None:
    busy, number = InFlightMeans(), 7
    for gap in gaps:
        number += gap
        busy.look(number)
        busy.hold(SHOP, 4)
    assert busy.mean(SHOP, number) == 4
    assert busy.mean(SHOP, number + later) <= 4
