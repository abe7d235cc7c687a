"""A balancer's view of each site that could take the next request: mutable, owned by it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import floor, inf
from typing import Any, Final, Literal

import msgspec

from router.model.ids import SiteId
from router.model.messages.adverts import RateLoad
from router.model.paths import Path

SENDS_AWAY = 2  # `RateLoad.state` of a site that is over and sends all away.

_ROUNDING: Final = 1e-9  # 57 of 100 slots, not 56.99.

Verdict = Literal[
    "chosen",
    "dearer",
    "not-chosen",
    "full",
    "above-mark",
    "sheddable-share",
    "higher-level",
    "draining",
    "no-target",
    "excluded",
    "unreachable",
    "sends-away",
    "ejected",
]


class Outline(msgspec.Struct, frozen=True):
    """A candidate as decisions saw it, except its load: many decisions share the same object."""

    figures: tuple[Any, ...]
    stated_capacity: int | None
    is_learnt: bool
    known_beyond: int


class Glimpse(msgspec.Struct, frozen=True):
    """One candidate at one moment, the path to it, and when its load was last reported (None:
    never, or it is this site).
    """

    outline: Outline
    in_flight: int
    hard_full: bool
    path: Path
    heard_at: float | None


class Candidate(ABC):
    """One site. `refresh` brings the figures up to date; policies then read plain attributes.

    ``stale``: the figures may have changed since, by news or by time. ``able``: as of the last
    `refresh` the site is reachable, has ready targets, and is neither draining nor ejected.
    ``barred``: the reason why a rule excludes it; empty: none. ``ejected``: the reason why failed
    requests exclude it now; from ``ejected_until`` on it may have a probe (None: it is not ejected,
    or a probe was answered). ``spared``: the reason why it is used although ejected: no other site
    takes the request. A site that ``starts_small`` is new and gets few requests at once for now: no
    request failed there. ``hard_full``: no free slot of a configured capacity, or no permit of a
    rate. Where a rate applies, ``capacity`` is what the site takes now: in flight and permits, or
    its slots if they are fewer. ``refuses``: its router is short of memory and takes nothing new;
    then it is ``hard_full``. ``sends_away``: it is over its rate and passed over while another site
    has room. ``verdict`` is set during a decision; None: not judged. ``in_flight`` counts the
    requests that take slots; decisions use it. ``beyond``: other requests that run there, above a
    lowered capacity or at targets that are down, less the placeholders that are no requests
    (`RemoteSite`). ``turn`` belongs to `rotation`. ``share``: its weight under `split`, by its
    name; 0: none, or another policy is in force. ``weight``: its part of the turns among those that
    tie: its share, else its ready targets. Code that sets either calls `weigh`, or does the same.
    """

    __slots__ = (
        "able",
        "all_stated",
        "barred",
        "beyond",
        "capacity",
        "cost",
        "draining",
        "ejected",
        "ejected_until",
        "glimpse",
        "hard_full",
        "has_slot_here",
        "heard_at",
        "in_flight",
        "is_drained",
        "local",
        "most_for_one",
        "most_running",
        "name",
        "outline",
        "paths",
        "rate",
        "refuses",
        "reserved",
        "sends_away",
        "share",
        "share_left",
        "shares_targets",
        "site",
        "spared",
        "stale",
        "starts_small",
        "targets_ready",
        "turn",
        "verdict",
        "waiting",
        "weight",
    )

    def __init__(self, site: SiteId, name: str, local: bool) -> None:
        self.site = site
        self.name = name
        self.local = local
        self.cost = 0
        self.paths: tuple[Path, ...] = ((),)
        self.draining = False
        self.is_drained: bool | None = False
        """An operator has drained the site; None: not known of another site."""
        self.stale = True
        self.able = False
        self.barred = ""
        self.ejected = ""
        self.ejected_until: float | None = None
        self.starts_small = False
        self.spared = ""
        self.targets_ready = 0
        self.capacity: int | None = None
        self.all_stated = False
        """Each of several routers of a site has a configured capacity. Their room is then a number,
        even if one router has more in flight than its slots: the excess takes no slots of another
        router.
        """
        self.in_flight = self.beyond = 0
        self.most_running: int | None = None
        """At most so many run there, the others are on their way; None: not known."""
        self.waiting = 0
        """Requests that wait for a slot there, as last reported; for this site, as of the last
        `explain`.
        """
        self.hard_full = False
        self.has_slot_here = False
        """With several routers at this site: this router has a free slot of a configured capacity.
        """
        self.heard_at: float | None = None
        """When the last figure came; None: none has, or it is exact."""
        self.rate: RateLoad | None = None
        self.sends_away = self.refuses = False
        self.turn = 0
        self.share = self.weight = 0
        self.shares_targets = False
        """The routers of its site share targets: each has a part of their capacity."""
        self.reserved = 0
        """Slots besides ``capacity`` that only its own clients get."""
        self.most_for_one: int | None = None
        """The most slots that clients of this site may hold there at once; None: any number."""
        self.share_left: int | None = None
        """How many of ``most_for_one`` are left; at 0 the site is ``hard_full`` for this site
        alone.
        """
        self.verdict: Verdict | None = None
        # Copies of the figures, None once they have changed: of a site, made by `seen`; of one of
        # several routers, made by `RoutersOfSite`, which adds them up.
        self.outline: Outline | None = None
        self.glimpse: Glimpse | None = None

    def set_share(self, share: int) -> None:
        """Set the weight under a weighted policy; 0: none."""
        self.share = share
        self.weigh()
        self.forget_figures()

    def forget_figures(self) -> None:
        """The next report reads the figures again."""
        self.outline = self.glimpse = None

    def weigh(self) -> None:
        """Update ``weight`` after a change of ``share`` or ``targets_ready``."""
        self.weight = self.share or self.targets_ready

    @property
    def is_stated(self) -> bool:
        """The site's room is a number: a configured capacity, and no targets without
        one take more.
        """
        return self.capacity is not None and (
            self.all_stated
            or self.hard_full
            or self.in_flight < self.capacity
            or self.has_slot_here
        )

    @property
    def level(self) -> tuple[int, int]:
        """The figure that `fill` compares: a numerator, and the ready targets that divide it.

        The path cost while a slot of a configured capacity is free. Without one, the path cost + in
        flight / ready targets. Exact, as floats are not. For a candidate that is able and not full.
        """
        ready = self.targets_ready
        if self.is_stated:
            return self.cost * ready, ready
        return self.cost * ready + self.in_flight, ready

    @property
    def unrivalled_from(self) -> int:
        """The lowest path cost from which on `fill` prefers this candidate to every other one.

        From there on even an idle site has no lower level, and loses a tie on path cost.
        """
        if self.is_stated:
            return self.cost + 1
        return self.cost + (-(-self.in_flight // self.targets_ready) or 1)

    def unrivalled_below(self, rival_cost: float) -> float:
        """In-flight count below which `unrivalled_from` is at most ``rival_cost``, above its own
        cost.

        Of a candidate that has no room beyond its configured capacity.
        """
        if self.capacity is not None:
            return self.capacity
        return self.targets_ready * (rival_cost - self.cost) + 1

    def mark(self, share: float) -> float:
        """The number of slots in ``share`` of them, at least 1; infinite: none configured."""
        slots = self.stated_capacity
        return inf if slots is None else max(1, floor(slots * share + _ROUNDING))

    @property
    def has_stated_room(self) -> bool:
        """A free slot of a configured capacity, for any request."""
        capacity = self.capacity
        return (
            capacity is not None
            and self.in_flight < capacity
            and not self.hard_full
            and not self.sends_away
        )

    @property
    def free(self) -> int | None:
        """Free slots; None: no capacity configured."""
        if self.capacity is None:
            return None
        free = 0 if self.hard_full else max(0, self.capacity - self.in_flight)
        return free if self.share_left is None else min(free, self.share_left)

    def free_within(self, share: float | None) -> int | None:
        """The `free` slots within ``share`` of all: those that a sheddable request may take."""
        free = self.free
        return free if share is None or free is None else self._within(free, self.mark(share))

    def _within(self, free: int, mark: float) -> int:
        return free if mark == inf else min(free, max(0, int(mark) - self.in_flight))

    @property
    def known_beyond(self) -> int:
        """``beyond`` without placeholders: requests that run there."""
        return self.beyond

    @property
    def is_asked_again(self) -> bool:
        """A slot counts as free only because its last refusal is some time ago: no report came
        since.
        """
        return False

    @property
    def running(self) -> int:
        """All requests in flight there, as displayed."""
        held, most = self.in_flight + self.beyond, self.most_running
        return max(0, held if most is None or held < most else most)

    def waiting_there(self) -> int | None:
        """How many requests wait for a slot there; None: not stored."""
        return self.waiting

    @property
    def stated_capacity(self) -> int | None:
        """The site's slots, whatever its rate admits now; None: none configured."""
        return self.capacity

    @property
    def has_slots(self) -> bool:
        """The end of a request there may make room for another one; False: its share is 0."""
        return self.stated_capacity != 0

    @property
    @abstractmethod
    def is_learnt(self) -> bool:
        """Some of its slots are learned."""

    def is_out(self, excluded: frozenset[str]) -> bool:
        """``excluded``, sites and routers, leave nothing of it; call after `refresh`."""
        return self.site in excluded

    def has_room_without(self, left_out: frozenset[str]) -> bool:
        """As `is_out`, and the rest is not full."""
        return not self.is_out(left_out) and not self.hard_full

    def is_refused(self, refused: frozenset[str]) -> bool:
        """The site was excluded only because it was full."""
        return self.site in refused

    def freed_per_s(self, service_time_s: float) -> float:
        """The most requests a second that it admits while it is full; 0.0: not known.

        A request takes ``service_time_s``; 0.0: not known.
        """
        slots = self.stated_capacity
        if slots is None:
            return 0.0 if self.rate is None else self.rate.per_s
        by_slots = slots / service_time_s if service_time_s > 0.0 else 0.0
        return by_slots if self.rate is None else min(by_slots, self.rate.per_s)

    @abstractmethod
    def refresh(self, now: float) -> None:
        """Bring the figures up to ``now``. Repeating it changes nothing."""

    def next_path(self) -> Path:
        """The path that the next request takes; ``()``: the site is local or unreachable."""
        return ()

    def age_s(self, now: float) -> float:
        """The age of the oldest report in the figures; infinite: another site has sent none yet.
        0: they are this router's own."""
        if self.heard_at is None:
            return 0.0 if self.local else inf
        return max(0.0, now - self.heard_at)


def judge(
    order: Sequence[Candidate],
    now: float,
    excluded: frozenset[str],
    waits_for: frozenset[str],
    *,
    kept: frozenset[str],
    near_only: bool,
) -> tuple[list[Candidate], list[Candidate], bool]:
    """Refresh the candidates. Returns those that the policy may judge, those of them with room, and
    whether any of them sends all away. Both lists are in order of cost, but that this site comes
    first; a site without room is ``full``.

    ``waits_for``: excluded ones that the policy gets all the same. ``kept``: sites and routers that
    reserve their free slots, as the request is sheddable; they count as full. ``near_only``: judge
    only as far as `fill` can choose. The others keep their last verdict.
    """
    alive: list[Candidate] = []
    roomy: list[Candidate] = []
    sends_away = False
    unrivalled_from = inf  # Candidates at this path cost or above cannot be chosen.
    for one in order:
        if one.cost >= unrivalled_from:
            break
        if one.stale:  # Most are not: no report about them since the last decision.
            one.refresh(now)
        if not one.able:
            one.verdict = _disability(one)
            continue
        if excluded and one.is_out(excluded):
            one.verdict = "excluded"
            if not waits_for or not one.is_refused(waits_for):
                continue
        elif one.hard_full:
            one.verdict = "full"
        elif kept and not one.has_room_without(excluded | kept):
            one.verdict = "sheddable-share"
        else:
            one.verdict = None
            roomy.append(one)
            if near_only and not one.sends_away:
                unrivalled_from = min(unrivalled_from, one.unrivalled_from)
        alive.append(one)
        if one.sends_away:
            sends_away = True
    return alive, roomy, sends_away


def _disability(one: Candidate) -> Verdict:
    if one.barred:
        return "excluded"
    if one.draining or one.is_drained:
        return "draining"
    if not one.targets_ready:
        return "ejected" if one.local and one.ejected else "no-target"  # As `spills.absence`.
    return "ejected" if one.ejected and one.paths else "unreachable"
