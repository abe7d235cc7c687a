"""Promises of the Dockerfile, as far as its text shows; tests/podman builds and runs the image."""

import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "Dockerfile").read_text()


def words(instruction: str) -> list[str]:
    """What follows each of these instructions, in their order."""
    return re.findall(rf"^{instruction} (.+)$", TEXT, re.MULTILINE)


def test_the_base_is_a_build_argument_pinned_by_tag_and_digest() -> None:
    (base,) = [word for word in words("ARG") if word.startswith("BASE=")]
    assert re.fullmatch(r"BASE=\S+/ubi9/python-3\d+-minimal:[\d.-]+@sha256:[0-9a-f]{64}", base)
    build, files, last = words("FROM")
    assert build == "--platform=${BUILDPLATFORM} ${BASE} AS build"
    assert (files, last) == ("scratch AS files", "${BASE}"), "what builds stays behind"


def test_nothing_of_the_image_runs_while_it_is_built() -> None:
    assert "RUN" not in TEXT.partition("FROM scratch AS files")[2]


def test_nobodys_user_runs_it_and_any_may() -> None:
    assert words("USER")[-1] == "1001"
    assert "chmod 0771 /root-of-image/var/lib/spillway && chgrp 0 " in TEXT


def test_what_is_installed_comes_from_the_lists_with_hashes() -> None:
    assemble = (ROOT / "deploy" / "image" / "assemble").read_text()
    assert "--require-hashes" in assemble
    named = {"deploy/image/requirements.txt", "deploy/image/build.txt"}
    assert named <= set(words("COPY")[0].split())


def test_a_base_without_pip_is_answered_with_the_wheels_of_its_python(tmp_path: Path) -> None:
    venv.create(tmp_path / "base", with_pip=False)
    shutil.copy(ROOT / "deploy/image/assemble", tmp_path)
    done = subprocess.run(
        ["sh", str(tmp_path / "assemble"), str(tmp_path / "target"), "amd64"],
        capture_output=True,
        text=True,
        env={"PATH": f"{tmp_path}/base/bin:/usr/bin:/bin"},
    )
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert done.returncode == 1
    assert done.stderr.endswith(
        f"has no pip, which is needed to fetch packages. Next: make wheels PYTHONS={version}\n"
    )


def test_programs_that_its_comments_name_are_there() -> None:
    comments = "\n".join(line for line in TEXT.splitlines() if line.startswith("#"))
    for name in re.findall(r"\bscripts/[\w.-]+", comments):
        assert (ROOT / name).exists(), name
