"""The file of stacks, when the folder around it goes while the router runs."""

import os
import shutil
import signal
from pathlib import Path

from router.operate.debug_dump import STACKS_FILE, stacks_on_signal


def test_stacks_are_written_to_a_folder_that_was_made_again(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / STACKS_FILE).write_text("of the router before")
    with stacks_on_signal(run) as reopen:
        os.kill(os.getpid(), signal.SIGUSR2)
        first = (run / STACKS_FILE).read_text()
        assert first.count("test_stacks_on_signal.py") == 1
        assert "of the router before" not in first
        reopen()  # Also when nothing was removed: nothing is lost.
        os.kill(os.getpid(), signal.SIGUSR2)
        assert (run / STACKS_FILE).read_text().startswith(first)
        shutil.rmtree(run)
        reopen()
        run.mkdir()
        reopen()
        os.kill(os.getpid(), signal.SIGUSR2)
        assert (run / STACKS_FILE).read_text().count("test_stacks_on_signal.py") == 1
