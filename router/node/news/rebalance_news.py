"""Runs that moved client connections to where the policy would place them now, as events."""

from collections.abc import Callable

from router.exchange.clients.rebalancing import RebalanceNews
from router.exchange.forwarder import Forwarder
from router.model.events import Tell
from router.model.ids import SiteId


class RebalanceReports:
    """Reports them with the names of the sites.

    ``has_workers``: other workers of this router run for their clients. Where one has moved none
    and left none, the others say what was done.
    """

    __slots__ = ("_has_workers", "_name", "_tell")

    def __init__(
        self,
        forwarder: Forwarder,
        name: Callable[[SiteId], str],
        tell: Tell,
        *,
        has_workers: bool = False,
    ) -> None:
        self._name, self._tell, self._has_workers = name, tell, has_workers
        forwarder.moves.rebalancing.follow(self._heard)

    def _heard(self, news: RebalanceNews) -> None:
        key, moved = news.key, sum(news.moved.values())
        if self._has_workers and not (moved or news.left):
            return
        sites = ", ".join(f"{count} from {self._name(site)}" for site, count in news.moved.items())
        text = f"Connections of {key} that the policy would place elsewhere were ended: {moved}"
        text += f" ({sites})." if moved else "."
        hint = ""
        if news.left:
            text += f" {news.left} more are busy and stay."
            hint = f"End busy ones too after a grace: sitectl service rebalance {key} --grace 30s"
        self._tell("info", "rebalanced", key.name, text, hint)
