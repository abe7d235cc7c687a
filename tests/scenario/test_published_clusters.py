"""Two clusters behind one door, as examples/two-clusters and examples/six-pods: who gets what.

``front`` has the clients and no targets, ``left`` and ``right`` are linked to it. Real servers of
`examples/`; shares are of counted answers, so that a slow machine changes nothing.
"""

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.scenario.asking import Place, ask, by_site, serve
from tests.scenario.harness import SHOP_PORT, Network

CLIENTS = 5
WORK_S = 0.02
LONG_S = 0.06  # Where all slots are to be busy, however late clients come with the next request.
REQUESTS = 300
TARGETS = SHOP_PORT + 200
LEFT_COST, RIGHT_COST = 4, 2
SLOTS = 3  # Where a capacity is configured.


class Clusters:
    """Costs as given; each service has separate targets at either side."""

    def __init__(self, net: Network, left_cost: int, right_cost: int) -> None:
        self.net = net
        self.front, self.left, self.right = (net.site(name) for name in ("front", "left", "right"))
        net.link(self.front, self.left, left_cost)
        net.link(self.front, self.right, right_cost)
        self._ports: dict[str, int] = {}
        self._targets = TARGETS

    def service(
        self,
        name: str,
        policy: str,
        left: int,
        right: int,
        *,
        capacity: int | None = None,
        work_s: float = WORK_S,
    ) -> None:
        """Declare a service with so many targets at each side."""
        port = self._ports[name] = SHOP_PORT + 300 + len(self._ports)
        self.front.declare(name, port, policy={"name": policy})
        for site, count in ((self.left, left), (self.right, right)):
            if not count:
                continue
            places = [
                Place(self.net.target_address, self._targets + number) for number in range(count)
            ]
            self._targets += count
            serve(self.net, f"{site.name}{'-1' if count == 1 else ''}", places, work_s)
            site.connect(name, *places, capacity=capacity)

    def start(self) -> None:
        """Start all; returns when each service has all its targets."""
        self.net.start()
        self.net.see_each_other()

    def ask(self, name: str, requests: int = REQUESTS, clients: int = CLIENTS) -> Counter[str]:
        """Answers of each target; no other."""
        answered = ask(
            *(self.front.address, self._ports[name]),
            *("--requests", requests, "--clients", clients),
        )
        assert set(by_site(answered)) <= {"left", "right"}, answered
        assert answered.total() == requests
        return answered

    def close(self, name: str) -> None:
        """No counter leaks."""
        self.net.at_rest(name, self.front, self.left, self.right)


@pytest.fixture(scope="module")
def equal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clusters]:
    """Both at cost 1."""
    with Network(tmp_path_factory.mktemp("equal")) as net:
        made = Clusters(net, 1, 1)
        for policy in ("fill", "balanced"):
            made.service(f"{policy}-1-1", policy, 1, 1)
        made.service("fill-1-2", "fill", 1, 2)
        made.service("fill-1-2-stated", "fill", 1, 2, capacity=SLOTS)
        made.service("spread-1-2", "spread", 1, 2)
        made.service("six", "spread", 3, 3, work_s=0)
        made.service("six-fill", "fill", 3, 3, capacity=1, work_s=0.005)
        made.start()
        for name, left, right in (
            ("fill-1-1", 1, 1),
            ("balanced-1-1", 1, 1),
            ("fill-1-2", 1, 2),
            ("fill-1-2-stated", 1, 2),
            ("spread-1-2", 1, 2),
            ("six", 3, 3),
            ("six-fill", 3, 3),
        ):
            net.ready(name, {"left": left, "right": right}, made.front)
        yield made


@pytest.fixture(scope="module")
def unequal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clusters]:
    """``left`` at cost 4 with one target, ``right`` at cost 2 with two."""
    with Network(tmp_path_factory.mktemp("unequal")) as net:
        made = Clusters(net, LEFT_COST, RIGHT_COST)
        for policy in ("balanced", "spread"):
            made.service(policy, policy, 1, 2)
        made.service("fill", "fill", 1, 2, capacity=SLOTS, work_s=LONG_S)
        for policy in ("fill", "balanced", "spread"):
            made.service(f"{policy}-empty", policy, 1, 0)
        made.start()
        for policy in ("fill", "balanced", "spread"):
            net.ready(policy, {"left": 1, "right": 2}, made.front)
            net.ready(f"{policy}-empty", {"left": 1}, made.front)
        yield made


def check_shares(answered: Counter[str], wanted: dict[str, float], within: float = 0.05) -> None:
    """Each server's share of the answers."""
    total = answered.total()
    shares = {who: answered[who] / total for who in {*answered, *wanted}}
    assert shares == pytest.approx(wanted, abs=within), answered


@pytest.mark.parametrize("policy", ["fill", "balanced"])
def test_equal_cost_and_one_target_each_gives_half_each(equal: Clusters, policy: str) -> None:
    answered = equal.ask(f"{policy}-1-1")
    check_shares(answered, {"left-1": 1 / 2, "right-1": 1 / 2})
    equal.close(f"{policy}-1-1")


@pytest.mark.parametrize("service", ["fill-1-2", "fill-1-2-stated", "spread-1-2"])
def test_equal_cost_and_one_against_two_gives_each_target_a_third(
    equal: Clusters, service: str
) -> None:
    # Six clients: with five the lone target's third would not be a whole number of them.
    answered = equal.ask(service, REQUESTS, 6)
    check_shares(answered, {"left-1": 1 / 3, "right-1": 1 / 3, "right-2": 1 / 3})
    equal.close(service)


@pytest.mark.parametrize("policy", ["fill", "balanced", "spread"])
def test_with_the_cheaper_side_empty_all_goes_to_the_only_target(
    unequal: Clusters, policy: str
) -> None:
    answered = unequal.ask(f"{policy}-empty", 60)
    assert answered == {"left-1": 60}


def test_balanced_loads_targets_almost_alike_at_five_clients(unequal: Clusters) -> None:
    # In flight + cost: left 1.5 + 4 meets right 3.5 + 2, so 1.5 at its one and 1.75 at each of two.
    answered = unequal.ask("balanced")
    check_shares(answered, {"left-1": 0.32, "right-1": 0.34, "right-2": 0.34}, 0.09)
    unequal.close("balanced")


def test_fill_keeps_to_the_cheaper_side_until_it_is_full(unequal: Clusters) -> None:
    below = unequal.ask("fill", REQUESTS, 2 * SLOTS)
    assert by_site(below)["left"] <= 0.02 * REQUESTS, below
    check_shares(by_site(below), {"left": 0, "right": 1}, 0.02)
    above = unequal.ask("fill", REQUESTS, 3 * SLOTS)
    check_shares(above, {"left-1": 1 / 3, "right-1": 1 / 3, "right-2": 1 / 3})
    unequal.close("fill")


def test_spread_gives_each_target_a_third_at_any_cost(unequal: Clusters) -> None:
    answered = unequal.ask("spread")
    check_shares(answered, {"left-1": 1 / 3, "right-1": 1 / 3, "right-2": 1 / 3})
    unequal.close("spread")


def test_ten_thousand_requests_by_ten_clients_reach_each_of_six_pods(equal: Clusters) -> None:
    answered = equal.ask("six", 10_000, 10)
    pods = {f"{site}-{n}": 1 / 6 for site in ("left", "right") for n in (1, 2, 3)}
    check_shares(answered, pods, 0.03)
    equal.close("six")


def test_fill_reaches_each_of_six_pods_too_when_one_side_cannot_hold_all(equal: Clusters) -> None:
    # Ten clients and six slots: each free slot is taken, and four wait.
    answered = equal.ask("six-fill", 1_000, 10)
    pods = {f"{site}-{n}": 1 / 6 for site in ("left", "right") for n in (1, 2, 3)}
    check_shares(answered, pods, 0.05)
    equal.close("six-fill")
