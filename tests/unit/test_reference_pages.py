"""The pages that are made from the code are as the code is."""

from pathlib import Path

import pytest

from deploy.verbs import verbs
from tests.reference import api, documents
from tests.reference.pages import PAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_made_from_the_code(page: Path) -> None:
    assert page.read_text("utf-8") == PAGES[page](), "write it anew: python -m tests.reference"


def test_every_route_of_the_api_is_on_its_page() -> None:
    assert api.found() == api.ROUTES.keys()


def test_every_row_of_the_table_of_settings_says_what_it_means() -> None:
    rows = [
        (title, field) for title, shape in documents.shapes() for field in shape.fields.values()
    ]
    assert len(rows) > 100
    assert [(title, field.key) for title, field in rows if not field.text] == []


def test_every_verb_says_what_it_does() -> None:
    assert [verb.name for verb in verbs() if not verb.text] == []


def test_every_verb_that_does_something_has_an_example() -> None:
    assert [verb.name for verb in verbs() if not verb.verbs and not verb.examples] == []
