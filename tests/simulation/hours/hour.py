"""One hour, or some minutes of it: a world, its clients, an actor, and looks at what sites say."""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from math import inf
from typing import Final, NamedTuple

import msgspec

from router.model.events import Event
from router.model.ids import ServiceKey
from router.model.specs import ServiceProtocol
from tests.simulation.hours.acts import Actor
from tests.simulation.hours.changes import LinkChanges, TargetChanges, Told
from tests.simulation.hours.claims import false_of, false_of_row
from tests.simulation.hours.counted import Counted
from tests.simulation.hours.episodes import Episodes
from tests.simulation.hours.eye import Eye
from tests.simulation.hours.network import NetworkTruth
from tests.simulation.hours.next_request import false_next
from tests.simulation.hours.omissions import Said, unsaid
from tests.simulation.hours.overview import false_overview, overview
from tests.simulation.hours.owned import Owned
from tests.simulation.hours.printed import false_in
from tests.simulation.hours.rates import false_rates
from tests.simulation.hours.remembered import false_in_past
from tests.simulation.hours.truth import Truth
from tests.simulation.hours.typed import OF_SERVICE, WORDS
from tests.simulation.world import SERVICE, Answer, SimSite, World

START_S: Final = 8.0
SAMPLES: Final = 4
"""In a second."""
ACT_EACH_S: Final = 7.0
RATES: Final[Mapping[ServiceProtocol, tuple[int, ...]]] = {
    "http": (0, 1, 5, 20, 60),
    "tcp": (0, 1, 2, 5),
}
OTHER: Final = ServiceKey("books", 8090)
OTHER_RATES: Final = (0, 1, 5)
TWO_SERVICES: Final = 0.4
"""In so many hours there is another service over the same links."""
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
BLAMES: Final = frozenset({"lsa-rejected"})
"""Events on faults of a peer. All are honest here."""
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
    services: Mapping[str, "ServiceWatch"]
    links: LinkChanges
    targets: TargetChanges


class ServiceWatch(NamedTuple):
    """Over one service at a router."""

    truth: Truth
    counted: Counted
    episodes: Episodes


class Load(NamedTuple):
    """What clients ask of a service, at each router."""

    rates: dict[str, int]
    """Of each second."""
    choices: Sequence[int]
    kinds: Sequence[tuple[str, ...]]
    """Header fields of requests that are alike in number."""


class Hour:
    """By ``seed``."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._chance = chance = random.Random(seed)
        has_two = chance.random() < TWO_ROUTERS
        edges = frozenset({"c"} if chance.random() < AN_EDGE else ())
        names = ("a", "b", "c", *(("a2",) if has_two else ()))
        self.world = World(seed, *names, edges=edges, common=True)
        if has_two:
            self.world["a2"].join(self.world["a"])
        self.network = NetworkTruth(self.world)
        keys = (SERVICE, OTHER) if chance.random() < TWO_SERVICES else (SERVICE,)
        self.truths = [
            Truth(self.network, key, "tcp" if chance.random() < OF_TCP else "http") for key in keys
        ]
        self.owned = {one.service.name: Owned(one) for one in self.truths}
        self._patience_s = PATIENCE_S if chance.random() < IMPATIENT else inf
        self._acts: list[str] = []
        self._link()
        self._loads = {one.service.name: self._serve(one) for one in self.truths}
        self._actor = Actor(self.world, self.truths, chance)
        for site in self._first:
            self._actor.share_documents(site)
        self.world.run(START_S)
        self._found: list[Finding] = []
        """In events."""
        self._watches: dict[str, Watch] = {}
        self._told: dict[str, list[Told]] = {name: [] for name in self.world.sites}
        for name, site in self.world.sites.items():
            self.watch(name)
            site.told.append(partial(self._hear, name))
        self._next_act = self.world.internet.now + chance.expovariate(1 / ACT_EACH_S)

    @property
    def _first(self) -> list[SimSite]:
        """A router of each site."""
        return list(self.world.sites.values())[:3]

    def _link(self) -> None:
        (a, b, c, *others) = self.world.sites.values()
        a.link(b, 1)
        c.link(b, 2)  # An edge dials.
        if self._chance.random() < 0.5:
            c.link(a, 5)
        for beside in others:
            beside.declared_at_s = a.declared_at_s
            beside.link(b, 1)

    def _serve(self, truth: Truth) -> Load:
        """Its targets, its declaration, and what clients ask."""
        chance, key = self._chance, truth.service
        has_batch = truth.protocol == "http" and chance.random() < SHEDDABLE
        owner = self._first[0] if key == SERVICE else chance.choice(self._first[:2])
        owner.declared_at_s[key.name] = 0.0
        sheddable = BATCH if has_batch else ""
        owner.declare(
            protocol=truth.protocol, queue=5, queue_wait_s=1.0, sheddable=sheddable, service=key
        )
        for site in chance.sample(self._first, chance.choice((2, 3))):
            count, capacity = chance.choice((1, 2, 3)), chance.choice((3, 5))
            site.serve(count, capacity=capacity, service_s=truth.service_s, service=key)
        choices = RATES[truth.protocol] if key == SERVICE else OTHER_RATES
        rates = {name: chance.choice(choices) for name in self.world.sites}
        return Load(rates, choices, ((), (BATCH,)) if has_batch else ((),))

    def play(self, seconds: float) -> Iterator[Finding]:
        """Virtual ones."""
        until = self.world.internet.now + seconds
        while self.world.internet.now < until:
            self._pass_a_second()
            if self._chance.random() < 0.05:
                self._change_a_rate()
            if self.world.internet.now > self._next_act:
                self._next_act += self._chance.expovariate(1 / ACT_EACH_S)
                self._note(self._actor.act())
                self.sample()
            self.world.run(self._chance.random() * 0.3)
            self.sample()
            for key in self.world.sites:
                still_s = self.network.facts.is_over(("still", key))
                if key not in self.network.gone and still_s > STILL_S:
                    yield from self._look(key)

    def sample(self) -> None:
        """Note the truth of now."""
        self.network.sample()
        for truth in self.truths:
            truth.sample()
        for owned in self.owned.values():
            owned.sample()

    def _note(self, act: str) -> None:
        self._acts = [*self._acts[1 - ACTS_SHOWN :], act]

    def _change_a_rate(self) -> None:
        service = self._chance.choice(list(self._loads))
        name, load = self._chance.choice(list(self.world.sites)), self._loads[service]
        load.rates[name] = self._chance.choice(load.choices)
        self._note(f"{self.network.now:.1f} {load.rates[name]}/s of {service} at {name}")

    def _pass_a_second(self) -> None:
        begun = [
            (truth, key, site.offer(load.rates[key] / len(load.kinds), 1.0, *fields, service=of))
            for key, site in self.world.sites.items()
            if key not in self.network.gone | self.network.frozen
            for truth in self.truths
            if truth.service.port not in site.taken
            for of, load in ((truth.service, self._loads[truth.service.name]),)
            for fields in load.kinds
        ]
        for _ in range(SAMPLES):
            self._actor.go_on()
            self.world.run(1 / SAMPLES)
            for truth in self.truths:
                if truth.protocol == "http":
                    self._leave(*truth.answers.values())
                    self._leave(*(answers for one, _, answers in begun if one is truth))
            self.sample()
        for truth in self.truths:
            for name in self.world.sites:
                asked = [answers for one, key, answers in begun if (one, key) == (truth, name)]
                truth.answers[name].extend(sorted(chain(*asked), key=lambda one: one.began))

    def _leave(self, *asked: Iterable[Answer]) -> None:
        """The clients that have waited for too long."""
        if self._patience_s == inf:
            return
        for one in chain(*asked):
            if not one.ended and self.network.now - one.began > self._patience_s:
                one.give_up(self.network.now)

    def _look(self, key: str) -> Iterator[Finding]:
        watch = self.watch(key)
        eye, seen = watch.eye, watch.eye.seen()
        yield from self._found
        self._found.clear()
        for text in seen.sentences():
            for wrong in false_of(self.truths, key, text):
                yield self._finding(key, text, wrong)
        said = overview(eye.live(seen))
        for wrong in false_overview(self.truths, key, said):
            yield self._finding(key, f"{said.text} {said.more}", wrong)
        for wrong in self._heard(key, watch):
            yield self._finding(key, "events", wrong)
        figures = eye.figures()
        for one in watch.services.values():
            name = one.truth.service.name
            yield from self._look_at(key, eye, one, seen.said(one.truth.service))
            for wrong in one.counted.wrong(figures[name]):
                yield self._finding(key, f"metrics of {name}", wrong)
        yield from self._look_at_requests(key, eye, self._chance.choice(self.truths))
        words = self._chance.choice(self._words())
        printed = eye.typist.type(words)
        for wrong in false_in(self.truths, key, printed):
            yield self._finding(key, f"sitectl {words}", wrong)

    def _words(self) -> list[str]:
        names = [truth.service.name for truth in self.truths]
        return [*WORDS, *(words.format(name) for words in OF_SERVICE for name in names)]

    def _look_at(self, key: str, eye: Eye, watch: ServiceWatch, said: Said) -> Iterator[Finding]:
        truth = watch.truth
        service = truth.service
        for text in eye.sentences_of(said, service):
            for wrong in false_of_row(self.truths, truth, key, text):
                yield self._finding(key, text, wrong)
        for wrong in unsaid(truth, key, self.world[key], said):
            yield self._finding(key, service.name, wrong)
        for row in said.rows:
            for wrong in false_rates(truth, key, row):
                yield self._finding(key, f"rates of {service.name}", wrong)
        names = self.world[key].router.name_adoption.names()
        for wrong in self.owned[service.name].wrong(key, names, said):
            yield self._finding(key, f"owner of {service.name}", wrong)
        for wrong in watch.episodes.wrong():
            yield self._finding(key, f"events of {service.name}", wrong)

    def _look_at_requests(self, key: str, eye: Eye, truth: Truth) -> Iterator[Finding]:
        """The last ones of a service, and the next one."""
        service = truth.service
        for wrong in false_in_past(truth, key, eye.past(service)):
            yield self._finding(key, f"why --last of {service.name}", wrong)
        if self._chance.random() < NEXT:
            for wrong in false_next(self.world, truth, key, eye):
                yield self._finding(key, f"why {service.name}", wrong)
            self.sample()  # That took time.

    def watch(self, key: str) -> Watch:
        """Of the router of that key in the world, as it lives now."""
        site, watch = self.world[key], self._watches.get(key)
        if watch is None or watch.eye.life != site.lives:
            services = {
                one.service.name: ServiceWatch(one, Counted(one, key), Episodes(one, key))
                for one in self.truths
            }
            eye = Eye(site, partial(self._judge_event, key, services))
            links, targets = LinkChanges(self.truths[0], key), TargetChanges(self.truths, key)
            watch = self._watches[key] = Watch(eye, services, links, targets)
        return watch

    def _hear(self, key: str, code: str, subject: str, message: str) -> None:
        """An event of a router, which may be about to start."""
        self._told[key].append(Told(self.world[key].lives, code, subject))
        self.sample()
        if code in BLAMES:
            self._found.append(self._finding(key, message, "no peer is at fault"))
        for wrong in false_of(self.truths, key, message):
            self._found.append(self._finding(key, message, wrong))

    def _heard(self, key: str, watch: Watch) -> Iterator[str]:
        """The faults of its events since the last look."""
        told, self._told[key] = self._told[key], []
        for one in told:
            if one.life == watch.eye.life:
                yield from watch.links.hear(one)
                yield from watch.targets.hear(one)
        yield from watch.links.wrong()
        yield from watch.targets.wrong()

    def _judge_event(self, key: str, services: Mapping[str, ServiceWatch], event: Event) -> None:
        self.sample()
        of = services[event.subject.partition(":")[0]]
        for wrong in (
            *of.episodes.hear(event),
            *false_of_row(self.truths, of.truth, key, event.message),
        ):
            self._found.append(self._finding(key, event.message, wrong))

    def _finding(self, key: str, text: str, wrong: str) -> Finding:
        return Finding(self.seed, self.network.now, key, text, wrong, tuple(self._acts))
