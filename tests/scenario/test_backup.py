"""Sites that come back from a backup, as processes; and copies beside their living originals."""

import json
import socket
from functools import partial
from pathlib import Path

from tests.scenario.clients import Load, fetch
from tests.scenario.harness import SHOP_PORT, Network, Site, own_address
from tests.scenario.waiting import stays, until

WORDS = "correct horse battery"


def saved(site: Site) -> Path:
    """A backup of ``site``, whose router may run."""
    file = site.state / f"{site.name}.backup"
    site.quick("backup", str(file), "--passphrase-file", passphrase(site.state))
    return file


def passphrase(state: Path) -> str:
    """A file with it."""
    path = state / "passphrase"
    path.write_text(WORDS)
    path.chmod(0o600)
    return str(path)


def restored(net: Network, file: Path, like: Site, *, address: str = "") -> Site:
    """The site of ``file`` on another host: another state directory, and address if given."""
    copy = Site(like.name, net.state / f"host-{len(net.sites)}", address or like.address)
    net.sites.append(copy)
    copy.quick("restore", str(file), "--passphrase-file", passphrase(net.state))
    document = copy.directory / "config" / f"site-{like.name}.yaml"
    document.write_text(document.read_text().replace(like.address, copy.address))
    return copy


def linked(site: Site, name: str, state: str) -> bool:
    """Whether the link ``name`` of ``site`` is in ``state``."""
    link = site.link(name)
    return link is not None and link["state"] == state


def test_a_site_lost_with_its_host_comes_back_with_its_links_and_nothing_it_took_back(
    net: Network,
) -> None:
    west, east, north, bad = (net.site(name) for name in ("west", "east", "north", "bad"))
    target = net.http("west")
    west.declare("shop")
    west.connect("shop", target, capacity=10)
    net.link(west, east)
    net.link(north, west, token="cert")
    shared = net.token(west, "--uses", "3", "--name", "shared")
    bad.quick("link", "create", str(shared), "--name", "west")
    net.start()
    net.see_each_other()
    net.ready("shop", {"west": 1}, east, north)
    until(partial(west.is_up, "bad"), "the site that will be revoked is linked")
    site_id = west.get("status")["id"]
    west.quick("revoke-access", "--link", "bad")
    file = saved(west)
    west.quick("delete", "--yes")
    assert not west.directory.exists()
    until(lambda: not east.reaches({"west"}), "east has lost it")

    again = restored(net, file, west)
    again.start()
    assert again.get("status")["id"] == site_id
    until(partial(again.is_up, "east"), "its own link is up again")
    until(partial(north.is_up, "west"), "the link of its neighbor is up again")
    net.ready("shop", {"west": 1}, east, north)
    assert fetch(east.address, SHOP_PORT).status == 200
    until(partial(linked, bad, "west", "refused"), "who was revoked stays so")

    late = net.site("late")
    late.quick("link", "create", str(shared), "--name", "west")
    late.start()
    until(partial(linked, late, "west", "refused"), "a claim of the backup is void")


def test_a_copy_beside_its_living_original_is_kept_out_and_told_where_both_are(
    net: Network,
) -> None:
    west, east = net.site("west"), net.site("east")
    target = net.http("west", 0.01)
    west.declare("shop")
    west.connect("shop", target, capacity=10)
    net.link(west, east)
    net.start()
    net.see_each_other()
    net.ready("shop", {"west": 1})
    copy = restored(net, saved(west), west, address=own_address())
    since = west.link("east")["since"]
    with Load([(east.address, SHOP_PORT)], 40) as load:
        assert "SW0401" in copy.ctl("start").err
        copy.note_pid()

        def kept_out() -> bool:
            return any(p["code"] == "SW0401" for p in copy.get("status")["problems"])

        until(kept_out, "the copy says what it is")
        (problem,) = [p for p in copy.json("status", code=3)["problems"] if p["code"] == "SW0401"]
        host = socket.gethostname()
        assert (
            f"linked here from 127.0.0.1 ({host}, process {west.note_pid()})" in problem["message"]
        )
        assert f"from 127.0.0.1 ({host}, process {copy.note_pid()}), is its" in problem["message"]
        assert "Stop one of the two" in problem["hint"]
        stays(partial(west.is_up, "east"), "the original keeps its link", 1.0)
    assert not load.failed
    assert west.link("east")["since"] == since
    west.until_well()

    west.ctl("stop")
    until(partial(copy.is_up, "east"), "the copy is let in when the original is gone")
    until(lambda: fetch(east.address, SHOP_PORT).status == 200, "and serves")
    copy.until_well()


def test_a_restore_beside_its_running_router_changes_nothing(net: Network) -> None:
    west = net.site("west")
    file = saved(west)
    west.quick("service", "create", "later", "8080", "--protocol", "http")
    west.start()
    before = sorted(path.name for path in (west.directory / "config").iterdir())
    words = ("restore", str(file), "--force", "--passphrase-file", "-", "-o", "json")
    refused = west.ctl(*words, code=5, given=WORDS)
    told = json.loads(refused.err)
    assert told["code"] == "SW0658"
    assert "runs here" in told["message"]
    assert sorted(path.name for path in (west.directory / "config").iterdir()) == before
    west.ctl("stop")
    west.ctl(*words, given=WORDS)
    assert not (west.directory / "config" / "service-later.yaml").exists()
    west.start()
