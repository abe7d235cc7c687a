"""Law of the digest exchange: joined neighbors end with one database.

It holds whatever each held before, whichever messages were lost, and whichever of the two noticed
that the link was gone.
"""

from hypothesis import given, settings
from hypothesis import strategies as st

from router.routing.adverts.database_digest import HASH_BYTES, DatabaseDigest, is_digest
from router.routing.adverts.lsa import LsaKey, PartRef, Services, Version
from router.routing.adverts.lsdb import Lsdb
from tests.examples import examples
from tests.unit.routing.fakes import FakeIdentity, advert, declare, make_lsa, signed
from tests.unit.routing.network import Network

ORIGINS = [FakeIdentity(f"origin-{number}") for number in range(12)]
FEEDER = FakeIdentity("feeder")
VERSIONS = st.lists(st.integers(0, 3), min_size=len(ORIGINS), max_size=len(ORIGINS))
NEWS = st.tuples(st.just("news"), st.sampled_from("ab"), st.integers(0, len(ORIGINS) - 1))
GOES = st.tuples(st.sampled_from(["lost", "lost at a", "lost at b"]), st.just(""), st.just(0))
STEPS = st.lists(
    st.tuples(NEWS | GOES, st.sampled_from([0.0, 0.0005, 0.002, 0.4, 1.5])), max_size=8
)


class Pair:
    """Two routers, ``a`` and ``b``, each fed by a third that comes and goes."""

    def __init__(self, seed: int, trouble: float) -> None:
        self.network = Network("ab", seed=seed, trouble=trouble)
        self.newest = dict.fromkeys(range(len(ORIGINS)), 0)

    def feed(self, name: str, origin: int, version: int) -> None:
        """Some parts of an origin, the more the higher the version."""
        if version == 0:
            return
        who, network = ORIGINS[origin], self.network
        self.newest[origin] = max(version, self.newest[origin])
        services = Services((declare(f"s{version}"),), (advert(f"s{version}"),))
        head = make_lsa(who, sequence=version, parts=(PartRef(1, version),))
        part = make_lsa(who, part=1, sequence=version, services=services)
        core, now = network.cores[name], network.now
        events = core.adjacency_up(FEEDER.router, FEEDER.site, 1, now)
        for lsa in (head, part):
            events += core.receive_lsa(FEEDER.router, signed(lsa, who), now)
        events += core.adjacency_down(FEEDER.router, now)
        network.take(name, [one for one in events if getattr(one, "to", "") != FEEDER.router])

    def step(self, what: str, name: str, origin: int) -> None:
        network = self.network
        match what:
            case "news":
                self.feed(name, origin, self.newest[origin] + 1)
            case "lost":
                network.cut("a", "b")
                network.connect("a", "b")
            case _:  # Messages under way are lost, and only one end notices.
                here = what[-1]
                (there,) = set("ab") - {here}
                network.lose("a", "b")
                network.down(here, there)
                network.up(here, there)

    def database(self, name: str) -> dict[LsaKey, Version]:
        return {lsa.key: lsa.newness for lsa in self.network.cores[name].database()}


@settings(max_examples=examples(150))
@given(
    at_a=VERSIONS,
    at_b=VERSIONS,
    steps=STEPS,
    seed=st.integers(0, 2**32),
    trouble=st.sampled_from([0.0, 0.3]),
)
def test_neighbours_end_with_one_database_that_has_the_newest_of_both(
    at_a: list[int],
    at_b: list[int],
    steps: list[tuple[tuple[str, str, int], float]],
    seed: int,
    trouble: float,
) -> None:
    pair = Pair(seed, trouble)
    for name, versions in (("a", at_a), ("b", at_b)):
        for origin, version in enumerate(versions):
            pair.feed(name, origin, version)
    pair.network.connect("a", "b")
    for step, pause_s in steps:
        pair.network.run(pause_s)
        pair.step(*step)
    pair.network.run(60.0)
    database = pair.database("a")
    assert database == pair.database("b")
    for origin, version in pair.newest.items():
        key = LsaKey(0, ORIGINS[origin].node)
        assert database.get(key) == ((1, version) if version else None)


@given(st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=2)), max_size=12))
def test_a_digest_is_of_the_database_as_it_is_now(stores: list[tuple[int, bytes]]) -> None:
    lsdb = Lsdb(FEEDER.node)
    digests = DatabaseDigest(lsdb)
    for sequence, (origin, data) in enumerate(stores, start=1):
        lsdb.store(make_lsa(ORIGINS[origin], sequence=sequence), data, 0.0)
        assert digests.digest() == DatabaseDigest(lsdb).digest()


@given(
    st.sets(st.integers(0, 40)), st.sets(st.integers(0, 40)), st.sampled_from([1, 2, 16, 128, 1024])
)
def test_what_one_lacks_is_always_among_what_differs(
    ours: set[int], theirs: set[int], buckets: int
) -> None:
    lsdbs = []
    for numbers in (ours, theirs):
        lsdb = Lsdb(FEEDER.node)
        for number in numbers:
            lsdb.store(make_lsa(FakeIdentity(f"{number}")), b"%d" % number, 0.0)
        lsdbs.append(lsdb)
    here, there = map(DatabaseDigest, lsdbs)
    differing = set(here.differing(there.digest()))
    lacking = {LsaKey(0, FakeIdentity(f"{number}").node) for number in ours - theirs}
    assert lacking <= differing <= set(lsdbs[0].keys())
    assert is_digest(there.digest())
    if ours == theirs:
        assert not differing
    assert set(here.differing(bytes(buckets * HASH_BYTES))) == set(lsdbs[0].keys())
