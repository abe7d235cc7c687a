"""`init` and `update` with a console: its place, its users, and what `status` says of it."""

import os
import stat
from pathlib import Path

import pytest

from router.model import limits
from tests.unit.sitectl.conftest import CommandLine


def folder(sitectl: CommandLine, site: str) -> Path:
    return Path(sitectl.state) / site / "secrets" / "console-users"


def test_a_console_has_a_user_with_a_random_password_that_is_not_shown(
    sitectl: CommandLine,
) -> None:
    made = sitectl.ok("init", "east", "--enable-console")
    path = folder(sitectl, "east") / "admin"
    password = path.read_text()
    assert len(password) >= 20 and password not in made.stdout + made.stderr
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    url = sitectl.json("--site", "east", "status", code=3)["console"]["url"]
    assert url.startswith("http://127.0.0.1:80")
    again = sitectl.ok("init", "east", "--enable-console")
    assert "unchanged" in again.stdout
    assert path.read_text() == password


def test_two_sites_of_one_machine_have_their_consoles_at_two_ports(sitectl: CommandLine) -> None:
    sitectl.ok("init", "east", "--enable-console")
    sitectl.ok("init", "west", "--enable-console")
    places = [
        sitectl.json("--site", site, "status", code=3)["console"]["url"]
        for site in ("east", "west")
    ]
    assert len(set(places)) == 2


def test_a_password_of_the_standard_input_is_kept_and_can_be_changed(sitectl: CommandLine) -> None:
    words = ("--enable-console", "--console-user", "eve", "--console-password-file", "-")
    sitectl.ok("init", "east", *words, stdin="first\n")
    path = folder(sitectl, "east") / "eve"
    assert path.read_text() == "first"
    changed = sitectl.ok("--site", "east", "update", *words, stdin="second\n")
    assert path.read_text() == "second" and "second" not in changed.stdout + changed.stderr
    same = sitectl.ok("--site", "east", "update", *words, stdin="second\n")
    assert "unchanged" in same.stdout


def test_a_password_of_a_pipe_is_kept_as_bash_gives_one_for_a_command(sitectl: CommandLine) -> None:
    read, write = os.pipe()
    try:
        os.write(write, b"piped\n")
        os.close(write)
        words = ("--enable-console", "--console-password-file", f"/dev/fd/{read}")
        sitectl.ok("init", "east", *words)
    finally:
        os.close(read)
    assert (folder(sitectl, "east") / "admin").read_text() == "piped"


def test_a_folder_and_a_missing_file_hold_no_password(sitectl: CommandLine, tmp_path: Path) -> None:
    words = ("init", "east", "--enable-console", "--console-password-file")
    assert "is no regular file" in sitectl(*words, str(tmp_path)).stderr
    missing = sitectl(*words, str(tmp_path / "none"))
    assert missing.exit_code == 4 and f"no password in {tmp_path / 'none'}" in missing.stderr


def test_a_console_that_is_switched_off_says_how_it_is_served_there_again(
    sitectl: CommandLine,
) -> None:
    sitectl.ok("init", "east")
    assert sitectl.json("--site", "east", "status", code=3)["console"]["url"] == ""
    sitectl.ok("--site", "east", "update", "--console-bind", "127.0.0.7:9000")
    console = sitectl.json("--site", "east", "status", code=3)["console"]
    assert console == {
        "url": "http://127.0.0.7:9000/",
        "auth": "internal",
        "secret": str(folder(sitectl, "east")),
    }
    sitectl.ok("--site", "east", "update", "--console-host", "a.corp", "--console-host", "b.corp")
    before = sitectl.config("east")["site-east.yaml"]
    off = sitectl.ok("--site", "east", "update", "--no-enable-console")
    assert "console" not in sitectl.config("east")["site-east.yaml"]
    again = (
        "sitectl --site east update --enable-console --console-bind 127.0.0.7:9000 "
        "--console-host a.corp --console-host b.corp"
    )
    assert off.stderr == f"to serve it as before: {again}\n"
    sitectl.ok(*again.split()[1:])
    assert sitectl.config("east")["site-east.yaml"] == before


def test_a_console_with_every_default_is_switched_off_without_a_word(sitectl: CommandLine) -> None:
    sitectl.ok("init", "east")
    assert sitectl.ok("--site", "east", "update", "--no-enable-console").stderr == ""
    sitectl.ok("--site", "east", "update", "--console-bind", "127.0.0.1:8010")
    off = sitectl.ok("--site", "east", "update", "--no-enable-console")
    assert off.stderr == ""


@pytest.mark.parametrize("bind", ["0.0.0.0:8010", "10.0.0.1:8010", "[::]:8010"])
def test_without_a_login_only_this_machine_may_look(sitectl: CommandLine, bind: str) -> None:
    words = ("init", "east", "--console-auth", "unsecured", "--console-bind")
    refused = sitectl(*words, bind)
    assert refused.exit_code != 0 and "this machine alone" in refused.stderr
    sitectl.ok(*words, "[::1]:8010")
    assert sitectl.json("--site", "east", "status", code=3)["console"]["auth"] == "unsecured"


def test_beyond_loopback_it_is_https(sitectl: CommandLine) -> None:
    sitectl.ok("init", "east", "--console-bind", "0.0.0.0:8010", "--console-host", "east.corp")
    url = sitectl.json("--site", "east", "status", code=3)["console"]["url"]
    assert url == "https://east.corp:8010/"


@pytest.mark.parametrize("user", ["", ".hidden", "a/b", "a:b", "x" * 65, "..", "a\nb"])
def test_a_user_that_is_no_name_of_a_file_is_refused(sitectl: CommandLine, user: str) -> None:
    refused = sitectl("init", "east", "--enable-console", f"--console-user={user}")
    assert refused.exit_code == 2 or not user  # An empty one is the default.
    assert not (folder(sitectl, "east") / "hidden").exists()


def test_a_password_at_the_limit_fits_and_one_byte_more_does_not(sitectl: CommandLine) -> None:
    most = limits.CONSOLE_PASSWORD_BYTES_MAX
    words = ("init", "east", "--enable-console", "--console-password-file", "-")
    assert sitectl(*words, stdin="x" * (most + 1)).exit_code == 2
    assert sitectl(*words, stdin="").exit_code == 2
    sitectl.ok(*words, stdin="x" * most)
    assert len((folder(sitectl, "east") / "admin").read_bytes()) == most


def test_a_password_among_the_arguments_is_taken_with_a_word_about_it(
    sitectl: CommandLine,
) -> None:
    made = sitectl.ok("init", "east", "--enable-console", "--console-password", "open sesame")
    assert "--console-password-file" in made.stderr and "sesame" not in made.stderr + made.stdout
    assert (folder(sitectl, "east") / "admin").read_text() == "open sesame"


def test_one_user_too_many_is_refused(sitectl: CommandLine) -> None:
    sitectl.ok("init", "east", "--enable-console")
    for number in range(limits.CONSOLE_USERS_MAX - 1):
        (folder(sitectl, "east") / f"u{number}").write_text("x")
    more = ("--site", "east", "update", "--enable-console", "--console-user", "more")
    assert sitectl(*more).exit_code == 2
    (folder(sitectl, "east") / "u0").unlink()
    sitectl.ok(*more)
