"""The cells of `service status`."""

import pytest

from sitectl.show.service_status import capacity_text


@pytest.mark.parametrize(
    ("admitted", "state", "shown"),
    [
        (19.7, "calm", "19.7 of 30/s"),
        (30.0, "over", "30.0 of 30/s, over"),
        (29.96, "over", "30.0 of 30/s, over"),
        (19.7, "over", "30/s, over"),
        (19.7, "sends-away", "30/s, over: all leaves"),
        (None, "over", "30/s, over"),
    ],
)
def test_a_rate_is_never_over_beside_a_number_below_it(
    admitted: float | None, state: str, shown: str
) -> None:
    rate = {"per_s": 30.0, "admitted_per_s": admitted, "state": state}
    assert capacity_text({"rate": rate}) == shown
