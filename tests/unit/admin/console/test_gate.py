"""Hosts, origins and methods that the console answers to."""

import pytest

from router.admin.console import gate


@pytest.mark.parametrize(
    "header",
    ["localhost", "LOCALHOST:8010", "127.0.0.1:8010", "[::1]:8010", "10.1.2.3", "west.corp."],
)
def test_own_names_and_addresses_are_answered(header: str) -> None:
    assert gate.is_host(header, {"west.corp"})


@pytest.mark.parametrize("header", ["", "evil.com", "evil.com:8010", "localhost.evil.com", "a b"])
def test_another_name_that_leads_here_is_not(header: str) -> None:
    assert not gate.is_host(header, {"west.corp"})


HOST = {"Host": "west.corp:8010"}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"Origin": "https://west.corp:8010"},
        {"Origin": "http://west.corp:8010", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_a_post_of_our_own_page_or_of_no_browser_passes(more: dict[str, str]) -> None:
    assert gate.is_own_page("POST", {**HOST, **more})


@pytest.mark.parametrize(
    "more",
    [
        {"Origin": "null"},
        {"Origin": "https://west.corp"},
        {"Origin": "https://evil.com"},
        {"Origin": "file://west.corp:8010"},
        {"Origin": "west.corp:8010"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://west.corp:8010", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_post_of_another_page_does_not(more: dict[str, str]) -> None:
    assert not gate.is_own_page("POST", {**HOST, **more})
    assert gate.is_own_page("GET", {**HOST, **more})


def test_only_what_computes_is_asked_by_post() -> None:
    assert gate.methods("/api/v1/simulate") == ("POST",)
    assert gate.methods("/api/v1/what-if") == ("POST",)
    assert gate.methods("/api/v1/commands") == gate.methods("/api/v1/debug") == ()
    assert gate.methods("/api/v1/flows") == ("GET", "HEAD")
