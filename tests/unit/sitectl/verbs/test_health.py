"""`sitectl health`: one question to one router, one line, an exit code."""

import json
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner, Result

from sitectl.base.failure import Exit
from sitectl.main import cli
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.fakes import FakeAdmin

ROOT = Path(__file__).resolve().parents[4]
MEASURED = """
import sys
from sitectl.main import cli
try:
    cli(["--state", sys.argv[1], "health"])
except SystemExit as end:
    assert end.code == 0, end.code
print(*sorted({name.partition(".")[0] for name in sys.modules}))
print(*sorted(name for name in sys.modules if name.startswith(("router.", "sitectl."))))
"""


def one_line(result: Result, *words: str) -> bool:
    """Whether it printed a single line, with these words."""
    lines = result.stderr.splitlines()
    return len(lines) == 1 and all(word in lines[0] for word in words)


def test_a_router_that_answers_is_alive(admin: FakeAdmin, here: CommandLine) -> None:
    admin.answers["/healthz"] = (200, "ok")
    assert here.ok("health").stdout == "alive\n"
    assert here.json("health") == {"site": "here", "state": "alive"}


def test_a_router_that_drains_is_alive_and_not_ready(admin: FakeAdmin, here: CommandLine) -> None:
    admin.answers["/healthz"] = (200, "ok")
    admin.answers["/readyz"] = (503, "not ready")
    here.ok("health")
    result = here("health", "--ready")
    assert result.exit_code == Exit.FAILED and one_line(result, "'here'", "not ready")
    admin.answers["/readyz"] = (200, "ready")
    assert here.ok("health", "--ready").stdout == "ready\n"


def test_a_router_that_is_stopped_gives_exit_8_and_one_line(here: CommandLine) -> None:
    result = here("health")
    assert result.exit_code == Exit.UNREACHABLE
    assert one_line(result, "'here'", "not running", "admin.sock")
    told = json.loads(here("health", "-o", "json").stderr)
    assert (told["code"], told["retryable"]) == ("router-unreachable", True)


def test_the_state_may_be_the_site_itself_as_in_a_container(
    admin: FakeAdmin, here: CommandLine
) -> None:
    admin.answers["/healthz"] = (200, "ok")
    site = here.state / "here"
    for words, env in (
        (["health"], {"SITECTL_STATE": str(site)}),
        (["health"], {"SPILLWAY_SITE_DIR": str(site)}),
        (["health", "--site-dir", str(site)], {}),
        (["--site", "here", "health"], {"SITECTL_STATE": str(here.state)}),
    ):
        result = CliRunner(env=env).invoke(cli, ["--platform", "process", *words])
        assert result.exit_code == 0, (words, env, result.output)


def test_in_a_pod_the_router_beside_is_asked(admin: FakeAdmin, here: CommandLine) -> None:
    admin.answers["/healthz"] = (200, "ok")
    (here.state / "here").rename(here.state / "site")
    env = {"SITECTL_STATE": str(here.state), "KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    result = CliRunner(env=env).invoke(cli, ["health"])
    assert result.exit_code == 0, result.output


def test_which_router_is_meant_must_be_clear(here: CommandLine) -> None:
    result = here("--site", "there", "health")
    assert result.exit_code == Exit.NOT_FOUND and one_line(result, "'there'", str(here.state))
    here.ok("init", "second")
    result = here("health")
    assert result.exit_code == Exit.USAGE and "here, second" in result.stderr


def test_it_loads_nothing_that_takes_long(admin: FakeAdmin, here: CommandLine) -> None:
    admin.answers["/healthz"] = (200, "ok")
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(here.state)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    _, packages, modules = done.stdout.splitlines()
    heavy = {"msgspec", "asyncio", "aiohttp", "cryptography", "yaml", "rich", "uvloop", "lightkube"}
    assert not heavy & set(packages.split())
    assert not [name for name in modules.split() if name.startswith("router.documents")]
