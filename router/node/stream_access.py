"""Access checks per stream: which site may use this site's services, and which streams may pass.

A site's own rules are judged by the ingress that an OPEN names. Sites in between vouch for it; an
edge, or a site let in on terms, may name only itself as ingress.
"""

from collections.abc import Callable

from router.asking.kinds import asks_site, is_for_site
from router.link.neighbour import Neighbour
from router.link.ports import OpenRequest
from router.model import limits
from router.model.events import Severity, Tell
from router.model.ids import ServiceKey, SiteId
from router.model.rights.sharing import Party, SharingRules, any_matches, name_any
from router.model.token_bucket import TokenBuckets
from router.routing.table import RouteTable


class StreamAccess:
    """Owns when each refusal was last reported; rules and table are passed in."""

    __slots__ = ("_budgets", "_now", "_own", "_tell", "_told_at", "refused_total")

    def __init__(self, own: SiteId, tell: Tell, now: Callable[[], float]) -> None:
        self._own = own
        self._tell = tell
        self._now = now
        self._told_at: dict[tuple[str, str, str, str], float] = {}
        self._budgets = TokenBuckets(
            limits.REFUSED_STREAM_EVENTS_BURST,
            limits.REFUSED_STREAM_EVENTS_PER_S,
            limits.EVENT_BUDGETS_MAX,
        )
        self.refused_total = 0

    def refuses(self, request: OpenRequest, table: RouteTable, sender: SiteId) -> None:
        """Report a stream refused because this site revoked the access of its ingress."""
        self._refused(
            sender,
            "revoked-asked",
            table.party(request.ingress).shown,
            request.service,
            f"{_asked(request, table, sender)} by another way; its access is revoked here.",
            "sitectl token create FILE, if it should be let in again",
        )

    def refuses_as_ours(self, came_from: Neighbour, request: OpenRequest, *, settles: bool) -> None:
        """Report a stream refused because it claims to come from this very site.

        Another router of this site may have sent it that way before this one knew of the way.
        ``settles``: that is likely, since the link came up a moment ago or drains.
        """
        self._refused(
            came_from.site,
            "link-refused-stream",
            came_from.name,
            request.service,
            f"{came_from.name} brought a stream to {request.service} in the name of this site, and "
            "is not known to lead to another router of it.",
            "It ends by itself while routers or workers of this site start. If it goes on, end its "
            f"access: sitectl link delete {came_from.name}",
            severity="info" if settles else "warning",
        )

    def serves(
        self,
        request: OpenRequest,
        rules: SharingRules,
        table: RouteTable,
        sender: SiteId,
        *,
        vouched: bool,
    ) -> bool:
        """Whether this site's part of the service is offered to the ingress that the OPEN names.

        ``sender``: the neighbor that it came from. ``vouched``: the neighbor has already judged
        sites that are not known here.
        """
        if rules.limits_nothing or request.ingress == self._own:
            return True
        export_to = rules.of(request.service).export_to
        if export_to is None:
            return True
        if vouched and request.ingress not in table.sites:
            return True
        party = table.party(request.ingress)
        if name_any(export_to, party):
            return True
        self._refused(
            sender,
            "export-refused",
            party.shown,
            request.service,
            f"{_asked(request, table, sender)}, which is not exported to it.",
            f"sitectl service grant {request.service} --site {party.shown} --call, if it should be",
        )
        return False

    def may_pass(
        self, came_from: Neighbour, to: Neighbour | None, request: OpenRequest, table: RouteTable
    ) -> bool:
        """See `LinkOwner.may_pass`."""
        if is_for_site(request):
            why = _why_no_question(came_from, to, request, table)
        else:
            why = _why_not_from(came_from, request)
        if why:
            self._refused(
                came_from.site, "link-refused-stream", came_from.name, request.service, why
            )
            return False
        if is_for_site(request):
            return True
        why = "" if to is None else _why_not_to(to, request, table)
        if why and to is not None:
            self._refused(came_from.site, "link-refused-stream", to.name, request.service, why)
        return not why

    def foreign_lsa(self, sender: str, site: SiteId) -> None:
        """A neighbor that is let in on terms reported another site."""
        self._refused(
            sender,
            "lsa-not-taken",
            sender,
            site,
            f"{sender} told of site {site[:8]}. It is let in on terms, so only what it says of "
            "itself counts.",
            count=False,
        )

    def _refused(
        self,
        sender: str,
        code: str,
        who: str,
        what: str,
        message: str,
        hint: str = "",
        *,
        count: bool = True,
        severity: Severity = "warning",
    ) -> None:
        """Count it, and report it unless that was done a moment ago, or too often for ``sender``.

        Only the sender is proved, not the message's claims about others.
        """
        self.refused_total += count
        now, key = self._now(), (severity, code, who, what)
        if now - self._told_at.get(key, float("-inf")) < limits.REFUSED_STREAMS_TOLD_S:
            return
        if not self._budgets.take(sender, now):
            return
        if len(self._told_at) >= limits.REFUSED_STREAMS_KEPT_MAX:
            self._told_at.clear()
        self._told_at[key] = now
        self._tell(severity, code, who, message, hint)


def _asked(request: OpenRequest, table: RouteTable, sender: SiteId) -> str:
    """The asking site and the service. Beyond the neighbor only the OPEN names the site."""
    asked = f"{table.party(request.ingress).shown} asked for {request.service}"
    return asked if request.ingress == sender else f"{asked} (so says {table.party(sender).shown})"


def _why_no_question(
    came_from: Neighbour, to: Neighbour | None, request: OpenRequest, table: RouteTable
) -> str:
    """Why a question to a site itself may not go on; empty: it may, and that site judges."""
    if not came_from.is_plain and request.ingress != came_from.site:
        return f"{came_from.name} asked a question for another site."
    if to is None:
        return ""
    if asks_site(request) and came_from.terms.import_ is not None:
        return f"{came_from.name} is in on terms, and asked a site beyond this one of itself."
    if not to.is_plain and _crosses(to, request, table):
        return f"A question would have crossed {to.name}."
    return ""


def _crosses(neighbour: Neighbour, request: OpenRequest, table: RouteTable) -> bool:
    """Whether the path, which begins with us, leads on beyond the site of ``neighbour``."""
    return any(table.routers.get(router) != neighbour.site for router in request.path[2:])


def _why_not_from(neighbour: Neighbour, request: OpenRequest) -> str:
    """Why an edge or a leaf may not open that stream; empty: it may."""
    if neighbour.is_plain:
        return ""
    if request.ingress != neighbour.site:
        return f"{neighbour.name} opened a stream to {request.service} for another site."
    if not any_matches(neighbour.terms.import_, request.service):
        return f"{neighbour.name} asked for {request.service}, which its token does not allow."
    return ""


def _why_not_to(neighbour: Neighbour, request: OpenRequest, table: RouteTable) -> str:
    """Why a stream may not go to an edge or a leaf; empty: it may. Its path begins with us."""
    if neighbour.is_plain:
        return ""
    if not any_matches(neighbour.terms.export, request.service):
        return f"{neighbour.name} has no leave to serve {request.service}: its token does not say."
    if _crosses(neighbour, request, table):
        return f"A stream to {request.service} would have crossed {neighbour.name}."
    if neighbour.is_edge:
        found = table.candidate(request.path[-1], ServiceKey(request.service, request.port))
        party: Party = table.party(request.ingress)
        if found is not None and not name_any(found.export_to, party):
            return f"{party.shown} asked for {request.service}, which {neighbour.name} keeps back."
    return ""
