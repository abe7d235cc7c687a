"""The pages that show the table of faults, made from `tests.truth.faults`; a test compares them.

``python -m tests.truth.table`` rewrites both.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.truth.fault import ALERTS, OBJECT_EVENTS, PAGES, STATUS, STATUS_JSON, SURFACES, Fault
from tests.truth.faults import host, kubernetes, links, load, names, targets

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
BEGIN, END = "<!-- faults: begin -->\n", "<!-- faults: end -->\n"
GROUPS: Final[dict[str, Sequence[Fault]]] = {
    "Targets": targets.FAULTS,
    "Load": load.FAULTS,
    "Links and sites": links.FAULTS,
    "Names": names.FAULTS,
    "Hosts": host.FAULTS,
    "Namespaces": kubernetes.FAULTS,
}
FAULTS: Final = tuple(itertools.chain.from_iterable(GROUPS.values()))


def pages() -> dict[Path, str]:
    """Both pages as they should be."""
    made = {"failure-modes.md": _overview(), "failure-surfaces.md": _each()}
    return {
        DOCS / name: _within(DOCS / name, "\n".join(lines).strip()) for name, lines in made.items()
    }


def _within(path: Path, made: str) -> str:
    head, _, rest = path.read_text().partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}{made}\n\n{END}{tail}"


def _overview() -> Iterator[str]:
    yield "| fault | clients | `status` names | exit | alert | Event of a namespace |"
    yield "|---|---|---|---|---|---|"
    for fault in FAULTS:
        name = f"[{fault.name}](failure-surfaces.md#{_anchor(fault.name)})"
        alerts = fault.shown.get(ALERTS, "–")
        codes = _codes(fault)
        exit_code, event = fault.exits.get(STATUS, 0), _reason(fault)
        yield f"| {name} | {fault.clients} | {codes} | {exit_code} | {alerts} | {event} |"


def _codes(fault: Fault) -> str:
    """Those that it always names."""
    found = re.findall(r"SW\d{4}", fault.shown.get(STATUS_JSON, ""))
    return ", ".join(f"[{code}](codes.md#{code.lower()})" for code in found) or "–"


def _reason(fault: Fault) -> str:
    """Of the Event: its second word."""
    _, _, rest = fault.shown.get(OBJECT_EVENTS, "").partition("  ")
    return re.split(r"\W", rest)[0] or "–"


def _each() -> Iterator[str]:
    for group, faults in GROUPS.items():
        yield f"## {group}"
        for fault in faults:
            yield from ("", f"### {_capital(fault.name)}", "", f"Clients: {fault.clients}.", "")
            yield from ("| where | what it shows |", "|---|---|")
            for surface in SURFACES:
                if surface in fault.shown:
                    yield f"| {_where(surface)} | {_shown(fault, surface)} |"
            if fault.silent:
                yield from ("", "Silent:", "")
            for reason, surfaces in _by_reason(fault).items():
                yield f"- {', '.join(map(_where, surfaces))}: {reason}."
        yield ""


def _by_reason(fault: Fault) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for surface in SURFACES:
        if surface in fault.silent:
            found.setdefault(fault.silent[surface], []).append(surface)
    return found


def _where(surface: str) -> str:
    return surface if surface in (*PAGES, ALERTS, OBJECT_EVENTS) else f"`{surface}`"


def _shown(fault: Fault, surface: str) -> str:
    text, code = fault.shown[surface], fault.exits.get(surface, 0)
    parts = [f"`{part.strip()}`".replace("|", "\\|") for part in text.split("…") if part.strip()]
    shown = text if surface == ALERTS else " … ".join(parts)
    return shown + (f" · exit {code}" if code else "")


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _anchor(name: str) -> str:
    kept = "".join(letter for letter in name.lower() if letter.isalnum() or letter in " -")
    return kept.replace(" ", "-")


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
