"""Which functions of a room each test calls; loaded into pytest by ``-p tests.mutants.reach``.

Hypothesis tries the same examples in every run, and a failure is not made smaller.
"""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import Phase, settings


def pytest_addoption(parser: pytest.Parser) -> None:
    """What ``tests.mutants`` asks for."""
    parser.addoption("--reach-of", metavar="FOLDER", help="note calls of functions in FOLDER")
    parser.addoption("--reach-to", metavar="FILE", help="where to")
    parser.addoption("--tests-from", metavar="FILE", help="run these, in this order")


def pytest_configure(config: pytest.Config) -> None:
    """After the project's own settings are loaded."""
    reach_of = config.getoption("reach_of")
    settings.register_profile(
        "mutants",
        phases=(Phase.explicit, Phase.generate),
        derandomize=True,
        database=None,
        max_examples=10 if reach_of else 100,
    )
    settings.load_profile("mutants")
    if reach_of:
        written = Path(config.getoption("reach_to"))
        config.pluginmanager.register(_Reach(config.rootpath, reach_of, written))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Only those asked for."""
    if path := config.getoption("tests_from"):
        wanted = {name: number for number, name in enumerate(json.loads(Path(path).read_text()))}
        items[:] = sorted(
            [item for item in items if item.nodeid in wanted], key=lambda item: wanted[item.nodeid]
        )


class _Reach:
    def __init__(self, root: Path, folder: str, path: Path) -> None:
        self._root = f"{root}/"
        self._folder = f"{root / folder}/"
        self._path = path
        self._tests: dict[str, tuple[float, list[str]]] = {}

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Note what ``item`` calls, its fixtures included."""
        root, folder, reached = self._root, self._folder, set[str]()

        def called(frame: FrameType, event: str, argument: Any) -> None:
            code = frame.f_code
            if code.co_filename.startswith(folder):
                reached.add(f"{code.co_filename[len(root) :]}:{code.co_qualname}")

        began = time.process_time()
        sys.settrace(called)
        yield
        sys.settrace(None)
        self._tests[item.nodeid] = (time.process_time() - began, sorted(reached))

    def pytest_sessionfinish(self) -> None:
        """All of it, as JSON: seconds and functions of each test."""
        self._path.write_text(json.dumps(self._tests))
