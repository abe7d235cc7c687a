"""The machine we run on, and the CPU and memory that processes on it use (proc(5))."""

import contextlib
import os
import platform
import resource
import shutil
import socket
import ssl
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
VERSION_COMMANDS = {
    "iperf3": ("iperf3", "--version"),
    "h2load": ("h2load", "--version"),
    "wrk": ("wrk", "-v"),
    "nginx": ("nginx", "-v"),
    "haproxy": ("haproxy", "-v"),
}


def description() -> dict[str, str]:
    """Machine and versions, as one would print them beside figures."""
    models = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    found = {
        "machine": f"{os.cpu_count()} cores, {models[0] if models else platform.machine()}",
        "kernel": platform.release(),
        "python": python_build(),
        "openssl": ssl.OPENSSL_VERSION,
    }
    for package in ("spillway-router", "uvloop", "httptools"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    commit = _first_line("git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD")
    found["commit"] = commit or "unknown"
    for name, command in VERSION_COMMANDS.items():
        if shutil.which(command[0]):
            found[name] = _first_line(*command)
    return found


def python_build(config_args: str | None = None, prefix: str = sys.base_prefix) -> str:
    """Version, how it was built, and by which compiler: optimized ones are a good deal faster.

    Distributions do not always leave the flags in their build's configuration.
    """
    flags = sysconfig.get_config_var("CONFIG_ARGS") if config_args is None else config_args
    if "--enable-optimizations" in (flags or ""):
        how = "optimized (PGO)"
    elif prefix == "/usr":
        how = "the distribution's build"
    else:
        how = "not optimized"
    return f"{platform.python_version()}, {how}, {platform.python_compiler()}"


def _first_line(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except OSError:
        return ""
    return (done.stdout + done.stderr).partition("\n")[0]


FILES = 65_536
"""Descriptors that some scenes could use, of a process."""


def raise_file_limit() -> None:
    """As many descriptors as this user may have, for this process and those it starts.

    A user that may raise the hard limit (CAP_SYS_RESOURCE) gets `FILES`.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FILES:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
            return
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def free_ports(count: int) -> list[int]:
    """Ports that are free on every address right now, all different."""
    doors = [socket.socket() for _ in range(count)]
    try:
        for door in doors:
            door.bind(("0.0.0.0", 0))
        return [door.getsockname()[1] for door in doors]
    finally:
        for door in doors:
            door.close()


def with_children(pids: Iterable[int]) -> list[int]:
    """``pids`` and all their living descendants."""
    found = []
    waiting = list(pids)
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        for path in Path(f"/proc/{pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):  # That thread has ended since.
                waiting += map(int, path.read_text().split())
    return found


def waited_s(pid: int) -> float:
    """Seconds that the main thread of ``pid`` was ready to run and had no core (schedstats)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


def worked_s(pid: int) -> float:
    """Seconds of CPU that the threads of ``pid`` have used, to the nanosecond (schedstats)."""
    paths = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(path.read_text().split()[0]) for path in paths) / 1e9


def cpu_s(pids: Iterable[int]) -> float:
    """CPU seconds that ``pids`` and their children have used; those that are gone count 0."""
    ticks = 0
    for pid in with_children(pids):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])  # utime, stime.
    return ticks / TICKS_PER_S


def rss_bytes(pids: Iterable[int]) -> int:
    """Resident bytes of ``pids`` and their children."""
    return PAGE_BYTES * sum(
        int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in with_children(pids)
    )


def busy_s() -> float:
    """CPU seconds the whole machine has worked since it started."""
    fields = [int(word) for word in Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
    user, nice, system, _idle, _wait, irq, soft_irq = fields[:7]
    return (user + nice + system + irq + soft_irq) / TICKS_PER_S


def own_s() -> float:
    """CPU seconds of this process and of the children it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)
