"""docs/sitectl.md shows the real output."""

from tests import shown_looks


def test_the_page_shows_what_is_printed() -> None:
    text = shown_looks.PAGE.read_text("utf-8")
    assert len(shown_looks.commands(text)) >= 5
    assert shown_looks.page(text) == text, "python -m tests.shown writes it anew"
