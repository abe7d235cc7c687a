"""The log file: one JSON object a line, whatever was logged."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from router.model import limits
from router.process.logs import logging_to
from tests.scenario.waiting import until
from tests.unit.exchange.fakes import FakeNetwork

log = logging.getLogger("tests.logs")


def lines_of(path: Path) -> list[dict[str, Any]]:
    """What the file holds, each line decoded."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_fields_of_fixed_name_stand_beside_the_message(tmp_path: Path) -> None:
    path = tmp_path / "router.log"
    with logging_to(path, "info"):
        log.info("%s is up", "west\n{forged}", extra={"link": "west", "secret": "x"})
    (line,) = lines_of(path)
    assert (line["level"], line["message"], line["link"]) == (
        "info",
        "west\n{forged} is up",
        "west",
    )
    assert line.keys() == {"at", "level", "logger", "message", "link"}


def test_an_exception_stands_in_a_field_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "router.log"
    with logging_to(path, "info"):
        try:
            raise ValueError("why")
        except ValueError:
            log.exception("could not %s", "apply")
    (line,) = lines_of(path)
    assert line["message"] == "could not apply"
    assert line["exception"].startswith("Traceback") and line["exception"].endswith("why")


def test_a_file_that_was_moved_away_is_begun_anew_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "router.log"
    with logging_to(path, "info") as logs:
        path.rename(tmp_path / "old.log")
        logs.reopen()
        log.info("after")
    assert [line["message"] for line in lines_of(path)] == ["after"]


def test_the_log_is_its_owner_s_alone_also_where_it_was_not(tmp_path: Path) -> None:
    path = tmp_path / "router.log"
    path.touch(0o644)
    with logging_to(path, "info") as logs:
        assert path.stat().st_mode & 0o777 == 0o600
        path.rename(tmp_path / "away")
        logs.reopen()
        logging.getLogger("a").info("b")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_line_that_no_file_can_hold_is_lost_alone(tmp_path: Path) -> None:
    path = tmp_path / "router.log"
    with logging_to(path, "info"):
        # A name on disk that is no UTF-8; not in the message, which pytest sends between processes.
        log.info("cannot read", extra={"site": "\udcff.yaml"})
        log.info("on", extra={"site": object()})
        log.info("serving")
    told = lines_of(path)
    assert [line["message"] for line in told] == ["cannot read", "serving"]
    assert told[0]["site"].endswith("udcff.yaml")


def test_a_line_that_cannot_be_written_to_standard_output_is_lost_alone(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with logging_to(None, "info"):
        log.info("on", extra={"site": object()})
        log.info("serving", extra={"site": "west"})
    (line,) = map(json.loads, capfd.readouterr().out.splitlines())
    assert (line["message"], line["site"]) == ("serving", "west")


def test_what_lost_lines_says_so_once_it_can_though_nothing_else_is_logged(tmp_path: Path) -> None:
    path, timers = tmp_path / "run" / "router.log", FakeNetwork()
    path.parent.mkdir()
    with logging_to(path, "error") as logs:
        logs.retry_by(timers)
        timers.advance(limits.STATE_RETRY_S)
        assert path.read_text() == "", "nothing was lost"
        path.parent.rename(tmp_path / "aside")
        logs.reopen()
        log.error("it is lost")
        until(lambda: logs.trouble, "the thread that writes has tried")
        (tmp_path / "aside").rename(path.parent)
        timers.advance(limits.STATE_RETRY_S)
        until(lambda: not logs.trouble, "it is written again")
    (line,) = lines_of(path)
    assert line["message"] == "lines of this log were lost"
    assert line["cause"] == f"{path}: No such file or directory"


@pytest.mark.parametrize("lines", [1_000, 12_000], ids=["some", "more than wait"])
def test_standard_output_that_nobody_reads_holds_up_neither_the_router_nor_its_end(
    lines: int,
) -> None:
    """As when the program that collects the logs stands still."""
    code = f"""
import logging, random, sys, time
from router.model.ids import ServiceKey
from router.operate.flows.access_log import AccessLog
from router.operate.record.sinks import StandardOutput
from router.process.logs import logging_to
from router.service.observers import Finished, RequestTiming

failed = Finished(
    key=ServiceKey("shop", 1), protocol="tcp", client="", passage=RequestTiming(outcome="link-lost")
)
with logging_to(None, "info"):
    access_log = AccessLog(StandardOutput(), random.Random(1), time.monotonic, print)
    access_log.finished(failed)
    for number in range({lines}):
        logging.getLogger("test").info("line %d of a hundred bytes or more", number)
    access_log.close()
"""
    reader, writer = os.pipe()
    try:
        ended = subprocess.run(
            [sys.executable, "-c", code],
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    finally:
        os.close(reader)
        os.close(writer)
    assert (ended.returncode, ended.stderr) == (0, "")
