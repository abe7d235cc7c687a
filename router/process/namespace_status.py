"""A short state of the site for the status ConfigMap (docs/kubernetes-objects.md). Pure.

Nothing in it changes with traffic or with time.
"""

from collections.abc import Sequence

from router.admin.views import LinkView, Status
from router.kubernetes.codecs.status import encode
from router.model import limits


def short(status: Status, links: Sequence[LinkView]) -> dict[str, str]:
    """The data of the ConfigMap: one JSON text."""
    # Who dials a link that was lost may be a laptop that was switched off: no fault of this site.
    meant = [link for link in links if link.state == "up" or link.direction == "outgoing"]
    up = [link for link in meant if link.state == "up"]
    problems = status.problems[: limits.STATUS_ITEMS_MAX]
    told = {
        "name": status.name,
        "id": status.id,
        "version": status.version,
        "conditions": [
            _condition("Ready", status.ready, "Serving", "NotServing", ""),
            _condition(
                "LinksUp",
                len(up) == len(meant),
                "AllUp",
                "SomeDown",
                f"{len(up)} of {len(meant)} links are up",
            ),
            _condition(
                "NoProblems",
                not status.problems,
                "None",
                "Found",
                f"{len(status.problems)} problems" if status.problems else "",
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
            {"code": one.code, "message": _cut(one.message), "hint": _cut(one.hint)}
            for one in problems
        ],
    }
    return encode(told)


def _cut(text: str) -> str:
    """What an API server said can be as long as it likes, and a ConfigMap has 1 MiB."""
    most = limits.STATUS_TEXT_CHARS_MAX
    return text if len(text) <= most else text[: most - 1] + "…"


def _condition(kind: str, holds: bool, yes: str, no: str, message: str) -> dict[str, str]:
    return {
        "type": kind,
        "status": "True" if holds else "False",
        "reason": yes if holds else no,
        "message": message,
    }
