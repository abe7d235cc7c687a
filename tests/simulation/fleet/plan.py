"""What happens to a fleet: steps as values, drawn from a seed, each harmless at any moment."""

from collections.abc import Callable
from random import Random

import msgspec

from router.model.ids import ServiceKey
from router.service.figures import Load
from tests.simulation.fleet.fleet import Fleet
from tests.simulation.fleet.lines import SOUND, Line, Quality
from tests.simulation.fleet.places import Place
from tests.simulation.fleet.rogue import Rogue
from tests.unit.routing.fakes import advert, declare

SERVICES = ("blog", "cart", "shop")
PAUSES_S = (0.0, 0.0, 0.02, 0.3, 1.0, 2.9, 3.1, 8.0, 30.0)
YEARS_S = 10 * 365 * 86_400.0


class Step(msgspec.Struct, frozen=True):
    """``one`` and ``other`` choose among what there is, ``number`` says how much."""

    kind: str
    one: int
    other: int
    number: int
    pause_s: float

    def __str__(self) -> str:
        return f"{self.kind}({self.one}, {self.other}, {self.number}) then {self.pause_s} s"


WEIGHTS = {
    "cut": 3, "cut_one_way": 4, "heal": 5, "partition": 2, "spoil": 3, "mend": 2, "close": 3,
    "cost": 4, "unlink": 1, "relink": 2, "kill": 3, "power_cut": 2, "revive": 5, "lose_epoch": 2,
    "clone": 1, "clock": 2, "stop": 4, "nap": 2, "drain": 2, "undrain": 2, "serve": 6, "load": 4,
    "flood": 1, "phantoms": 1, "lie": 2, "replay": 3, "alter": 2, "forge": 2, "flap": 1,
}  # fmt: skip


def draw(random: Random, count: int) -> list[Step]:
    kinds = random.choices(list(WEIGHTS), list(WEIGHTS.values()), k=count)
    return [
        Step(
            kind,
            random.randrange(1 << 16),
            random.randrange(1 << 16),
            random.randrange(1 << 16),
            random.choice(PAUSES_S),
        )
        for kind in kinds
    ]


class Trouble:
    """Carries out steps."""

    def __init__(self, fleet: Fleet, names: list[str], rogue: Rogue) -> None:
        self._fleet = fleet
        self._names = names
        self._rogue = rogue
        self._clones = 0

    def take(self, step: Step) -> None:
        self._fleet.say(f"# {step}")
        kinds: dict[str, Callable[[Step], None]] = {
            "cut": lambda s: self._block(self._line(s), both=True),
            "cut_one_way": lambda s: self._block(self._line(s), both=False),
            "heal": self._heal,
            "partition": self._partition,
            "spoil": self._spoil,
            "mend": lambda s: setattr(self._line(s), "quality", SOUND),
            "close": lambda s: self._fleet.close(self._line(s), self._line(s).ends[s.other % 2]),
            "cost": lambda s: self._cost(self._line(s), s.number),
            "unlink": self._unlink,
            "relink": self._relink,
            "kill": lambda s: self._fleet.end(self._place(s), silently=False),
            "power_cut": lambda s: self._fleet.end(self._place(s), silently=True),
            "revive": self._revive,
            "lose_epoch": self._lose_epoch,
            "clone": self._clone,
            "clock": self._clock,
            "stop": lambda s: self._fleet.freeze(self._place(s), s.number % 700 / 100),
            "nap": self._nap,
            "drain": lambda s: self._drain(self._place(s), True),
            "undrain": lambda s: self._drain(self._place(s), False),
            "serve": self._serve,
            "load": self._load,
            "flap": self._flap,
        }
        if step.kind in kinds:
            kinds[step.kind](step)
        else:
            self._rogue.take(step.kind, step.one, step.number)
        self._fleet.time.run(step.pause_s)

    def _place(self, step: Step) -> Place:
        return self._fleet.places[self._names[step.one % len(self._names)]]

    def _line(self, step: Step) -> Line:
        lines = [line for line in self._fleet.lines.values() if "mallory" not in line.ends]
        return lines[step.one % len(lines)]

    def _block(self, line: Line, *, both: bool) -> None:
        one, other = line.ends
        self._fleet.block(one, other)
        if both:
            self._fleet.block(other, one)

    def _heal(self, step: Step) -> None:
        blocked = [line for line in self._fleet.lines.values() if line.blocked]
        if blocked:
            self._fleet.heal(blocked[step.one % len(blocked)])

    def _partition(self, step: Step) -> None:
        half = {name for i, name in enumerate(self._names) if step.number >> i % 16 & 1}
        for line in self._fleet.lines.values():
            if len(half & set(line.ends)) == 1:
                self._block(line, both=step.other % 3 > 0)

    def _spoil(self, step: Step) -> None:
        self._line(step).quality = Quality(
            delay_s=0.001 + step.number % 97 / 1000,
            jitter_s=step.number % 7 / 20,
            loss=step.number % 5 / 10,
            twice=step.number % 3 / 10,
        )

    def _cost(self, line: Line, number: int) -> None:
        self._fleet.set_cost(line, 0 if line.cost == 0 else 1 + number % 9)

    def _unlink(self, step: Step) -> None:
        line = self._line(step)
        line.is_wanted = False
        self._fleet.close(line, line.ends[0])

    def _relink(self, step: Step) -> None:
        gone = [line for line in self._fleet.lines.values() if not line.is_wanted]
        if gone:
            line = gone[step.one % len(gone)]
            self._fleet.link(*line.ends, line.cost)

    def _revive(self, step: Step) -> None:
        dead = [name for name in self._names if not self._fleet.places[name].is_alive]
        if dead:
            self._fleet.start(self._fleet.places[dead[step.one % len(dead)]])

    def _lose_epoch(self, step: Step) -> None:
        """A restart without its disk; its clock may be set back too."""
        place = self._place(step)
        self._fleet.end(place, silently=False)
        place.kept_epoch = 0
        if step.number % 2:
            place.skew_s = -float(step.number)
        self._fleet.start(place)

    def _clone(self, step: Step) -> None:
        """A copy of a running router, linked elsewhere."""
        place = self._place(step)
        if place.is_edge or not place.is_alive or self._clones == 1:
            return
        others = [n for n in self._names if n != place.name and not self._fleet.places[n].is_edge]
        self._clones += 1
        copy = self._fleet.add_clone(f"{place.name}-copy", place)
        self._fleet.link(copy.name, others[step.other % len(others)], 1)
        self._fleet.start(copy)

    def _clock(self, step: Step) -> None:
        place, far = self._place(step), (3600.0, YEARS_S)[step.other % 2]
        place.skew_s += far if step.number % 2 else -far

    def _nap(self, step: Step) -> None:
        """It gets a turn once in a while only."""
        place, every_s = self._place(step), 0.2 + step.number % 30 / 10
        process = place.process

        def stop() -> None:
            if place.process is process:
                self._fleet.freeze(place, every_s)

        for turn in range(4):
            self._fleet.time.call_at(self._fleet.time.now + turn * (every_s + 0.001), stop)

    def _drain(self, place: Place, draining: bool) -> None:
        process = place.process
        if place.is_edge:
            return
        place.is_draining = draining
        if process is not None:
            process.do(
                lambda: process.run.take(process.routing.set_draining(draining, process.now()))
            )

    def _serve(self, step: Step) -> None:
        place, name = self._place(step), SERVICES[step.other % len(SERVICES)]
        key = ServiceKey(name, 80)
        match step.number % 4:
            case 0:
                place.declarations.pop(name, None)
            case 1:
                place.adverts.pop(key, None)
            case 2:
                at = place.wall(self._fleet.time.now)
                protocol = "http" if step.number % 3 else "tcp"
                if not place.is_edge:
                    place.declarations[name] = declare(name, at=at, protocol=protocol)
            case _:
                place.adverts[key] = advert(name, ready=1 + step.number % 5, capacity=10)
        process = place.process
        if process is not None:
            process.do(lambda: process.set_services(place.adverts))

    def _load(self, step: Step) -> None:
        process = self._place(step).process
        if process is None or not process.loads:
            return
        keys = sorted(process.loads)
        key = keys[step.other % len(keys)]
        load = Load(step.number % 12, step.number % 3, 10)
        process.do(lambda: process.set_load(key, load))

    def _flap(self, step: Step) -> None:
        """Ten times a second for two seconds."""
        line = self._line(step)

        def close() -> None:
            line.attempts = -5  # It comes back at once.
            self._fleet.close(line, line.ends[0])

        for turn in range(20):
            self._fleet.time.call_at(self._fleet.time.now + turn / 10, close)
