"""The output of `check`: findings by group, each with a tick; in JSON with a link to the docs."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sitectl.base import output
from sitectl.base.failure import doc_of
from sitectl.base.findings import Finding, Level

ALIKE_MAX: Final = 20
GROUPS: Final = ("machine", "site", "documents", "links", "services", "certificates", "cluster")
_CODES: Final = {
    "site": "SW0208 SW0209 SW0210 SW0311 SW0469 SW0470 SW0471 SW0510 SW0511 SW0513 SW0514 SW0603 "
    "SW0661 SW0662 SW0663 SW0666",
    "documents": "SW0100 SW0317 SW0512",
    "links": "SW0201 SW0319 SW0330 SW0401 SW0403 SW0404 SW0441 SW0442 SW0447 SW0448 SW0515 "
    "SW0635 SW0660 SW0665 SW0672 SW0673 SW0675 SW0676 SW0677 SW0694",
    "services": "SW0202 SW0516 SW0517 SW0520",
    "certificates": "SW0207 SW0402 SW0444 SW0518 SW0664 SW0670 SW0680 SW0681",
}
_OF_CODE: Final = {code: group for group, codes in _CODES.items() for code in codes.split()}
_OF_FAMILY: Final[dict[str, str]] = {
    "SW01": "documents",
    "SW02": "services",
    "SW03": "services",
    "SW04": "cluster",
    "SW05": "machine",
    "SW06": "machine",
    "SW07": "documents",
}
_MARKS: Final[dict[Level, str]] = {
    "ok": "ok     ",
    "info": "info   ",
    "warning": "WARNING",
    "error": "ERROR  ",
}
_TICKS: Final[dict[Level, str]] = {"ok": "✓", "info": "·", "warning": "!", "error": "✗"}
_COLOURS: Final[dict[Level, str]] = {"ok": "32", "info": "36", "warning": "33", "error": "31"}


def group_of(code: str) -> str:
    """Under which heading it stands."""
    return _OF_CODE.get(code) or _OF_FAMILY.get(code[:4], "site")


def item(finding: Finding) -> dict[str, Any]:
    """A finding in `-o json`."""
    return {
        "level": finding.level,
        "code": finding.code,
        "message": finding.message,
        "hint": finding.hint,
        "group": group_of(finding.code),
        "doc": doc_of(finding.code),
    }


def text(findings: Sequence[Finding], *, colour: bool = False) -> str:
    """Human-readable: each group with its findings, then the number of each level."""
    lines: list[str] = []
    for group in GROUPS:
        mine = [one for one in findings if group_of(one.code) == group]
        if mine:
            shown = _without_crowds(mine)
            lines += [*([""] if lines else []), group, *(_line(one, colour) for one in shown)]
    return "\n".join([*lines, "", _summary(findings)])


def _without_crowds(findings: Sequence[Finding]) -> Iterator[Finding]:
    """The first `ALIKE_MAX` of each code and level, and how many more there are.

    Another site can declare a thousand services, and a user can have as many.
    """
    seen = Counter[tuple[str, Level]]()
    for one in findings:
        seen[one.code, one.level] += 1
        if seen[one.code, one.level] <= ALIKE_MAX:
            yield one
    for (code, level), count in seen.items():
        if count > ALIKE_MAX:
            yield Finding(
                level, code, f"{count - ALIKE_MAX} more like these", "sitectl check -o json"
            )


def _line(finding: Finding, colour: bool) -> str:
    can = (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
    tick = _TICKS[finding.level] if can else " "
    head = f"{tick} {_MARKS[finding.level]}"
    if colour:
        head = f"\x1b[{_COLOURS[finding.level]}m{head}\x1b[0m"
    hint = f"\n                    Next: {finding.hint}" if finding.hint else ""
    return f"  {head}  {finding.code}  {output.safe(finding.message)}{hint}"


def _summary(findings: Sequence[Finding]) -> str:
    counts = {level: sum(one.level == level for one in findings) for level in _MARKS}
    told = (
        f"{output.count(counts['error'], 'error')}, {output.count(counts['warning'], 'warning')}, "
        f"{counts['ok']} good."
    )
    worst = next((one for one in findings if one.level == "error"), None)
    worst = worst or next((one for one in findings if one.level == "warning"), None)
    return told if worst is None else f"{told} More about a code: sitectl explain {worst.code}"
