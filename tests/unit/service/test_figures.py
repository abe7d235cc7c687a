"""Figures of a service port that are worked out from others."""

from router.service.figures import Load


def test_clients_of_other_sites_may_have_what_is_not_reserved() -> None:
    assert Load(2, 1, 10, reserved=3).for_others == 7
    assert Load(2, 1, 10).for_others == 10
    assert Load(2, 1, None, reserved=3).for_others is None


def test_what_is_beyond_the_capacity_is_in_flight_too() -> None:
    assert Load(2, 1, 10, beyond=3).in_flight == 5
