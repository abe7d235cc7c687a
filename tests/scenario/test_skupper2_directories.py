"""Directories of Skupper v2 on hosts: applied again nothing changes, and losses are named."""

from pathlib import Path

from tests.scenario.harness import Network
from tests.scenario.test_skupper2 import PORT, answer, resources, v2
from tests.scenario.waiting import until


def test_a_namespace_of_v2_is_applied_twice_and_what_vanished_is_named(tmp_path: Path) -> None:
    with Network(tmp_path / "sites") as network:
        west, east = network.site("west"), network.site("east")
        network.start()
        target = network.tcp("postgres")
        token = east.ctl("apply", "-f", "-", given=v2("AccessGrant", "to-east")).out
        made = resources(
            west,
            tmp_path,
            site=v2("Site", "west", linkAccess="default"),
            connector=v2("Connector", "db", routingKey="db", host=target.address, port=target.port),
            front=v2("Listener", "front", routingKey="db", host=west.address, port=PORT),
            other=v2("Listener", "other", routingKey="other", host=west.address, port=PORT + 1),
            token=token,
            grant=v2("AccessGrant", "for-others"),
        )
        namespace = made.parent.parent  # As ~/.local/share/skupper/namespaces/NAME.
        first = west.ctl("apply", "-f", str(namespace))
        assert "kind: AccessToken" in first.out and "listener front created" in first.err
        until(lambda: answer(west.address, PORT) == "postgres", "the key leads to the target")
        until(lambda: west.is_up("to-east"), "the token was redeemed")

        for directory in (namespace, made.parent, made):
            again = west.ctl("apply", "-f", str(directory))
            assert again.err == ""
            changes = {line.rpartition(" ")[2] for line in again.out.splitlines()}
            assert changes == {"unchanged"}, again.out

        for name in ("front", "other", "token", "grant"):
            (made / f"{name}.yaml").unlink()
        for _ in range(2):  # Until a person acts.
            lost = west.ctl("apply", "-f", str(namespace)).err
            assert "Listener front is no longer in" in lost and "--prune" in lost
            assert "Listener other is no longer in" in lost and "Service other" in lost
            assert "Service db" not in lost, "the Connector still uses it"
            assert "sitectl --site west link delete to-east" in lost
            assert "sitectl --site west revoke-access --link for-others" in lost
        assert answer(west.address, PORT) == "postgres", "nothing is removed unasked"

        pruned = west.ctl("apply", "-f", str(namespace), "--prune")
        assert "listener front deleted" in pruned.out and "service other deleted" in pruned.out
        assert "link delete to-east" in pruned.err, "links and claims end by their own commands"
        until(lambda: answer(west.address, PORT) == "", "nobody listens there any more")
        west.ctl("link", "delete", "to-east")
        west.ctl("revoke-access", "--link", "for-others")
        assert west.ctl("apply", "-f", str(namespace)).err == ""


def test_a_grant_of_a_directory_that_expired_is_not_made_again(tmp_path: Path) -> None:
    with Network(tmp_path / "sites") as network:
        west = network.site("west")
        spec = v2("AccessGrant", "shop", expirationWindow="1s")
        made = resources(west, tmp_path, grant=spec)
        assert "kind: AccessToken" in west.ctl("apply", "-f", str(made)).out

        def is_over() -> bool:
            """An expired claim is forgotten when another one is made."""
            west.ctl("token", "create", str(tmp_path / "other.token"))
            names = [one["name"] for one in west.json("token", "list")]
            return "shop" not in names

        until(is_over, "it has expired")
        assert west.ctl("apply", "-f", str(made)).out == "accessgrant shop unchanged\n"


def test_prune_is_for_directories(tmp_path: Path) -> None:
    with Network(tmp_path / "sites") as network:
        west = network.site("west")
        refused = west.ctl("apply", "-f", "-", "--prune", given=v2("Site", "west"), code=2)
        assert "--prune is for a directory" in refused.err


def test_a_damaged_record_is_named_and_nothing_is_applied(tmp_path: Path) -> None:
    with Network(tmp_path / "sites") as network:
        west = network.site("west")
        made = resources(west, tmp_path, site=v2("Site", "west", linkAccess="default"))
        (west.directory / "skupper2.json").write_text("[")
        refused = west.ctl("apply", "-f", str(made), code=1)
        assert "skupper2.json is damaged" in refused.err and "rm " in refused.err
