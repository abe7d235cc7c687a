"""The kubectl plugin for krew: its archives, its manifest by krew's rules, and its launcher."""

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import lock
from deploy.release import krew
from router import __version__

FORMS = {"sha256": r"[0-9a-f]{64}", "bin": r"\S+", "uri": r"\S+"}
CODE = "import sys\n\n\ndef main() -> None:\n    print(sys.version_info[:2], *sys.argv[1:])\n"
OLD = 'case "$1" in --version) echo Python 3.9.21 ;; *) exit 1 ;; esac\n'


def wheel(directory: Path, name: str, files: Mapping[str, str]) -> None:
    with zipfile.ZipFile(directory / name, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """Our wheel, one with a module for each Python and architecture, and uvloop."""
    made = tmp_path / "wheels"
    made.mkdir()
    code = {"sitectl/__init__.py": "", "sitectl/kubectl.py": CODE, "x.data/data/share/m": ""}
    wheel(made, f"spillway_router-{__version__}-py3-none-any.whl", code)
    for python in ("311", "312"):
        for machine in ("x86_64", "aarch64"):
            tag = f"cp{python}-cp{python}-manylinux2014_{machine}"
            module = {f"fast/m.{python}-{machine}.so": python, "fast/__init__.py": ""}
            about = {"fast-1.dist-info/WHEEL": tag, "fast-1.dist-info/METADATA": "same"}
            wheel(made, f"fast-1-{tag}.whl", module | about)
    wheel(made, "uvloop-1-cp311-cp311-manylinux2014_x86_64.whl", {"uvloop/a.py": ""})
    wheel(made, "pip-1-py3-none-any.whl", {"pip/a.py": ""})
    return made


def put(directory: Path, wheels: Path, url: str = "") -> list[dict[str, Any]]:
    """The platforms of a manifest that krew takes."""
    packages = ("spillway-router", "fast", "uvloop")
    krew.put_krew(directory, wheels, packages, ("3.11", "3.12"), url)
    manifest = yaml.safe_load((directory / "spillway.yaml").read_text())
    assert manifest["apiVersion"] == "krew.googlecontainertools.github.com/v1alpha2"
    assert manifest["kind"] == "Plugin"
    assert re.fullmatch(r"[\w-]+", manifest["metadata"]["name"])
    assert re.fullmatch(r"v\d+\.\d+\.\d+.*", manifest["spec"]["version"])
    short = manifest["spec"]["shortDescription"]
    assert short and "\n" not in short
    platforms: list[dict[str, Any]] = manifest["spec"]["platforms"]
    for one in platforms:
        assert set(one["selector"]["matchLabels"]) <= {"os", "arch"}
        assert all(re.fullmatch(form, one[field]) for field, form in FORMS.items())
    return platforms


def test_each_archive_has_its_architectures_modules_and_nothing_of_a_router_only(
    tmp_path: Path, wheels: Path
) -> None:
    for one in put(tmp_path / "krew", wheels):
        archive = tmp_path / "krew" / one["uri"]
        assert hashlib.sha256(archive.read_bytes()).hexdigest() == one["sha256"]
        with tarfile.open(archive) as tar:
            names = set(tar.getnames())
        machine = krew.ARCHITECTURES[one["selector"]["matchLabels"]["arch"]]
        assert {name for name in names if name.endswith(".so")} == {
            f"lib/fast/m.{python}-{machine}.so" for python in ("311", "312")
        }
        assert {"kubectl-spillway", "lib/sitectl/kubectl.py"} < names
        assert "lib/fast-1.dist-info/METADATA" in names
        assert not [name for name in names if "uvloop" in name or "pip" in name or ".data" in name]


def test_addresses_are_those_of_the_release_or_relative(tmp_path: Path, wheels: Path) -> None:
    plain = [one["uri"] for one in put(tmp_path / "krew", wheels)]
    assert all("/" not in uri for uri in plain)
    told = [one["uri"] for one in put(tmp_path / "krew", wheels, "https://h.example/r")]
    assert told == [f"https://h.example/r/{__version__}/krew/{uri}" for uri in plain]


def test_wheels_that_disagree_are_refused(tmp_path: Path, wheels: Path) -> None:
    tag = "cp313-cp313-manylinux2014_x86_64"
    wheel(wheels, f"fast-1-{tag}.whl", {"fast/__init__.py": "other"})
    with pytest.raises(krew.WheelsDiffer, match=r"fast/__init__\.py"):
        put(tmp_path / "krew", wheels)


def test_no_verb_imports_what_only_a_router_needs() -> None:
    assert set(lock.names("requirements.txt")) > krew.ROUTER_ONLY
    code = (
        "import importlib, pkgutil, sys\n"
        f"for name in {sorted(krew.ROUTER_ONLY)}: sys.modules[name.replace('-', '_')] = None\n"
        "import sitectl\n"
        "for one in pkgutil.walk_packages(sitectl.__path__, 'sitectl.'):\n"
        "    if not any(word in one.name for word in ('__main__', '.demo.', '.mesh.judging')):\n"
        "        importlib.import_module(one.name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class Kubectl:
    """A machine with few programs on PATH and the unpacked plugin behind krew's link."""

    def __init__(self, directory: Path, archive: Path) -> None:
        self.path = directory / "bin"
        self.path.mkdir()
        for tool in ("sh", "dirname", "readlink"):
            found = shutil.which(tool)
            assert found is not None
            (self.path / tool).symlink_to(found)
        store = directory / "store of krew"
        store.mkdir()
        subprocess.run(["tar", "-xzf", str(archive), "-C", str(store)], check=True)
        self.command = directory / "kubectl-spillway"
        self.command.symlink_to(store / "kubectl-spillway")

    def python(self, name: str, text: str) -> None:
        """Put a stand-in on PATH."""
        (self.path / name).write_text(f"#!/bin/sh\n{text}")
        (self.path / name).chmod(0o755)

    def run(self, *words: str, code: int = 0) -> str:
        done = subprocess.run(
            [str(self.command), *words],
            env={"PATH": str(self.path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def kubectl(tmp_path: Path, wheels: Path) -> Kubectl:
    """For this Python's version."""
    here = f"3.{sys.version_info.minor}"
    krew.put_krew(tmp_path / "krew", wheels, ("spillway-router",), (here, "3.4"), "")
    (archive,) = (tmp_path / "krew").glob("*amd64.tar.gz")
    return Kubectl(tmp_path, archive)


def test_the_launcher_takes_a_python_that_it_was_packed_for(kubectl: Kubectl) -> None:
    kubectl.python("python3", OLD)
    kubectl.python(f"python3.{sys.version_info.minor}", f'exec {sys.executable} "$@"\n')
    assert kubectl.run("status", "a b") == f"{sys.version_info[:2]} status a b\n"


def test_the_launcher_refuses_an_old_python_and_none_with_a_sentence(kubectl: Kubectl) -> None:
    assert "found: no python3" in kubectl.run(code=1)
    kubectl.python("python3", OLD)
    said = kubectl.run(code=1)
    assert f"needs one of Python 3.{sys.version_info.minor} 3.4 on PATH; found: Python 3.9" in said
    assert "Next: install" in said
