from functools import partial

import pytest

from router.balance.site.fair_queue import (
    LOCAL_LINK,
    UNKNOWN_INGRESS,
    FairQueue,
    WaitingPlace,
    line_of,
    line_within,
    queue_limit,
)
from router.balance.site.lending import BY_OTHER_ROUTERS
from router.model.ids import SiteId


def line(link: str, ingress: str = "") -> WaitingPlace:
    return WaitingPlace(SiteId(link), SiteId(ingress or link))


A, B, C = line("a"), line("b"), line("c")
LOCAL = WaitingPlace(LOCAL_LINK, SiteId("here"))


def queue_of(limit: int, *lines: tuple[WaitingPlace, str]) -> FairQueue[str]:
    """Items of each of ``lines``, named by one letter each."""
    queue: FairQueue[str] = FairQueue(limit)
    for where, items in lines:
        for item in items:
            queue.push(where, item, 9.0)
    return queue


def served(queue: FairQueue[str]) -> str:
    """All of ``queue`` in order of service."""
    items = []
    while (item := queue.pop(0.0)) is not None:
        items.append(item)
    return "".join(items)


def test_links_are_served_in_turn_and_each_line_in_order() -> None:
    assert served(queue_of(10, (A, "123"), (B, "4"), (C, "5"))) == "14523"


def test_the_ingress_sites_of_a_link_share_its_turns() -> None:
    queue = queue_of(10, (line("a", "x"), "12"), (line("a", "y"), "34"), (B, "56"))
    assert served(queue) == "153624"


def of_token(link: str) -> WaitingPlace:
    return WaitingPlace(SiteId(link), SiteId(link), SiteId(link), "fleet")


def test_the_sites_of_one_token_share_the_turns_and_the_room_of_one() -> None:
    fleet = [of_token(name) for name in "abc"]
    queue = queue_of(7, (fleet[0], "12"), (fleet[1], "3"), (fleet[2], "45"), (LOCAL, "67"))
    assert queue.displace(line("other")) == "5"
    assert queue.displace(LOCAL) == "2"
    assert queue.displace(fleet[1]) is None
    assert served(queue) == "16374"


def test_of_one_token_those_whose_share_is_used_up_are_passed_over() -> None:
    queue = queue_of(10, (of_token("a"), "12"), (of_token("b"), "3"), (LOCAL, "4"))
    not_a = [queue.pop(0.0, lambda link: link != "a") for _ in range(3)]
    assert not_a == ["3", "4", None]
    assert served(queue) == "12"


HUB, FAR = SiteId("hub"), SiteId("far")


def branch_to(link: SiteId, site: SiteId) -> SiteId | None:
    """Over the hub one comes to the far site and the phantoms behind it, and nowhere else."""
    is_behind = site == FAR or site.startswith("phantom")
    return FAR if link == HUB and is_behind else None


def ask_over_hub(queue: FairQueue[str], ingress: str, item: str) -> bool:
    """Whether ``item`` of ``ingress`` gets a place, perhaps that of an item of a longer line."""
    where = line_of(HUB, SiteId(ingress), branch_to)
    if queue.is_full and queue.displace(where) is None:
        return False
    queue.push(where, item, 60.0)
    return True


def test_a_neighbour_and_the_sites_behind_it_have_a_line_each() -> None:
    assert line_of(HUB, HUB, branch_to) == WaitingPlace(HUB, HUB, HUB)
    assert line_of(HUB, FAR, branch_to) == WaitingPlace(HUB, FAR, FAR)


def test_all_names_that_a_link_does_not_lead_to_share_a_line() -> None:
    made_up = line_of(HUB, SiteId("made-up"), branch_to)
    assert made_up == WaitingPlace(HUB, UNKNOWN_INGRESS)
    assert line_of(HUB, SiteId("other"), branch_to) == made_up
    assert line_of(SiteId("other"), FAR, branch_to) == WaitingPlace(
        SiteId("other"), UNKNOWN_INGRESS
    )


def test_a_neighbor_whose_streams_another_router_of_this_site_brings_has_its_own_line() -> None:
    """Names that its way does not lead to share one, and so do all of an older router."""
    assert line_within(HUB, HUB, HUB) == WaitingPlace(HUB, HUB, HUB)
    assert line_within(HUB, FAR, HUB) == WaitingPlace(HUB, FAR, HUB)
    assert line_within(HUB, FAR, SiteId("other")) == WaitingPlace(HUB, UNKNOWN_INGRESS)
    assert line_within(HUB, FAR, None) == WaitingPlace(HUB, UNKNOWN_INGRESS)
    old = BY_OTHER_ROUTERS
    assert line_within(old, FAR, HUB) == WaitingPlace(old, FAR, HUB)
    assert line_within(old, FAR, None) == WaitingPlace(old, UNKNOWN_INGRESS)


def test_links_whose_clients_may_have_none_are_passed_over() -> None:
    queue = queue_of(10, (A, "12"), (B, "34"), (LOCAL, "5"))
    not_a = [queue.pop(0.0, lambda link: link != A.link) for _ in range(4)]
    assert not_a == ["3", "5", "4", None]
    assert served(queue) == "12"


def test_made_up_ingress_sites_have_one_share_of_a_link_in_all() -> None:
    queue: FairQueue[str] = FairQueue(100)

    ask = partial(ask_over_hub, queue)
    for number in range(200):
        ask(f"made-up-{number}", f"m{number}")
    for number in range(20):  # Clients of the hub and beyond, while the flood goes on.
        assert ask("hub", f"h{number}")
        assert ask("far", f"f{number}")
        ask(f"more-{number}", f"n{number}")
    first = [queue.pop(0.0) for _ in range(30)]
    kinds = [str(item)[0] for item in first]
    assert (kinds.count("h"), kinds.count("f"), kinds.count("m")) == (10, 10, 10)


def test_phantom_sites_have_the_turns_and_the_room_of_their_branch_alone() -> None:
    """A member behind a hub signs LSAs for as many sites behind itself as it likes."""
    queue: FairQueue[str] = FairQueue(90)

    ask = partial(ask_over_hub, queue)
    for number in range(90):
        assert ask(f"phantom-{number}", f"p{number}")
    for number in range(40):
        assert ask("hub", f"h{number}")
    for number in range(90, 180):
        ask(f"phantom-{number}", f"p{number}")  # In the place of another one.
    assert queue.waiting_of(line_of(HUB, HUB, branch_to)) == 40
    assert len(queue) == 90
    first = "".join(str(queue.pop(0.0))[0] for _ in range(40))
    assert first.count("h") == 20
    assert queue.waiting_of(line_of(HUB, HUB, branch_to)) == 20


def test_a_full_queue_is_full_until_an_item_leaves() -> None:
    queue = queue_of(1, (A, "1"))
    assert queue.is_full
    assert queue.discard("1")
    assert not queue.is_full


def test_a_queue_of_size_0_is_full_and_nobody_gives_way() -> None:
    queue: FairQueue[str] = FairQueue(0)
    assert queue.is_full
    assert queue.displace(A) is None


def test_a_shorter_line_displaces_the_last_of_the_longest() -> None:
    queue = queue_of(6, (A, "1234"), (B, "56"))
    assert queue.displace(LOCAL) == "4"
    queue.push(LOCAL, "7", 9.0)
    assert queue.displace(B) == "3"
    queue.push(B, "8", 9.0)
    assert queue.displace(A) == "8"  # Two against three.
    assert served(queue) == "15726"


def test_a_line_that_is_the_longest_displaces_nobody() -> None:
    queue = queue_of(4, (A, "12"), (LOCAL, "34"))
    assert queue.displace(A) is None
    assert queue.displace(LOCAL) is None


def test_within_the_longest_link_the_longest_ingress_gives_way() -> None:
    queue = queue_of(5, (line("a", "x"), "123"), (line("a", "y"), "4"), (B, "5"))
    assert queue.displace(line("a", "y")) == "3"
    queue.push(line("a", "y"), "6", 9.0)
    assert queue.displace(line("a", "x")) is None
    assert queue.displace(line("a", "z")) == "6"


def test_a_lowered_limit_sends_nobody_away() -> None:
    queue = queue_of(2, (A, "12"))
    queue.set_limit(1)
    assert len(queue) == 2
    assert queue.pop(0.0) == "1"
    assert queue.is_full


def test_who_left_is_not_served() -> None:
    queue = queue_of(5, (A, "12"))
    assert queue.discard("1")
    assert not queue.discard("1")
    assert queue.waiting_of(A) == 1
    assert queue.pop(0.0) == "2"


def test_who_waits_may_not_be_pushed_again() -> None:
    queue = queue_of(5, (A, "1"))
    with pytest.raises(AssertionError, match="waits already"):
        queue.push(B, "1", 9.0)


def test_items_past_their_deadline_are_skipped_and_handed_back_by_expire() -> None:
    queue: FairQueue[str] = FairQueue(5)
    queue.push(A, "late", 1.0)
    queue.push(A, "good", 5.0)
    assert queue.next_deadline() == 1.0
    assert queue.pop(1.0) == "good"
    assert queue.pop(1.0) is None
    assert len(queue) == 1
    assert queue.expire(1.0) == ["late"]
    assert queue.next_deadline() is None


def test_deadlines_of_those_who_left_count_no_more() -> None:
    queue: FairQueue[int] = FairQueue(5)
    for round_number in range(1_000):
        queue.push(A, round_number, float(round_number))
        queue.discard(round_number)
    assert queue.next_deadline() is None
    queue.push(A, 0, 7.0)
    assert queue.next_deadline() == 7.0


@pytest.mark.parametrize(
    ("configured", "held", "limit"),
    [
        *((None, 0, 10), (None, 2, 10), (None, 20, 80), (None, 500, 1_000)),
        *((0, 20, 0), (250, 1, 250)),
    ],
)
def test_the_queue_is_as_long_as_the_contract_says(
    configured: int | None, held: int, limit: int
) -> None:
    assert queue_limit(configured, held) == limit


def test_who_returns_is_first_of_its_line_again() -> None:
    queue = queue_of(2, (A, "12"))
    queue.push(A, "3", 9.0, first=True)
    assert served(queue) == "312"
