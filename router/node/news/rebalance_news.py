"""Events for runs that moved client connections to where the policy would place them now."""

from collections.abc import Callable

from router.exchange.clients.rebalancing import RebalanceNews
from router.model.events import Tell
from router.model.ids import SiteId


def tell_of_rebalance(
    tell: Tell, name: Callable[[SiteId], str], news: RebalanceNews, *, has_workers: bool
) -> None:
    """Report ``news`` with the names of the sites.

    ``has_workers``: other workers of this router run it for their clients. A worker that moved none
    and left none stays silent; the others report.
    """
    key, moved = news.key, sum(news.moved.values())
    if has_workers and not (moved or news.left):
        return
    sites = ", ".join(f"{count} from {name(site)}" for site, count in news.moved.items())
    text = f"Connections of {key} that the policy would place elsewhere were ended: {moved}"
    text += f" ({sites})." if moved else "."
    hint = ""
    if news.left:
        text += f" {news.left} more are busy and stay."
        hint = f"End busy ones too after a grace: sitectl service rebalance {key} --grace 30s"
    tell("info", "rebalanced", key.name, text, hint)
