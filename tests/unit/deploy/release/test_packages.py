"""The sdist and its wheel: the files in both, and the same bytes each time."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from deploy import completions, man
from deploy.release.archives import wheel_files
from deploy.release.packages import ROOT, build_sdist, build_wheel
from router import __version__

SHARE = f"spillway_router-{__version__}.data/data/share"
SOURCES = ("certs", "router", "simulator", "sitectl", "deploy")
TEXTS = ("pyproject.toml", "README.md", "LICENSE", "THIRD_PARTY.md", "CHANGELOG.md", ".gitignore")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with both."""
    place = tmp_path_factory.mktemp("built")
    build_wheel(place, build_sdist(place))
    return place


def only(directory: Path, pattern: str) -> Path:
    (found,) = directory.glob(pattern)
    return found


def test_the_wheel_has_the_man_pages_and_the_completions(built: Path) -> None:
    found = wheel_files(only(built, "*.whl"))
    pages = {f"{SHARE}/man/man{name[-1]}/{name}" for name in man.pages()}
    places = {f"{SHARE}/{place}" for place in completions.PLACES.values()}
    assert {name for name in found if name.startswith(SHARE)} == pages | places
    assert b"_SITECTL_COMPLETE" in found[f"{SHARE}/{completions.PLACES['zsh']}"]


def test_without_them_it_is_the_wheel_of_these_sources(built: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    plain, released = (wheel_files(only(place, "*.whl")) for place in (tmp_path, built))
    record = f"spillway_router-{__version__}.dist-info/RECORD"
    assert {name: data for name, data in plain.items() if name != record} == {
        name: data
        for name, data in released.items()
        if name != record and not name.startswith(SHARE)
    }


def test_an_sdist_has_no_tests_and_nothing_of_this_machine(built: Path) -> None:
    with tarfile.open(only(built, "*.tar.gz")) as tar:
        members = tar.getmembers()
    names = {one.name.partition("/")[2] for one in members}
    tops = {name.partition("/")[0] for name in names}
    assert tops == {*SOURCES[:-1], "share", *TEXTS, "PKG-INFO"}
    assert all((one.uid, one.uname, one.mode) == (0, "", 0o644) for one in members)


def test_other_places_times_and_masks_make_the_same_bytes(built: Path, tmp_path: Path) -> None:
    copy = tmp_path / "another place"
    copy.mkdir(mode=0o700)
    for name in SOURCES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, copy / name, ignore=ignored, copy_function=shutil.copyfile)
    for name in TEXTS:
        shutil.copyfile(ROOT / name, copy / name)
    mask = os.umask(0o077)
    try:
        sdist = build_sdist(tmp_path / "again", copy)
        again = build_wheel(tmp_path / "again", sdist)
    finally:
        os.umask(mask)
    assert sdist.read_bytes() == only(built, "*.tar.gz").read_bytes()
    assert again.read_bytes() == only(built, "*.whl").read_bytes()


def test_an_unpacked_sdist_makes_itself_again(built: Path, tmp_path: Path) -> None:
    """Without `deploy`, which writes the man pages: they are in it."""
    sdist = only(built, "*.tar.gz")
    subprocess.run(["tar", "-xzf", str(sdist), "-C", str(tmp_path)], check=True)
    again = build_wheel(tmp_path, sdist)
    assert zipfile.ZipFile(again).testzip() is None
    assert again.read_bytes() == only(built, "*.whl").read_bytes()
