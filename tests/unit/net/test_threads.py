"""Threads that are there from the start, and what becomes of calls in them."""

import gc
import subprocess
import sys
import threading
from concurrent.futures import wait

import pytest

from router.model.errors import RouterError
from router.net.threads import Threads, start_thread
from tests.scenario.waiting import until


def no_thread(thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def count(name: str) -> int:
    return sum(thread.name == name for thread in threading.enumerate())


def test_all_run_from_the_start_and_no_other_is_ever_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads, gate = Threads(3, "three"), threading.Event()
    assert count("three") == 3
    monkeypatch.setattr(threading.Thread, "start", no_thread)
    barrier = threading.Barrier(3)
    at_once = [threads.submit(barrier.wait, 10.0) for _ in range(3)]
    assert sorted(call.result(10.0) for call in at_once) == [0, 1, 2]
    held = [threads.submit(gate.wait, 10.0) for _ in range(3)]
    waiting = threads.submit(lambda: "later")
    assert not wait([waiting], 0.0).done
    gate.set()
    assert waiting.result(10.0) == "later"
    assert all(call.result(10.0) for call in held)
    threads.shutdown()


def test_a_call_that_fails_or_is_canceled_costs_no_thread() -> None:
    threads, gate, ran = Threads(1, "one"), threading.Event(), threading.Event()
    held = threads.submit(gate.wait, 10.0)
    canceled = threads.submit(ran.set)
    assert canceled.cancel()
    gate.set()
    assert held.result(10.0)
    with pytest.raises(ZeroDivisionError):
        threads.submit(lambda: 1 // 0).result(10.0)
    assert threads.submit(lambda: "next").result(10.0) == "next"
    assert not ran.is_set()
    threads.shutdown()


def test_results_and_errors_stay_no_longer_than_their_reader() -> None:
    class Large(Exception):
        pass

    def fail() -> None:
        raise Large

    threads = Threads(1, "one")
    threads.submit(Large).result(10.0)
    assert isinstance(threads.submit(fail).exception(10.0), Large)
    threads.submit(int).result(10.0)
    assert not [
        found for found in gc.get_objects() if type(found) is Large
    ]  # Without a collection.
    threads.shutdown()


def test_threads_end_when_they_are_shut_down_or_forgotten() -> None:
    threads, forgotten = Threads(2, "shut"), Threads(2, "forgotten")
    done = threads.submit(int)
    threads.shutdown()
    assert done.result(10.0) == 0
    until(lambda: count("shut") == 0, "they have ended")
    assert count("forgotten") == 2
    del forgotten
    until(lambda: count("forgotten") == 0, "they have ended")


def test_where_the_system_starts_none_the_reason_and_the_limits_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threading.Thread, "start", no_thread)
    with pytest.raises(RouterError, match=r"for names \(can't start new thread\).*pids\.max"):
        Threads(2, "names")
    with pytest.raises(RouterError, match="for the log "):
        start_thread(lambda: None, "the log")


def test_a_call_that_hangs_does_not_keep_the_process_from_ending() -> None:
    code = (
        "import time\nfrom router.net.threads import Threads\n"
        "threads = Threads(1, 'one')\nthreads.submit(time.sleep, 600)\nthreads.shutdown()\n"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
