"""What links of several workers carry, as those of one router."""

from hypothesis import given
from hypothesis import strategies as st

from router.admin.views.links import LinkView, SiteName
from router.workers.link_uses import LinkKey, LinkUse, bytes_alone, uses_together, with_uses

TO_FAR: LinkKey = ("outgoing", "link1", "id-far")
KEYS = st.sampled_from((TO_FAR, ("incoming", "far", "id-far")))
COUNTS = st.integers(0, 2**40)
USES = st.builds(LinkUse, key=KEYS, lanes=COUNTS, streams=COUNTS, bytes_in=COUNTS, bytes_out=COUNTS)


def view(state: str = "up") -> LinkView:
    return LinkView(
        name="link1",
        neighbour=SiteName("far", "id-far"),
        direction="outgoing",
        cost=1,
        state=state,
        since="",
        rtt_ms=None,
        lanes=1,
        streams=2,
        error="",
        error_code="",
        certificate_expires=None,
        bytes_in_total=3,
        bytes_out_total=4,
    )


@given(st.lists(USES, max_size=6), st.integers(0, 6))
def test_sums_do_not_depend_on_how_the_parts_are_grouped(uses: list[LinkUse], cut: int) -> None:
    parts = [*uses_together(uses[:cut]).values(), *uses_together(uses[cut:]).values()]
    assert uses_together(parts) == uses_together(uses)


def test_a_link_has_what_the_others_carry_and_one_that_drains_beside_it_has_not() -> None:
    other = LinkUse(key=TO_FAR, lanes=1, streams=5, bytes_in=10, bytes_out=20)
    unknown = LinkUse(key=("incoming", "far", "id-far"), lanes=1)
    first, second = with_uses([view(), view("draining")], [other, unknown, bytes_alone(other)])
    assert (first.lanes, first.streams) == (2, 7)
    assert (first.bytes_in_total, first.bytes_out_total) == (23, 44)
    assert second == view("draining")
