"""Links and tokens: a refusal gives its reason, and nothing else is disturbed."""

import contextlib
import shutil
import socket
import ssl
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.scenario.clients import ask, connected, fetch
from tests.scenario.harness import SHOP_PORT, Network, Site, own_address
from tests.scenario.waiting import own_time, stays, until

DB_PORT = SHOP_PORT + 1
NO_LINGER = struct.pack("ii", 1, 0)


class Hub:
    """``hub`` accepts links; ``spoke`` is linked to it; others come and go."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.hub, self.spoke = net.site("hub"), net.site("spoke")
        self.other, self.third = net.site("other"), net.site("third")
        self.hub.declare("shop")
        self.hub.declare("db", DB_PORT, protocol="tcp")
        self.hub.connect("shop", net.http("hub"), capacity=10)
        self.hub.connect("db", net.tcp("hub"))
        net.link(self.spoke, self.hub, 5)
        net.start()
        net.ready("shop", {"hub": 1}, self.hub, self.spoke)
        net.ready("db", {"hub": 1}, self.hub, self.spoke)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """The sites, once for all tests of this file."""
    with Network(tmp_path_factory.mktemp("hub")) as net:
        yield Hub(net)


@pytest.fixture
def link_name(hub: Hub) -> Iterator[str]:
    """A name for a link of ``other``; the link is gone afterwards."""
    yield "tried"
    hub.other.ctl("link", "delete", "tried")


def refused_link(site: Site, token: Path, name: str) -> str:
    """The error of a link that is refused, the same from `link create` and `link status`."""
    create = site.ctl("link", "create", str(token), "--name", name, "--wait", "10", code=1)
    assert "Next: " in create.err
    link = site.json("link", "status", name)[0]
    assert link["state"] == "refused"
    error: str = link["error"]
    assert error in create.err
    return error


def test_a_link_shows_both_ends_its_cost_and_its_age(hub: Hub) -> None:
    out = hub.spoke.json("link", "status", "hub")[0]
    assert (out["direction"], out["state"], out["cost"]) == ("outgoing", "up", 5)
    assert out["neighbour"] == {"name": "hub", "id": hub.hub.json("status")["id"]}
    assert out["lanes"] >= 1
    assert out["error"] in (None, "")
    assert out["certificate_expires"]
    back = hub.hub.json("link", "status", "spoke")[0]
    assert (back["direction"], back["state"], back["cost"]) == ("incoming", "up", 5)
    until(lambda: hub.spoke.link("hub")["rtt_ms"] is not None, "the round trip is measured")


def test_a_used_claim_is_refused_with_its_reason(hub: Hub, link_name: str) -> None:
    token = hub.net.token(hub.hub)
    hub.third.ctl("link", "create", str(token), "--name", "first", "--wait", "50")
    error = refused_link(hub.other, token, link_name)
    assert "hub" in error or "used" in error
    assert (
        hub.hub.ctl("token", "status", str(token), "-o", "json").json()["item"]["state"] == "used"
    )
    hub.third.ctl("link", "delete", "first")


def test_an_expired_claim_is_refused_before_anything_is_stored(hub: Hub) -> None:
    token = hub.net.token(hub.hub, "--expiry", "1s")
    until(
        lambda: hub.hub.json("token", "status", str(token))["state"] == "expired",
        "the token expired",
    )
    done = hub.other.ctl("link", "create", str(token), "--name", "late", code=1)
    assert "expired" in done.err
    assert "Next: " in done.err
    assert hub.other.link("late") is None


def test_an_edited_claim_is_refused_naming_file_and_next_step(hub: Hub) -> None:
    for field, old, new in (
        ("expiry", "-expiration: '20", "-expiration: '21"),
        ("password", "password: ", "password: QUFB"),
        ("address", f"endpoints: {hub.hub.address}", "endpoints: 192.0.2.1"),
        ("authority", "ca.crt: LS0tLS1", "ca.crt: LS0tLS2"),
    ):
        token = hub.net.token(hub.hub)
        text = token.read_text()
        assert old in text, field
        token.write_text(text.replace(old, new))
        done = hub.other.ctl("link", "create", str(token), "--name", "edited", code=1)
        assert token.name in done.err, field
        assert "Next: " in done.err, field
        assert hub.other.link("edited") is None, field


def test_a_token_that_is_no_token_is_named_with_its_file(hub: Hub, tmp_path: Path) -> None:
    for text in ("", "just: words\n", "{", "a" * 100):
        path = tmp_path / "wrong.yaml"
        path.write_text(text)
        done = hub.other.ctl("link", "create", str(path), code=1)
        assert "wrong.yaml" in done.err
        assert "Traceback" not in done.err


def test_a_token_for_a_dead_host_says_what_does_not_answer(hub: Hub, link_name: str) -> None:
    nowhere = f"{own_address()}:9"
    token = hub.net.token(hub.hub, "--ingress-host", nowhere)
    create = ("link", "create", str(token), "--name", link_name, "--wait", "1")
    assert nowhere in hub.other.ctl(*create, code=6).err
    link = until(
        lambda: (found := hub.other.link(link_name)) and found["error"] and found,
        "the link says why it is not up",
    )
    assert link["state"] in ("connecting", "down")
    assert nowhere in link["error"]


def test_a_link_to_oneself_is_refused(hub: Hub) -> None:
    for kind in ("claim", "cert"):
        token = hub.net.token(hub.hub, "--token-type", kind)
        done = hub.hub.ctl("link", "create", str(token), "--name", "self", code=1)
        assert "this very site" in done.err
    assert hub.hub.link("self") is None


def test_a_certificate_token_admits_several_sites_each_under_its_own_id(hub: Hub) -> None:
    token = hub.net.token(hub.hub, "--token-type", "cert")
    for site in (hub.other, hub.third):
        site.ctl("link", "create", str(token), "--name", "shared", "--wait", "50")
    ids = {link["neighbour"]["name"]: link["neighbour"]["id"] for link in hub.hub.get("links")}
    assert ids["other"] == hub.other.json("status")["id"]
    assert ids["third"] == hub.third.json("status")["id"]
    assert ids["other"] != ids["third"]
    for site in (hub.other, hub.third):
        assert fetch(site.address, SHOP_PORT).site == "hub"
        site.ctl("link", "delete", "shared")
    until(lambda: {k["name"] for k in hub.hub.get("links")} == {"spoke"}, "both links are gone")


def test_the_same_words_again_change_nothing(hub: Hub) -> None:
    token = hub.net.token(hub.hub)
    words = ("link", "create", str(token), "--name", "again", "--cost", "9")
    hub.other.ctl(*words, "--wait", "50")
    before = hub.other.link("again")["since"]
    assert "unchanged" in hub.other.ctl(*words).out
    assert hub.other.link("again")["since"] == before
    hub.other.ctl("link", "delete", "again")
    assert "nothing to delete" in hub.other.ctl("link", "delete", "again").out


def test_a_revoked_neighbour_is_cut_off_within_a_second_and_told(hub: Hub) -> None:
    token = hub.net.token(hub.hub)
    hub.third.ctl("link", "create", str(token), "--name", "hub", "--wait", "50")
    until(lambda: hub.third.offers("db", {"hub": 1}), "the service is known")
    with (
        connected(hub.third.address, DB_PORT) as door,
        connected(hub.spoke.address, DB_PORT) as kept,
    ):
        assert ask(door, "name") == "hub"
        assert ask(kept, "name") == "hub"
        hub.hub.ctl("link", "delete", "third")
        began = own_time()
        with pytest.raises(ConnectionResetError):
            assert ask(door, "name") == ""
            ask(door, "name")
        assert own_time() - began < 1.0
        assert ask(kept, "name") == "hub"
    refused = until(
        lambda: [k for k in hub.third.get("links") if k["state"] == "refused"],
        "the neighbor is told that it was revoked",
    )
    assert "revoked" in refused[0]["error"]
    hub.third.ctl("link", "delete", "hub")


def test_garbage_at_the_link_port_disturbs_nothing(hub: Hub) -> None:
    before = hub.spoke.link("hub")["since"]
    with connected(hub.spoke.address, DB_PORT) as door:
        assert ask(door, "name") == "hub"
        for garbage in (b"\x00" * 5_000, b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" * 99):
            with connected(hub.hub.address, hub.hub.link_port) as raw:
                try:
                    raw.sendall(garbage)
                    while raw.recv(4096):
                        pass
                except ConnectionError:
                    continue
        for protocols in ([], ["http/1.1"], ["spillway/1"]):
            assert not _serves(hub.hub, protocols), protocols
        idle = [socket.create_connection((hub.hub.address, hub.hub.link_port)) for _ in range(50)]
        assert ask(door, "name") == "hub"
        assert fetch(hub.spoke.address, SHOP_PORT).status == 200
        for each in idle:
            each.close()
    link = hub.spoke.link("hub")
    assert (link["state"], link["since"]) == ("up", before)


def _serves(site: Site, protocols: list[str]) -> bool:
    """Whether the link port says anything to a TLS client without a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(protocols)
    try:
        with (
            connected(site.address, site.link_port) as raw,
            context.wrap_socket(raw) as door,
        ):
            door.sendall(b"\x00" * 100)
            return bool(door.recv(1000))
    except OSError:
        return False


def test_a_taken_link_port_fails_the_start_and_names_the_port(hub: Hub) -> None:
    intruder = Site("intruder", hub.net.state, hub.hub.address)
    hub.net.sites.append(intruder)
    intruder.quick(
        *("init", "intruder", "--bind-ip", own_address(), "--ingress-bind-ip", hub.hub.address),
        *("--bind-port", str(hub.hub.link_port)),
    )
    done = intruder.ctl("start", code=1)
    assert f"{hub.hub.address}:{hub.hub.link_port}" in done.err
    assert fetch(hub.spoke.address, SHOP_PORT).status == 200


def test_a_link_port_that_an_outgoing_connection_holds_for_a_moment_is_waited_for(
    tmp_path: Path,
) -> None:
    with Network(tmp_path) as net, contextlib.ExitStack() as held:
        site = net.site("west")
        listener = held.enter_context(socket.create_server((site.address, 0)))
        outgoing = held.enter_context(socket.socket())
        outgoing.bind((site.address, site.link_port))
        outgoing.connect(listener.getsockname())
        outgoing.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)  # Ends without a trace.
        with ThreadPoolExecutor(1) as pool:
            starting = pool.submit(site.ctl, "start")
            log = site.directory / "run" / "router.log"
            until(lambda: log.exists() and "trying again" in log.read_text(), "it says so")
            assert not site.admin.is_ready() and not starting.done()
            outgoing.close()
            starting.result()
        site.note_pid()
        assert connected(site.address, site.link_port)
        site.until_well()


def test_a_taken_service_port_is_a_problem_of_that_listener_only(hub: Hub) -> None:
    with socket.create_server((hub.spoke.address, SHOP_PORT + 5)):
        hub.hub.ctl("service", "create", "taken", str(SHOP_PORT + 5))
        status = until(
            lambda: (found := hub.spoke.get("status"))["problems"] and found,
            "the problem is reported",
        )
        assert status["problems"][0]["code"] == "SW0202"
        assert f"{hub.spoke.address}:{SHOP_PORT + 5}" in status["problems"][0]["message"]
        hub.spoke.ctl("status", code=3)
        assert fetch(hub.spoke.address, SHOP_PORT).status == 200
    until(lambda: not hub.spoke.get("status")["problems"], "the port is free and bound", 3.0)
    assert hub.spoke.service("taken")["listener"]["state"] == "bound"
    hub.hub.ctl("service", "delete", "taken")


def test_a_second_router_with_the_same_identity_withdraws_and_says_so(hub: Hub) -> None:
    token = hub.net.token(hub.hub, "--token-type", "cert")
    hub.other.ctl("link", "create", str(token), "--name", "hub", "--wait", "50")
    copies = hub.net.state / "copies"
    shutil.copytree(
        hub.other.directory, copies / "other", ignore=shutil.ignore_patterns("admin.sock", "lock")
    )
    copy = Site("other", copies, own_address())
    hub.net.sites.append(copy)
    document = copy.directory / "config" / "site-other.yaml"
    document.write_text(document.read_text().replace(hub.other.address, copy.address))
    copy.start()
    named = until(
        lambda: [p for p in copy.get("status")["problems"] if p["code"] == "SW0401"],
        "the copy names the conflict",
    )
    assert named[0]["hint"]
    until(lambda: hub.other.is_up("hub"), "the first one is up")
    assert "SW0665" in {problem["code"] for problem in hub.hub.get("status")["problems"]}
    stays(lambda: hub.other.is_up("hub"), "the first one keeps its link", 1.0)
    assert fetch(hub.other.address, SHOP_PORT).status == 200
    copy.kill()
    hub.other.ctl("link", "delete", "hub")


def test_a_link_is_up_within_six_seconds_of_a_neighbour_that_was_away_for_twenty(
    tmp_path: Path,
) -> None:
    with Network(tmp_path) as net:
        west, east = net.site("west"), net.site("east")
        net.link(west, east)
        net.start()
        (name,) = [link["name"] for link in west.get("links")]
        until(lambda: west.is_up(name), "the link is up")
        east.kill()
        until(lambda: not west.is_up(name), "the link is down")
        stays(lambda: not west.is_up(name), "the neighbor is away", 20.0)
        east.start()  # Returns when it serves.
        until(lambda: west.is_up(name), "the link is up again", 6.0)
