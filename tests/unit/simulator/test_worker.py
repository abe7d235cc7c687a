"""`python -m simulator`: one order in, one answer out; nothing of this machine is read."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from simulator.__main__ import RunOrder, answer

ROOT = Path(__file__).resolve().parents[3]
BURST = (ROOT / "examples" / "burst.yaml").read_text()
REPLAY = (ROOT / "examples" / "replay.yaml").read_text()


def ordered(order: dict[str, Any]) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "simulator"],
        input=json.dumps(order).encode(),
        stdout=subprocess.PIPE,
        check=True,
        cwd=ROOT,
        timeout=120,
    )
    return json.loads(done.stdout)


def test_the_answer_has_every_figure_that_the_command_line_prints(tmp_path: Path) -> None:
    short, path = BURST.replace("40s", "13s").replace("25s", "12s"), tmp_path / "burst.yaml"
    path.write_text(short)
    told = ordered({"scenarios": [short], "requests_max": 100_000})
    printed = subprocess.run(
        [sys.executable, "-m", "sitectl", "simulate", str(path), "-o", "json"],
        stdout=subprocess.PIPE,
        check=True,
        cwd=ROOT,
        timeout=120,
    )
    assert told["errors"] == []
    assert told["outcomes"] == json.loads(printed.stdout)["items"]
    assert {one["rule"] for one in told["outcomes"][0]["skupper"]} == {"skupper v1", "skupper v2"}


def test_a_run_ends_after_so_many_requests_and_tells_what_it_saw() -> None:
    outcome = answer(RunOrder(scenarios=(BURST,), requests_max=200, rivals=False)).outcomes[0]
    assert outcome.interrupted
    assert 200 <= outcome.requests < 400
    assert outcome.skupper == []


def test_everything_wrong_with_a_scenario_is_told_with_its_place() -> None:
    text = BURST.replace("duration: 40s", "duration: never").replace("rtt: 20ms", "rtt: -1")
    found = answer(RunOrder(scenarios=(text,), requests_max=1000))
    assert found.outcomes == []
    assert [one.code for one in found.errors] == ["SW0720", "SW0720"]
    assert all(one.line > 1 and "scenario" not in one.message for one in found.errors)


def test_no_file_is_read_for_who_asks_a_router() -> None:
    found = answer(RunOrder(scenarios=(REPLAY,), requests_max=1000))
    assert [one.code for one in found.errors] == ["SW0723"]
    assert "sitectl simulate only" in found.errors[0].message


def test_told_to_end_it_answers_with_what_it_has_seen() -> None:
    long = BURST.replace("duration: 40s", "duration: 1h").replace("12/s", "20/s")
    with subprocess.Popen(
        [sys.executable, "-m", "simulator"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"scenarios": [long], "requests_max": 10**6}).encode())
        process.stdin.close()
        while not _catches(process.pid, signal.SIGTERM):
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        told = json.loads(process.stdout.read())
    assert process.returncode == 0
    assert told["outcomes"][0]["interrupted"]


def _catches(pid: int, number: signal.Signals) -> bool:
    """Whether that process has a handler for it by now."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    caught = next(line for line in lines if line.startswith("SigCgt:")).split()[1]
    return bool(int(caught, 16) >> (number - 1) & 1)
