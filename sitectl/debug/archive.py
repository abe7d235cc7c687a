"""Collects parts, each within its time, and writes them as one tar.gz, 0600, whole or not."""

import io
import json
import os
import queue
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from router.model.built_types import build_types
from sitectl.base.failure import Failure
from sitectl.debug.scrub import Scrubber

PART_S: Final = 20.0
PART_BYTES_MAX: Final = 8 * 1024 * 1024
SKIPPED: Final = "not asked: an earlier question was not answered"

Content = str | Mapping[str, Any] | list[Any]


class ArchivePart(NamedTuple):
    """``name``: of the file in the archive. ``needs_router``: left out once one did not answer."""

    name: str
    collect: Callable[[], Content]
    needs_router: bool = False


class Collected(NamedTuple):
    """The result for one part; ``problem`` empty: it is complete."""

    name: str
    content: bytes
    problem: str
    seconds: float


def collect(
    parts: list[ArchivePart], scrubber: Scrubber, part_s: float = PART_S
) -> list[Collected]:
    """Every part in order. None takes longer than ``part_s``, none ends the others."""
    build_types()  # A part that takes too long goes on beside the next one.
    found: list[Collected] = []
    answers = True
    for part in parts:
        if part.needs_router and not answers:
            found.append(Collected(part.name, b"", SKIPPED, 0.0))
            continue
        began = time.monotonic()
        content, problem = _within(part, part_s)
        if part.needs_router and problem.startswith("router-unreachable"):
            answers = False
        data = _encoded(content, scrubber) if content is not None else b""
        if len(data) > PART_BYTES_MAX:
            data, problem = data[:PART_BYTES_MAX], f"cut after {PART_BYTES_MAX} bytes"
        found.append(Collected(part.name, data, scrubber.text(problem), time.monotonic() - began))
    return found


def _within(part: ArchivePart, part_s: float) -> tuple[Content | None, str]:
    answer: queue.Queue[tuple[Content | None, str]] = queue.Queue(1)

    def run() -> None:
        try:
            answer.put((part.collect(), ""))
        except Failure as failure:
            answer.put((None, f"{failure.code}: {failure.message}"))
        except Exception as error:  # One part that fails must not cost the others.
            answer.put((None, f"{type(error).__name__}: {error}"))

    threading.Thread(target=run, name=part.name, daemon=True).start()
    try:
        return answer.get(timeout=part_s)
    except queue.Empty:
        return None, f"router-unreachable: nothing within {part_s:g} s"


def _encoded(content: Content, scrubber: Scrubber) -> bytes:
    if isinstance(content, str):
        return scrubber.lines(content).encode("utf-8", "replace")
    return json.dumps(scrubber.value(content), indent=1).encode()


def write(path: Path, collected: list[Collected], about: dict[str, Any]) -> dict[str, Any]:
    """The archive at ``path``; its manifest, which is in it too. OSError: nothing is written."""
    manifest = {
        **about,
        "parts": [
            {
                "name": one.name,
                "ok": not one.problem,
                "problem": one.problem,
                "bytes": len(one.content),
                "seconds": round(one.seconds, 3),
            }
            for one in collected
        ],
    }
    files = [("manifest.json", json.dumps(manifest, indent=1).encode())]
    files += [(one.name, one.content) for one in collected if one.content]
    descriptor, temporary = tempfile.mkstemp(prefix=".spillway-dump-", dir=path.parent)  # 0600.
    try:
        with (
            open(descriptor, "wb") as whole,
            tarfile.open(fileobj=whole, mode="w:gz") as archive,
        ):
            for name, content in files:
                entry = tarfile.TarInfo(f"spillway-dump/{name}")
                entry.size, entry.mode, entry.mtime = len(content), 0o600, int(time.time())
                archive.addfile(entry, io.BytesIO(content))
        os.replace(temporary, path)
    except OSError as error:
        os.unlink(temporary)
        raise OSError(error.errno, error.strerror, str(path)) from error
    except BaseException:
        os.unlink(temporary)
        raise
    return manifest
