"""A step of making a release: a program that is run, or the reason why there is no release."""

import os
import subprocess
from pathlib import Path
from typing import Final

from deploy.release.packages import ROOT

_DEADLINE_S: Final = 3600
"""Of one step: wheels and base image may come over a slow line."""


class CannotBundle(Exception):
    """What keeps a bundle from being made, and what to do."""


def run_step(command: list[str], **environment: str) -> None:
    """Run ``command`` in the sources. Raises CannotBundle."""
    try:
        subprocess.run(
            command, cwd=ROOT, env=os.environ | environment, timeout=_DEADLINE_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        what = Path(command[0]).name
        hint = (
            " Without an image: make bundle BUNDLE='--no-image \"why there is none\"'"
            if what == "image"
            else ""
        )
        raise CannotBundle(f"{what} failed: {error}.{hint}") from error
