"""Facts of the host for a unit: where Python is, which users can reach it, shared directories."""

import os
import sys
from pathlib import Path

import pytest

from sitectl.runtimes.process import code_directory
from sitectl.runtimes.systemd import facts

NOBODY = 65_534
SHARED = "30 23 0:27 / /run rw,nosuid shared:5 - tmpfs tmpfs rw"
PRIVATE = "30 23 0:27 / /run rw,nosuid - tmpfs tmpfs rw"
ROOT = "23 1 254:0 / / rw shared:1 - ext4 /dev/vda rw"


def test_only_what_is_hidden_is_shown_and_each_place_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "HIDDEN", (str(tmp_path),))
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    outside = [sys.prefix, "/usr/bin"]
    places = [str(tmp_path / "venv" / "bin"), str(tmp_path / "venv"), *outside]
    found = facts.shown_paths([*places, str(tmp_path / "gone")])
    assert found == (str(tmp_path / "venv"),)


def test_a_link_into_a_home_is_shown_at_both_of_its_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "HIDDEN", (str(tmp_path / "home"),))
    (tmp_path / "home" / "real").mkdir(parents=True)
    (tmp_path / "home" / "link").symlink_to("real")
    found = facts.shown_paths([str(tmp_path / "home" / "link")])
    assert found == tuple(str(tmp_path / "home" / name) for name in ("link", "real"))


@pytest.mark.parametrize(
    ("mountinfo", "spreads"),
    [
        (f"{ROOT}\n{SHARED}", True),
        (f"{ROOT}\n{PRIVATE}", False),
        (ROOT, True),
        ("", True),
        (f"{PRIVATE}\n99 30 0:1 / /runner rw shared:9 - tmpfs tmpfs rw", False),
    ],
)
def test_mounts_spread_where_the_nearest_one_is_shared(mountinfo: str, spreads: bool) -> None:
    assert facts.spreads_mounts(mountinfo) == spreads


def test_the_first_closed_door_on_the_way_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "HIDDEN", (str(tmp_path.parents[-2]),))  # Of /tmp, or of /dev/shm.
    (tmp_path / "a" / "b").mkdir(parents=True)
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 0o001:
            assert facts.closed_to(NOBODY, NOBODY, str(tmp_path / "a"), ()) is not None
    top = [str(tmp_path / "a")]
    (tmp_path / "a").chmod(0o700)
    assert facts.closed_to(NOBODY, NOBODY, str(tmp_path / "a/b"), top) == str(tmp_path / "a")
    (tmp_path / "a").chmod(0o755)
    assert facts.closed_to(NOBODY, NOBODY, str(tmp_path / "a/b"), top) is None
    (tmp_path / "a").chmod(0o700)
    owner = (tmp_path / "a").stat()
    assert facts.closed_to(owner.st_uid, owner.st_gid, str(tmp_path / "a/b"), top) is None
    assert facts.closed_to(NOBODY, NOBODY, str(tmp_path / "gone"), top) is not None


def test_our_code_is_found_wherever_it_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    assert facts.import_paths("system")[0] == code_directory()
    monkeypatch.setattr("sysconfig.get_paths", lambda: {"purelib": code_directory()})
    assert facts.import_paths("user") == ()


def test_what_pythonpath_names_goes_along(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    words = os.pathsep.join([str(tmp_path), "", "/nowhere"])
    monkeypatch.setenv("PYTHONPATH", words)
    assert str(tmp_path) in facts.import_paths("user")
    assert "/nowhere" not in facts.import_paths("user")


def test_a_switch_of_the_kernel_takes_user_namespaces_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch = tmp_path / "max_user_namespaces"
    monkeypatch.setattr(facts, "_SWITCHES", ((str(switch), "0"),))
    assert facts.has_user_namespaces()  # The kernel has no such switch.
    switch.write_text("0\n")
    assert not facts.has_user_namespaces()
    switch.write_text("15000\n")
    assert facts.has_user_namespaces()


@pytest.mark.parametrize(
    ("text", "port", "needed"), [("1024", 443, True), ("80", 80, False), ("", 1023, True)]
)
def test_the_kernel_says_from_where_ports_are_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, port: int, needed: bool
) -> None:
    start = tmp_path / "start"
    start.write_text(text)
    monkeypatch.setattr(facts, "PORTS_FREE_FROM", start)
    assert facts.needs_right_to_bind(port) == needed
    assert not facts.needs_right_to_bind(0)
