"""The estimate of another site, against a plain account of its reports and our requests since."""

from collections import defaultdict
from math import floor
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from router.balance.deciding.candidates import SENDS_AWAY
from router.balance.sites.remote_site import RemoteSite
from router.balance.sites.site_ejection import SiteEjections
from router.model import limits
from router.model.ids import RouterId, SiteId
from router.model.messages.adverts import LoadReport, RateLoad
from tests.examples import examples
from tests.unit.balance.builders import HERE, remote

FIGURES = st.sampled_from((0, 1, 3, 4, 5, 9))
SLOTS = st.none() | st.sampled_from((0, 1, 4, 8))
RATES = st.none() | st.builds(
    RateLoad,
    st.sampled_from((0.5, 2.0, 8.0)),
    st.sampled_from((0, 1, 5)),
    st.sampled_from((0, 1, SENDS_AWAY)),
)
SOON = (0.0, 0.0, limits.LOAD_OVERTAKEN_S / 2, limits.LOAD_OVERTAKEN_S * 2, 0.25)
LATER_S = st.sampled_from((*SOON, limits.REFUSED_FULL_S, limits.EJECT_SERVED_S * 1.5))


class Report(NamedTuple):
    targets: int
    slots: int | None
    rate: RateLoad | None
    beyond: int
    waiting: int


class Step(NamedTuple):
    what: str
    figure: int
    later_s: float
    report: Report


STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from(
            ("open", "open", "end", "count", "failed", "report", "load", "refuse", "stand", "stood")
        ),
        FIGURES,
        LATER_S,
        st.builds(Report, st.integers(0, 3), SLOTS, RATES, FIGURES, FIGURES),
    ),
    max_size=40,
)


class Account:
    """The last figure heard + ours opened - ours ended since; of a rate the permits."""

    def __init__(self, targets: int, slots: int | None) -> None:
        self.advert_targets, self.advert_slots = targets, slots
        self.targets, self.slots = targets, slots
        self.heard, self.opened, self.ended = 0, 0, 0
        self.apart = self.beyond = self.waiting = self.refusals = 0
        self.heard_at: float | None = None
        self.counted_at = self.full_until = -1e9
        self.is_refused = False
        self.rate: RateLoad | None = None
        self.permits = self.permits_most = self.permits_at = 0.0
        self.under_way = 0
        self.served: list[int] = [1]  # At once, in the current period.
        self.served_before, self.served_until = 1, -1e9

    @property
    def estimate(self) -> int:
        return self.heard + self.opened - self.ended

    def hear(self, in_flight: int, now: float) -> None:
        self.heard, self.opened, self.ended, self.apart = in_flight, 0, 0, 0
        self.is_refused, self.refusals, self.heard_at = False, 0, now

    def hear_count(self, in_flight: int, now: float) -> None:
        self.hear(in_flight, now)
        self.counted_at = now

    def hear_report(self, in_flight: int, now: float) -> None:
        is_late = now - self.counted_at >= limits.LOAD_OVERTAKEN_S
        if is_late or in_flight <= self.estimate:
            self.hear(in_flight, now)

    def load(self, report: Report, now: float) -> None:
        self.targets = min(report.targets, self.advert_targets)
        bounds = [one for one in (report.slots, self.advert_slots) if one is not None]
        self.slots = min(bounds, default=None)
        self.beyond, self.waiting, self.rate = report.beyond, report.waiting, report.rate
        if report.rate is not None:
            self.permits, self.permits_at = float(report.rate.permits), now
            self.permits_most = max(self.permits, report.rate.per_s, 1.0)

    def refuse(self, in_flight: int, now: float) -> None:
        refusals = self.refusals
        self.hear(in_flight, now)
        if self.slots is None or in_flight < self.slots:
            if self.rate is not None:
                self.permits, self.permits_at = 0.0, now
            elif self.slots is not None:
                self.heard, self.apart = self.slots, self.slots - in_flight
        self.is_refused, self.full_until = True, now + limits.REFUSED_FULL_S
        self.refusals = refusals + 1

    def begin(self) -> None:
        self.under_way += 1

    def open(self) -> None:
        self.opened += 1
        self.permits -= 1.0
        self.begin()

    def stand(self) -> None:
        self.opened += 1
        self.apart += 1
        self.permits -= 1.0

    def stood(self) -> None:
        if self.apart > 0:
            self.apart -= 1
        else:
            self.opened += 1
        self.begin()

    def end(self, in_flight: int, now: float, *, served: bool) -> None:
        others = self.under_way - 1
        self.under_way = max(0, others)
        if in_flight >= 0:
            if served and others > 0:
                self.turn_period(now)
                if others >= max(self.served):
                    self.served.append(max(self.served) + 1)
            self.hear_count(in_flight, now)
        elif self.refusals:
            self.refusals -= 1
        else:
            self.ended += 1
            self.is_refused = False

    def turn_period(self, now: float) -> None:
        if now >= self.served_until:
            is_next = now - self.served_until < limits.EJECT_SERVED_S
            self.served_before = max(self.served) if is_next else 1
            self.served, self.served_until = [1], now + limits.EJECT_SERVED_S

    def look(self, now: float) -> None:
        if self.is_refused and now >= self.full_until:
            self.is_refused = False
            if self.slots is not None and self.estimate >= self.slots:
                self.apart += self.slots - 1 - self.estimate
                self.heard, self.opened, self.ended = self.slots - 1, 0, 0
        if self.rate is not None:
            more = (now - self.permits_at) * self.rate.per_s
            self.permits, self.permits_at = min(self.permits + more, self.permits_most), now

    def agrees(self, site: RemoteSite, now: float) -> None:
        in_flight = max(0, self.estimate)
        permits = max(0, floor(self.permits + 1e-9))
        assert site.in_flight == in_flight
        assert site.beyond == self.beyond - self.apart
        assert (site.waiting, site.targets_ready) == (self.waiting, self.targets)
        assert site.weight == self.targets
        assert site.able == (self.targets > 0)
        assert site.stated_capacity == self.slots
        assert site.is_learnt == (self.advert_slots is None and self.slots is not None)
        has_slots = self.slots is None or in_flight < self.slots
        has_permit = self.rate is None or permits > 0
        assert site.hard_full == (self.is_refused or not has_slots or not has_permit)
        takes = [] if self.rate is None else [in_flight + permits]
        slots = [] if self.slots is None else [self.slots]
        assert site.capacity == min(takes + slots, default=None)
        told = self.rate and RateLoad(self.rate.per_s, permits, self.rate.state)
        assert site.rate == told
        assert site.sends_away == (self.rate is not None and self.rate.state == SENDS_AWAY)
        seems_full = self.slots is not None and self.estimate - self.apart >= self.slots
        assert site.is_asked_again == (seems_full and has_slots)
        assert site.age_s(now) == (float("inf") if self.heard_at is None else now - self.heard_at)
        assert self.heard_at is None or site.age_s(self.heard_at - 1.0) == 0.0
        freed = [] if self.slots is None else [self.slots / 0.5]
        freed += [] if self.rate is None else [self.rate.per_s]
        assert site.freed_per_s(0.5) == min(freed, default=0.0)
        self.turn_period(now)
        assert site.served.most(now) == max(self.served_before, *self.served)


@settings(max_examples=examples(300))
@given(targets=st.integers(1, 3), slots=SLOTS, looks=st.sampled_from((1, 2, 3, 9)), steps=STEPS)
def test_an_estimate_is_what_was_heard_and_what_we_did_since(
    targets: int, slots: int | None, looks: int, steps: list[Step]
) -> None:
    advert = remote("a", targets_ready=targets, capacity=slots)
    under_way: defaultdict[SiteId, int] = defaultdict(int)
    nothing_ejected = SiteEjections(HERE, lambda site, now: False, lambda ejection: None)
    site, account, now = (
        RemoteSite(advert, under_way, nothing_ejected),
        Account(targets, slots),
        9.0,
    )
    for number, step in enumerate(steps):
        now += step.later_s
        if step.what == "open":
            site.open()
            account.open()
        elif step.what == "stand":
            site.stand()
            account.stand()
        elif step.what == "stood":
            site.stood()
            account.stood()
        elif step.what == "end":
            site.end(step.figure, now)
            account.end(step.figure, now, served=True)
        elif step.what == "failed":
            site.end(-1 if step.figure % 2 else step.figure, now, served=False)
            account.end(-1 if step.figure % 2 else step.figure, now, served=False)
        elif step.what == "count":
            site.hear(step.figure, now)
            account.hear_count(step.figure, now)
        elif step.what == "report":
            site.hear_report(step.figure, now)
            account.hear_report(step.figure, now)
        elif step.what == "load":
            site.report(LoadReport(RouterId("r"), 1, "web", 80, 0, *step.report), now)
            account.load(step.report, now)
        else:
            site.refuse(step.figure, now)
            account.refuse(step.figure, now)
        assert under_way.get(SiteId("a"), 0) == account.under_way
        if number % looks == 0:
            if site.stale:
                site.refresh(now)
            else:
                assert site.rate is None, "a rate lets in more with time: it is always stale"
            account.look(now)
            account.agrees(site, now)
