import os
import threading
from pathlib import Path

import msgspec
import pytest

from router.model import limits
from router.model.events import Change, Event, Spill
from router.operate.record import event_file
from router.operate.record.event_file import (
    EVENTS_LOG_FILE,
    EventFile,
    line_of,
    opened,
    read_newest,
)
from router.operate.record.sinks import RotatedFile


def event(number: int, at: str = "2026-01-01T00:00:00.000Z") -> Event:
    return Event(
        at=at,
        severity="info",
        code="link-up",
        subject=f"s{number}",
        message="up",
        kind="audit",
        by="alice (uid 1000)",
        changes=(Change(field="capacity", old="1", new="2"),),
        overflow=Spill(
            began=at, lasted_s=1.5, requests=3, to={"east": 3}, in_flight_max=2, capacity=None
        ),
    )


def test_what_was_written_is_read_again_with_its_numbers(tmp_path: Path) -> None:
    file = opened(tmp_path, lambda _: None)
    for number in (7, 8, 9):
        file.add(number, event(number))
    file.close()

    assert read_newest(tmp_path) == [(n, event(n)) for n in (7, 8, 9)]
    assert read_newest(tmp_path, 2) == [(n, event(n)) for n in (8, 9)]
    assert os.stat(tmp_path / EVENTS_LOG_FILE).st_mode & 0o777 == 0o600


def test_files_that_were_turned_over_are_read_in_order(tmp_path: Path) -> None:
    size = len(line_of(1, event(1))) * 2
    file = EventFile(RotatedFile(tmp_path / EVENTS_LOG_FILE, size, 3), lambda _: None)
    for number in range(1, 9):
        file.add(number, event(number))
    file.close()

    numbers = [number for number, _ in read_newest(tmp_path)]
    assert numbers == sorted(numbers)
    assert numbers[-1] == 8
    assert len(numbers) == 6, "three files of two lines"


def test_a_line_that_a_crash_cut_is_left_out(tmp_path: Path) -> None:
    whole = line_of(1, event(1))
    text = whole + line_of(2, event(2))[:40] + b"\n" + b"\xff\x00\n[]\n" + line_of(3, event(3))
    (tmp_path / EVENTS_LOG_FILE).write_bytes(text)

    assert [number for number, _ in read_newest(tmp_path)] == [1, 3]


def test_no_more_is_read_than_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [line_of(n, event(n)) for n in range(10, 20)]
    (tmp_path / EVENTS_LOG_FILE).write_bytes(b"".join(lines))
    monkeypatch.setattr(limits, "EVENTS_READ_BYTES_MAX", len(lines[0]) * 3 + 5)

    assert [number for number, _ in read_newest(tmp_path)] == [17, 18, 19]


def test_an_event_of_a_later_version_with_more_fields_is_read(tmp_path: Path) -> None:
    fields = msgspec.json.decode(line_of(4, event(4))) | {"weather": "fair"}
    (tmp_path / EVENTS_LOG_FILE).write_bytes(msgspec.json.encode(fields) + b"\n")

    assert read_newest(tmp_path) == [(4, event(4))]


def test_a_link_or_a_pipe_in_its_place_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(line_of(1, event(1)))
    (tmp_path / EVENTS_LOG_FILE).symlink_to(tmp_path / "elsewhere")

    assert read_newest(tmp_path) == []


def test_all_files_together_take_a_share_of_a_small_disk_only() -> None:
    whole, files, share = limits.EVENTS_LOG_BYTES_MAX, limits.EVENTS_LOG_FILES, 16
    assert event_file.bytes_max(1 << 40) == whole
    assert event_file.bytes_max(whole * files * share) == whole
    assert event_file.bytes_max(whole * files * share - share * files) == whole - 1
    sidecar = 16 * 1024 * 1024
    assert event_file.bytes_max(sidecar) * files <= sidecar // 16


class FullDisk:
    """Takes nothing while ``full``."""

    def __init__(self) -> None:
        self.full = True
        self.lines: list[bytes] = []
        self.reopened = 0

    def write(self, lines: bytes) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        self.lines.append(lines)

    def reopen(self) -> None:
        self.reopened += 1

    def close(self) -> None:
        pass


def test_a_full_disk_is_told_once_until_it_takes_lines_again() -> None:
    disk, told = FullDisk(), list[str]()
    seen = threading.Event()

    def lost(reason: str) -> None:
        told.append(reason)
        seen.set()

    file = EventFile(disk, lost)
    file.add(1, event(1))
    file.add(2, event(2))
    assert seen.wait(5)
    file.close()

    assert told == ["No space left on device"]


def test_it_is_opened_anew_when_asked() -> None:
    disk = FullDisk()
    disk.full = False
    file = EventFile(disk, lambda _: None)
    file.add(1, event(1))
    file.reopen()
    file.add(2, event(2))
    file.close()

    assert disk.reopened == 1
    assert disk.lines == [line_of(1, event(1)), line_of(2, event(2))]


def test_a_file_that_could_not_be_closed_ends_no_journal() -> None:
    """A network file system may report only then that it lost lines."""

    class Broken(FullDisk):
        def reopen(self) -> None:
            raise OSError(5, "Input/output error")

    disk, told = Broken(), list[str]()
    disk.full = False
    file = EventFile(disk, told.append)
    file.reopen()
    file.add(1, event(1))
    file.close()
    assert told == ["Input/output error"]
    assert disk.lines == [line_of(1, event(1))]


def test_as_many_lines_wait_as_may_and_that_more_are_lost_is_told_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "EVENTS_LOG_QUEUE_MAX", 3)
    held, entered = threading.Event(), threading.Event()

    class Slow(FullDisk):
        def write(self, lines: bytes) -> None:
            entered.set()
            held.wait(5)
            self.lines.append(lines)

    disk, told = Slow(), list[str]()
    file = event_file.EventFile(disk, told.append)
    file.add(0, event(0))
    assert entered.wait(5)
    for number in (1, 2, 3):
        file.add(number, event(number))
    file.add(4, event(4))
    file.add(5, event(5))
    assert told == ["the disk stands still"]
    held.set()
    file.close()
    assert disk.lines == [line_of(number, event(number)) for number in range(4)]
