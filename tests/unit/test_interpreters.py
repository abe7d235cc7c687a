"""Which Python make uses, which others it finds, and which tests run on those."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pythons import CHOSEN, ROOT, chosen_for
from tests.pythons.interpreters import Interpreter, folders, interpreters

SCRIPTS = ROOT / "scripts"


def stand_in(place: Path, version: str, *, level: str = "final") -> Path:
    """A program that answers as a Python of that version, without being one."""
    minor = version.split(".")[1]
    program = place / f"python3.{minor}"
    place.mkdir(parents=True, exist_ok=True)
    supported = "true" if level == "final" else "false"
    program.write_text(
        f'#!/bin/sh\necho \'{{"program": "{program}", "version": "{version}",'
        f' "supported": {supported}}}\'\n'
    )
    program.chmod(0o755)
    return program


def broken(place: Path, name: str) -> None:
    """A program that does not start, as the shim of an inactive version."""
    place.mkdir(parents=True, exist_ok=True)
    (place / name).write_text("#!/bin/sh\necho 'not installed' >&2; exit 127\n")
    (place / name).chmod(0o755)


def test_pythons_are_found_on_path_and_in_pyenv_once_each(tmp_path: Path) -> None:
    on_path, pyenv = tmp_path / "bin", tmp_path / ".pyenv"
    oldest = stand_in(on_path, "3.11.2")
    stand_in(pyenv / "versions" / "3.11.2" / "bin", "3.11.2")
    newest = stand_in(pyenv / "versions" / "3.13.0" / "bin", "3.13.0")
    stand_in(pyenv / "versions" / "3.10.13" / "bin", "3.10.13")
    stand_in(pyenv / "versions" / "3.15.0a1" / "bin", "3.15.0", level="alpha")
    broken(on_path, "python3.12")
    (on_path / "python3.11-config").write_text("")

    places = folders({"PATH": f"{on_path}:{tmp_path / 'absent'}", "HOME": str(tmp_path)})

    assert interpreters(places) == [Interpreter(oldest, "3.11.2"), Interpreter(newest, "3.13.0")]


def test_pyenv_may_lie_elsewhere(tmp_path: Path) -> None:
    program = stand_in(tmp_path / "versions" / "3.12.1" / "bin", "3.12.1")
    places = folders({"PATH": "", "PYENV_ROOT": str(tmp_path)})
    assert interpreters(places) == [Interpreter(program, "3.12.1")]


def test_this_python_is_found_by_its_own_folder() -> None:
    program = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    (found,) = [
        python for python in interpreters([program.parent]) if python.path.samefile(program)
    ]
    assert found.version == sys.version.split()[0]


@pytest.mark.parametrize("chosen", CHOSEN)
def test_every_chosen_test_exists(chosen: str) -> None:
    path, _, name = chosen.partition("::")
    assert (ROOT / path).exists()
    if name:
        tree = ast.parse((ROOT / path).read_text("utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_another_release_of_the_same_minor_version_runs_a_part_of_what_the_others_run() -> None:
    assert set(chosen_for("3.11.7", "3.11.2")) < set(CHOSEN)
    assert chosen_for("3.12.1", "3.11.2") == CHOSEN


def test_make_prefers_the_systems_python_to_the_first_on_path(tmp_path: Path) -> None:
    stand_in(tmp_path, "3.13.0").rename(tmp_path / "python3")
    path = f"{tmp_path}:{os.environ['PATH']}"
    told = subprocess.run(
        [SCRIPTS / "find-python"], capture_output=True, text=True, env={"PATH": path}, check=True
    ).stdout.strip()
    system = Path("/usr/bin/python3")
    new_enough = (
        system.exists()
        and not subprocess.run(
            [system, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
        ).returncode
    )
    assert told == (str(system) if new_enough else "python3")


def make_venv(python: str, target: Path) -> str:
    """What make-venv prints, which it exits 0 after."""
    return subprocess.run(
        [SCRIPTS / "make-venv", python, target], capture_output=True, text=True, check=True
    ).stderr


def test_an_environment_of_another_python_is_made_again_and_one_of_this_is_kept(
    tmp_path: Path,
) -> None:
    target, note = tmp_path / "venv", tmp_path / "venv" / "note"
    python = str(Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}")
    make_venv(python, target)
    note.touch()
    assert make_venv(python, target) == ""
    assert note.exists()

    (target / "bin" / "python").unlink()
    broken(target / "bin", "python")
    assert f"{target} does not match {python}" in make_venv(python, target)
    assert not note.exists()
    subprocess.run([target / "bin" / "python", "-m", "pip", "--version"], check=True)
