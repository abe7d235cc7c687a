"""A site that newly has targets of a service of another: told once, shown for a while."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from router.model.ids import RouterId, ServiceKey, SiteId
from router.model.limits import (
    KNOWN_OFFERS_MAX,
    NEW_OFFER_EVENTS_BURST,
    NEW_OFFER_NOTES_MAX,
    NEW_OFFER_SHOWN_S,
    NEW_OFFERS_LEARN_S,
)
from router.model.messages.adverts import RemoteCandidate
from router.model.rights.grants import OFFER, ServiceGrant
from router.model.rights.owners import Owner
from router.model.rights.sharing import Sharing, SharingRules
from router.node.news.new_offers import SAVE_AFTER_S, NewOffers
from router.process.state import OFFERS_FILE, FileKeeper
from router.routing.declared import Declared
from router.routing.table import RouteTable
from tests.simulation.tables import sizes
from tests.unit.journal import Journal
from tests.unit.node.test_bar_news import EAST, MID, TABLE, WEST
from tests.unit.routing.fakes import declare
from tests.unit.virtual_time import VirtualTime


def candidate(site: SiteId, barred: str = "") -> RemoteCandidate:
    return RemoteCandidate(
        site=site,
        site_name=site[:4],
        router=RouterId(site[:8]),
        path_cost=1,
        paths=((RouterId(site[:8]),),),
        targets_ready=1,
        capacity=None,
        draining=False,
        barred=barred,
    )


def table(*offering: SiteId, services: int = 1, barred: str = "") -> RouteTable:
    """Services that mid declares, with targets at ``offering``."""
    names = [f"shop-{number}" for number in range(services)]
    return msgspec.structs.replace(
        TABLE,
        candidates={
            ServiceKey(name, 80): tuple(candidate(site, barred) for site in offering)
            for name in names
        },
        declarations={
            name: Declared(declaration=declare(name), site=MID, reachable=True, conflicts=())
            for name in names
        },
    )


class Clock(VirtualTime):
    """Time that passes, with the timers that fall due."""

    def __init__(self) -> None:
        super().__init__(0.0)

    def at_turn_end(self, callback: Callable[[], None]) -> None:
        self.call_at(self.now(), callback)

    def advance(self, seconds: float) -> None:
        end = self.now() + seconds
        self.call_at(end, lambda: None)
        while self.next_at <= end:
            self.fire_first()


class Life:
    """Lives of a router in one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.time, self.journal = directory, Clock(), Journal()
        self.begin()

    def begin(self) -> None:
        keeper = FileKeeper(self.directory / "state.json")
        self.offers = NewOffers(keeper, self.journal.tell, self.time)

    def hear(self, heard: RouteTable) -> list[str]:
        self.offers.table_changed(heard)
        return self.journal.told()


@pytest.fixture
def life(tmp_path: Path) -> Life:
    """Of a router that has learned that no site offers anything."""
    found = Life(tmp_path)
    found.hear(table())
    found.time.advance(NEW_OFFERS_LEARN_S)
    return found


def test_a_new_site_is_told_once_noted_and_in_why_for_an_hour(life: Life) -> None:
    heard = table(MID, EAST, WEST)
    assert life.hear(heard) == ["offer-new"], "not of who declares it, nor of ourselves"
    life.time.advance(12)
    assert not life.hear(table(MID)) and not life.hear(heard)
    said = "was first seen here to offer shop-0 of mid 12 s ago; approved: auto"
    assert life.offers.note_of("shop-0", EAST, heard) == said
    assert not life.offers.note_of("shop-0", MID, heard)
    (note,) = life.offers.notes(heard, ())
    assert note.message == f"Site east (eeeeeeee) {said}."
    assert not life.offers.notes(table(MID), ()), "it is gone"
    life.time.advance(NEW_OFFER_SHOWN_S)
    assert not life.offers.notes(heard, ()) and not life.offers.note_of("shop-0", EAST, heard)


def test_targets_at_a_port_that_the_declaration_here_lacks_are_no_offer(life: Life) -> None:
    """Two sites declared one name with different ports; the note said that requests come there."""
    heard = table(MID, EAST)
    (offers,) = heard.candidates.values()
    other = msgspec.structs.replace(heard, candidates={ServiceKey("shop-0", 81): offers})
    assert not life.hear(other) and not life.offers.notes(other, ())
    assert life.hear(heard) == ["offer-new"], "once the port is declared"


def test_targets_of_the_owner_are_no_new_offer_where_another_declaration_counts(life: Life) -> None:
    """A site that declares the name as well, later, uses its own declaration."""
    owners = {"shop-0": Owner(sites=(EAST,), content="")}
    owned = msgspec.structs.replace(table(MID, EAST, WEST), owners=owners)
    assert not life.hear(owned)
    assert not life.offers.notes(owned, ())
    assert life.offers.take_unvouched() == [], "it does not start small"


def test_an_offer_of_a_service_that_this_site_declares_too_is_of_the_site_that_owns_it(
    life: Life,
) -> None:
    """The message and its next step name one and the same site."""
    stranger = SiteId("f" * 32)
    mine = Declared(declaration=declare("shop-0"), site=WEST, reachable=True, conflicts=())
    owned = msgspec.structs.replace(
        table(MID, stranger),
        declarations={"shop-0": mine},
        owners={"shop-0": Owner(sites=(MID,), content="")},
    )
    life.offers.table_changed(owned)
    ((_, told),) = life.journal.messages
    assert told.endswith(
        "has targets of shop-0, which mid declares. This site knew of none there before."
    )
    (note,) = life.offers.notes(owned, ())
    assert "was first seen here to offer shop-0 of mid " in note.message
    assert "at mid: sitectl service grant shop-0" in note.hint


def declared_by(site: SiteId, *offering: SiteId) -> RouteTable:
    """As `table`; ``site`` owns the name and declares it."""
    word = Declared(declaration=declare("shop-0"), site=site, reachable=True, conflicts=())
    owners = {"shop-0": Owner(sites=(site,), content="")}
    return msgspec.structs.replace(table(*offering), declarations={"shop-0": word}, owners=owners)


def test_who_hands_a_service_over_had_targets_before_and_who_gets_it_offers_its_own(
    life: Life,
) -> None:
    assert life.hear(declared_by(MID, MID)) == []
    assert life.hear(declared_by(MID, MID, EAST)) == ["offer-new"]
    without_our_fields = declared_by(EAST, MID, EAST)
    assert life.hear(without_our_fields) == [], "mid has had targets all the time"
    assert not life.offers.note_of("shop-0", EAST, without_our_fields), "the owner's"
    assert not life.offers.note_of("shop-0", MID, without_our_fields)
    assert not life.offers.notes(without_our_fields, ())
    assert life.hear(declared_by(MID, MID, EAST)) == []
    assert life.offers.note_of("shop-0", EAST, declared_by(MID, MID, EAST))


def test_who_loses_a_service_while_out_of_reach_had_targets_before(life: Life) -> None:
    mine = declared_by(MID, MID)
    away = {**mine.sites, MID: msgspec.structs.replace(mine.sites[MID], reachable=False)}
    assert not life.hear(mine)
    assert not life.hear(msgspec.structs.replace(declared_by(MID), sites=away))
    assert not life.hear(msgspec.structs.replace(declared_by(EAST), sites=away))
    assert not life.hear(declared_by(EAST, MID)), "mid owned the service when it was lost"


def test_a_restart_is_no_flood_of_events_and_forgets_nobody(life: Life) -> None:
    life.hear(table(EAST, services=5))
    life.time.advance(SAVE_AFTER_S)
    life.begin()
    assert not life.hear(table(EAST, services=5))
    stranger = SiteId("f" * 32)
    assert life.hear(table(EAST, stranger)) == ["offer-new"], "no moments of learning again"


def test_what_is_new_is_still_noted_after_a_restart_for_what_is_left_of_its_hour(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = life.time.now()
    monkeypatch.setattr("router.process.state.time.time", lambda: 1e9 + life.time.now())
    heard = table(EAST)
    life.hear(heard)
    life.time.advance(SAVE_AFTER_S)
    life.begin()
    life.time.advance(NEW_OFFER_SHOWN_S / 2)
    life.begin()
    (note,) = life.offers.notes(heard, ())
    assert "was first seen here to offer shop-0 of mid 30 min 1 s ago" in note.message
    life.time.advance(began + NEW_OFFER_SHOWN_S - life.time.now())
    assert not life.offers.notes(heard, ())
    life.begin()
    assert not life.offers.notes(heard, ())


def test_many_new_offers_hide_neither_a_used_service_nor_the_one_known_longest(
    life: Life,
) -> None:
    many = 4 * NEW_OFFER_NOTES_MAX
    owners = {name: Owner((MID,), "") for name in ("shop-7", *(f"shop-{n}" for n in range(many)))}
    heard = msgspec.structs.replace(table(EAST, services=many), owners=owners)
    life.hear(heard)
    first, second, *_, last = life.offers.notes(heard, {"shop-9"})
    assert "to offer shop-9 of mid" in first.message
    assert "to offer shop-7 of mid" in second.message
    assert {first.code, last.code} == {"SW0347"}
    beyond = many - NEW_OFFER_NOTES_MAX
    assert last.message.startswith(f"{beyond} more offers of services that other sites declare")
    assert last.message.endswith(f" at east (eeeeeeee) and {beyond - 3} more.")


def test_a_router_that_never_ran_learns_who_is_there(tmp_path: Path) -> None:
    """Its first link may come late: sites that were there before are no new ones."""
    life = Life(tmp_path)
    alone = msgspec.structs.replace(table(), sites={WEST: TABLE.sites[WEST]})
    assert not life.hear(alone)
    life.time.advance(NEW_OFFERS_LEARN_S)
    assert not life.hear(alone)
    life.time.advance(NEW_OFFERS_LEARN_S)
    assert not life.hear(table(EAST, services=3))
    life.time.advance(NEW_OFFERS_LEARN_S)
    assert not life.hear(table(EAST, services=3))
    assert life.hear(table(EAST, services=4)) == ["offer-new"]


def test_whom_nobody_vouches_for_starts_small_and_whom_the_owner_granted_does_not(
    life: Life,
) -> None:
    life.hear(table(EAST))
    assert life.offers.take_unvouched() == [("shop-0", EAST)]
    stranger = SiteId("f" * 32)
    owner = Owner((MID,), "", (ServiceGrant(stranger, (OFFER,)),))
    heard = msgspec.structs.replace(table(EAST, stranger), owners={"shop-0": owner})
    assert life.hear(heard) == ["offer-new"]
    assert life.offers.take_unvouched() == []
    assert life.offers.note_of("shop-0", stranger, heard).endswith("approved: granted")
    (note,) = life.offers.notes(heard, ())
    assert note.message.startswith("Site east "), "the owner approved the other one"


def test_a_grant_of_the_owner_ends_the_note(life: Life) -> None:
    life.hear(table(EAST))
    (note,) = life.offers.notes(table(EAST), ())
    command = "sitectl service grant shop-0 --site east --offer"
    assert note.hint.startswith(f"If it is meant, at mid: {command}. If it should have none, ")
    owner = Owner((MID,), "", (ServiceGrant(EAST, (OFFER,)),))
    granted = msgspec.structs.replace(table(EAST), owners={"shop-0": owner})
    assert not life.offers.notes(granted, ())


def test_an_offer_of_a_site_that_a_rule_names_is_no_note(life: Life) -> None:
    heard = table(EAST)
    life.hear(heard)
    for imports in (("*",), None):
        rules = SharingRules({"shop-0": Sharing(import_from=imports)})
        assert life.offers.notes(heard, (), rules)
        assert life.offers.note_of("shop-0", EAST, heard, rules).endswith("approved: auto")
    for named in ({"shop-0": Sharing(import_from=(EAST,))}, {"*": Sharing(import_from=(EAST,))}):
        assert not life.offers.notes(heard, (), SharingRules(named))
        note = life.offers.note_of("shop-0", EAST, heard, SharingRules(named))
        assert note.endswith("approved: importFrom")


def test_what_an_import_rule_keeps_out_is_none(life: Life) -> None:
    assert not life.hear(table(EAST, barred="importFrom"))


def test_one_that_offers_everything_fills_neither_journal_nor_memory(life: Life) -> None:
    life.hear(table(EAST))
    liar = SiteId("f" * 32)
    told = life.hear(table(liar, services=KNOWN_OFFERS_MAX + 10))
    assert len(told) == NEW_OFFER_EVENTS_BURST
    assert len(life.offers.notes(table(liar, services=50), ())) == NEW_OFFER_NOTES_MAX + 1
    life.time.advance(SAVE_AFTER_S)
    kept = msgspec.json.decode((life.directory / OFFERS_FILE).read_bytes())
    assert sum(map(len, kept.values())) == KNOWN_OFFERS_MAX
    assert EAST in [site for site, _ in kept["shop-0"]]
    assert life.hear(table(MID, SiteId("a" * 32))) == ["offer-new"], "others find room"
    assert not life.hear(table(liar, services=KNOWN_OFFERS_MAX + 10)), "and it none"


def test_sites_that_give_way_to_others_leave_nothing(life: Life) -> None:
    life.hear(table(*(SiteId(f"{number:032x}") for number in range(KNOWN_OFFERS_MAX + 20))))
    assert sizes(life.offers)["NewOffers._counts"] == KNOWN_OFFERS_MAX


def test_a_process_that_follows_tells_and_keeps_nothing(tmp_path: Path) -> None:
    worker = tmp_path / "worker"
    worker.mkdir()
    keeper = FileKeeper(worker / "state.json", shared=tmp_path)
    journal, time = Journal(), Clock()
    offers = NewOffers(keeper, journal.tell, time)
    time.advance(NEW_OFFERS_LEARN_S)
    offers.table_changed(table(EAST))
    assert not journal.told() and not offers.notes(table(EAST), ())
