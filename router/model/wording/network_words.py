"""Sites and links in a few words, the same on every surface."""

from collections.abc import Mapping
from typing import Any, Final

from router.model.wording.plural import counted

NO_REMOVALS: Final[Mapping[str, str]] = {}


def sites_reachable(known: int, reachable: int) -> str:
    """``3 sites``, or ``2 of 3 sites reachable``."""
    all_ = counted(known, "site")
    return all_ if reachable == known else f"{reachable} of {all_} reachable"


def links_up(total: int, up: int, silent: int, partly: int = 0) -> str:
    """``2 links up``, ``1 of 2 links up``, ``2 links up (1 silent)``, ``2 links up (1 not at every
    worker)``."""
    all_ = counted(total, "link")
    words = f"{all_} up" if up == total else f"{up} of {all_} up"
    notes = [f"{silent} silent"] if silent else []
    notes += [f"{partly} not at every worker"] if partly else []
    return f"{words} ({', '.join(notes)})" if notes else words


def link_removal(name: str, removals: Mapping[str, str] = NO_REMOVALS) -> str:
    """The command that deletes a link which is dialed here. ``removals``: by name, where `link
    delete` refuses to."""
    return removals.get(name) or f"sitectl link delete {name}"


def other_proxy(name: str) -> str:
    """The command for a link that its proxy refuses."""
    return f"sitectl link set {name} --proxy URL, or --proxy none"


def state_word(link: Mapping[str, Any]) -> str:
    """The readable state of an item of `/api/v1/links`. ``silent``: up, but nothing is heard over
    it. A link that is up at only some workers: ``up (1 of 2 workers)``."""
    state = str(link.get("state"))
    if state == "up" and link.get("silent_since"):
        return "silent"
    workers, down = int(link.get("workers") or 0), len(link.get("workers_down") or ())
    return f"{state} ({workers - down} of {workers} workers)" if down else state
