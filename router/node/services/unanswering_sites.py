"""Other sites that owe answers to requests of our clients: events and notes."""

from collections import Counter
from collections.abc import Mapping

from router.balance.targets.answer_streaks import AnswerCounts, AnswerStreaks, NoAnswer, UsualTimes
from router.exchange.forwarder import Forwarder
from router.model.events import Note, TellOfService
from router.model.ids import ServiceKey, SiteId
from router.model.limits import TARGET_STUCK_AWAITED
from router.node.services.other_workers import OtherWorkers, usual_of_all
from router.routing.table import RouteTable


class UnansweringSites:
    """The one owner of the question whether another site answers requests that its targets have;
    `AnswerStreaks` has the rule, with a site in the place of a target. Requests that wait for a
    slot there do not count. That site itself reports which target it is (SW0349)."""

    __slots__ = ("_answered", "_forwarder", "_others", "_streaks", "_table", "_tell")

    def __init__(self, forwarder: Forwarder, tell: TellOfService) -> None:
        self._forwarder, self._tell = forwarder, tell
        self._streaks = AnswerStreaks()
        self._table: RouteTable | None = None
        self._answered: Mapping[tuple[ServiceKey, SiteId], int] = {}
        self._others: OtherWorkers | None = None

    def judge_with(self, others: OtherWorkers) -> None:
        """Judge also by the counts of other workers of this router."""
        self._others = others

    def look(self, table: RouteTable, now: float) -> None:
        """Call once a second: report which sites begin to answer nothing, and which answer
        again."""
        self._table = table
        counts = self._counts()
        if not counts and self._streaks.is_empty:
            return  # The usual case.
        changes = self._streaks.look(counts, self._is_ready, self._usual, now)
        for one in changes.begun:
            name, service = self._name(one), one.key.name
            text, hint = _begun(one, name, now), _hint(one, name)
            self._tell("warning", "site-stuck", name, text, hint, service=service)
        for one in changes.ended:
            name, service = self._name(one), one.key.name
            text = f"Site {name} answers requests of {one.key} again."
            self._tell("info", "site-moves", name, text, service=service)
        for one in changes.freed:
            name = self._name(one)
            text = f"Few requests of {one.key} await an answer of {name} now"
            text = f"{text}; it has answered none meanwhile."
            self._tell("info", "site-moves", name, text, service=one.key.name)
        self._forwarder.ports.set_unanswering_sites(
            {
                key: {SiteId(site): found for site, found in sites.items()}
                for key, sites in self._streaks.found.items()
            }
        )

    def notes(self, now: float) -> list[Note]:
        """One note for each site and service port."""
        return [
            Note(
                severity="warning",
                code="SW0361",
                message=_begun(one, name, now),
                hint=_hint(one, name),
            )
            for sites in self._streaks.found.values()
            for one in sites.values()
            for name in (self._name(one),)
        ]

    def _counts(self) -> dict[ServiceKey, dict[str, AnswerCounts]]:
        """Clients are checked only if a site has answered nothing since the last check."""
        readings = self._forwarder.readings
        there = {} if self._others is None else _awaited_at(self._others)
        own = set(readings.busy_elsewhere(1 if there else TARGET_STUCK_AWAITED))
        if not own and not there and self._streaks.is_empty:
            return {}
        lately = {(key, SiteId(site)) for key, site in self._streaks.waited_for_lately}
        answered = {one: self._answers(*one) for one in own | there.keys() | lately}
        is_quiet = any(self._answered.get(one) == answered[one] for one in own)
        self._answered = answered
        here = self._forwarder.awaited_elsewhere() if is_quiet else {}
        counts: dict[ServiceKey, dict[str, AnswerCounts]] = {}
        for one, count in answered.items():
            key, site = one
            awaited = here.get(one, 0) + there.get(one, 0)
            counts.setdefault(key, {})[site] = AnswerCounts(count, awaited=awaited)
        return counts

    def _usual(self, key: ServiceKey) -> UsualTimes | None:
        """The usual times. Another site may regularly be far slower than this one, and have had no
        request recently, between two bursts."""
        readings = self._forwarder.readings
        usual = usual_of_all(readings.targets, self._others, key)
        if usual is None:
            return None
        return UsualTimes(usual.most_s, max(usual.longest_s, readings.usual_elsewhere_s(key)))

    def _answers(self, key: ServiceKey, site: SiteId) -> int:
        own = self._forwarder.readings.answers_elsewhere(key).get(site, 0)
        totals = () if self._others is None else self._others.totals(key)
        return own + sum(one.answers_elsewhere.get(site, 0) for one in totals)

    def _is_ready(self, key: ServiceKey, site: str) -> bool:
        """The site is reached, and has targets of the service."""
        table = self._table
        assert table is not None, "it was looked at"
        return any(one.site == site for one in table.candidates.get(key, ()))

    def _name(self, one: NoAnswer) -> str:
        site, table = SiteId(one.address), self._table
        known = table.sites.get(site) if table is not None else None
        return known.name if known is not None else site


def _awaited_at(others: OtherWorkers) -> Counter[tuple[ServiceKey, SiteId]]:
    """Requests that sites owe an answer to clients of other workers."""
    awaited: Counter[tuple[ServiceKey, SiteId]] = Counter()
    for key in others.awaiting():
        for one in others.each(key):
            if one is not None:
                awaited.update({(key, at): n for at, n in one.awaited_elsewhere.items()})
    return awaited


def _begun(one: NoAnswer, name: str, now: float) -> str:
    return (
        f"Site {name} has answered no request of {one.key} for at least {int(now - one.since)} s, "
        f"and {one.awaited} await an answer: targets there may hang."
    )


def _hint(one: NoAnswer, name: str) -> str:
    return f"At {name}: sitectl service status {one.key.name} -v"
