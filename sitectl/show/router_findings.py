"""Findings of `check` from a running router: about itself, its links and services."""

import datetime
import os
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from functools import partial
from typing import Any

from router.model.errors import WANTED_SO
from router.model.wording.plural import counted
from sitectl.base import output
from sitectl.base.failure import Failure
from sitectl.base.findings import Finding, expiry
from sitectl.show import local_targets
from sitectl.site.site import Site


def of_router(site: Site, told: Set[tuple[str, str]] = frozenset()) -> Iterator[Finding]:
    """Findings of a running router about itself, its links and services.

    ``told``: codes and messages of problems that were found without it, and are not repeated.
    """
    try:
        status, links, services = site.admin.get_all(
            "/api/v1/status", "/api/v1/links", "/api/v1/services"
        )
    except Failure as failure:
        hint = "" if failure.hint == "sitectl check" else failure.hint  # This is that command.
        yield Finding("error", "SW0513", failure.message, hint)
        return
    yield _serves(status)
    for problem in status.get("problems") or []:
        if problem["code"].startswith("SW01"):
            continue  # Of documents, which are checked by themselves.
        if (problem["code"], problem["message"]) in told:
            continue
        yield Finding("warning", problem["code"], problem["message"], problem.get("hint", ""))
    for note in status.get("notes") or []:
        if (note["code"], note["message"]) not in told:
            yield Finding(note["severity"], note["code"], note["message"], note.get("hint", ""))
    yield from _peers(site, status)
    yield from _workers(status.get("workers") or [])
    if wanted := status.get("workers_next"):
        text = f"the router is to have {output.count(wanted, 'worker')} from its next start on"
        yield Finding("warning", "SW0519", text, "sitectl stop, then sitectl start")
    known = [str(one["message"]) for one in status.get("problems") or []]
    none = "no link"
    if routers := output.several_routers(status):
        none = f"no link at this router, one of {routers} of this site"
    yield from _each(links, "SW0515", none, partial(_link, known))
    yield from _each(services, "SW0516", "no service", partial(_service, known))


def _serves(status: Mapping[str, Any]) -> Finding:
    """Whether the router takes requests."""
    if status.get("ready"):
        return Finding("ok", "SW0513", "router ready")
    text = "router not ready"
    if status.get("draining"):
        text = "router draining: it stops once requests have ended"
    return Finding("error", "SW0513", text, "sitectl status --watch")


def _peers(site: Site, status: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether any other router of the site is linked, where its document names some."""
    routers, peers = status.get("replicas", 1), site.peers()
    if routers > 1:
        yield Finding("ok", "SW0515", f"{routers} routers of this site are linked to each other")
    elif peers and not any(note["code"] == "SW0684" for note in status.get("notes") or ()):
        text = f"no other router of this site is linked; its peers are {', '.join(peers)}"
        hint = "Is one running there? Another address: sitectl update --peer HOST:PORT"
        yield Finding("warning", "SW0515", text, hint)


def _workers(workers: list[dict[str, Any]]) -> Iterator[Finding]:
    """The processes of a router that has several, and the cores for them."""
    if not workers:
        return
    ready = sum(bool(one["ready"]) for one in workers)
    text = f"{ready} of {output.count(len(workers), 'worker')} ready"
    yield Finding("ok" if ready == len(workers) else "warning", "SW0519", text)
    cores = len(os.sched_getaffinity(0))
    if len(workers) > cores:
        text = f"the router has {len(workers)} workers, and {output.count(cores, 'core')} for them"
        hint = "More than one a core cost memory alone: sitectl update --workers auto"
        yield Finding("warning", "SW0519", text, hint)


def _each(
    items: list[dict[str, Any]], code: str, none: str, judge: Callable[[Any], Iterator[Finding]]
) -> Iterator[Finding]:
    if not items:
        yield Finding("info", code, none)
    for item in items:
        yield from judge(item)


def _link(known: Sequence[str], item: dict[str, Any]) -> Iterator[Finding]:
    """``known``: what the router says is wrong, which is not repeated in other words."""
    if item.get("direction") == "incoming" and item.get("state") == "down":
        return  # A note of the router says so: the other site dials it.
    name = f"link {item['name']}"
    if item.get("silent_since") or item.get("error_code") in ("copy", "deleted", "token"):
        pass  # A problem or note of the router says so.
    elif item.get("workers_down") and _names(known, f"Link {item['name']} "):
        pass
    elif item.get("state") == "up":
        yield Finding("ok", "SW0515", f"{name} is up, cost {item.get('cost')}")
    elif item.get("succeeded"):
        streams = counted(item.get("streams"), "stream")
        text = f"{name} is up; its connection that drains ends with {streams}"
        yield Finding("ok", "SW0515", text)
    elif not _names(known, f"Link {item['name']} "):
        cause = f": {item['error']}" if item.get("error") else ""
        hint = f"sitectl link status {item['name']}"
        yield Finding("warning", "SW0515", f"{name} is {item.get('state')}{cause}", hint)
    expires = item.get("certificate_expires")
    if expires and item.get("direction") == "outgoing":  # Others are renewed at their dialers.
        moment = datetime.datetime.fromisoformat(str(expires).replace("Z", "+00:00"))
        # It renews itself more than two days before.
        what, renewal = f"the certificate of {name}", f"sitectl link renew {item['name']}"
        yield expiry(what, moment.timestamp(), "SW0518", renewal, 86_400.0)


def _names(known: Sequence[str], begin: str) -> bool:
    return any(message.startswith(begin) for message in known)


def _service(known: Sequence[str], item: dict[str, Any]) -> Iterator[Finding]:
    """``known`` as for `_link`."""
    named = output.safe(item.get("routing_key") or "") or f"{item['name']}:{item['port']}"
    name = f"service {named}"
    listener = item.get("listener") or {}
    if listener.get("error") and not _names(known, f"S{name[1:]} has no listener"):
        taken = listener.get("state") == "error"
        listen = f"sitectl service set {item['name']}:{item['port']} --listen [IP:]PORT"
        hint = f"Free the port, or: {listen}" if taken else ""
        if "must speak TLS" in str(listener["error"]):
            hint = f"sitectl service set {item['name']} --tls-cert FOLDER"
        is_wanted = str(listener["error"]).startswith(WANTED_SO)
        text = f"{name}: no listener: {listener['error']}"
        yield Finding("info" if is_wanted else "warning", "SW0516", text, hint)
    if not _names(known, f"S{name[1:]} has no ready target"):
        yield _targets(name, item)


def _targets(name: str, item: Mapping[str, Any]) -> Finding:
    """The targets of a service of which the router reports no lack.

    Without a ready target it is no warning: the router reports that lack (SW0309) where the
    service is declared and has targets, and as soon as a client of this site asks for it.
    """
    sites = item.get("sites") or []
    ready = sum(site.get("targets_ready") or 0 for site in sites if not site.get("left_out"))
    if ready:
        here = local_targets.of(item).shown
        text = f"{name}: {output.count(ready, 'target')} ready" + (f", {here}" if here else "")
        return Finding("ok", "SW0517", text)
    barred = [
        str(site["site"]) for site in sites if site.get("left_out") and site.get("targets_ready")
    ]
    where, but = "is reached", ""
    if barred:
        where, but = "may serve it", f"; {', '.join(barred)} may not"
    text = (
        f"{name}: no target is ready at any site that {where}{but}. "
        "It is a problem once a client here asks for it."
    )
    key = f"{item['name']}:{item['port']}"
    hint = f"sitectl why {key}, or: sitectl service bind {item['name']} TYPE NAME"
    return Finding("info", "SW0517", text, hint)
