"""Names of other operators' sites and links have no effect on the reader's terminal."""

import json
import unicodedata
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitectl.base import output
from sitectl.show import top
from tests.browser import pictures

HARM = "\x1b]0;pwn\x07\x9b2J\r\n\u202e\u2028"


def harmful(text: str) -> list[str]:
    """Characters that move the cursor, give orders to a terminal, or turn the order of letters."""
    kinds = ("Cc", "Zl", "Zp")
    turns = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
    return [
        hex(ord(one))
        for one in text
        if unicodedata.category(one) in kinds or unicodedata.bidirectional(one) in turns
    ]


@given(st.text())
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    assert harmful(output.safe(text)) == []


def test_what_people_write_stays() -> None:
    assert output.safe("Zürich-東京 → été") == "Zürich-東京 → été"


def worse(value: Any) -> Any:
    """The same with harm in every text."""
    if isinstance(value, dict):
        return {key: inner if key == "at" else worse(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [worse(inner) for inner in value]
    return value + HARM if isinstance(value, str) else value


@pytest.mark.parametrize(
    "shown",
    [
        lambda live: [top.head(live, "name")],
        lambda live: top.page(live, None, sort="name"),
        lambda live: top.page(live, (80, 24), sort="spilled", ascii_only=True),
    ],
)
def test_top_shows_no_harm_in_any_text_of_a_picture(
    shown: Callable[[Any], list[str]],
) -> None:
    live = worse(json.loads(msgspec.json.encode(pictures.burst())))
    assert [found for line in shown(live) for found in harmful(line)] == []
