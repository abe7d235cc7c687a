"""Single requests and connections of this site's clients: `/api/v1/flows`."""

from collections.abc import Iterator

import msgspec

from router.admin.views.why import PastDecision


class FlowView(msgspec.Struct, frozen=True, kw_only=True):
    """One request (http) or connection (tcp), in progress or over. ``id`` grows with each new one.

    ``client``: address and port. ``method``, ``path`` (without its query) and ``status`` are empty
    or 0 for tcp; ``code``: our `Spillway-Error`, empty: the answer came from a target. ``outcome``:
    ``ok``, ``under-way`` or why it failed. ``answer``: the status class of a whole answer, also
    where its ``status`` is not known any more, ``ok`` for tcp; None: there was none. ``site``: the
    serving site, None: none. ``target``: only for this site. ``overflow``: why a cheaper site was
    passed over, empty: none was. ``spill_reason``: why this site did not serve it, empty: it did,
    or no site did. ``explained``: its decision is still stored, and `/api/v1/flows/ID` shows it.
    """

    id: int
    at: str
    service: str
    port: int
    protocol: str
    client: str
    method: str
    path: str
    status: int
    code: str
    outcome: str
    answer: str | None
    site: str | None
    target: str
    reason: str
    overflow: str
    attempts: int
    queue_s: float
    network_s: float
    target_s: float
    total_s: float
    bytes_in: int
    bytes_out: int
    request_id: str
    trace_id: str
    explained: bool
    spill_reason: str = ""


class FlowDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One flow and the decision for it; ``decision`` None: it is no longer stored."""

    flow: FlowView
    decision: PastDecision | None


COUNT_USUAL = 100
NOWHERE = "none"
"""As a wanted site: no site served it."""
UNDER_WAY = "under-way"
CLIENT_GONE = "client-gone"
SERVER_ERROR = "5xx"
"""The class of statuses that are server errors (RFC 9110, 15.6)."""


class FlowsWanted(msgspec.Struct, frozen=True):
    """A filter for flows; None: any value."""

    service: str | None = None
    port: int | None = None
    outcome: str | None = None
    site: str | None = None
    count: int = COUNT_USUAL

    def of(self, flows: list[FlowView]) -> list[FlowView]:
        """The matching ones of ``flows``."""
        return [flow for flow in flows if self.has(flow)]

    def has(self, flow: FlowView) -> bool:
        return (
            self.service in (None, flow.service)
            and self.port in (None, flow.port)
            and self.site in (None, flow.site or NOWHERE)
            and self._has_outcome(flow)
        )

    def _has_outcome(self, flow: FlowView) -> bool:
        """For its client, a whole answer of 5xx is a failure, as in `status`; a request whose
        client left is not."""
        match self.outcome:
            case None:
                return True
            case "ok":
                return flow.outcome == "ok" and flow.answer != SERVER_ERROR
            case "failed":
                may_fail = flow.outcome not in (UNDER_WAY, CLIENT_GONE)
                return may_fail and (flow.outcome != "ok" or flow.answer == SERVER_ERROR)
            case wanted:
                return wanted == flow.outcome

    def first(self, flows: Iterator[FlowView | None]) -> Iterator[FlowView | None]:
        """Up to ``count`` matching flows, and None for each of the others."""
        left = self.count
        for flow in flows:
            if flow is None or not self.has(flow):
                yield None
                continue
            yield flow
            left -= 1
            if not left:
                return
