"""Names to addresses, in a few threads, with a deadline and the last good answer as a fallback.

A name that was good once stays usable: a caller gets a new answer if one comes at once, else the
last good one. A name that fails is queried again after a pause that doubles, not by every caller.
"""

import logging
import socket
import threading
from collections import deque
from collections.abc import Callable

from router.model.limits import (
    ADDRESS_SHUNNED_S,
    ADDRESSES_PER_NAME_MAX,
    RESOLVE_FRESH_S,
    RESOLVE_NAMES_MAX,
    RESOLVE_RETRY_MAX_S,
    RESOLVE_RETRY_MIN_S,
    RESOLVE_STALE_AFTER_S,
    RESOLVE_THREADS,
    RESOLVE_TIMEOUT_S,
)
from router.net.poller import Poller
from router.net.ports import Timer
from router.net.sockets import in_turn, is_numeric, unmapped_ipv4
from router.net.threads import Threads

_LOG = logging.getLogger(__name__)

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


class _Name:
    """The state of a name. ``addresses`` is the last good answer, empty: there was none."""

    __slots__ = ("addresses", "failing_since", "good_until", "peers", "retry_s", "shunned", "turn")

    def __init__(self) -> None:
        self.addresses: tuple[str, ...] = ()
        self.peers: frozenset[str] = frozenset()  # The same in the form that sockets report.
        self.shunned: dict[str, float] = {}  # Failed addresses, and until when each is avoided.
        self.turn = 0
        self.good_until = 0.0  # No new query before then.
        self.retry_s = 0.0
        self.failing_since: float | None = None

    def answered(self, addresses: tuple[str, ...], now: float) -> None:
        self.addresses = addresses
        self.peers = frozenset(map(unmapped_ipv4, addresses))
        self.good_until = now + RESOLVE_FRESH_S
        self.retry_s = 0.0
        self.failing_since = None

    def failed(self, now: float) -> None:
        self.retry_s = min(max(2 * self.retry_s, RESOLVE_RETRY_MIN_S), RESOLVE_RETRY_MAX_S)
        self.good_until = now + self.retry_s
        if self.failing_since is None:
            self.failing_since = now

    def next_addresses(self, now: float) -> tuple[str, ...]:
        """The addresses of the next dial, in order."""
        self.turn += 1
        if not self.shunned:
            return in_turn(self.addresses, self.turn - 1)
        shunned = self.shunned = {one: at for one, at in self.shunned.items() if now < at}
        good = tuple(address for address in self.addresses if address not in shunned)
        rest = (address for address in self.addresses if address in shunned)
        return (*in_turn(good, self.turn - 1), *rest)


class Resolver:
    """Answers come in the network's turn, never from `resolve` itself; no addresses: no answer.

    Many callers of one name share one look-up, and its addresses in turn. A look-up cannot be
    interrupted: its callers leave at the deadline, and its thread stays busy with it.
    """

    def __init__(self, poller: Poller, lookup: Lookup = system_lookup) -> None:
        self._poller = poller
        self._lookup = lookup
        self._known: dict[str, _Name] = {}
        self._asked: dict[str, list[Question]] = {}
        self._answers: deque[tuple[str, tuple[str, ...]]] = deque()
        self._threads = Threads(RESOLVE_THREADS, "resolver")
        self._lock = threading.Lock()  # Between a thread's wake-up and our closing.
        self._closed = False

    def resolve(self, name: str, done: Resolved) -> Question:
        """Resolve ``name``; ``done`` is called once within RESOLVE_TIMEOUT_S unless cancelled."""
        question = Question(done)
        now = self._poller.now()
        if is_numeric(name):
            question.timer = self._poller.call_at(now, lambda: question.answer((name,)))
            return question
        known = self._known.get(name)
        if known is not None and now < known.good_until:
            addresses = known.next_addresses(now)
            question.timer = self._poller.call_at(now, lambda: question.answer(addresses))
            return question
        waiting = self._asked.get(name)
        if waiting is None and len(self._asked) >= RESOLVE_NAMES_MAX:
            question.timer = self._poller.call_at(now, lambda: self._give_up(name, question))
            return question
        is_usable = known is not None and known.addresses
        patience_s = RESOLVE_STALE_AFTER_S if is_usable else RESOLVE_TIMEOUT_S
        question.timer = self._poller.call_at(
            now + patience_s, lambda: self._give_up(name, question)
        )
        if waiting is not None:
            waiting[:] = [other for other in waiting if other.done is not None]
            waiting.append(question)
        else:
            self._asked[name] = [question]
            self._threads.submit(self._look_up, name)
        return question

    def answer_all(self) -> None:
        """Hand out the answers that have come; called in the turn."""
        while self._answers:
            name, addresses = self._answers.popleft()
            known, now = self._name(name), self._poller.now()
            if addresses:
                known.answered(addresses, now)
            else:
                known.failed(now)
            for question in self._asked.pop(name, ()):
                question.answer(known.next_addresses(now))

    def shun(self, name: str, address: str) -> None:
        """A dial of ``name`` found that ``address`` takes no connection: try others first for
        now."""
        known = self._known.get(name)
        if known is not None and len(known.addresses) > 1 and address in known.addresses:
            known.shunned[address] = self._poller.now() + ADDRESS_SHUNNED_S

    def is_current(self, name: str, address: str) -> bool:
        """Whether ``address`` is in the last good answer for ``name``; True: there is no answer."""
        known = self._known.get(name)
        return known is None or not known.addresses or address in known.peers

    def unresolved_s(self, name: str) -> float | None:
        """How long the name has not been resolved while its last good answer is used."""
        known = self._known.get(name)
        if known is None or known.failing_since is None or not known.addresses:
            return None
        return self._poller.now() - known.failing_since

    def trouble(self, name: str) -> str:
        """A human-readable remark on an address that comes from here; usually empty."""
        seconds = self.unresolved_s(name)
        if seconds is None:
            return ""
        return f", an address of before: the name has not been resolved for {seconds:.0f} s"

    def close(self) -> None:
        with self._lock:
            self._closed = True
        self._threads.shutdown()

    def _name(self, name: str) -> _Name:
        known = self._known.pop(name, None) or _Name()
        if len(self._known) >= RESOLVE_NAMES_MAX:
            del self._known[next(iter(self._known))]  # The oldest answer.
        self._known[name] = known
        return known

    def _give_up(self, name: str, question: Question) -> None:
        """No answer in time: use the last good one, for the next callers too."""
        known = self._known.get(name)
        if known is None:
            question.answer(())
            return
        now = self._poller.now()
        if now >= known.good_until:
            known.failed(now)
        question.answer(known.next_addresses(now))

    def _look_up(self, name: str) -> None:
        try:
            answer = self._lookup(name)
        except Exception:  # No memory was left, perhaps. The name can be asked for again.
            _LOG.exception("a name could not be looked up")
            answer = ()
        with self._lock:
            if not self._closed:
                self._answers.append((name, answer))
                self._poller.wake()
