"""Routers of other versions: their additions are skipped, their demands refused with advice."""

from typing import Any

import msgpack
import pytest

from router.link import control, frames
from router.link.control import GoAway, Hello
from router.model.errors import RemoteProtocolError
from tests.releases import speaking
from tests.unit.link.routers import Router
from tests.unit.link.test_handshake import Dialer
from tests.unit.link.wire import Raw, World

LATER: list[Any] = ["of tomorrow", {"a": [1, None]}, 2.5]
CONTROLS = {name: data for kind, name, data in speaking.written() if kind == "control"}
OPENS = {name: data for kind, name, data in speaking.written() if kind == "open"}


@pytest.mark.parametrize("name", CONTROLS)
def test_what_a_later_version_adds_to_a_message_is_skipped(name: str) -> None:
    data = CONTROLS[name]
    longer = bytes(msgpack.packb([*msgpack.unpackb(data), *LATER]))
    assert control.decode(memoryview(longer)) == control.decode(memoryview(data))


def test_what_a_later_version_adds_to_open_is_skipped() -> None:
    data = OPENS["all fields"]
    longer = bytes(msgpack.packb([*msgpack.unpackb(data), *LATER]))
    assert control.decode_open(memoryview(longer)) == control.decode_open(memoryview(data))


def test_a_hello_of_a_later_minor_with_features_nobody_knows_is_welcome() -> None:
    world = World()
    east = Router(world, "east")
    dialer = Dialer(world, east)
    hello = dialer.hello(minor=control.MINOR + 7, features=("teleport", "time-travel"))
    longer = msgpack.packb([*msgpack.unpackb(control.encode(hello)), *LATER])
    dialer.wire.left.send(frames.encode(frames.CONTROL, 0, longer))
    world.settle()
    dialer.say(control.Proof(dialer.identity.sign(dialer.transcript())))
    assert east.owner.named("up") == [("up", "liar", 1)]


def dialed(*said: control.Message) -> str:
    """What `link status` of a dialer says of an acceptor that says this."""
    world = World()
    west = Router(world, "west")
    world.listen("east", 1, lambda _: Raw(), tls=west.tls)
    west.link("east")
    world.settle()
    for message in said:
        world.wires[0].right.send(frames.encode(frames.CONTROL, 0, control.encode(message)))
    world.settle()
    (line,) = west.links.status()
    assert line.state == "refused", line
    return line.error


def hello_of_east(**changes: object) -> Hello:
    """As the acceptor says it."""
    world = World()
    return Dialer(world, Router(world, "helper"), "east").hello(**changes)


def test_a_required_feature_that_we_lack_is_named_with_who_has_to_be_upgraded() -> None:
    error = dialed(hello_of_east(required=("teleport",)))
    assert error == (
        "east requires teleport, which the router of west lacks. Upgrade the router of west"
    )


def test_the_other_end_reads_the_same_words() -> None:
    world = World()
    dialer = Dialer(world, Router(world, "east"))
    dialer.say(dialer.hello(required=("teleport",)))
    goaway = dialer.goaway()
    assert dialed(goaway) == (
        "the neighbor closed: liar requires teleport, which the router of east lacks. Upgrade "
        "the router of east"
    )


def test_another_version_is_refused_as_such_at_both_ends() -> None:
    world = World()
    dialer = Dialer(world, Router(world, "east"))
    dialer.say(dialer.hello(version=2))
    assert (dialer.goaway().kind, dialer.goaway().code) == ("refused", "version")
    for error in (dialed(dialer.goaway()), dialed(hello_of_east(version=2))):
        assert "speaks version 2 of the link protocol, we 1" in error
        assert "Upgrade the older of the two routers" in error


@pytest.mark.parametrize("fields", [[], [7], ["x", {}, None], [2, "words", ["where", "bytes"]]])
def test_a_hello_of_another_version_may_look_like_anything_after_it(fields: list[Any]) -> None:
    data = bytes(msgpack.packb(["hello", 2, *fields]))
    with pytest.raises(RemoteProtocolError) as raised:
        control.decode(memoryview(data))
    assert raised.value.code == "version"
    world = World()
    dialer = Dialer(world, Router(world, "east"))
    dialer.wire.left.send(frames.encode(frames.CONTROL, 0, data))
    world.settle()
    assert isinstance(dialer.goaway(), GoAway)
    assert dialer.goaway().code == "version"
    assert "version 2" in dialer.goaway().reason
    assert "Upgrade the older" in dialer.goaway().reason + dialer.goaway().hint


def test_a_hello_of_our_version_that_is_no_hello_is_a_bad_message() -> None:
    for fields in (["hello"], ["hello", 1], ["hello", True], ["hello", "2"]):
        with pytest.raises(RemoteProtocolError) as raised:
            control.decode(memoryview(bytes(msgpack.packb(fields))))
        assert raised.value.code == "bad-message"


def test_the_features_that_stand_for_good_are_still_said() -> None:
    interior = control.decode(memoryview(CONTROLS["hello, interior"]))
    edge = control.decode(memoryview(CONTROLS["hello, edge"]))
    assert isinstance(interior, Hello) and isinstance(edge, Hello)
    assert {"edge-table", "sibling"} <= set(interior.features)
    assert "edge" in edge.features
    assert edge.required == ("edge-table",)  # More would shut out the last release.
    assert interior.required == ()
