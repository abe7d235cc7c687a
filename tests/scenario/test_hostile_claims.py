"""Claims under attack: guessing, replay, races, and requests that are none."""

import contextlib
import json
import os
import socket
import ssl
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from certs import keys
from certs.ca import signing_requests
from certs.identity import SiteIdentity
from certs.joining import redeem
from certs.links import renewal
from certs.tls.contexts import CLAIM_ALPN, client_context
from certs.token_files import tokens
from certs.token_files.tokens import Token
from tests.scenario.clients import read_all
from tests.scenario.harness import Network
from tests.scenario.waiting import until

SITE_ID = "a" * 32


class Desk:
    """A site that hands out claims, and clients of any address that ask for them."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.site = net.site("issuer")
        net.start()
        self._sources = 0
        self._context: ssl.SSLContext | None = None

    def token(self) -> Token:
        """A fresh one-use claim."""
        return tokens.read_file(self.net.token(self.site))

    def source(self) -> str:
        """An address that has not asked yet: each may fail five times a minute."""
        self._sources += 1
        return f"127.9.{os.getpid() % 250}.{self._sources}"

    def say(self, token: Token, request: bytes, source: str = "") -> bytes:
        """All that comes back to raw bytes under the claims' protocol."""
        if self._context is None:  # Slow to make, and all tokens are of one CA.
            self._context = client_context(None, token.ca_pem, CLAIM_ALPN)
        context = self._context
        with (
            socket.create_connection(
                token.endpoints[0], 15.0, source_address=(source or self.source(), 0)
            ) as plain,
            context.wrap_socket(plain) as door,
        ):
            door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with contextlib.suppress(OSError):
                door.sendall(request)
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                return read_all(door)
        return b""

    def post(
        self, token: Token, body: bytes, source: str = "", path: str = ""
    ) -> tuple[int, bytes]:
        """Status and body of a POST."""
        head = (
            f"POST {path or token.path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        answer = self.say(token, head.encode() + body, source)
        return (int(answer[9:12]) if answer else 0), answer.partition(b"\r\n\r\n")[2]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One site, once for all tests of this file."""
    with Network(tmp_path_factory.mktemp("claims")) as net:
        yield Desk(net)


def request_of(token: Token) -> bytes:
    """The body of an honest redemption with a new key."""
    return redeem.make_request(token, SITE_ID, "taker")[1]


def test_of_thirty_at_once_exactly_one_redeems_a_claim(desk: Desk) -> None:
    token = desk.token()
    bodies = [request_of(token) for _ in range(30)]
    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda body: desk.post(token, body), bodies))
    assert Counter(status for status, _ in answers) == {200: 1, 403: 29}
    winner = next(n for n, (status, _) in enumerate(answers) if status == 200)
    again = desk.post(token, bodies[winner])
    assert again == answers[winner]  # The same request gets the same certificate (N9).
    assert desk.post(token, bodies[winner - 1])[0] == 403


def test_guessing_is_slowed_and_then_locked_and_all_refusals_look_alike(desk: Desk) -> None:
    token = desk.token()
    wrong = msgspec.structs.replace(token, secret=tokens.new_secret())
    unknown = msgspec.structs.replace(token, name="no-such-claim")
    one = desk.source()
    told = [desk.post(wrong, request_of(wrong), one) for _ in range(7)]
    assert [status for status, _ in told] == [403] * 5 + [429] * 2
    assert desk.post(unknown, request_of(unknown)) == told[0]
    edited = msgspec.structs.replace(token, cost=7)
    assert desk.post(edited, request_of(edited)) == told[0]
    for _ in range(10):
        desk.post(wrong, request_of(wrong))
    assert desk.post(token, request_of(token)) == told[0]  # Locked: ask for a new one.
    fresh = desk.token()
    assert desk.post(fresh, request_of(fresh))[0] == 200


def test_requests_that_are_no_claims_get_a_bounded_refusal(desk: Desk) -> None:
    token = desk.token()
    body = request_of(token)
    for path in (
        *("/claims/../grants", "/claims/..%2fgrants", "/claims/", "/claims/a/b", "/", "*"),
        *("/claims/..", "/claims/.lock", "/claims/" + "a" * 5000, "/claims/a\\b"),
    ):
        status, _ = desk.post(token, body, path=path)
        assert 400 <= status < 500, path
    for method in ("GET", "PUT", "DELETE", "HEAD", "OPTIONS"):
        said = f"{method} {token.path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
        assert desk.say(token, said.encode())[9:12] == b"405", method
    head = f"POST {token.path} HTTP/1.1\r\nHost: a\r\n"
    for rest in (
        f"Content-Length: {2**30}\r\n\r\n".encode() + b"x" * 70_000,
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 20_000,
        b"X: " + b"y" * 60_000 + b"\r\n\r\n",
        b"Content-Length: 4\r\n\r\n\xff\xfe\xfd\xfc",
        b"Content-Length: 0\r\n\r\n",
        b"Content-Length: 20000\r\n\r\n" + b"[" * 20_000,
    ):
        answer = desk.say(token, head.encode() + rest)
        assert answer[9:10] in (b"4", b""), (rest[:40], answer)
    assert desk.post(token, body)[0] == 200  # None of these was a use.


def test_strangers_who_only_sit_there_keep_no_claim_from_being_redeemed(desk: Desk) -> None:
    token = desk.token()
    context = client_context(None, token.ca_pem, CLAIM_ALPN)
    with contextlib.ExitStack() as held:
        for _ in range(70):
            plain = socket.create_connection(token.endpoints[0], 5.0)
            held.enter_context(context.wrap_socket(plain))
        assert desk.post(token, request_of(token))[0] == 200


def test_the_log_survives_a_thousand_refusals_and_holds_no_secret(desk: Desk) -> None:
    token = desk.token()
    one = desk.source()
    body = request_of(msgspec.structs.replace(token, secret=tokens.new_secret()))
    for _ in range(150):
        desk.post(token, body, one)
    assert desk.post(token, request_of(token))[0] == 200
    until(lambda: "claim-redeemed" in desk.site.log_tail(), "the redemption is logged")
    events = desk.site.get("events")
    assert sum(event["code"] == "claim-refused" for event in events) <= 110
    log = (desk.site.directory / "run" / "router.log").read_text()
    assert token.secret not in log + json.dumps(events)
    assert "PRIVATE KEY" not in log
    words = Path(f"/proc/{desk.site.note_pid()}/cmdline").read_bytes()
    assert token.secret.encode() not in words


def test_renewals_of_strangers_are_all_refused_alike_and_slowed(desk: Desk, tmp_path: Path) -> None:
    """A good signature of a site that never was let in, one for another issuer, and none."""
    token = desk.token()
    identity = SiteIdentity.create(tmp_path / "stranger")
    key_pem = keys.to_pem(keys.generate())

    def asks(site: str) -> bytes:
        return renewal.make_request(identity, site, key_pem, os.urandom(renewal.NONCE_BYTES))

    good = json.loads(asks(token.site_id))
    swapped = good | {"csr": signing_requests.make_csr(keys.generate())}
    large = good | {"public_key": "A" * 1024, "signature": "A" * 1024}
    bodies = (
        json.dumps(good).encode(),
        asks(SITE_ID),
        json.dumps(swapped).encode(),
        json.dumps(large).encode(),
        b"",
        b"[" * 16_000,
        b"\xff" * 100,
    )
    told = {desk.post(token, body, path=f"/renewals/{token.name}") for body in bodies}
    assert told == {(403, b'{"code":"renewal-refused"}')}
    for path in ("/renewals/", "/renewals/..", "/renewals/a/b", "/renewals/..%2fca.key"):
        assert desk.post(token, bodies[0], path=path)[0] == 404
    one = desk.source()
    slowed = [desk.post(token, bodies[0], one, f"/renewals/{token.name}")[0] for _ in range(7)]
    assert slowed == [403] * 5 + [429] * 2
    assert desk.post(token, request_of(token))[0] == 200, "who is right is let in as ever"
