"""The table of faults and surfaces in the docs is the one that the tests hold."""

from tests.truth import table


def test_the_page_has_the_table() -> None:
    text = table.PAGE.read_text()
    assert text == table.page(text), "python -m tests.truth.table"


def test_a_pattern_is_found_in_order_and_over_lines() -> None:
    fault = table.Fault(name="", shown={"x": "a…(b)…c"})
    assert fault.fits("x", "1 a\n(b) 2 c")
    assert not fault.fits("x", "(b) a c")
    assert not fault.fits("x", "a b c")
