"""podman on this machine, with a configuration of the tests' own when it refuses the default."""

import os
import resource
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tests import programs

TIMEOUT_S = 300.0
_DEFAULT_CACHE = "/var/cache/spillway-tests" if os.geteuid() == 0 else "~/.cache/spillway-tests"
CACHE = Path(os.environ.get("SPILLWAY_TEST_CACHE", _DEFAULT_CACHE)).expanduser()
"""Files that are slow to make and do not change; outside of the repository, readable by all."""
CONFIGURATION = CACHE / "containers.conf"


class EngineRefused(Exception):
    """The engine refused; the text is its error."""


def podman(*words: str, env: Mapping[str, str] | None = None, given: str | None = None) -> str:
    """Run podman; its output. Raises EngineRefused with its errors."""
    done = subprocess.run(
        ["podman", *words],
        capture_output=True,
        text=True,
        input=given or "",
        timeout=TIMEOUT_S,
        env={**os.environ, **(env or {})},
        cwd="/",
    )
    if done.returncode:
        raise EngineRefused(f"podman {' '.join(words[:3])}…: {done.stderr.strip()}")
    return done.stdout


def write_configuration() -> None:
    """What machines need that refuse podman's defaults: no more than we may raise; runc.

    crun fails where cgroups v1 and v2 are mixed, and no engine may give a container more open
    files than root may raise here.
    """
    limits = [
        f"{name}={amount}:{amount}"
        for name, kind, enough in (
            ("nofile", resource.RLIMIT_NOFILE, 20_000),
            ("nproc", resource.RLIMIT_NPROC, 32_768),
        )
        for amount in (_at_most(kind, enough),)
    ]
    listed = ", ".join(f'"{limit}"' for limit in limits)
    runtime = "runc" if shutil.which("runc") else "crun"
    text = (
        f"[containers]\ndefault_ulimits = [{listed}]\n"
        f'[engine]\nruntime = "{runtime}"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
    )
    CACHE.mkdir(parents=True, exist_ok=True)
    CONFIGURATION.write_text(text)


def _at_most(kind: int, enough: int) -> int:
    """``enough``, or the hard limit here when that is lower."""
    hard = resource.getrlimit(kind)[1]
    return enough if hard == resource.RLIM_INFINITY else min(hard, enough)


@cache
def why_not(image: str) -> str:
    """Why containers cannot run here; empty: they can. Chooses the configuration on the way."""
    try:
        podman("run", "--rm", "--network=host", image, "true")
    except EngineRefused as first:
        write_configuration()
        os.environ["CONTAINERS_CONF"] = str(CONFIGURATION)
        try:
            podman("run", "--rm", "--network=host", image, "true")
        except EngineRefused as second:
            return f"{first}; with {CONFIGURATION}: {second}"
    return ""


def missing() -> str:
    """The names of programs that are not installed; empty: all are."""
    lacking = programs.missing(("podman", "conmon"))
    return f"not installed: {', '.join(lacking)} (tests/setup)" if lacking else ""
