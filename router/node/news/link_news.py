"""Events about links, as they happen."""

import re
from collections import Counter
from collections.abc import Callable, Iterable

from router.link.fault import OLD_CERTIFICATE, Fault
from router.link.links import Links
from router.link.neighbour import Neighbour
from router.link.ports import Direction
from router.link.sessions.link_status import LinkStatus, in_words
from router.model import limits
from router.model.events import Severity, Tell
from router.model.ids import RouterId, SiteId
from router.model.rights.sharing import SHORT_ID_CHARS
from router.model.token_bucket import TokenBuckets
from router.model.wording.network_words import link_removal
from router.net.ports import DialCode
from router.node.news.deleted_sites import DeletedSites
from router.routing.events import LsaRejected
from router.routing.names import Names

_SAYS_NOTHING = ("refused", "timeout")
"""How handshakes end with clients that connect and do not go on."""
_PORT = re.compile(r":\d+")
_Link = tuple[Direction, str, SiteId]
"""A link as `link status` has it: direction, name and the neighbor's site. Each worker of the
neighbor's router dials it."""


class LinkNews:
    """Remembers enough to report each event once, and by name."""

    def __init__(
        self,
        tell: Tell,
        links: Links,
        names: Names,
        deleted: DeletedSites,
        now: Callable[[], float],
        *,
        is_renewal_due: Callable[[str], bool] = lambda link: False,
        removal: Callable[[str], str] = link_removal,
        has_workers: bool = False,
    ) -> None:
        """``is_renewal_due``: whether a link that is refused asks for another certificate soon.
        ``removal``: the command that deletes a link which is dialed here.

        ``has_workers``: other routers of the site are workers of this one. Their links cause no
        events: other events report how workers start, hang and end. Links of neighbors may have
        connections at any of them.
        """
        self._tell = tell
        self._now = now
        self._is_renewal_due = is_renewal_due
        self._removal = removal
        self._budgets = TokenBuckets(
            limits.LINK_EVENTS_BURST, limits.LINK_EVENTS_PER_S, limits.EVENT_BUDGETS_MAX
        )
        self._held_back: Counter[str] = Counter()  # Events by kind and holder.
        self._has_workers = has_workers
        self._workers: set[RouterId] = set()
        self._links = links
        self._names, self._deleted = names, deleted
        self._neighbours: dict[RouterId, Neighbour] = {}
        self._draining: set[RouterId] = set()  # Neighbors whose last link drains.
        self._connected: dict[_Link, set[RouterId]] = {}  # By which routers of its site.
        self._held: set[RouterId] = set()  # Neighbors whose link flaps.
        self._reasons: dict[str, dict[str, bool]] = {}
        """By link that we dial, while it is not up: each reason, and whether its event said it
        heals."""
        self._lost: dict[RouterId, str] = {}  # Why a link to a neighbor that we dial ended.
        # By peer that dials us: the last code and text.
        self._refusals: dict[str, tuple[str, str]] = {}

    def up(self, neighbour: Neighbour, cost: int, link: str, direction: Direction) -> None:
        """Link ``link``, the first one to ``neighbour``, is up."""
        if neighbour.is_sibling and self._has_workers:
            self._workers.add(neighbour.router)
            return
        is_first = all(one.site != neighbour.site for one in self._neighbours.values())
        self._neighbours[neighbour.router] = neighbour
        self._draining.discard(neighbour.router)
        self._refusals.pop(neighbour.name, None)
        self._lost.pop(neighbour.router, None)
        name = self._name_of(neighbour.router)
        if not self._connects(neighbour, link, direction):
            return
        if neighbour.is_sibling:
            text = f"Linked to another router of this site, {name}."
        elif is_first:
            text = f"Linked to {name}, cost {cost}."
        else:
            text = f"One more link to {name} is up, cost {cost}."
        self._tell_of(neighbour, "info", "link-up", name, text)

    def draining(self, router: RouterId) -> None:
        """An end of the last link to ``router`` wants no more streams there."""
        if router in self._workers:
            return
        name = self._name_of(router)
        self._draining.add(router)
        links = self._links_of(router)
        if links and not any(routers <= self._draining for _, routers in links):
            return
        which = self._which(router, name, self._neighbours.keys() - self._draining)
        self._tell_of(
            self._neighbours.get(router), "info", "link-draining", name, f"{which} drains."
        )

    def down(self, router: RouterId, cause: str, *, is_planned: bool = False) -> None:
        """There is no link to ``router`` any more. ``is_planned``: it drained and ended in order,
        maybe before its last stream."""
        if router in self._workers:
            self._workers.remove(router)
            return
        name = self._name_of(router)
        others = self._neighbours.keys() - {router}
        which = self._which(router, name, others)
        neighbour = self._neighbours.pop(router, None)
        self._draining.discard(router)
        self._held.discard(router)
        links = self._links_of(router)
        ended = [self._disconnects(router, link) for link, _ in links]
        if links and not any(ended):
            return
        if neighbour is not None and not neighbour.token:
            self._note_lost(router, cause)
        self._tell_of(
            neighbour,
            "info" if is_planned else "warning",
            "link-down",
            name,
            _sentence(f"{which} went down: {cause}"),
        )

    def further_up(self, router: RouterId, name: str, direction: Direction) -> None:
        """Link ``name`` came up beside another one to ``router``, of which `up` reported."""
        neighbour, shown = self._neighbours.get(router), self._name_of(router)
        if neighbour is not None and not self._connects(neighbour, name, direction):
            return
        text = f"{_capital(in_words(name, direction, shown))} is up."
        self._tell_of(neighbour, "info", "link-up", shown, text)

    def further_down(
        self, router: RouterId, name: str, direction: Direction, cause: str, *, is_planned: bool
    ) -> None:
        """Link ``name`` is over, and another one to ``router`` stays."""
        neighbour, shown = self._neighbours.get(router), self._name_of(router)
        link = None if neighbour is None else (direction, name, neighbour.site)
        if link in self._connected and not self._disconnects(router, link):
            return
        if direction == "outgoing":
            self._note_lost(router, cause)
        text = _sentence(f"{_capital(in_words(name, direction, shown))} went down: {cause}")
        severity: Severity = "info" if is_planned else "warning"
        self._tell_of(neighbour, severity, "link-down", shown, text)

    def _connects(self, neighbour: Neighbour, name: str, direction: Direction) -> bool:
        """Note the connection of link ``name``. True: it is the only one, as far as is known."""
        if neighbour.is_sibling:
            return True
        routers = self._connected.setdefault((direction, name, neighbour.site), set())
        is_first = not routers - {neighbour.router}
        routers.add(neighbour.router)
        return is_first

    def _disconnects(self, router: RouterId, link: _Link) -> bool:
        """Note that ``router`` has ``link`` no more. True: no router of its site has it."""
        routers = self._connected[link]
        routers.discard(router)
        if not routers:
            del self._connected[link]
        return not routers

    def _links_of(self, router: RouterId) -> list[tuple[_Link, set[RouterId]]]:
        """The links of ``router``, with all routers that have each."""
        return [one for one in self._connected.items() if router in one[1]]

    def _is_held(self, router: RouterId) -> bool:
        """Whether a link of ``router`` flaps at another worker of its site."""
        return any(routers & self._held - {router} for _, routers in self._links_of(router))

    def heard_again(self, router: RouterId, silent_s: float) -> None:
        """A neighbor was silent for ``silent_s`` or longer, and the link stays."""
        if router in self._workers:
            return
        name = self._name_of(router)
        self._tell_of(
            self._neighbours.get(router),
            "warning",
            "link-silent",
            name,
            f"Nothing was heard of {name} for {silent_s:.1f} s or longer; the link stays up. "
            "Requests to it waited.",
            f"Its router stood still, or the network did. At {name}: sitectl events --code "
            "router-stood-still",
        )

    def held(self, router: RouterId, hold_s: float) -> None:
        """The link to ``router`` is up again and flaps."""
        if router in self._workers:
            return
        is_told = self._is_held(router)
        self._held.add(router)
        if is_told:
            return
        name = self._name_of(router)
        self._tell_of(
            self._neighbours.get(router),
            "warning",
            "link-flapping",
            name,
            f"The link with {name} went down too often: it counts once it has stayed up for "
            f"{hold_s:.0f} s.",
            f"sitectl link status {self._link_to(router) or name}",
        )

    def stayed(self, router: RouterId) -> None:
        """The link counts again."""
        if router in self._workers:
            return
        self._held.discard(router)
        if self._is_held(router):
            return
        name = self._name_of(router)
        text = f"The link with {name} has stayed up: it counts."
        self._tell_of(self._neighbours.get(router), "info", "link-steady", name, text)

    def changed(self, name: str) -> None:
        """Report each reason once why a link that we dial is down, except what `down` just
        reported.

        A neighbor that stopped as planned is not missed: `down` reported it.
        """
        line = self._links.outgoing_status(name)
        line = line and self._deleted.seen(line)
        if line is None or line.state == "up":
            self._reasons.pop(name, None)
        elif line.error:
            is_needless = line.error_code == "deleted"
            heals = is_needless or line.state != "refused" or self._is_renewal_due(name)
            if self._is_new(name, line.error, heals=heals):
                self._tell_failing(line, heals=heals)

    def _is_new(self, name: str, reason: str, *, heals: bool) -> bool:
        """Whether ``reason`` was not reported for link ``name`` since its last time up, or was
        reported to heal and no longer does."""
        told = self._reasons.setdefault(name, {})
        if reason in told and (heals or not told[reason]):
            return False
        if len(told) >= limits.LINK_REASONS_KEPT_MAX:
            del told[next(iter(told))]
        told[reason] = heals
        return True

    def _tell_failing(self, line: LinkStatus, *, heals: bool) -> None:
        name, refused = line.name, line.state == "refused"
        if line.error_code == "deleted":
            text = f"Link {name} is not needed any more: {line.error}."
            self._tell("info", "link-needless", name, text, self._removal(name))
        elif refused or not line.has_stopped:
            if self._lost.pop(RouterId(line.neighbour_router), "") == line.error:
                return
            text = _sentence(f"Link {name} is not up: {line.error}")
            if refused and heals:
                text += " But first this site asks there for another certificate."
            self._tell(
                "warning" if heals else "error",
                "link-refused" if refused else "link-failing",
                name,
                text,
                f"sitectl link status {name}",
            )

    def _note_lost(self, router: RouterId, cause: str) -> None:
        """Record that an event named ``cause``."""
        if len(self._lost) >= limits.REFUSALS_KEPT_MAX:
            self._lost.clear()
        self._lost[router] = cause

    def refused(self, peer: str, fault: Fault) -> None:
        """A peer dialed us and made no link: the operator of either end may look here.

        A refused peer comes again every few seconds, so each cause is reported once.
        """
        if not self._is_news(peer, fault.code, fault.reason):
            return
        reason = f"{peer or 'somebody'} tried to link here: {fault.reason}"
        severity: Severity = "info" if fault.code == OLD_CERTIFICATE else "warning"
        self._tell(severity, "link-refused", peer or "links", _sentence(reason), fault.hint)

    def tls_rejected(self, code: DialCode, reason: str) -> None:
        """A TLS handshake failed on the link port; the peer is not known.

        A peer that connects again has another port each time.
        """
        if not self._is_news(_PORT.sub("", reason), code, ""):
            return
        is_odd = code not in _SAYS_NOTHING
        self._tell(
            "warning" if is_odd else "info",
            "link-refused",
            "links",
            _sentence(f"A connection to the link port was refused: {reason}"),
            ""  # The reason includes the next step.
            if code == "clock"
            else "If a site of yours cannot link, make a new token: sitectl token create FILE"
            if is_odd
            else "Health checks of load balancers do that; if a site of yours cannot link, type "
            "there: sitectl link status",
        )

    def _is_news(self, peer: str, code: str, reason: str) -> bool:
        """Whether the last refusal of ``peer`` had another code or text; empty: an unknown peer."""
        if self._refusals.get(peer) == (code, reason):
            return False
        if peer not in self._refusals and len(self._refusals) >= limits.REFUSALS_KEPT_MAX:
            self._refusals.clear()  # Strangers can give any name; their number here is bounded.
        self._refusals[peer] = (code, reason)
        return True

    def lsa_rejected(self, event: LsaRejected) -> None:
        """A neighbor sent routing data that is not believed."""
        name = self._name_of(event.sender)
        self._tell_of(
            self._neighbours.get(event.sender),
            "warning",
            "lsa-rejected",
            name,
            _sentence(f"{name} sent routing data that is not believed: {event.reason}"),
            "If it goes on, end its access: sitectl link delete "
            f"{self._link_to(event.sender) or name}",
        )

    def _tell_of(
        self,
        neighbour: Neighbour | None,
        severity: Severity,
        code: str,
        name: str,
        text: str,
        hint: str = "",
    ) -> None:
        """Report an event that ``neighbour`` can cause at will, within the budget of its holder;
        None: the neighbor is not known any more."""
        if neighbour is not None:
            key = f"{code} {neighbour.holder}"
            if not self._budgets.take(key, self._now()):
                if len(self._held_back) < limits.EVENT_BUDGETS_MAX or key in self._held_back:
                    self._held_back[key] += 1
                return
            count = self._held_back.pop(key, 0)
            if count:
                whose = neighbour.name
                if neighbour.holder == neighbour.token:
                    whose = f"neighbors that token {neighbour.token} let in"
                text += f" ({count} more like it of {whose} were not told.)"
        self._tell(severity, code, name, text, hint)

    def _link_to(self, router: RouterId) -> str:
        """The name of a link to ``router`` at this site; empty: it is gone."""
        lines = self._links.status()
        return next((line.name for line in lines if line.neighbour_router == router), "")

    def _which(self, router: RouterId, name: str, others: Iterable[RouterId]) -> str:
        """The link in words. ``others``: routers with a remaining link, maybe of the same site."""
        neighbour = self._neighbours.get(router)
        if neighbour is not None and neighbour.is_sibling:
            return f"The link to another router of this site, {name},"
        if self._has_workers:  # The others may have connections of the same link.
            return f"A connection to {name}"
        sites = {self._neighbours[one].site for one in others}
        is_last = neighbour is None or neighbour.site not in sites
        return f"The last link to {name}" if is_last else f"One of the links to {name}"

    def _name_of(self, router: RouterId) -> str:
        neighbour = self._neighbours.get(router)
        if neighbour is None:
            return self._names.router(router)
        name = self._names.neighbour(neighbour.site, neighbour.name)
        named = {one.site for one in self._neighbours.values() if one.name == neighbour.name}
        if len(named) == 1 or name != neighbour.name:
            return name
        return f"{name}@{neighbour.site[:SHORT_ID_CHARS]}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."
