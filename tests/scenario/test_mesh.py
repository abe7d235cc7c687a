"""A network in one file: applied, repeated, changed, exported and attacked, as processes."""

import base64
import json
import re
import subprocess
import time
from contextlib import suppress
from functools import partial
from random import Random

import pytest
import yaml

from tests.scenario.clients import fetch
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.meshes import MeshNetwork, routers_of
from tests.scenario.waiting import own_time, until

DRIFT_SEEN_S = 5.0


@pytest.fixture
def mesh(net: Network) -> MeshNetwork:
    """A file without sites yet."""
    return MeshNetwork(net)


@pytest.fixture
def shop(mesh: MeshNetwork) -> tuple[MeshNetwork, Site, Site]:
    """A file with ``west``, which owns a shop and has its targets, and ``east``, which dials it."""
    target = mesh.net.http("west")
    place = {"host": target.address, "port": target.port}
    west = mesh.site("west", connectors={"shop": {"targets": [place], "capacity": 10}})
    east = mesh.site("east", settings={"ingress": "none"})
    mesh.link("east", "west", cost=5)
    mesh.spec["services"]["shop"] = {"owner": "west", "protocol": "http", "ports": [SHOP_PORT]}
    return mesh, west, east


Shop = tuple[MeshNetwork, Site, Site]


def files_of(site: Site) -> dict[str, bytes]:
    """What commands write: documents, tokens of links, claims that were made, the record."""
    there = site.directory
    return {
        str(path.relative_to(there)): path.read_bytes()
        for part in ("config", "secrets/links", "secrets/grants", "mesh.json")
        for path in sorted([there / part, *(there / part).rglob("*")])
        if path.is_file() and path.name != "state.json"
    }


def served(site: Site) -> bool:
    """Whether the shop answers there."""
    try:
        return fetch(site.address, SHOP_PORT).status == 200
    except OSError:
        return False


def test_one_command_makes_a_linked_network_from_nothing(shop: Shop) -> None:
    mesh, _west, east = shop
    done = mesh.apply("--wait", "30")
    assert "2 sites" in done.out
    assert east.is_up("west"), "--wait returns when the links are up"
    until(partial(served, east), "the shop of west answers at east")
    assert fetch(east.address, SHOP_PORT).site == "west"


def test_applied_again_it_changes_nothing(shop: Shop) -> None:
    mesh, west, east = shop
    mesh.apply("--wait", "30")
    before = {site.name: files_of(site) for site in (west, east)}
    pids = {site.name: site.note_pid() for site in (west, east)}
    done = mesh.apply()
    assert done.out.strip() == "All sites in reach are as the file says, unchanged."
    assert json.loads(mesh.apply("-o", "json").out)["items"] == []
    assert {site.name: files_of(site) for site in (west, east)} == before
    assert {site.name: site.note_pid() for site in (west, east)} == pids
    assert mesh.changes() == []
    assert "No drift at 2 sites." in mesh.mesh("drift").out


def test_a_change_by_hand_is_seen_within_seconds_and_repaired(shop: Shop) -> None:
    mesh, _west, east = shop
    mesh.apply("--wait", "30")
    watching = mesh.started("mesh", "drift", "-f", str(mesh.file), "--watch", "1s")
    try:
        for line in watching.stdout:
            if "No drift" in line:
                break
        east.quick("link", "set", "west", "--cost", "9")
        changed = own_time()
        for line in watching.stdout:
            if "~ link west" in line:
                break
        assert own_time() - changed < DRIFT_SEEN_S
    finally:
        watching.kill()
        watching.communicate()
    assert mesh.changes("drift", code=3) == [("east", "update", "Link", "west")]
    mesh.apply()
    assert mesh.changes("drift") == []
    until(lambda: east.link("west")["cost"] == 5, "the router has the cost of the file")


def test_the_plan_of_an_export_is_empty(shop: Shop) -> None:
    mesh, west, _east = shop
    mesh.spec["links"][0]["allow"] = {"declare": [], "import": ["shop"]}
    mesh.spec["services"]["shop"]["grants"] = [{"site": "east", "verbs": ["call"]}]
    mesh.apply("--wait", "30")
    mesh.file.write_text(mesh.ctl("mesh", "export", "--name", "net").out)
    assert mesh.mesh("plan").out.splitlines()[-1] == "Nothing to do."
    document = yaml.safe_load(mesh.file.read_text())
    assert document["spec"]["links"] == [
        {"from": "east", "to": "west", "cost": 5, "allow": {"declare": [], "import": ["shop"]}}
    ]
    policy = document["spec"]["sites"]["west"]["policies"]["shop"]
    assert policy == {"grants": [{"site": "east", "verbs": ["call"]}]}, "to a name, as it was"
    assert document["spec"]["sites"]["west"]["id"] == west.get("status")["id"]
    assert mesh.mesh("apply").out.startswith("All sites in reach are as the file says")


def test_what_left_the_file_is_deleted_and_what_was_made_by_hand_stays(shop: Shop) -> None:
    mesh, west, east = shop
    mesh.spec["services"]["old"] = {"owner": "west", "protocol": "tcp", "ports": [SHOP_PORT + 1]}
    mesh.apply("--wait", "30")
    west.quick("service", "create", "own", str(SHOP_PORT + 2))
    del mesh.spec["services"]["old"]
    mesh.spec["links"] = []
    mesh.write()
    assert set(mesh.changes()) == {
        ("west", "delete", "Service", "old"),
        ("west", "extra", "Service", "own"),
        ("east", "delete", "Link", "west"),
    }
    mesh.apply()
    assert mesh.changes() == [("west", "extra", "Service", "own")]
    until(lambda: east.link("west") is None, "the link is gone")
    until(lambda: west.service("old") is None, "the service is gone")
    assert west.service("own") is not None
    mesh.apply("--prune")
    assert mesh.changes() == []
    until(lambda: west.service("own") is None, "--prune deletes it")


@pytest.fixture
def apart(shop: Shop) -> tuple[MeshNetwork, Site, Site]:
    """As `shop`, with ``east`` on another host, whose operator applies its own part."""
    mesh, west, east = shop
    mesh.spec["sites"]["east"]["at"] = {"runtime": "elsewhere"}
    there = Site("east", mesh.net.state / "there", east.address)
    mesh.net.sites[-1] = there
    return mesh, west, there


def test_an_invitation_links_a_site_out_of_reach_once(apart: Shop) -> None:
    mesh, _west, east = apart
    invitations = mesh.net.state / "invitations"
    done = mesh.apply("--invite", str(invitations))
    assert "invitation of east" in done.err
    (file,) = invitations.iterdir()
    assert file.name == "east.yaml"
    assert file.stat().st_mode & 0o777 == 0o600
    assert invitations.stat().st_mode & 0o777 == 0o700

    waits = mesh.ctl(
        "--site", "east", "mesh", "apply", "-f", str(mesh.file), code=3, state=east.state
    )
    assert "east waits for a claim of west" in waits.err
    assert "router east started" in waits.out, "all else is done, and told"
    words = ("--site", "east", "mesh", "apply", "-f", str(mesh.file), "--invitation", str(file))
    mesh.ctl(*words, "--wait", "30", state=east.state)
    assert east.is_up("west")
    assert mesh.ctl(*words, state=east.state).out.startswith("All sites in reach are as the file")

    east.quick("link", "delete", "west")
    used = mesh.ctl(*words, "--wait", "30", code=1, state=east.state)
    assert "no uses left" in used.err or "used" in used.err


def test_an_invitation_is_written_while_other_links_wait(apart: Shop) -> None:
    mesh, _west, _east = apart
    mesh.spec["sites"]["east"]["settings"]["ingress"] = "host"
    mesh.link("west", "east")
    invitations = mesh.net.state / "invitations"
    waits = mesh.apply("--invite", str(invitations), code=3)
    assert "west waits for a claim of east" in waits.err
    assert (invitations / "east.yaml").exists(), "or both ends would wait for each other"


def test_a_changed_file_is_picked_up_and_a_broken_one_is_survived(shop: Shop) -> None:
    mesh, west, east = shop
    mesh.write()
    applying = mesh.started("mesh", "apply", "-f", str(mesh.file), "--every", "1s")
    try:
        until(partial(linked, east, "west"), "all is made")
        good = mesh.file.read_text()
        mesh.file.write_text(good.replace("to: west", "to: wost"))
        for line in applying.stdout:
            if "no site 'wost'" in line:
                break
        assert west.get("status")["ready"]
        mesh.file.unlink()
        mesh.file.mkdir()
        for line in applying.stdout:
            if "Is a directory" in line:
                break
        mesh.file.rmdir()
        mesh.spec["links"][0]["cost"] = 7
        mesh.write()
        until(lambda: east.link("west")["cost"] == 7, "the changed file counts")
        east.quick("link", "set", "west", "--cost", "3")
        until(lambda: east.link("west")["cost"] == 7, "a change by hand is repaired")
        assert applying.poll() is None
    finally:
        applying.kill()
        applying.communicate()


def linked(site: Site, name: str) -> bool:
    """Whether a router is there and its link of that name is up."""
    return site.admin.is_ready() and site.is_up(name)


def test_two_that_apply_at_once_make_one_network(shop: Shop) -> None:
    mesh, west, east = shop
    mesh.write()
    words = ("mesh", "apply", "-f", str(mesh.file), "--wait", "30")
    both = [mesh.started(*words) for _ in range(3)]
    said = [one.communicate(90) for one in both]
    assert [one.returncode for one in both] == [0, 0, 0], "\n".join(said)
    assert east.is_up("west")
    assert mesh.changes() == []
    until(lambda: len(routers_of(east)) == len(routers_of(west)) == 1, "one router a site is left")


@pytest.mark.parametrize("seed", range(3))
def test_what_was_interrupted_is_finished_by_the_next(shop: Shop, seed: int) -> None:
    mesh, west, east = shop
    mesh.write()
    chance = Random(seed)
    for _ in range(6):
        applying = mesh.started("mesh", "apply", "-f", str(mesh.file))
        with suppress(subprocess.TimeoutExpired):
            applying.wait(chance.uniform(0.0, 2.0))
        applying.kill()
        applying.communicate()
    mesh.mesh("apply", "--wait", "30")
    assert mesh.changes() == []
    assert east.is_up("west")
    until(partial(served, east), "the shop of west answers at east")
    until(lambda: len(routers_of(east)) == len(routers_of(west)) == 1, "one router a site is left")


def test_another_site_of_that_name_is_not_touched(shop: Shop) -> None:
    mesh, west, east = shop
    mesh.apply("--wait", "30")
    before = files_of(west), files_of(east)
    mesh.spec["sites"]["west"]["id"] = "0" * 32
    mesh.spec["sites"]["east"]["connectors"] = {"new": {"targets": []}}
    failed = mesh.apply(code=5)
    assert f"is site {west.get('status')['id']}, not {'0' * 32}" in failed.err
    assert mesh.changes()[0] == ("west", "blocked", "Site", "west")
    assert (files_of(west), files_of(east)) == before, "nothing is changed at any site"


def test_another_runtime_or_other_terms_are_blocked_and_change_nothing(shop: Shop) -> None:
    mesh, west, east = shop
    mesh.apply("--wait", "30")
    before = files_of(west), files_of(east)
    mesh.spec["sites"]["east"]["at"] = {"runtime": "systemd"}
    mesh.spec["links"][0]["allow"] = {"import": []}
    mesh.spec["links"][0]["cost"] = 8
    failed = mesh.apply(code=5)
    assert "east was let in on other terms" in failed.err
    assert "its router is run by process, the file says systemd" in failed.err
    assert {("west", "blocked", "Link", "east"), ("east", "blocked", "Site", "east")} <= set(
        mesh.changes()
    )
    assert (files_of(west), files_of(east)) == before


def test_a_link_is_replaced_on_other_terms_as_the_plan_says(shop: Shop) -> None:
    mesh, west, east = shop
    mesh.apply("--wait", "30")
    mesh.spec["links"][0]["allow"] = {"import": []}
    mesh.write()
    hint = json.loads(mesh.mesh("plan", "-o", "json").out)["items"][0]["hint"]
    assert "revoke-access --link east" in hint
    west.ctl("revoke-access", "--link", "east")
    east.ctl("link", "delete", "west")
    failed = mesh.mesh("apply", code=5)
    assert "the access of east was revoked here" in failed.err, "no apply takes that back"
    token = mesh.net.token(west, "--allow-import", "")
    east.ctl("link", "create", str(token), "--name", "west", "--cost", "5")
    until(partial(east.is_up, "west"), "it is linked by hand")
    mesh.mesh("apply", "--wait", "30")
    assert mesh.changes() == []


def test_a_router_that_is_stopped_is_drift_and_started_again(shop: Shop) -> None:
    mesh, west, east = shop
    mesh.apply("--wait", "30")
    west.ctl("stop")
    until(lambda: not east.is_up("west"), "east misses west")
    found = mesh.changes("drift", code=3)
    assert ("west", "start", "Router", "west") in found
    assert ("east", "down", "Link", "west") in found
    mesh.apply("--wait", "30")
    assert mesh.changes("drift") == []


def test_a_cost_is_changed_while_the_other_end_is_down(shop: Shop) -> None:
    mesh, west, east = shop
    mesh.apply("--wait", "30")
    west.ctl("stop")
    mesh.spec["links"][0]["cost"] = 77
    mesh.write()
    mesh.ctl("--site", "east", "mesh", "apply", "-f", str(mesh.file))
    until(lambda: east.link("west")["cost"] == 77, "the router has the cost of the file")


def test_a_document_in_a_file_of_the_users_own_is_never_rewritten(shop: Shop) -> None:
    mesh, west, east = shop
    mesh.apply("--wait", "30")
    west.declare("mine", SHOP_PORT + 3)
    before = files_of(west), files_of(east)
    mesh.spec["services"]["mine"] = {"owner": "west", "protocol": "tcp", "ports": [SHOP_PORT + 4]}
    mesh.spec["links"][0]["cost"] = 6
    failed = mesh.apply(code=5)
    assert "own-service-mine.yaml" in failed.err
    assert (files_of(west), files_of(east)) == before, "nothing is changed at any site"
    blocked = [one for one in mesh.changes() if one[1] == "blocked"]
    assert blocked == [("west", "blocked", "Service", "mine")]


def test_no_secret_is_in_anything_that_is_printed_or_kept(apart: Shop) -> None:
    mesh, west, east = apart
    invitations = mesh.net.state / "invitations"
    said = [mesh.apply("--invite", str(invitations), "-o", "json")]
    file = invitations / "east.yaml"
    words = ("--site", "east", "mesh", "apply", "-f", str(mesh.file), "-o", "json")
    said.append(mesh.ctl(*words, "--invitation", str(file), "--wait", "30", state=east.state))
    said += [mesh.mesh("plan"), mesh.mesh("drift", "-o", "json"), mesh.ctl("mesh", "export")]
    said.append(mesh.ctl("mesh", "export", state=east.state))
    printed = "".join(one.out + one.err for one in said)
    for site in (west, east):
        printed += (site.directory / "mesh.json").read_text() + site.log_tail()
    claims = secrets_of(file.read_text())
    assert claims
    for secret in claims:
        assert secret not in printed
    assert not re.search(r"PRIVATE KEY|BEGIN CERT", printed)


def secrets_of(text: str) -> set[str]:
    """The secrets of all claims of an invitation, as they are in it and decoded."""
    kept = [token["data"]["password"] for token in yaml.safe_load_all(text)]
    return {*kept, *(base64.b64decode(one).decode() for one in kept)}


def test_twelve_sites_are_made_from_nothing(mesh: MeshNetwork) -> None:
    target = mesh.net.http("site-0")
    place = {"host": target.address, "port": target.port}
    for number in range(12):
        connectors = {"shop": {"targets": [place]}} if not number else {}
        mesh.site(f"site-{number}", connectors=connectors)
        if number:
            mesh.link(f"site-{number}", f"site-{(number - 1) // 2}")
    mesh.spec["services"]["shop"] = {"owner": "site-0", "protocol": "http", "ports": [SHOP_PORT]}
    began = time.monotonic()
    mesh.apply("--wait", "60")
    print(f"12 sites from nothing: {time.monotonic() - began:.1f} s")
    began = time.monotonic()
    assert mesh.changes() == []
    print(f"their plan: {time.monotonic() - began:.1f} s")
    last = mesh.net.sites[-1]
    until(partial(served, last), "the shop of site-0 answers at the last site", 30.0)
