"""After a restart no LSAs that an owner signed earlier change a name's owner or declaration."""

from hypothesis import given
from hypothesis import strategies as st

from router.model.ids import RouterId
from router.model.limits import OWNER_WITHDRAWN_S
from router.model.messages.adverts import Declaration
from router.model.rights.owners import Owner, Version
from router.routing.adverts.lsa import Node
from router.routing.declared import Claim
from router.routing.owners import Owners
from tests.unit.routing.fakes import FakeIdentity, declare

OWN, WEST, LIAR = (FakeIdentity(name).site for name in ("own", "west", "liar"))
LIES = declare("x", ports=(6666,))
ROUTERS = ("a", "b", "c")
Said = tuple[Node, Version, Declaration | None]
"""Whole words of one router: whether, and how, it declares x."""

LIVES = st.lists(
    st.tuples(
        st.sampled_from(ROUTERS),
        st.lists(st.sampled_from([None, 80, 81]), min_size=1, max_size=4),
    ),
    min_size=1,
    max_size=5,
)


def history_of(lives: list[tuple[str, list[int | None]]]) -> list[Said]:
    """All that the owner said, one router after the other, the last of it a declaration."""
    said: list[Said] = []
    for epoch, (router, ports) in enumerate(lives, 1):
        for sequence, port in enumerate(ports, 1):
            told = None if port is None else declare("x", ports=(port,))
            said.append((Node(RouterId(router), WEST), (epoch, sequence), told))
    node, (epoch, sequence), told = said[-1]
    if told is None:
        said.append((node, (epoch, sequence + 1), declare("x", ports=(80,))))
    return said


def hear(owners: Owners, said: dict[Node, Said], now: float, *, lies: bool = False) -> None:
    """Teach ``owners`` the database, as the builder of a table does, over some time."""
    versions = {node: version for node, version, _ in said.values()}
    told = [(node, one) for node, version, one in said.values() if one is not None]
    for later in (0.0, OWNER_WITHDRAWN_S + 1):
        claims = [
            Claim(one, WEST, node.router, 1)
            for node, one in told
            if not owners.is_old(one, node, versions[node])
        ]
        claims += [Claim(LIES, LIAR, RouterId("liar"), 1)] if lies else []
        heard = {LIAR: {"x"}} | ({WEST: {"x"} if told else set()} if said else {})
        owners.learn({"x": claims} if claims else {}, heard, now + later, versions)


@given(LIVES, st.booleans(), st.data())
def test_only_newer_words_of_the_owner_change_what_was_kept(
    lives: list[tuple[str, list[int | None]]], has_one_router: bool, data: st.DataObject
) -> None:
    """A site of one router may be heard itself meanwhile; one of several is out of reach."""
    if has_one_router:
        lives = [("a", ports) for _, ports in lives]
    history, owners, now = history_of(lives), Owners(OWN, {}), 0.0
    hear(owners, {}, now)
    for said in history:
        now += 100.0
        hear(owners, {said[0]: said}, now)
    kept = dict(owners.records)
    assert kept["x"].sites == (WEST,)
    since = kept["x"].version(WEST)
    old = [said for said in history if has_one_router or said[1] < since]
    again = Owners(OWN, kept)
    for at in range(data.draw(st.integers(0, 5)) if old else 0):
        database = data.draw(st.lists(st.sampled_from(old), max_size=3))
        held = {one[0]: one for one in sorted(database, key=lambda one: one[1])}
        hear(again, held, 100.0 * at, lies=True)
        owner = again.records["x"]
        assert (owner.sites, owner.content) == (kept["x"].sites, kept["x"].content)


@given(LIVES)
def test_whatever_was_kept_newer_words_withdraw(lives: list[tuple[str, list[int | None]]]) -> None:
    history, owners, now = history_of(lives), Owners(OWN, {}), 0.0
    for said in history:
        now += 100.0
        hear(owners, {said[0]: said}, now)
    again = Owners(OWN, dict(owners.records))
    node, (epoch, sequence), _ = history[-1]
    hear(again, {node: (node, (epoch, sequence + 2), None)}, 0.0)
    assert "x" not in again.records
    taken = Owners(OWN, {"x": Owner((WEST,), "")})
    hear(taken, {node: (node, (1, 1), None)}, 0.0)
    assert "x" not in taken.records, "kept without a version"
