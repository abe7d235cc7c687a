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
        {"Origin": "https://west.corp:8010", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_a_post_of_our_own_page_or_of_no_browser_passes(more: dict[str, str]) -> None:
    assert gate.is_own_page("POST", "/logout", {**HOST, **more}, "https")
    assert gate.is_own_page("GET", "/api/v1/live", {**HOST, **more}, "https")


@pytest.mark.parametrize(
    "more",
    [
        {"Origin": "null"},
        {"Origin": "http://west.corp:8010"},
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
    assert not gate.is_own_page("POST", "/logout", {**HOST, **more}, "https")
    assert gate.is_own_page("GET", "/", {**HOST, **more}, "https")


@pytest.mark.parametrize(
    "more",
    [
        {"Origin": "https://evil.com"},
        {"Origin": "https://evil.com", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
    ],
)
def test_a_page_of_another_site_takes_no_stream_of_the_api(more: dict[str, str]) -> None:
    assert not gate.is_own_page("GET", "/api/v1/live", {**HOST, **more}, "https")
    leads_here = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert gate.is_own_page("GET", "/api/v1/status", {**HOST, **leads_here}, "https")


def test_what_computes_takes_json_and_a_scenario_yaml_too() -> None:
    for path in gate.ASKED_BY_POST:
        assert gate.takes(path, "application/json")
        for other in ("", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            assert not gate.takes(path, other)
    assert gate.takes("/api/v1/simulate", "application/yaml")
    assert not gate.takes("/api/v1/what-if", "application/yaml")
    assert gate.takes("/login", "application/x-www-form-urlencoded")


def test_only_what_computes_is_asked_by_post() -> None:
    assert gate.methods("/api/v1/simulate") == ("POST",)
    assert gate.methods("/api/v1/what-if") == ("POST",)
    assert gate.methods("/api/v1/commands") == gate.methods("/api/v1/debug") == ()
    assert gate.methods("/api/v1/flows") == ("GET", "HEAD")
