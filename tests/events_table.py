"""The tables of docs/events.md, made from router/model/event_codes.py; a test compares the two.

``python -m tests.events_table`` writes them again.
"""

from pathlib import Path

from router.model.event_codes import EVENT_CODES

PAGE = Path(__file__).resolve().parent.parent / "docs" / "events.md"
BEGIN, END = "<!-- codes: begin -->\n", "<!-- codes: end -->\n"


def page(text: str) -> str:
    """``text`` of the page with new tables."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    lines: list[str] = []
    for kind, title in (("audit", "Audit"), ("event", "Events")):
        lines += [f"\n**{title}**\n", "| code | subject | |", "|---|---|---|"]
        lines += [
            f"| `{one.code}` | {one.about} | {one.meaning} |"
            for one in EVENT_CODES.values()
            if one.kind == kind
        ]
    return head + BEGIN + "\n".join([*lines, "", END]) + tail


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
