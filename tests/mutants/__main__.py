"""Whether a room's own tests notice a change of its code: ``python -m tests.mutants ROOM``.

Takes a sample of all mutations that cosmic-ray knows of the room's modules, makes each in a copy of
the repository, and runs the room's tests there: of ``tests/unit/ROOM`` and of those files in
``tests/property`` that import the room, or fakes of its tests, each test that calls the changed
function, the fastest first. A mutation that no test notices survives, and is printed as a diff.
Your own files are not touched.

Each mutation has a separate process, forked from this one after the libraries of the tests are
imported. Its memory and its time have limits: a loop that never ends often appends to a list.
"""

import argparse
import ast
import difflib
import json
import multiprocessing
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from itertools import count
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

ROOT: Final = Path(__file__).parents[2]
TESTS_S: Final = 1800
"""Time for the tests of one mutation, on a busy machine."""
CPU_FACTOR: Final = 8
CPU_S: Final = 20
"""A mutation that loops forever uses more than this many times the time of its tests, and this
much.
"""
MEMORY_BYTES: Final = 3 << 30
LIBRARIES: Final = ("pytest", "hypothesis", "hypothesis.strategies", "xdist", "pytest_timeout")
"""Imported once: they take longer than most tests."""
_SAME: Final = ("BinaryOperator_BitOr", "_Eq_Is", "_NotEq_IsNot", "_Is_Eq", "_IsNot_NotEq")
"""Left out: ``|`` is mostly in types, and ``is`` and ``==`` say the same of None, members of an
Enum, small numbers and the one `inf`, so that nearly all of these change nothing."""
_ONLY_TYPES: Final = ("@abstractmethod", "@final", "@override")
"""Decorators that a type checker reads: left out without them, the program does the same. So are
``frozen=True`` and ``kw_only=True``, which keep mypy from a change of the value and from fields by
position: no test would try one. ``gc=False`` only spares the collector work."""
_SAME_STRUCT: Final = (
    ("frozen=", "ReplaceTrueWithFalse"),
    ("kw_only=", "ReplaceTrueWithFalse"),
    ("gc=", "ReplaceFalseWithTrue"),
)

Reach: TypeAlias = Mapping[str, tuple[float, Sequence[str]]]
"""For each test its seconds, and the functions that it calls as ``path:qualified.name``."""


class Mutant(NamedTuple):
    """One mutation of a module: the operator of cosmic-ray, and at which of its places."""

    module: str
    line: int
    operator: str
    occurrence: int


def main() -> int:
    """Exit 1 when fewer than ``--least`` percent are noticed."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.mutants")
    parser.add_argument("room", help="a folder of router/, such as balance")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--again", action="store_true", help="only those that survived last time")
    parser.add_argument("--least", type=float, default=95.0, metavar="PERCENT")
    parser.add_argument("--at-once", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--cosmic-ray", default="cosmic-ray", metavar="COMMAND")
    asked = parser.parse_args()
    survived = ROOT / "build" / f"mutants-{asked.room}.json"
    for library in LIBRARIES:
        import_module(library)
    with tempfile.TemporaryDirectory(prefix="mutants-") as held:
        places = [_copied(Path(held) / str(number)) for number in range(asked.at_once)]
        sample = _sample(places[0], asked.room, asked.cosmic_ray, asked.count, asked.seed)
        if asked.again:
            sample = [Mutant(*words) for words in json.loads(survived.read_text())]
        texts = _mutated(places[0], sample, asked.cosmic_ray)
        reach = _reach(places[0], asked.room)
        survivors: list[Mutant] = []
        trials = _trials(places, list(zip(sample, texts, strict=True)), reach)
        for number, (mutant, diff) in enumerate(trials, start=1):
            if diff:
                survivors.append(mutant)
                print(diff, end="", flush=True)
            if number % 20 == 0:
                print(f"{number} of {len(sample)}: {len(survivors)} survived", file=sys.stderr)
    survived.parent.mkdir(exist_ok=True)
    survived.write_text(json.dumps(survivors))
    noticed = len(sample) - len(survivors)
    percent = 100 * noticed / len(sample) if sample else 100.0
    print(f"{asked.room}: {noticed} of {len(sample)} noticed, {percent:.1f} %")
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
        f'[cosmic-ray]\nmodule-path = "router/{room}"\ntimeout = {TESTS_S}\nexcluded-modules = []\n'
        'test-command = "true"\n[cosmic-ray.distributor]\nname = "local"\n'
    )
    session = place / "mutants.sqlite"
    subprocess.run([command, "init", config, session], cwd=place, check=True, capture_output=True)
    told = subprocess.check_output([command, "dump", session], cwd=place, text=True)
    found = [mutant for line in told.splitlines() for mutant in _mutants(place, line)]
    random.Random(seed).shuffle(found)
    return found[:count]


def _mutants(place: Path, line: str) -> Iterator[Mutant]:
    (item, _) = json.loads(line)
    for one in item["mutations"]:
        module, name = str(one["module_path"]), str(one["operator_name"])
        (row, column) = one["start_pos"]
        above, text = _lines(place / module)[row - 2 : row] if row > 1 else ("", "")
        before = text[:column].rstrip() or above.rstrip()
        if "BinaryOperator" in name and before.endswith(("(", ",")):
            continue  # A star that marks arguments, and is no operator.
        is_same = any(
            before.endswith(word) and name.endswith(operator) for word, operator in _SAME_STRUCT
        )
        if text.strip() not in _ONLY_TYPES and not is_same and not _is_same(name):
            yield Mutant(module, int(row), name, int(one["occurrence"]))


@cache
def _lines(path: Path) -> Sequence[str]:
    return path.read_text("utf-8").splitlines()


def _is_same(operator: str) -> bool:
    return any(operator.endswith(same) or f"{same}_" in operator for same in _SAME)


def _reach(place: Path, room: str) -> Reach:
    """Of the room's tests, which must pass."""
    imports = re.compile(rf"^\s*(?:from|import) (?:router|tests\.unit)\.{room}\b", re.MULTILINE)
    files = [
        path
        for path in sorted((place / "tests" / "property").glob("test_*.py"))
        if imports.search(path.read_text("utf-8"))
    ]
    written = place / "reach.json"
    options = [f"--reach-of=router/{room}", f"--reach-to={written}"]
    process = _started(place, [*options, f"tests/unit/{room}", *map(str, files)], cpu_s=TESTS_S)
    process.join()
    if process.exitcode:
        sys.exit(f"the tests of {room} fail without any mutation, or take over {TESTS_S} s")
    reach: Reach = json.loads(written.read_text())
    return reach


def _mutated(place: Path, sample: Sequence[Mutant], command: str) -> Sequence[str]:
    """The text of each mutant's module, from one process of cosmic-ray's own Python."""
    python = Path(shutil.which(command) or command).resolve().parent / "python"
    script = Path(__file__).with_name("apply.py")
    told = subprocess.run(
        [python, script],
        cwd=place,
        check=True,
        input=json.dumps(sample),
        stdout=subprocess.PIPE,
        text=True,
    )
    texts: Sequence[str] = json.loads(told.stdout)
    return texts


class _Trial(NamedTuple):
    place: Path
    mutant: Mutant
    before: str
    after: str
    process: ForkProcess
    until: float


_writes = count(1)


def _write(path: Path, text: str) -> None:
    """Set a unique time, so that a compiled file of another text is not taken for this one."""
    path.write_text(text, "utf-8")
    at = next(_writes)
    os.utime(path, (at, at))


def _trials(
    places: Sequence[Path], mutants: Sequence[tuple[Mutant, str]], reach: Reach
) -> Iterator[tuple[Mutant, str]]:
    """Each mutant, as it ends, with its diff if no test notices it."""
    free, left, running = list(places), list(reversed(mutants)), list[_Trial]()
    while left or running:
        while left and free:
            running.append(_begun(free.pop(), *left.pop(), reach))
        until = min(trial.until for trial in running)
        wait([trial.process.sentinel for trial in running], max(0.0, until - time.monotonic()))
        for trial in list(running):
            if trial.process.is_alive() and time.monotonic() < trial.until:
                continue
            trial.process.kill()  # Does nothing to one that has ended.
            trial.process.join()
            running.remove(trial)
            free.append(trial.place)
            _write(trial.place / trial.mutant.module, trial.before)
            yield trial.mutant, "" if trial.process.exitcode else _diff(trial)


def _begun(place: Path, mutant: Mutant, after: str, reach: Reach) -> _Trial:
    path = place / mutant.module
    before = path.read_text("utf-8")
    tests = _tests(mutant, before, reach)
    _write(path, after)
    listed = place / "tests.json"
    listed.write_text(json.dumps(tests))
    files = dict.fromkeys(test.partition("::")[0] for test in tests)
    cpu_s = int(CPU_FACTOR * sum(reach[test][0] for test in tests) + CPU_S)
    process = _started(place, ["-x", f"--tests-from={listed}", *files], cpu_s)
    return _Trial(place, mutant, before, after, process, time.monotonic() + TESTS_S)


def _diff(trial: _Trial) -> str:
    lines = (trial.before.splitlines(True), trial.after.splitlines(True))
    return "".join(difflib.unified_diff(*lines, trial.mutant.module, trial.mutant.operator))


def _tests(mutant: Mutant, text: str, reach: Reach) -> Sequence[str]:
    """Tests that call the changed function, the fastest first.

    Code that runs when a module is imported matters to all that call any function of it.
    """
    module = f"{mutant.module}:"
    function = _function_at(ast.parse(text).body, mutant.line)
    for wanted in (f"{module}{function}", module, ""):
        found = [
            test
            for test, (_, called) in reach.items()
            if any(one.startswith(wanted) for one in called)
        ]
        if found:
            break
    return sorted(found, key=lambda test: reach[test][0])


def _function_at(body: Iterable[ast.stmt], line: int, inside: str = "") -> str:
    """The qualified name of the innermost function with ``line`` in its body."""
    for node in body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if node.body[0].lineno <= line <= (node.end_lineno or 0):
            name = inside + node.name
            if isinstance(node, ast.ClassDef):
                return _function_at(node.body, line, f"{name}.")
            return _function_at(node.body, line, f"{name}.<locals>.") or name
    return ""


def _started(place: Path, words: Sequence[str], cpu_s: int) -> ForkProcess:
    """Tests in a separate process; it ends with 0 if all pass."""
    process = multiprocessing.get_context("fork").Process(
        target=_tested, args=(place, words, cpu_s)
    )
    process.start()
    return process


def _tested(place: Path, words: Sequence[str], cpu_s: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    os.chdir(place)
    os.environ["PYTHONPATH"] = str(place)
    sys.dont_write_bytecode = False
    sys.path[0] = str(place)  # Instead of our own files.
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]
    pytest = import_module("pytest")
    early = "ignore::pytest.PytestAssertRewriteWarning"  # The libraries are imported already.
    without = ["-p", "no:cacheprovider", "-p", "no:anyio"]
    options = ["-q", "-n0", "-W", early, *without, "-p", "tests.mutants.reach"]
    os._exit(int(pytest.main([*options, *words])))


if __name__ == "__main__":
    sys.exit(main())
