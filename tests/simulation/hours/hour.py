"""One hour, or some minutes of it: a world, its clients, an actor, and looks at what sites say."""

import random
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from math import inf
from typing import Final, NamedTuple

import msgspec

from router.model.events import Event
from router.model.specs import ServiceProtocol
from tests.simulation.hours.acts import Actor
from tests.simulation.hours.changes import Changes, Told
from tests.simulation.hours.claims import false_of
from tests.simulation.hours.counted import Counted
from tests.simulation.hours.episodes import Episodes
from tests.simulation.hours.eye import Eye
from tests.simulation.hours.next_request import false_next
from tests.simulation.hours.omissions import unsaid
from tests.simulation.hours.overview import false_overview, overview
from tests.simulation.hours.printed import false_in
from tests.simulation.hours.remembered import false_in_past
from tests.simulation.hours.truth import Truth
from tests.simulation.hours.typed import WORDS
from tests.simulation.world import Answer, World

START_S: Final = 8.0
SAMPLES: Final = 4
"""In a second."""
ACT_EACH_S: Final = 7.0
RATES: Final[Mapping[ServiceProtocol, tuple[int, ...]]] = {
    "http": (0, 1, 5, 20, 60),
    "tcp": (0, 1, 2, 5),
}
ACTS_SHOWN: Final = 4
TWO_ROUTERS: Final = 0.4
"""In so many hours site a has two routers."""
OF_TCP: Final = 0.25
"""In so many hours the service is of tcp, and a connection lasts for seconds."""
NEXT: Final = 0.2
"""In so many looks a request is made to see where it goes."""
AN_EDGE: Final = 0.25
"""In so many hours site c is an edge."""
IMPATIENT: Final = 0.25
"""In so many hours clients leave that have no answer after `PATIENCE_S`."""
PATIENCE_S: Final = 0.8
SHEDDABLE: Final = 0.25
"""In so many hours half of the requests are sheddable."""
BATCH: Final = "x-priority: batch"
STILL_S: Final = 1.5
"""So long after it stood still a router is not asked."""


class Finding(msgspec.Struct, frozen=True):
    """What router ``site`` said at ``at``, and why that is false; ``acts``: done before."""

    seed: int
    at: float
    site: str
    text: str
    wrong: str
    acts: tuple[str, ...]

    def __str__(self) -> str:
        acts = "; ".join(self.acts)
        return (
            f"seed {self.seed}, {self.at:.1f} s, {self.site}: {self.text!r}: {self.wrong} ({acts})"
        )


class Watch(NamedTuple):
    """Over one router for as long as it lives."""

    eye: Eye
    counted: Counted
    episodes: Episodes
    changes: Changes


class Hour:
    """By ``seed``."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._chance = random.Random(seed)
        has_two = self._chance.random() < TWO_ROUTERS
        edges = frozenset({"c"} if self._chance.random() < AN_EDGE else ())
        names = ("a", "b", "c", *(("a2",) if has_two else ()))
        self.world = World(seed, *names, edges=edges)
        if has_two:
            self.world["a2"].join(self.world["a"])
        self.truth = Truth(self.world, "tcp" if self._chance.random() < OF_TCP else "http")
        is_impatient = self.truth.protocol == "http" and self._chance.random() < IMPATIENT
        self._patience_s = PATIENCE_S if is_impatient else inf
        self._has_batch = self.truth.protocol == "http" and self._chance.random() < SHEDDABLE
        self._acts: list[str] = []
        self._connect()
        self._actor = Actor(self.world, self.truth, self._chance)
        self._actor.share_documents(self.world["a"])
        self._rates = {
            name: self._chance.choice(RATES[self.truth.protocol]) for name in self.world.sites
        }
        self.world.run(START_S)
        self._found: list[Finding] = []
        """In events."""
        self._watches: dict[str, Watch] = {}
        self._told: dict[str, list[Told]] = {name: [] for name in self.world.sites}
        for name, site in self.world.sites.items():
            self.watch(name)
            site.told.append(partial(self._hear, name))
        self._next_act = self.world.internet.now + self._chance.expovariate(1 / ACT_EACH_S)

    def _connect(self) -> None:
        chance, (a, b, c, *others) = self._chance, self.world.sites.values()
        a.link(b, 1)
        c.link(b, 2)  # An edge dials.
        if chance.random() < 0.5:
            c.link(a, 5)
        sheddable = BATCH if self._has_batch else ""
        a.declare(protocol=self.truth.protocol, queue=5, queue_wait_s=1.0, sheddable=sheddable)
        for site in chance.sample([a, b, c], chance.choice((2, 3))):
            site.serve(
                chance.choice((1, 2, 3)),
                capacity=chance.choice((3, 5)),
                service_s=self.truth.service_s,
            )
        a.declared_at_s = {"shop": 0.0}
        for beside in others:
            beside.declared_at_s = a.declared_at_s
            beside.link(b, 1)

    def play(self, seconds: float) -> Iterator[Finding]:
        """Virtual ones."""
        until = self.world.internet.now + seconds
        while self.world.internet.now < until:
            self._pass_a_second()
            if self._chance.random() < 0.05:
                name = self._chance.choice(list(self.world.sites))
                self._rates[name] = self._chance.choice(RATES[self.truth.protocol])
                self._note(f"{self.truth.now:.1f} {self._rates[name]}/s at {name}")
            if self.world.internet.now > self._next_act:
                self._next_act += self._chance.expovariate(1 / ACT_EACH_S)
                self._note(self._actor.act())
                self.truth.sample()
            self.world.run(self._chance.random() * 0.3)
            self.truth.sample()
            for key in self.world.sites:
                still_s = self.truth.is_over("still", key)
                if key not in self.truth.gone and still_s > STILL_S:
                    yield from self._look(key)

    def _note(self, act: str) -> None:
        self._acts = [*self._acts[1 - ACTS_SHOWN :], act]

    def _pass_a_second(self) -> None:
        begun = [
            (key, site.offer(self._rates[key] / len(kinds), 1.0, *fields))
            for key, site in self.world.sites.items()
            if key not in self.truth.gone | self.truth.frozen
            for kinds in (((), (BATCH,)) if self._has_batch else ((),),)
            for fields in kinds
        ]
        for _ in range(SAMPLES):
            self._actor.thaw()
            self.world.run(1 / SAMPLES)
            for answers in (*self.truth.answers.values(), *(answers for _, answers in begun)):
                self._leave(answers)
            self.truth.sample()
        for name in self.world.sites:
            asked = chain.from_iterable(answers for key, answers in begun if key == name)
            self.truth.answers[name].extend(sorted(asked, key=lambda one: one.began))

    def _leave(self, answers: Iterable[Answer]) -> None:
        """The clients that have waited for too long."""
        for one in answers:
            if not one.ended and self.truth.now - one.began > self._patience_s:
                one.give_up(self.truth.now)

    def _look(self, key: str) -> Iterator[Finding]:
        watch = self.watch(key)
        eye = watch.eye
        yield from self._found
        self._found.clear()
        for text in eye.sentences():
            for wrong in false_of(self.truth, key, text):
                yield self._finding(key, text, wrong)
        for wrong in unsaid(self.truth, key, self.world[key], eye.said()):
            yield self._finding(key, "", wrong)
        for wrong in watch.counted.wrong(eye.figures()):
            yield self._finding(key, "metrics", wrong)
        for wrong in (*watch.episodes.wrong(), *self._heard(key, watch)):
            yield self._finding(key, "events", wrong)
        for wrong in false_in_past(self.truth, key, *eye.past()):
            yield self._finding(key, "why --last", wrong)
        said = overview(eye.live())
        for wrong in false_overview(self.truth, key, said):
            yield self._finding(key, f"{said.text} {said.more}", wrong)
        if self._chance.random() < NEXT:
            for wrong in false_next(self.world, self.truth, key, eye):
                yield self._finding(key, "why", wrong)
            self.truth.sample()  # That took time.
        words = self._chance.choice(WORDS)
        printed = eye.typist.type(words)
        for wrong in false_in(self.truth, key, printed):
            yield self._finding(key, f"sitectl {words}", wrong)

    def watch(self, key: str) -> Watch:
        """Of the router of that key in the world, as it lives now."""
        site, watch = self.world[key], self._watches.get(key)
        if watch is None or watch.eye.life != site.lives:
            episodes = Episodes(self.truth, key)
            eye = Eye(site, partial(self._judge_event, key, episodes))
            watch = self._watches[key] = Watch(
                eye, Counted(self.truth, key), episodes, Changes(self.truth, key)
            )
        return watch

    def _hear(self, key: str, code: str, subject: str, message: str) -> None:
        """An event of a router, which may be about to start."""
        self._told[key].append(Told(self.world[key].lives, code, subject))
        self.truth.sample()
        for wrong in false_of(self.truth, key, message):
            self._found.append(self._finding(key, message, wrong))

    def _heard(self, key: str, watch: Watch) -> Iterator[str]:
        """The faults of its events since the last look."""
        told, self._told[key] = self._told[key], []
        for one in told:
            if one.life == watch.eye.life:
                yield from watch.changes.hear(one)
        connectors = self.world[key].connectors.values()
        ports = {str(target.port) for one in connectors for target in one.targets}
        yield from watch.changes.wrong(ports)

    def _judge_event(self, key: str, episodes: Episodes, event: Event) -> None:
        self.truth.sample()
        for wrong in (*episodes.hear(event), *false_of(self.truth, key, event.message)):
            self._found.append(self._finding(key, event.message, wrong))

    def _finding(self, key: str, text: str, wrong: str) -> Finding:
        return Finding(self.seed, self.truth.now, key, text, wrong, tuple(self._acts))
