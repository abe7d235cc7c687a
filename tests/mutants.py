"""Whether a room's own tests notice a change of its code: ``python -m tests.mutants ROOM``.

Takes a sample of all mutations that cosmic-ray knows of the room's modules, makes each in a copy of
the repository, and runs the room's tests there: those that import the module first, then the rest
of ``tests/unit/ROOM`` and what of ``tests/property`` imports the room. A mutation that no test
notices survives, and is printed as a diff. Your own files are not touched.
"""

import argparse
import difflib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[1]
TEST_S: Final = 300
_SAME: Final = ("ReplaceBinaryOperator_BitOr",)
"""Left out: types, mostly, such as ``int | None``."""
_IMPORTED: Final = re.compile(r"^\s*(?:from|import) (router\.\S+)(?: import (.*))?", re.MULTILINE)


class Mutant(NamedTuple):
    """One mutation of a module: the operator of cosmic-ray, and at which of its places."""

    module: str
    operator: str
    occurrence: int


def main() -> int:
    """Exit 1 when fewer than ``--least`` percent are noticed."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.mutants")
    parser.add_argument("room", help="a folder of router/, such as balance")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--least", type=float, default=95.0, metavar="PERCENT")
    parser.add_argument("--at-once", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--cosmic-ray", default="cosmic-ray", metavar="COMMAND")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mutants-") as held:
        places = [_copied(Path(held) / str(number)) for number in range(asked.at_once)]
        sample = _sample(places[0], asked.room, asked.cosmic_ray, asked.count, asked.seed)
        free: SimpleQueue[Path] = SimpleQueue()
        for place in places:
            free.put(place)

        def survives(mutant: Mutant) -> str:
            place = free.get()
            try:
                return _survivor(place, asked.room, mutant, asked.cosmic_ray)
            finally:
                free.put(place)

        survivors = 0
        with ThreadPoolExecutor(asked.at_once) as pool:
            for number, diff in enumerate(pool.map(survives, sample), start=1):
                survivors += bool(diff)
                print(diff, end="")
                if number % 20 == 0:
                    print(f"{number} of {len(sample)}: {survivors} survived", file=sys.stderr)
    percent = 100 * (len(sample) - survivors) / len(sample)
    print(f"{asked.room}: {len(sample) - survivors} of {len(sample)} noticed, {percent:.1f} %")
    return int(percent < float(asked.least))


def _copied(place: Path) -> Path:
    """The files of the repository as they are now."""
    listed = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name)
    return place


def _sample(place: Path, room: str, command: str, count: int, seed: int) -> Sequence[Mutant]:
    config = place / "mutants.toml"
    config.write_text(
        f'[cosmic-ray]\nmodule-path = "router/{room}"\ntimeout = {TEST_S}\nexcluded-modules = []\n'
        'test-command = "true"\n[cosmic-ray.distributor]\nname = "local"\n'
    )
    session = place / "mutants.sqlite"
    subprocess.run([command, "init", config, session], cwd=place, check=True, capture_output=True)
    told = subprocess.check_output([command, "dump", session], cwd=place, text=True)
    found = [mutant for line in told.splitlines() for mutant in _mutants(line)]
    random.Random(seed).shuffle(found)
    return found[:count]


def _mutants(line: str) -> Iterator[Mutant]:
    (item, _) = json.loads(line)
    for one in item["mutations"]:
        name = str(one["operator_name"])
        if not any(same in name for same in _SAME):
            yield Mutant(str(one["module_path"]), name, int(one["occurrence"]))


def _survivor(place: Path, room: str, mutant: Mutant, command: str) -> str:
    """The diff of ``mutant`` if no test notices it; else nothing."""
    path = place / mutant.module
    before = path.read_text("utf-8")
    words = [command, "apply", mutant.module, mutant.operator, str(mutant.occurrence)]
    try:
        subprocess.run(words, cwd=place, check=True, capture_output=True)
        after = path.read_text("utf-8")
        if _noticed(place, room, mutant.module):
            return ""
        names = (mutant.module, mutant.operator)
        return "".join(
            difflib.unified_diff(before.splitlines(True), after.splitlines(True), *names)
        )
    finally:
        path.write_text(before, "utf-8")


def _noticed(place: Path, room: str, module: str) -> bool:
    near, far = _tests(place, room, module)
    return any(_fails(place, tests) for tests in (near, far) if tests)


def _tests(place: Path, room: str, module: str) -> tuple[list[str], list[str]]:
    """The room's test files: those that import ``module``, and the others."""
    name = ".".join(Path(module).with_suffix("").parts)
    near: list[str] = []
    far: list[str] = []
    for path in sorted((place / "tests").glob("[up]*/**/test_*.py")):
        imported = {
            f"{found[1]}.{word.strip()}"
            for found in _IMPORTED.finditer(path.read_text("utf-8"))
            for word in (found[2] or "").split(",")
        }
        where = str(path.relative_to(place))
        if any(one.startswith(f"{name}.") for one in imported):
            near.append(where)
        elif where.startswith(f"tests/unit/{room}/") or (
            where.startswith("tests/property/")
            and any(one.startswith(f"router.{room}.") for one in imported)
        ):
            far.append(where)
    return near, far


def _fails(place: Path, tests: Sequence[str]) -> bool:
    words = [sys.executable, "-m", "pytest", "-q", "-x", "-n0", "-p", "no:cacheprovider", *tests]
    quiet = subprocess.DEVNULL
    environment = {**os.environ, "PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        ended = subprocess.run(
            words, cwd=place, env=environment, stdout=quiet, stderr=quiet, timeout=TEST_S
        )
    except subprocess.TimeoutExpired:
        return True
    return ended.returncode != 0


if __name__ == "__main__":
    sys.exit(main())
