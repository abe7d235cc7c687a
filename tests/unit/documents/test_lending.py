"""A reserve and a share in documents, and how routers of one site divide them."""

import pytest

from router.documents import Wanted, read, resolve
from router.documents.division import Division, divided
from router.documents.lent import NO_LIMIT, terms_of
from router.model.capacity import LendingTerms
from router.model.specs import ConnectorSpec, SitePolicySpec, SiteSpec, TargetSpec

SITE = "apiVersion: spillway/v1\nkind: Site\nname: west\n---\n"
POLICY = "apiVersion: spillway/v1\nkind: Policy\nname: shop\nspec:\n  service: shop\n"


def test_shares_are_read_as_percents() -> None:
    documents, errors = read(SITE + POLICY + "  reserveForOwn: 30%\n  maxShare: 0.4\n", "a.yaml")
    assert not errors
    wanted, errors = resolve(documents)
    assert wanted is not None and not errors
    policies = {spec.service: spec for spec in wanted.policies.values()}
    assert terms_of("shop", policies) == LendingTerms(reserve_for_own=0.3, max_share=0.4)
    assert terms_of("till", policies) is NO_LIMIT


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("reserveForOwn: 100%", "leaves nothing to other sites"),
        ("maxShare: 0%", "leaves nothing to other sites"),
        ("reserveForOwn: 30", "expected a share like 80%"),
        ("maxShare: most", "expected a share like 80%"),
    ],
)
def test_what_is_no_share_is_refused_with_its_field(line: str, says: str) -> None:
    documents, (error,) = read(SITE + POLICY + f"  {line}\n", "a.yaml")
    assert len(documents) == 1
    assert says in error.message and line.partition(":")[0] in error.message


def test_the_stricter_of_two_policies_counts() -> None:
    policies = {
        "shop": SitePolicySpec(service="shop", reserve_for_own=0.1, max_share=0.9),
        "*": SitePolicySpec(service="*", reserve_for_own=0.2, max_share=0.95),
    }
    assert terms_of("shop", policies) == LendingTerms(reserve_for_own=0.2, max_share=0.9)
    assert terms_of("till", policies) == LendingTerms(reserve_for_own=0.2, max_share=0.95)


def test_each_router_knows_what_those_before_it_have() -> None:
    wanted = Wanted(
        name="west",
        site=SiteSpec(),
        connectors={
            "c": ConnectorSpec(service="shop", targets=(TargetSpec("10.0.0.1", 80),), capacity=8)
        },
        policies={"shop": SitePolicySpec(service="shop", site_capacity=7)},
    )
    each = [divided(wanted, Division(count=3, index=index)) for index in range(3)]
    slots = [one.connectors["c"].targets[0].capacity for one in each]
    assert sorted(slots, key=str) == [2, 3, 3]
    assert [one.connectors["c"].targets[0].before for one in each] == [
        0,
        slots[0],
        8 - int(slots[2] or 0),
    ]
    assert [one.capped_before["shop"] for one in each] == [0, 3, 5]
