"""Faults that a test injects, and the record of all requests."""

import itertools
from collections import Counter

import msgspec

from tests.kubernetes import failures
from tests.kubernetes.rbac import no_right
from tests.kubernetes.requests import Wanted


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One request that was answered (``code`` 0: it was cut off)."""

    user: str
    wanted: Wanted
    code: int
    agent: str = ""


class Fault(msgspec.Struct, kw_only=True):
    """What happens to requests that match. Empty words match everything.

    ``code`` 0: no refusal; ``refusal``: in these words instead. ``times`` counts down; -1: until
    cleared. ``cut``: ``before`` the request is carried out or ``after``, when only the answer is
    lost.
    """

    code: int = 0
    refusal: failures.Failure | None = None
    retry_after_s: int = 0
    delay_s: float = 0.0
    cut: str = ""
    verb: str = ""
    kind: str = ""
    user: str = ""
    namespace: str = ""
    name: str = ""
    times: int = -1

    def concerns(self, user: str, wanted: Wanted) -> bool:
        """Whether it hits this request."""
        writes = wanted.is_write
        return (
            self.times != 0
            and (self.verb in ("", wanted.verb) or (self.verb == "write" and writes))
            and self.kind in ("", wanted.resource.kind)
            and self.user in ("", user)
            and self.namespace in ("", wanted.namespace)
            and self.name in ("", wanted.name)
        )

    def refuse(self, user: str, wanted: Wanted) -> None:
        """Raise what the server would answer, if it refuses."""
        if self.refusal is not None:
            raise self.refusal
        resource, name = wanted.resource, wanted.name
        match self.code:
            case 0:
                return
            case 403:
                raise no_right(user, wanted)
            case 409:
                raise failures.conflict(resource, name)
            case 429:
                raise failures.too_many_requests(self.retry_after_s)
            case 500:
                raise failures.internal_error("etcdserver: leader changed")
            case 503:
                raise failures.unavailable()
        raise AssertionError(f"in which words is {self.code} answered?")


class Faults:
    """Switches. Set them from any thread; they hold for requests that arrive later.

    ``watches_gone_as_http``: a watch from a compacted version gets HTTP 410 and not an ERROR event.
    ``bookmark_interval_s``: how often watches that allow bookmarks get one.
    """

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.watches_gone_as_http = False
        self.watches_are_silent = False
        self.bookmark_interval_s = 60.0
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        """Let it happen."""
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """All is well again."""
        self._faults.clear()
        self.watches_are_silent = False
        self.watches_gone_as_http = False

    def hit(self, user: str, wanted: Wanted) -> Fault | None:
        """The first fault that concerns a request; it is used up once."""
        for fault in self._faults:
            if fault.concerns(user, wanted):
                fault.times -= 1 if fault.times > 0 else 0
                return fault
        return None

    def count(
        self, *, verb: str = "", kind: str = "", user: str = "", name: str = "", since: int = 0
    ) -> int:
        """Requests that were answered; ``verb`` write: all that change something.

        ``since`` is an earlier ``len(seen)``.
        """
        probe = Fault(verb=verb, kind=kind, user=user, name=name)
        later = itertools.islice(self.seen, since, None)
        return sum(1 for each in later if probe.concerns(each.user, each.wanted))

    def by_verb(self, since: int = 0) -> Counter[tuple[str, str, str]]:
        """How often each (user, verb, kind) was asked, for messages of tests."""
        later = itertools.islice(self.seen, since, None)
        return Counter((each.user, each.wanted.verb, each.wanted.resource.kind) for each in later)
