"""Requests that another site has are told as spilled before their answers begin."""

from collections.abc import Callable

import pytest

from router.history.readings import IntervalCounts, change
from router.model.ids import SiteId
from router.model.port_reading import Reading
from tests.unit.exchange.fakes import Party, site_of
from tests.unit.exchange.test_forwarder_http import GET, KEY, POST, Shop

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


class Watched(Shop):
    """Whose figures at site ``a`` are looked at after each step."""

    def __init__(self, here: int = 0, there: int = 1) -> None:
        super().__init__(here=here, there=there, answer=None)
        self.looks = [Reading()]

    def look(self) -> IntervalCounts:
        """The change since the last look."""
        reading = self.a.readings.reading_of(KEY)
        assert reading is not None
        self.looks.append(reading)
        before, after = self.looks[-2:]
        return change(before, after, 5.0)

    def counted(self) -> dict[tuple[SiteId, str], int]:
        """What metrics say: totals that never fall."""
        return dict(self.a.readings.services_snapshot()[0].counters.spilled)

    def asked(self, site: str) -> Party:
        (target,) = [one for one in self.targets[site].serving if one.got]
        return target


@pytest.mark.parametrize("request_bytes", [GET, POST])
@pytest.mark.parametrize("pieces", [[HEAD + b"ok"], [HEAD, b"ok"]], ids=["whole", "in parts"])
def test_it_counts_once_from_when_a_target_there_has_it(
    request_bytes: bytes, pieces: list[bytes]
) -> None:
    shop = Watched()
    shop.client(request_bytes)
    found = shop.look()
    assert (found.begun, found.spilled_to) == (1, {site_of("b"): 1})
    assert (sum(found.spilled.values()), shop.counted()) == (1, {})
    for piece in pieces:
        shop.asked("b").send(piece)
        shop.network.run()
        later = shop.look()
        assert (later.begun, later.spilled_to) == (0, {})
        assert list(shop.counted().values()) == [1]
    (snapshot,) = shop.a.readings.services_snapshot()
    assert snapshot.counters.requests_total == 1


def test_one_that_this_site_serves_never_counts() -> None:
    shop = Watched(here=1)
    shop.client()
    assert shop.look().spilled_to == {}
    shop.asked("a").send(HEAD + b"ok")
    shop.network.run()
    assert (shop.look().spilled_to, shop.counted()) == ({}, {})


def test_one_that_is_tried_elsewhere_instead_counts_there_only() -> None:
    shop = Watched()
    shop.client()
    shop.look()
    shop.asked("b").abort()
    shop.network.run()
    assert shop.look().spilled_to == {site_of("c"): 1}
    shop.asked("c").send(HEAD + b"ok")
    shop.network.run()
    assert shop.look().spilled_to == {}
    assert [site for site, _ in shop.counted()] == [site_of("c")]
    assert change(shop.looks[0], shop.looks[-1], 10.0).spilled_to == {site_of("c"): 1}


def test_one_that_this_site_serves_in_the_end_spilled_nowhere() -> None:
    shop = Watched(here=1)
    shop.client()
    first = shop.asked("a")
    shop.client()
    assert shop.look().spilled_to == {site_of("b"): 1}
    first.send(HEAD + b"ok")
    shop.network.run()
    shop.asked("b").abort()
    shop.network.run()
    last = [one for one in shop.targets["a"].serving if one.got][-1]
    last.send(HEAD + b"ok")
    shop.network.run()
    assert (shop.look().spilled_to, shop.counted()) == ({}, {})
    assert (shop.looks[-1].served, shop.looks[-1].unfinished) == ({site_of("a"): 2}, 0)


def client_leaves(shop: Watched, client: Party) -> None:
    client.abort()


def last_target_breaks_off(shop: Watched, client: Party) -> None:
    shop.asked("b").abort()  # A POST is not repeated.


def site_is_lost(shop: Watched, client: Party) -> None:
    (stream,) = [one for one in shop.mesh.streams if not one.over]
    stream.reset("link-lost")


@pytest.mark.parametrize("ends", [client_leaves, last_target_breaks_off, site_is_lost])
def test_however_it_ends_nothing_stays_pending(ends: Callable[[Watched, Party], None]) -> None:
    shop = Watched()
    client = shop.client(POST)
    shop.look()
    ends(shop, client)
    shop.network.run()
    shop.look()
    assert not shop.looks[-1].pending.spilled
    served = [site for site in shop.looks[-1].served if site]
    counted = [site for site, _ in shop.counted()]
    assert counted == [site for site in served if site != site_of("a")]
