import ast
import re
from pathlib import Path

from router.model.event_codes import EVENT_CODES
from tests import events_table

ROOT = Path(__file__).resolve().parents[3]
TELLERS = {"tell", "_tell", "audit", "overflow", "_refused", "_tell_audit"}
CODE = re.compile(r"[a-z]+(-[a-z]+)+")


def emitted() -> dict[str, str]:
    """Every literal code that a teller of `router` is called with, and where."""
    found: dict[str, str] = {}
    for path in (ROOT / "router").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if not isinstance(call, ast.Call):
                continue
            named = call.func
            name = named.attr if isinstance(named, ast.Attribute) else getattr(named, "id", "")
            is_threaded = name == "call_soon_threadsafe"
            if name not in TELLERS and not is_threaded:
                continue
            for argument in call.args[: 3 if is_threaded else 2]:
                for leaf in ast.walk(argument):
                    said = leaf.value if isinstance(leaf, ast.Constant) else None
                    if isinstance(said, str) and CODE.fullmatch(said):
                        found[said] = str(path.relative_to(ROOT))
    return found


def test_no_event_is_told_with_an_unknown_code() -> None:
    told = emitted()

    assert len(told) > 30
    unknown = {code: place for code, place in told.items() if code not in EVENT_CODES}
    assert not unknown, "add them to router/model/event_codes.py"


def test_every_code_stands_somewhere_in_the_code() -> None:
    names = ROOT / "router/model/event_codes.py"
    paths = (path for path in (ROOT / "router").rglob("*.py") if path != names)
    text = "".join(path.read_text() for path in paths)

    def stands(code: str) -> bool:
        head, _, last = code.rpartition("-")
        return f'"{code}"' in text or (f'f"{head}-{{' in text and last in text)

    assert not [code for code in EVENT_CODES if not stands(code)]


def test_the_table_is_made_from_the_codes() -> None:
    text = events_table.PAGE.read_text()

    assert text == events_table.page(text), "python -m tests.events_table"
