"""YAML of Skupper v2, as its users have it, on host sites."""

import socket
from functools import partial
from pathlib import Path

from tests.scenario.harness import Network, Site
from tests.scenario.waiting import until

PORT = 20_432
HEAD = "apiVersion: skupper.io/v2alpha1\nkind: {kind}\nmetadata:\n  name: {name}\nspec:\n"


def v2(kind: str, name: str, **spec: object) -> str:
    """One object."""
    lines = "".join(f"  {field}: {value}\n" for field, value in spec.items()) or "  {}\n"
    return HEAD.format(kind=kind, name=name) + lines


def answer(address: str, port: int) -> str:
    """What the target behind this address calls itself; empty: none answers."""
    try:
        with socket.create_connection((address, port), timeout=5) as client:
            client.sendall(b"name\n")
            return client.recv(100).decode().strip()
    except OSError:
        return ""


def resources(at: Site, directory: Path, **files: str) -> Path:
    """A directory as v2's ``input/resources``."""
    made = directory / at.name / "input" / "resources"
    made.mkdir(parents=True)
    for name, text in files.items():
        (made / f"{name}.yaml").write_text(text)
    return made


def test_listeners_and_connectors_of_a_directory_work_at_once(tmp_path: Path) -> None:
    with Network(tmp_path / "sites") as network:
        west, east = network.site("west"), network.site("east")
        network.link(west, east)
        target = network.tcp("postgres")
        network.start()
        network.see_each_other()
        key = "Shop.DB_primary"
        connector = v2("Connector", "db", routingKey=key, host=target.address, port=target.port)
        site = v2("Site", "east", linkAccess="default")
        made = east.ctl("apply", "-f", str(resources(east, tmp_path, db=connector, site=site)))
        assert "connector db created" in made.out
        listener = v2("Listener", "front", routingKey=key, host=west.address, port=PORT)
        west.ctl("apply", "-f", "-", given=listener + "---\n" + v2("Site", "west"))
        until(lambda: answer(west.address, PORT) == "postgres", "the key leads to the target")
        shown = west.ctl("service", "status").out
        assert key in shown, "people see the key as they wrote it"
        again = west.ctl("apply", "-f", "-", given=listener)
        assert "created" not in again.out and "updated" not in again.out
        until(partial(west.reaches, {"west", "east"}), "nothing else changed")
        assert not west.problems("SW0301") and not east.problems("SW0301")
        moved = listener.replace(str(PORT), str(PORT + 1))
        assert "listener front updated" in west.ctl("apply", "-f", "-", given=moved).out
        until(lambda: answer(west.address, PORT + 1) == "postgres", "at its new port")
        until(lambda: answer(west.address, PORT) == "", "and no longer at the old one")


def test_what_cannot_be_used_changes_nothing_and_says_where(tmp_path: Path) -> None:
    with Network(tmp_path / "sites") as network:
        west = network.site("west")
        token = v2("AccessToken", "t", url="https://10.0.0.1:9090/x", code="c", ca="c")
        listener = v2("Listener", "front", routingKey="db", host=west.address, port=PORT)
        made = resources(west, tmp_path, token=token, listener=listener)
        refused = west.ctl("apply", "-f", str(made), code=1)
        assert "AccessToken/t" in refused.err and "is not redeemed here" in refused.err
        assert "token.yaml:1" in refused.err and "link create FILE" in refused.err
        assert not list((west.directory / "config").glob("listener-*"))
        empty = tmp_path / "empty"
        empty.mkdir()
        assert "without objects of Skupper v2" in west.ctl("apply", "-f", str(empty), code=2).err


def test_a_new_site_is_made_from_its_yaml(tmp_path: Path) -> None:
    with Network(tmp_path / "sites") as network:
        west = network.planned("west")
        access = v2("RouterAccess", "doors", bindHost=west.address, tlsCredentials="x")
        access += "  roles: [{name: inter-router, port: 20671}]\n"
        text = v2("Site", "west", linkAccess="default") + "---\n" + access
        assert "site west created" in west.ctl("apply", "-f", "-", given=text).out
        shown = west.ctl("get", "site/west", "-o", "yaml").out
        assert f"ingressBindIp: {west.address}" in shown and "bindPort: 20671" in shown
