"""The figures of a ledger for a service port at this site: sums over targets, rates, lending."""

from collections.abc import Callable, Collection, Iterator
from math import inf

from router.balance.rate import DemandBeside
from router.balance.site.ledger_news import LedgerNews
from router.balance.site.lending import Lending, part_of
from router.balance.site.spills import LocalTargets
from router.balance.site.target_sums import target_sums
from router.balance.site_gate import Demands, RateState, SiteGate, load_of, site_rate
from router.balance.targets.target import Target, TargetState
from router.balance.targets.target_order import TargetOrder
from router.balance.targets.target_states import EJECTED, LEAVING, READY
from router.model.capacity import LendingTerms, SiteCap
from router.model.ids import SiteId
from router.model.messages.adverts import RateLoad


class LedgerFigures:
    """The figures of a `LocalLedger`, and the calls that change them, except for requests and
    targets.

    `LocalLedger` counts requests in `in_flight` and `load` in place (hot). `_recount` follows any
    other change.
    """

    __slots__ = (
        "_above_cap",
        "_demands",
        "_granted",
        "_in_line",
        "_ready",
        "_roomy",
        "_serve",
        "_site",
        "_sole",
        "_targets",
        "_time_next",
        "abandoned",
        "ask",
        "capacity",
        "configured_capacity",
        "hand",
        "in_flight",
        "is_drained",
        "lending",
        "lent",
        "load",
        "most_for_one",
        "news",
        "order",
        "rated",
        "recounts",
        "reserved",
        "sheddable_below",
        "sheddable_share",
        "sums",
        "targets_ejected",
        "targets_ready",
    )

    def __init__(self) -> None:
        self._demands = Demands()
        self._site = SiteGate()
        self.rated = False
        """A rate or a site's cap applies. Then a caller with a request must `ask` first."""
        self.ask = self._demands.ask
        """Call with ``now``: a request is asked for, wherever it will be served."""
        self.hand = self._demands.hand
        """Call with ``now`` after `ask`: the request came from another router of this site."""
        self._targets: dict[str, Target] = {}
        self._ready: list[Target] = []
        self._sole: Target | None = None  # The only one of `_ready`, if there is just one.
        self._roomy = 0  # Ready targets with room.
        self.order = TargetOrder.LEAST_LOADED
        """The order in which those with room serve, where several are ready."""
        self._granted = 0  # Slots of targets that were chosen among several.
        self._time_next: Callable[[], None] = _nothing
        self._in_line: Collection[object] = ()
        self._serve: Callable[[], None] = _nothing
        self.news = LedgerNews()
        """Reports changes of the requests in flight and of the queue."""
        self.sums = target_sums(())
        # Plain attributes, read several times per request; only the ledger writes them.
        self.capacity: int | None = None
        """The sum over ready targets; None: none of them configures one, or one has no limit."""
        self.configured_capacity: int | None = None
        """The same with all slots of targets that have fewer for now, since they start slowly."""
        self.in_flight = 0
        """All slots held."""
        self.lent = 0
        """The part of `in_flight` held by clients of other sites; the code that serves them counts
        them.
        """
        self.abandoned = 0
        """Slots held for abandoned requests: targets may still work on them."""
        self.load = 0
        """Slots held of ready targets, of each up to its capacity, of all up to the site's cap.
        Decisions and reports use it: ``capacity - load`` is free, since connections that linger at
        a removed target, or above a lowered limit, take nothing from the other targets.
        """
        self._above_cap = 0  # Further slots that ready targets hold: the cap was lowered.
        self.targets_ready = 0
        self.targets_ejected = 0
        """Targets that failed requests took out: they are not ready."""
        self.is_drained = False
        """An operator has drained this site: it takes no new requests of the service."""
        self.recounts = 0
        """Changes whenever anything but ``load`` may have changed, apart from the
        effects of rates.
        """
        self.lending: Lending | None = None
        """Limits the slots for clients of other sites; None: they may have any slot."""
        self.reserved = 0
        """The slots of `capacity` that clients of other sites never get."""
        self.most_for_one: int | None = None
        """How many slots one neighbor may hold at once; None: any number."""
        self.sheddable_share: float | None = None
        """Sheddable requests get slots up to this share of them; None: no request is sheddable."""
        self.sheddable_below: float = inf
        """A sheddable request gets a slot only while `load` is below."""

    def set_line(self, in_line: Collection[object], serve: Callable[[], None]) -> None:
        """The requests ``in_line`` wait for slots. ``serve`` gives them free slots, in the same
        step in which a slot is given back.
        """
        self._in_line, self._serve = in_line, serve

    @property
    def beyond(self) -> int:
        """In flight besides `load`: above a lowered capacity or cap, at targets that are down or
        removed.

        `recounts` changes whenever it does.
        """
        return self.in_flight - self.load

    @property
    def is_full(self) -> bool:
        """Ready targets exist, and none has a free slot or the site has none."""
        return bool(self._ready) and (not self._roomy or self.load >= self._site.slots)

    def has_room_at(self, now: float) -> bool:
        """Some ready target takes one more, and so does the site."""
        if not self.rated:
            return self._roomy > 0
        return self._site.has_room(self.load, now) and any(
            one.takes_one(now) for one in self._ready
        )

    def next_room_at(self, now: float) -> float:
        """When, slots apart, the rates admit the next request: ``now`` or later.

        Infinite: only a slot that is given back makes room.
        """
        if not self.rated or self.load >= self._site.slots:
            return inf
        roomy = [one.gate for one in self._ready if one.has_room()]
        at = min((now if gate is None else gate.free_at(now) for gate in roomy), default=inf)
        return at if self._site.gate is None else max(at, self._site.gate.free_at(now))

    def rate_load(self, now: float) -> RateLoad | None:
        """The part of `rate_state` for decisions and other sites."""
        if not self.rated:
            return None
        return load_of([one.gate for one in self._ready], self._site, now)

    def rate_state(self, now: float) -> RateState | None:
        """The rate of the whole; None: none is configured, or not for all targets."""
        if not self.rated:
            return None
        return site_rate([one.gate for one in self._ready], self._site, now)

    def asked_per_s(self, now: float) -> float | None:
        """The demand that counts for its rate, as in `LoadReport`; None: there is no rate."""
        gates = (self._site.gate, *[one.gate for one in self._ready])
        gate = next((one for one in gates if one is not None), None)
        return None if gate is None else gate.demand.own_per_s(now)

    def set_demand_beside(self, asked_per_s: float, rate_per_s: float) -> None:
        """Other routers of this site have ``rate_per_s`` of the rate, and ``asked_per_s`` is asked
        of them. A rate of 0: there are none, or it is not known.
        """
        own, beside = self.rate_per_s, None
        if own is not None and rate_per_s:
            beside = DemandBeside(asked_per_s, part=own / (own + rate_per_s))
        self._demands.set_beside(beside)

    @property
    def rate_per_s(self) -> float | None:
        """The most requests a second; None: the whole has no configured rate."""
        if not self.rated:
            return None
        gates = [one.gate for one in self._ready]
        sums = [gate.rate.per_s for gate in gates if gate is not None]
        whole = [sum(sums)] if sums and len(sums) == len(gates) else []
        if self._site.gate is not None:
            whole.append(self._site.gate.rate.per_s)
        return min(whole, default=None)

    @property
    def site_cap(self) -> SiteCap | None:
        """The cap last passed to `set_site_cap`."""
        return self._site.cap

    @property
    def is_capped(self) -> bool:
        """Whether the cap of this site sets `capacity`: its ready targets take more."""
        of_targets = self.sums.slots if self.sums.all_stated else None
        return bool(self._ready) and self._site.slots < (inf if of_targets is None else of_targets)

    def set_site_cap(self, cap: SiteCap | None) -> None:
        """Set the cap of this site over all its targets. Ends no request in flight."""
        self._site.set(cap, self._demands)
        self._recount()

    def set_lending(self, terms: LendingTerms | None, own: SiteId) -> None:
        """Set which of its slots this site, ``own``, lends; None: all of them. Ends no request."""
        if terms is None:
            self.lending, self.reserved, self.most_for_one = None, 0, None
            return
        if self.lending is None:
            self.lending = Lending(own, terms)
        self.lending.terms = terms
        self._recount_lending(self.lending)

    def set_sheddable_share(self, share: float | None) -> None:
        """See `sheddable_share`. Ends no request."""
        self.sheddable_share = share
        self._recount()

    def set_drained(self, is_drained: bool) -> None:
        """Whether an operator has drained this site for the service."""
        self.is_drained = is_drained
        self._recount()

    def targets(self, now: float) -> list[TargetState]:
        """All targets, including the removed ones that still have requests in flight."""
        return [one.state(now) for one in self._targets.values()]

    @property
    def local_targets(self) -> LocalTargets:
        """The number of targets, without removed ones, and how many are ready and ejected."""
        total = sum(one.availability is not LEAVING for one in self._targets.values())
        return LocalTargets(total, self.targets_ready, self.targets_ejected)

    def standing(self) -> dict[str, bool]:
        """For each of `targets`, whether it is ready."""
        return {address: one.availability is READY for address, one in self._targets.items()}

    def busy_targets(self, least: int) -> Iterator[tuple[str, int, bool]]:
        """Ready targets with requests that have no free slot or at least ``least`` requests.

        Each with the number of requests it has completed, and whether it has no free slot.
        """
        for address, one in self._targets.items():
            if one.availability is READY and one.in_flight:
                is_full = not one.has_room()
                if is_full or one.in_flight >= least:
                    yield address, one.completed, is_full

    def ended(self) -> dict[str, int]:
        """How many requests ended at each of `targets`, see `Target.ended`."""
        return {address: one.ended for address, one in self._targets.items()}

    def ended_at(self, address: str) -> int | None:
        """How many requests ended at one target, see `Target.ended`; None: it is not ready."""
        one = self._targets.get(address)
        return one.ended if one is not None and one.availability is READY else None

    def completed_by(self, address: str) -> int | None:
        """How many requests one target has completed; None: it is not ready."""
        one = self._targets.get(address)
        return one.completed if one is not None and one.availability is READY else None

    def is_target_full(self, address: str) -> bool:
        """Whether one of `targets` has no free slot, rates apart."""
        return not self._targets[address].has_room()

    def _recount(self) -> None:
        """Sums over targets, after a change of targets, readiness or capacity."""
        self.recounts += 1
        self._ready = [one for one in self._targets.values() if one.availability is READY]
        self.targets_ready = len(self._ready)
        self.targets_ejected = sum(one.availability is EJECTED for one in self._targets.values())
        self._sole = self._ready[0] if self.targets_ready == 1 else None
        self.sums = sums = target_sums(self._ready)
        is_weighed = sums.all_stated and self.order is not TargetOrder.IN_TURN
        for one in self._ready:
            one.weight = max(1, one.capacity or 1) if is_weighed else 1
        self.capacity, self.configured_capacity = sums.slots, sums.configured_slots
        load = sum(
            one.in_flight if one.capacity is None else min(one.in_flight, one.capacity)
            for one in self._ready
        )
        self.load = int(min(load, self._site.slots))
        self._above_cap = load - self.load
        self._roomy = sum(one.has_room() for one in self._ready)
        self._recount_rates()

    def _recount_rates(self) -> None:
        """Divide the demand among the gates, each a share in proportion to its rate."""
        site = self._site
        gates = [one.gate for one in self._ready if one.gate is not None]
        whole = sum(gate.rate.per_s for gate in gates)
        for gate in gates:
            gate.share = gate.rate.per_s / whole
        self.rated = bool(gates) or site.cap is not None
        if site.cap is not None and site.cap.slots is not None and self._ready:
            whole_slots = self.capacity if self.sums.all_stated else None
            slots = site.cap.slots
            self.capacity = slots if whole_slots is None else min(slots, whole_slots)
            if whole_slots is None or self.configured_capacity is None:
                self.configured_capacity = slots
            else:
                self.configured_capacity = min(slots, self.configured_capacity)
        known = [one.gate for one in self._targets.values()]
        if site.gate is not None:
            known.append(site.gate)
        self._demands.keep(gate.rate.window_s for gate in known if gate is not None)
        share, self.sheddable_below = self.sheddable_share, inf
        if share is not None:
            parts = [part_of(share, *part, least=1) for part in self._slot_parts()]
            self.sheddable_below = min(parts, default=inf)
        if self.lending is not None:
            self._recount_lending(self.lending)

    def _slot_parts(self, capped_before: int = 0) -> list[tuple[int, int]]:
        """As in `Lending.recount`. The slots have a number where all targets configure one, or the
        site has a cap of slots, of which other routers have ``capped_before``.
        """
        cap = self._site.slots
        parts: list[tuple[int, int]] = []
        if self.sums.all_stated and self._ready:
            of_targets = sum([one.capacity or 0 for one in self._ready])
            parts.append((of_targets, sum([one.before for one in self._ready])))
        if cap < inf and self._ready:
            parts.append((int(cap), capped_before))
        return parts

    def _recount_lending(self, lending: Lending) -> None:
        slots = self.capacity
        lending.recount(self._slot_parts(lending.terms.capped_before))
        self.reserved = 0
        if slots is not None and lending.limit < slots:
            self.reserved = slots - int(lending.limit)
        self.most_for_one = None if lending.most == inf else int(lending.most)


def _nothing() -> None:
    pass
