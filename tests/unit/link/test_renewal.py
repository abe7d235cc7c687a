"""Renewal of a dialer's certificate over its link, and the link that succeeds the old."""

import pytest

from router.link import control, links
from router.link.fault import Fault
from router.link.neighbour import Neighbour
from router.link.ports import ToldCount
from router.link.sessions.handshake import INTERIOR, RENEWS, Abilities
from router.link.sessions.renewals import Answer, Renewals
from router.model import limits
from router.model.errors import HandshakeRejected, RemoteProtocolError
from router.net.ports import DialFailure, Tls
from tests.unit.link.lanes import Recorder
from tests.unit.link.routers import Router, linked, live_wires
from tests.unit.link.test_draining import serve_out
from tests.unit.link.wire import World


class Issuer:
    """Answers each request at once, unless ``silent``."""

    def __init__(self, site: Router) -> None:
        self.asked: list[tuple[str, bytes, str]] = []
        self.answers: list[Answer] = []
        self.silent = False
        site.links.renewals.renew_by(self)

    def __call__(
        self, neighbour: Neighbour, certificate: bytes, request: str, answer: Answer
    ) -> None:
        self.asked.append((neighbour.name, certificate, request))
        self.answers.append(answer)
        if not self.silent:
            answer(control.Renewed(f"chain of {request}", "cas"))


def renew_leaf(site: Router, leaf: bytes, to: str = "east") -> None:
    site.tls = Tls(None, leaf, site.tls.alpn)
    site.link(to)


def test_a_dialer_gets_what_it_asks_for_by_its_present_certificate() -> None:
    world = World()
    west, east = linked(world)
    issuer = Issuer(east)
    heard: list[control.Renewed | None] = []
    assert west.links.renewals.ask_renewal("to-east", "request", heard.append)
    world.settle()
    assert issuer.asked == [("west", b"leaf of west", "request")]
    assert heard == [control.Renewed("chain of request", "cas")]


def test_one_renewal_is_asked_at_a_time_and_a_lost_answer_is_none() -> None:
    world = World()
    west, east = linked(world)
    Issuer(east).silent = True
    heard: list[control.Renewed | None] = []
    assert west.links.renewals.ask_renewal("to-east", "request", heard.append)
    assert not west.links.renewals.ask_renewal("to-east", "request", heard.append)
    world.advance(limits.RENEW_ANSWER_S)
    assert heard == [None]
    assert west.links.renewals.ask_renewal("to-east", "request", heard.append)
    world.settle()
    east.links.close()
    world.settle()
    assert heard == [None, None], "the link ended"
    assert not west.links.renewals.ask_renewal("to-east", "request", heard.append)


def test_an_answer_that_comes_late_is_dropped() -> None:
    world = World()
    west, east = linked(world)
    issuer = Issuer(east)
    issuer.silent = True
    heard: list[control.Renewed | None] = []
    west.links.renewals.ask_renewal("to-east", "request", heard.append)
    world.advance(limits.RENEW_ANSWER_S)
    issuer.answers[0](control.Renewed("late", ""))
    world.settle()
    assert heard == [None]
    assert west.links.status()[0].state == "up"


def test_whoever_asks_too_often_is_answered_and_gets_nothing() -> None:
    world = World()
    west, east = linked(world)
    issuer = Issuer(east)
    heard: list[control.Renewed | None] = []
    for _ in range(limits.RENEWALS_BURST + 1):
        west.links.renewals.ask_renewal("to-east", "request", heard.append)
        world.settle()
    assert len(issuer.asked) == limits.RENEWALS_BURST
    last = heard[-1]
    assert last is not None and (last.chain, last.reason) == ("", "asked too often")
    world.advance(limits.RENEWALS_EACH_S)
    west.links.renewals.ask_renewal("to-east", "request", heard.append)
    world.settle()
    assert len(issuer.asked) == limits.RENEWALS_BURST + 1


def test_only_the_dialer_asks_and_only_the_acceptor_answers() -> None:
    world = World()
    asked, answered = control.Renew("request"), control.Renewed("", "")
    heard: list[object] = []
    for role, wrong in (("dialler", [asked]), ("acceptor", [answered, control.RenewDue()])):
        renewals = Renewals(
            world,
            role,  # type: ignore[arg-type]
            heard.append,
            asked=lambda request, answer: heard.append(request),
            due=lambda: heard.append("due"),
            misbehaved=lambda: heard.append("misbehaved"),
        )
        for message in wrong:
            with pytest.raises(RemoteProtocolError):
                renewals.receive(message)  # type: ignore[arg-type]
    assert heard == []


def test_renewal_due_is_told_to_those_meant_and_names_the_link_there() -> None:
    world = World()
    west, east = linked(world)
    north = Router(world, "north")
    north.link("east", name="mine")
    world.settle()
    due: list[str] = []
    west.links.renewals.follow_renewals(lambda name: due.append(f"west {name}"))
    north.links.renewals.follow_renewals(lambda name: due.append(f"north {name}"))
    assert east.links.renewals.tell_renewal_due(lambda neighbour: neighbour.name == "north") == 1
    world.settle()
    assert due == ["north mine"]
    assert west.links.renewals.tell_renewal_due(lambda neighbour: True) == 0, "it accepted no link"


def test_an_older_neighbour_hears_nothing_of_renewal(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    with monkeypatch.context() as old:
        old.setattr(links, "INTERIOR", Abilities(INTERIOR.features - {RENEWS}))
        east = Router(world, "east")
    west = Router(world, "west")
    west.link("east")
    east.link("west")
    world.settle()
    assert not west.links.renewals.ask_renewal("to-east", "request", lambda answer: None)
    assert west.links.renewals.tell_renewal_due(lambda neighbour: True) == 0


def test_a_new_leaf_brings_another_link_and_no_stream_is_lost() -> None:
    world = World()
    west, east = linked(world)
    there, back = west.open(east), east.open(west)
    world.settle()
    renew_leaf(west, b"newer leaf of west")
    world.settle()
    fresh = [west.open(east), east.open(west)]
    world.settle()
    newer = [wire for wire in live_wires(world) if wire.right.peer_certificate[:5] == b"newer"]
    assert len(newer) == 2 and len(live_wires(world)) == 4
    shown = {one.certificate for one in east.links.renewals.dialers()}
    assert shown == {b"newer leaf of west", b""}, "the one that drains shows no other one"
    assert [one.names for one in (there, back, *fresh)] == [["accepted"]] * 4
    for site in (west, east):
        assert site.owner.named("down", "draining") == [], "never without a way"
        for stream, _ in site.owner.offered:
            stream.finish(ToldCount(0))
    for one in (there, back, *fresh):
        assert one.stream is not None
        one.stream.finish()
    world.advance(limits.LANE_LINGER_S)
    assert [one.losses for one in (there, back, *fresh)] == [[None]] * 4
    assert [(one.state, one.streams) for one in west.links.status()] == [("up", 0)]
    assert [(one.name, one.state) for one in east.links.status()] == [("west", "up")]
    assert live_wires(world) == newer


def test_a_link_that_cannot_be_succeeded_goes_on_and_tries_again() -> None:
    world = World()
    west, east = linked(world)
    east.owner.rejection = HandshakeRejected("revoked", "not now")
    renew_leaf(west, b"newer leaf of west")
    world.settle()
    assert [one.state for one in west.links.status()] == ["up"]
    handler = west.open(east)
    world.settle()
    assert handler.names == ["accepted"]
    tries = len(east.owner.named("admit"))
    world.advance(limits.SUCCEED_RETRY_MIN_S / 2)
    assert len(east.owner.named("admit")) <= tries + 1, "no storm"
    east.owner.rejection = None
    world.advance(limits.SUCCEED_RETRY_MAX_S)
    assert handler.losses == []
    newest = [wire for wire in live_wires(world) if wire.right.peer_certificate[:5] == b"newer"]
    assert len(newest) == 2


def test_a_link_that_dies_while_it_is_succeeded_is_dialed_as_ever() -> None:
    world = World()
    west, east = linked(world)
    east.owner.rejection = HandshakeRejected("revoked", "not now")
    renew_leaf(west, b"newer leaf of west")
    world.settle()
    east.owner.rejection = None
    east.links.drop(west.identity.site, "away")
    world.advance(limits.RECONNECT_MAX_S * 2)
    assert [one.state for one in west.links.status()] == ["up"]
    assert len(live_wires(world)) == 2


def test_links_that_were_succeeded_are_kept_in_a_bounded_number() -> None:
    world = World()
    west, east = linked(world)
    streams: list[Recorder] = []
    for number in range(2 * limits.LINKS_SUCCEEDED_MAX):
        streams.append(west.open(east))
        renew_leaf(west, b"leaf %d of west" % number)
        world.advance(limits.LANE_LINGER_S)
    assert len(live_wires(world)) == 2 * (limits.LINKS_SUCCEEDED_MAX + 1)
    assert [one for one in streams if one.losses] == streams[: limits.LINKS_SUCCEEDED_MAX]


def test_a_deleted_link_takes_those_with_it_that_it_succeeded() -> None:
    world = World()
    west, east = linked(world)
    handler = west.open(east)
    renew_leaf(west, b"newer leaf of west")
    world.settle()
    assert handler.losses == []
    west.links.set_links({})
    world.advance(limits.DRAIN_GRACE_S + limits.LANE_LINGER_S)
    assert handler.losses == ["link-lost"]
    assert live_wires(world) == []
    assert west.links.status() == [] and west.links.adjacent == {}


def test_a_month_of_weekly_certificates_loses_no_stream() -> None:
    world = World()
    west, east = linked(world)
    long, short = west.open(east), 0
    for number in range(7):
        renew_leaf(west, b"week %d of west" % number)
        for _ in range(20):
            handler = west.open(east)
            world.advance(0.1)
            assert handler.names == ["accepted"]
            serve_out(east.owner.offered[-1][0], handler)
            world.advance(0.1)
            assert handler.losses == [None]
            short += 1
    assert short == 140 and long.losses == []
    assert west.owner.named("down", "draining") == east.owner.named("down", "draining") == []
    serve_out(east.owner.offered[0][0], long)
    world.advance(limits.LANE_LINGER_S)
    assert long.losses == [None]
    assert len(live_wires(world)) == 2


def test_a_link_ends_when_its_dialers_certificate_is_over_and_no_other() -> None:
    world = World()
    west, east = linked(world)
    north = Router(world, "north")
    north.link("east")
    world.settle()
    ended = Fault("certificate-ended", "over")
    out = east.links.renewals.end_outlived(lambda leaf: leaf == b"leaf of west", ended)
    assert out == {west.identity.site}
    world.settle()
    assert {one.name: one.state for one in east.links.status()} == {
        "north": "up",
        "west": "down",
    }
    assert west.links.status()[0].state == "down"


def test_an_old_certificate_of_the_acceptor_brings_another_link() -> None:
    world = World()
    west, east = linked(world)
    handler = west.open(east)
    world.settle()
    old, east.tls = east.tls.certificate, Tls(None, b"newer leaf of east", east.tls.alpn)
    world.listeners[("east", 1)] = (world.listeners[("east", 1)][0], east.tls)
    west.links.renewals.succeed_where(lambda leaf: leaf == old)
    world.settle()
    assert len(live_wires(world)) == 4 and handler.losses == []
    west.links.renewals.succeed_where(lambda leaf: leaf == old)
    world.settle()
    assert len(live_wires(world)) == 4, "the newer one is not old"


CA_IS_ANOTHER = DialFailure("tls", "self-signed certificate in certificate chain")


def dials_of(world: World) -> int:
    return len(world.dials)


def test_a_link_that_was_refused_is_dialed_at_once_when_its_certificate_is_replaced() -> None:
    world = World()
    east, west = Router(world, "east"), Router(world, "west")
    world.dial_failure = CA_IS_ANOTHER
    west.link("east")
    world.settle()
    assert [line.state for line in west.links.status()] == ["refused"]
    world.dial_failure = None
    renew_leaf(west, b"new leaf of west")
    world.settle()
    assert [line.state for line in west.links.status()] == ["up"]
    assert ("admit", b"new leaf of west", "west") in east.owner.events


def test_a_link_whose_certificate_is_replaced_while_it_is_dialed_is_dialed_with_the_new() -> None:
    world = World()
    east, west = Router(world, "east"), Router(world, "west")
    world.silent.add(("east", 1))
    west.link("east")
    world.settle()
    renew_leaf(west, b"new leaf of west")
    world.advance(limits.LINK_DIAL_TIMEOUT_S / 2)
    assert dials_of(world) == 1, "the one under way is not given up"
    world.silent.clear()
    world.dial_failure = CA_IS_ANOTHER
    world.advance(limits.LINK_DIAL_TIMEOUT_S / 2)
    assert dials_of(world) == 2 and west.links.status()[0].state == "refused"
    world.dial_failure = None
    world.advance(limits.RECONNECT_MAX_S - 1.0)
    assert dials_of(world) == 2, "that was the new one"
    world.advance(1.0)
    assert west.links.status()[0].state == "up"
    assert ("admit", b"new leaf of west", "west") in east.owner.events


def test_a_link_that_was_refused_after_it_was_up_comes_back_with_another_certificate() -> None:
    world = World()
    west, east = linked(world)
    east.owner.rejection = HandshakeRejected("revoked", "its access was revoked", "Ask east")
    east.links.drop(west.identity.site, "its access was revoked")
    world.advance(2.0)
    assert [line.state for line in west.links.status()] == ["refused"]
    east.owner.rejection = None
    renew_leaf(west, b"new leaf of west")
    world.settle()
    assert [line.state for line in west.links.status()] == ["up"]


def test_a_link_that_was_refused_waits_while_its_certificate_is_the_same() -> None:
    world = World()
    _, west = Router(world, "east"), Router(world, "west")
    world.dial_failure = CA_IS_ANOTHER
    west.link("east")
    world.settle()
    for _ in range(5):
        west.link("east", cost=2)
        world.advance(1.0)
    assert dials_of(world) == 1


def test_it_is_told_in_which_state_a_link_is() -> None:
    world = World()
    west, told = Router(world, "west"), list[tuple[str, str]]()
    west.links.follow_dialed(lambda name, state: told.append((name, state)))
    west.link("east")
    world.advance(limits.RECONNECT_MAX_S)
    assert told[-1] == ("to-east", "down")
    world.dial_failure = CA_IS_ANOTHER
    world.advance(limits.RECONNECT_MAX_S)
    assert told[-1] == ("to-east", "refused")
    world.dial_failure = None
    east = Router(world, "east")
    world.advance(limits.RECONNECT_MAX_S)
    assert told[-1] == ("to-east", "up")
    told.clear()
    east.links.close()
    world.advance(1.0)
    assert ("to-east", "down") in told


def test_a_site_is_put_out_only_where_no_link_of_ours_leads_to_it() -> None:
    world = World()
    west, east = linked(world)
    east.link("west")
    world.settle()
    assert east.links.renewals.drop_incoming("the CA is gone") == frozenset()
    world.advance(60.0)
    east.specs.clear()
    east.links.set_links(east.specs)
    world.settle()
    assert east.links.renewals.drop_incoming("the CA is gone") == {west.identity.site}
