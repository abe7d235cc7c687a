"""One hour, or some minutes of it: a world, its clients, an actor, and looks at what sites say."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Final

import msgspec

from router.admin.events import EventLog
from router.operate.figures.history_recorder import HistoryRecorder
from router.operate.record.episode_news import EpisodeNews
from router.operate.record.journal import Journal
from tests.simulation.hours.acts import SERVICE_S, Actor
from tests.simulation.hours.claims import false_of
from tests.simulation.hours.omissions import Said, unsaid
from tests.simulation.hours.truth import Truth
from tests.simulation.world import SimSite, World
from tests.unit.operate.views import living_of, view_of

START_S: Final = 8.0
SAMPLES: Final = 4
"""In a second."""
ACT_EACH_S: Final = 7.0
RATES: Final = (0, 1, 5, 20, 60)
ACTS_SHOWN: Final = 4
TWO_ROUTERS: Final = 0.4
"""In so many hours site a has two routers."""


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


class Hour:
    """By ``seed``."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._chance = random.Random(seed)
        has_two = self._chance.random() < TWO_ROUTERS
        self.world = World(seed, "a", "b", "c", *(("a2",) if has_two else ()))
        if has_two:
            self.world["a2"].join(self.world["a"])
        self.truth = Truth(self.world)
        self._acts: list[str] = []
        self._connect()
        self._actor = Actor(self.world, self.truth, self._chance)
        self._actor.share_documents(self.world["a"])
        self._rates = {name: self._chance.choice(RATES) for name in self.world.sites}
        self.world.run(START_S)
        self._found: list[Finding] = []
        """In events."""
        self._eyes: dict[str, Eye] = {}
        for name in self.world.sites:
            self.eye(name)
        self._next_act = self.world.internet.now + self._chance.expovariate(1 / ACT_EACH_S)

    def _connect(self) -> None:
        chance, (a, b, c, *others) = self._chance, self.world.sites.values()
        a.link(b, 1)
        b.link(c, 2)
        if chance.random() < 0.5:
            a.link(c, 5)
        a.declare(queue=5, queue_wait_s=1.0)
        for site in chance.sample([a, b, c], chance.choice((2, 3))):
            site.serve(
                chance.choice((1, 2, 3)), capacity=chance.choice((3, 5)), service_s=SERVICE_S
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
                self._rates[name] = self._chance.choice(RATES)
                self._note(f"{self.truth.now:.1f} {self._rates[name]}/s at {name}")
            if self.world.internet.now > self._next_act:
                self._next_act += self._chance.expovariate(1 / ACT_EACH_S)
                self._note(self._actor.act())
                self.truth.sample()
            self.world.run(self._chance.random() * 0.3)
            self.truth.sample()
            for key in self.world.sites:
                if key not in self.truth.gone:
                    yield from self._look(key)

    def _note(self, act: str) -> None:
        self._acts = [*self._acts[1 - ACTS_SHOWN :], act]

    def _pass_a_second(self) -> None:
        begun = {
            key: site.offer(self._rates[key], 1.0)
            for key, site in self.world.sites.items()
            if key not in self.truth.gone
        }
        for _ in range(SAMPLES):
            self.world.run(1 / SAMPLES)
            self.truth.sample()
        for name, answers in begun.items():
            self.truth.answers[name].extend(answers)

    def _look(self, key: str) -> Iterator[Finding]:
        eye = self.eye(key)
        yield from self._found
        self._found.clear()
        for text in eye.sentences():
            for wrong in false_of(self.truth, key, text):
                yield self._finding(key, text, wrong)
        for wrong in unsaid(self.truth, key, self.world[key], eye.said()):
            yield self._finding(key, "", wrong)

    def eye(self, key: str) -> "Eye":
        """Of the router of that key in the world, as it lives now."""
        site, eye = self.world[key], self._eyes.get(key)
        if eye is None or eye.life != site.lives:
            eye = self._eyes[key] = Eye(site, partial(self._judge_event, key))
        return eye

    def _judge_event(self, key: str, text: str) -> None:
        self.truth.sample()
        for wrong in false_of(self.truth, key, text):
            self._found.append(self._finding(key, text, wrong))

    def _finding(self, key: str, text: str, wrong: str) -> Finding:
        return Finding(self.seed, self.truth.now, key, text, wrong, tuple(self._acts))


class Eye:
    """Looks at one site for as long as its router lives."""

    def __init__(self, site: SimSite, told: Callable[[str], None]) -> None:
        """``told`` is called with the message of each event, at once."""
        self.life = site.lives
        recorder = HistoryRecorder(site.network, site.router, site.network.now)
        recorder.start()
        self._view, self._living = view_of(site, recorder), living_of(site, recorder)
        utc = datetime.now(UTC).isoformat
        journal = Journal(EventLog(), lambda number, event: None, utc, site.network.now)
        EpisodeNews(
            site.network,
            site.router.readings,
            journal,
            self._view.utc,
            self._view.left_out,
            site.router.site_name,
        )
        journal.told.append(lambda event: told(event.message))

    def said(self) -> Said:
        """As the API has it."""
        rows = list(self._living.services())
        sites = [site for view, _ in rows for site in view.sites]
        return Said(self._view.status(), [row for _, row in rows], sites)

    def sentences(self) -> Iterator[str]:
        """All of them, as they stand now."""
        said = self.said()
        for problem in said.status.problems:
            yield problem.message
        for note in said.status.notes:
            yield note.message
        for row in said.rows:
            yield row.why
            yield row.left_out
        why = self._view.own_why("shop", None)
        if why is not None:
            yield why.decision.reason
            yield why.left_out
            for candidate in why.candidates:
                yield f"{candidate.site}: {candidate.reason}"
                yield candidate.note
        for link in self._view.links():
            yield link.error
        for site in self._view.network():
            yield site.reason
