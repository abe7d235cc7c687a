"""What commands that are typed often load: start-up stays short because little is imported.

Not measured in seconds, which a busy machine makes any number of, but in modules.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.fakes import FakeAdmin
from tests.unit.sitectl.show.test_looking import STATUS

HEAVY = {"aiohttp", "asyncio", "cryptography", "httpx2", "lightkube", "rich", "uvloop"}
"""What takes 10 ms and more each, and looking needs none of."""
NOT_FOR_HELP = HEAVY | {"http", "msgspec", "ssl", "yaml"}

PROGRAM = """
import json, sys
from sitectl.main import cli
try:
    cli(sys.argv[1:], prog_name="sitectl")
except SystemExit as end:
    code = end.code
print(json.dumps([code, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


def loaded(state: Path, *words: str) -> tuple[int, set[str]]:
    """The exit code of a command in a separate process, and the packages that it imported."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "SITECTL_STATE": str(state), "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    code, modules = json.loads(done.stdout.splitlines()[-1])
    return code, set(modules)


@pytest.mark.parametrize("words", [("--help",), ("stauts",)])
def test_the_first_page_loads_next_to_nothing(tmp_path: Path, words: tuple[str, ...]) -> None:
    _, modules = loaded(tmp_path, *words)
    assert not modules & NOT_FOR_HELP


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (("status",), "/api/v1/status"),
        (("link", "status"), "/api/v1/links"),
        (("service", "status"), "/api/v1/services"),
        (("network", "status"), "/api/v1/network"),
    ],
)
def test_looking_at_a_running_site_loads_nothing_heavy(
    here: CommandLine, admin: FakeAdmin, words: tuple[str, ...], path: str
) -> None:
    admin.items("/api/v1/links")
    admin.items("/api/v1/services")
    admin.items("/api/v1/network")
    admin.item("/api/v1/status", STATUS)
    code, modules = loaded(here.state, *words)
    assert code == 0
    assert not modules & HEAVY


def test_completing_names_loads_nothing_heavy(
    here: CommandLine, admin: FakeAdmin, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin.items("/api/v1/links")
    for name, value in (
        ("_SITECTL_COMPLETE", "bash_complete"),
        ("COMP_WORDS", "sitectl link status "),
        ("COMP_CWORD", "3"),
    ):
        monkeypatch.setenv(name, value)
    code, modules = loaded(here.state)
    assert code == 0
    assert not modules & HEAVY


def test_a_stopped_site_is_looked_at_without_cryptography(here: CommandLine) -> None:
    here.ok("service", "create", "shop", "8080")
    code, modules = loaded(here.state, "service", "status")
    assert code == 3
    assert not modules & HEAVY
