"""The pages that are made from the code are as the code is."""

from pathlib import Path

import pytest

from deploy.verbs import verbs
from tests.reference import api, documents
from tests.reference.field_texts import TEXTS
from tests.reference.pages import PAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_made_from_the_code(page: Path) -> None:
    assert page.read_text("utf-8") == PAGES[page](), "write it anew: python -m tests.reference"


def test_every_route_of_the_api_is_on_its_page() -> None:
    assert api.found() == api.ROUTES.keys()


def test_every_field_of_a_document_has_its_line_and_no_line_is_left_over() -> None:
    fields = {shape.struct.__name__: set(shape.fields) for _, shape in documents.shapes()}

    assert {name: set(texts) for name, texts in TEXTS.items()} == fields


def test_every_verb_says_what_it_does() -> None:
    assert [verb.name for verb in verbs() if not verb.text] == []


def test_every_verb_that_does_something_has_an_example() -> None:
    assert [verb.name for verb in verbs() if not verb.verbs and not verb.examples] == []
