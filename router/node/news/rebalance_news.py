"""Runs that moved client connections to where the policy would place them now, as events."""

from collections.abc import Callable

from router.exchange.clients.rebalancing import RebalanceNews
from router.exchange.forwarder import Forwarder
from router.model.events import Tell
from router.model.ids import SiteId


class RebalanceReports:
    """Reports them with the names of the sites."""

    __slots__ = ("_name", "_tell")

    def __init__(self, forwarder: Forwarder, name: Callable[[SiteId], str], tell: Tell) -> None:
        self._name, self._tell = name, tell
        forwarder.moves.rebalancing.tell = self._heard

    def _heard(self, news: RebalanceNews) -> None:
        key, moved = news.key, sum(news.moved.values())
        sites = ", ".join(f"{count} from {self._name(site)}" for site, count in news.moved.items())
        text = f"Connections of {key} that the policy would place elsewhere were ended: {moved}"
        text += f" ({sites})." if moved else "."
        hint = ""
        if news.left:
            text += f" {news.left} more are busy and stay."
            hint = f"End busy ones too after a grace: sitectl service rebalance {key} --grace 30s"
        self._tell("info", "rebalanced", key.name, text, hint)
