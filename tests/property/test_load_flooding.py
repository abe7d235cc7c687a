"""Law of load reports: each reaches every router once, and flooding ends by itself."""

from collections import deque
from itertools import combinations, pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from router.model.ids import RouterId, ServiceKey
from router.model.messages.adverts import LoadReport
from router.routing.load import LoadTable
from tests.examples import examples
from tests.unit.routing.fakes import advert
from tests.unit.routing.network import Network

NAMES = "abcdef"
LINKS = st.dictionaries(
    st.sampled_from(list(combinations(NAMES, 2))), st.integers(1, 3), max_size=10
)


@settings(max_examples=examples(40))
@given(links=LINKS, drained=st.sampled_from(["", "b", "d"]), shuffle=st.randoms())
def test_a_report_reaches_every_router_that_reaches_its_origin_exactly_once(
    links: dict[tuple[str, str], int], drained: str, shuffle: Random
) -> None:
    network = Network(NAMES)
    network.serve("a", [], [advert("x")])
    for pair in pairwise(NAMES):
        links.setdefault(pair, 3)
    for (one, other), cost in links.items():
        network.connect(one, other, cost)
    if drained:
        network.take(drained, network.cores[drained].set_draining(True, network.now))
    network.run(3.0)

    origin = network.identities["a"].router
    names = {who.router: name for name, who in network.identities.items()}
    loads = {name: LoadTable() for name in NAMES}
    report = LoadReport(origin, 1, "x", 80, 4, 1, 10)
    accepted: list[str] = []
    under_way: deque[tuple[RouterId, str]] = deque(
        (origin, names[router]) for router in network.table("a").adjacencies
    )
    messages = 0
    while under_way:
        under_way.rotate(shuffle.randint(0, len(under_way)))
        sender, name = under_way.popleft()
        messages += 1
        heard = loads[name].accept(report, sender, network.table(name), network.now)
        if heard:
            accepted.append(name)
            me = network.identities[name].router
            under_way.extend((me, names[router]) for router in heard.forward_to)
    reaching = [n for n in NAMES[1:] if ServiceKey("x", 80) in network.table(n).candidates]
    assert sorted(accepted) == reaching
    assert messages <= 2 * len(links)
