"""The fair queue against a plain list of those who wait."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from router.balance.waiting import FairQueue
from router.model.ids import SiteId

SITES = st.sampled_from([SiteId(name) for name in "abc"])


class QueueMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.limit = 6
        self.queue: FairQueue[int] = FairQueue(self.limit)
        self.waiting: list[tuple[int, SiteId, float]] = []
        self.pushes = 0
        self.now = 0.0
        # How often each site with somebody to serve was passed over since its last turn.
        self.passed_over: dict[SiteId, int] = {}

    def drop(self, item: int) -> None:
        self.waiting = [one for one in self.waiting if one[0] != item]

    @rule(ingress=SITES, wait_s=st.floats(0.0, 3.0))
    def push(self, ingress: SiteId, wait_s: float) -> None:
        self.pushes += 1
        accepted = self.queue.push(ingress, self.pushes, self.now + wait_s)
        assert accepted == (len(self.waiting) < self.limit)
        if accepted:
            self.waiting.append((self.pushes, ingress, self.now + wait_s))

    @rule()
    def pop(self) -> None:
        good = [one for one in self.waiting if one[2] > self.now]
        item = self.queue.pop(self.now)
        if item is None:
            assert not good, "somebody waits and was not served"
            return
        served = next(one for one in good if one[0] == item)
        assert served == next(one for one in good if one[1] == served[1]), "not in order"
        for site in {one[1] for one in good} - {served[1]}:
            self.passed_over[site] = self.passed_over.get(site, 0) + 1
            assert self.passed_over[site] <= 2, "a site missed its turn"
        self.passed_over[served[1]] = 0
        self.drop(item)

    @rule(which=st.integers(0, 99))
    def leave(self, which: int) -> None:
        if self.waiting:
            item = self.waiting[which % len(self.waiting)][0]
            assert self.queue.discard(item)
            self.drop(item)
            assert not self.queue.discard(item)

    @rule(passes_s=st.floats(0.0, 2.0))
    def expire(self, passes_s: float) -> None:
        self.now += passes_s
        expired = self.queue.expire(self.now)
        late = {one[0]: one[2] for one in self.waiting if one[2] <= self.now}
        assert set(expired) == set(late)
        assert [late[item] for item in expired] == sorted(late.values())
        for item in expired:
            self.drop(item)

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
        deadlines = [one[2] for one in self.waiting]
        assert self.queue.next_deadline() == (min(deadlines) if deadlines else None)
        for name in "abc":
            site = SiteId(name)
            waiting = sum(one[1] == site for one in self.waiting)
            assert self.queue.waiting_of(site) == waiting
            if not waiting:
                self.passed_over[site] = 0


TestFairQueue = QueueMachine.TestCase
TestFairQueue.settings = settings(max_examples=150, stateful_step_count=40)
