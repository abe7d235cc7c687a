import base64
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitectl.debug.scrub import REDACTED, WORD_CHARS_MAX, Scrubber, secrets_below

MARKER = "pLaNtEd-MaRkEr-0123456789"


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {MARKER}",
        f"authorization=Basic {MARKER}",
        f"connecting to https://user:{MARKER}@proxy.example:8080/x failed",
        f"connecting to https://{MARKER}@proxy.example/",
        f"connecting to http://user:p@ss{MARKER}@proxy.example:8080/x failed",
        f"connecting to http://user:p/ss?{MARKER}@proxy.example:8080/x failed",
        f"connecting to http://user:p'{MARKER}@proxy.example:8080/x failed",
        f"connecting to http://user:p{MARKER}@s%/s@proxy.example",
        f"http://u:1{MARKER}@a.example and http://u:2@b.example",
        f"token={MARKER}",
        f"claim_token: {MARKER}",
        f"pwd={MARKER} user=x",
        f"private_key = {MARKER}",
        f"POST https://hooks.example/x?sig={MARKER}&a=1 answered 500",
        f"password={MARKER}",
        f'db_password = "{MARKER}"',
        f"PGPASSWORD={MARKER}",
        f"api-key: {MARKER}",
        f"Set-Cookie: session={MARKER}; Path=/",
        f"client_secret: {MARKER}",
        f"-----BEGIN EC PRIVATE KEY-----\n{MARKER}\n-----END EC PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\n{MARKER}",
        f"eyJhbGciOiJIUzI1NiJ9.{MARKER}.{MARKER}",
    ],
)
def test_what_looks_like_a_secret_is_taken_out_of_a_text(text: str) -> None:
    assert MARKER not in Scrubber().text(text)
    assert REDACTED in Scrubber().text(text)
    assert MARKER not in Scrubber().lines(json.dumps({"message": text}))
    assert MARKER not in json.dumps(Scrubber().value({"deep": [{"message": text}]}))


@pytest.mark.parametrize(
    "unit", ["a.", "a-", "token-", "a://", "a://b:", "a.://b:1/", "eyJ-", "eyJaaaa.", "pwd=", '="']
)
def test_a_text_that_a_tenant_wrote_holds_up_no_dump(unit: str) -> None:
    """An annotation may have 256 KiB; words that some of the searches need hours for."""
    long = unit * (256 * 1024 // len(unit))
    told = Scrubber().text(f"annotation: {long} token={MARKER}")
    assert told.startswith("annotation: [a word of 26")
    assert MARKER not in told
    short = unit * (WORD_CHARS_MAX // len(unit))
    assert MARKER not in Scrubber().text(f"{short} token={MARKER}\n" * 20)


@pytest.mark.parametrize(
    "field",
    [
        *("password", "secret", "credential", "token", "authorization", "cookie", "privateKey"),
        *("api_key", "consolePassword", "passphrase", "digest", "salt", "client_secret"),
        *("private_key", "clientKey", "tls.key", "ca.key", "accessToken", "claim_token", "pwd"),
    ],
)
def test_a_field_that_is_named_like_a_secret_is_not_shown(field: str) -> None:
    assert Scrubber().value({field: MARKER}) == {field: REDACTED}


@pytest.mark.parametrize(
    "text",
    [
        "Token west-974dcba0 was made: 2 uses, until 2026-11-21T04:00:49Z.",
        "Linked to far, cost 5.",
        "link east is up; site 41c1185e3df2afa9785552002997d7fa",
        "https://proxy.example:8080 answered 407",
        "https://proxy.example:8080/x: admin@west looked",
        "site west@974dcba0 is at https://proxy.example",
        'spillway_requests_total{service="shop"} 12',
        "SW0404 at config/link-east.yaml:5:10",
    ],
)
def test_what_helps_and_is_no_secret_stays(text: str) -> None:
    assert Scrubber().text(text) == text


@given(st.text(min_size=6, max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_a_known_secret_stands_nowhere(secret: str, before: str, after: str) -> None:
    scrubbed = Scrubber([secret]).text(before + secret + after)

    assert secret not in scrubbed or secret in REDACTED


def test_what_somebody_wrote_into_a_document_is_not_quoted() -> None:
    problem = {
        "code": "SW0707",
        "message": f"config/b.yaml:7:18: expected a URL, got 'ftp://h/{MARKER}' (at $.spec.url)",
        "hint": f"Write [{MARKER}]",
    }
    told = Scrubber().value([problem])

    assert MARKER not in json.dumps(told)
    assert "config/b.yaml:7:18: expected a URL" in told[0]["message"]
    assert MARKER not in Scrubber().lines(json.dumps(problem))


def test_addresses_of_clients_are_the_same_hash_within_one_archive_only() -> None:
    flows = [{"client": f"192.0.2.7:{port}", "path": "/cart/9"} for port in (1, 2)]
    one, other = Scrubber(), Scrubber()
    first, second = one.value(flows)

    assert first["client"] == second["client"]
    assert "192.0.2.7" not in json.dumps([first, second])
    assert first["path"] == "[not shown]"
    assert other.value(flows)[0]["client"] != first["client"]
    assert Scrubber(with_clients=True).value(flows) == flows
    assert one.value({"path": ["east", "north"]}) == {"path": ["east", "north"]}


def test_the_secrets_of_a_directory_are_known_in_every_form(tmp_path: Path) -> None:
    key = base64.b64encode(os.urandom(32)).decode()
    (tmp_path / "links").mkdir()
    (tmp_path / "a.key").write_text(
        f"-----BEGIN PRIVATE KEY-----\n{key}\n-----END PRIVATE KEY-----\n"
    )
    (tmp_path / "admin.credential").write_text(f"{MARKER}-admin\n")
    grant = {"name": "shown-name", "salt": "0123456789abcdef", "checksum": "shown-sum"}
    (tmp_path / "g.json").write_text(json.dumps(grant))
    encoded = base64.b64encode(f"{MARKER}-token".encode()).decode()
    (tmp_path / "links" / "token.yaml").write_text(
        f"kind: Secret\nmetadata: {{name: shown-too}}\ndata:\n  password: {encoded}\n"
    )
    (tmp_path / "links" / "elsewhere").symlink_to("/etc/hostname")
    os.mkfifo(tmp_path / "links" / "pipe")

    found = secrets_below(tmp_path)

    assert {key, f"{MARKER}-admin", "0123456789abcdef", encoded, f"{MARKER}-token"} <= found
    assert not found & {"shown-name", "shown-sum", "shown-too"}
