"""The sentence about connections of a service that was removed."""

from typing import cast

import msgspec

from router.exchange.readings import Readings
from router.model.ids import ServiceKey, SiteId
from router.model.rights.owners import Owner
from router.model.specs import ServiceSpec
from router.operate.problems.removed_services import (
    changed_sentence,
    not_reached,
    notes,
    sentence,
    still_declared,
)
from tests.unit.node.test_bar_news import EAST, TABLE
from tests.unit.node.test_bar_news import MID as REACHED

DB = ServiceKey("db", 5432)
NAMES = {SiteId(name[0] * 32): name for name in ("far", "near", "mid", "out", "top")}
FAR, NEAR, MID, OUT, TOP = NAMES


class HttpNow:
    """Readings of a site where each service is http."""

    def config_of(self, _key: ServiceKey) -> ServiceSpec:
        return ServiceSpec(protocol="http", ports=(5432,))


def test_this_site_comes_first_and_of_many_sites_only_some_are_named() -> None:
    assert sentence(DB, {FAR: 1}, NEAR, NAMES.__getitem__, {}) == (
        "Service db:5432 was removed, and 1 connection or request of it goes on: 1 at far."
    )
    assert sentence(DB, {FAR: 9, NEAR: 2, MID: 3, OUT: 1, TOP: 1}, NEAR, NAMES.__getitem__, {}) == (
        "Service db:5432 was removed, and 16 connections or requests of it go on: "
        "2 here, 9 at far, 3 at mid and more at 2 other sites."
    )


def test_a_service_of_a_site_that_is_not_reached_is_not_said_to_be_removed() -> None:
    assert sentence(DB, {NEAR: 1}, NEAR, NAMES.__getitem__, {}, "far") == (
        "Service db:5432 is not known here any more, as far is not reached, and 1 connection or "
        "request of it goes on: 1 here."
    )
    gone = SiteId("g" * 32)
    for site, named in ((EAST, "east"), (REACHED, ""), (gone, "the site that declared it")):
        owned = msgspec.structs.replace(TABLE, owners={"db": Owner((site,), content="")})
        assert not_reached(owned, "db") == named
    deleted = msgspec.structs.replace(owned, deleted=frozenset({gone}))
    assert not_reached(deleted, "db") == not_reached(TABLE, "db") == ""


def test_it_names_the_workers_that_do_not_answer() -> None:
    assert sentence(DB, {NEAR: 3}, NEAR, NAMES.__getitem__, {2: 1, 1: 2}) == (
        "Service db:5432 was removed, and 3 connections or requests of it go on: 3 here. "
        "Worker 1 does not answer: it had 2 under way by its last report. "
        "Worker 2 does not answer: it had 1 under way by its last report."
    )


def test_a_service_that_silent_workers_still_declare_names_them() -> None:
    assert still_declared("shop", [1]) == (
        "Service shop was removed, but worker 1 has not answered yet, so this site declares it "
        "still and its listeners stay."
    )
    assert still_declared("cart", [1, 3]).startswith(
        "Service cart was removed, but workers 1, 3 have not answered yet,"
    )


def test_of_another_protocol_it_says_as_what_they_began() -> None:
    assert changed_sentence(DB, "http", {"tcp": 1}) == (
        "Service db:5432 is http now, and 1 connection that began as tcp goes on."
    )
    assert changed_sentence(DB, "tcp", {"http": 1, "http2": 2}) == (
        "Service db:5432 is tcp now, and 1 connection that began as http, 2 connections that began "
        "as http2 go on."
    )


def test_a_stop_that_waits_for_connections_is_not_said_to_end_them_at_once() -> None:
    [note] = notes({}, {DB: {"tcp": 1}}, cast(Readings, HttpNow()), NEAR, str, {})

    assert note.hint == (
        "They go on until either side closes them. To end them sooner: sitectl stop, then sitectl "
        "start"
    )
