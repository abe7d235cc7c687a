"""One seed: a fleet, its troubles, and whether it came to rest."""

import traceback
from collections.abc import Sequence
from random import Random

import msgspec

from router.model.ids import ServiceKey
from router.model.limits import LSA_MAX_AGE_S
from tests.simulation.fleet import liveness
from tests.simulation.fleet.clock import TimeStandsStill
from tests.simulation.fleet.fleet import Fleet
from tests.simulation.fleet.lines import SOUND
from tests.simulation.fleet.plan import SERVICES, Step, Trouble, draw
from tests.simulation.fleet.rogue import Rogue
from tests.simulation.fleet.safety import BULK, Broken
from tests.unit.routing.fakes import advert, declare

ROUTERS = (2, 9)
STEPS = (10, 45)
LOOKS = 12  # At a fleet that comes to rest: for figures.


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """``rule`` is empty if all was well. ``settled_s``: after the last fault, in twelfths."""

    seed: int
    rule: str
    what: str
    digest: str
    steps: tuple[Step, ...]
    virtual_s: float
    words: int
    settled_s: float
    bound_s: float
    story: tuple[str, ...]


class Case:
    """What a seed builds. ``steps`` may be fewer than it draws."""

    def __init__(
        self, seed: int, steps: Sequence[Step] | None = None, *, verbose: bool = False
    ) -> None:
        self.seed = seed
        random = Random(seed)
        self.steps = tuple(draw(random, random.randint(*STEPS)) if steps is None else steps)
        shape = Random(seed + 1)
        self.fleet = Fleet(seed, service_ttl_s=shape.choice([5.0, 60.0]), verbose=verbose)
        self._build(shape)
        self.names = list(self.fleet.places)
        self.rogue = Rogue(self.fleet)
        self.ages_out = shape.random() < 0.05
        self.settled_s = 0.0

    def _build(self, shape: Random) -> None:
        fleet = self.fleet
        names = "abcdefghijkl"[: shape.randint(*ROUTERS)]
        twin_site = shape.random() < 0.25
        for number, name in enumerate(names):
            # Two routers of one site now and then: their link costs nothing.
            fleet.add(name, site="a" if twin_site and number == 1 else "")
            if number:
                other = shape.choice(names[:number])
                same = twin_site and {name, other} == {"a", "b"}
                fleet.link(other, name, 0 if same else shape.randint(1, 4))
        for _ in range(shape.randint(0, len(names) + 2)):
            one, other = shape.sample(names, 2)
            if frozenset((one, other)) not in fleet.lines and not (
                twin_site and {one, other} == {"a", "b"}
            ):
                fleet.link(one, other, shape.randint(1, 4))
        for number in range(shape.choice([0, 0, 1, 2])):
            edge = fleet.add(f"edge-{number}", is_edge=True)
            edge.wishes = frozenset(shape.sample(SERVICES, 2))
            for host in shape.sample(names, min(2, shape.choice([1, 1, 2]))):
                fleet.link(host, edge.name, shape.randint(1, 4))
        for place in fleet.places.values():
            if place.name == "b" and shape.random() < 0.3:
                place.declarations = {told.name: told for told in BULK}
            place.skew_s = shape.choice([0.0, 0.0, -3600.0, 40.0])
            for service in shape.sample(SERVICES, shape.choice([0, 0, 1, 2])):
                place.adverts[ServiceKey(service, 80)] = advert(service, capacity=10)
                if not place.is_edge:
                    place.declarations[service] = declare(service, at=place.wall(0.0))

    def play(self) -> Outcome:
        """From the start to rest, or to the first rule that is broken."""
        rule = what = ""
        try:
            for place in list(self.fleet.places.values()):
                if not place.is_rogue:
                    self.fleet.start(place)
            self.fleet.time.run(3.0)
            self.fleet.watch.check()
            trouble = Trouble(self.fleet, self.names, self.rogue)
            for step in self.steps:
                trouble.take(step)
                self.fleet.watch.check()
            self._rest()
        except Broken as broken:
            rule, what = broken.rule, str(broken)
            self.fleet.say(f"! {what}")
        except TimeStandsStill as error:
            rule, what = "time_goes_on", f"time_goes_on: {error}"
        except AssertionError as error:  # Of the product.
            rule, what = "assertions_hold", f"assertions_hold: {error!r}"
        except Exception as error:
            rule = "nothing_is_raised"
            what = f"nothing_is_raised: {traceback.format_exc(limit=-3)}{error!r}"
        return Outcome(
            seed=self.seed,
            rule=rule,
            what=what,
            digest=self.fleet.digest,
            steps=self.steps,
            virtual_s=self.fleet.time.now,
            words=self.fleet.words,
            settled_s=self.settled_s,
            bound_s=liveness.bound_s(self.fleet),
            story=tuple(self.fleet.story),
        )

    def _rest(self) -> None:
        """Faults end; who is dead stays so, who is stopped goes on."""
        fleet = self.fleet
        fleet.say("# faults end")
        self.rogue.leave()
        for line in fleet.lines.values():
            line.quality = SOUND
            fleet.heal(line)
        bound_s = liveness.bound_s(fleet)
        self._part_twins(bound_s)
        self._settle(bound_s + 14.0)  # Who was stopped runs within 14 s: four naps.
        fleet.time.run(max(0.0, fleet.service_ttl_s - bound_s))
        liveness.check(fleet)
        liveness.nothing_is_sent_again(fleet)
        if self.ages_out:
            fleet.time.run(LSA_MAX_AGE_S + bound_s)
            fleet.watch.check()
            liveness.check(fleet)
            self._nobody_is_remembered()

    def _part_twins(self, bound_s: float) -> None:
        """Once it is clear who withdraws, the operator ends the copy and starts the original."""
        copies = [place for name, place in self.fleet.places.items() if name.endswith("-copy")]
        if not copies:
            return
        self.fleet.time.run(bound_s + 14.0)
        self.fleet.watch.check()
        liveness.of_two_twins_one_is_left(self.fleet)
        for copy in copies:
            original = self.fleet.places[copy.name.removesuffix("-copy")]
            self.fleet.end(copy, silently=False)
            if original.process is not None and original.process.is_withdrawn:
                self.fleet.end(original, silently=False)
                self.fleet.start(original)

    def _settle(self, bound_s: float) -> None:
        """In several looks, to learn when it was settled; at the last one it must be."""
        fleet = self.fleet
        is_settled = False
        for look in range(1, LOOKS + 1):
            fleet.time.run(bound_s / LOOKS)
            fleet.watch.check()
            if not is_settled and look < LOOKS:
                try:
                    liveness.check(fleet)
                    is_settled, self.settled_s = True, look * bound_s / LOOKS
                except Broken:
                    continue
        if not is_settled:
            self.settled_s = bound_s

    def _nobody_is_remembered(self) -> None:
        """After the age of an LSA no router holds words of nodes that it cannot reach."""
        truth = liveness.Truth(self.fleet)
        for process, core in truth.routers():
            own = process.place.identity.node
            gone = {lsa.node for lsa in core.database()} - truth.component(own)
            if gone:
                raise Broken("nobody_is_remembered_for_ever", f"{process.place.name}: {gone}")


def play(seed: int, steps: Sequence[Step] | None = None, *, verbose: bool = False) -> Outcome:
    """What becomes of one seed."""
    return Case(seed, steps, verbose=verbose).play()


def shrunk(failed: Outcome, tries: int = 150) -> Outcome:
    """The same rule broken by fewer steps: halves are left out, then smaller pieces."""
    best, size = failed, max(1, len(failed.steps) // 2)
    while tries:
        start = 0
        before = len(best.steps)
        while start < len(best.steps) and tries:
            tries -= 1
            outcome = play(best.seed, best.steps[:start] + best.steps[start + size :])
            if outcome.rule == best.rule:
                best = outcome
            else:
                start += size
        if size == 1 and len(best.steps) == before:
            break
        size = max(1, size // 2)
    return best
