"""The table of conformance cases in docs/kubernetes-mcs.md names tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "kubernetes-mcs.md"
ROW = re.compile(r"^\| [^|]+ \| `(tests/[^:]+\.py)::(test_\w+)` \|$", re.MULTILINE)
REQUIRED_CASES = 14


def test_each_required_case_of_the_suite_has_a_test() -> None:
    rows = ROW.findall(PAGE.read_text())

    assert len(rows) == REQUIRED_CASES
    for path, name in rows:
        assert f"def {name}(" in (ROOT / path).read_text(), f"{path}::{name}"
