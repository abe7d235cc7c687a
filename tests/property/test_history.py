"""Whatever the counters do, samples add up to the counts, within their bounds."""

from hypothesis import given
from hypothesis import strategies as st

from router.history.recent import History
from router.model import limits
from router.model.ids import ServiceKey, SiteId
from router.model.latency import NO_COUNTS
from router.model.port_reading import SERVED_NOWHERE, Reading

SHOP = ServiceKey("shop", 8080)
SITES = st.sampled_from(
    [SiteId(f"site-{number}") for number in range(2 * limits.HISTORY_SITES_MAX)]
)
STEPS = st.lists(
    st.dictionaries(SITES | st.just(SERVED_NOWHERE), st.integers(0, 9), max_size=40), max_size=30
)


@given(steps=STEPS, restarts=st.sets(st.integers(0, 30)))
def test_samples_add_up_to_what_was_counted(
    steps: list[dict[SiteId, int]], restarts: set[int]
) -> None:
    """A service port that is removed and comes back counts from zero, and loses nothing that
    was read. Only a restart that looks like growth cannot be recognized."""
    history = History()
    history.step(SHOP, Reading(), 0.0)
    totals: dict[SiteId, int] = {}
    for number, more in enumerate(steps):
        if number in restarts and sum(more.values()) < max(totals.values(), default=0):
            totals = {}
        for site, count in more.items():
            totals[site] = totals.get(site, 0) + count
        counts = (sum(totals.values()), *NO_COUNTS[1:])
        history.step(SHOP, Reading(served=dict(totals), counts=counts), number + 1.0)
    asked = sum(sum(more.values()) for more in steps)
    kept = [sample for _, sample in history.of(SHOP)]
    told = sum(sample.nowhere + sum(count for _, count in sample.sites.values()) for sample in kept)
    assert told == asked
    assert all(len(sample.sites) <= limits.HISTORY_SITES_MAX for sample in kept)


@given(served=st.dictionaries(SITES, st.integers(1, 9), max_size=40))
def test_a_step_in_which_nothing_ended_is_a_sample_of_nothing(served: dict[SiteId, int]) -> None:
    history = History()
    reading = Reading(served=served, counts=(sum(served.values()), *NO_COUNTS[1:]))
    for number in range(3):
        history.step(SHOP, reading, float(number))
    (*_, (_, sample)) = history.of(SHOP)
    assert (sample.sites, sample.nowhere, sample.overflow) == ({}, 0, 0)
    assert (sample.p50_s, sample.p99_s) == (None, None)
