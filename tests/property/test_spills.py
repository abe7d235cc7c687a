"""Why requests leave a site, from counts alone."""

from hypothesis import given, settings
from hypothesis import strategies as st

from router.balance.site.spills import ABSENCES, LocalTargets, absence, spill_reason
from tests.examples import examples

QUICK = settings(max_examples=examples(150))
OVERFLOW = st.sampled_from(["", "full", "higher-level", "sends-away"])


@QUICK
@given(ready=st.integers(0, 9), ejected=st.integers(0, 9))
def test_a_site_is_absent_exactly_if_it_has_no_ready_target(ready: int, ejected: int) -> None:
    found = absence(ready=ready, ejected=ejected)
    assert (found != "") == (not ready)
    assert not found or found in ABSENCES


@QUICK
@given(
    absent=st.sampled_from(["", *ABSENCES]),
    overflow=OVERFLOW,
    paced=st.booleans(),
    excluded=st.booleans(),
)
def test_the_reason_is_of_this_site_first(
    absent: str, overflow: str, paced: bool, excluded: bool
) -> None:
    found = spill_reason(absent, overflow, paced=paced, excluded=excluded)  # type: ignore[arg-type]
    if absent:
        assert found == absent
    else:
        assert (found in ("full", "rate")) == (overflow in ("full", "sends-away"))
        assert (found == "higher-level") == (overflow == "higher-level")
        assert found not in ABSENCES


@QUICK
@given(total=st.integers(0, 9), ready=st.integers(0, 9), ejected=st.integers(0, 9))
def test_the_state_of_targets_is_by_counts(total: int, ready: int, ejected: int) -> None:
    targets = LocalTargets(total, min(ready, total), min(ejected, total - min(ready, total)))
    assert (targets.state == "down") == (total > 0 and not targets.ready)
    assert (targets.state == "all") == (total > 0 and targets.ready == total)
    assert (targets.state == "none") == (total == 0)
