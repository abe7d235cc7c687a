"""Reports when a tcp target begins to answer nothing, and when it answers again."""

from collections.abc import Callable, Mapping, Sequence

from router.balance.answer_streaks import AnswerCounts, AnswerStreaks, SilenceBegun
from router.forward.forwarder import Forwarder
from router.forward.target_answers import TargetAnswers
from router.model.events import Tell
from router.model.ids import ServiceKey
from router.model.ticks import next_tick
from router.net.ports import Network
from router.operate.problems.silent_targets import hint, sentence
from router.workers.recent_port_figures import PortTotals

SECOND_S = 1.0


class SilenceNews:
    """Looks each second, and lets the forwarder know which targets are silent.

    ``beside``: of a router of several workers, what the others counted of a service port.
    """

    __slots__ = ("_beside", "_forwarder", "_network", "_streaks", "_tell")

    def __init__(
        self,
        network: Network,
        forwarder: Forwarder,
        tell: Tell,
        beside: Callable[[ServiceKey], Sequence[PortTotals]] = lambda key: (),
    ) -> None:
        self._network, self._forwarder = network, forwarder
        self._tell, self._beside = tell, beside
        self._streaks = AnswerStreaks()
        network.call_at(network.now() + SECOND_S, self._each_second)

    def _each_second(self) -> None:
        self._network.call_at(next_tick(self._network.now(), SECOND_S), self._each_second)
        seen = {
            key: counts
            for key, own in self._forwarder.answers_of_targets()
            if (counts := _together(own, self._beside(key)))
        }
        for one in self._streaks.look(seen, self._forwarder.is_ready):
            if isinstance(one, SilenceBegun):
                text = f"{sentence(one.address, one.in_a_row)} of {one.key}."
                self._tell("warning", "target-silent", one.address, text, hint(one.key))
            else:
                text = (
                    f"Target {one.address} of {one.key} answers again, after {one.in_a_row} "
                    "connections in a row that got no byte."
                )
                self._tell("info", "target-answers", one.address, text)
        self._forwarder.set_silent(self._streaks.silent)


def _together(
    own: Mapping[str, TargetAnswers], others: Sequence[PortTotals]
) -> dict[str, AnswerCounts]:
    """Of all workers; empty while each connection was answered, as nearly always."""
    if not any(one.silent for one in own.values()) and not any(one.silent for one in others):
        return {}
    return {
        address: AnswerCounts(
            one.answered + sum(other.answered.get(address, 0) for other in others),
            one.silent + sum(other.silent.get(address, 0) for other in others),
        )
        for address, one in own.items()
    }
