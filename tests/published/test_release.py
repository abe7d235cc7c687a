"""Each way to install a release that the pages name, typed; and what checks a release."""

import hashlib
import os
import platform
import shutil
import tarfile

import pytest
import yaml

from deploy.release.krew import ARCHITECTURES
from router import __version__
from tests.published.conftest import Newcomer, Release
from tests.pythons.interpreters import folders, interpreters

VERSION = f"spillway {__version__} (Python 3."


def test_make_release_makes_it_twice_signs_and_checks_it(release: Release) -> None:
    assert "made twice: the same bytes" in release.said
    assert f"spillway-{__version__}.tar is what was released." in release.said


def test_one_line_checks_it_and_names_what_was_changed(newcomer: Newcomer) -> None:
    release = newcomer.release
    check = f"sitectl verify {release.archive} --key {release.key}"
    assert "is what was released" in newcomer.typed(check)
    shutil.copytree(release.stage, newcomer.home / "changed")
    (newcomer.home / "changed" / "sbom.json").unlink()
    said = newcomer.typed(f"sitectl verify changed --key {release.key}", code=1)
    assert "missing: sbom.json" in said and "Do not install changed" in said


@pytest.mark.programs("curl", "man")
def test_one_line_installs_it_on_a_host(newcomer: Newcomer) -> None:
    url = f"{newcomer.release.url}/{__version__}/install.sh"
    places = "--prefix $HOME/prefix --bin $HOME/.local/bin"  # Of a user who is not root.
    newcomer.typed(f"curl -fsS {url} | sh -s -- {places}")
    assert newcomer.typed("$HOME/.local/bin/sitectl version").startswith(VERSION)
    assert "SYNOPSIS" in newcomer.typed("man -M $HOME/.local/share/man sitectl-why")
    completions = newcomer.home / ".local/share/bash-completion/completions/sitectl"
    assert "_SITECTL_COMPLETE" in completions.read_text()


def test_uvx_runs_it_and_uv_installs_it(newcomer: Newcomer) -> None:
    wheel = newcomer.release.wheel
    said = newcomer.typed(f"uv tool run --from {wheel} sitectl version")
    assert VERSION in said
    newcomer.typed(f"uv tool install '{wheel}[kubernetes]'")
    assert newcomer.typed("$HOME/.local/bin/sitectl version").startswith(VERSION)


def test_pip_installs_the_wheel_with_pages_and_the_sdist_makes_the_same(
    newcomer: Newcomer,
) -> None:
    sdist = newcomer.release.stage / "sdist" / f"spillway_router-{__version__}.tar.gz"
    newcomer.typed(f"uv venv --quiet one && uv pip install --python one {newcomer.release.wheel}")
    assert newcomer.typed("one/bin/sitectl version").startswith(VERSION)
    assert (newcomer.home / "one/share/man/man1/sitectl-why.1").is_file()
    assert (newcomer.home / "one/share/zsh/site-functions/_sitectl").is_file()
    newcomer.typed(f"uv build --quiet --wheel --out-dir made {sdist}")
    (made,) = (newcomer.home / "made").glob("*.whl")
    assert made.read_bytes() == newcomer.release.wheel.read_bytes()


def test_an_older_python_is_refused_with_a_sentence(newcomer: Newcomer) -> None:
    words = "pip download --quiet --no-deps --only-binary :all: --python-version 3.10"
    said = newcomer.typed(f"python -m {words} {newcomer.release.wheel}", code=1)
    assert "requires a different Python: 3.10.0 not in '>=3.11'" in said


@pytest.mark.programs("kubectl")
def test_the_kubectl_plugin_runs_by_each_python_of_this_machine(newcomer: Newcomer) -> None:
    krew = newcomer.release.stage / "krew"
    platforms = yaml.safe_load((krew / "spillway.yaml").read_text())["spec"]["platforms"]
    mine = {machine: name for name, machine in ARCHITECTURES.items()}[platform.machine()]
    one = next(one for one in platforms if one["selector"]["matchLabels"]["arch"] == mine)
    assert one["uri"].startswith(f"{newcomer.release.url}/{__version__}/krew/")
    newcomer.typed(f"curl -fsSO {one['uri']}")
    archive = newcomer.home / one["uri"].rpartition("/")[2]
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == one["sha256"]
    store, link = newcomer.home / "store", newcomer.home / ".local/bin/kubectl-spillway"
    store.mkdir()
    link.parent.mkdir(parents=True)
    newcomer.typed(f"tar -xzf {archive} -C {store}")
    link.symlink_to(store / one["bin"])
    assert "sitectl" in newcomer.typed("kubectl spillway --help")
    with tarfile.open(archive) as tar:
        assert not [name for name in tar.getnames() if "uvloop" in name]
    packed = (newcomer.release.stage / "PYTHONS").read_text().split()
    found = [
        one for one in interpreters(folders(os.environ)) if one.version.rpartition(".")[0] in packed
    ]
    assert found
    for number, python in enumerate(found):
        place = newcomer.home / f"python{number}"
        place.mkdir()
        (place / f"python{python.version.rpartition('.')[0]}").symlink_to(python.path)
        for tool in ("dirname", "readlink"):
            (place / tool).symlink_to(shutil.which(tool) or tool)
        line = f"PATH={place} {link} --platform process version"
        assert f"(Python {python.version}," in newcomer.typed(line)
