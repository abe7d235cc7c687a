"""`kubectl spillway …` is `sitectl --platform kubernetes …`.

kubectl runs a program of that name that is on PATH, with the words behind it (its documentation,
"Extend kubectl with plugins").
"""

import sys

from sitectl.main import main as sitectl


def main() -> None:
    """The entry of ``kubectl-spillway``."""
    if sys.argv[1:]:
        sys.argv[1:1] = ["--platform", "kubernetes"]
    sitectl()
