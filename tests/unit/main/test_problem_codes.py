"""A problem's code is what people search for: it must mean one thing."""

import re
from collections import Counter
from pathlib import Path

import router.main


def test_no_two_problems_of_a_running_router_share_a_code() -> None:
    texts = [path.read_text() for path in Path(router.main.__path__[0]).glob("*.py")]
    codes = Counter(re.findall(r'code="(SW\d{4})"', "".join(texts)))
    assert len(codes) > 10
    assert [code for code, count in codes.items() if count > 1] == []
