"""Minutes of a site with two workers: faults and bursts at random, by a seed, and whether the first
worker's figures and problems are those of both."""

import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from router.admin.views.services import ServiceView
from router.model.specs import SitePolicySpec
from tests.simulation.hours.lasting import goes_on, is_failure
from tests.simulation.hours.omissions import far_off
from tests.simulation.two_workers import TwoWorkers
from tests.simulation.world import SERVICE, Answer, World

SAMPLE_S: Final = 0.25
KNOWN_S: Final = 3.0
"""After so long the first worker knows what happens at the other one: it asks each second, and
messages take up to 0.4 s."""
LONG_S: Final = 13.0
CALM_S: Final = 40.0
LIMITED_S: Final = 10.0
"""After so long targets have no more than a new capacity: none takes longer, each after another."""
CAPACITIES: Final = (1, 3, 5, 8)
RATES: Final = (0, 0, 2, 10, 40)


class WorkerHour:
    """By ``seed``: site a with workers a and w, and site b."""

    def __init__(self, seed: int) -> None:
        self._chance = chance = random.Random(seed)
        self.world = World(seed, "a", "w", "b")
        self.site = TwoWorkers(self.world, "a", "w", chance)
        a, w, b = self.world.sites.values()
        self.capacity: int | None = chance.choice(CAPACITIES)
        self.site.serve(chance.choice((1, 2)), self.capacity)
        self.site.declare(queue=chance.choice((0, 5)))
        if chance.random() < 0.5:
            b.serve(1, 5)
        for worker in (a, w):
            worker.link(b, 1)
        self.rates = {name: chance.choice(RATES) for name in self.world.sites}
        self.asked: dict[str, list[Answer]] = {name: [] for name in self.world.sites}
        self.acts: list[str] = []
        self._seen: deque[tuple[float, int, int]] = deque(maxlen=80)
        """When, and the least and the most that targets of site a had in hand since before."""
        self._hands = {one.port: deque[tuple[float, int, int]]((), 80) for one in self.site.targets}
        """As `_seen`, of each target."""
        self._found: list[str] = []
        """By samples."""
        self._is_cut = False
        self._frozen_until = self._thawed_at = self._ill_at = self._limits_at = 0.0
        self.world.run(8.0)
        self._began = self.now

    @property
    def now(self) -> float:
        return self.world.internet.now

    @property
    def _lives(self) -> bool:
        """The second worker runs, and not only just."""
        return bool(self.site.state.pid) and not self._frozen_until

    def play(self, seconds: float) -> Iterator[str]:
        """What is found wrong."""
        until = self.now + seconds
        while self.now < until:
            self._second()
            if self._chance.random() < 0.12:
                self._act()
            for wrong in (*self._found, *self._wrong()):
                yield f"{self.now:.1f} s: {wrong} ({'; '.join(self.acts[-4:])})"
            self._found.clear()

    # What happens -----------------------------------------------------------------------------

    def _second(self) -> None:
        begun = []
        for name, site in self.world.sites.items():
            if self._chance.random() < 0.05:
                self.rates[name] = self._chance.choice(RATES)
            if name != "w" or self._lives:
                begun.append((name, site.offer(self.rates[name], 1.0)))
        for _ in range(round(1 / SAMPLE_S)):
            self.world.run(SAMPLE_S)
            self._sample()
        self.world.run(self._chance.random() * 0.3)
        self._sample()
        for name, answers in begun:
            self.asked[name] += answers

    def _sample(self) -> None:
        targets = self.site.targets
        least = sum(one.least_in_hand for one in targets)
        most = sum(one.most_in_hand for one in targets)
        self._seen.append((self.now, least, most))
        for one in targets:
            slots = self.capacity if self.now > self._limits_at else None
            if slots is not None and one.most_in_hand > slots:
                self._found.append(f"a target of {slots} slots has {one.most_in_hand} in hand")
            self._hands[one.port].append((self.now, one.least_in_hand, one.most_in_hand))
            one.most_in_hand = one.least_in_hand = one.in_hand
        if self._frozen_until and self.now >= self._frozen_until:
            self.world.internet.thaw(self.world["w"].ip)
            self._frozen_until, self._thawed_at = 0.0, self.now

    def _act(self) -> None:
        name = self._chance.choice(list(ACTS))
        ACTS[name](self)
        self.acts.append(f"{self.now:.1f} {name}")

    def kill(self) -> None:
        if self._lives:
            self.site.kill_second()
            self._thawed_at = self.now

    def freeze(self) -> None:
        if self._lives:
            self.world.internet.freeze(self.world["w"].ip)
            self._frozen_until = self.now + self._chance.choice((0.5, 2.0, 5.0))

    def refuse(self) -> None:
        self._chance.choice(self.site.targets).refuse()
        self._ill_at = self.now

    def fail(self) -> None:
        self._chance.choice(self.site.targets).status = self._chance.choice((500, 0))
        self._ill_at = self.now

    def slow(self) -> None:
        self._chance.choice(self.site.targets).service_s = self._chance.choice((0.5, 3.0))
        self._ill_at = self.now

    def mend(self) -> None:
        self._ill_at = self.now
        for one in self.site.targets:
            one.listener.close()
            one.listen()
            one.status, one.service_s = 200, 0.1

    def drain(self) -> None:
        rule = SitePolicySpec(service=SERVICE.name, takes=0.0)
        self.site.each(lambda site: site.policies.update({SERVICE.name: rule}))
        self._ill_at = self.now

    def undrain(self) -> None:
        self._ill_at = self.now
        self.site.each(lambda site: site.policies.clear())

    def change_capacity(self) -> None:
        self.capacity = capacity = self._chance.choice((*CAPACITIES, None))
        for site in (self.world["a"], self.world["w"]):
            site.connectors["here"] = replace(site.connectors["here"], capacity=capacity)
        self.site.each(lambda site: None)
        self._limits_at = self.now + LIMITED_S
        self._ill_at = self.now

    def cut(self) -> None:
        self.world.internet.cut(self.world[self._chance.choice("aw")].ip, self.world["b"].ip)
        self._is_cut = True

    def heal(self) -> None:
        if self._is_cut:
            self._ill_at = self.now
        self._is_cut = False
        for name in "aw":
            self.world.internet.heal(self.world[name].ip, self.world["b"].ip)

    # What is wrong ----------------------------------------------------------------------------

    def _wrong(self) -> Iterator[str]:
        rows = self.site.rows
        if self.now - self._began < LONG_S or len(rows) != 1:
            return
        ((view, row),) = rows
        asked = [*self.asked["a"], *self.asked["w"]]
        yield from self._wrong_counts(view.requests_total + view.under_way, asked)
        if not self._lives or self.now - self._thawed_at < LONG_S:
            return
        yield from far_off(self.now, "requests", row.requests_per_s, asked)
        failed = [one for one in asked if one.ended and is_failure(one)]
        yield from far_off(self.now, "failed", row.failed_per_s, failed)
        (own,) = [one for one in view.sites if one.local]
        seen = [(least, most) for at, least, most in self._seen if at > self._since]
        low, high = min(least for least, _ in seen), max(most for _, most in seen)
        if not low - 2 <= own.in_flight <= high + 2:
            yield f"{own.in_flight} in flight at a: its targets had {low} to {high}"
        yield from self._wrong_targets(view)
        yield from self._unsaid(asked)

    def _wrong_targets(self, view: ServiceView) -> Iterator[str]:
        """Each with the slots and the requests of both workers."""
        by_port = {one.port: one for one in self.site.targets}
        for shown in view.targets:
            if shown.site != "a":
                continue
            target = by_port[shown.port]
            seen = [
                (least, most) for at, least, most in self._hands[target.port] if at > self._since
            ]
            low, high = min(least for least, _ in seen), max(most for _, most in seen)
            if not low - 1 <= shown.in_flight <= high + 1:
                yield f"{shown.in_flight} in flight at {shown.port}: it had {low} to {high}"
            if self.world["a"].policies:
                continue  # It is drained.
            if self.now > self._limits_at and shown.capacity != self.capacity:
                yield f"{shown.port} has {shown.capacity} slots, and {self.capacity} are given"
            is_settled = self.now > self._ill_at + LONG_S
            is_well = target.status == 200 and target.service_s == 0.1
            if is_settled and shown.ready == target.refuses and (is_well or shown.ready):
                yield f"{shown.port}: ready is {shown.ready}, refuses is {target.refuses}"

    @property
    def _since(self) -> float:
        """What was then is known by now."""
        return self.now - KNOWN_S

    def _wrong_counts(self, shown: int, asked: Sequence[Answer]) -> Iterator[str]:
        """All that came. A worker that dies takes its counts since its last report with it."""
        told = min(self.now - KNOWN_S, self.site.answered_at - KNOWN_S / 2)
        lost = sum(
            died - KNOWN_S < one.began <= died
            for died in self.site.deaths
            for one in self.asked["w"]
        )
        least = sum(one.began <= self.now - KNOWN_S for one in self.asked["a"])
        least += sum(one.began <= told for one in self.asked["w"]) - lost
        if not least - 2 <= shown <= len(asked) + 2:
            yield f"REQUESTS {shown}, and there were {least} to {len(asked)}"

    def _unsaid(self, asked: Sequence[Answer]) -> Iterator[str]:
        status = self.site.view.status()
        codes = {one.code for one in status.problems} | {one.code for one in status.notes}
        ended = [one for one in asked if one.ended]
        fails = goes_on(self.now, ended, is_failure, 2)
        if fails and not codes & {"SW0337", "SW0338", "SW0309"}:
            yield f"requests fail, and of that there is none: {sorted(codes)}"
        rows = self.site.rows
        leaving = [one for one in asked if one.site not in ("", "a")]
        if goes_on(self.now, leaving, lambda one: True, 3) and not any(row.why for _, row in rows):
            yield "requests leave this site"
        if self._is_calm(asked) and status.problems:
            yield f"all is well, and it says {status.problems[0].message}"

    def _is_calm(self, asked: Sequence[Answer]) -> bool:
        since = self.now - CALM_S
        lately = max(self._ill_at, self._limits_at, self._thawed_at, self._began) > since
        if lately or self._is_cut or self.world["a"].policies:
            return False
        if any(
            one.refuses or one.status != 200 or one.service_s > 0.1 for one in self.site.targets
        ):
            return False
        answers = [*asked, *self.asked["b"]]
        return all(one.status == 200 for one in answers if one.ended > since)


ACTS: Final[Mapping[str, Callable[[WorkerHour], None]]] = {
    act.__name__: act
    for act in (
        WorkerHour.kill,
        WorkerHour.freeze,
        WorkerHour.refuse,
        WorkerHour.fail,
        WorkerHour.slow,
        WorkerHour.mend,
        WorkerHour.mend,
        WorkerHour.drain,
        WorkerHour.undrain,
        WorkerHour.change_capacity,
        WorkerHour.cut,
        WorkerHour.heal,
    )
}
