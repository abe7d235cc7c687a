"""What operators hear of sites that others put out."""

from collections.abc import Mapping, Sequence

import msgspec

from router.model.ids import RouterId, SiteId
from router.model.limits import BAR_EVENTS_BURST, BAR_NOTES_MAX
from router.model.persisted import HeldListener
from router.model.rights.owners import NOBODY, Owner
from router.node.news.bar_news import BarNews, bar_note, bar_views, notes_of_bars
from router.node.services.learned_services import LearntServices
from router.node.services.ports import KnownDeclaration, OfferingSite
from router.routing.bars import BarRow
from router.routing.table import RouteTable, SiteRoute
from tests.unit.journal import Journal
from tests.unit.routing.fakes import declare

WEST, MID, EAST = (SiteId(letter * 32) for letter in "wme")
UNTIL = 1_800_000_000


def route(site: SiteId, name: str, *, reachable: bool = True) -> SiteRoute:
    return SiteRoute(
        site=site,
        name=name,
        router=RouterId(name),
        path_cost=1 if reachable else None,
        paths=(),
        next_hops=(),
        neighbours=(),
        version="1",
        reachable=reachable,
        draining=False,
    )


TABLE = RouteTable(
    generation=1,
    site=WEST,
    sites={
        WEST: route(WEST, "west"),
        MID: route(MID, "mid"),
        EAST: route(EAST, "east", reachable=False),
    },
    candidates={},
    declarations={},
    name_conflicts=(),
    next_hops={},
    epochs={},
    adjacencies=(),
)


def barred(*rows: BarRow, put_out: frozenset[SiteId] = frozenset()) -> RouteTable:
    return msgspec.structs.replace(TABLE, bars=tuple(sorted(rows)), put_out=put_out)


def test_a_bar_is_told_when_it_begins_and_ends_and_not_in_between() -> None:
    journal = Journal()
    news = BarNews(journal.tell, leads=True)
    news.table_changed(TABLE, 0.0)
    assert not journal.told()
    news.table_changed(barred(BarRow(EAST, MID, UNTIL)), 1.0)
    assert journal.told() == ["site-barred"]
    news.table_changed(barred(BarRow(EAST, MID, UNTIL + 60)), 2.0)
    assert not journal.told()
    news.table_changed(TABLE, 3.0)
    assert journal.told() == ["site-unbarred"]


def test_a_bar_of_a_site_that_is_not_known_is_no_news() -> None:
    journal = Journal()
    stranger = SiteId("x" * 32)
    table = barred(BarRow(stranger, MID, UNTIL))
    BarNews(journal.tell, leads=True).table_changed(table, 0.0)
    assert not journal.told() and not notes_of_bars(table)


def test_of_several_workers_only_the_one_that_leads_tells_of_a_bar() -> None:
    journal = Journal()
    table = barred(BarRow(EAST, MID, UNTIL))
    for leads in (True, False, False):
        news = BarNews(journal.tell, leads=leads)
        news.table_changed(TABLE, 0.0)
        news.table_changed(table, 1.0)
        news.table_changed(TABLE, 2.0)
    assert journal.told() == ["site-barred", "site-unbarred"]


def test_one_that_bars_to_and_fro_fills_no_journal() -> None:
    journal = Journal()
    news = BarNews(journal.tell, leads=True)
    for turn in range(100):
        table = barred(BarRow(EAST, MID, UNTIL)) if turn % 2 else TABLE
        news.table_changed(table, turn / 10)
    assert len(journal.told()) <= BAR_EVENTS_BURST + 1


def test_notes_say_what_follows_here() -> None:
    row = BarRow(EAST, MID, UNTIL)
    (note,) = notes_of_bars(barred(row, put_out=frozenset({EAST})))
    assert note.message == (
        "mid bars east until 2027-01-15T08:00:00Z: its declarations and targets count for nothing "
        "here."
    )
    assert note.hint == "To let it in again, on mid run: sitectl token create FILE"
    assert notes_of_bars(barred(row))[0].message.endswith("let it in, so it counts here.")
    (own,) = notes_of_bars(barred(BarRow(WEST, MID, UNTIL)))
    assert "sites that reach this one through mid alone" in own.message
    many = [BarRow(EAST, SiteId(f"{n:032x}"), UNTIL) for n in range(100)]
    assert len(notes_of_bars(barred(*many))) == BAR_NOTES_MAX
    assert [view.site for view in bar_views(barred(row), EAST)] == ["mid"]
    assert not bar_views(barred(row), WEST)


def test_a_candidate_that_bars_this_site_says_so() -> None:
    known = barred(BarRow(WEST, MID, UNTIL), BarRow(MID, EAST, UNTIL))
    assert bar_note(known, MID) == (
        "bars west: if it revoked the access of west, it refuses the request"
    )
    assert bar_note(known, EAST) == bar_note(TABLE, MID) == ""


class Keeper:
    """Keeps the learnt declarations."""

    def __init__(self, *kept: KnownDeclaration) -> None:
        self.kept = kept

    def keep_epoch(self, epoch: int) -> None:
        """Not asked."""

    def declared_at(self, name: str) -> float:
        return 0.0

    def keep_declared(self, names: frozenset[str]) -> None:
        """Not asked."""

    def keep_learnt(self, learnt: tuple[KnownDeclaration, ...]) -> None:
        self.kept = learnt

    def learnt(self) -> tuple[KnownDeclaration, ...]:
        return self.kept

    def keep_owners(self, owners: Mapping[str, Owner]) -> None:
        """Not asked."""

    def owners(self) -> Mapping[str, Owner]:
        return NOBODY

    leads = True

    def keep_listeners(self, held: Sequence[HeldListener]) -> None:
        """Not asked."""

    def listeners(self) -> Sequence[HeldListener]:
        return ()

    def keep_known_offers(self, known: Mapping[str, Sequence[OfferingSite]]) -> None:
        """Not asked."""

    def known_offers(self) -> Mapping[str, Sequence[OfferingSite]] | None:
        return None

    def keep_links_down(self, down_for_s: Mapping[str, float]) -> None:
        """Not asked."""

    def links_down(self) -> Mapping[str, float]:
        return {}

    def rule_pins(self) -> Mapping[str, SiteId]:
        return {}

    def keep_rule_pins(self, pins: Mapping[str, SiteId]) -> None:
        """Not asked."""


def test_what_a_site_declared_that_was_put_out_meanwhile_is_not_kept_over_a_restart() -> None:
    keeper = Keeper(
        KnownDeclaration(declare("shop")),
        KnownDeclaration(declare("till")),
        KnownDeclaration(declare("bank", at=1.0)),
    )
    learnt = LearntServices(keeper, 180.0, 0.0)
    assert learnt.declarations().keys() == {"shop", "till", "bank"}
    void = (declare("shop"), declare("bank", at=2.0))
    learnt.table_changed(msgspec.structs.replace(TABLE, void=void), {}, WEST, 1.0)
    assert learnt.declarations().keys() == {"till", "bank"}, "bank is somebody else's"
    learnt.keep(1.0, {"till", "bank"})
    assert {one.declaration.name for one in keeper.kept} == {"till", "bank"}
