"""Entry and exit of questions: from other sites, and from this site's operator."""

from collections.abc import Callable, Sequence

from router.asking.disclosure import Disclosure, QuestionOrigin
from router.asking.echo import answer_echo
from router.asking.exchange import QuestionSender
from router.asking.kinds import is_echo
from router.asking.ping import Pinger
from router.asking.site_answer import read_question
from router.asking.sites import SiteQuestions
from router.asking.targets import Answers, OtherWorkersRequests, TargetQuestions
from router.link.ports import DeadEnd, OfferedStream, OpenRequest, ResetCode
from router.model import limits
from router.model.ids import RouterId, ServiceKey
from router.model.rights.sharing import SharingRules
from router.model.token_bucket import TokenBucket
from router.net.ports import Network, Timer
from router.routing.table import RouteTable
from router.service.figures import TargetInfo


class QuestionDesk:
    """Answers questions for this site. ``pinger``, ``target_questions`` and ``sites`` ask other
    sites.

    ``disclosure``: makes this site's answers about itself; None: this process gathers no facts.
    ``is_silent``: this site reveals nothing to other sites.
    """

    __slots__ = (
        "_allowance",
        "_disclosure",
        "_is_silent",
        "_network",
        "_on_the_way",
        "_router",
        "_targets",
        "_version",
        "pinger",
        "sender",
        "sites",
        "target_questions",
    )

    def __init__(
        self,
        network: Network,
        sender: QuestionSender,
        router: RouterId,
        version: str,
        targets_of: Callable[[ServiceKey], Sequence[TargetInfo]],
    ) -> None:
        self._network = network
        self._router, self._version = router, version
        self._targets = Answers(network.now, targets_of)
        self.sender = sender
        self.target_questions = TargetQuestions(network, sender)
        self.pinger = Pinger(network, sender)
        self.sites = SiteQuestions(sender, network.now)
        self._disclosure: Disclosure | None = None
        self._is_silent = False
        self._on_the_way = 0
        self._allowance = TokenBucket(
            limits.SITE_ANSWERS_BURST, limits.SITE_ANSWERS_PER_S, network.now()
        )

    def disclose_by(self, disclosure: Disclosure) -> None:
        """Answer questions about this site with ``disclosure`` from now on."""
        self._disclosure = disclosure

    def count_targets_with(self, requests_beside: OtherWorkersRequests) -> None:
        """Add ``requests_beside`` to the targets' requests: those of workers that answer no
        questions.
        """
        self._targets.count_with(requests_beside)

    def set_silent(self, is_silent: bool) -> None:
        """Set whether only this site's other routers get answers."""
        self._is_silent = is_silent

    def take(
        self,
        stream: OfferedStream,
        request: OpenRequest,
        asking: Callable[[], QuestionOrigin],
        rules: SharingRules,
        table: RouteTable,
    ) -> None:
        """Answer a question to the site itself (see `is_for_site`)."""
        if is_echo(request):
            answer_echo(stream, self._router, self._version)
        else:
            self._tell(stream, request, asking(), rules, table)

    def take_of_service(self, stream: OfferedStream, request: OpenRequest) -> None:
        """Answer an asker that may use the service and asks for its targets (`ASKS_TARGETS`)."""
        if self._is_silent:
            stream.refuse("not-allowed", -1)
            return
        self._targets.give(stream, ServiceKey(request.service, request.port))

    def _tell(
        self,
        stream: OfferedStream,
        request: OpenRequest,
        asking: QuestionOrigin,
        rules: SharingRules,
        table: RouteTable,
    ) -> None:
        question = read_question(request.head)
        if self._is_silent and not asking.is_sibling:
            stream.refuse("not-allowed", -1)
            return
        if self._disclosure is None or question is None:
            stream.refuse("no-target", -1)
            return
        if self._on_the_way >= limits.SITE_ANSWERS_AT_ONCE_MAX:
            stream.refuse("busy", -1)
            return

        def answer_with(content: bytes) -> None:
            stream.accept(0)
            stream.send(content)
            stream.finish()

        kept = self._disclosure.kept(question, asking)
        if kept is not None:
            answer_with(kept)
        elif not self._allowance.take(self._network.now()):
            stream.refuse("busy", -1)
            return
        elif not self._disclosure.tell(question, asking, rules, table, answer_with):
            stream.refuse("no-target", -1)
            return
        self._on_the_way += 1
        too_late = self._network.now() + limits.INQUIRY_WAIT_S
        patience = self._network.call_at(too_late, lambda: stream.reset("stalled"))
        stream.lead_to(_Telling(patience, self._has_left))

    def _has_left(self) -> None:
        self._on_the_way -= 1


class _Telling(DeadEnd):
    """An answer that is being sent. The asker waits at most until ``patience``, and so do we."""

    def __init__(self, patience: Timer, has_left: Callable[[], None]) -> None:
        self._patience, self._has_left = patience, has_left

    def lost(self, cause: ResetCode | None) -> None:
        """The answer is sent, or the asker is gone."""
        self._patience.cancel()
        self._has_left()
