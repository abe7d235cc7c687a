"""Why requests leave a site, from counts alone."""

from hypothesis import given, settings
from hypothesis import strategies as st

from router.balance.site.spills import ABSENCES, LocalTargets, absence, spill_reason
from tests.examples import examples

QUICK = settings(max_examples=examples(150))
OWN_REASONS = ("above-mark", "sheddable-share", "higher-level")
VERDICT = st.sampled_from([None, "full", "excluded", "sends-away", *OWN_REASONS])


@QUICK
@given(ready=st.integers(0, 9), ejected=st.integers(0, 9))
def test_a_site_is_absent_exactly_if_it_has_no_ready_target(ready: int, ejected: int) -> None:
    found = absence(ready=ready, ejected=ejected)
    assert (found != "") == (not ready)
    assert not found or found in ABSENCES


@QUICK
@given(
    absent=st.sampled_from(["", *ABSENCES]),
    verdict=VERDICT,
    hard_full=st.booleans(),
    paced=st.booleans(),
)
def test_the_reason_is_of_this_site_alone(
    absent: str, verdict: str | None, hard_full: bool, paced: bool
) -> None:
    found = spill_reason(absent, verdict, hard_full=hard_full, paced=paced)  # type: ignore[arg-type]
    if absent:
        assert found == absent
        return
    has_no_room = verdict == "full" or (verdict == "excluded" and hard_full)
    assert (found == "full") == (has_no_room and not paced)
    assert (found == "rate") == (verdict == "sends-away" or (has_no_room and paced))
    assert (found == "failover") == (verdict == "excluded" and not hard_full)
    assert (found in OWN_REASONS) == (verdict in OWN_REASONS)
    assert (found == "policy") == (verdict is None)


@QUICK
@given(total=st.integers(0, 9), ready=st.integers(0, 9), ejected=st.integers(0, 9))
def test_the_state_of_targets_is_by_counts(total: int, ready: int, ejected: int) -> None:
    targets = LocalTargets(total, min(ready, total), min(ejected, total - min(ready, total)))
    assert (targets.state == "down") == (total > 0 and not targets.ready)
    assert (targets.state == "all") == (total > 0 and targets.ready == total)
    assert (targets.state == "none") == (total == 0)
