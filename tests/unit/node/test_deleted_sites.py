"""Sites that were deleted: told once, known for as long as a link may lead there."""

import msgspec

from router.link.sessions.link_status import LinkStatus
from router.model.ids import SiteId
from router.model.limits import DELETED_EVENTS_BURST, SITE_NAMES_MAX
from router.node.news.deleted_sites import DeletedSites
from router.routing.names import Names
from router.routing.table import RouteTable
from tests.unit.journal import Journal
from tests.unit.node.test_absent_sites import FAR, HERE, NEAR, router_of, table

LINK = LinkStatus(
    name="link1",
    neighbour_name="far",
    neighbour_site=FAR,
    neighbour_router=router_of(FAR),
    direction="outgoing",
    cost=1,
    state="down",
    since=0.0,
    rtt_s=None,
    lanes=0,
    streams=0,
    error="refused the connection",
    error_code="",
    bytes_in=0,
    bytes_out=0,
)


class Routing:
    """Gives the table to `Names`."""

    def __init__(self) -> None:
        self.table = table(reachable=(NEAR, FAR))


class Watched:
    """A site that hears of one table after the other."""

    def __init__(self, *, leads: bool = True) -> None:
        self.journal = Journal()
        self.names = Names(Routing(), HERE)  # type: ignore[arg-type]
        self.recorded: list[SiteId] = []
        record = self.recorded.append
        self.deleted = DeletedSites(self.journal.tell, self.names, record, 0.0, leads=leads)

    def hears(self, known: RouteTable, now: float = 0.0) -> None:
        self.names.table_changed(known)
        self.deleted.table_changed(known, now)

    def is_deleted(self, site: SiteId) -> bool:
        line = msgspec.structs.replace(LINK, neighbour_site=site)
        return self.deleted.seen(line).error_code == "deleted"


def without(*gone: SiteId) -> RouteTable:
    known = table(reachable=(NEAR, FAR))
    left = {site: route for site, route in known.sites.items() if site not in gone}
    return msgspec.structs.replace(known, sites=left, deleted=frozenset(gone))


def test_one_that_was_reached_is_told_once_and_known_until_it_is_back() -> None:
    site = Watched()
    site.hears(table(reachable=(NEAR, FAR)))
    assert not site.is_deleted(FAR)
    site.hears(without(FAR))
    site.hears(without(FAR))
    assert (site.journal.told(), site.recorded) == (["site-deleted"], [FAR])
    site.hears(msgspec.structs.replace(without(FAR), deleted=frozenset()))  # Its LSA aged out.
    assert site.is_deleted(FAR) and not site.is_deleted(NEAR)
    site.hears(table(reachable=(NEAR, FAR)))
    assert not site.is_deleted(FAR)
    site.hears(without(FAR))
    assert site.journal.told() == ["site-deleted"]


def test_one_that_left_the_table_before_it_was_said_to_be_deleted_is_told_too() -> None:
    """An edge holds only the services that it uses: the row of the site goes first."""
    watched = Watched()
    watched.hears(table(reachable=(NEAR, FAR)))
    gone = without(FAR)
    watched.hears(msgspec.structs.replace(gone, deleted=frozenset()))
    assert not watched.is_deleted(FAR)
    watched.hears(gone)
    assert watched.is_deleted(FAR)
    assert watched.journal.codes == ["site-deleted"]
    assert watched.deleted.known_before == 1


def test_who_was_never_here_is_no_news_and_who_follows_tells_nothing() -> None:
    late, follower = Watched(), Watched(leads=False)
    late.hears(without(FAR))
    follower.hears(table(reachable=(NEAR, FAR)))
    follower.hears(without(FAR))
    for site in (late, follower):
        assert site.journal.told() == []
        assert site.is_deleted(FAR)


def test_a_link_there_says_so_unless_it_is_up() -> None:
    site = Watched()
    site.hears(without(FAR))
    told = site.deleted.seen(LINK)
    assert (told.error, told.error_code, told.state) == ("far was deleted", "deleted", "down")
    for state in ("up", "draining"):
        line = msgspec.structs.replace(LINK, state=state)
        assert site.deleted.seen(line) is line


def test_a_link_says_so_as_soon_as_its_site_did_before_all_know_that_it_is_gone() -> None:
    site = Watched()
    known = table(reachable=(NEAR, FAR))
    going = msgspec.structs.replace(known.sites[FAR], is_going=True)
    site.hears(msgspec.structs.replace(known, sites={**known.sites, FAR: going}))
    assert site.is_deleted(FAR) and not site.is_deleted(NEAR)
    assert site.journal.told() == []
    site.hears(known)
    assert not site.is_deleted(FAR)


def test_a_member_that_invents_sites_fills_neither_the_memory_nor_the_journal() -> None:
    site = Watched()
    known = table(reachable=(NEAR, FAR))
    one = known.sites[FAR]
    many = [SiteId(f"{number:032x}") for number in range(SITE_NAMES_MAX + 100)]
    crowd = {name: msgspec.structs.replace(one, site=name) for name in many}
    site.hears(msgspec.structs.replace(known, sites={**known.sites, **crowd}))
    site.hears(msgspec.structs.replace(known, deleted=frozenset(many)))
    assert len(site.journal.told()) == DELETED_EVENTS_BURST
    assert sum(map(site.is_deleted, many)) == SITE_NAMES_MAX
