"""A short state of the site for the status ConfigMap (docs/kubernetes-objects.md). Pure.

Its rates and times are those of the moment of writing: a change of them alone causes no new write.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from router.admin.views.links import LinkView
from router.admin.views.status import Status
from router.kubernetes.codecs.status import ShortStatus, condition
from router.model import limits
from router.model.events import Note, Problem
from router.model.wording.network_words import links_up
from router.model.wording.plural import counted
from router.operate.figures.figure_scope import with_router


class StatusView(Protocol):
    """The part of `OperatorView` used here."""

    def status(self) -> Status:
        """The site, with the findings of its other routers."""

    def own_status(self, *, steady: bool = False) -> Status:
        """As this router sees it. ``steady``: without problems that only rates show."""

    def links(self) -> Sequence[LinkView]:
        """All links."""


def short(view: StatusView, router: str) -> ShortStatus:
    """The content of the ConfigMap. ``router``: the name of its pod."""
    status, links = view.status(), view.links()
    codes = sorted([p.code for p in status.problems] + [n.code for n in status.notes])
    steady = msgspec.structs.replace(view.own_status(steady=True), notes=())  # Notes contain times.
    told, compared = (_told(one, links, router) for one in (status, steady))
    return ShortStatus(told, f"{compared}{codes}")


def _told(status: Status, links: Sequence[LinkView], router: str) -> dict[str, Any]:
    return {
        "name": status.name,
        "id": status.id,
        "version": status.version,
        "conditions": [
            _readiness(status),
            _links_up(links, status.replicas),
            _condition(
                "NoProblems",
                not status.problems,
                "Found" if status.problems else "None",
                counted(len(status.problems), "problem") if status.problems else "",
            ),
        ],
        "links": [
            {
                "name": link.name,
                "neighbour": link.neighbour.name,
                "direction": link.direction,
                "state": link.state,
                "cost": link.cost,
            }
            for link in sorted(links, key=lambda link: (link.name, link.neighbour.id))
        ][: limits.STATUS_ITEMS_MAX],
        "services": status.services,
        "sites": status.sites,
        "problems": [
            {"code": one.code, **_texts(one, router)}
            for one in status.problems[: limits.STATUS_ITEMS_MAX]
        ],
        "notes": [
            {
                "severity": one.severity,
                "code": one.code,
                **_texts(one, router),
            }
            for one in status.notes[: limits.STATUS_ITEMS_MAX]
        ],
    }


def _texts(said: Problem | Note, router: str) -> dict[str, str]:
    return {"message": _cut(with_router(said.message, router)), "hint": _cut(said.hint)}


def _cut(text: str) -> str:
    """An API server's message can be of any length, and a ConfigMap has 1 MiB."""
    most = limits.STATUS_TEXT_CHARS_MAX
    return text if len(text) <= most else text[: most - 1] + "…"


def _readiness(status: Status) -> dict[str, str]:
    if status.draining:
        return _condition("Ready", False, "Draining", "it stops once requests have ended")
    return _condition("Ready", status.ready, "Serving" if status.ready else "NotServing", "")


def _links_up(links: Sequence[LinkView], routers: int) -> dict[str, str]:
    """Counted as in `status`. True also if only other sites can dial the links that are down.
    ``routers``: of the site; each knows its own links.
    """
    links = [link for link in links if not link.succeeded]
    down = [link for link in links if link.state != "up"]
    silent = sum(link.silent_since is not None for link in links)
    message = links_up(len(links), len(links) - len(down), silent)
    if routers > 1:
        message += f" at the router that wrote this, one of {routers}"
    if not down:
        return _condition("LinksUp", True, "AllUp", message)
    # The dialing site may be a laptop that was switched off: no fault of this site.
    if all(link.direction == "incoming" for link in down):
        return _condition("LinksUp", True, "IncomingDown", f"{message}; other sites dial the rest")
    return _condition("LinksUp", False, "SomeDown", message)


def _condition(kind: str, holds: bool, reason: str, message: str) -> dict[str, str]:
    return condition(kind, "True" if holds else "False", reason, message)
