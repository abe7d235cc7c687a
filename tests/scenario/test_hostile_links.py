"""The link port under attack: strangers, and members that hold a valid certificate and lie.

After each attack the honest link still serves, the router's memory is where it was, and the site's
operator can read what happened.
"""

import itertools
import json
import re
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, product
from pathlib import Path

import msgspec
import pytest

from router.link import control, frames
from router.link.ports import OpenRequest
from router.link.routing_messages import LoadMessage, LsaMessage
from router.link.streams.lane import REFUSALS
from router.model import limits
from router.model.ids import RouterId, SiteId
from router.model.messages.adverts import LoadReport
from router.model.settings import Affinity, ServiceLimits, Timeouts
from router.model.specs import PolicySpec, ServiceSpec
from router.routing.adverts.lsa import ReceivedLsa, decode_lsa, encode_lsa
from tests.corpus import links
from tests.scenario.clients import fetch
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.insider import HostileIdentity, Insider, Said
from tests.scenario.waiting import own_time, until

BACK_PORT = SHOP_PORT + 1
GROWTH_KIB_MAX = 24 * 1024
CANONICAL = b"GET / HTTP/1.1\r\nHost: shop\r\n"


class Siege:
    """`shop` has its only target at ``room``, which is attacked, `back` at ``door``."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.door, self.room = net.site("door"), net.site("room")
        self.target, self.back = net.http("room"), net.http("door")
        self.door.declare("shop")
        self.door.declare("back", BACK_PORT)
        self.room.connect("shop", self.target, capacity=50)
        self.door.connect("back", self.back, capacity=50)
        net.link(self.door, self.room, token="cert")
        self.token = net.token(self.room, "--token-type", "cert")
        net.start()
        net.ready("shop", {"room": 1})
        net.ready("back", {"door": 1})
        self.router = room_router(self.room)
        self.since = self.up_since()
        self.rss_kib = rss_kib(self.room)

    def up_since(self) -> object:
        """When the honest link came up, as its dialer sees it."""
        return self.door.link("room")["since"]

    def serves(self) -> None:
        """The honest link is the one that was up before, and serves both ways."""
        link = self.door.link("room")
        assert (link["state"], link["since"]) == ("up", self.since), link
        assert fetch(self.door.address, SHOP_PORT).status == 200
        assert fetch(self.room.address, BACK_PORT).body == b"door\n"
        assert rss_kib(self.room) - self.rss_kib < GROWTH_KIB_MAX

    def events(self) -> str:
        """All that the attacked site reports to its operator."""
        return json.dumps(self.room.get("events"))

    def open(self, **changes: object) -> OpenRequest:
        """An honest OPEN to `shop`, or one with ``changes``."""
        request = OpenRequest(
            path=(self.router,),
            service="shop",
            port=SHOP_PORT,
            protocol="http",
            ingress=SiteId("e" * 32),
            head=CANONICAL,
        )
        return msgspec.structs.replace(request, **changes)


def room_router(site: Site) -> RouterId:
    """The router id of a site."""
    return RouterId(json.loads((site.directory / "state.json").read_text())["router_id"])


def rss_kib(site: Site) -> int:
    """Memory that the router of a site occupies."""
    status = Path(f"/proc/{site.note_pid()}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


@pytest.fixture(scope="module")
def fresh_siege(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Siege]:
    """The two sites, once for all tests of this file."""
    with Network(tmp_path_factory.mktemp("siege")) as net:
        yield Siege(net)


@pytest.fixture
def siege(fresh_siege: Siege) -> Iterator[Siege]:
    """The two sites, unharmed before and after."""
    yield fresh_siege
    until(lambda: not fresh_siege.room.is_up("mallory"), "the hostile link is down")
    fresh_siege.serves()
    fresh_siege.net.at_rest("shop")


def member(siege: Siege, **changes: object) -> Insider:
    """An insider whose link is up."""
    insider = Insider(siege.token)
    insider.join_network(**changes)
    return insider


# Strangers ---------------------------------------------------------------------------------------


def stranger(siege: Siege, context: ssl.SSLContext | None, first: bytes = b"") -> str:
    """Connect as a stranger with ``context``; return the error, or the answer."""
    with socket.create_connection((siege.room.address, siege.room.link_port), 5.0) as plain:
        try:
            if context is None:
                plain.sendall(first)
                answer = plain.recv(4096)
                assert answer[:1] in (b"", b"\x15"), answer  # Nothing, or an alert of TLS.
                return ""
            with context.wrap_socket(plain) as secured:
                secured.sendall(first or b"hello")
                return secured.recv(4096).hex()
        except OSError as error:
            return str(error)


def careless(
    alpn: tuple[str, ...] = ("spillway/1",), newest: ssl.TLSVersion | None = None
) -> ssl.SSLContext:
    """A client that accepts any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if newest is not None:
        context.maximum_version = newest
    return context


def test_strangers_get_not_one_byte_and_the_operator_reads_why(siege: Siege) -> None:
    for context, first in (
        (None, b"GET / HTTP/1.1\r\n\r\n"),
        (None, bytes(range(256)) * 8),
        (careless(newest=ssl.TLSVersion.TLSv1_2), b""),
        (careless(alpn=()), b""),
        (careless(alpn=("h2",)), b""),
        (careless(), b""),  # No certificate.
    ):
        answer = stranger(siege, context, first)
        assert not answer or "alert" in answer.lower() or "reset" in answer, answer
    told = siege.events()
    assert "link-refused" in told
    assert "showed no certificate" in told


def test_a_certificate_of_another_ca_is_refused(siege: Siege) -> None:
    token = siege.net.token(siege.door, "--token-type", "cert")
    foreign = Insider.context_of(token)
    foreign.check_hostname = False
    foreign.verify_mode = ssl.CERT_NONE
    answer = stranger(siege, foreign)
    assert "alert" in answer or "reset" in answer, answer


def test_hundreds_of_half_open_handshakes_do_not_keep_a_member_out(siege: Siege) -> None:
    held = [
        socket.create_connection((siege.room.address, siege.room.link_port), 5.0)
        for _ in range(400)
    ]
    try:
        with member(siege) as insider:
            assert insider.heard(lambda said: said.kind == frames.PING)
    finally:
        for each in held:
            each.close()


# Members that lie about who they are -------------------------------------------------------------


@pytest.mark.parametrize("link", ["room", "another"])
def test_a_member_cannot_take_the_router_id_of_another_site(siege: Siege, link: str) -> None:
    insider = Insider(siege.token)
    with insider:
        insider.join_network(router=room_router(siege.door), link=link, name="door")
        goaway = insider.goaway()
        assert goaway is not None
        assert goaway.code == "router-conflict"
        assert not any(said.kind & frames.KIND_MASK == frames.OPEN for said in insider.said)


@pytest.mark.parametrize("field", ["name", "router"])
def test_ids_and_names_end_where_they_end(siege: Siege, field: str) -> None:
    with Insider(siege.token) as insider:
        good = getattr(insider.hello(), field)
        insider.listen()
        insider.say(insider.hello(**{field: f"{good}\n"}))
        goaway = insider.goaway()
        assert goaway is not None
        assert goaway.code == "bad-message"


# Members that send garbage -----------------------------------------------------------------------

GARBAGE = {
    "frame-too-large": b"\x05\xff\xff\xff\0\0\0\1",
    "unknown-frame": b"\xff" * 8,
    "stream-zero": frames.encode(frames.DATA, 0, b"x"),
    "stream-id": frames.encode(frames.OPEN, 2, b"x"),
    "unknown-stream": frames.encode(frames.DATA, 11, b"x"),
    "stream-nonzero": frames.encode(frames.CONTROL, 1, b"x"),
    "frame-too-small": frames.encode(frames.PING, 0, b"x"),
    "bad-open": frames.encode(frames.OPEN, 1, b"\xc1"),
    "bad-message": frames.encode(frames.CONTROL, 0, b"\xdd\xff\xff\xff\xff"),
    "bad-order": None,
    "ping-flood": frames.encode(frames.PING, 0, b"12345678") * 20_000,
    "glitches": frames.encode(frames.OPEN, 1, b"x"),
    "window-zero": None,
    "window-overflow": None,
    "reset-flood": None,
}


@pytest.mark.parametrize("code", sorted(GARBAGE))
def test_garbage_ends_the_lane_with_its_code_and_the_operator_reads_it(
    siege: Siege, code: str
) -> None:
    with member(siege) as insider:
        say = insider.send
        opened = control.encode_open(siege.open(path=(siege.router,), body_bytes=-1))
        onward = control.encode_open(siege.open(path=(siege.router, room_router(siege.door))))
        if code == "bad-order":
            insider.say(insider.hello())
        elif code == "window-zero":
            say(frames.OPEN, 1, opened)
            say(frames.WINDOW, 1, bytes(4))
        elif code == "window-overflow":
            say(frames.OPEN, 1, opened)
            say(frames.WINDOW, 1, b"\x7f\xff\xff\xff")
        elif code == "reset-flood":
            insider.write(
                b"".join(
                    frames.encode(frames.OPEN, number, onward)
                    + frames.encode(frames.RESET, number, b"\0")
                    for number in range(1, 6001, 2)
                )
            )
        elif code == "glitches":
            say(frames.OPEN, 1, opened)
            insider.write(frames.encode(frames.DATA, 1, b"") * 3000)
        else:
            garbage = GARBAGE[code]
            assert garbage is not None
            insider.answers_pings = code != "ping-flood"
            insider.write(garbage)
        goaway = insider.goaway()
        if goaway is not None:
            assert (goaway.kind, goaway.code) == ("violation", code)
    until(lambda: not siege.room.is_up("mallory"), "the link is down")
    last = [event for event in siege.room.get("events") if event["code"] == "link-down"][-1]
    assert "mallory" in last["message"], last


# Members that lie about routes -------------------------------------------------------------------


def test_nobody_speaks_for_another_site(siege: Siege) -> None:
    def sites() -> set[str]:
        return {route["name"] for route in siege.room.get("network")}

    door = room_router(siege.door)
    with member(siege) as insider:
        theirs = insider.theirs
        room_site = next(s["id"] for s in siege.room.get("network") if s["name"] == "room")
        door_site = next(s["id"] for s in siege.room.get("network") if s["name"] == "door")
        honest = insider.lsa(theirs, room_site)
        insider.tell(honest)
        until(lambda: "mallory" in sites(), "the insider's own LSA is taken")
        until(lambda: insider.heard_lsas(), "the database came")
        for signed in insider.heard_lsas():
            received = decode_lsa(signed)
            assert isinstance(received, ReceivedLsa)
            if received.lsa.router == door:
                later = msgspec.structs.replace(
                    received.lsa, epoch=received.lsa.epoch + 9, sequence=received.lsa.sequence + 9
                )
                insider.say(LsaMessage(encode_lsa(later, insider.identity)))  # Wrong signature.
                insider.say(LsaMessage(signed))  # A replay is harmless.
        forged = msgspec.structs.replace(
            insider.lsa(theirs, room_site), router=door, site=SiteId(door_site), epoch=2**40
        )
        insider.tell(forged)
        phantom = HostileIdentity("phantom")
        insider.tell(
            msgspec.structs.replace(honest, router=phantom.router, site=phantom.site, epoch=5)
        )
        until(lambda: siege.events().count("lsa-rejected") >= 3, "the forgeries are told")
        siege.serves()
        assert sites() == {"door", "room", "mallory"}


def test_absurd_costs_are_clamped_and_self_adjacencies_ignored(siege: Siege) -> None:
    with member(siege) as insider:
        room_site = next(s["id"] for s in siege.room.get("network") if s["name"] == "room")
        for sequence, cost in enumerate((-(2**60), 0, 2**62), 2):
            insider.tell(insider.lsa(insider.theirs, room_site, cost, sequence=sequence))
        until(
            lambda: any(
                s["name"] == "mallory" and s["reachable"] for s in siege.door.get("network")
            ),
            "the insider is reachable from elsewhere",
        )
        cost = next(s for s in siege.door.get("network") if s["name"] == "mallory")["path_cost"]
        assert 1 <= cost <= 2 * limits.COST_MAX


def test_settings_that_a_member_declares_are_taken_or_refused_and_harm_nobody_else(
    siege: Siege,
) -> None:
    plain = ServiceSpec(protocol="http", ports=(18_081,))
    odd = {
        "a-policy": msgspec.structs.replace(plain, policy=PolicySpec("split", {"x": -1})),
        "a-session": msgspec.structs.replace(
            plain, ports=(18_082,), affinity=Affinity(by="header", name="Cookie")
        ),
        "a-request-id": msgspec.structs.replace(plain, ports=(18_083,), request_id="Host"),
        "a-timeout": msgspec.structs.replace(
            plain,
            ports=(18_084,),
            timeouts=Timeouts(connect_s=0.05, header_s=0.1, response_s=0.05, idle_s=0.5),
            limits=ServiceLimits(connections=1, connections_per_source=1, headers=8),
        ),
        "a-credential": msgspec.structs.replace(plain, ports=(18_085,), tls_cert="link"),
        "z-honest": msgspec.structs.replace(plain, ports=(18_086,)),
    }
    with member(siege) as insider:
        room_site = next(s["id"] for s in siege.room.get("network") if s["name"] == "room")
        insider.declare(insider.theirs, room_site, odd, 2)
        until(lambda: siege.room.service("z-honest"), "what comes last is known")
        until(lambda: siege.door.service("z-honest"), "there too")
        told = json.dumps(siege.room.get("status"))
        assert "policy split needs weights" in told
        siege.serves()
        for sequence in range(3, 40):  # A listener that speaks TLS, and does not, and does.
            flipped = "link" if sequence % 2 else ""
            odd["z-honest"] = msgspec.structs.replace(odd["z-honest"], tls_cert=flipped)
            insider.declare(insider.theirs, room_site, odd, sequence)
        siege.serves()
        assert "Traceback" not in siege.room.log_tail() + siege.door.log_tail()


def test_load_reports_of_a_liar_do_not_move_the_traffic_of_others(siege: Siege) -> None:
    with member(siege) as insider:
        door = room_router(siege.door)
        lies = tuple(
            LoadReport(door, 10**9, "back", BACK_PORT, in_flight, 0, 0) for in_flight in (-5, 10**9)
        )
        insider.say(LoadMessage(lies))
        insider.send(frames.PING, 0, b"12345678")
        assert insider.heard(lambda said: said.kind == frames.PONG)
        siege.serves()


ODD_RATES: tuple[object, ...] = (
    None,
    [15.0, 3],  # As older versions might.
    [15.0, 3, 1, "a field of a later version", {"and": "more"}],
    [0.001, 0, 2],
    [1e12, 2**53, 0],
    [float("nan"), 1, 0],
    [float("inf"), 1, 0],
    [-1.0, 1, 0],
    [0.0, 1, 0],
    [15.0, -1, 0],
    [15.0, 2**63, 0],
    [5e-324, 2**53, 2**63],
)
ODD_COUNTS = ((0, 1, None), (0, 1, 0), (2**64 - 1, 2**64 - 1, 2**64 - 1), (5, 0, 7), (-1, 1, 1))


def odd_loads(router: str, count: int) -> list[list[object]]:
    """So many load reports of `shop` at ``router``, which are every pairing of odd values."""
    pairs = list(product(ODD_RATES, ODD_COUNTS))
    reports = []
    for seq, (rate, counts) in zip(range(1, count + 1), cycle(pairs), strict=False):
        held = counts[0]
        more = [held, held, held, held, False, held, "later", [None]]
        whole = [router, seq, "shop", SHOP_PORT, *counts, rate, *more]
        reports.append(whole[: (8, 11, 16)[seq % 3]])
    return reports


def test_odd_loads_at_any_pace_move_nobody_elses_traffic(siege: Siege) -> None:
    with member(siege) as insider:
        room_site = next(s["id"] for s in siege.room.get("network") if s["name"] == "room")
        insider.offer(insider.theirs, room_site, "shop", SHOP_PORT)
        until(lambda: len(siege.door.ready_targets("shop")) == 2, "it is a candidate")
        reports = odd_loads(insider.identity.router, 60_000)
        began, asked = own_time(), 0
        for start in range(0, len(reports), 250):
            data = msgspec.msgpack.encode(["load", reports[start : start + 250]])
            insider.send(frames.CONTROL, 0, data)
            if start % 2_500 == 0:
                assert fetch(siege.door.address, SHOP_PORT).body == b"room\n"
                assert fetch(siege.room.address, SHOP_PORT).body == b"room\n"
                asked += 1
        numbers = itertools.count(10**9)

        def last_counts() -> bool:
            """Sent again until there is budget for it: reports beyond the budget are not read."""
            last = [next(numbers), "shop", SHOP_PORT, 7, 1, 9, [15.0, 3, 0, "x"], 0, 0]
            last += [0, None, False, None, "y"]  # What a later version may add is skipped.
            said = msgspec.msgpack.encode(["load", [[insider.identity.router, *last]]])
            insider.send(frames.CONTROL, 0, said)
            return bool(siege.door.in_flight("shop").get("mallory") == 7)

        until(last_counts, "the last one counts")
        assert asked == 24
        assert own_time() - began < 20.0, "reports cost too much"
        for site in (siege.room, siege.door):
            json.dumps(site.get("services")), json.dumps(site.get("status"))
            site.get(f"why/shop:{SHOP_PORT}"), site.metrics()
        siege.serves()
        assert "Traceback" not in siege.room.log_tail() + siege.door.log_tail()


def test_a_member_that_floods_refused_lsas_is_cut_off(siege: Siege) -> None:
    refused = frames.encode(frames.CONTROL, 0, control.encode(LsaMessage(b"\x92\xc4\x00\xc4\x00")))
    with member(siege) as insider:
        insider.write(refused * (limits.GLITCHES_MAX + 500))
        goaway = insider.goaway()
        assert goaway is not None
        assert goaway.code == "glitches"


# Members that lie about requests -----------------------------------------------------------------


def test_paths_that_loop_lead_nowhere(siege: Siege) -> None:
    door = room_router(siege.door)
    with member(siege) as insider:
        ours = insider.identity.router
        for path, reason in (
            ((), 4),
            ((siege.router, door, siege.router), 4),
            ((siege.router, siege.router), 4),
            ((siege.router, ours), 4),
            ((door,), 4),
            ((siege.router, RouterId("0" * 16)), 5),
            ((siege.router, *(RouterId(f"{n:016x}") for n in range(40))), 4),
        ):
            number = insider.open(siege.open(path=path))
            said = insider.answer(number)
            assert said is not None, path
            assert (said.kind, said.payload[0]) == (frames.REFUSED, reason), path


def test_requests_that_are_not_canonical_reach_no_target(siege: Siege) -> None:
    siege.target.forget()
    offers: list[dict[str, object]] = [{"head": bad} for bad in links.BAD_REQUEST_HEADS.values()]
    with member(siege) as insider:
        lies: list[dict[str, object]] = [
            *offers,
            {"head": CANONICAL + b"Transfer-Encoding: chunked\r\n", "body_bytes": -1},
            {"body_bytes": 30, "flags": 1},
            {"body_bytes": -1, "flags": 1},
            {"protocol": "tcp"},
            {"service": "nothing"},
            {"port": 1},
        ]
        for changes in lies:
            number = insider.open(siege.open(**changes))
            said = insider.answer(number)
            assert said is not None, changes
            assert said.kind in (frames.REFUSED, frames.RESET), (changes, said)
    assert siege.target.seen == []


def test_a_refused_head_is_counted_and_both_check_and_the_events_name_it(siege: Siege) -> None:
    sample = re.compile(
        r'^spillway_link_messages_refused_total\{(?=.*service="shop").*"request-refused-here"'
        r".*\} (\S+)$",
        re.M,
    )

    def refused() -> float:
        return sum(map(float, sample.findall(siege.room.metrics())))

    before = refused()
    with member(siege) as insider:
        said = insider.answer(insider.open(siege.open(head=b"nonsense")))
        assert said is not None
        assert (said.kind, said.payload[0]) == (frames.REFUSED, REFUSALS.index("bad-head"))
    until(lambda: refused() > before, "it is counted")
    findings = siege.room.ctl("check", "-o", "json", code=3).json()["items"]
    assert any(finding["code"] == "SW0330" for finding in findings), findings
    assert "message-refused" in siege.events()


def test_trailers_that_are_not_canonical_complete_no_request(siege: Siege) -> None:
    siege.target.forget()
    head = b"POST /echo HTTP/1.1\r\nHost: shop\r\n"
    with member(siege) as insider:
        for name, bad in links.BAD_TRAILERS.items():
            number = insider.open(siege.open(head=head, body_bytes=-1), end=False)
            insider.send(frames.DATA, number, b"hello")
            insider.send(frames.TRAILERS | frames.END, number, bad + COUNT)
            assert insider.answer(number, frames.RESET), name
    assert siege.target.seen == []


def test_a_body_that_is_not_as_long_as_stated_is_never_taken_for_whole(siege: Siege) -> None:
    siege.target.forget()
    head = b"POST /echo HTTP/1.1\r\nHost: shop\r\n"
    with member(siege) as insider:
        for stated, sent in ((5, b"four"), (5, b"sixsix")):
            number = insider.open(siege.open(head=head, body_bytes=stated), end=False)
            insider.send(frames.DATA, number, sent)
            insider.send(frames.FIN, number, bytes(4))
            assert insider.answer(number, frames.RESET)
    assert siege.target.seen == []


# Members that lie in their answers ---------------------------------------------------------------

LURE_PORT = SHOP_PORT + 2
COUNT = bytes(4)
GOOD_HEAD = b"HTTP/1.1 200 OK\r\n"


def head(text: bytes, body_bytes: int = -1) -> bytes:
    """The payload of HEAD."""
    return body_bytes.to_bytes(8, "big", signed=True) + text


Frames = tuple[tuple[int, bytes], ...]
ACCEPT = (frames.ACCEPTED, COUNT)
ANSWERS: dict[str, Frames] = {
    "a second response in the head": (
        (frames.HEAD, head(GOOD_HEAD + b"\r\nHTTP/1.1 200 OK\r\nX: EVIL\r\n")),
    ),
    "a length in the head": ((frames.HEAD, head(GOOD_HEAD + b"Content-Length: 99\r\n", 4)),),
    "no response line": ((frames.HEAD, head(b"EVIL\r\n")),),
    "a body before the head": ((frames.DATA, b"EVIL"),),
    "more body than stated": ((frames.HEAD, head(GOOD_HEAD, 2)), (frames.DATA, b"EVILEVIL")),
    "less body than stated": (
        (frames.HEAD, head(GOOD_HEAD, 9)),
        (frames.DATA | frames.END, b"EVIL" + COUNT),
    ),
    "another protocol": (
        (frames.HEAD, head(b"HTTP/1.1 101 Switching\r\n")),
        (frames.DATA, b"EVIL"),
    ),
    "framing in trailers": (
        (frames.HEAD, head(GOOD_HEAD)),
        (frames.TRAILERS | frames.END, b"Content-Length: 4\r\n" + COUNT),
    ),
    "the end at once": ((frames.FIN, COUNT),),
    "heads without end": ((frames.HEAD, head(b"HTTP/1.1 103 Early\r\n")),) * 100,
    "a negative length": ((frames.HEAD, head(GOOD_HEAD, -7)),),
    "a refusal after all": ((frames.HEAD, head(GOOD_HEAD)), (frames.REFUSED, b"\0" + COUNT)),
    "a switch nobody asked for": (
        (frames.HEAD, head(b"HTTP/1.1 101 Switching\r\n", 0)),
        (frames.DATA | frames.END, b"EVIL" + COUNT),
    ),
    "trailers before the head": ((frames.TRAILERS, b"A: b\r\n"), (frames.HEAD, head(GOOD_HEAD))),
    "data after trailers": (
        (frames.HEAD, head(GOOD_HEAD)),
        (frames.TRAILERS, b"A: b\r\n"),
        (frames.DATA, b"EVIL"),
    ),
    "two final heads": (
        (frames.HEAD, head(GOOD_HEAD, 2)),
        (frames.HEAD, head(GOOD_HEAD + b"X: EVIL\r\n", 2)),
    ),
    "an interim after the head": (
        (frames.HEAD, head(GOOD_HEAD, 2)),
        (frames.HEAD, head(b"HTTP/1.1 103 Early\r\nX: EVIL\r\n")),
    ),
    "a body for 204": (
        (frames.HEAD, head(b"HTTP/1.1 204 No Content\r\n", 4)),
        (frames.DATA, b"EVIL"),
    ),
    "interims of 40 KiB": (
        (frames.HEAD, head(b"HTTP/1.1 103 Early\r\nX: " + b"x" * 40_000 + b"\r\n")),
    )
    * 31,
    "an interim and the end": (
        (frames.HEAD | frames.END, head(b"HTTP/1.1 103 Early\r\n") + COUNT),
    ),
    "an answer that is cut": (
        (frames.HEAD, head(GOOD_HEAD)),
        (frames.DATA, b"x"),
        (frames.RESET, b"\1"),
    ),
}


@pytest.mark.parametrize("lie", sorted(ANSWERS))
def test_an_answer_that_lies_never_looks_whole(siege: Siege, lie: str) -> None:
    room_site = next(s["id"] for s in siege.room.get("network") if s["name"] == "room")
    with member(siege) as insider:
        insider.offer(insider.theirs, room_site, "lure", LURE_PORT)
        until(lambda: siege.room.offers("lure", {"mallory": 1}), "the lure is taken")
        with ThreadPoolExecutor(1) as pool:
            post = pool.submit(fetch, siege.room.address, LURE_PORT, "/", "POST", body=b"once")
            opened = insider.heard(lambda said: said.kind & frames.KIND_MASK == frames.OPEN)
            assert opened is not None
            for kind, payload in (ACCEPT, *ANSWERS[lie]):
                insider.send(kind, opened.stream, payload)
            answer = post.result()
        whole = (204,) if lie == "a body for 204" else ()  # Its head alone is a whole response.
        assert answer.status in (0, 103, 502, *whole), answer  # A 103 is one for this client.
        assert b"EVIL" not in answer.body
        assert "EVIL" not in str(answer.headers)
        opens = [said for said in insider.said if said.kind & frames.KIND_MASK == frames.OPEN]
        assert len(opens) == 1  # A POST that may have run is not sent again (N1).


def test_response_heads_that_are_not_canonical_reach_no_client(siege: Siege) -> None:
    room_site = next(s["id"] for s in siege.room.get("network") if s["name"] == "room")

    def opens(insider: Insider) -> list[Said]:
        return [said for said in insider.said if said.kind & frames.KIND_MASK == frames.OPEN]

    with member(siege) as insider, ThreadPoolExecutor(1) as pool:
        insider.offer(insider.theirs, room_site, "lure", LURE_PORT)
        until(lambda: siege.room.offers("lure", {"mallory": 1}), "the lure is taken")
        for count, (name, bad) in enumerate(links.BAD_RESPONSE_HEADS.items(), 1):
            post = pool.submit(fetch, siege.room.address, LURE_PORT, "/", "POST", body=b"once")
            until(lambda count=count: len(opens(insider)) == count, "the request came")  # type: ignore[misc]
            stream = opens(insider)[-1].stream
            insider.send(*ACCEPT[:1], stream, ACCEPT[1])
            insider.send(frames.HEAD, stream, head(bad, 4))
            insider.send(frames.DATA | frames.END, stream, b"EVIL" + COUNT)
            answer = post.result()
            assert answer.status == 502, (name, answer)
            assert b"EVIL" not in answer.body, name
        for name, bad in links.BAD_TRAILERS.items():
            count = len(opens(insider)) + 1
            post = pool.submit(fetch, siege.room.address, LURE_PORT, "/", "POST", body=b"once")
            until(lambda count=count: len(opens(insider)) == count, "the request came")  # type: ignore[misc]
            stream = opens(insider)[-1].stream
            insider.send(*ACCEPT[:1], stream, ACCEPT[1])
            insider.send(frames.HEAD, stream, head(GOOD_HEAD))
            insider.send(frames.DATA, stream, b"part")
            insider.send(frames.TRAILERS | frames.END, stream, bad + COUNT)
            assert post.result().status in (0, 502), name  # Torn, or not begun yet.
