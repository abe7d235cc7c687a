"""MultiKeyListeners and TLS of Skupper v2's Listeners, with real routers."""

import ssl
from collections import Counter
from pathlib import Path

from tests.scenario import tls
from tests.scenario.backends import Target
from tests.scenario.harness import Network, Site
from tests.scenario.test_skupper2 import PORT, answer, resources, v2
from tests.scenario.waiting import until

STRATEGY = "MultiKeyListener"


def connector(at: Site, key: str, target: Target) -> None:
    """Let ``target`` serve ``key`` at a site."""
    text = v2("Connector", key, routingKey=key, host=target.address, port=target.port)
    at.ctl("apply", "-f", "-", given=text)


def listen(at: Site, strategy: str) -> None:
    """Listen for several keys."""
    text = v2("MultiKeyListener", "db", host=at.address, port=PORT, strategy=strategy)
    at.ctl("apply", "-f", "-", given=text)


def switches(site: Site) -> list[str]:
    """What events say of listeners that reach another key."""
    events = site.get("events")
    return [one["message"] for one in events if one["code"] == "listener-switched"]


def test_new_connections_go_to_the_first_key_that_is_served_and_home_again(tmp_path: Path) -> None:
    with Network(tmp_path / "sites") as network:
        west, east, north = network.site("west"), network.site("east"), network.site("north")
        network.link(west, east)
        network.link(west, north)
        network.start()
        network.see_each_other()
        first, second = network.tcp("first"), network.tcp("second")
        connector(east, "db-east", first)
        connector(north, "db-north", second)
        listen(west, "{priority: {routingKeys: [db-east, db-north]}}")
        until(lambda: answer(west.address, PORT) == "first", "the first key is served")
        until(lambda: west.ready_targets("db-north") == {"north": 1}, "the second is, too")
        assert {answer(west.address, PORT) for _ in range(20)} == {"first"}

        first.stop()
        until(lambda: answer(west.address, PORT) == "second", "the first key has no target")
        assert {answer(west.address, PORT) for _ in range(20)} == {"second"}
        first.start()
        until(lambda: answer(west.address, PORT) == "first", "the first key is served again")

        east.kill()
        until(lambda: answer(west.address, PORT) == "second", "the site of the first is gone")
        away, home = "go to db-north, no longer to db-east", "go to db-east, no longer to db-north"
        at = f"New connections at {west.address}:{PORT}"
        lost = "of db-east no site that is reached and may serve it has a ready target"
        told = [
            f"{at} {away}: {lost}.",
            f"{at} {home}: db-east is served, and comes first.",
            f"{at} {away}: {lost}.",
        ]
        # The second key may have been served first, a moment before any client was there.
        until(lambda: switches(west)[-3:] == told, "each switch is an event")
        assert switches(west)[:-3] in ([], told[1:2])
        shown = west.ctl("service", "status").out
        assert f"{west.address}:{PORT} bound" in shown


def test_weights_share_new_connections_between_keys_that_are_served(tmp_path: Path) -> None:
    with Network(tmp_path / "sites") as network:
        west, east = network.site("west"), network.site("east")
        network.link(west, east)
        network.start()
        network.see_each_other()
        here, there, unused = (network.tcp(name) for name in ("here", "there", "unused"))
        connector(west, "db-a", here)
        connector(east, "db-b", there)
        connector(east, "db-c", unused)
        listen(west, "{weighted: {routingKeys: {db-a: 3, db-b: 1, db-c: 0, db-none: 50}}}")
        until(lambda: west.ready_targets("db-b") == {"east": 1}, "the second key is served")
        until(lambda: west.ready_targets("db-c") == {"east": 1}, "that of weight 0, too")
        until(lambda: answer(west.address, PORT) != "", "it listens")
        found = Counter(answer(west.address, PORT) for _ in range(200))
        assert set(found) == {"here", "there"}, found
        # 150 of 200 expected, standard deviation 6: beyond 110 or 185 once in a thousand million.
        assert 110 <= found["here"] <= 185, found
        there.stop()
        until(
            lambda: {answer(west.address, PORT) for _ in range(20)} == {"here"},
            "all go to the key that is left",
        )


def test_a_listener_of_v2_shows_its_own_certificate(tmp_path: Path) -> None:
    with Network(tmp_path / "sites") as network:
        west = network.site("west")
        network.start()
        target = network.tcp("postgres")
        text = v2("Connector", "db", routingKey="db", host=target.address, port=target.port)
        front = v2(
            "Listener",
            "front",
            routingKey="db",
            host=west.address,
            port=PORT,
            tlsCredentials="front-tls",
        )
        made = resources(west, tmp_path, db=text, front=front)
        named = west.ctl("apply", "-f", str(made))
        assert "front-tls is not here yet: put its tls.crt and tls.key into" in named.err
        (made.parent / "certs").mkdir()
        shown = tls.credential(made.parent / "certs" / "front-tls")
        assert "not here yet" not in west.ctl("apply", "-f", str(made)).err

        def answered() -> bool:
            try:
                with tls.connect(west.address, PORT) as client:
                    client.send(b"name\n")
                    return client.read() == b"postgres\n" and client.certificate == shown
            except (OSError, EOFError, ssl.SSLError):
                return False

        until(answered, "clients speak TLS and see that certificate")
        assert answer(west.address, PORT) == "", "and never in clear"
