"""The Pythons of this machine that Spillway supports."""

import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

_NAME = re.compile(r"python3\.(1[1-9]|[2-9][0-9])")
_WHICH = """
import json, platform, sys
supported = sys.version_info >= (3, 11) and sys.version_info.releaselevel == "final"
version = platform.python_version()
print(json.dumps({"program": sys.executable, "version": version, "supported": supported}))
"""
_ASKED_S = 20.0  # A shim of pyenv starts a shell or two before Python.


class Interpreter(msgspec.Struct, frozen=True):
    """One Python of a supported version."""

    path: Path
    version: str


class _Reply(msgspec.Struct, frozen=True):
    program: str  # Behind a shim.
    version: str
    supported: bool


def folders(environment: Mapping[str, str]) -> list[Path]:
    """Where Pythons are: PATH, then the versions of pyenv, which PATH need not have."""
    found = [Path(name) for name in environment.get("PATH", "").split(os.pathsep) if name]
    pyenv = Path(environment.get("PYENV_ROOT") or Path(environment.get("HOME", "/")) / ".pyenv")
    return [*found, *sorted(pyenv.glob("versions/*/bin"))]


def interpreters(places: Iterable[Path]) -> list[Interpreter]:
    """The supported final releases in ``places``, one of each version, oldest first."""
    found: dict[str, Interpreter] = {}
    for place in places:
        for path in sorted(place.glob("python3.*")):
            if _NAME.fullmatch(path.name) and (python := inspect(path)):
                found.setdefault(python.version, python)
    return sorted(found.values(), key=lambda python: tuple(map(int, python.version.split("."))))


def inspect(path: Path) -> Interpreter | None:
    """The Python at ``path``; None if it is not a supported release.

    None, too, if no Python starts there, as with pyenv's shim of an inactive version.
    """
    try:
        printed = subprocess.run(
            [path, "-I", "-c", _WHICH], capture_output=True, timeout=_ASKED_S, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    reply = msgspec.json.decode(printed, type=_Reply)
    return Interpreter(Path(reply.program), reply.version) if reply.supported else None
