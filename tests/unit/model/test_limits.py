"""The page about limits says what the code does."""

from tests.limits_table import PAGE, page


def test_the_page_lists_every_limit_with_its_value() -> None:
    text = PAGE.read_text()
    assert page(text) == text, "write it anew: python -m tests.limits_table"
