"""`check --traffic`: one real request through each site with targets, and its answer."""

import urllib.parse
from collections.abc import Iterator
from typing import Any

from sitectl.base import output
from sitectl.base.failure import Exit, Failure
from sitectl.base.findings import Finding, Level
from sitectl.flags.services.sharing import unknown_here
from sitectl.site.site import Site

CODE = "SW0520"
_SERVER_ERRORS = 500

_SAYS = {
    "busy": "has no room: no slot was free, or its router is short of memory or connections",
    "all-full": "is full: no slot was free",
    "shed": "reserves its free slots for requests that are not sheddable",
    "no-target": "has no ready target",
    "draining": "takes nothing new: it drains",
    "not-allowed": "does not serve this site",
    "no-route": "cannot be reached over any link",
    "connect-failed": "has no target that takes a connection",
    "bad-head": "refused the request head as this site sent it",
    "bad-message": "refused the request as this site sent it",
    "bad-answer": "sent a response that this site refuses",
    "late": "did not answer in time",
    "target-timeout": "has a target that did not answer in time",
    "target-reset": "has a target that broke off",
    "bad-response": "has a target that cut its answer short or gave no valid HTTP",
    "link-lost": "lost the link that carried the request",
    "unanswered": "neither took nor refused the request in time",
    "overloaded": "was not asked: this router is short of memory",
    "exhausted": "was not asked: this router has no descriptor or local port left",
    "not-processed": "has a target that did not process the request",
    "stalled": "stopped in the middle of the request for too long",
    "client-gone": "was not waited for: this router gave the request up",
    "cancelled": "was not waited for: this router gave the request up",
    "internal": "has a router that failed by an error of its own",
}
_HARMLESS = frozenset(("busy", "all-full", "shed", "no-target", "draining"))
"""The site says so itself, and requests go elsewhere: a warning."""
_OF_LINK = frozenset(("no-route", "link-lost", "unanswered"))
_OF_ROUTERS = frozenset(("bad-head", "bad-message", "bad-answer"))


def by_each_site(site: Site, service: str) -> Iterator[Finding]:
    """A finding for each site. Failure: no such service here, or no router."""
    path = f"/api/v1/traffic/{urllib.parse.quote(service, safe=':')}"
    try:
        item = site.admin.post(path)
    except Failure as failure:
        if failure.exit_code is not Exit.NOT_FOUND:
            raise
        raise unknown_here(site, service, failure) from None
    command = output.safe(item["service"])
    name = output.safe(item.get("routing_key") or f"{item['service']}:{item['port']}")
    for one in item["sites"]:
        yield _judged(name, command, item["protocol"], one)
    if not item["sites"]:
        hint = f"sitectl service bind {item['service']} TYPE NAME"
        yield Finding("error", CODE, f"service {name}: no site has targets", hint)


def _judged(name: str, service: str, protocol: str, one: dict[str, Any]) -> Finding:
    """The finding on one site. ``name``: human-readable; ``service``: for commands."""
    outcome, status, there = one["outcome"], one["status"], output.safe(one["site"])
    if outcome == "ok" and status < _SERVER_ERRORS:
        what = "took a connection" if protocol == "tcp" else f"answered {status}"
        return Finding("ok", CODE, f"{name}: {there} {what} in {one['latency_ms']:.1f} ms")
    if outcome == "ok":
        hint = f"Read the log of the application at {there}"
        return Finding("error", CODE, f"{name}: a target at {there} answered {status}", hint)
    said = _SAYS.get(outcome, f"gave no whole answer ({outcome})")
    reason = f": {output.safe(one['reason'])}" if one["reason"] else ""
    level: Level = "warning" if outcome in _HARMLESS else "error"
    return Finding(
        level, CODE, f"{name}: {there} {said}{reason}", _next_step(service, there, outcome)
    )


def _next_step(service: str, there: str, outcome: str) -> str:
    if outcome in _OF_ROUTERS:
        return f"sitectl explain SW0330; compare sitectl version here and at {there}"
    if outcome in _OF_LINK:
        return f"sitectl ping {there}"
    return f"At {there}: sitectl service status {service}"
