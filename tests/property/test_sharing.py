"""Laws of visibility: patterns, rules and terms; the order in which they arrive changes nothing."""

import fnmatch
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from router.documents import read, write
from router.model import limits
from router.model.ids import RouterId, SiteId
from router.model.messages.adverts import Declaration, RemoteCandidate, TargetsAdvert
from router.model.rights.grants import OFFER, ServiceGrant
from router.model.rights.sharing import (
    ALL,
    FREE,
    NOTHING,
    Party,
    Sharing,
    SharingRules,
    Terms,
    any_matches,
    matches,
    name_any,
    names_site,
)
from router.model.specs import Document, ServiceSpec, SitePolicySpec
from router.routing.adverts.lsa import Adjacency
from router.routing.sharing import SharingView
from router.routing.site_terms import with_terms
from tests.examples import examples

LETTERS = "ab-*?"
PATTERNS = st.text(alphabet=LETTERS, max_size=8)
NAMES = st.text(alphabet="ab-", max_size=8)


@given(pattern=PATTERNS, text=NAMES)
def test_patterns_match_as_those_of_a_shell_do(pattern: str, text: str) -> None:
    assert matches(pattern, text) == fnmatch.fnmatchcase(text, pattern)


@given(pattern=st.text(alphabet="a*", max_size=300), size=st.integers(0, 300))
def test_no_pattern_takes_long(pattern: str, size: int) -> None:
    assert matches(pattern + "b", "a" * size) is False


@pytest.mark.parametrize("letters", ["a" * 31, "?" * 31, "a?" * 15, "a" * 15 + "*" + "a" * 15])
def test_hostile_terms_over_all_services_of_a_site_do_not_hold_up_the_table(letters: str) -> None:
    """A member sets the terms, and its second site the names: all routers judge them."""
    patterns = tuple(f"*{letters}{number:02}" for number in range(limits.SHARING_PATTERNS_MAX))
    names = [f"{number:04}".rjust(63, "a") for number in range(limits.SERVICES_PER_SITE_MAX)]
    began = time.process_time()
    assert not any(any_matches(patterns, name + "-") for name in names)
    assert time.process_time() - began < 5.0, "letter by letter it took 34 s"


@given(text=st.text(max_size=20))
def test_brackets_and_backslashes_stand_for_themselves(text: str) -> None:
    assert matches(text, text)
    assert matches("[ab]", "a") is False


IDS = st.sampled_from(["a" * 32, "b" * 32, "ab" * 16])
PARTIES = st.builds(
    lambda site, name, is_shared: Party(SiteId(site), f"{name}@{site[:8]}" if is_shared else name),
    IDS,
    st.sampled_from(["east", "west", "a" * 32]),
    st.booleans(),
)
RULE_WORDS = st.sampled_from(
    ["east", "e*", "?est", "*", "a" * 32, "b" * 32, "east@aaaaaaaa", "*@bbbbbbbb", "east@*"]
)
RULES = st.none() | st.lists(RULE_WORDS, max_size=4).map(tuple)


@given(party=PARTIES, rule=RULES, more=RULE_WORDS)
def test_a_wider_rule_names_no_fewer(party: Party, rule: Any, more: str) -> None:
    if rule is not None and name_any(rule, party):
        assert name_any((*rule, more), party)
    assert name_any(None, party)
    assert not name_any((), party)


@given(party=PARTIES, word=RULE_WORDS)
def test_a_name_that_two_sites_bear_stands_for_neither_and_an_id_always_for_its_own(
    party: Party, word: str
) -> None:
    if party.has_shared_name and "@" not in word and word != ALL:
        assert names_site(word, party) == (word == party.site)
    assert names_site(party.site, party)
    assert names_site(party.whole_name, party)
    assert names_site(f"{word}@{party.site}", party), "the id alone counts"
    other = "c" * 32
    assert not names_site(other, Party(party.site, other)), "a name made of an id is no id"


SERVICES = ("shop", "shop-b", "bank")
SITES = tuple(SiteId(letter * 32) for letter in "abc")
SHARINGS = st.builds(Sharing, RULES, RULES)
RULE_SETS = st.dictionaries(st.sampled_from([*SERVICES, ALL]), SHARINGS).map(SharingRules)
TERM_LISTS = st.none() | st.lists(st.sampled_from(["shop", "shop*", "b?nk", "*"]), max_size=3).map(
    tuple
)
TERMS = st.builds(Terms, TERM_LISTS, TERM_LISTS, TERM_LISTS)


@given(one=TERMS, other=TERMS, service=st.sampled_from(SERVICES))
def test_two_ways_in_allow_what_either_allows(one: Terms, other: Terms, service: str) -> None:
    both = one | other
    assert both == other | one
    for field in ("declare", "export", "import_"):
        either = any_matches(getattr(one, field), service) or any_matches(
            getattr(other, field), service
        )
        assert any_matches(getattr(both, field), service) == either
    assert one | FREE == FREE
    assert set((NOTHING | one).declare or ()) == set(one.declare or ())


@given(rules=RULE_SETS, service=st.sampled_from(SERVICES))
def test_a_services_own_rule_counts_before_that_of_all(rules: SharingRules, service: str) -> None:
    own, usual = rules.services.get(service, Sharing()), rules.services.get(ALL, Sharing())
    found = rules.of(service)
    for field in ("export_to", "import_from"):
        stated = getattr(own, field)
        assert getattr(found, field) == (getattr(usual, field) if stated is None else stated)


@given(rules=RULE_SETS, rule=RULES, parties=st.lists(PARTIES, min_size=2, max_size=2))
def test_no_rule_keeps_a_site_from_its_own(
    rules: SharingRules, rule: Any, parties: list[Party]
) -> None:
    us, them = parties
    view = SharingView(us, rules)
    for service in SERVICES:
        spec = ServiceSpec(ports=(80,))
        told = Declaration(name=service, spec=spec, declared_at_s=1.0, export_to=rule)
        if them.site == us.site:
            assert view.is_told(them, told)
            assert not view.why_barred(them, service)
        else:
            assert view.is_offered(them.site, service, rule) == name_any(rule, us)
            assert view.is_told(them, told) <= name_any(rule, us)


STATED = st.none() | st.integers(0, 2)
ROUTERS = st.lists(
    st.tuples(st.sampled_from((0, 1, 1, 1, 2)), STATED, st.booleans(), st.integers(0, 2)),
    max_size=6,
)


@settings(max_examples=examples(200))
@given(most=st.integers(0, 6), routers=ROUTERS, order=st.permutations(SITES))
def test_routers_of_a_granted_site_share_its_slots_and_no_others_are_bound(
    most: int, routers: list[tuple[int, int | None, bool, int]], order: list[SiteId]
) -> None:
    us, granted, _ = order  # Which of them is the first by its id is of no matter.
    grants = (ServiceGrant(granted, (OFFER,), most), ServiceGrant(us, (OFFER,), 0))
    view = SharingView(Party(us, "us"), SharingRules({"shop": Sharing(grants=grants)}))
    candidates = tuple(
        RemoteCandidate(
            site=order[site],
            site_name="x",
            router=RouterId(f"r{number}"),
            path_cost=1,
            paths=(),
            targets_ready=ready,
            capacity=capacity,
            draining=draining,
        )
        for number, (site, capacity, draining, ready) in enumerate(routers)
    )
    found = view.believed("shop", candidates)
    assert [replace(one, capacity=None) for one in found] == [
        replace(one, capacity=None) for one in candidates
    ]
    shares: list[tuple[int, int | None]] = []
    for told, before in zip(found, candidates, strict=True):
        if before.site != granted:
            assert told == before
            continue
        assert told.capacity is not None
        has_slots = before.targets_ready and not before.draining
        shares.append((told.capacity, before.capacity if has_slots else 0))
    wanted = [most if stated is None else stated for _, stated in shares]
    assert sum(share for share, _ in shares) == min(most, sum(wanted))
    largest = max([share for share, _ in shares], default=0)
    for (share, _), limit in zip(shares, wanted, strict=True):
        assert share == limit or largest - 1 <= share < limit


NAMED = st.lists(st.sampled_from(["east", "e*", "*", "a" * 32, "east@aaaaaaaa", "a.b"]), max_size=3)


@given(
    service=st.sampled_from(["shop", ALL]),
    export_to=st.none() | NAMED.map(tuple),
    import_from=st.none() | NAMED.map(tuple),
)
def test_the_documents_of_rules_are_read_as_they_were_written(
    service: str, export_to: Any, import_from: Any
) -> None:
    spec = SitePolicySpec(service=service, export_to=export_to, import_from=import_from)
    documents, errors = read(write(Document("Policy", "rules", spec)), "here.yaml")
    assert not errors
    assert [document.spec for document in documents] == [spec]


@given(terms=st.lists(TERMS, max_size=6))
def test_terms_survive_the_way_into_an_lsa(terms: list[Terms]) -> None:
    adjacencies = [
        Adjacency(RouterId(f"r{number}"), SITES[0], 1) for number in range(len(terms) + 1)
    ]
    stated = {RouterId(f"r{number}"): told for number, told in enumerate(terms) if told != FREE}
    told, listed = with_terms(adjacencies, stated)
    assert len(set(listed)) == len(listed)
    for adjacency in told:
        named = listed[adjacency.terms - 1] if adjacency.terms else FREE
        assert named == stated.get(adjacency.router, FREE)


def test_terms_that_find_no_room_allow_nothing() -> None:
    wide = [
        Terms(tuple(f"{number}-{word}".ljust(60, "x") for word in range(30)))
        for number in range(12)
    ]
    adjacencies = [Adjacency(RouterId(f"r{number}"), SITES[0], 1) for number in range(12)]
    stated = {RouterId(f"r{number}"): told for number, told in enumerate(wide)}
    told, listed = with_terms(adjacencies, stated)
    encoded = msgspec.msgpack.encode(listed)
    assert len(encoded) <= limits.LSA_TERMS_BYTES_MAX + 100
    named = [listed[adjacency.terms - 1] for adjacency in told]
    assert named[:3] == wide[:3]
    assert named[-1] == NOTHING


def _advert(name: str, rule: Any) -> TargetsAdvert:
    return TargetsAdvert(name=name, port=80, targets_ready=1, capacity=None, export_to=rule)


@given(rule=RULES, draining=st.booleans())
def test_an_older_router_reads_an_advert_and_skips_its_rule(rule: Any, draining: bool) -> None:
    class Older(msgspec.Struct, frozen=True, kw_only=True):
        name: str
        port: int
        targets_ready: int
        capacity: int | None
        draining: bool = False
        rate_per_s: float | None = None

    told = msgspec.structs.replace(_advert("shop", rule), draining=draining)
    older = msgspec.msgpack.decode(msgspec.msgpack.encode(told), type=Older)
    assert (older.name, older.draining) == ("shop", draining)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(older), type=TargetsAdvert)
    assert again == msgspec.structs.replace(told, export_to=None)
