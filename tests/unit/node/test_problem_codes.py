"""A problem's code is what people search for: it must mean one thing."""

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
ROOMS = ("node", "operate", "process", "trust", "workers")


def test_no_two_problems_of_a_running_router_share_a_code() -> None:
    folders = [ROOT / "router" / room for room in ROOMS]
    texts = [path.read_text() for folder in folders for path in folder.rglob("*.py")]
    codes = Counter(re.findall(r'code="(SW\d{4})"', "".join(texts)))
    assert len(codes) > 10
    assert [code for code, count in codes.items() if count > 1] == []
