"""The directory store: ``config/*.yaml`` of a site, read as a whole, compared by content.

Files are polled once a second, since file watches miss a mounted ConfigMap, which swaps a symbolic
link. The poll runs in a thread, since a network file system may hang. Changes are detected by a
hash of the content. A file is read again only if its metadata (inode, size, times of content and
inode) changed, or is so recent that a further change within one step of the clock may not show. Now
and then all files are read regardless.

When a file becomes unusable, its last good documents still count, so that a typo withdraws nothing.
The router stores them in `in_force.FILE`, which is read at the next start. When a file is gone, so
are its documents. An emptied file counts only if the next check finds it empty too: perhaps it is
just being written.
"""

import asyncio
import errno
import hashlib
import os
import stat
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

from certs.errors import CertError
from certs.files import read_whole
from router.control.acceptance import Acceptance, SourcesReading, news
from router.documents import Wanted, in_force, read_bytes, unreadable
from router.documents.in_force import InForce
from router.model import limits
from router.model.errors import ConfigError
from router.model.specs import Document
from router.model.ticks import pause_s
from router.model.unreadable import UNREADABLE_JSON


class ConfigDirectory:
    """Reads ``site_dir/config``. Owned by one task or its thread; any thread may call `poke`.

    Errors name files relative to ``site_dir`` (``config/service-shop.yaml:3:5``).
    """

    def __init__(
        self,
        site_dir: Path,
        wall: Callable[[], float] = time.time,
        thread: Executor | None = None,
    ) -> None:
        """``thread``: one, in which files are read while the router runs."""
        self._site_dir = site_dir
        self._wall = wall
        self._digests: dict[str, str] = {}
        # Of files whose digest is certainly current.
        self._marks: dict[str, _Mark] = {}
        self._all_read_at = float("-inf")
        # Seen once without their documents.
        self._emptied: set[str] = set()
        self._acceptance = Acceptance(
            "Put it back, or delete the site with: sitectl delete",
        )
        self._last: SourcesReading | None = None
        self.documents: tuple[Document, ...] = ()
        """The documents that count, as last read."""
        # An error of the directory as a whole.
        self._trouble: ConfigError | None = None
        # The error for files beyond the bound.
        self._left_out: ConfigError | None = None
        # Until there is a state: documents in force before the restart. Until all documents are
        # right: why those are unknown.
        self._before, self._forgot = _stored(site_dir / in_force.FILE)
        self._poked = threading.Event()
        # A canceled `watch` lets its work there finish.
        self._thread = thread or ThreadPoolExecutor(1, "config")

    @property
    def in_force(self) -> Mapping[str, InForce]:
        """By wrong file, the documents in force in place of its text, as last read."""
        return {} if self._last is None else self._last.in_force

    def load(self) -> SourcesReading:
        """The current state, changed or not. ConfigError: there is no usable Site."""
        self.refresh()
        if self._last is not None:
            return self._last
        if self._trouble is not None:
            raise self._trouble
        # The Site's errors first: the others alone would not stop a router.
        errors = self._acceptance.errors()
        for error in sorted(errors, key=lambda e: not e.source.startswith("config/site-")):
            raise error
        raise ConfigError(
            str(self._site_dir / "config"),
            "",
            "no Site document",
            hint="Make a site with: sitectl init",
            code="SW0109",
        )

    def refresh(self) -> SourcesReading | None:
        """The state if it or its errors changed since the last call, else None. Blocks on files."""
        before, left_out = self._trouble, str(self._left_out)
        if not 0 <= self._wall() - self._all_read_at < limits.CONFIG_READ_ALL_S:
            self._marks.clear()
            self._all_read_at = self._wall()
        try:
            names, contents = self._contents()
        except OSError as error:
            self._trouble = unreadable("config", error)
            return None if str(before) == str(self._trouble) else self._settle([])
        self._trouble = None
        changed = {
            name
            for name, content in contents.items()
            if self._digests.get(name) != _digest(content)
        }
        known = changed & self._digests.keys()
        emptied = {name for name in known if _is_empty(contents[name])} - self._emptied
        changed -= emptied
        self._emptied = emptied
        for name in emptied:
            self._marks.pop(name, None)
        gone = self._digests.keys() - names
        same = before is None and left_out == str(self._left_out)
        if same and not changed and not gone:
            return None
        for name in gone:
            del self._digests[name]
            self._acceptance.drop(name)
        for name in changed:
            self._take(name, contents[name])
        return self._settle(self._acceptance.accept())

    async def load_again(self) -> SourcesReading:
        """The current state, after a canceled `watch`."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.load)

    def poke(self) -> None:
        """Check all files now, not at the next poll: after SIGHUP or a command."""
        self._all_read_at = float("-inf")
        self.wake()

    def wake(self) -> None:
        """Wake `next_change` at once."""
        self._poked.set()

    def next_change(self, interval_s: float, ended: threading.Event) -> SourcesReading | None:
        """Check each ``interval_s``, and when poked, until something differs; blocks.

        A poll may find a change by a command that pokes right afterwards and reports its author, so
        wait briefly for the poke before returning the change. None: ``ended`` was set before
        `wake`.
        """
        found: SourcesReading | None = None
        while True:
            now = time.monotonic() - _ASIDE * interval_s
            pause = pause_s(now, interval_s) if found is None else limits.CONFIG_ORDER_S
            if is_poked := self._poked.wait(pause):
                # Only if poked, or a poke that comes right now is lost.
                self._poked.clear()
            if ended.is_set():
                return None
            is_over = is_poked or found is not None
            found = self.refresh() or found
            if found is not None and is_over:
                return found

    async def changed(self, interval_s: float, ended: threading.Event) -> SourcesReading | None:
        """As `next_change`, in a thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self.next_change, interval_s, ended)

    def _contents(self) -> tuple[set[str], dict[str, bytes | OSError]]:
        """The names of all document files, and the content or read error of each that may have
        changed.

        Records an error for files beyond the bound."""
        config = f"{self._site_dir}/config"
        names = sorted(
            name
            for name in os.listdir(config)
            if name.endswith((".yaml", ".yml")) and not name.startswith(".")
        )
        self._left_out = None
        if left_out := names[limits.CONFIG_FILES_MAX :]:
            reason = f"holds {len(names)} files, of which {limits.CONFIG_FILES_MAX} are read"
            hint = f"Join documents in one file: those from {left_out[0]} on do not count"
            self._left_out = ConfigError("config", "", reason, hint=hint, code="SW0111")
        there: set[str] = set()
        contents: dict[str, bytes | OSError] = {}
        marks, self._marks = self._marks, {}
        for name in names[: limits.CONFIG_FILES_MAX]:
            path = f"{config}/{name}"
            try:
                mark = _mark(path)
                if marks.get(name) == mark:
                    self._marks[name] = mark
                    if not len(self._marks) % limits.CONFIG_LOOKS_AT_ONCE:
                        # Let the loop have the GIL.
                        time.sleep(limits.CONFIG_LOOK_PAUSE_S)
                else:
                    rests = _rests(mark, self._wall())
                    contents[name] = _read_file(path)
                    if rests:
                        self._marks[name] = mark
            except FileNotFoundError:
                # Removed since it was listed: as if it had never been there.
                continue
            except OSError as error:
                contents[name] = error
            there.add(name)
        return there, contents

    def _take(self, name: str, content: bytes | OSError) -> None:
        self._digests[name] = digest = _digest(content)
        if (before := self._before.get(name)) and before.digest == digest:
            self._acceptance.restore(name, before.documents)
        documents, errors = _documents(content, f"config/{name}")
        kept = self._acceptance.good(name) if errors else ()
        # If there is no older state to keep, use the correct documents.
        self._acceptance.take(name, () if kept else documents, errors, kept)

    def _settle(self, across: list[ConfigError]) -> SourcesReading | None:
        documents = self._acceptance.documents()
        wanted, remaining = self._acceptance.resolve(documents)
        if wanted is None:
            return None
        self._acceptance.served(documents)
        self._before = {}
        self.documents = tuple(documents)
        own = self._acceptance.errors()
        if self._last is not None and not (own or across or remaining):
            self._forgot = None
        others = (self._trouble, self._left_out, self._forgot)
        own += [error for error in others if error is not None]
        kept = {
            name: InForce(self._digests[name], good)
            for name, good in self._acceptance.in_force().items()
        }
        reading = news(self._last, wanted, (*own, *across, *remaining), kept)
        self._last = reading or self._last
        return reading


async def watch(
    directory: ConfigDirectory,
    changed: Callable[[Wanted, list[ConfigError]], None],
    *,
    interval_s: float = limits.CONFIG_POLL_S,
) -> None:
    """Call ``changed`` with each new state or set of errors, until canceled.

    `load` must have succeeded before; its result is not reported again.
    """
    ended = threading.Event()
    try:
        while True:
            reading = await directory.changed(interval_s, ended)
            if reading is not None:
                changed(reading.wanted, list(reading.errors))
    finally:
        ended.set()
        directory.wake()


_ASIDE = 0.1
"""A fraction of the interval: polls run so much after the ticks of the loop, which shares a lock
with the thread.
"""

_Mark = tuple[int, ...]


def _mark(path: str) -> _Mark:
    """The kernel's metadata of the file, or of a link's target."""
    at = os.stat(path)
    return at.st_dev, at.st_ino, at.st_size, at.st_mtime_ns, at.st_ctime_ns


def _rests(mark: _Mark, now: float) -> bool:
    """Whether any change after ``now`` will change the mark: the last one is old enough."""
    return mark[-1] / 1e9 <= now - limits.CONFIG_RESTS_S


def _read_file(path: str) -> bytes:
    """The file's bytes, at most one more than allowed. A pipe or device would block or never
    end."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        return file.read(limits.CONFIG_FILE_BYTES_MAX + 1)


def _is_empty(content: bytes | OSError) -> bool:
    return isinstance(content, bytes) and not content.strip()


def _digest(content: bytes | OSError) -> str:
    if isinstance(content, OSError):
        return f"unreadable {content.errno or 0}"
    return hashlib.sha256(content).hexdigest()


def _documents(content: bytes | OSError, source: str) -> tuple[list[Document], list[ConfigError]]:
    if isinstance(content, OSError):
        return [], [unreadable(source, content)]
    return read_bytes(content, source)


def _stored(path: Path) -> tuple[Mapping[str, InForce], ConfigError | None]:
    """The documents in force that a router stored for this start, by file, and the error if they
    cannot be read.
    """
    try:
        return in_force.decode(read_whole(path, limits.STATE_FILE_BYTES_MAX)), None
    except FileNotFoundError:
        return {}, None
    except CertError as error:
        reason = error.reason
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    except UNREADABLE_JSON as error:
        reason = f"is damaged: {error}"
    return {}, ConfigError(
        path.name,
        "",
        f"{reason}. So a document that was wrong at the start counts as nothing",
        hint="Correct the documents that are named; the router replaces this file",
        code="SW0110",
        severity="warning",
    )
