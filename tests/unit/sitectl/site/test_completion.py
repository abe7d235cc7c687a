"""Completion: live names, names of documents, and never an error or a long wait."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import click
import pytest

from sitectl.base.options import Settings
from sitectl.main import cli
from sitectl.site import completion
from tests.scenario.waiting import own_time, until
from tests.unit.sitectl.base.test_watch import LINK
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.fakes import FakeAdmin
from tests.unit.sitectl.show.test_looking import SERVICE


def completed(here: CommandLine, line: str, shell: str = "bash", code: int = 0) -> list[str]:
    """What a shell is given for the last word of ``line``; nothing may be on stderr."""
    words = line.split(" ")
    done = subprocess.run(
        [sys.executable, "-m", "sitectl"],
        capture_output=True,
        text=True,
        timeout=60,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "SITECTL_STATE": str(here.state),
            "_SITECTL_COMPLETE": f"{shell}_complete",
            "COMP_WORDS": line,
            "COMP_CWORD": words[-1] if shell == "fish" else str(len(words) - 1),
        },
    )
    assert (done.returncode, done.stderr) == (code, "")
    return [item.removeprefix("plain,") for item in done.stdout.split()]


def names(here: CommandLine, line: str) -> list[str]:
    """Those that come from the router: a shell waits for them no longer than that is pleasant."""
    return until(lambda: completed(here, line), f"names for {line!r}")


def test_names_are_those_that_the_router_knows(here: CommandLine, admin: FakeAdmin) -> None:
    admin.items("/api/v1/services", {**SERVICE, "name": "shop"}, {**SERVICE, "name": "db"})
    admin.items("/api/v1/links", LINK, {**LINK, "name": "east"})
    admin.items("/api/v1/network", {"name": "west"}, {"name": "far"})
    assert names(here, "sitectl service status ") == ["db", "shop"]
    assert names(here, "sitectl service set sh") == ["shop"]
    assert names(here, "sitectl why d") == ["db"]
    assert names(here, "sitectl link set ") == ["east", "west"]
    assert names(here, "sitectl network status --of f") == ["far"]
    assert names(here, "sitectl service unbind shop host ") == ["h"]
    assert names(here, "sitectl --site ") == ["here"]
    assert names(here, "sitectl link status --site ") == ["here"]


@pytest.mark.parametrize(
    "name",
    [
        "$(id)",
        "`id`",
        "far;id",
        "far|id",
        "far id",
        "far\nfile,x",
        "f*",
        "~",
        "--state=/x",
        "far\x1b[A",
    ],
)
def test_a_name_of_another_site_that_a_shell_would_obey_is_not_offered(
    here: CommandLine, admin: FakeAdmin, name: str
) -> None:
    admin.items("/api/v1/network", {"name": name}, {"name": "far-zürich.1"})
    assert names(here, "sitectl network status --of ") == ["far-zürich.1"]


def test_verbs_flags_and_their_values_are_completed(here: CommandLine) -> None:
    assert completed(here, "sitectl stat") == ["status"]
    assert completed(here, "sitectl service st") == ["status"]
    assert completed(here, "sitectl service status --wa") == ["--watch"]
    assert completed(here, "sitectl service create x 80 --protocol h") == ["http", "http2"]
    assert completed(here, "sitectl service bind shop st") == ["statefulset"]
    assert completed(here, "sitectl -o ") == ["table", "wide", "json", "yaml"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_is_given_names(here: CommandLine, shell: str) -> None:
    here.ok("service", "create", "shop", "8080")
    found = completed(here, "sitectl service status sh", shell)
    assert found[-2:] in (["plain", "shop"], ["shop"]) or "shop" in found


def test_with_the_router_stopped_names_come_from_documents(here: CommandLine) -> None:
    here.ok("service", "create", "shop", "8080")
    config = here.state / "here" / "config"
    (config / "mine.yaml").write_text(
        "apiVersion: spillway/v1\nkind: Service\nname: by-hand\nspec: {ports: [1]}\n---\n"
        "apiVersion: spillway/v1\nname: second\nkind: Service\nspec: {ports: [2]}\n---\n"
        '{"apiVersion": "spillway/v1", "kind": "Service", "name": "as-json", "spec": {}}\n'
    )
    assert completed(here, "sitectl service status ") == ["as-json", "by-hand", "second", "shop"]
    assert completed(here, "sitectl get ") == ["Service", "Site"]
    assert completed(here, "sitectl get service b") == ["by-hand"]
    assert completed(here, "sitectl network status --of ") == []


def test_a_router_that_is_mute_costs_its_deadline_and_no_more(here: CommandLine) -> None:
    here.ok("service", "create", "shop", "8080")
    assert completion.ANSWER_S <= 0.15
    door = here.state / "here" / "run" / "admin.sock"
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(door))
        mute.listen()
        settings = Settings()
        settings.state, settings.platform = str(here.state), "process"
        with click.Context(cli, obj=settings) as context:
            begun = own_time()
            assert completion.names("services", context, "") == ["shop"]
            assert own_time() - begun < 10 * completion.ANSWER_S


def test_nothing_is_ever_an_error(
    sitectl: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # No namespace was ever looked at.
    assert completed(sitectl, "sitectl service status ") == []  # No site at all.
    for name in ("a", "b"):
        sitectl.ok("init", name)
    assert completed(sitectl, "sitectl service status ") == []  # Which of the two?
    assert completed(sitectl, "sitectl --site a service status ") == []
    config = sitectl.state / "a" / "config"
    (config / "broken.yaml").write_bytes(b"\xff\xfekind: [")
    os.mkfifo(config / "pipe.yaml")  # Reading it would wait for ever.
    assert completed(sitectl, "sitectl --site a service status ") == []
    assert completed(sitectl, "sitectl --platform kubernetes service status ") == []
    assert "status" in completed(sitectl, "sitectl nonsense --no-flag ")
    assert completed(sitectl, "sitectl --timeout soon link set ") == []


def test_names_of_a_namespace_are_those_shown_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    settings, other, process = Settings(), Settings(), Settings()
    settings.platform = other.platform = "kubernetes"
    settings.namespace, other.namespace, process.platform = "shop", "else", "process"
    completion.remember(settings, "services", ["b", "a"])
    completion.remember(settings, "links", ["west"])
    completion.remember(process, "services", ["no"])
    for one, what, names in (
        (settings, "services", ["a", "b"]),
        (settings, "links", ["west"]),
        (other, "services", []),
    ):
        with click.Context(cli, obj=one) as context:
            assert completion.names(what, context, "") == names
    for number in range(completion.REMEMBERED_MAX + 1):
        other.namespace = f"n{number}"
        completion.remember(other, "services", ["x"])
    with click.Context(cli, obj=settings) as context:
        assert completion.names("services", context, "") == []
    (tmp_path / "spillway" / "names.json").write_text("[broken")
    completion.remember(settings, "services", ["again"])
    with click.Context(cli, obj=settings) as context:
        assert completion.names("services", context, "") == ["again"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_what_is_printed_says_how_it_is_installed(here: CommandLine, shell: str) -> None:
    text = here.ok("completion", shell).stdout
    assert f"# To install it: sitectl completion {shell} > " in text
    assert shell != "zsh" or text.startswith("#compdef sitectl\n")


def test_bash_completes_with_what_is_printed(here: CommandLine, tmp_path: Path) -> None:
    here.ok("service", "create", "shop", "8080")
    script = tmp_path / "completion.bash"
    script.write_text(here.ok("completion", "bash").stdout)
    program = tmp_path / "sitectl"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m sitectl "$@"\n')
    program.chmod(0o755)
    typed = (
        f"source {script}; COMP_WORDS=(sitectl service status ''); COMP_CWORD=3; "
        f'_sitectl_completion {program}; echo "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", typed],
        capture_output=True,
        text=True,
        timeout=60,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "SITECTL_STATE": str(here.state),
        },
    )
    assert done.stdout.split() == ["shop"], done.stderr
