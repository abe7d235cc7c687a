"""Which of several declarations of one name counts, and the reports about the others."""

import msgspec
import pytest

from router.model.ids import RouterId, SiteId
from router.model.rights.owners import Owner
from router.routing.declared import Claim, content_of, counting, differ, in_force, in_order
from tests.unit.routing.fakes import declare

SAME, OTHER = declare("shop"), declare("shop", ports=(81,))
A, B, C, D = (SiteId(name) for name in "abcd")


def claim(site: SiteId, cost: int | None = 1, *, router: str = "r", differs: bool = False) -> Claim:
    return Claim(OTHER if differs else SAME, site, RouterId(router), cost)


def test_the_nearest_comes_first_then_the_lowest_site_and_what_is_not_reached_last() -> None:
    wanted = [claim(C, 0), claim(A, 1), claim(B, 1, router="r"), claim(B, 1, router="s")]
    wanted += [claim(A, 7), claim(A, None), claim(C, None)]
    assert in_order(wanted[::-1]) == wanted
    assert in_order(wanted[:1]) == wanted[:1]


@pytest.mark.parametrize("first", [A, B, C])
@pytest.mark.parametrize("reached", [A, B, C, D])
def test_a_declaration_is_reachable_if_a_router_of_its_own_site_is(
    first: SiteId, reached: SiteId
) -> None:
    """Another site that says the same does not make it so."""
    claims = [
        claim(site, 1 if site == reached and router == "s" else None, router=router)
        for site in (A, B, C)
        for router in ("r", "s")
    ]
    chosen = next(one for one in claims if one.site == first)
    assert in_force(claims, chosen, None).reachable == (first == reached)


def test_of_the_others_it_is_said_who_agrees_who_does_not_and_who_may_own_the_name_too() -> None:
    claims = [claim(A), claim(B), claim(C, differs=True), claim(D, differs=True), claim(A, 3)]
    found = in_force(claims, claims[0], Owner((A, D), ""))
    assert (found.site, found.alike, found.conflicts, found.rivals) == (A, (B,), (C, D), (D,))
    assert in_force(claims, claims[0], None).rivals == ()
    assert in_force(claims, claims[0], Owner((C, D), "")).rivals == (), "the first is no owner"
    torn = [claim(A), claim(A, differs=True), claim(B)]
    found = in_force(torn, torn[0], None)
    assert (found.alike, found.conflicts) == ((B,), ()), "its own routers are not another site"
    alone = in_force([claim(A, None)], claim(A, None), None)
    assert (alone.reachable, alone.conflicts, alone.alike) == (False, (), ())


def test_the_date_and_who_may_use_it_are_nothing_to_disagree_about() -> None:
    changed = msgspec.structs.replace(SAME, declared_at_s=9.0, export_to=("b",))
    assert not differ(SAME, changed) and content_of(SAME) == content_of(changed)
    assert differ(SAME, OTHER) and content_of(SAME) != content_of(OTHER)


@pytest.mark.parametrize(
    ("own", "owners", "content", "expected"),
    [
        (D, None, "", [A, B, C]),
        (D, (B,), "", [B]),
        (D, (B, C), "", [B, C]),
        (B, (C,), "", [B]),  # Its own always counts there.
        (D, (D,), content_of(SAME), [A, C]),  # The owner is silent: who says the same as it did.
        (D, (D,), content_of(OTHER), [B]),
        (D, (D,), "", []),
    ],
)
def test_the_owners_word_counts_and_while_it_is_silent_the_same_word_of_others(
    own: SiteId, owners: tuple[SiteId, ...] | None, content: str, expected: list[SiteId]
) -> None:
    claims = [claim(C), claim(B, differs=True), claim(A)]
    owner = None if owners is None else Owner(owners, content)
    assert [one.site for one in counting(claims, own, owner, 0.0)] == expected
    (single,) = [claim(A)]
    alone = counting([single], own, owner, 0.0)
    is_owned = owner is None or A in owner.sites or owner.content == content_of(SAME)
    assert alone == ([single] if is_owned else [])
