"""Redis both ways: at a host's gateway for clients of a site, and at the site for the host."""

import threading
import time
from collections.abc import Iterator

import pytest

from tests.scenario.gateways import Gateway
from tests.scenario.harness import SHOP_PORT, Network
from tests.scenario.redis import Client, Redis, command
from tests.scenario.waiting import own_time, until

HOST_PORT, SITE_PORT = SHOP_PORT + 33, SHOP_PORT + 34
PIPELINE = 20_000
BLOB_BYTES = 5_000_000
BLOCKED_S = 3.0
MESSAGES = 200


class Both:
    """``app`` - ``hub`` - ``gate``. Service "near" is at the gateway's host, "far" at the site."""

    def __init__(self, net: Network, at_host: Redis, at_site: Redis) -> None:
        self.net = net
        self.app, self.hub = net.site("app"), net.site("hub")
        net.link(self.app, self.hub)
        self.at_host, self.at_site = at_host, at_site
        self.app.declare("far", SITE_PORT, protocol="tcp")
        self.app.connect("far", self.at_site)
        self.at_host.start()
        self.at_site.start()
        net.start()
        self.gate = Gateway(net, "gate", self.hub)
        self.gate.bind("near", self.at_host.address, HOST_PORT)
        self.gate.forward("far", SITE_PORT)
        net.ready("near", {"gate": 1}, self.app)
        net.ready("far", {"app": 1}, self.gate)
        self.places = {
            "near": (self.app.address, HOST_PORT),
            "far": (self.gate.address, SITE_PORT),
        }

    def client(self, service: str) -> Client:
        """Of ``near`` at the site, of ``far`` on the gateway's host."""
        return Client(*self.places[service])


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Once for all tests of this file."""
    with (
        Network(tmp_path_factory.mktemp("redis")) as net,
        Redis(net.target_address, HOST_PORT) as at_host,
        Redis(net.target_address, SITE_PORT) as at_site,
    ):
        yield Both(net, at_host, at_site)


@pytest.mark.parametrize("service", ["near", "far"])
def test_what_is_published_reaches_subscribers_in_order(both: Both, service: str) -> None:
    with both.client(service) as one, both.client(service) as two, both.client(service) as speaker:
        for subscriber in (one, two):
            assert subscriber.ask("SUBSCRIBE", "news") == [b"subscribe", b"news", 1]
        assert [speaker.ask("PUBLISH", "news", f"{n}") for n in range(MESSAGES)] == [2] * MESSAGES
        wanted = [[b"message", b"news", b"%d" % number] for number in range(MESSAGES)]
        for subscriber in (one, two):
            assert [subscriber.reply() for _ in range(MESSAGES)] == wanted
            assert subscriber.ask("UNSUBSCRIBE") == [b"unsubscribe", b"news", 0]
    both.net.at_rest(service)


def test_a_pipeline_is_answered_whole_and_in_order(both: Both) -> None:
    with both.client("near") as client:
        sender = threading.Thread(
            target=client.socket.sendall,
            args=(b"".join(command("SET", f"k{n}", f"{n}") for n in range(PIPELINE)),),
        )
        sender.start()
        assert [client.reply() for _ in range(PIPELINE)] == [b"OK"] * PIPELINE
        sender.join()
        keys = [f"k{number}" for number in range(PIPELINE)]
        assert client.ask("MGET", *keys) == [b"%d" % number for number in range(PIPELINE)]


def test_a_big_value_comes_back_as_it_went(both: Both) -> None:
    blob = bytes(range(256)) * (BLOB_BYTES // 256)
    with both.client("far") as client:
        assert client.ask("SET", "blob", blob) == b"OK"
        assert client.ask("GET", "blob") == blob


def test_a_monitor_sees_what_others_do(both: Both) -> None:
    with both.client("near") as monitor, both.client("near") as other:
        assert monitor.ask("MONITOR") == b"OK"
        for number in range(50):
            other.ask("SET", "seen", f"{number}")
        seen = [monitor.reply() for _ in range(50)]
        assert all(
            isinstance(line, bytes) and line.endswith(b'"SET" "seen" "%d"' % number)
            for number, line in enumerate(seen)
        )


def test_a_pop_that_blocks_is_answered_when_something_comes(both: Both) -> None:
    with both.client("near") as waiting, both.client("near") as pusher:
        waiting.send("BLPOP", "queue", "0")
        began = time.monotonic()
        until(lambda: time.monotonic() - began > BLOCKED_S, "it waited", 2 * BLOCKED_S)
        pushed = own_time()
        assert pusher.ask("LPUSH", "queue", "job") == 1
        assert waiting.reply() == [b"queue", b"job"]
        assert own_time() - pushed < 1


def test_a_client_that_leaves_takes_its_subscription_along(both: Both) -> None:
    with both.client("near") as speaker:
        with both.client("near") as leaver:
            leaver.ask("SUBSCRIBE", "brief")
            assert speaker.ask("PUBLISH", "brief", "x") == 1
        until(lambda: speaker.ask("PUBLISH", "brief", "x") == 0, "Redis knows that it left")


def test_clients_on_both_sides_see_a_redis_that_goes_and_comes(both: Both) -> None:
    with both.client("far") as client:
        client.send("BLPOP", "nothing", "0")
        began = own_time()
        both.at_site.stop()
        with pytest.raises((OSError, EOFError)):
            client.reply()
        assert own_time() - began < 2
    until(lambda: not both.gate.ready_targets("far").get("app"), "the gateway knows")
    with pytest.raises((OSError, EOFError)), both.client("far") as client:
        client.ask("PING")
    both.at_site.start()
    up = own_time()
    both.net.ready("far", {"app": 1}, both.gate)
    with both.client("far") as client:
        assert client.ask("PING") == b"PONG"
    assert own_time() - up < 3
