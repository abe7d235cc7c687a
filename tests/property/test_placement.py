"""Where connections would be placed, and at which WebSocket frame borders they can learn it."""

from hypothesis import given
from hypothesis import strategies as st

from router.balance.deciding.placement import NOTHING_TO_MOVE, Placement
from router.http.http1.websocket_frames import RESTARTING, WebSocketFrames
from router.model.ids import SiteId
from router.model.specs import PolicyName
from tests.unit.balance.builders import HERE, balancer_of, ledger_of, load, remote, take

SITES = (HERE, SiteId("a"), SiteId("b"))
CAPACITIES = st.none() | st.integers(1, 12)
COUNTS = st.tuples(*[st.integers(0, 15)] * 3)


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """One frame, its length written in any way that fits."""
    payload = draw(st.binary(max_size=300))
    first = bytes([draw(st.sampled_from([0x81, 0x82, 0x01, 0x80, 0x89, 0x8A]))])
    mask = draw(st.sampled_from([b"", b"mask"]))
    flag, size = 128 if mask else 0, len(payload)
    ways = [bytes([flag | 127]) + size.to_bytes(8), bytes([flag | 126]) + size.to_bytes(2)]
    if size < 126:
        ways.append(bytes([flag | size]))
    return first + draw(st.sampled_from(ways)) + mask + payload


@given(
    capacities=st.tuples(CAPACITIES, CAPACITIES, CAPACITIES),
    placed=COUNTS,
    others=COUNTS,
    policy=st.sampled_from(["fill", "balanced", "spread", "split", "failover"]),
    coming=st.integers(0, 5),
)
def test_what_has_moved_as_planned_is_where_it_belongs(
    capacities: tuple[int | None, int | None, int | None],
    placed: tuple[int, int, int],
    others: tuple[int, int, int],
    policy: PolicyName,
    coming: int,
) -> None:
    def planned(by_site: dict[SiteId, int], coming: int) -> Placement:
        ledger = ledger_of(capacities[0])
        remotes = [
            remote(site, cost=cost, capacity=capacity)
            for site, cost, capacity in zip(SITES[1:], (2, 5), capacities[1:], strict=True)
        ]
        weights = {"here": 5, "site-a": 3, "site-b": 1} if policy == "split" else None
        balancer = balancer_of(ledger, *remotes, policy=policy, weights=weights)
        for _ in range(min(by_site[HERE] + others[0], capacities[0] or 100)):
            take(ledger)
        for advert, other in zip(remotes, others[1:], strict=True):
            load(balancer, advert, by_site[advert.site] + other)
        return balancer.placement(0.0, by_site, coming)

    before = dict(zip(SITES, placed, strict=True))
    if capacities[0] is not None:  # A ledger takes no more than it has.
        before[HERE] = min(before[HERE], capacities[0])
        others = (min(others[0], capacities[0] - before[HERE]), *others[1:])
    plan = planned(before, coming)
    assert sum(plan.leave.values()) == sum(plan.come.values())
    assert not plan.leave.keys() & plan.come.keys()
    assert all(count <= before[site] for site, count in plan.leave.items())
    if not coming:
        after = {
            site: count - plan.leave.get(site, 0) + plan.come.get(site, 0)
            for site, count in before.items()
        }
        assert planned(after, 0) == NOTHING_TO_MOVE


@given(st.lists(frames(), max_size=6), st.data())
def test_the_end_of_each_frame_is_found_however_its_bytes_come(
    sent: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(sent)
    ends = {0}
    for frame in sent:
        ends.add(max(ends) + len(frame))
    follower, at = WebSocketFrames(), 0
    while at < len(stream):
        assert follower.is_between is (at in ends)
        size = data.draw(st.integers(1, len(stream) - at))
        follower.feed(memoryview(stream)[at : at + size])
        at += size
    assert follower.is_between and not follower.is_closed


def test_a_close_is_noticed_also_byte_by_byte() -> None:
    follower = WebSocketFrames()
    for byte in b"\x81\x02hi" + RESTARTING:
        assert not follower.is_closed or not follower.is_between
        follower.feed(bytes([byte]))
    assert follower.is_closed and follower.is_between
