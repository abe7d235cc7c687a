"""Who surely had an address, all of a time."""

from router.callers.names import CallerName
from router.callers.tenures import AddressBook, AddressHolder
from router.model import limits
from tests.unit.callers.names import CRON, WEB

HOST = "10.0.0.5"


def pod(
    uid: str,
    name: CallerName = WEB,
    *,
    since: float | None = None,
    is_over: bool = False,
    ended: float | None = None,
    addresses: tuple[str, ...] = (HOST,),
) -> AddressHolder:
    return AddressHolder(
        uid=uid, name=name, addresses=addresses, since=since, is_over=is_over, ended=ended
    )


def seen(
    book: AddressBook, now: float, *pods: AddressHolder, gone_after: float | None = None
) -> None:
    found = {one.uid: one for one in pods}
    book.see(found, now, now - 10.0 if gone_after is None else gone_after)


def test_an_address_is_its_pods_from_when_it_was_seen() -> None:
    book = AddressBook()
    seen(book, 100.0, pod("a"))
    assert book.owner(HOST, 101.0, 103.0) == WEB
    assert book.owner(HOST, 100.5, 102.5) is None, "a connection may have waited to be accepted"
    assert book.owner(HOST, 99.0, 101.0) is None
    assert book.owner("10.0.0.6", 101.0, 103.0) is None


def test_a_start_that_is_known_counts() -> None:
    book = AddressBook()
    seen(book, 100.0, pod("a", since=90.0))
    assert book.owner(HOST, 91.0, 93.0) == WEB
    assert book.owner(HOST, 90.0, 92.0) is None


def test_a_start_that_is_to_come_is_not_believed() -> None:
    book = AddressBook()
    seen(book, 100.0, pod("a", since=5000.0))
    assert book.owner(HOST, 101.0, 103.0) == WEB


def test_who_is_missing_had_the_address_until_then_and_no_longer() -> None:
    book = AddressBook()
    seen(book, 100.0, pod("a"))
    seen(book, 200.0, gone_after=190.0)
    assert book.owner(HOST, 187.0, 189.0) == WEB
    assert book.owner(HOST, 189.0, 191.0) is None, "it may have ended within the slice"
    assert book.owner(HOST, 195.0, 197.0) is None


def test_an_end_that_is_told_counts() -> None:
    book = AddressBook()
    seen(book, 100.0, pod("a"))
    seen(book, 200.0, pod("a", is_over=True, ended=150.0), gone_after=190.0)
    assert book.owner(HOST, 147.0, 149.0) == WEB
    assert book.owner(HOST, 149.0, 151.0) is None


def test_an_end_that_is_to_come_is_now() -> None:
    book = AddressBook()
    seen(book, 100.0, pod("a"))
    seen(book, 200.0, pod("a", is_over=True, ended=5000.0))
    assert book.owner(HOST, 198.0, 200.0) == WEB
    assert book.owner(HOST, 199.0, 201.0) is None


def test_who_follows_at_once_gets_nothing_of_who_was_before() -> None:
    book = AddressBook()
    seen(book, 100.0, pod("a"))
    seen(book, 200.0, pod("b", CRON), gone_after=190.0)
    assert book.owner(HOST, 187.0, 189.0) == WEB
    for since in range(189, 201):
        assert book.owner(HOST, float(since), since + 2.0) is None, since
    assert book.owner(HOST, 201.0, 203.0) == CRON


def test_two_that_claim_one_address_at_a_time_have_it_both_not() -> None:
    book = AddressBook()
    seen(book, 100.0, pod("a"), pod("b", CRON))
    assert book.owner(HOST, 101.0, 103.0) is None


def test_two_pods_of_one_caller_are_one_caller() -> None:
    book = AddressBook()
    seen(book, 100.0, pod("a"), pod("b"))
    assert book.owner(HOST, 101.0, 103.0) == WEB


def test_a_pod_that_gets_another_address_has_the_old_one_no_more() -> None:
    book = AddressBook()
    seen(book, 100.0, pod("a"))
    seen(book, 200.0, pod("a", addresses=("10.0.0.6",)), gone_after=190.0)
    assert book.owner(HOST, 201.0, 203.0) is None
    assert book.owner("10.0.0.6", 201.0, 203.0) == WEB


def test_each_address_of_a_pod_is_its_own() -> None:
    book = AddressBook()
    seen(book, 100.0, pod("a", addresses=(HOST, "fd00::5")))
    assert book.owner("fd00::5", 101.0, 103.0) == WEB


def test_a_pod_that_runs_again_has_a_gap() -> None:
    book = AddressBook()
    seen(book, 100.0, pod("a"))
    seen(book, 200.0, pod("a", is_over=True, ended=195.0))
    seen(book, 210.0, pod("a"))
    assert book.owner(HOST, 192.0, 194.0) == WEB
    assert book.owner(HOST, 194.0, 212.0) is None
    assert book.owner(HOST, 211.0, 213.0) == WEB


def test_what_was_long_ago_is_forgotten_and_names_nobody() -> None:
    book = AddressBook()
    seen(book, 100.0, pod("a"))
    seen(book, 200.0, gone_after=190.0)
    seen(book, 201.0 + limits.CALLER_TENURE_S)
    assert book.owner(HOST, 110.0, 112.0) is None


def test_many_tenures_of_one_address_keep_the_last_ones() -> None:
    book = AddressBook()
    for number in range(3 * limits.CALLER_TENURES_MAX):
        name = CallerName("workload", f"job/j{number}")
        seen(book, 100.0 + 4 * number, pod(f"p{number}", name), gone_after=99.5 + 4 * number)
    last = 3 * limits.CALLER_TENURES_MAX - 1
    assert book.owner(HOST, 101.0 + 4 * last, 103.0 + 4 * last) == CallerName(
        "workload", f"job/j{last}"
    )
    assert book.owner(HOST, 101.0, 103.0) is None
