"""The fair queue against a plain list of those who wait, some links of them a liar's."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from router.balance.site.fair_queue import LOCAL_LINK, FairQueue, WaitingPlace
from router.model.ids import SiteId
from tests.examples import examples

LIAR, LIARS = "liar", [SiteId("liar-1"), SiteId("liar-2"), SiteId("liar-3")]
LINES = [
    WaitingPlace(LOCAL_LINK, SiteId("here")),
    *(WaitingPlace(SiteId(link), SiteId(ingress)) for link, ingress in ("aa", "ab", "cc")),
]
HOLDERS = sorted({one.link for one in LINES})  # Each link of them answers for itself.


def names(line: WaitingPlace) -> tuple[str, ...]:
    """Those who take turns: of each in the one before it."""
    return line.holder or line.link, line.link, line.ingress


class Item:
    def __init__(self, line: WaitingPlace, deadline: float) -> None:
        self.line, self.deadline = line, deadline


class QueueMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.limit = 6
        self.queue: FairQueue[Item] = FairQueue(self.limit)
        self.waiting: list[Item] = []
        self.lies = 0
        self.now = 0.0
        # How often each line with a request to serve was passed over since its last turn.
        self.passed_over: dict[WaitingPlace, int] = {}

    def of(self, *where: str) -> int:
        """How many wait there, the holder first."""
        return sum(names(one.line)[: len(where)] == where for one in self.waiting)

    def longest(self, *where: str) -> int:
        """Of the lines within that."""
        depth = len(where)
        inner = {names(one.line)[: depth + 1] for one in self.waiting}
        return max((self.of(*one) for one in inner if one[:depth] == where), default=0)

    def ask(self, line: WaitingPlace, wait_s: float) -> None:
        """As `service.admission` does it."""
        queue, item = self.queue, Item(line, self.now + wait_s)
        before = len(self.waiting)
        if queue.is_full:
            displaced = queue.displace(line)
            if displaced is None:
                self.check_refused(line)
                return
            self.check_displaced(line, displaced)
            self.waiting.remove(displaced)
        queue.push(line, item, item.deadline)
        self.waiting.append(item)
        assert len(self.waiting) <= max(self.limit, before)

    def check_refused(self, line: WaitingPlace) -> None:
        """No line is longer."""
        if not self.limit:
            return
        where = names(line)
        for depth in range(len(where)):
            assert self.of(*where[: depth + 1]) == self.longest(*where[:depth])

    def check_displaced(self, line: WaitingPlace, displaced: Item) -> None:
        """The last of the longest: its holder has most, its link most of that, and its line."""
        there, here = names(displaced.line), names(line)
        for depth in range(len(there)):
            assert self.of(*there[: depth + 1]) == self.longest(*there[:depth])
        assert displaced is [one for one in self.waiting if one.line == displaced.line][-1]
        parts = next(n for n, (a, b) in enumerate(zip(here, there, strict=True)) if a != b) + 1
        assert self.of(*here[:parts]) < self.of(*there[:parts])

    @rule(line=st.sampled_from(LINES), wait_s=st.floats(0.0, 3.0))
    def push(self, line: WaitingPlace, wait_s: float) -> None:
        self.ask(line, wait_s)

    @rule(count=st.integers(1, 12), claims=st.sampled_from(["liar", "here", "a", "other"]))
    def lie(self, count: int, claims: str) -> None:
        """As many as it can over all its links, of one claimed ingress or each of another one."""
        honest = {holder: self.of(holder) for holder in HOLDERS}
        for _ in range(count):
            self.lies += 1
            ingress = f"{self.lies}" if claims == "other" else claims
            link = LIARS[self.lies % len(LIARS)]
            self.ask(WaitingPlace(link, SiteId(ingress), holder=LIAR), 2.0)
        for holder, before in honest.items():
            # No request loses its place to a line that is longer, or that becomes longer by it.
            assert self.of(holder) >= min(before, self.limit // (len(HOLDERS) + 1))

    @rule()
    def pop(self) -> None:
        good = [one for one in self.waiting if one.deadline > self.now]
        item = self.queue.pop(self.now)
        if item is None:
            assert not good, "somebody waits and was not served"
            return
        assert item is next(one for one in good if one.line == item.line), "not in order"
        for line in LINES:
            if line in {one.line for one in good} - {item.line}:
                self.passed_over[line] = self.passed_over.get(line, 0) + 1
                mates = sum(one.link == line.link for one in LINES)
                assert self.passed_over[line] <= (len(HOLDERS) + 1) * mates, (
                    "a line missed its turn"
                )
        self.passed_over[item.line] = 0
        self.waiting.remove(item)

    @rule(which=st.integers(0, 99))
    def leave(self, which: int) -> None:
        if self.waiting:
            item = self.waiting[which % len(self.waiting)]
            assert self.queue.discard(item)
            self.waiting.remove(item)
            assert not self.queue.discard(item)

    @rule(passes_s=st.floats(0.0, 2.0))
    def expire(self, passes_s: float) -> None:
        self.now += passes_s
        expired = self.queue.expire(self.now)
        late = [one for one in self.waiting if one.deadline <= self.now]
        assert set(expired) == set(late)
        deadlines = [one.deadline for one in expired]
        assert deadlines == sorted(deadlines)
        self.waiting = [one for one in self.waiting if one not in expired]

    @rule(passes_s=st.floats(0.0, 2.0))
    def time_passes(self, passes_s: float) -> None:
        self.now += passes_s

    @rule(limit=st.integers(0, 8))
    def change_limit(self, limit: int) -> None:
        self.limit = limit
        self.queue.set_limit(limit)

    @invariant()
    def nobody_is_lost(self) -> None:
        assert len(self.queue) == len(self.waiting)
        assert set(self.queue.items) == set(self.waiting)
        deadlines = [one.deadline for one in self.waiting]
        assert self.queue.next_deadline() == (min(deadlines) if deadlines else None)
        assert self.queue.longest == self.longest()
        for line in LINES:
            waiting = self.of(*names(line))
            assert self.queue.waiting_of(line) == waiting
            if not waiting:
                self.passed_over[line] = 0


TestFairQueue = QueueMachine.TestCase
TestFairQueue.settings = settings(max_examples=examples(200), stateful_step_count=40)
