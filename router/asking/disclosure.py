"""Decides which facts about this site another site may see: by this site's rules, those of the
site that declares a service, and the terms of the asker's link.
"""

from collections.abc import Callable

import msgspec

from router.admin.views.links import LinkView
from router.asking import sibling_news
from router.asking.figures_cache import FiguresCache, Gathered, SiteFacts
from router.asking.history_answer import encoded
from router.asking.site_answer import LinkAnswer, ProblemAnswer, SiteAnswer, SiteQuestion, assembled
from router.asking.texts import names_any, printable, without_addresses_and_paths
from router.model import limits
from router.model.ids import SiteId
from router.model.rights.sharing import Party, SharingRules, Terms, any_matches, name_any
from router.net.ports import Network
from router.routing.table import RouteTable

Told = Callable[[bytes], None]
IsKnown = Callable[[str], bool]


class QuestionOrigin(msgspec.Struct, frozen=True):
    """The asker. ``terms``: those of the link, if the asker is at its other end.

    ``is_sibling``: the router at the other end of the link belongs to this site.
    """

    party: Party
    terms: Terms
    is_sibling: bool = False


def may_know(service: str, asker: QuestionOrigin, rules: SharingRules, table: RouteTable) -> bool:
    """Whether rules and terms let ``asker`` use ``service`` of this site.

    If another site declares the service, that site must also export it to the asker.
    """
    if not any_matches(asker.terms.import_, service):
        return False
    if not name_any(rules.of(service).export_to, asker.party):
        return False
    declared = table.declarations.get(service)
    if declared is None or declared.site == asker.party.site:
        return True
    return name_any(declared.declaration.export_to, asker.party)


class Disclosure:
    """Makes answers and caches each for a while."""

    __slots__ = ("_facts", "_gathering", "_kept", "_news", "_site", "now")

    def __init__(self, site: SiteId, facts: SiteFacts, network: Network) -> None:
        self._site = site
        self._facts = facts
        self._gathering = FiguresCache(network, facts)
        self._kept: dict[tuple[SiteQuestion, QuestionOrigin], tuple[float, bytes]] = {}
        self.now = network.now
        self._news: Callable[[int], bytes] | None = None

    def tell_siblings(self, news: Callable[[int], bytes]) -> None:
        """Answer routers of this site with ``news``: `sibling_news` of this router after an event
        number.
        """
        self._news = news

    def kept(self, question: SiteQuestion, asker: QuestionOrigin) -> bytes | None:
        """The cached answer to ``asker``; None: there is none, or it is too old."""
        found = self._kept.get((question, asker))
        if found is None or self.now() - found[0] > limits.SITE_KEPT_S:
            return None
        return found[1]

    def tell(
        self,
        question: SiteQuestion,
        asker: QuestionOrigin,
        rules: SharingRules,
        table: RouteTable,
        done: Told,
    ) -> bool:
        """Call ``done`` once with the answer, perhaps before this call returns. False: this version
        does not know the question, and ``done`` is not called."""

        def is_known(service: str) -> bool:
            return may_know(service, asker, rules, table)

        def made(answer: bytes) -> None:
            if len(self._kept) >= limits.SITE_ANSWERS_KEPT_MAX:
                self._kept.clear()
            self._kept[question, asker] = (self.now(), answer)
            done(answer)

        if question.about == "site":
            self.whole(is_known, made)
            return True
        if question.about == "history":
            histories = self._facts.histories(question.service, question.port or None)
            made(encoded(histories if is_known(question.service) else ()))
            return True
        if question.about == sibling_news.ABOUT and asker.is_sibling and self._news is not None:
            done(self._news(question.after))
            return True
        return False

    def whole(self, is_known: IsKnown, done: Told) -> None:
        """Call ``done`` with the site's answer, limited to services that pass ``is_known``."""
        self._gathering.ask(lambda gathered: done(self._assembled(gathered, is_known)))

    def _assembled(self, gathered: Gathered, is_known: IsKnown) -> bytes:
        status, names = gathered.status, gathered.names
        hidden = frozenset(name for name in names if not is_known(name))
        bare = SiteAnswer(
            site=self._site,
            version=printable(status.version),
            mode=status.mode,
            ready=status.ready,
            uptime_s=status.uptime_s,
            replicas=status.replicas,
            problems=tuple(
                ProblemAnswer(
                    problem.code,
                    ""
                    if names_any(problem.message, hidden)
                    else without_addresses_and_paths(problem.message, names),
                )
                for problem in status.problems[: limits.SITE_PROBLEMS_MAX]
            ),
            links=tuple(map(_link, gathered.links[: limits.SITE_LINKS_MAX])),
            services=(),
        )
        return assembled(bare, [row for name, row in gathered.services if name not in hidden])


def _link(link: LinkView) -> LinkAnswer:
    return LinkAnswer(
        neighbour=printable(link.neighbour.name),
        neighbour_id=link.neighbour.id,
        direction=link.direction,
        cost=link.cost,
        state=link.state,
        rtt_ms=link.rtt_ms,
        streams=link.streams,
        certificate_expires=link.certificate_expires or "",
    )
