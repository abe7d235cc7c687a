"""A disk that is full or fails below a site: serving goes on, verbs leave nothing half-done."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenario.clients import fetch
from tests.scenario.disks import Disk, small_disk
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import stays, until


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Where the state of the site under test is."""
    with small_disk(tmp_path / "disk") as disk:
        yield disk


@pytest.fixture
def here(disk: Disk) -> Iterator[Network]:
    """A network whose sites are on the disk."""
    with Network(disk.path) as net:
        yield net


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Network]:
    """A network whose sites are not."""
    (tmp_path / "other").mkdir()
    with Network(tmp_path / "other") as net:
        yield net


def served(net: Network, name: str) -> Site:
    """A site with a service and its target, running."""
    site = net.site(name)
    site.declare("shop")
    site.connect("shop", net.http(name))
    site.start()
    net.ready("shop", {name: 1}, site)
    return site


def problems(site: Site) -> dict[str, str]:
    """Codes and messages of the problems."""
    return {one["code"]: one["message"] for one in site.get("status")["problems"]}


def files(directory: Path) -> dict[str, bytes]:
    """Every file of wanted state and secrets."""
    places = (directory / "config", directory / "secrets")
    found = (
        path
        for place in places
        for path in place.rglob("*")
        if path.is_file() and path.name != ".lock"
    )
    return {str(path): path.read_bytes() for path in found}


def shop_answers(site: Site) -> bool:
    """Whether a client of ``site`` is served."""
    return fetch(site.address, SHOP_PORT).status == 200


def test_on_a_full_disk_a_router_serves_verbs_change_nothing_and_it_heals(
    disk: Disk, here: Network
) -> None:
    site = served(here, "full")
    site.quick("service", "create", "old", "20081")
    until(lambda: site.service("old"), "the service is known")
    disk.fill()
    before = files(site.directory)
    for words in (
        ("service", "create", "new", "20082"),
        ("service", "set", "old", "--policy", "balanced"),
        ("token", "create", str(disk.path / "t.yaml"), "--name", "mine"),
    ):
        failed = site.ctl(*words, code=1)
        assert "No space left on device" in failed.err and str(disk.path) in failed.err, failed
        assert "df -h" in failed.err
        assert files(site.directory) == before, words
    assert not (disk.path / "t.yaml").exists()
    assert not list(disk.path.rglob(".*.tmp"))
    # When the first declaration cannot be written. An editor may well have room for this.
    edited = site.directory / "config" / "own-service-shop.yaml"
    further = 'apiVersion: "spillway/v1"\nkind: Service\nname: late\nspec: {ports: [20083]}\n'
    edited.write_text(f"{edited.read_text()}\n---\n{further}")
    until(lambda: site.service("late"), "the service is declared")
    until(lambda: "SW0662" in problems(site), "the problem is named")
    assert "No space left" in problems(site)["SW0662"]
    assert shop_answers(site)
    assert site.ctl("health").out == "alive\n"
    disk.free()
    until(lambda: "SW0662" not in problems(site), "it is written again")
    assert '"late"' in (site.directory / "state.json").read_text()
    site.ctl("token", "create", str(disk.path / "t.yaml"), "--name", "mine")


def test_check_names_a_full_disk_that_only_one_site_is_on(disk: Disk, elsewhere: Network) -> None:
    (disk.path / "alone").mkdir()
    (elsewhere.state / "alone").symlink_to(disk.path / "alone")
    site = served(elsewhere, "alone")
    disk.fill()
    checked = site.ctl("check", code=3).out
    assert f"WARNING  SW0505  the disk of {site.directory} has no space left" in checked, checked
    dump = disk.path / "d.tar.gz"
    assert f"{dump}: No space left on device" in site.ctl("debug", "dump", str(dump), code=1).err
    disk.free()
    site.ctl("check")


def test_claims_wait_for_space_at_either_end(disk: Disk, here: Network, elsewhere: Network) -> None:
    full, other = served(here, "full"), served(elsewhere, "other")
    here.token(full)
    token = elsewhere.state / "t.yaml"
    full.quick("token", "create", str(token))
    other_token = elsewhere.token(other)
    full.ctl("stop")
    full.quick("link", "create", str(other_token), "--name", "other")
    disk.fill()
    full.ctl("start")  # On a full disk.
    assert shop_answers(full)
    until(lambda: "No space left" in full.link_error("other"), "its own claim waits")
    assert full.link("other")["state"] == "connecting"
    other.quick("link", "create", str(token), "--name", "full")
    until(lambda: "cannot answer claims now" in other.link_error("full"), "the other's waits")
    disk.free()
    until(lambda: full.is_up("other") and other.is_up("full"), "both links are up", 30.0)


def test_a_renewal_that_finds_no_space_says_so_at_once(
    disk: Disk, here: Network, elsewhere: Network
) -> None:
    full, other = served(here, "full"), served(elsewhere, "other")
    full.quick("link", "create", str(elsewhere.token(other)), "--name", "other")
    until(lambda: full.is_up("other"), "the link is up")
    disk.fill()
    failed = full.ctl("link", "renew", "other", "--wait", "--timeout", "3", code=1)
    assert "renewed.json: No space left on device" in failed.err, failed.err
    assert "Check the disk" in failed.err, failed.err
    assert full.is_up("other")
    disk.free()
    full.ctl("link", "renew", "other", "--wait", "30")


def test_a_disk_that_is_mounted_read_only_stops_verbs_and_not_the_router(
    disk: Disk, here: Network
) -> None:
    site = served(here, "fixed")
    with disk.read_only():
        failed = site.ctl("service", "create", "new", "20082", code=1)
        assert f"{site.directory}/.lock: Read-only file system" in failed.err
        assert "Mount it for writing" in failed.err
        checked = site.ctl("check", code=1)
        assert f"SW0505  {site.directory} cannot be written" in checked.out, checked.out
        assert shop_answers(site)
    site.ctl("service", "create", "new", "20082")


def test_a_log_that_cannot_be_written_is_a_problem_until_it_can(disk: Disk, here: Network) -> None:
    site = served(here, "silent")
    broken = site.directory / "config" / "broken.yaml"
    broken.write_text("-")
    disk.fill()
    numbers = itertools.count()

    def loses_lines() -> bool:
        """After one more line: a few still find room."""
        broken.write_text(f"{next(numbers)}: {'x' * 500}")
        site.admin.command("reload")
        return "SW0663" in problems(site)

    until(loses_lines, "the problem is named", 30.0)
    assert "router.log" in problems(site)["SW0663"]
    assert shop_answers(site)
    disk.free()
    until(lambda: "SW0663" not in problems(site), "lines are written again, of a quiet router too")
    written = (site.directory / "run" / "router.log").read_text().splitlines()
    assert any('"lines of this log were lost"' in one for one in written[-3:])


def test_a_state_directory_that_vanishes_leaves_the_router_serving(
    disk: Disk, here: Network
) -> None:
    site = served(here, "moved")
    aside = disk.path / "aside"
    site.directory.rename(aside)
    stays(lambda: shop_answers(site), "it serves", 3.0)
    aside.rename(site.directory)
    assert site.ctl("health").out == "alive\n"
    site.ctl("service", "create", "new", "20082")
    until(lambda: site.service("new"), "it follows its files again")
