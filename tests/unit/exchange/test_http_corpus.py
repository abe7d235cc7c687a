"""The corpus against the parsers: whole, in single bytes, and cut anywhere into two."""

import pytest

from tests.corpus import requests, responses
from tests.corpus.judge import request_complaint, response_complaint


@pytest.mark.parametrize("name", requests.CASES)
def test_a_request_meets_its_verdict_at_every_cut(name: str) -> None:
    assert request_complaint(requests.CASES[name]) == ""


@pytest.mark.parametrize("name", responses.CASES)
def test_a_response_meets_its_verdict_at_every_cut(name: str) -> None:
    assert response_complaint(responses.CASES[name]) == ""
