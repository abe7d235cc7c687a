"""Every event code, as in the tables of docs/events.md (`tests.events_table`).

An event can also have the code of a finding (``SW`` and digits), when documents that were just read
contain an error.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

import msgspec

EventKind = Literal["event", "audit"]
"""``audit``: a person or program did something. ``event``: something happened."""


class EventCode(msgspec.Struct, frozen=True):
    """``about``: what kind of thing the event's subject names."""

    code: str
    kind: EventKind
    about: str
    meaning: str


_ALL: Final = (
    # Audit: who did what.
    EventCode(
        "command", "audit", "router", "an order was carried out: revoke, renew, rebalance, …"
    ),
    EventCode("command-failed", "audit", "router", "an order was not carried out"),
    EventCode("document-added", "audit", "document", "a document counts from now on"),
    EventCode("document-changed", "audit", "document", "fields of a document have other values"),
    EventCode("document-removed", "audit", "document", "a document is gone"),
    EventCode("policy-changed", "audit", "document", "the policy of a service is another"),
    EventCode("capacity-changed", "audit", "document", "a configured capacity changed"),
    EventCode("service-adopted", "audit", "service", "a site owns a name by an operator's word"),
    EventCode("token-made", "audit", "token", "a claim token was made here"),
    EventCode("token-revoked", "audit", "token", "a claim token counts no more, or is deleted"),
    EventCode("claim-redeemed", "audit", "token", "a site used a claim token of ours"),
    EventCode(
        "claim-refused",
        "audit",
        "token",
        "one was used that does not count, or could not be answered",
    ),
    # Load.
    EventCode("overflow-begun", "event", "service", "requests of this site go to other sites"),
    EventCode("overflow-ended", "event", "service", "none did for a while; with figures"),
    EventCode(
        "no-target-begun", "event", "service", "no target here is ready, and other sites serve"
    ),
    EventCode("no-target-ended", "event", "service", "they did not for a while; with figures"),
    EventCode(
        "refusing-begun", "event", "service", "clients here get 503, since no site takes requests"
    ),
    EventCode("refusing-ended", "event", "service", "none did for a while; with figures"),
    EventCode(
        "rate-exceeded", "event", "service", "more a second is asked of this site than configured"
    ),
    EventCode(
        "rate-kept",
        "event",
        "service",
        "it is below its resume mark again, or has no rate any more",
    ),
    EventCode("burst-saturated", "event", "burst", "a burst began"),
    EventCode("burst-calm", "event", "burst", "a burst ended"),
    EventCode("burst-hook-done", "event", "burst", "a hook of a burst ran"),
    EventCode("burst-hook-failed", "event", "burst", "a hook of a burst failed"),
    EventCode("memory-short", "event", "memory", "memory is short, load is shed"),
    EventCode("memory-calm", "event", "memory", "it is not any more"),
    # Targets and listeners.
    EventCode("target-up", "event", "target", "a target is ready"),
    EventCode("target-down", "event", "target", "a target that was ready is not; with the cause"),
    EventCode(
        "target-silent", "event", "target", "several connections in a row got no byte of an answer"
    ),
    EventCode(
        "connections-refused",
        "event",
        "service",
        "client connections were reset: their address had too many",
    ),
    EventCode("target-answers", "event", "target", "one got an answer again"),
    EventCode("target-stuck", "event", "target", "requests wait for a target that completes none"),
    EventCode(
        "target-moves",
        "event",
        "target",
        "that is over: it answers again, or has a free slot or few requests",
    ),
    EventCode("site-stuck", "event", "site", "requests wait for a site that answers none"),
    EventCode("site-moves", "event", "site", "that is over: it answers again, or has few requests"),
    EventCode(
        "site-ejected", "event", "site", "requests that it was sent failed, so it gets none for now"
    ),
    EventCode(
        "rebalanced",
        "event",
        "service",
        "connections that the policy would place elsewhere were ended, so that they come again",
    ),
    EventCode(
        "site-woken",
        "event",
        "site",
        "a site that became ready for a service during a wake answered its first request",
    ),
    EventCode("site-returned", "event", "site", "an ejected site answered its probe"),
    EventCode("internal-error", "event", "router", "code of the router failed; the log has more"),
    EventCode("listener-failed", "event", "service", "a service has no listener here"),
    EventCode("listener-bound", "event", "service", "it has one now"),
    EventCode(
        "listener-switched",
        "event",
        "service",
        "new connections at a listener that several services share go to others than before; why",
    ),
    # Links and the network.
    EventCode("router-died", "event", "router", "the one before did not stop: it was killed"),
    EventCode("console-login", "audit", "console", "who logged in"),
    EventCode("console-login-failed", "audit", "console", "a login that failed, from where"),
    EventCode(
        "link-up",
        "event",
        "site",
        "a link to a neighbor is up",
    ),
    EventCode(
        "link-down",
        "event",
        "site",
        "a link to a neighbor went down, maybe the last; with the cause",
    ),
    EventCode("link-silent", "event", "site", "a neighbor was not heard for seconds; it stays"),
    EventCode(
        "link-draining", "event", "site", "an end of a link wants nothing new there: it stops"
    ),
    EventCode("link-needless", "event", "link", "a link leads to a site that was deleted"),
    EventCode("link-failing", "event", "link", "a link that is dialed here does not come up"),
    EventCode("link-refused", "event", "link or site", "one of the two ends refuses the other"),
    EventCode("link-flapping", "event", "site", "a link went down too often to count at once"),
    EventCode("link-steady", "event", "site", "it counts again"),
    EventCode("link-rejoined", "event", "site", "a site was given a new certificate after long"),
    EventCode("link-port-taken", "event", "links", "the link port cannot be bound"),
    EventCode("link-refused-stream", "event", "site", "a neighbor asked for what it may not have"),
    EventCode("export-refused", "event", "site", "a service was asked for that is not offered"),
    EventCode(
        "message-refused", "event", "site", "one router refused HTTP as another sent it over a link"
    ),
    EventCode("lsa-rejected", "event", "site", "a neighbor sent routing data that is not believed"),
    EventCode("lsa-not-taken", "event", "site", "a neighbor on terms told of another site"),
    EventCode(
        "equivocation", "event", "site", "a site signed two different things with one number"
    ),
    EventCode(
        "neighbor-over-budget",
        "event",
        "site",
        "a neighbor brings more of the sites behind it than is kept of one neighbor",
    ),
    EventCode(
        "token-over-budget",
        "event",
        "site",
        "sites that one token let in report more than is kept of one token",
    ),
    EventCode("site-over-budget", "event", "site", "a site reports more than is kept of one site"),
    EventCode("site-deleted", "event", "site", "a site was deleted, as it said before it went"),
    EventCode("site-barred", "event", "site", "a site says that it put this one out; until when"),
    EventCode("site-unbarred", "event", "site", "it no longer says so"),
    EventCode("revoked-asked", "event", "site", "a revoked site opened a stream by another way"),
    EventCode("offer-new", "event", "service", "a site has targets of what another one declares"),
    EventCode(
        "declaration-refused",
        "event",
        "service",
        "a service has no listener here: importFrom refuses the sites that declare it",
    ),
    EventCode("declaration-accepted", "event", "service", "it is known here again"),
    EventCode(
        "service-gone",
        "event",
        "service or site",
        "services of another site are not known here any more; why",
    ),
    EventCode("service-back", "event", "service or site", "they are known here again"),
    EventCode("rule-pinned", "event", "name", "the site that a name in rules means from now on"),
    EventCode("identity-conflict", "event", "site", "two routers have one identity"),
    # Certificates and tokens.
    EventCode("token-used", "event", "token", "a claim token has no uses left"),
    EventCode("token-expired", "event", "token", "a claim token was not used up in time"),
    EventCode("claim-accepted", "event", "link", "a claim of ours was redeemed at another site"),
    EventCode("claim-failed", "event", "link", "it was not; with the cause"),
    EventCode("certificate-renewed", "event", "link", "a link has a new certificate"),
    EventCode("certificate-damaged", "event", "link", "a link's renewed certificate is unusable"),
    EventCode("certificate-not-renewed", "event", "link", "a link could not get one"),
    EventCode("service-certificate", "event", "credential", "clients are shown another one"),
    EventCode("leaf-not-renewed", "event", "site", "this site's own certificate was not renewed"),
    EventCode("not-registered", "event", "site", "who linked could not be written down"),
    EventCode("not-readmitted", "event", "site", "a claim could not undo a revocation"),
    EventCode("revocations-damaged", "event", "site", "the list of revoked sites cannot be read"),
    EventCode("revocations-readable", "event", "site", "that is over"),
    EventCode("ca-announced", "event", "ca", "a new CA is announced to sites that link here"),
    EventCode("ca-switched", "event", "ca", "the new CA issues"),
    EventCode("ca-retired", "event", "ca", "the old CA is trusted no more"),
    EventCode("ca-replaced", "event", "ca", "the CA was replaced"),
    EventCode("ca-goes-on", "event", "ca", "its replacement goes on without some sites"),
    EventCode("ca-not-kept", "event", "ca", "a new CA could not be written"),
    EventCode("ca-damaged", "event", "ca", "the CA's files cannot be used"),
    EventCode("ca-readable", "event", "ca", "that is over"),
    EventCode("clock-moved", "event", "clock", "this host's clock was set"),
    # This router.
    EventCode("router-started", "event", "router", "it serves; with version and process"),
    EventCode("console-up", "event", "console", "it is served; with its address"),
    EventCode("console-down", "event", "console", "it is not served; with the cause"),
    EventCode("router-draining", "event", "router", "it was asked to stop"),
    EventCode("drain-cut", "event", "router", "it stopped before all was over; what was cut"),
    EventCode("router-stood-still", "event", "router", "its process was not run for seconds"),
    EventCode("worker-ready", "event", "worker", "one more process of the router serves"),
    EventCode("worker-ended", "event", "worker", "one is gone, and is started again; with why"),
    EventCode("worker-silent", "event", "worker", "one does not answer, and clients wait for it"),
    EventCode("worker-answers", "event", "worker", "a silent one answers again"),
    EventCode("state-unsaved", "event", "state", "what must be remembered cannot be written"),
    EventCode("state-saved", "event", "state", "it is written again"),
    EventCode("access-log-lost", "event", "access log", "lines of it could not be written"),
    EventCode("events-log-lost", "event", "events.log", "lines of it could not be written"),
)

EVENT_CODES: Final[Mapping[str, EventCode]] = MappingProxyType({one.code: one for one in _ALL})
