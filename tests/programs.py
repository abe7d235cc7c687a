"""The programs that tests run beside Python: the use of each, and the package that has it.

`tests/setup` installs them, `tests.needs` leaves out the tests of a missing one. Standard library
only: `tests/setup` runs before there is a virtual environment.
"""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent
TOOLS: Final = ROOT / "build" / "tools"
"""For programs that no Debian 12 package has: `tests/setup` downloads them to this directory."""


class Program(NamedTuple):
    """A program, or a library that a program loads."""

    package: str
    """Debian's; empty: `tests/setup` downloads it to ``TOOLS``."""
    why: str
    places: tuple[str, ...] = ()
    """Glob patterns for files that are not on PATH."""


_ROOT_PATH: Final = "/usr/sbin:/sbin"  # A user's PATH may not have them.
_POSTGRESQL: Final = "/usr/lib/postgresql/*/bin"
_PODMAN: Final = ("/usr/libexec/podman", "/usr/lib/podman")

PROGRAMS: Final[dict[str, Program]] = {
    "chromium-headless-shell": Program("chromium-headless-shell", "opens the console"),
    "conntrack": Program("conntrack", "makes firewalls forget connections"),
    "curl": Program("curl", "is what users type"),
    "docker-registry": Program("docker-registry", "takes charts"),
    "groff": Program("groff-base", "formats the man pages"),
    "initdb": Program("postgresql", "makes databases", (f"{_POSTGRESQL}/initdb",)),
    "ip": Program("iproute2", "makes networks"),
    "kubectl": Program("", "asks the API server as users do"),
    "libfaketime": Program(
        "libfaketime",
        "shifts the clock of a process",
        tuple(f"/usr/{lib}/faketime/libfaketimeMT.so.1" for lib in ("lib/*", "lib64", "lib")),
    ),
    "man": Program("man-db", "shows man pages"),
    "nft": Program("nftables", "drops packets"),
    "openssl": Program("openssl", "makes certificates for databases"),
    "pgbench": Program("postgresql", "loads a database", (f"{_POSTGRESQL}/pgbench",)),
    "postgres": Program("postgresql", "is a target", (f"{_POSTGRESQL}/postgres",)),
    "prometheus": Program("prometheus", "scrapes the metrics"),
    "promtool": Program("prometheus", "tests the alerting rules"),
    "psql": Program("postgresql-client", "asks a database", (f"{_POSTGRESQL}/psql",)),
    "quadlet": Program(
        "",
        "is podman's generator of units, version 4.4 or newer",
        tuple(f"{place}/quadlet" for place in _PODMAN),
    ),
    "redis-server": Program("redis-server", "is a target"),
    "skopeo": Program("skopeo", "copies charts to a registry"),
    "strace": Program("strace", "counts system calls"),
    "sysctl": Program("procps", "sets up networks"),
    "systemd-analyze": Program("systemd", "judges units"),
    "tinyproxy": Program("tinyproxy-bin", "is a proxy that links go through"),
    # tests/podman
    "conmon": Program("conmon", "watches containers"),
    "debootstrap": Program("debootstrap", "makes a host that boots systemd"),
    "docker": Program("docker.io", "runs a router, too"),
    "iptables": Program("iptables", "is what podman's networks call"),
    "mmdebstrap": Program("mmdebstrap", "makes bases of two architectures"),
    "podman": Program("podman", "runs routers in containers"),
    "podman-compose": Program("podman-compose", "runs two sites and a burst"),
    "qemu-aarch64-static": Program("qemu-user-static", "runs the router for arm64"),
    "runc": Program("runc", "starts containers"),
    "netavark": Program("netavark", "is podman's network", tuple(f"{p}/netavark" for p in _PODMAN)),
    "aardvark-dns": Program(
        "aardvark-dns", "is podman's DNS", tuple(f"{p}/aardvark-dns" for p in _PODMAN)
    ),
    "catatonit": Program("catatonit", "is the first process of a pod"),
    "newuidmap": Program("uidmap", "gives rootless containers their users"),
    "slirp4netns": Program("slirp4netns", "is the network of rootless containers"),
    "fuse-overlayfs": Program("fuse-overlayfs", "is the storage of rootless containers"),
}

GO_THAT_ENDS: Final = {"GOGC": "off", "GOMAXPROCS": "1"}
"""Variables for programs in Go that end soon: their garbage collector and its threads took a fifth
of the time of kubectl and promtool."""


def use_tools() -> None:
    """Put ``TOOLS`` first on this process's PATH."""
    path = os.environ.get("PATH", os.defpath)
    if str(TOOLS) not in path.split(os.pathsep):
        os.environ["PATH"] = f"{TOOLS}{os.pathsep}{path}"


def find(name: str) -> str | None:
    """Where a program of ``PROGRAMS`` is."""
    for pattern in PROGRAMS[name].places:
        found = sorted(Path("/").glob(pattern.removeprefix("/")))
        if found:
            return str(found[-1])
    return shutil.which(name) or shutil.which(name, path=_ROOT_PATH)


def missing(names: Iterable[str] = PROGRAMS) -> list[str]:
    """Those of ``names`` that this machine does not have."""
    return [name for name in names if find(name) is None]


def in_ci() -> bool:
    """Whether this is CI's machine, where a missing program is a failure."""
    return bool(os.environ.get("CI"))
