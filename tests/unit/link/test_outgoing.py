"""Whether a link is dialed: each pair of states, by all that its owner does to it."""

import random
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any, cast

import msgspec
import pytest

from router.link.fault import Fault
from router.link.links import ALPN
from router.link.sessions.outgoing import AFTER_DIALING, LinkDialing, OutgoingLink
from router.link.sessions.outgoing_spec import OutgoingSpec
from router.net.ports import DialFailure, Tls
from tests.unit.link.wire import World

GONE = Fault("removed", "the link was deleted")
Event = Callable[[OutgoingLink], None]


class Owner:
    """Asked for no session: no dial succeeds here."""

    def make_session(self, link: OutgoingLink, config: object) -> None:
        raise AssertionError("nobody answers")

    def link_changed(self, name: str) -> None: ...


def _start(link: OutgoingLink) -> None:
    link.start()


def _retry(link: OutgoingLink) -> None:
    link.retry_now()


def _stop(link: OutgoingLink) -> None:
    link.stop(GONE)


def _drain(link: OutgoingLink) -> None:
    link.drain(GONE)


def _retire(link: OutgoingLink) -> None:
    link.retire()


EVENTS: tuple[Event, ...] = (_start, _retry, _stop, _drain, _retire)
WAYS: Mapping[LinkDialing, tuple[Event, ...]] = {
    LinkDialing.NOT_YET: (),
    LinkDialing.ON: (_start,),
    LinkDialing.OVER: (_start, _stop),
}


def following(before: LinkDialing, event: Event) -> LinkDialing:
    if event in (_stop, _drain, _retire) or before is LinkDialing.OVER:
        return LinkDialing.OVER
    return LinkDialing.ON if event is _start else before


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__.strip("_"))
@pytest.mark.parametrize("before", LinkDialing, ids=lambda state: state.name)
def test_each_event_in_each_state_does_what_is_listed(before: LinkDialing, event: Event) -> None:
    world = World()
    world.dial_failure = DialFailure("refused", "hub:1 refused the connection")
    spec = OutgoingSpec(endpoints=(("hub", 1),), tls=Tls(None, b"leaf", (ALPN,)))
    link = OutgoingLink("hub", spec, world, cast(Any, Owner()), random.Random(1))
    for way in WAYS[before]:
        way(link)
        world.settle()
    assert link.dialing is before
    event(link)
    after = link.dialing
    assert after is following(before, event)
    assert after is before or after in AFTER_DIALING[before]
    world.settle()
    dialed = len(world.dials)
    world.advance(60.0)
    assert (len(world.dials) > dialed) is (after is LinkDialing.ON)


def test_with_another_certificate_a_refused_link_is_refused_no_more_until_its_next_dial() -> None:
    world = World()
    world.dial_failure = DialFailure("tls", "certificate refused")
    spec = OutgoingSpec(endpoints=(("hub", 1),), tls=Tls(None, b"leaf", (ALPN,)))
    link = OutgoingLink("hub", spec, world, cast(Any, Owner()), random.Random(1))
    link.start()
    world.settle()
    link.update(spec)
    assert link.state == "refused" and link.error.startswith("certificate refused")
    link.update(msgspec.structs.replace(spec, tls=Tls(None, b"next", (ALPN,))))
    assert (link.state, link.error) == ("connecting", "")
    world.settle()
    assert link.state == "refused"


def test_a_link_without_endpoints_stays_refused_whatever_it_would_show() -> None:
    spec = OutgoingSpec(endpoints=(), tls=Tls(None, b"leaf", (ALPN,)))
    link = OutgoingLink("hub", spec, World(), cast(Any, Owner()), random.Random(1))
    link.start()
    refused = link.state, link.error
    link.update(msgspec.structs.replace(spec, tls=Tls(None, b"next", (ALPN,))))
    assert (link.state, link.error) == refused
    assert refused[0] == "refused"


def test_each_pair_that_the_table_lists_is_one_of_these() -> None:
    seen = {(before, following(before, event)) for before, event in product(LinkDialing, EVENTS)}
    listed = {(before, after) for before in LinkDialing for after in AFTER_DIALING[before]}
    assert {(before, after) for before, after in seen if before is not after} == listed
