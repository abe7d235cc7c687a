"""`kubectl spillway` for krew: an archive for each architecture, and the manifest with their sums.

An archive has the launcher and ``lib/``, the wheels of the release unpacked into one directory.
Extension modules have the version of Python in their names, so that one directory serves all
versions. Packages that only a router imports are left out.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from deploy.release.archives import gzipped, tar_of, wheel_files
from deploy.text import document
from router import __version__

PLUGIN: Final = "spillway"
LAUNCHER: Final = f"kubectl-{PLUGIN}"
ARCHITECTURES: Final = {"amd64": "x86_64", "arm64": "aarch64"}
"""Architectures by krew's names, with those of wheels."""
ROUTER_ONLY: Final = frozenset(
    {
        *("aiohappyeyeballs", "aiohttp", "aiosignal", "frozenlist", "httptools", "multidict"),
        *("propcache", "uvloop", "yarl"),
    }
)
"""Packages that only the verb `demo` imports: half of the bytes."""
_WHEEL: Final = re.compile(r"(?P<name>[^-]+)-[^-]+-.*-(?P<platform>[^-]+)\.whl")
_OF_A_PLATFORM: Final = frozenset({"RECORD", "WHEEL"})
"""Files of a wheel's ``.dist-info`` that differ by platform and are never read."""
_PYTHONS: Final = "\npythons='3.13 3.12 3.11'"
_SAID: Final = """\
`kubectl spillway VERB` is `sitectl --platform kubernetes VERB`: make a site of a namespace, link it
to others, configure capacities and see why a request went where it did. It needs Python 3.11 or
newer on this machine, and a Role of the namespace in the cluster.
"""


class WheelsDiffer(Exception):
    """Two wheels of one version have a file with different content."""


def put_krew(
    directory: Path, wheels: Path, packages: Iterable[str], pythons: Iterable[str], url: str
) -> None:
    """The archives and ``spillway.yaml``, of those ``wheels`` whose names are in ``packages``.

    ``url`` is where the release will be; empty: the manifest names its archives alone, for
    ``kubectl krew install --manifest=FILE --archive=FILE``.
    """
    directory.mkdir(parents=True, exist_ok=True)
    newest_first = " ".join(sorted(pythons, key=_numbers, reverse=True))
    launcher = Path(__file__).with_name(LAUNCHER).read_text("utf-8")
    assert _PYTHONS in launcher
    launcher = launcher.replace(_PYTHONS, f"\npythons='{newest_first}'")
    wanted = frozenset(packages) - ROUTER_ONLY
    platforms: list[dict[str, Any]] = []
    for architecture, machine in ARCHITECTURES.items():
        library = merged(_wheels(wheels, wanted, machine))
        files = {f"lib/{name}": data for name, data in library.items()}
        archive = gzipped(tar_of(files | {LAUNCHER: launcher.encode()}, runnable=(LAUNCHER,)))
        name = f"{LAUNCHER}-{__version__}-linux-{architecture}.tar.gz"
        (directory / name).write_bytes(archive)
        platforms.append(
            {
                "selector": {"matchLabels": {"os": "linux", "arch": architecture}},
                "uri": f"{url}/{__version__}/{directory.name}/{name}" if url else name,
                "sha256": hashlib.sha256(archive).hexdigest(),
                "bin": LAUNCHER,
            }
        )
    (directory / f"{PLUGIN}.yaml").write_text(document(_manifest(platforms)), "utf-8")


def merged(wheels: Iterable[Path]) -> dict[str, bytes]:
    """All files of ``wheels`` in one tree. Raises WheelsDiffer."""
    found: dict[str, bytes] = {}
    for wheel in wheels:
        for name, data in wheel_files(wheel).items():
            place, _, last = name.rpartition("/")
            if ".data" in name.partition("/")[0] or (
                place.endswith(".dist-info") and last in _OF_A_PLATFORM
            ):
                continue
            if found.setdefault(name, data) != data:
                raise WheelsDiffer(f"{wheel.name}: {name} is another in a wheel before it")
    return found


def _wheels(directory: Path, wanted: frozenset[str], machine: str) -> Iterator[Path]:
    for wheel in sorted(directory.glob("*.whl")):
        match = _WHEEL.fullmatch(wheel.name)
        assert match is not None, wheel.name
        name = re.sub("[-_.]+", "-", match["name"]).lower()
        if name in wanted and (match["platform"] == "any" or match["platform"].endswith(machine)):
            yield wheel


def _numbers(version: str) -> list[int]:
    return [int(number) for number in version.split(".")]


def _manifest(platforms: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "apiVersion": "krew.googlecontainertools.github.com/v1alpha2",
        "kind": "Plugin",
        "metadata": {"name": PLUGIN},
        "spec": {
            "version": f"v{__version__}",
            "shortDescription": "Fill a namespace's services, then spill to other sites",
            "description": _SAID,
            "platforms": platforms,
        },
    }
