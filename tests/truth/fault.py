"""A fault as the table has it: its name, the answers that clients get, and the text of each
surface.
"""

import re
from typing import Final

import msgspec

from tests.scenario.waiting import WAIT_S

STATUS: Final = "status"
STATUS_JSON: Final = "status -o json"
CHECK: Final = "check"
TOP: Final = "top --once"
SERVICE: Final = "service status -v"
WHY: Final = "why shop"
WHY_PAST: Final = "why shop --last 20"
LINKS: Final = "link status"
NETWORK: Final = "network status"
EVENTS: Final = "events"
HEALTH: Final = "health --ready"
METRICS: Final = "/metrics"
ALERTS: Final = "alerts"
OVERVIEW: Final = "console, overview"
TOPOLOGY: Final = "console, topology"
SERVICE_PAGE: Final = "console, service"
OBJECT_STATUS: Final = "spillway-status"
OBJECT_EVENTS: Final = "Events"

COMMANDS: Final = (
    *(STATUS, STATUS_JSON, CHECK, TOP, SERVICE, WHY, WHY_PAST),
    *(LINKS, NETWORK, EVENTS, HEALTH),
)
PAGES: Final = {OVERVIEW: "#/", TOPOLOGY: "#/topology", SERVICE_PAGE: "#/services/shop"}
OBJECTS: Final = (OBJECT_STATUS, OBJECT_EVENTS)
"""Of a namespace."""
SURFACES: Final = (*COMMANDS, METRICS, ALERTS, *PAGES, *OBJECTS)


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """``clients``: the answers that they get while it lasts.

    ``shown``: the text of each surface, in order; ``…`` matches any text, also none. Of `ALERTS`:
    the alerts that fire if it lasts, in the order of their names. ``silent``: by surface why it
    shows nothing. Each surface is in one of the two. ``exits``: of commands that do not end with 0.
    ``false``: text that no surface may show. ``within_s``: the time that a surface may take.
    """

    name: str
    clients: str
    shown: dict[str, str]
    silent: dict[str, str]
    exits: dict[str, int] = {}
    false: tuple[str, ...] = ()
    within_s: float = WAIT_S

    def __post_init__(self) -> None:
        named = [*self.shown, *self.silent]
        if sorted(named) != sorted(SURFACES):
            missing = set(SURFACES).difference(named)
            twice = self.shown.keys() & self.silent.keys()
            unknown = set(named).difference(SURFACES)
            raise ValueError(f"{self.name}: {missing=} {twice=} {unknown=}")

    def fits(self, surface: str, text: str) -> bool:
        """Whether ``text`` is what the table has for ``surface``, and nothing false."""
        if any(map(text.__contains__, self.false)):
            return False
        parts = map(re.escape, self.shown.get(surface, "").split("…"))
        return re.search(".*?".join(parts), text, re.DOTALL) is not None


def silent(reason: str, *surfaces: str) -> dict[str, str]:
    """These surfaces show nothing of a fault, for one reason."""
    return dict.fromkeys(surfaces, reason)
