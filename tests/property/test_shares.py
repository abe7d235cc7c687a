"""Routers that come, go, die and are cut off never give out more than configured in total."""

from dataclasses import dataclass, field, replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from router.balance.sites.heard_lives import HeardLives
from router.balance.sites.shares import Shares
from router.model.messages.shares import SharesMessage
from tests.examples import examples

STATED = 7
"""Slots of the one thing that is divided."""


@dataclass
class Pod:
    """One router as the list of routers shows it. ``ended``: when its last life ended."""

    age: int
    ended: int = 0
    is_running: bool = False
    is_ready: bool = False


@dataclass
class Process:
    """A router that runs."""

    shares: Shares
    life: int
    lives: HeardLives = field(default_factory=HeardLives)
    in_flight: int = 0
    seen: int = -1
    ends: bool = False

    def end(self) -> None:
        self.ends = True
        self.shares.end()

    def hear(self, said: SharesMessage) -> None:
        self.lives.hear(said)
        self.shares.hear(said)


def share_of(
    own: str, listed: dict[str, Pod], over: dict[str, int]
) -> tuple[str, int, set[str], dict[str, float]]:
    """How ``own`` divides: the name of that, its share, who may hold slots, who not."""
    pods = {name: pod for name, pod in listed.items() if name not in over}
    running = [name for name in sorted(pods, key=lambda n: pods[n].age) if pods[name].is_running]
    order = [name for name in running if pods[name].is_ready] or running or [own]
    others = {
        name
        for name, pod in pods.items()
        if name != own and (pod.is_running or pod.age < pods[own].age)
    }
    share = 0
    if own in order:
        at = order.index(own)
        share = STATED // len(order) + (at < STATED % len(order))
    down: dict[str, float] = {
        name: pod.ended for name, pod in pods.items() if name not in {own, *others}
    }
    down |= {name: life + 1 for name, life in over.items()}
    return ",".join(order), share, others, down


@dataclass
class Site:
    """All that is true, and what the list of routers showed at each time."""

    pods: dict[str, Pod] = field(default_factory=dict)
    lists: list[dict[str, Pod]] = field(default_factory=lambda: [{}])
    processes: dict[str, Process] = field(default_factory=dict)
    lives: int = 0
    sent: list[tuple[str, SharesMessage]] = field(default_factory=list)

    def tell(self) -> None:
        """The list shows what holds now."""
        self.lists.append({name: replace(pod) for name, pod in self.pods.items()})

    def look(self, name: str, at: int) -> None:
        """Router ``name`` has seen the list as of ``at``; it never goes back."""
        process = self.processes[name]
        process.seen = max(process.seen, at)
        pods = self.lists[process.seen]
        if name in pods:
            division, share, others, down = share_of(name, pods, process.lives.over)
            process.shares.see(division, others, {"slots": share}, down)

    def say(self, name: str, to: str) -> SharesMessage:
        process = self.processes[name]
        return process.shares.message_to(to, {"slots": process.in_flight})


NUMBERS = st.integers(0, 10**6)


class Life(RuleBasedStateMachine):
    """Anything may happen in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.site = Site()
        self.made = 0
        self.ended: dict[str, int] = {}

    def _pick(self, number: int, names: list[str]) -> str:
        return sorted(names)[number % len(names)]

    @precondition(lambda self: len(self.site.pods) < 4)
    @rule()
    def pod_is_made(self) -> None:
        self.made += 1
        self.site.pods[f"r{self.made}"] = Pod(self.made)
        self.site.tell()

    @precondition(lambda self: self.site.pods.keys() - self.site.processes.keys())
    @rule(number=NUMBERS)
    def process_starts(self, number: int) -> None:
        name = self._pick(number, list(self.site.pods.keys() - self.site.processes.keys()))
        self.site.lives += 1
        self.site.processes[name] = Process(Shares(name, self.site.lives), self.site.lives)
        self.site.look(name, len(self.site.lists) - 1)

    @precondition(lambda self: self.site.processes)
    @rule(number=NUMBERS, is_ready=st.booleans())
    def list_shows_it_running(self, number: int, is_ready: bool) -> None:
        pod = self.site.pods[self._pick(number, list(self.site.processes))]
        pod.is_running, pod.is_ready = True, is_ready
        self.site.tell()

    @precondition(lambda self: self.site.processes)
    @rule(number=NUMBERS)
    def process_dies(self, number: int) -> None:
        name = self._pick(number, list(self.site.processes))
        self.ended[name] = self.site.processes.pop(name).life + 1

    @precondition(lambda self: self.site.pods.keys() - self.site.processes.keys())
    @rule(number=NUMBERS, goes=st.booleans())
    def list_shows_it_dead(self, number: int, goes: bool) -> None:
        name = self._pick(number, list(self.site.pods.keys() - self.site.processes.keys()))
        if goes:
            del self.site.pods[name]
        else:
            self.site.pods[name] = Pod(self.site.pods[name].age, self.ended.get(name, 0))
        self.site.tell()

    @precondition(lambda self: self.site.processes)
    @rule(number=NUMBERS, behind=st.integers(0, 2))
    def router_looks(self, number: int, behind: int) -> None:
        name = self._pick(number, list(self.site.processes))
        self.site.look(name, max(0, len(self.site.lists) - 1 - behind))

    @precondition(lambda self: len(self.site.processes) > 1)
    @rule(number=NUMBERS, to=NUMBERS)
    def router_speaks(self, number: int, to: int) -> None:
        name = self._pick(number, list(self.site.processes))
        other = self._pick(to, list(self.site.processes.keys() - {name}))
        self.site.sent.append((other, self.site.say(name, other)))

    @precondition(lambda self: self.site.sent)
    @rule(number=NUMBERS, keeps=st.booleans(), arrives=st.booleans())
    def message_moves(self, number: int, keeps: bool, arrives: bool) -> None:
        at = number % len(self.site.sent)
        to, said = self.site.sent[at]
        if not keeps:
            del self.site.sent[at]
        if arrives and to in self.site.processes:
            self.site.processes[to].hear(said)

    @precondition(lambda self: len(self.site.processes) > 1)
    @rule(times=st.integers(1, 3))
    def all_speak_and_hear(self, times: int) -> None:
        self._talk(times)

    @precondition(lambda self: self.site.processes)
    @rule(number=NUMBERS)
    def router_fills_up(self, number: int) -> None:
        process = self.site.processes[self._pick(number, list(self.site.processes))]
        process.in_flight = max(process.in_flight, process.shares.limit("slots"))

    @precondition(lambda self: self.site.processes)
    @rule(number=NUMBERS, left=st.integers(0, 3))
    def requests_end(self, number: int, left: int) -> None:
        process = self.site.processes[self._pick(number, list(self.site.processes))]
        process.in_flight = min(process.in_flight, left)

    @precondition(lambda self: self.site.processes)
    @rule(number=NUMBERS)
    def router_ends_and_says_so_when_it_is_idle(self, number: int) -> None:
        self.site.processes[self._pick(number, list(self.site.processes))].end()

    def _talk(self, times: int) -> None:
        for _ in range(times):
            for name in sorted(self.site.processes):
                for other in sorted(self.site.processes.keys() - {name}):
                    self.site.processes[other].hear(self.site.say(name, other))

    @invariant()
    def no_more_than_is_stated(self) -> None:
        each = self.site.processes.values()
        held = sum(max(one.in_flight, one.shares.limit("slots")) for one in each)
        assert held <= STATED

    def teardown(self) -> None:
        """All is quiet: everything is given out, once two messages each have arrived."""
        site = self.site
        for name, pod in site.pods.items():
            pod.is_running = pod.is_ready = name in site.processes
        site.tell()
        for name, process in site.processes.items():
            site.look(name, len(site.lists) - 1)
            process.in_flight = 0
        for name in site.pods.keys() - site.processes.keys():
            del site.pods[name]
        site.tell()
        self._settle()
        for name in [name for name, process in site.processes.items() if process.ends]:
            assert site.processes.pop(name).shares.limit("slots") == 0
            del site.pods[name]
        if site.processes:
            limits = [one.shares.limit("slots") for one in site.processes.values()]
            assert sum(limits) == STATED
            assert max(limits) - min(limits) <= 1
        site.tell()
        if len(site.processes) > 1:
            self._one_says_that_it_is_over_and_starts_again()
            self._one_leaves_with_all_that_it_has_in_use()

    def _settle(self) -> None:
        """All see the newest list, and agree; also after one of them said that it is over."""
        for _ in range(2):
            for name in self.site.processes:
                self.site.look(name, len(self.site.lists) - 1)
            self._talk(3)

    def _one_says_that_it_is_over_and_starts_again(self) -> None:
        """The others have its share once it is idle, while the list still shows it running."""
        site = self.site
        name = self._pick(self.made, list(site.processes))
        going = site.processes[name]
        going.in_flight = going.shares.limit("slots")
        going.end()
        self._settle()
        self.no_more_than_is_stated()
        going.in_flight = 0
        self._settle()
        rest = [one.shares for each, one in site.processes.items() if each != name]
        assert sum(one.limit("slots") for one in rest) == STATED
        assert all(one.is_whole for one in rest)
        site.lives += 1
        site.processes[name] = Process(Shares(name, site.lives), site.lives)
        site.look(name, len(site.lists) - 1)
        self.no_more_than_is_stated()
        self._settle()
        assert all(one.shares.is_whole for one in site.processes.values())

    def _one_leaves_with_all_that_it_has_in_use(self) -> None:
        """It has no share from then on; the others get its slots in use when it is gone."""
        site = self.site
        name = self._pick(self.made, list(site.processes))
        going = site.processes[name]
        going.in_flight = going.shares.limit("slots")
        site.pods[name].is_ready = False
        site.tell()
        for each in site.processes:
            site.look(each, len(site.lists) - 1)
        self._talk(3)
        self.no_more_than_is_stated()
        stay = [one.shares for each, one in site.processes.items() if each != name]
        assert sum(one.limit("slots") for one in stay) >= STATED - going.in_flight * len(stay)
        del site.processes[name], site.pods[name]
        site.tell()
        for each in site.processes:
            site.look(each, len(site.lists) - 1)
        assert sum(one.limit("slots") for one in stay) == STATED
        assert all(one.is_whole for one in stay)


def test_a_router_that_restarted_faster_than_the_news_of_its_end_is_waited_for() -> None:
    """It was given a larger share; then comes the news that it is down."""
    life = Life()
    for _ in range(2):
        life.pod_is_made()
    life.process_starts(1)
    life.list_shows_it_running(0, is_ready=False)
    life.process_dies(0)
    life.process_starts(0)
    life.list_shows_it_dead(0, goes=False)
    life.process_starts(0)
    life.all_speak_and_hear(2)
    life.router_looks(0, behind=0)
    life.no_more_than_is_stated()
    life.teardown()


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=examples(100), stateful_step_count=60)
