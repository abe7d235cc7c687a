"""Run the chosen tests on every other Python, each in its own environment in build/pythons.

The Pythons run beside each other, two processes each: scenarios wait for half of their time.
The output of each goes to build/pythons/VERSION.log, and to ours when it has ended.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tests.pythons import PARTNER, ROOT, chosen_for
from tests.pythons.interpreters import Interpreter, folders, interpreters

LOGS = ROOT / "build" / "pythons"


def main() -> int:
    """0 if all tests passed on all of them, or there is no other Python."""
    parser = argparse.ArgumentParser(prog="python -m tests.pythons", description=__doc__)
    parser.add_argument("--workers", type=int, default=6, help="test processes at once [6]")
    parser.add_argument("--list", action="store_true", help="only list the Pythons")
    parser.add_argument("tests", nargs="*", help="instead of the chosen tests")
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
    LOGS.mkdir(parents=True, exist_ok=True)
    at_once = max(1, min(options.workers, len(others)))
    failed = set()
    with ThreadPoolExecutor(at_once) as pool:
        workers = options.workers // at_once
        runs = {
            pool.submit(
                passes, each, options.tests or chosen_for(each.version, here), workers
            ): each
            for each in others
        }
        for run in as_completed(runs):
            python = runs[run]
            print(f"\n=== Python {python.version}\n{log(python).read_text()}", flush=True)
            if not run.result():
                failed.add(python.version)
    for python in others:
        print(f"Python {python.version}: {'FAILED' if python.version in failed else 'passed'}")
    return 1 if failed else 0


def log(python: Interpreter) -> Path:
    """The file with the output of the tests on ``python``."""
    return LOGS / f"{python.version}.log"


def passes(python: Interpreter, tests: Sequence[str], workers: int) -> bool:
    """Whether ``tests`` pass on ``python``."""
    environment = LOGS / python.version
    began = time.monotonic()
    with log(python).open("w") as out:
        made = subprocess.run(
            ["make", "dev", f"PYTHON={python.path}", f"VENV={environment.relative_to(ROOT)}"],
            cwd=ROOT,
            # pip reads this variable backwards: no byte code of packages that no test imports.
            env={**os.environ, "PIP_NO_COMPILE": "0"},
            stdout=out,
            stderr=out,
        )
        if made.returncode:
            return False
        ready = time.monotonic()
        several = ["-n", str(workers), "--dist", "loadfile", "--max-worker-restart", "0"]
        tested = subprocess.run(
            [
                *(
                    environment / "bin" / "python",
                    "-m",
                    "tests.whole",
                    "--hypothesis-profile",
                    "few",
                ),
                *("-p", "no:cacheprovider", *(several if workers > 1 else ()), *tests),
            ],
            cwd=ROOT,
            env={**os.environ, PARTNER: str(Path(sys.executable).absolute())},
            stdout=out,
            stderr=out,
        )
        ended = time.monotonic()
        out.write(f"set-up {ready - began:.0f} s, tests {ended - ready:.0f} s\n")
    return tested.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
