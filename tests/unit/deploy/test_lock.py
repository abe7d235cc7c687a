"""uv.lock says what pyproject.toml asks for, and the image's lists say what uv.lock says."""

import json
import re
import tomllib
from collections.abc import Iterator

import pytest
from packaging.requirements import Requirement
from packaging.utils import parse_wheel_filename

from deploy import lock

PROJECT = tomllib.loads((lock.ROOT / "pyproject.toml").read_text())["project"]
LOCKED = {
    found["name"]: found for found in tomllib.loads((lock.ROOT / "uv.lock").read_text())["package"]
}
OURS = LOCKED["spillway-router"]
PYTHONS = ("cp311", "cp312", "cp313")
GLIBC_MAX = (2, 34)
"""Of RHEL 9 and of its images."""


def test_the_lock_is_of_these_dependencies() -> None:
    told = {
        (found["name"], found.get("specifier", "")) for found in OURS["metadata"]["requires-dist"]
    }
    asked = [*PROJECT["dependencies"]]
    for extra in PROJECT["optional-dependencies"].values():
        asked += extra
    wanted = {(_name(one.name), str(one.specifier)) for one in map(Requirement, asked)}
    assert told == wanted, "make lock"


@pytest.mark.parametrize(
    "name", ["image/requirements.txt", "image/build.txt", "image/sbom.cdx.json", "dev.txt"]
)
def test_what_is_made_from_the_lock_is_as_the_lock_makes_it(name: str) -> None:
    path = lock.IMAGE.parent / name
    assert path.read_text("utf-8") == lock.files()[path], "make lock"


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize(
    "name", sorted(set(lock.names("requirements.txt") + lock.names("build.txt")))
)
def test_every_dependency_has_a_wheel_for_rhel_9(name: str, machine: str) -> None:
    for python in PYTHONS:
        assert any(_fits(url, python, machine) for url in _wheels(name)), (name, python)


def test_the_lists_hold_hashes_of_locked_files_only() -> None:
    listed = set(re.findall("sha256:[0-9a-f]{64}", (lock.IMAGE / "requirements.txt").read_text()))
    locked = {
        found["hash"]
        for name in lock.names("requirements.txt")
        for found in [LOCKED[name].get("sdist", {"hash": ""}), *LOCKED[name]["wheels"]]
    }
    assert listed
    assert listed <= locked


def test_the_bill_of_materials_names_what_the_image_installs() -> None:
    bill = json.loads((lock.IMAGE / "sbom.cdx.json").read_text())
    assert sorted(found["name"] for found in bill["components"]) == lock.names("requirements.txt")
    for component in bill["components"]:
        assert component["purl"] == f"pkg:pypi/{component['name']}@{component['version']}"
        assert component["version"] == LOCKED[component["name"]]["version"]
        assert component["externalReferences"], component["name"]


def _wheels(name: str) -> Iterator[str]:
    for wheel in LOCKED[name]["wheels"]:
        yield wheel["url"].rpartition("/")[2]


def _fits(file: str, python: str, machine: str) -> bool:
    """Whether a CPython of that version takes it, on RHEL 9 of that architecture."""
    _, _, _, tags = parse_wheel_filename(file)
    return any(
        _is_of(tag.interpreter, tag.abi, python) and _runs(tag.platform, machine) for tag in tags
    )


def _is_of(interpreter: str, abi: str, python: str) -> bool:
    if interpreter == "py3" or (interpreter, abi) == (python, python):
        return True
    return abi == "abi3" and int(interpreter[3:]) <= int(python[3:])


def _runs(platform: str, machine: str) -> bool:
    if platform in ("any", f"manylinux2014_{machine}"):
        return True
    found = re.fullmatch(rf"manylinux_(\d+)_(\d+)_{machine}", platform)
    return found is not None and (int(found[1]), int(found[2])) <= GLIBC_MAX


def _name(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()
