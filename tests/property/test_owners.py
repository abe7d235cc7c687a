"""A liar never puts its own definition of an owned name in force at an honest site."""

from itertools import combinations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from router.model.limits import LSA_MAX_AGE_S, OWNER_MET_S, OWNER_WITHDRAWN_S
from router.model.messages.adverts import Declaration
from tests.examples import examples
from tests.unit.routing.fakes import declare
from tests.unit.routing.network import Network

HONEST = ("west", "hub", "east")
LIAR = "liar"
EVERYBODY = (*HONEST, LIAR)
LINKS = tuple(combinations(EVERYBODY, 2))
NAMES = ("orders", "stock", "mail")
LIES = 6666
"""The port that only the liar declares."""
PAUSES = (0.01, 0.5, OWNER_MET_S + 0.5, OWNER_WITHDRAWN_S + 1, 200.0, LSA_MAX_AGE_S + 1)


def lie(name: str, at: float) -> Declaration:
    return declare(name, at=at, ports=(LIES,))


class Life(RuleBasedStateMachine):
    """Honest sites declared all names and heard of each other before the liar came."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Network(EVERYBODY)
        self.declared: dict[str, set[str]] = {name: set() for name in EVERYBODY}
        self.epochs = dict.fromkeys(EVERYBODY, 1)
        self.free: set[str] = set()
        """Names that were given up once: any site that declares them may own them."""

    @initialize(owners=st.lists(st.sampled_from(HONEST), min_size=3, max_size=3))
    def owners_declare(self, owners: list[str]) -> None:
        for name, owner in zip(NAMES, owners, strict=True):
            self.declared[owner].add(name)
        for one, other in LINKS:
            if LIAR not in (one, other):
                self.network.connect(one, other)
        self.network.run(OWNER_MET_S + 1)
        for honest in HONEST:
            self._serve(honest)
        self.network.run(1.0)
        self.owner = dict(zip(NAMES, owners, strict=True))

    def _serve(self, site: str) -> None:
        self.network.serve(site, [declare(name) for name in sorted(self.declared[site])])

    @rule(
        names=st.sets(st.sampled_from(NAMES)),
        at=st.sampled_from([-1e308, 0.0, 1e308]),
    )
    def liar_declares(self, names: set[str], at: float) -> None:
        self.network.serve(LIAR, [lie(name, at) for name in sorted(names)])

    @rule(link=st.sampled_from(LINKS))
    def link_comes_or_goes(self, link: tuple[str, str]) -> None:
        if frozenset(link) in self.network.links:
            self.network.cut(*link)
        else:
            self.network.connect(*link)

    @rule(site=st.sampled_from(EVERYBODY))
    def site_restarts(self, site: str) -> None:
        self.epochs[site] += 1
        life = f"{site} {self.epochs[site]}".encode()
        self.network.restart(site, self.epochs[site], life, remembers=True)

    @rule(name=st.sampled_from(NAMES))
    def owner_withdraws_and_may_return(self, name: str) -> None:
        self.declared[self.owner[name]].symmetric_difference_update({name})
        self.free.add(name)
        self._serve(self.owner[name])

    @rule(name=st.sampled_from(NAMES), site=st.sampled_from(HONEST))
    def another_declares_it_too(self, name: str, site: str) -> None:
        self.declared[site].add(name)
        self._serve(site)

    @rule(pause=st.sampled_from(PAUSES))
    def time_passes(self, pause: float) -> None:
        self.network.run(pause)

    @invariant()
    def no_lie_is_in_force(self) -> None:
        for honest in HONEST:
            for name, entry in self.network.table(honest).declarations.items():
                is_lie = LIES in entry.declaration.spec.ports
                assert name in self.free or not is_lie, (honest, name)
                assert not is_lie or name not in self.declared[honest], (honest, name)

    def teardown(self) -> None:
        """All links up: every name that its owner still declares is in force everywhere."""
        if not hasattr(self, "owner"):
            return
        for one, other in LINKS:
            if frozenset((one, other)) not in self.network.links:
                self.network.connect(one, other)
        self.network.run(100.0)
        self.no_lie_is_in_force()
        for honest in HONEST:
            table = self.network.table(honest)
            assert {name for name in NAMES if name not in self.free} <= table.declarations.keys()


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=examples(40), stateful_step_count=30, deadline=None)
