"""A liar gets nothing of a service that its owner did not grant, in any history of a network."""

from itertools import combinations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from router.model.ids import ServiceKey, SiteId
from router.model.limits import OWNER_MET_S, OWNER_WITHDRAWN_S, SERVICE_SYNC_TTL_S
from router.model.messages.adverts import Declaration, RemoteCandidate, TargetsAdvert
from router.model.rights.grants import CALL, OFFER, OWN, REDECLARE, VERBS, ServiceGrant
from router.model.rights.sharing import ALL, Sharing, SharingRules
from tests.examples import examples
from tests.unit.routing.fakes import FakeIdentity, SameSiteIdentity, declare
from tests.unit.routing.network import Network

HONEST = ("west", "hub", "east", "north")
LIARS = ("liar", "liar-2")
"""Two routers of one site."""
LIAR: SiteId = FakeIdentity("liar").site
NAMES = ("orders", "stock")
LIES = 6666
"""The port that only the liar declares; its targets are at the owner's port."""
SETTLED_S = 20.0
PAUSES = (0.01, 0.5, OWNER_MET_S + 0.5, OWNER_WITHDRAWN_S + 1, SERVICE_SYNC_TTL_S + 1)
SOME_VERBS = st.lists(st.sampled_from([OFFER, CALL, REDECLARE]), min_size=1, unique=True)
CAPACITIES = st.sampled_from([None, 0, 5])
LASTS = st.sampled_from([0, 3, 300])
FIRST = st.lists(
    st.sampled_from(
        [((), 0), ((OFFER,), 0), ((OFFER,), 30), ((REDECLARE,), 0), ((REDECLARE,), 30)]
    ),
    min_size=2,
    max_size=2,
)
"""The first grant of each name to the liar, and for how long."""
OFFERS = st.lists(st.sampled_from([None, 0, 4, 1000]), min_size=2, max_size=2)


def site_of(name: str) -> SiteId:
    return FakeIdentity(name).site


class Life(RuleBasedStateMachine):
    """Honest sites declared all names and heard of each other before the liar came to all."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Network((*HONEST, "liar"))
        self.network.identities["liar-2"] = SameSiteIdentity(
            FakeIdentity("liar"), FakeIdentity("liar-2").router
        )
        self.network.cores["liar-2"] = self.network.make_core("liar-2")
        self.grants: dict[tuple[str, str], tuple[ServiceGrant, ...]] = {}
        """By declaring site and name."""
        self.strict: set[str] = set()
        self.given: dict[str, list[ServiceGrant]] = {name: [] for name in NAMES}
        """All grants to the liar by a name's owners since all sites heard of each other."""
        self.epochs = dict.fromkeys((*HONEST, *LIARS), 1)
        self.lied: set[str] = set()
        self.forgetful: set[str] = set()
        """These may take the liar's declaration for the first one."""

    @initialize(
        count=st.integers(2, 4),
        owners=st.lists(st.integers(0, 1), min_size=2, max_size=2),
        strict=st.sampled_from([HONEST, HONEST, HONEST[::2], ()]),
        first=FIRST,
    )
    def owners_declare(
        self,
        count: int,
        owners: list[int],
        strict: tuple[str, ...],
        first: list[tuple[tuple[str, ...], int]],
    ) -> None:
        self.honest = HONEST[:count]
        self.strict = {*strict} & {*self.honest}
        self.links = [
            link
            for link in combinations((*self.honest, *LIARS), 2)
            if not {*link} <= {*LIARS}  # Nothing leads across it.
        ]
        self.owner = {name: self.honest[at] for name, at in zip(NAMES, owners, strict=True)}
        self.grants = {(owner, name): () for name, owner in self.owner.items()}
        for one, other in combinations(self.honest, 2):
            self.network.connect(one, other)
        self.network.run(OWNER_MET_S + 1)
        for honest in self.honest:
            self._serve(honest)
        self._run(1.0)
        for name, (verbs, lasts) in zip(NAMES, first, strict=True):
            if verbs:
                self.owner_grants(name, list(verbs), None, lasts, True)
        for link in self.links:
            if {*link} & {*LIARS}:
                self.network.connect(*link)
        for router in LIARS:
            self.liar_speaks(router, {*NAMES}, False, [1000, 1000])
        self._run(1.0)

    def _serve(self, site: str) -> None:
        granted = {name: given for (who, name), given in self.grants.items() if who == site}
        own = {name: Sharing(grants=given) for name, given in granted.items()}
        rules = SharingRules({ALL: Sharing((ALL,), (ALL,)), **own}, site in self.strict)
        core = self.network.cores[site]
        self.network.take(site, core.set_rules(rules, self.network.now))
        self.network.serve(
            site, [replace(declare(name), grants=given) for name, given in sorted(granted.items())]
        )

    def _run(self, seconds: float) -> None:
        self.network.run(seconds)
        for honest in self.honest:
            ends = self.network.table(honest).grants_end
            if ends is not None and ends <= self.network.now:
                core = self.network.cores[honest]
                self.network.take(honest, core.grants_ended(self.network.now))

    # What the liar does.

    @rule(
        router=st.sampled_from(LIARS),
        names=st.sets(st.sampled_from(NAMES)),
        copies=st.booleans(),
        capacities=OFFERS,
    )
    def liar_speaks(
        self, router: str, names: set[str], copies: bool, capacities: list[int | None]
    ) -> None:
        """``copies``: it declares the very same as the owner, but for its own grants."""
        everything = (ServiceGrant(LIAR, VERBS),)
        self.lied |= names
        self.network.serve(
            router,
            [
                replace(declare(name, ports=(80 if copies else LIES,)), grants=everything)
                for name in sorted(names)
            ],
            [
                TargetsAdvert(name=name, port=80, targets_ready=9, capacity=capacity)
                for name, capacity in zip(NAMES, capacities, strict=True)
            ],
        )

    # What owners do.

    @rule(
        name=st.sampled_from(NAMES),
        verbs=SOME_VERBS,
        most=CAPACITIES,
        lasts=LASTS,
        to_liar=st.booleans(),
    )
    def owner_grants(
        self, name: str, verbs: list[str], most: int | None, lasts: int, to_liar: bool
    ) -> None:
        until = int(self.network.now) + lasts if lasts else 0
        site = LIAR if to_liar else site_of(self.honest[-1])
        grant = ServiceGrant(site, tuple(verbs), most, until)
        owner = self.owner[name]
        self.grants[owner, name] = (*self.grants[owner, name][-2:], grant)
        if to_liar:
            self.given[name].append(grant)
        self._serve(owner)

    @rule(name=st.sampled_from(NAMES))
    def owner_withdraws_all_grants(self, name: str) -> None:
        self.grants[self.owner[name], name] = ()
        self._serve(self.owner[name])

    @rule(name=st.sampled_from(NAMES), heir=st.sampled_from(HONEST))
    @precondition(lambda self: hasattr(self, "honest"))
    def owner_hands_it_over(self, name: str, heir: str) -> None:
        """The former owner goes on declaring it, so that absent sites can see the new owner."""
        former = self.owner[name]
        if heir not in self.honest or heir == former:
            return
        self._heal()
        self.grants[heir, name] = ()
        self._serve(heir)
        self._run(2.0)
        self.grants[former, name] = (ServiceGrant(site_of(heir), (OWN,)),)
        self._serve(former)
        self._run(2.0)
        self.owner[name] = heir

    @rule(name=st.sampled_from(NAMES), site=st.sampled_from(HONEST))
    def another_declares_it_too(self, name: str, site: str) -> None:
        if site in self.honest:
            self.grants.setdefault((site, name), ())
            self._serve(site)

    @rule(name=st.sampled_from(NAMES))
    def owner_is_lost(self, name: str) -> None:
        for link in self.links:
            if self.owner[name] in link and frozenset(link) in self.network.links:
                self.network.cut(*link)
        self._run(SERVICE_SYNC_TTL_S + 1)

    # What happens.

    @rule(data=st.data())
    def link_comes_or_goes(self, data: st.DataObject) -> None:
        link = data.draw(st.sampled_from(self.links))
        if frozenset(link) in self.network.links:
            self.network.cut(*link)
        else:
            self.network.connect(*link)

    @rule(data=st.data(), remembers=st.booleans())
    def site_restarts(self, data: st.DataObject, remembers: bool) -> None:
        site = data.draw(st.sampled_from((*self.honest, *LIARS)))
        self.epochs[site] += 1
        life = f"{site} {self.epochs[site]}".encode()
        self.network.restart(site, self.epochs[site], life, remembers=remembers)
        if site in self.honest:
            self._serve(site)
            if not remembers:
                self.forgetful.add(site)

    @rule(pause=st.sampled_from(PAUSES))
    def time_passes(self, pause: float) -> None:
        self._run(pause)

    # What must hold.

    def _used(self, honest: str, name: str) -> list[RemoteCandidate]:
        found = self.network.table(honest).candidates.get(ServiceKey(name, 80), ())
        return [one for one in found if one.site == LIAR and not one.barred]

    def _may_judge(self, honest: str, name: str) -> bool:
        """Whether ``honest`` remembers the owner, or the liar never declared ``name``."""
        return honest not in self.forgetful or name not in self.lied

    @invariant()
    @precondition(lambda self: hasattr(self, "owner"))
    def nothing_counts_that_no_owner_granted(self) -> None:
        for honest in self.honest:
            for name in NAMES:
                if (honest, name) in self.grants or self._may_judge(honest, name):
                    self._check_offers(honest, name)
                if self._may_judge(honest, name):
                    self._check_words(honest, name)

    def _check_offers(self, honest: str, name: str) -> None:
        if honest not in self.strict:
            return
        given = self.given[name]
        if (honest, name) in self.grants:  # There only its own word counts.
            given = [one for one in self.grants[honest, name] if one.site == LIAR]
        now = self.network.now
        offers = [one for one in given if OFFER in one.verbs and one.holds(now)]
        used = self._used(honest, name)
        assert offers or not used, (honest, name)
        if used and all(one.max_capacity is not None for one in offers):
            most = max(one.max_capacity or 0 for one in offers)
            assert sum(one.capacity or 0 for one in used) <= most, (honest, name)
            assert all(one.capacity is not None for one in used)

    def _check_words(self, honest: str, name: str) -> None:
        owner = self.network.table(honest).owners.get(name)
        if owner is None:
            assert honest in self.forgetful, (honest, name)
        else:
            assert LIAR not in owner.sites, (honest, name)
        declared = self.network.table(honest).declarations.get(name)
        if declared is not None and is_lie(declared.declaration):
            assert (honest, name) not in self.grants
            now = self.network.now
            assert any(REDECLARE in one.verbs and one.holds(now) for one in self.given[name])

    def _heal(self) -> None:
        for one, other in self.links:
            if frozenset((one, other)) not in self.network.links:
                self.network.connect(one, other)
        self._run(SETTLED_S)
        for name, owner in self.owner.items():
            self.given[name] = [one for one in self.grants[owner, name] if one.site == LIAR]

    @rule()
    def all_hear_of_all(self) -> None:
        """What counts then is what the owner says now, no more and no less."""
        self._heal()
        now = self.network.now
        for honest in self.honest:
            for name in NAMES:
                if honest in self.forgetful:
                    continue
                owner, table = self.owner[name], self.network.table(honest)
                assert table.owners[name].sites == (site_of(owner),), (honest, name)
                whose = honest if (honest, name) in self.grants else owner
                assert table.declarations[name].site == site_of(whose), (honest, name)
                offers = [
                    one
                    for one in self.grants[whose, name]
                    if one.site == LIAR and OFFER in one.verbs and one.holds(now)
                ]
                candidates = [
                    one
                    for one in table.candidates.get(ServiceKey(name, 80), ())
                    if one.site == LIAR
                ]
                approves = bool(offers) or honest not in self.strict
                assert all(approves != bool(one.barred) for one in candidates), (honest, name)
                caps = [one.max_capacity for one in offers]
                if candidates and caps and None not in caps:
                    believed = [one.capacity for one in candidates]
                    assert None not in believed
                    assert sum(filter(None, believed)) <= max(filter(None, caps), default=0)

    def teardown(self) -> None:
        if hasattr(self, "owner"):
            self.all_hear_of_all()


def is_lie(declaration: Declaration) -> bool:
    return LIES in declaration.spec.ports


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=examples(25), stateful_step_count=20, deadline=None)
