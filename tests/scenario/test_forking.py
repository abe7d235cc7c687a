"""What is forked for a test is what `python -m` would have made."""

import contextlib
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from sitectl.runtimes.process import ProcessRuntime
from sitectl.site.directory import DirectorySite
from tests.scenario import forking
from tests.scenario.harness import COMMAND_TIMEOUT_S, ROOT, Network, Site
from tests.scenario.waiting import until

ALIKE = ("Umask", "SigBlk", "SigIgn", "SigCgt", "Seccomp", "NoNewPrivs")
"""Of `/proc/PID/status`."""


def kinds(place: Path, site: Site) -> Counter[str]:
    """What a process holds open, without numbers and the name of its site."""
    found: list[str] = []
    for name in os.listdir(place):
        with contextlib.suppress(FileNotFoundError):  # Closed since it was listed.
            target = os.readlink(place / name).replace(str(site.directory), "SITE")
            found.append(re.sub(r"[0-9]+", "N", target))
    return Counter(found)


def looks(site: Site, pid: int) -> dict[str, object]:
    """What the kernel knows of a site's router that must not depend on how it was started."""
    place = Path(f"/proc/{pid}")
    status = dict(line.split(":\t", 1) for line in (place / "status").read_text().splitlines())
    return {
        "status": {name: status[name] for name in ALIKE},
        "directory": Path(os.readlink(place / "cwd")) == site.directory,
        "session": os.getsid(pid) == pid,
        "limits": (place / "limits").read_text(),
        "standard": [Path(os.readlink(place / "fd" / name)).name for name in "012"],
        "files": kinds(place / "fd", site),
        "threads": status["Threads"],
    }


def test_a_forked_router_differs_from_a_started_one_in_nothing_that_the_kernel_knows(
    net: Network,
) -> None:
    assert forking.ROUTERS.suits(), "its environment is that of the whole run"
    forked, started = net.site("west"), net.site("east")
    forked.start()
    first = forked.note_pid()
    assert words_of(first).count(b"tests.scenario.forking") == 1
    ProcessRuntime(DirectorySite(started.directory)).start(COMMAND_TIMEOUT_S)
    second = started.note_pid()
    assert b"router.process.main" in words_of(second)
    try:
        # We have just asked each for its process id: our connections may still be leaving.
        until(lambda: looks(forked, first) == looks(started, second), "they look alike")
    except AssertionError:
        assert looks(forked, first) == looks(started, second)
        raise
    started.ctl("stop")
    os.waitpid(second, 0)


def words_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


@pytest.mark.parametrize(
    ("words", "given"),
    [
        (["version"], ""),
        (["--help"], ""),
        (["status"], ""),
        (["no-such-verb"], ""),
        (["apply", "-"], "apiVersion: spillway/v1\nkind: Nonsense\nname: a\nspec: {}\n"),
        (["--state", "/nowhere", "get", "services", "-o", "json"], ""),
    ],
)
def test_a_forked_command_says_and_returns_what_a_started_one_does(
    words: list[str], given: str, tmp_path: Path
) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "SITECTL_STATE": str(tmp_path),
        "SITECTL_PLATFORM": "process",
    }
    done = subprocess.run(
        [sys.executable, "-m", "sitectl", *words],
        input=given,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
    )
    forked = forking.sitectl(words, given, tmp_path, environment, COMMAND_TIMEOUT_S)
    assert forked == (done.returncode, done.stdout, done.stderr)


def test_a_command_that_does_not_end_is_killed_and_named(net: Network) -> None:
    site = net.site("west")
    site.start()
    words = ["--state", str(site.state), "--site", "west", "--platform", "process", "events", "-f"]
    with pytest.raises(subprocess.TimeoutExpired, match="events"):
        forking.sitectl(words, "", ROOT, os.environ, 0.5)


def test_another_environment_is_not_the_one_that_was_imported_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONOPTIMIZE", "1")
    assert not forking.ROUTERS.suits()
