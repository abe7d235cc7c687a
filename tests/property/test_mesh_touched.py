"""Sentences judged by the sites that can matter, beside the same judged by the whole network."""

from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec import structs

from router.model.rights.sharing import Terms
from router.model.specs import ConnectorSpec, PolicySpec, ServiceSpec, SiteSpec, TargetSpec
from sitectl.mesh import judging
from sitectl.mesh.judging import verdicts
from sitectl.mesh.sentences import Sentence, parsed
from sitectl.mesh.touched import touched
from sitectl.mesh.values import Mesh, MeshLink, MeshService, MeshSite
from tests.examples import examples

NAMES: Final = tuple(f"s{number}" for number in range(8))
MOST_LINKS: Final = 13
TARGET: Final = TargetSpec("127.0.0.1", port=9000)


def sentence(text: str) -> Sentence:
    found = parsed(text)
    assert isinstance(found, Sentence), found
    return found


@st.composite
def meshes(draw: st.DrawFn) -> Mesh:
    """A connected network of up to eight sites; up to three serve the shop; some are edges."""
    names = NAMES[: draw(st.integers(3, len(NAMES)))]
    links: dict[tuple[str, str], MeshLink] = {}
    edges = {one for one in names[3:] if draw(st.integers(0, 3)) == 0}
    inner = [one for one in names if one not in edges]
    costs = draw(st.permutations([2**power for power in range(MOST_LINKS)]))  # No two ways alike.

    def link(one: str, other: str) -> None:
        links[one, other] = MeshLink(from_=one, to=other, cost=costs.pop())

    for number, name in enumerate(names[1:], start=1):
        link(name, draw(st.sampled_from([one for one in names[:number] if one in inner])))
    for _ in range(draw(st.integers(0, 6))):
        one, other = draw(st.permutations(inner))[:2]
        if (one, other) not in links and (other, one) not in links:
            link(one, other)
    serving = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
    owner = draw(st.sampled_from(names))
    caller = draw(st.sampled_from(names))
    texts = [f"{caller} may call shop", f"{caller} may offer shop"]
    texts += [f"shop from {caller} is served by {one}" for one in serving]
    others = [one for one in names if one != caller]
    gone = draw(st.sampled_from(others))
    texts.append(f"with {gone} dead, shop from {caller} is served by {' or '.join(serving)}")
    for one in serving:
        for other in serving:
            if len({one, other, caller}) == 3:
                texts.append(f"shop from {caller} spills to {one} before {other}")
    return Mesh(
        name="net",
        sites={
            name: MeshSite(
                settings=SiteSpec(
                    router_mode="edge" if name in edges else "interior",
                    ingress="none" if name in edges else "host",
                ),
                connectors={"shop": ConnectorSpec(service="shop", targets=(TARGET,), capacity=3)}
                if name in serving
                else {},
            )
            for name in names
        },
        links=tuple(links.values()),
        services={
            "shop": MeshService(
                owner=owner,
                spec=ServiceSpec(protocol="http", ports=(80,), policy=PolicySpec(name="fill")),
            )
        },
        tests=tuple(map(sentence, dict.fromkeys(texts))),
    )


@settings(
    max_examples=examples(5),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
    phases=(Phase.generate,),  # To make an example smaller takes minutes.
)
@given(mesh=meshes())
def test_sites_that_are_left_out_change_no_verdict(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_part = [(one.sentence.text, one.holds) for one in verdicts(mesh)]
    with monkeypatch.context() as patched:
        patched.setattr(judging, "touched", lambda whole, *_: whole)
        by_whole = [(one.sentence.text, one.holds) for one in verdicts(mesh)]
    assert by_part == by_whole


def ring(sites: int, **settings_of: SiteSpec) -> Mesh:
    """Each dials the next one."""
    names = [f"s{number}" for number in range(sites)]
    return Mesh(
        name="net",
        sites={name: MeshSite(settings=settings_of.get(name, SiteSpec())) for name in names},
        links=tuple(
            MeshLink(from_=name, to=names[(index + 1) % sites]) for index, name in enumerate(names)
        ),
        services={"shop": MeshService(owner="s0", spec=ServiceSpec(ports=(80,)))},
    )


def test_the_sites_on_the_cheapest_ways_stay() -> None:
    part = touched(ring(10), "shop", ("s3",), frozenset())
    assert set(part.sites) == {"s0", "s1", "s2", "s3"}
    assert {(link.from_, link.to) for link in part.links} == {
        ("s0", "s1"),
        ("s1", "s2"),
        ("s2", "s3"),
    }


def test_the_way_round_a_dead_site_stays() -> None:
    part = touched(ring(6), "shop", ("s2",), {"s1"})
    assert set(part.sites) == {f"s{number}" for number in range(6)}


def test_no_way_leads_across_an_edge() -> None:
    part = touched(ring(8, s1=SiteSpec(router_mode="edge")), "shop", ("s2",), frozenset())
    assert set(part.sites) == {"s0", "s7", "s6", "s5", "s4", "s3", "s2"}


def test_a_star_is_its_hub_and_the_sites_that_are_meant() -> None:
    leaves = [f"leaf-{number}" for number in range(100)]
    mesh = Mesh(
        name="net",
        sites=dict.fromkeys(["hub", *leaves], MeshSite()),
        links=tuple(MeshLink(from_=leaf, to="hub") for leaf in leaves),
        services={"shop": MeshService(owner="leaf-1", spec=ServiceSpec(ports=(80,)))},
    )
    assert set(touched(mesh, "shop", ("leaf-2",), frozenset()).sites) == {
        *("hub", "leaf-1", "leaf-2")
    }


def test_nothing_is_left_out_where_a_link_has_terms() -> None:
    mesh = ring(4)
    first, *others = mesh.links
    limited = structs.replace(first, allow=Terms(declare=()))
    mesh = structs.replace(mesh, links=(limited, *others))
    assert touched(mesh, "shop", ("s1",), frozenset()) is mesh
