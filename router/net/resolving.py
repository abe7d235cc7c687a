"""Names to addresses, in a few threads, with a deadline and the last good answer as a fallback."""

import socket
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue

from router.model.limits import (
    ADDRESSES_PER_NAME_MAX,
    RESOLVE_FRESH_S,
    RESOLVE_NAMES_MAX,
    RESOLVE_THREADS,
    RESOLVE_TIMEOUT_S,
)
from router.net.poller import Poller
from router.net.ports import Timer

Resolved = Callable[[tuple[str, ...]], None]
Lookup = Callable[[str], tuple[str, ...]]


def system_lookup(name: str) -> tuple[str, ...]:
    """Numeric addresses of ``name`` in the system's order of preference; empty: none. Blocks."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))[:ADDRESSES_PER_NAME_MAX]


class Question:
    """One waiting caller."""

    __slots__ = ("done", "timer")

    def __init__(self, done: Resolved) -> None:
        self.done: Resolved | None = done
        self.timer: Timer | None = None

    def cancel(self) -> None:
        self.done = None
        if self.timer is not None:
            self.timer.cancel()

    def answer(self, addresses: tuple[str, ...]) -> None:
        done = self.done
        self.cancel()
        if done is not None:
            done(addresses)


class Resolver:
    """Answers come in the network's turn, never from `resolve` itself; no addresses: no answer.

    Many callers of one name share one look-up. A look-up cannot be cut short: its callers leave
    at the deadline, its thread stays with it.
    """

    def __init__(self, poller: Poller, lookup: Lookup = system_lookup) -> None:
        self._poller = poller
        self._lookup = lookup
        self._known: dict[str, tuple[float, tuple[str, ...]]] = {}
        self._asked: dict[str, list[Question]] = {}
        self._work: SimpleQueue[str | None] = SimpleQueue()
        self._answers: deque[tuple[str, tuple[str, ...]]] = deque()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()  # Between a thread's wake-up and our closing.
        self._closed = False

    def resolve(self, name: str, done: Resolved) -> Question:
        """Ask for ``name``; ``done`` is called once within RESOLVE_TIMEOUT_S unless cancelled."""
        question = Question(done)
        now = self._poller.now()
        known = self._known.get(name)
        if known is not None and now - known[0] < RESOLVE_FRESH_S:
            addresses = known[1]
            question.timer = self._poller.call_at(now, lambda: question.answer(addresses))
            return question
        waiting = self._asked.get(name)
        if waiting is None and len(self._asked) >= RESOLVE_NAMES_MAX:
            question.timer = self._poller.call_at(now, lambda: self._give_up(name, question))
            return question
        question.timer = self._poller.call_at(
            now + RESOLVE_TIMEOUT_S, lambda: self._give_up(name, question)
        )
        if waiting is not None:
            waiting[:] = [other for other in waiting if other.done is not None]
            waiting.append(question)
        else:
            self._asked[name] = [question]
            self._start_thread()
            self._work.put(name)
        return question

    def answer_all(self) -> None:
        """Hand out the answers that have come; called in the turn."""
        while self._answers:
            name, addresses = self._answers.popleft()
            if addresses:
                self._remember(name, addresses)
            elif name in self._known:
                addresses = self._known[name][1]
            for question in self._asked.pop(name, ()):
                question.answer(addresses)

    def close(self) -> None:
        with self._lock:
            self._closed = True
        for _ in self._threads:
            self._work.put(None)

    def _remember(self, name: str, addresses: tuple[str, ...]) -> None:
        self._known.pop(name, None)
        if len(self._known) >= RESOLVE_NAMES_MAX:
            del self._known[next(iter(self._known))]  # The oldest answer.
        self._known[name] = (self._poller.now(), addresses)

    def _give_up(self, name: str, question: Question) -> None:
        known = self._known.get(name)
        question.answer(known[1] if known is not None else ())

    def _start_thread(self) -> None:
        if len(self._threads) < min(RESOLVE_THREADS, len(self._asked)):
            # A daemon: one that hangs in a look-up must not keep the process from ending.
            thread = threading.Thread(target=self._run, name="resolver", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self) -> None:
        while (name := self._work.get()) is not None:
            answer = self._lookup(name)
            with self._lock:
                if self._closed:
                    return
                self._answers.append((name, answer))
                self._poller.wake()
