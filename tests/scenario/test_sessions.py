"""Session affinity of each kind, at two real sites with plain clients."""

import contextlib
import socket
from collections.abc import Iterator
from functools import partial

import pytest

from tests.scenario.backends import HttpTarget
from tests.scenario.clients import Answer, ask, fetch, read_all
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import until

CART_PORT, USER_PORT, PEER_PORT, LINE_PORT = range(SHOP_PORT + 10, SHOP_PORT + 14)
PORTS = {"cart": CART_PORT, "user": USER_PORT, "peer": PEER_PORT}
OTHER_CLIENT = "127.0.0.77"


class Pair:
    """Two targets with one slot each at both sites; clients of an http service come in at near."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.near, self.far = near, far = net.site("near"), net.site("far")
        near.declare("cart", CART_PORT, affinity={"by": "cookie"})
        near.declare("user", USER_PORT, affinity={"by": "header", "name": "X-User"})
        near.declare("peer", PEER_PORT, affinity={"by": "client"})
        near.declare("line", LINE_PORT, protocol="tcp", affinity={"by": "client"})
        self.targets: dict[str, list[HttpTarget]] = {}
        for site in (near, far):
            for service in PORTS:
                targets = [net.http(f"{site.name}-{number}") for number in range(2)]
                site.connect(service, *targets, capacity=1)
                self.targets[f"{service} {site.name}"] = targets
            site.connect("line", *(net.tcp(f"{site.name}-{n}") for n in range(2)), capacity=2)
        net.link(near, far, 5)
        net.start()
        net.see_each_other()
        for service in (*PORTS, "line"):
            net.ready(service, {"near": 2, "far": 2})

    @contextlib.contextmanager
    def near_full(self, service: str) -> Iterator[None]:
        """Both slots of near are taken by others, who pin no session that a test uses."""
        targets = self.targets[f"{service} near"]
        for target in targets:
            target.hold()
        place = (self.near.address, PORTS[service])
        with contextlib.ExitStack() as stack:
            doors = [
                stack.enter_context(socket.create_connection(place, 10, (OTHER_CLIENT, 0)))
                for _ in targets
            ]
            for door in doors:
                door.sendall(b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")
            until(lambda: sum(target.in_hand for target in targets) == 2, "near is full")
            try:
                yield
            finally:
                for target in targets:
                    target.release()
            assert all(read_all(door).startswith(b"HTTP/1.1 200") for door in doors)
        self.net.at_rest(service)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """The two sites, once for all tests of this file."""
    with Network(tmp_path_factory.mktemp("sessions")) as net:
        yield Pair(net)


def get(site: Site, service: str, **headers: str) -> Answer:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = fetch(site.address, PORTS[service], headers=fields)
    assert answer.status == 200, answer
    return answer


def test_a_cookie_keeps_a_client_at_its_site_and_target_from_any_ingress(pair: Pair) -> None:
    near, far = pair.near, pair.far
    with pair.near_full("cart"):
        first = get(near, "cart")
    assert first.site.startswith("far-")
    cookie, _, attributes = first.headers["set-cookie"].partition("; ")
    assert attributes == "Path=/; HttpOnly; SameSite=Lax"
    for site in (near, far, near):
        again = get(site, "cart", Cookie=f"theme=dark; {cookie}")
        assert again.site == first.site, "near has room, and it stays"
        assert "set-cookie" not in again.headers
    (target,) = (one for one in pair.targets["cart far"] if one.name == first.site)
    assert [seen.all("cookie") for seen in target.seen[-3:]] == [["theme=dark"]] * 3
    value = cookie.partition("=")[2]
    shown = near.json("why", "cart", "--cookie", value)
    assert shown["affinity"] == {"by": "cookie", "name": "spillway-cart"}
    assert shown["decision"] == {
        "site": "far",
        "path": ["far"],
        "reason": "session stays at far",
        "text": "session stays at far",
    }
    assert shown["session"]["site"] == "far"
    assert near.json("why", "cart")["decision"]["site"] == "near"
    assert "Sessions: requests alike in cookie spillway-cart" in near.ctl("why", "cart").out
    near.ctl("why", "cart", "--client", "127.0.0.1", code=2)


def test_a_cookie_moves_with_a_session_that_had_to_yield(pair: Pair) -> None:
    first = get(pair.near, "cart")
    assert first.site.startswith("near-")
    cookie = first.headers["set-cookie"].partition(";")[0]
    with pair.near_full("cart"):
        value = cookie.partition("=")[2]
        shown = pair.near.json("why", "cart", "--cookie", value)
        assert shown["decision"]["reason"] == "session yields: near is full"
        moved = get(pair.near, "cart", Cookie=cookie)
    assert moved.site.startswith("far-")
    new = moved.headers["set-cookie"].partition(";")[0]
    assert new != cookie
    assert get(pair.near, "cart", Cookie=new).site == moved.site


def test_a_forged_cookie_is_replaced(pair: Pair) -> None:
    answer = get(pair.near, "cart", Cookie="spillway-cart=../../etc/passwd; a=b")
    assert answer.site.startswith("near-")
    assert "set-cookie" in answer.headers


def _is_counted(pair: Pair, line: str) -> bool:
    return line in pair.near.metrics()


def test_a_header_keeps_a_user_at_its_site_and_target(pair: Pair) -> None:
    with pair.near_full("user"):
        first = get(pair.near, "user", X_User="ann")
    assert first.site.startswith("far-")
    assert {get(pair.near, "user", X_User="ann").site for _ in range(4)} == {first.site}
    assert get(pair.near, "user").site.startswith("near-"), "no session, no affinity"
    for reason, count in (("full", 1), ("session", 4)):
        labels = f'port="{PORTS["user"]}",reason="{reason}",service="user",to="far"'
        counted = f"spillway_spilled_total{{{labels}}} {count}.0"
        until(partial(_is_counted, pair, counted), counted)
    shown = pair.near.json("why", "user", "--header", "ann")
    assert shown["decision"]["reason"] == "session stays at far"
    here = get(pair.near, "user", X_User="bob")
    assert {get(pair.near, "user", X_User="bob").site for _ in range(4)} == {here.site}
    target = pair.near.json("why", "user", "--header", "bob")["session"]["target"]
    number = next(int(t.name[-1]) for t in pair.targets["user near"] if str(t.port) in target)
    assert here.site == f"near-{number}"


def test_a_client_keeps_its_site_and_target(pair: Pair) -> None:
    with pair.near_full("peer"):
        first = get(pair.near, "peer")
    assert first.site.startswith("far-")
    assert {get(pair.near, "peer").site for _ in range(4)} == {first.site}
    shown = pair.near.json("why", "peer", "--client", "127.0.0.1")
    assert shown["session"]["site"] == "far"


def test_a_tcp_client_keeps_its_site_and_target_while_there_is_room(pair: Pair) -> None:
    place = (pair.near.address, LINE_PORT)
    with contextlib.ExitStack() as stack:

        def connect(client: str) -> tuple[str, socket.socket]:
            door = socket.create_connection(place, 10, source_address=(client, 0))
            stack.enter_context(door)
            return ask(door, "name"), door

        first, door = connect("127.0.0.9")
        door.close()
        pair.net.at_rest("line")
        held = [connect("127.0.0.9")[0] for _ in range(4)]
        assert held[:2] == [first, first], "its target, while that has room"
        assert set(held[2:]) == {"near-0", "near-1"} - {first}, "then the site's other one"
        away = connect("127.0.0.9")[0]
        assert away.startswith("far-")
        assert connect("127.0.0.9")[0] == away, "it is there now"
    pair.net.at_rest("line")
    shown = pair.near.json("why", "line", "--client", "127.0.0.9")
    assert shown["decision"]["reason"] == "session stays at far"
