"""The fair queue against a plain list of those who wait, one link of them a liar's."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from router.balance.site.waiting_room import LOCAL_LINK, FairQueue, WaitingPlace
from router.model.ids import SiteId
from tests.examples import examples

LIAR = SiteId("liar")
LINES = [
    WaitingPlace(LOCAL_LINK, SiteId("here")),
    *(WaitingPlace(SiteId(link), SiteId(ingress)) for link, ingress in ("aa", "ab", "cc")),
]
LINKS = sorted({one.link for one in LINES})


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
        # How often each line with somebody to serve was passed over since its last turn.
        self.passed_over: dict[WaitingPlace, int] = {}

    def of_link(self, link: SiteId) -> int:
        return sum(one.line.link == link for one in self.waiting)

    def of_line(self, line: WaitingPlace) -> int:
        return sum(one.line == line for one in self.waiting)

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
        links = [self.of_link(one.line.link) for one in self.waiting]
        assert self.of_link(line.link) == max(links)
        mates = [self.of_line(one.line) for one in self.waiting if one.line.link == line.link]
        assert self.of_line(line) == max(mates)

    def check_displaced(self, line: WaitingPlace, displaced: Item) -> None:
        """The last of the longest: its link has most, its line most of that link."""
        link = displaced.line.link
        assert self.of_link(link) == max(self.of_link(one.line.link) for one in self.waiting)
        mates = [one.line for one in self.waiting if one.line.link == link]
        assert self.of_line(displaced.line) == max(map(self.of_line, mates))
        assert displaced is [one for one in self.waiting if one.line == displaced.line][-1]
        if line.link == link:
            assert self.of_line(line) < self.of_line(displaced.line)
        elif self.of_link(line.link) == self.of_link(link):
            raise AssertionError("its link is as long")

    @rule(line=st.sampled_from(LINES), wait_s=st.floats(0.0, 3.0))
    def push(self, line: WaitingPlace, wait_s: float) -> None:
        self.ask(line, wait_s)

    @rule(count=st.integers(1, 12), claims=st.sampled_from(["liar", "here", "a", "other"]))
    def lie(self, count: int, claims: str) -> None:
        """As many as it can, of one claimed ingress or each of another one."""
        honest = {link: self.of_link(link) for link in LINKS}
        for _ in range(count):
            self.lies += 1
            ingress = f"{self.lies}" if claims == "other" else claims
            self.ask(WaitingPlace(LIAR, SiteId(ingress)), 2.0)
        for link, before in honest.items():
            # Nobody loses a place to a line that is longer, or to one that becomes longer so.
            assert self.of_link(link) >= min(before, self.limit // (len(LINKS) + 1))

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
                assert self.passed_over[line] <= (len(LINKS) + 1) * mates, "a line missed its turn"
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
        assert self.queue.longest == max(
            (self.of_link(one.line.link) for one in self.waiting), default=0
        )
        for line in LINES:
            waiting = self.of_line(line)
            assert self.queue.waiting_of(line) == waiting
            if not waiting:
                self.passed_over[line] = 0


TestFairQueue = QueueMachine.TestCase
TestFairQueue.settings = settings(max_examples=examples(200), stateful_step_count=40)
