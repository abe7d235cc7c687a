"""The page of keys, annotations and codes is that of the code."""

from tests.kubernetes_tables import PAGE, page


def test_the_tables_of_the_page_are_those_of_the_code() -> None:
    text = PAGE.read_text()
    assert page(text) == text, "write them anew: python -m tests.kubernetes_tables"
