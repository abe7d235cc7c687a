"""Judging the sentences of a mesh file, beside plain oracles of the rules."""

from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from router.model.rights.sharing import Terms, any_matches
from router.model.specs import (
    ConnectorSpec,
    PolicySpec,
    ServiceSpec,
    SitePolicySpec,
    TargetSpec,
)
from sitectl.mesh.judging import verdicts
from sitectl.mesh.sentences import Sentence, parsed
from sitectl.mesh.values import Mesh, MeshLink, MeshService, MeshSite
from tests.examples import examples

HUB: Final = "hub"
LEAVES: Final = ("east", "west", "north")
SITES: Final = (HUB, *LEAVES)
RULES = st.none() | st.lists(st.sampled_from(("hub", "east", "w*", "*")), max_size=2).map(tuple)
PATTERNS = st.none() | st.lists(st.sampled_from(("shop", "sh*", "other")), max_size=2).map(tuple)
TERMS = st.builds(Terms, declare=PATTERNS, export=PATTERNS, import_=PATTERNS)
TARGET: Final = TargetSpec("127.0.0.1", port=9000)


def sentence(text: str) -> Sentence:
    found = parsed(text)
    assert isinstance(found, Sentence)
    return found


def networks(
    rules: dict[str, SitePolicySpec], terms: dict[str, Terms], owner: str, texts: list[str]
) -> Mesh:
    """A star: every leaf dials the hub. The owner of the shop has its only targets."""
    connectors = {"shop": ConnectorSpec(service="shop", targets=(TARGET,), capacity=5)}
    return Mesh(
        name="net",
        sites={
            name: MeshSite(
                policies={"shop": rules[name]}, connectors=connectors if name == owner else {}
            )
            for name in SITES
        },
        links=tuple(MeshLink(from_=name, to=HUB, allow=terms[name]) for name in LEAVES),
        services={"shop": MeshService(owner=owner, spec=ServiceSpec(protocol="http", ports=(80,)))},
        tests=tuple(map(sentence, texts)),
    )


@settings(max_examples=examples(25))
@given(
    export=RULES,
    imports=st.fixed_dictionaries(dict.fromkeys(SITES, RULES)),
    terms=st.fixed_dictionaries(dict.fromkeys(LEAVES, TERMS)),
    owner=st.sampled_from(SITES),
)
def test_who_may_call_is_whom_the_rules_let(
    export: tuple[str, ...] | None,
    imports: dict[str, tuple[str, ...] | None],
    terms: dict[str, Terms],
    owner: str,
) -> None:
    rules = {
        name: SitePolicySpec(
            service="shop",
            export_to=export if name == owner else None,
            import_from=imports[name],
        )
        for name in SITES
    }
    free = Terms()
    of_owner = terms.get(owner, free)
    is_let_out = any_matches(of_owner.declare, "shop") and any_matches(of_owner.export, "shop")

    def may_call(name: str) -> bool:
        by_rules = any_matches(export, name) and any_matches(imports[name], owner)
        return name == owner or (
            is_let_out and by_rules and any_matches(terms.get(name, free).import_, "shop")
        )

    mesh = networks(rules, terms, owner, [f"{name} may call shop" for name in SITES])
    found = {one.sentence.text.split()[0]: one for one in verdicts(mesh)}
    told = {name: one.told for name, one in found.items()}
    assert {name: one.holds for name, one in found.items()} == {
        name: may_call(name) for name in SITES
    }, told


@settings(max_examples=examples(10))
@given(
    costs=st.lists(st.integers(1, 50), min_size=3, max_size=3, unique=True),
    slots=st.lists(st.integers(1, 6), min_size=4, max_size=4),
)
def test_fill_spills_in_the_order_of_the_cost_of_paths(costs: list[int], slots: list[int]) -> None:
    links = [
        MeshLink(from_=name, to=HUB, cost=cost) for name, cost in zip(LEAVES, costs, strict=True)
    ]
    by_cost = [name for _, name in sorted(zip(costs, LEAVES, strict=True))]
    pairs = [(one, other) for one in LEAVES for other in LEAVES if one != other]
    texts = [f"with hub full, shop spills to {by_cost[0]}"]
    texts += [f"with hub full, shop spills to {one} before {other}" for one, other in pairs]
    texts += [f"with hub full and {by_cost[0]} full, shop from hub spills to {by_cost[1]}"]
    mesh = Mesh(
        name="net",
        sites={
            name: MeshSite(
                connectors={"shop": ConnectorSpec(service="shop", targets=(TARGET,), capacity=most)}
            )
            for name, most in zip(SITES, slots, strict=True)
        },
        links=tuple(links),
        services={
            "shop": MeshService(
                owner=HUB,
                spec=ServiceSpec(protocol="http", ports=(80,), policy=PolicySpec(name="fill")),
            )
        },
        tests=tuple(map(sentence, texts)),
    )
    first, *between, last = verdicts(mesh)
    assert first.holds, first.told
    assert last.holds, last.told
    for (one, other), verdict in zip(pairs, between, strict=True):
        assert verdict.holds == (by_cost.index(one) < by_cost.index(other)), verdict.told
