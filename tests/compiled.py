"""Compile test files once, before several test processes start.

pytest rewrites each test file and caches the result beside it. In a fresh checkout all test
processes would collect the same files at the same time, and each would compile every one of them.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

FEW: Final = 50
"""So many files compile in less time than one more Python takes to start."""


def uncompiled(arguments: Sequence[str], root: Path) -> list[Path]:
    """Test files under ``arguments`` of pytest that no run of this Python has compiled yet."""
    paths = [root / argument.partition("::")[0] for argument in arguments]
    return [file for path in paths for file in _files(path) if not _is_compiled(file)]


def compile_tests(arguments: Sequence[str], root: Path, processors: int) -> int:
    """Have as many processes compile them, each a part; gives how many files there were.

    None, where there are few or Python writes no compiled files. Whatever is wrong with a file, the
    test processes report.
    """
    files = [] if sys.dont_write_bytecode else uncompiled(arguments, root)
    if len(files) < FEW:
        return 0
    command = [sys.executable, "-m", "pytest", "--collect-only", "-p", "no:cacheprovider"]
    started = [
        subprocess.Popen(
            [*command, *map(str, files[number::processors])],
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for number in range(processors)
    ]
    for process in started:
        process.wait()
    return len(files)


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    for directory, _, names in os.walk(path):
        for name in sorted(names):
            if name.startswith("test_") and name.endswith(".py"):
                yield Path(directory, name)


def _is_compiled(file: Path) -> bool:
    tag = sys.implementation.cache_tag
    return any((file.parent / "__pycache__").glob(f"{file.stem}.{tag}-pytest-*.pyc"))
