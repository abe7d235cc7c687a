"""When a share may be used: single steps of the rule; its law is a property."""

from router.balance.sites.shares import Shares
from router.model import limits

ONE = {"slots": 1}


def pair() -> tuple[Shares, Shares]:
    """Two routers that divide 7 into 4 and 3, and know that of each other."""
    a, b = Shares("a", 1), Shares("b", 1)
    a.see("a b", {"b"}, {"slots": 4}, {})
    b.see("a b", {"a"}, {"slots": 3}, {})
    for _ in range(2):
        a.hear(b.message_to("a", {}))
        b.hear(a.message_to("b", {}))
    return a, b


def test_a_sole_router_has_its_share_at_once() -> None:
    a = Shares("a", 1)
    assert a.limit("slots") == 0
    a.see("a", (), {"slots": 7}, {})
    assert a.limit("slots") == 7
    assert a.limit("others") == 0


def test_both_have_their_shares_once_each_has_heard_that_the_other_knows() -> None:
    a, b = pair()
    assert (a.limit("slots"), b.limit("slots")) == (4, 3)


def test_what_is_lost_counts_at_once_and_what_is_gained_when_the_other_knows() -> None:
    a, b = pair()
    a.see("a", {"b"}, {"slots": 7}, {})
    assert a.limit("slots") == 4
    b.hear(a.message_to("b", {}))
    a.hear(b.message_to("a", {}))
    assert a.limit("slots") == 4  # The other still divides as before.
    b.see("a", {"a"}, {"slots": 0}, {})
    assert b.limit("slots") == 0
    a.hear(b.message_to("a", {"slots": 2}))
    assert a.limit("slots") == 5  # Two of the other's are still under way.
    a.hear(b.message_to("a", {}))
    assert a.limit("slots") == 7


def test_a_further_resource_of_a_division_is_divided_once_all_know_of_it() -> None:
    a, b = Shares("a", 1), Shares("b", 1)
    a.see("a b", {"b"}, {"slots": 4}, {})
    a.see("a b", {"b"}, {"slots": 4, "more": 2}, {})
    assert (a.limit("slots"), a.limit("more")) == (0, 0)
    b.see("a b", {"a"}, {"slots": 3, "more": 1}, {})
    for _ in range(2):
        a.hear(b.message_to("a", {}))
        b.hear(a.message_to("b", {}))
    assert (a.limit("slots"), a.limit("more")) == (4, 2)


def test_one_that_is_gone_is_waited_for_no_more() -> None:
    a, _ = pair()
    a.see("a", {"b"}, {"slots": 7}, {})
    a.see("a", (), {"slots": 7}, {})
    assert a.limit("slots") == 7


def test_one_that_is_gone_owes_nothing_though_the_division_stays() -> None:
    a, b = pair()
    a.see("a", {"b"}, {"slots": 7}, {})
    b.see("a", {"a"}, {"slots": 0}, {})
    b.hear(a.message_to("b", {}))
    a.hear(b.message_to("a", {"slots": 3}))
    assert (a.limit("slots"), a.is_whole) == (4, False)
    a.see("a", (), {"slots": 7}, {})
    assert (a.limit("slots"), a.is_whole) == (7, True)


def test_one_that_ends_uses_nothing_and_says_that_it_is_over_once_it_is_idle() -> None:
    a, b = pair()
    assert not a.message_to("b", {}).is_over
    a.end()
    assert (a.limit("slots"), a.is_whole) == (0, False)
    assert not a.message_to("b", {"slots": 1}).is_over
    b.hear(a.message_to("b", {"slots": 0}))
    assert a.message_to("b", {"slots": 0}).is_over


def test_a_word_for_an_earlier_round_of_the_asker_is_worth_nothing() -> None:
    a, b = pair()
    early = b.message_to("a", {})
    a.see("b", {"b"}, {"slots": 0}, {})
    late = a.message_to("b", {})
    a.see("a b", {"b"}, {"slots": 4}, {})
    a.hear(early)
    b.see("b", {"a"}, {"slots": 7}, {})
    b.hear(late)
    assert a.limit("slots") == 0
    assert b.limit("slots") == 3


def test_an_old_message_does_not_undo_what_a_newer_one_said() -> None:
    a, b = pair()
    old = b.message_to("a", {})
    b.see("b", {"a"}, {"slots": 7}, {})
    a.hear(b.message_to("a", {}))
    a.hear(old)
    a.see("b", {"b"}, {"slots": 0}, {})
    b.hear(a.message_to("b", {}))
    assert b.limit("slots") == 7


def test_a_lower_share_under_the_same_division_counts_at_once_and_a_higher_one_too() -> None:
    a, _ = pair()
    a.see("a b", {"b"}, {"slots": 1, "new": 5}, {})
    assert (a.limit("slots"), a.limit("new")) == (1, 5)
    a.see("a b", {"b"}, {"slots": 9, "new": 5}, {})
    assert a.limit("slots") == 9


def test_one_with_too_many_debts_to_tell_gives_no_word_yet() -> None:
    a, b = pair()
    a.see("a", {"b"}, {"slots": 7}, {})
    b.hear(a.message_to("b", {}))
    b.see("a", {"a"}, {}, {})
    many = {f"{n}": 1 for n in range(limits.SHARE_DEBTS_MAX + 1)}
    a.hear(b.message_to("a", many))
    assert a.limit("slots") == 4
    del many["0"]
    said = b.message_to("a", many)
    assert len(said.debts) == limits.SHARE_DEBTS_MAX
    a.hear(said)
    assert a.limit("slots") == 7


def test_what_a_router_hears_of_itself_it_does_not_heed() -> None:
    a, _ = pair()
    a.hear(a.message_to("a", ONE))
    assert a.limit("slots") == 4


def test_names_of_ended_routers_are_forgotten_beyond_the_limit_but_none_that_may_hold_slots() -> (
    None
):
    a, _ = pair()
    before = a.message_to("b", {})
    for number in range(2 * limits.SHARE_MEMBERS_KEPT_MAX):
        a.hear(Shares(f"pod-{number}", 1).message_to("a", {}))
    after = a.message_to("b", {})
    assert (after.heard_life, after.heard_round) == (before.heard_life, before.heard_round)
    assert a.message_to("pod-0", {}).heard_life == 0
    last = f"pod-{2 * limits.SHARE_MEMBERS_KEPT_MAX - 1}"
    assert a.message_to(last, {}).heard_life == 1
