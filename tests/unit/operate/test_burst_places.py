"""Secrets of webhooks at a directory site: a wrong file in their place is reported, not raised."""

import asyncio
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from router.control.bursts import Firing, HookOutcome
from router.documents.templates import NAMES
from router.model.bursts import BurstSpec, SaturatedMarks, WebhookSpec
from router.operate.bursts.burst_places import DirectoryPlace

SPEC = BurstSpec(
    service="shop",
    saturated=SaturatedMarks(full=0.5),
    webhook=WebhookSpec(url="http://127.0.0.1:9/", secret="cloud", tries=1, timeout_s=0.5),
)
FIRING = Firing(id="id-1", event="calm", is_test=False, values=dict.fromkeys(NAMES, "1"))


def absent(path: Path) -> None:
    """Nothing is there, not even its directory."""


def empty(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.touch(0o600)


def readable_by_all(path: Path) -> None:
    empty(path)
    path.chmod(0o644)


def directory(path: Path) -> None:
    path.mkdir(parents=True)


def link(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.symlink_to("/etc/passwd")


def file_in_its_way(path: Path) -> None:
    path.parent.parent.mkdir(parents=True)
    path.parent.touch()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (absent, "does not exist"),
        (empty, "is empty"),
        (readable_by_all, "may"),
        (directory, "is no regular file"),
        (link, "is a symbolic link"),
        (file_in_its_way, "directory"),
    ],
)
def test_a_secret_that_is_none_is_told_with_its_path(
    make: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "secrets" / "webhooks" / "cloud"
    make(path)
    outcome: HookOutcome = asyncio.run(DirectoryPlace(tmp_path).run(SPEC, FIRING))
    assert not outcome.ok
    assert str(path) in outcome.text
    assert said in outcome.text
    assert outcome.hint


def test_the_advice_for_a_missing_secret_makes_one_that_signs(tmp_path: Path) -> None:
    place = DirectoryPlace(tmp_path)
    hint = asyncio.run(place.run(SPEC, FIRING)).hint
    subprocess.run(["/bin/sh", "-c", f"umask 022; {hint}"], check=True)
    path = tmp_path / "secrets" / "webhooks" / "cloud"
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "no answer" in asyncio.run(place.run(SPEC, FIRING)).text, "it was sent"
