"""One service port at this site: its parts joined, its figures in one place."""

from collections.abc import Mapping, Sequence

from router.balance.balancer import ServiceBalancer
from router.balance.deciding.decisions import NoChoice
from router.balance.learning.demand import Demand, each_of
from router.balance.retries import RetryBudget
from router.balance.site.fair_queue import queue_limit
from router.balance.site.ledger import LocalLedger
from router.balance.sites.site_ejection import SiteNews, SiteWoken
from router.balance.targets.recent_times import RecentTimes
from router.http.http1.responses import KnownResponses
from router.http.http1.terms import http_terms
from router.model import limits
from router.model.capacity import LendingTerms, SiteCap
from router.model.ids import ServiceKey, SiteId
from router.model.messages.adverts import LoadReport, RemoteCandidate
from router.model.specs import ServiceSpec
from router.service.admission import SlotAdmission
from router.service.counters import ServiceCounters
from router.service.figures import QueueNow
from router.service.http_frontend import HttpFrontend
from router.service.ports import TargetConfig
from router.service.rate_watch import RateWatch
from router.service.recent_requests import RecentRequests
from router.service.request_ids import RequestIds
from router.service.request_queue import RequestQueue
from router.service.router_context import RouterContext
from router.service.service_figures import AdvertisedTargets, ServiceFigures
from router.service.sessions import Sessions
from router.service.sheddable import SheddableRule, rule_of
from router.service.sites.answer_timing import AnswerTiming
from router.service.sites.missing_routes import MissingRoutes
from router.service.sites.remotes import Remotes
from router.service.sites.unanswered import UnansweredStreams
from router.service.targets.own_targets import OwnTargets
from router.service.wake_state import WakeState


class Service(ServiceFigures):
    """The owner of a service port's ledger, balancer, queue, targets and counters.

    It may lack a listener (egress only), targets (ingress only), or a declaration elsewhere.
    """

    __slots__ = (
        "_context",
        "_rate_watch",
        "_told",
        "answer_timing",
        "branch_to",
        "config",
        "frontend",
        "heads",
        "key",
        "name_of",
        "now",
        "observing",
        "outcomes",
        "recent_requests",
        "refused_messages",
        "request_ids",
        "routes",
        "sessions",
        "sheddable",
        "streams",
        "target_ways",
        "unanswered",
        "wake_state",
    )

    def __init__(self, key: ServiceKey, config: ServiceSpec, context: RouterContext) -> None:
        self.key, self.config, self._context = key, config, context
        self._refer_to(context)
        # Requests: their figures, and the rules for them.
        self.protocol = config.protocol
        self.counters = ServiceCounters(config.policy.name)
        self.demand = Demand()
        self.recent_requests = RecentRequests()
        self.recent_times = RecentTimes()
        self.retries = RetryBudget(config.limits.retry_percent, context.network.now())
        self.request_ids = RequestIds(context.rng)
        self.request_ids.set_name(config.request_id)
        self.sessions: Sessions | None = None
        """None: no affinity."""
        self.sheddable: SheddableRule | None = None
        """None: no request is sheddable."""
        # Other sites.
        self.remotes = Remotes()
        self.unanswered = UnansweredStreams(
            context.network, self.remotes, lambda: self.config.timeouts.connect_s
        )
        self.answer_timing = AnswerTiming()
        self.routes = MissingRoutes(context.settles_until)
        # Slots of this site, the choice of a site, and the queue.
        self.ledger = LocalLedger()
        self.ledger.set_in_turn(config.policy.name == "spread")
        self.balancer = ServiceBalancer(
            key, context.site, context.site_name, self.ledger, config.policy, context.router
        )
        self.admission = SlotAdmission(self.ledger, self.queue_limit, context.network)
        self.wake_state = self._new_wake_state()
        self.frontend = HttpFrontend(
            key=key,
            site_name=context.site_name,
            scheme=_scheme_of(config),
            terms=http_terms(config),
            limits=config.limits,
            request_ids=self.request_ids,
            heads=self.heads,
            timers=self.timers,
            rng=context.rng,
        )
        self.queue = self._new_queue()
        self._rate_watch = RateWatch(self.ledger, context.network, self._rate_changed)
        self._follow_slots()
        # Targets of this site.
        self.own_targets = OwnTargets(self.ledger, config, self._known_responses, context, self)
        self.outcomes = self.own_targets.outcomes
        self.timings = self.own_targets.timings
        self.target_ways = self.own_targets.ways
        # The last findings and reports about this service port.
        self.unanswering = {}
        self.unanswering_sites = {}
        self.failing = {}
        self._told: tuple[bool, AdvertisedTargets] = (False, AdvertisedTargets())
        self._set_sessions()
        self._set_sheddable()

    # Its parts

    def _refer_to(self, context: RouterContext) -> None:
        """Each request reads these, without a step over the context."""
        self.heads = context.heads
        self.site = context.site
        self.streams = context.streams
        self.branch_to = context.branch_to
        self.name_of = context.name_of
        self.observing = context.observing
        self.timers = context.network
        self.now = context.network.now
        self.pressure = context.pressure
        self.refused_messages = context.refused_messages

    def _new_wake_state(self) -> WakeState:
        return WakeState(
            self.config.hold_s,
            self.balancer,
            self.ledger,
            lambda: self.queue.line,
            self.now,
            self._renew_frontend,
            self._context.settles_until,
        )

    def _new_queue(self) -> RequestQueue:
        return RequestQueue(
            self.site,
            self.balancer,
            self.admission,
            self.timers,
            limit=self.queue_limit,
            round_trip_s=self.remotes.round_trip_s,
            freed_per_s=self._freed_per_s,
            is_held=self.wake_state.is_held,
        )

    def _follow_slots(self) -> None:
        self.balancer.ejections.follow(self._site_news, self._look_at_sites)
        self.ledger.news.follow(lambda: self.timers.at_turn_end(self._tell_load_changed))
        self.ledger.follow_choices(self._time_next)

    # Configuration

    def set_config(self, config: ServiceSpec) -> None:
        """Take over a changed definition. Exchanges under way go on as they began."""
        before, self.config = self.config, config
        if config.policy != before.policy:
            self.balancer.set_policy(config.policy)
            self.ledger.set_in_turn(config.policy.name == "spread")
            self.counters.set_policy(config.policy.name)
        if (config.affinity, config.tls_cert) != (before.affinity, before.tls_cert):
            self._set_sessions()
        self.retries.set_percent(config.limits.retry_percent)
        self.wake_state.set_hold_s(config.hold_s)
        self.request_ids.set_name(config.request_id)
        self._renew_frontend()
        self.own_targets.set_config(config, self._known_responses)
        self.protocol = config.protocol
        self._set_sheddable()
        self.queue.reconsider()

    def _renew_frontend(self) -> None:
        """The time-out of an answer includes the time for which a request can be held."""
        config = self.config
        held_s = config.hold_s if self.wake_state.has_hook else 0.0
        self.frontend.set_terms(_scheme_of(config), http_terms(config, held_s), config.limits)

    def set_targets(self, targets: Mapping[str, TargetConfig]) -> None:
        """Targets by ``host:port``; their requests in flight go on."""
        self.own_targets.set(targets)

    def set_site_cap(self, cap: SiteCap | None) -> None:
        """Set the cap of this site for the service, over all its targets."""
        if cap != self.ledger.site_cap:
            self.ledger.set_site_cap(cap)
            self.targets_changed()

    def set_lending(self, terms: LendingTerms | None) -> bool:
        """Set which of its slots this site lends to clients of other sites; None: all of them.

        True: from now on it counts the slots of each neighbor, and the caller must count those that
        are held already.
        """
        ledger = self.ledger
        before = ledger.lending
        if (None if before is None else before.terms) == terms:
            return False
        ledger.set_lending(terms, self.site)
        self.targets_changed()
        return before is None

    def set_drained(self, is_drained: bool) -> None:
        """Whether an operator has drained this site; its targets are unusable then."""
        if is_drained != self.ledger.is_drained:
            self.ledger.set_drained(is_drained)

    def set_remotes(self, remotes: Sequence[RemoteCandidate]) -> None:
        """The remote candidates of the present route table; their paths may have changed."""
        if not self.balancer.has(remotes):  # Of a thousand services nearly all are unchanged.
            was_served = self.balancer.is_served_elsewhere
            self.wake_state.expect(remotes)
            self.remotes.learn(remotes)
            self.balancer.set_remotes(remotes)
            self._note_desertion(was_served)
            if self.sessions is not None:
                self.sessions.set_sites(self.balancer.sites)
        self.balancer.forget_gone(self.now())
        self.routes.changed()
        self.queue.rerouted()
        self.own_targets.recall_if_deserted()

    def report_load(self, report: LoadReport, site: SiteId) -> None:
        """A load report of ``site`` came; waiting requests may go there at once."""
        if not self.balancer.reaches(site, report.router):
            return
        was_served = self.balancer.is_served_elsewhere
        self.balancer.report(report, site, self.timers.now())
        self._note_desertion(was_served)
        self.queue.reconsider()
        self.own_targets.recall_if_deserted()

    def stop(self) -> None:
        """End waits, checks and stored connections; requests in flight end by themselves."""
        self.set_remotes(())
        self.set_targets({})
        self.queue.dismiss_all()

    def shed_idle(self) -> int:
        """Close unused connections to targets; returns how many."""
        return self.target_ways.shed_idle()

    def queue_now(self, choice: NoChoice, *, sheddable: bool = False) -> QueueNow:
        """The queue for a request that comes now and finds every site full, by ``choice``."""
        waking, now = self.wake_state, self.timers.now()
        held_s = waking.held_s(now)
        wait_s = self.config.queue_wait_s + held_s
        outlook = self.queue.outlook(choice, wait_s, sheddable=sheddable)
        wake = waking.wake if held_s else None
        woke_at, again_at = (wake.woke_at, wake.again_at) if wake is not None else (None, None)
        return QueueNow(
            outlook=outlook,
            waiting=self.queue.queued,
            limit=self.queue_limit(),
            wait_s=wait_s,
            wake=wake,
            waking_s=None if woke_at is None else round(now - woke_at, 3),
            again_s=None if again_at is None else round(max(0.0, again_at - now), 3),
            is_woken=waking.is_woken,
        )

    def parts_of(self, address: str) -> int:
        """How many parts of answers one target has sent, see `TargetAnswers`."""
        answers = self.target_ways.answers.get(address)
        return answers.parts if answers is not None else 0

    # Internal

    @property
    def _known_responses(self) -> KnownResponses:
        """By the current limits."""
        return KnownResponses(self.frontend.terms.heads, self.heads.responses)

    def _note_each(self) -> None:
        """Store the capacity of one target while one is ready, so that it is known when none is."""
        ledger, demand = self.ledger, self.demand
        if ledger.targets_ready or (demand.each is None and self.own_targets.are_there):
            targets = ledger.targets(self.timers.now())
            demand.each = each_of(targets, learnt=ledger.sums.learns)

    def _time_next(self) -> None:
        """With tcp no answer shows how long it took."""
        if self.protocol != "tcp":
            self.timings.time_next()

    def is_loaded(self) -> bool:
        """Requests are in flight here or by us elsewhere, or wait: a new target would get many."""
        return bool(self.ledger.in_flight or self.queue.unserved or self.balancer.held_elsewhere)

    def _site_news(self, news: SiteNews) -> None:
        if isinstance(news, SiteWoken):
            self.wake_state.answered()
        self._look_at_sites()
        self._context.site_news(self.key, news)

    def _look_at_sites(self) -> None:
        """At the end of the turn: a leg that reports its end must not start others."""
        self.timers.at_turn_end(self._sites_changed)

    def _sites_changed(self) -> None:
        self.queue.reconsider()
        self.own_targets.recall_if_deserted()

    def _freed_per_s(self, place: str) -> float:
        return self.balancer.freed_per_s(place, self.remotes.least_time_s)

    def is_served_elsewhere(self) -> bool:
        """Another site, or another router of this one, has ready targets."""
        return self.balancer.is_served_elsewhere

    def is_served_at_other_sites(self) -> bool:
        """Another site has ready targets."""
        return self.balancer.is_served_at_other_sites

    def _note_desertion(self, was_served: bool) -> None:
        if was_served and not self.balancer.is_served_elsewhere:
            self.routes.deserted(self.timers.now())

    def targets_changed(self) -> None:
        """The targets here, their readiness or capacity changed: waiting requests may go on."""
        self._note_each()
        self.wake_state.targets_changed()
        self.admission.serve()
        self.queue.reconsider()
        self._rate_watch.look(has_targets=self.own_targets.are_there)
        advertised = (self.own_targets.are_there, self.advertised_targets())
        if advertised != self._told:
            self._told = advertised
            self._context.targets_changed()
        self._load_changed()

    def _rate_changed(self) -> None:
        self.admission.serve()
        self.queue.reconsider()
        self._load_changed()

    def capacity_learnt(self) -> None:
        """A target takes more or fewer at once. Reported as load, and not by LSA.

        At the end of the turn: a leg that receives the start of its answer must not start others.
        """
        self.timers.at_turn_end(self._serve_learnt)
        self._load_changed()

    def _serve_learnt(self) -> None:
        self._note_each()
        self.admission.serve()
        self.queue.reconsider()

    def pressure_changed(self) -> None:
        """This router is short of memory, or no longer: reported to other sites."""
        self._load_changed()

    def count_ended(self) -> None:
        """Call at the end of each turn in which requests ended, and before counters are read: a
        timer may read them within that turn, when other counts of these requests have changed
        already.
        """
        self.remotes.note_service(self.counters.count_ended())

    def _load_changed(self) -> None:
        """Reported once per turn, however many requests begin and end in it."""
        self.ledger.news.note()

    def _tell_load_changed(self) -> None:
        self.ledger.news.listen()
        self._context.load_changed(self.key)

    def _set_sessions(self) -> None:
        """A changed affinity begins with no session known."""
        affinity = self.config.affinity
        if affinity is None:
            self.sessions = None
            return
        secure = self.config.tls_cert != ""
        self.sessions = Sessions(affinity, self.key, self._context.rng, secure=secure)
        self.sessions.set_sites(self.balancer.sites)

    def _set_sheddable(self) -> None:
        """Requests under way keep their class."""
        rule = rule_of(self.config, self.sheddable)
        if rule is not self.sheddable:
            self.sheddable = rule
            share = None if rule is None else rule.share
            self.balancer.set_sheddable_share(share)
            self.ledger.set_sheddable_share(share)
            self.admission.serve()

    def queue_limit(self) -> int:
        """How many requests may wait now."""
        limit = queue_limit(self.config.queue, self.ledger.load + self.balancer.held_elsewhere)
        if limit and self.wake_state.is_held():
            return max(limit, limits.HOLD_QUEUE)
        return limit


def _scheme_of(config: ServiceSpec) -> bytes:
    return b"https" if config.tls_cert else b"http"
