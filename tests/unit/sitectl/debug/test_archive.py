import json
import os
import stat
import tarfile
import threading
from pathlib import Path
from typing import Any

import pytest

from sitectl.base.failure import unreachable
from sitectl.debug import archive
from sitectl.debug.archive import ArchivePart, Collected, Content, collect, write
from sitectl.debug.scrub import Scrubber


def parts_of(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as found:
        return {
            member.name: found.extractfile(member).read()  # type: ignore[union-attr]
            for member in found
        }


def test_a_part_that_fails_costs_no_other(tmp_path: Path) -> None:
    def fails() -> Content:
        raise OSError(5, "the disk is ill")

    done = collect(
        [ArchivePart("a.json", fails), ArchivePart("b.json", lambda: {"x": 1})], Scrubber()
    )
    write(tmp_path / "d.tar.gz", done, {"made": "now"})

    found = parts_of(tmp_path / "d.tar.gz")
    assert json.loads(found["spillway-dump/b.json"]) == {"x": 1}
    manifest = json.loads(found["spillway-dump/manifest.json"])
    assert manifest["made"] == "now"
    assert "the disk is ill" in manifest["parts"][0]["problem"]
    assert [part["ok"] for part in manifest["parts"]] == [False, True]
    assert stat.S_IMODE((tmp_path / "d.tar.gz").stat().st_mode) == 0o600


def test_a_part_that_hangs_is_left_behind() -> None:
    held = threading.Event()

    def hangs() -> Content:
        held.wait(20)
        return "late"

    hung, fine = collect(
        [ArchivePart("a", hangs), ArchivePart("b", lambda: "here")], Scrubber(), 0.05
    )
    held.set()

    assert "nothing within" in hung.problem
    assert fine.content == b"here"


def test_a_router_that_does_not_answer_is_asked_once() -> None:
    asked = 0

    def silent() -> Content:
        nonlocal asked
        asked += 1
        raise unreachable("the router of site 'a' did not answer within 5 s")

    done = collect(
        [ArchivePart(name, silent, needs_router=True) for name in "abc"]
        + [ArchivePart("d", lambda: "x")],
        Scrubber(),
    )

    assert asked == 1
    assert [bool(one.problem) for one in done] == [True, True, True, False]


@pytest.mark.parametrize(("size", "problem"), [(500, ""), (501, "cut after 500 bytes")])
def test_a_part_has_a_bound(size: int, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "PART_BYTES_MAX", 500)  # Megabytes take seconds to scrub.
    words = ("x" * 99 + " ") * 6
    (one,) = collect([ArchivePart("a", lambda: words[:size])], Scrubber())

    assert one.content.decode() == words[:500]
    assert one.problem == problem


def test_a_file_that_is_there_stays_when_the_new_one_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "d.tar.gz"
    path.write_text("old")

    def full(*words: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tarfile.TarFile, "addfile", full)
    with pytest.raises(OSError, match="No space") as failed:
        write(path, [Collected("a", b"x", "", 0.0)], {})

    assert failed.value.filename == str(path), "which disk is full"
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["d.tar.gz"]
