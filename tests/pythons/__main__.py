"""Run the chosen tests on every other Python, each in its own environment in build/pythons."""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from tests.pythons import CHOSEN, PARTNER, ROOT
from tests.pythons.interpreters import Interpreter, folders, interpreters


def main() -> int:
    """0 if all tests passed on all of them, or there is no other Python."""
    parser = argparse.ArgumentParser(prog="python -m tests.pythons", description=__doc__)
    parser.add_argument("--workers", default="3", help="test processes at once [3]")
    parser.add_argument("--list", action="store_true", help="only list the Pythons")
    parser.add_argument("tests", nargs="*", default=CHOSEN, help="instead of the chosen tests")
    options = parser.parse_args()
    here = sys.version.split()[0]
    others = [python for python in interpreters(folders(os.environ)) if python.version != here]
    if not others:
        bar = "!" * 96
        print(f"{bar}\n!! ONLY PYTHON {here} WAS TESTED: no other one from 3.11 on is on PATH")
        print(f"!! or in pyenv's folder.\n{bar}")
        return 0
    for python in others:
        print(f"Python {python.version}: {python.path}", flush=True)
    if options.list:
        return 0
    failed = [python.version for python in others if not passes(python, options)]
    for python in others:
        print(f"Python {python.version}: {'FAILED' if python.version in failed else 'passed'}")
    return 1 if failed else 0


def passes(python: Interpreter, options: argparse.Namespace) -> bool:
    """Whether the tests pass on ``python``."""
    environment = ROOT / "build" / "pythons" / python.version
    print(f"\n=== Python {python.version}", flush=True)
    began = time.monotonic()
    made = subprocess.run(
        ["make", "dev", f"PYTHON={python.path}", f"VENV={environment.relative_to(ROOT)}"], cwd=ROOT
    )
    if made.returncode:
        return False
    ready = time.monotonic()
    tested = subprocess.run(
        [
            *(environment / "bin" / "python", "-m", "pytest", "--hypothesis-profile", "few"),
            *("-n", options.workers, "--dist", "loadfile", "--no-loadscope-reorder"),
            *("--max-worker-restart", "0", *options.tests),
        ],
        cwd=ROOT,
        env={**os.environ, PARTNER: str(Path(sys.executable).absolute())},
    )
    ended = time.monotonic()
    print(f"set-up {ready - began:.0f} s, tests {ended - ready:.0f} s", flush=True)
    return tested.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
