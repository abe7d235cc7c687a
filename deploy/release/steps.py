"""A step of making a release: it runs a program, or gives the reason why there is no release."""

import os
import subprocess
from pathlib import Path
from typing import Final

from deploy.release.packages import ROOT

_DEADLINE_S: Final = 3600
"""Limit of one step: wheels and base image may come over a slow line."""


_HINTS: Final = {
    "image": " If no registry is in reach: make base, then the same command with"
    " BASE=localhost/spillway/base:bookworm."
    " Without an image: BUNDLE='--no-image \"why there is none\"'"
}
"""The next step if a script failed, by its name."""


class CannotBundle(Exception):
    """Why a bundle cannot be made, and the next step."""


def run_step(command: list[str], **environment: str) -> None:
    """Run ``command`` in the sources. Raises CannotBundle."""
    try:
        subprocess.run(
            command, cwd=ROOT, env=os.environ | environment, timeout=_DEADLINE_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        what = Path(command[0]).name
        said = str(error).rstrip(".")
        raise CannotBundle(f"{what} failed: {said}.{_HINTS.get(what, '')}") from error
