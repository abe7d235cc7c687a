"""A link with several endpoints: which wins, at what cost, and the report about the others."""

import msgspec
import pytest

from router.link.fault import Fault
from router.link.sessions.lost_races import judge
from router.link.sessions.outgoing_spec import OutgoingSpec
from router.link.sessions.race import DialOutcome, EndpointAddress, in_order
from router.link.sessions.session_faults import refusal_of_us
from router.model import limits
from router.net.ports import DialCode, DialFailure, Proxy
from tests.unit.link.routers import Router
from tests.unit.link.wire import World

V4, V6 = ("10.0.0.1", "10.0.0.2"), ("2001:db8::1", "2001:db8::2")


def spec(router: Router, *hosts: str, via: Proxy | None = None) -> OutgoingSpec:
    return OutgoingSpec(endpoints=tuple((host, 1) for host in hosts), tls=router.tls, via=via)


def dialed(world: World) -> list[str]:
    return [host for _, host, _ in world.dials]


def state_of(router: Router) -> tuple[str, str]:
    (line,) = router.links.status()
    return line.state, line.error


def test_families_alternate_and_endpoints_take_turns() -> None:
    endpoints = [("a", 1), ("b", 1)]
    places = in_order(endpoints, {"a": (*V6, V4[0]), "b": (V4[1],)}, None)
    assert [place.host for place in places] == [V6[0], V4[1], V6[1], V4[0]]


def test_what_was_good_last_is_first_as_long_as_the_name_has_it() -> None:
    endpoints = [("a", 1)]
    good, gone = EndpointAddress(("a", 1), V4[1]), EndpointAddress(("a", 1), "10.9.9.9")
    assert in_order(endpoints, {"a": V4}, good)[0] == good
    assert [place.host for place in in_order(endpoints, {"a": V4}, gone)] == list(V4)


def test_no_more_addresses_than_the_limit_are_tried() -> None:
    hosts = {f"h{number}": tuple(f"10.{number}.0.{n}" for n in range(16)) for number in range(16)}
    places = in_order([(host, 1) for host in hosts], hosts, None)
    assert len(places) == limits.RACE_ADDRESSES_MAX


def test_a_black_hole_costs_the_stagger_and_not_a_timeout() -> None:
    world = World()
    west = Router(world, "west")
    Router(world, "east")
    world.silent.add(("hole", 1))
    start = world.time
    west.links.set_links({"x": spec(west, "hole", "east")})
    world.settle()
    assert state_of(west)[0] == "connecting"
    world.advance(limits.RACE_STAGGER_S)
    assert state_of(west) == ("up", "")
    assert [(when - start, host) for when, host, _ in world.dials] == [
        (0.0, "hole"),
        (limits.RACE_STAGGER_S, "east"),
        (limits.RACE_STAGGER_S, "east"),  # The data lane goes where the control lane leads.
    ]
    assert west.links.status()[0].endpoint == "east:1"


def test_the_sixteenth_endpoint_is_reached_before_the_first_timed_out() -> None:
    world = World()
    west = Router(world, "west")
    Router(world, "east")
    holes = [f"hole{number}" for number in range(15)]
    world.silent.update((host, 1) for host in holes)
    west.links.set_links({"x": spec(west, *holes, "east")})
    world.advance(15 * limits.RACE_STAGGER_S)
    assert state_of(west) == ("up", "")


def test_no_more_attempts_than_the_limit_are_under_way() -> None:
    world = World()
    west = Router(world, "west")
    many = limits.RACE_ATTEMPTS_MAX + 1
    holes = [f"hole{number}" for number in range(many)]
    world.silent.update((host, 1) for host in holes)
    west.links.set_links({"x": spec(west, *holes)})
    world.advance(limits.LINK_DIAL_TIMEOUT_S - 0.01)
    assert dialed(world) == holes[:-1]
    world.advance(0.02)
    assert dialed(world) == holes


def test_the_next_endpoint_is_taken_when_another_site_answers_at_the_first() -> None:
    world = World()
    west, east = Router(world, "west"), Router(world, "east")
    Router(world, "stranger")
    west.links.set_links(
        {
            "x": msgspec.structs.replace(
                spec(west, "stranger", "east"), expected_site=east.identity.site
            )
        }
    )
    world.settle()
    assert state_of(west) == ("up", "")
    assert west.links.status()[0].endpoint == "east:1"


def test_the_last_good_endpoint_is_dialed_first_when_it_comes_back() -> None:
    world = World()
    west, east = Router(world, "west"), Router(world, "east")
    west.links.set_links({"x": spec(west, "gone", "east")})
    world.settle()
    assert state_of(west)[0] == "up"
    before = len(world.dials)
    for wire in world.wires:
        wire.break_()
    world.advance(limits.RECONNECT_MIN_S)
    assert state_of(west)[0] == "up"
    assert dialed(world)[before] == "east"
    assert east.links.status()[0].state == "up"


def test_the_last_good_endpoint_is_tried_again_while_another_one_is_silent() -> None:
    world = World()
    west, _ = Router(world, "west"), Router(world, "east")
    west.links.set_links({"x": spec(west, "hole", "east")})
    world.silent.add(("hole", 1))
    world.advance(limits.RACE_STAGGER_S)
    assert state_of(west)[0] == "up"
    world.refusals["east", 1] = DialFailure("refused", "east:1 refused")
    for wire in list(world.wires):
        wire.break_()
    world.advance(limits.RECONNECT_MIN_S + 0.1)  # East has refused, and the hole is silent.
    assert state_of(west)[0] == "down" and world.dials[-1][1] == "hole"
    del world.refusals["east", 1]
    world.advance(limits.RACE_AGAIN_S)
    assert state_of(west) == ("up", "")


def test_losers_are_cancelled_and_never_heard_of() -> None:
    world = World()
    west, east = Router(world, "west"), Router(world, "east")
    world.names["both"] = V4
    world.silent.add((V4[0], 1))
    world.listeners[V4[1], 1] = world.listeners["east", 1]
    west.links.set_links({"x": spec(west, "both")})
    world.advance(limits.LINK_DIAL_TIMEOUT_S + 1)
    assert state_of(west) == ("up", "")
    assert len(east.links.status()) == 1
    assert west.links.status()[0].endpoint == f"both:1 ({V4[1]})"


def test_the_error_lists_everything_that_was_tried() -> None:
    world = World()
    west = Router(world, "west")
    world.silent.add((V4[0], 1))
    west.links.set_links({"x": spec(west, V4[0], V6[0])})
    world.advance(limits.LINK_DIAL_TIMEOUT_S + 0.1)
    state, error = state_of(west)
    assert state == "down"
    assert error.startswith(f"{V6[0]}:1 refused; {V4[0]}:1 did not answer. Is the neighbor")


def test_a_name_without_an_address_does_not_hold_up_the_others() -> None:
    world = World()
    west = Router(world, "west")
    Router(world, "east")
    world.names["nowhere"] = ()
    west.links.set_links({"x": spec(west, "nowhere", "east")})
    world.settle()
    assert state_of(west) == ("up", "")


def test_a_name_that_is_resolved_late_joins_its_race_though_another_endpoint_is_silent() -> None:
    world = World()
    west = Router(world, "west")
    Router(world, "east")
    world.silent.add(("hole", 1))
    world.names["late"] = ("east",)
    world.slow_names["late"] = 1.0
    west.links.set_links({"x": spec(west, "hole", "late")})
    world.advance(0.99)
    assert dialed(world) == ["hole"]
    world.advance(0.01)
    assert state_of(west) == ("up", "")


def test_a_link_with_nothing_but_unknown_names_backs_off() -> None:
    world = World()
    west = Router(world, "west")
    world.names["nowhere"] = ()
    west.links.set_links({"x": spec(west, "nowhere")})
    world.settle()
    assert state_of(west)[0] == "down"
    assert "nowhere:1 has no address" in state_of(west)[1]
    world.names["nowhere"] = ("east",)
    Router(world, "east")
    world.advance(limits.RECONNECT_MIN_S)
    assert state_of(west)[0] == "up"


def test_a_link_that_is_stopped_in_its_race_dials_no_more() -> None:
    world = World()
    west = Router(world, "west")
    world.silent.update({("a", 1), ("b", 1)})
    west.links.set_links({"x": spec(west, "a", "b")})
    world.settle()
    west.links.set_links({})
    world.advance(60.0)
    assert dialed(world) == ["a"]
    assert west.links.status() == []


@pytest.mark.parametrize(
    ("codes", "state", "is_final"),
    [
        (("timeout", "refused"), "down", False),
        (("tls", "timeout"), "refused", False),
        (("tls", "proxy"), "refused", True),
    ],
)
def test_a_link_is_refused_if_any_end_says_so_and_tried_as_often_as_the_best_allows(
    codes: tuple[str, ...], state: str, is_final: bool
) -> None:
    tried = tuple(
        DialOutcome(EndpointAddress((code, 1), code), DialFailure(code, f"{code} happened"))  # type: ignore[arg-type]
        for code in codes
    )
    verdict = judge(tried)
    assert (verdict.state, verdict.is_final) == (state, is_final)
    assert all(f"{code} happened" in verdict.error for code in codes)


@pytest.mark.parametrize("code", ["exhausted", "error"])
def test_what_fails_here_gives_no_advice_about_the_other_end(code: DialCode) -> None:
    failure = DialFailure(code, "handshake with east:1 failed: MemoryError()")
    verdict = judge((DialOutcome(EndpointAddress(("east", 1), "east"), failure),))
    assert (verdict.state, verdict.error) == ("down", failure.reason)


@pytest.mark.parametrize(
    ("code", "state"),
    [("revocations-damaged", "down"), ("old-certificate", "down"), ("revoked", "refused")],
)
def test_a_neighbour_that_does_not_mean_this_site_has_not_refused_it(code: str, state: str) -> None:
    """So no advice to delete the link appears: it comes up when the neighbor is well."""
    fault = Fault(code, "east admits no site", kind="refused")
    verdict = judge((DialOutcome(EndpointAddress(("east", 1), "east"), fault),))
    assert (verdict.state, verdict.is_final) == (state, True)


@pytest.mark.parametrize(("alert", "code"), [("connection-expired", "expired"), ("lost", "")])
def test_a_certificate_that_has_ended_is_told_from_one_that_is_refused(
    alert: str, code: str
) -> None:
    """Another one is to be had without a token."""
    fault = refusal_of_us(Fault(alert, "the other end says so"))
    verdict = judge((DialOutcome(EndpointAddress(("east", 1), "east"), fault),))
    assert verdict.code == code
    assert "token" not in verdict.error
    assert (verdict.state == "refused") is bool(code)


def test_every_dial_of_a_link_goes_through_its_proxy_which_looks_names_up() -> None:
    world = World()
    west = Router(world, "west")
    Router(world, "east")
    world.names["east"] = ("10.0.0.1",)
    proxy = Proxy(host="proxy", port=3128)
    west.links.set_links({"x": spec(west, "east", via=proxy)})
    world.settle()
    assert world.dials == [(world.time, "east", 1)] * 2
    assert world.vias == [proxy, proxy]


def test_another_proxy_reconnects_and_another_password_does_not() -> None:
    world = World()
    west = Router(world, "west")
    Router(world, "east")
    proxy = Proxy(host="proxy", port=3128, authorization="Basic one")
    other = msgspec.structs.replace(proxy, authorization="Basic two")
    west.links.set_links({"x": spec(west, "east", via=proxy)})
    world.settle()
    west.links.set_links({"x": spec(west, "east", via=other)})
    world.settle()
    assert len(world.dials) == 2
    west.links.set_links({"x": spec(west, "east")})
    world.settle()
    assert len(world.dials) == 4 and world.vias[-1] is None
    assert state_of(west) == ("up", "")


def test_a_new_password_ends_the_pause_after_a_refusal_of_the_proxy() -> None:
    world = World()
    west = Router(world, "west")
    Router(world, "east")
    refusal = DialFailure("proxy", "the proxy http://proxy:3128 wants another authentication")
    world.refusals["east", 1] = refusal
    proxy = Proxy(host="proxy", port=3128, authorization="Basic one")
    west.links.set_links({"x": spec(west, "east", via=proxy)})
    world.settle()
    assert state_of(west) == ("refused", refusal.reason)
    world.refusals.clear()
    other = msgspec.structs.replace(proxy, authorization="Basic two")
    west.links.set_links({"x": spec(west, "east", via=other)})
    world.settle()
    assert state_of(west) == ("up", "")
