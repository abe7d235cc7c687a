"""From nothing to a first spilled request: Debian 12, its own Python, no network, two commands."""

import os
import re
import time
from collections.abc import Iterator

import pytest

from router import __version__
from tests import needs
from tests.podman.engine import missing, podman, why_not
from tests.podman.systemd_host import systemd_image
from tests.published.conftest import Release

LONGEST_S = 300.0
COMMANDS = ("sh /release/install.sh", "sitectl demo")
_SPILLED = re.compile(r"shop \(http\)\W+burst\W+\d+\W+(?P<onprem>\d+)\W+(?P<near>\d+)")


@pytest.fixture
def debian(release: Release) -> Iterator[str]:
    """A container of a bare Debian 12 with an unpacked release in /release; its name."""
    needs.root("run a container")
    if reason := missing() or why_not(systemd_image()):
        pytest.fail(f"podman cannot run containers here: {reason}")
    name = f"spillway-first-{os.getpid()}"
    podman(
        *("run", "--detach", "--pull=never", f"--name={name}", "--network=none"),
        *(f"--volume={release.stage}:/release:ro", systemd_image(), "sleep", "infinity"),
    )
    try:
        yield name
    finally:
        podman("rm", "--force", "--volumes", "--time=0", name)


@pytest.mark.programs("podman", "conmon", "debootstrap")
def test_two_commands_lead_to_a_spilled_request(debian: str) -> None:
    def typed(line: str) -> str:
        return podman("exec", debian, "sh", "-c", line)

    began = time.monotonic()
    for line in COMMANDS:
        said = typed(f"{line} || test $? = 1")  # On a busy machine a promise may be late.
    assert time.monotonic() - began < LONGEST_S
    found = _SPILLED.search(said)
    assert found is not None, said
    assert int(found["onprem"]) > 0 and int(found["near"]) > 0
    assert typed("sitectl version").startswith(f"spillway {__version__} (Python 3.11.2,")
    assert "SYNOPSIS" in typed("cat /usr/local/share/man/man1/sitectl-demo.1")
    typed("sh /release/install.sh --uninstall")
    assert typed("ls /opt /usr/local/bin") == "/opt:\n\n/usr/local/bin:\n"
