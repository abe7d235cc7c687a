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
OLD_PYTHON = "Python 3.9.21"
LIKE_RHEL = f"""
mv /usr/bin/python3.11 /usr/bin/newer && rm /usr/bin/python3 /etc/os-release
printf '#!/bin/sh\\necho {OLD_PYTHON}; test "$1" = --version\\n' >/usr/bin/python3
printf '#!/bin/sh\\ntest "$*" = "install python3.12" &&' >/usr/bin/dnf
echo ' ln -s newer /usr/bin/python3.12' >>/usr/bin/dnf
printf 'ID="rhel"\\nID_LIKE="fedora"\\nVERSION_ID="9.4"\\n' >/etc/os-release
chmod +x /usr/bin/python3 /usr/bin/dnf
"""
"""Not RHEL, of which no packages are here: what `install.sh` sees of it."""
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


@pytest.mark.programs("podman", "conmon", "debootstrap")
def test_where_python3_is_too_old_what_it_advises_leads_to_an_install(debian: str) -> None:
    def typed(line: str, code: int = 0) -> str:
        return podman("exec", debian, "sh", "-c", f"{{ {line}\n}} 2>&1 || test $? = {code}")

    typed(LIKE_RHEL)
    said = typed("sh /release/install.sh", code=1)
    assert f"sitectl needs Python 3.11 or newer; python3 is {OLD_PYTHON}" in said
    advised = re.search(r"dnf install python3\.\d+", said)
    assert advised is not None, said
    assert typed("ls /opt /usr/local/bin") == "/opt:\n\n/usr/local/bin:\n"
    typed(advised[0])
    typed("sh /release/install.sh")
    assert typed("sitectl version").startswith(f"spillway {__version__} (Python 3.11.")
    assert typed("python3 --version").strip() == OLD_PYTHON
