"""The tables of docs/kubernetes-skupper.md, made from the code; a test compares the two.

``python -m tests.kubernetes_tables`` writes them again.
"""

from collections.abc import Iterable
from pathlib import Path

from router.kubernetes.objects import findings
from router.kubernetes.translation import annotation_keys, site_keys

PAGE = Path(__file__).resolve().parent.parent / "docs" / "kubernetes-skupper.md"


def page(text: str) -> str:
    """``text`` of the page with new tables."""
    for name, lines in (("keys", _keys()), ("annotations", _annotations()), ("codes", _codes())):
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
        head, _, rest = text.partition(begin)
        _, _, tail = rest.partition(end)
        text = head + begin + "\n".join([*lines, end]) + tail
    return text


def _keys() -> Iterable[str]:
    yield "| key | default | here |"
    yield "|---|---|---|"
    for entry in site_keys.KEYS:
        effect = "read" if entry.field else f"no effect: {entry.why}"
        refused = (f"`{value}`: {why}" for value, (why, _) in entry.refused.items())
        noted = [effect, entry.note, *refused]
        yield f"| `{entry.key}` | {entry.default} | {'; '.join(filter(None, noted))} |"


def _annotations() -> Iterable[str]:
    yield "| annotation | on | here |"
    yield "|---|---|---|"
    for entry in annotation_keys.KEYS:
        kinds = "all" if entry.kinds == annotation_keys.ALL_KINDS else ", ".join(entry.kinds)
        effect = entry.effect or f"no effect: {entry.why}"
        yield f"| `{entry.key}` | {kinds or '–'} | {effect} |"


def _codes() -> Iterable[str]:
    yield "| code | what |"
    yield "|---|---|"
    for code, what in findings.CODES.items():
        yield f"| {code} | {what} |"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
