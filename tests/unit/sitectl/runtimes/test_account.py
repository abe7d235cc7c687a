"""Handing a site over: all of it, and nothing that only looks as if it were in it."""

import os
import pwd
import subprocess
from pathlib import Path

import pytest

from sitectl.base.failure import Failure
from sitectl.runtimes import account

NOBODY = pwd.getpwnam("nobody")
needs_root = pytest.mark.root("give files away")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A directory with files of ours."""
    made = tmp_path / "site"
    (made / "secrets" / "links").mkdir(parents=True)
    (made / "secrets" / "identity.key").write_text("key")
    return made


@needs_root
def test_everything_in_the_site_is_handed_over(site: Path) -> None:
    account.hand_over(site, NOBODY)
    owners = {path.lstat().st_uid for path in (site, *site.rglob("*"))}
    assert owners == {NOBODY.pw_uid}
    account.hand_over(site, NOBODY)  # Again, by a command that is repeated.


@needs_root
def test_what_a_link_points_to_stays_ours(site: Path, tmp_path: Path) -> None:
    (tmp_path / "ours").write_text("ours")
    (site / "link").symlink_to(tmp_path / "ours")
    (site / "folder").symlink_to(tmp_path)
    account.hand_over(site, NOBODY)
    assert (tmp_path / "ours").stat().st_uid == 0
    assert tmp_path.stat().st_uid == 0
    assert (site / "link").lstat().st_uid == 0  # The owner of a link has no effect.


@needs_root
def test_a_file_with_a_second_name_elsewhere_is_not_given_away(site: Path, tmp_path: Path) -> None:
    (tmp_path / "ours").write_text("ours")
    (site / "ours").hardlink_to(tmp_path / "ours")
    with pytest.raises(Failure, match="second name elsewhere"):
        account.hand_over(site, NOBODY)
    assert (tmp_path / "ours").stat().st_uid == 0


@needs_root
def test_a_users_site_is_run_as_that_user_and_not_taken_away(site: Path) -> None:
    os.chown(site, NOBODY.pw_uid, NOBODY.pw_gid)
    account.own_site(site)
    owner = account.owner_of(site)
    assert owner is not None
    assert (owner.user, owner.uid) == ("nobody", NOBODY.pw_uid)


@needs_root
def test_an_owner_without_a_name_is_told_by_number(site: Path) -> None:
    os.chown(site, 65_533, 65_533)
    assert account.owner_of(site) == account.RouterAccount("65533", "65533", 65_533, 65_533)


def test_only_the_parents_that_are_ours_are_opened(tmp_path: Path) -> None:
    state = tmp_path / "state"
    (state / "gateways.d" / "db").mkdir(parents=True)
    for path in (tmp_path, state, state / "gateways.d", state / "gateways.d" / "db"):
        path.chmod(0o700)
    account.open_the_way(state / "gateways.d" / "db", state)
    modes = [path.stat().st_mode & 0o777 for path in (tmp_path, state, state / "gateways.d")]
    assert modes == [0o700, 0o711, 0o711]
    assert (state / "gateways.d" / "db").stat().st_mode & 0o777 == 0o700


def test_what_makes_the_account_says_no_with_its_own_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(account, "account", lambda: None)

    def refuse(command: tuple[str, ...], **_named: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess(command, 1, "", "Read-only file system\n")

    monkeypatch.setattr(subprocess, "run", refuse)
    with pytest.raises(Failure, match="Read-only file system") as caught:
        account.make_account()
    assert caught.value.code == "SW0609"
    assert "useradd" in caught.value.hint


def test_an_account_that_others_made_is_never_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "account", lambda: NOBODY)

    def refuse(*_words: str) -> None:
        raise AssertionError("userdel was run")

    monkeypatch.setattr(account, "_run", refuse)
    account.remove_account(tmp_path, tmp_path)


@needs_root
def test_a_removed_account_leaves_no_file_to_whoever_gets_its_number(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed: list[str] = []
    ours = pwd.struct_passwd((*NOBODY[:4], "Spillway routers (sitectl)", *NOBODY[5:]))
    monkeypatch.setattr(account, "account", lambda: ours)
    monkeypatch.setattr(account, "_run", lambda *words: removed.append(words[0]))
    other = site.parent / "gateways.d" / "db"
    other.mkdir(parents=True)
    account.hand_over(site, ours)
    account.hand_over(other, ours)
    account.remove_account(site, site.parent)
    assert not removed  # A container's router runs as it.
    account.hand_over(other, pwd.getpwuid(0))
    account.remove_account(site, site.parent)
    assert removed == ["userdel"]
    assert {path.lstat().st_uid for path in (site, *site.rglob("*"))} == {0}
