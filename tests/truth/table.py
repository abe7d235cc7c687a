"""What each surface shows in each fault: the table of docs/failure-modes.md, which tests check.

``python -m tests.truth.table`` rewrites the table in that page.
"""

import re
from pathlib import Path

import msgspec

PAGE = Path(__file__).resolve().parents[2] / "docs" / "failure-modes.md"
BEGIN, END = "<!-- surfaces: begin -->\n", "<!-- surfaces: end -->\n"


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """``shown``: by command what it prints, in order; ``…`` stands for any text, also none.

    ``codes``: how these commands end if not with 0.
    """

    name: str
    shown: dict[str, str]
    codes: dict[str, int] = {}

    def fits(self, surface: str, text: str) -> bool:
        """Whether ``text`` is what the table says of ``surface``."""
        parts = map(re.escape, self.shown[surface].split("…"))
        return re.search(".*?".join(parts), text, re.DOTALL) is not None


METRICS = "/metrics"

ALL_DEAD = Fault(
    name="no local target of a service is ready, another site serves",
    shown={
        "status": "degraded…SW0335 Service shop:…: 0 of 2 targets are ready here; …go to far",
        "check": "WARNING…SW0335…1 target ready, 0 of 2 here",
        "top --once": "1 problem…0 of 2 targets…/s to far (no-target)",
        "service status": "1 at 1 site, 0 of 2 here",
        "why shop": "goes to far…near…no-target…far…chosen",
        METRICS: 'spillway_spilled_total{…reason="no-target"…to="far"}…'
        'spillway_local_targets{…state="ready"} 0.0',
    },
    codes={"status": 3, "check": 3},
)
ONE_DEAD = Fault(
    name="one of two local targets is not ready",
    shown={
        "status": "Note:…SW0336 Service shop:…: 1 of 2 targets are ready here.",
        "check": "WARNING…SW0336…2 targets ready, 1 of 2 here",
        "service status": "2 at 2 sites, 1 of 2 here",
        METRICS: 'spillway_local_targets{…state="not-ready"} 1.0',
    },
    codes={"check": 3},
)
LINK_DOWN = Fault(
    name="the neighbor of a link is gone, or the link is down",
    shown={
        "status": "degraded…1 of 2 links up…SW0675 Link far to far is down: …"
        "refused the connection",
        "check": "WARNING…SW0515…link far is …refused the connection",
        "top --once": "1 of 2 links up…LINK…far…far…refused the connection",
        "link status": "far…far…outgoing…refused the connection",
        "why shop": "far…unreachable…link far to far is down since … UTC",
        METRICS: 'spillway_link_up{direction="outgoing",link="far",neighbour="far"} 0.0',
    },
    codes={"status": 3, "check": 3},
)
INCOMING_DOWN = Fault(
    name="a neighbor that links here is gone, or its link is down",
    shown={
        "status": "ready…1 of 2 links up…Note:     SW0676 Link far from far is down since … UTC: ",
        "check": "info   …SW0676  Link far from far is down since … UTC: ",
        "top --once": "1 of 2 links up…LINK…far…far…down",
        "link status": "far…far…incoming…down…connection",
        "why shop": "far…unreachable…link far from far is down since … UTC",
        METRICS: 'spillway_link_up{direction="incoming",link="far",neighbour="far"} 0.0',
    },
)
FULL = Fault(
    name="this site is full, another site serves the rest",
    shown={
        "status": "State:    ready\n",
        "top --once": "2 of 2…/s to far (full)",
        "service status": "3 at 2 sites",
        "why shop": "goes to far…near…full…far…chosen",
        METRICS: 'spillway_overflow_total{…reason="full"…to="far"}…'
        'spillway_spilled_total{…reason="full"…to="far"}',
    },
)
FAULTS = (ALL_DEAD, ONE_DEAD, FULL, LINK_DOWN, INCOMING_DOWN)


def page(text: str) -> str:
    """The page, of which ``text`` is the old text, with the table of today."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    surfaces = list(dict.fromkeys(surface for fault in FAULTS for surface in fault.shown))
    lines = [
        f"| surface | {' | '.join(fault.name for fault in FAULTS)} |",
        f"|---|{'---|' * len(FAULTS)}",
        *(
            f"| `{surface}` | {' | '.join(_cell(fault, surface) for fault in FAULTS)} |"
            for surface in surfaces
        ),
    ]
    return head + BEGIN + "\n".join([*lines, "", END]) + tail


def _cell(fault: Fault, surface: str) -> str:
    if surface not in fault.shown:
        return "–"
    code = fault.codes.get(surface, 0)
    return f"`{fault.shown[surface].strip()}`" + (f", exit {code}" if code else "")


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
