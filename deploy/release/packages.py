"""The sdist, and the wheel that is made only from it."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from router import __version__

ROOT: Final = Path(__file__).resolve().parents[2]
SDIST: Final = f"spillway_router-{__version__}.tar.gz"
WHEEL: Final = f"spillway_router-{__version__}-py3-none-any.whl"
_BUILD_DEADLINE_S: Final = 300


def build_sdist(directory: Path, sources: Path = ROOT) -> Path:
    """The sdist of ``sources``, built here: the command line is imported to write its man pages."""
    _hatchling(sys.executable, "sdist", directory, sources)
    return directory / SDIST


def build_wheel(directory: Path, sdist: Path, python: str = sys.executable) -> Path:
    """The wheel of ``sdist``; ``python`` has hatchling and needs nothing else."""
    with tempfile.TemporaryDirectory() as place:
        subprocess.run(["tar", "-xzf", str(sdist), "-C", place], check=True)
        _hatchling(python, "wheel", directory, Path(place) / SDIST.removesuffix(".tar.gz"))
    return directory / WHEEL


def _hatchling(python: str, target: str, directory: Path, sources: Path) -> None:
    command: Sequence[str] = (python, "-m", "hatchling", "build", "-t", target)
    subprocess.run(
        [*command, "-d", str(directory.resolve())],
        cwd=sources,
        stdout=subprocess.DEVNULL,
        timeout=_BUILD_DEADLINE_S,
        check=True,
    )
