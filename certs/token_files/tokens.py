"""Token files: one site gives one to another so that it may link.

A *claim* holds a one-time secret and no key; a *certificate* token holds a key pair and works
offline. Both are a Kubernetes Secret with the labels and annotations of Skupper v1, so that they
can be applied to a cluster as they are, and a few annotations of our own (``spillway.dev/…``).
"""

import base64
import binascii
import datetime
import hashlib
import hmac
import math
import os
import re
import secrets
import stat
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from certs import certificates, clocks, files, limits, names
from certs.errors import CertError
from certs.names import Endpoint
from certs.token_files import secretyaml
from certs.token_files.secretyaml import SecretMapping

TokenKind = Literal["claim", "certificate"]

TYPE_LABEL = "skupper.io/type"
TYPES: dict[TokenKind, str] = {"claim": "token-claim", "certificate": "connection-token"}
URL = "skupper.io/url"
GENERATED_BY = "skupper.io/generated-by"
EXPIRATION = "skupper.io/claim-expiration"
COST = "skupper.io/cost"
ISSUED_COST = "spillway.dev/issued-cost"
"""The issuer's cost, if `COST` is the user's from the start: the checksum covers it."""
HOST, PORT = "inter-router-host", "inter-router-port"
ENDPOINTS = "spillway.dev/endpoints"
SITE_NAME = "spillway.dev/site-name"
CHECKSUM = "spillway.dev/checksum"

_MARKS = ("skupper.io/", "spillway.dev/")
"""Every token, ours and Skupper's, has an annotation with one of these."""
_ASK_AGAIN = "Ask for a new token. At the other site: sitectl token create FILE"
ASK_SPILLWAY = "Ask for one of Spillway. At the other site: sitectl token create FILE"
_COPY_AGAIN = "Copy the token file again, unchanged"
_Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # PyYAML may be built without libyaml.
# 26 base32 digits are 130 bits. NUL must be excluded: HMAC treats a key with trailing zeros as
# equal.
_SECRET = re.compile(r"[0-9A-Za-z]{26,128}")


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token as a value.

    ``site_id`` and ``site_name`` are the issuer's, which listens at ``endpoints`` (at least one)
    and is known by ``ca_pem``.
    ``expires_at``: Unix seconds, whole; for a certificate token the end of its certificate.
    ``cost``: None leaves it to the linking site. ``secret`` belongs to claims; ``certificate_pem``
    and ``key_pem`` to certificate tokens.
    """

    kind: TokenKind
    name: str
    site_id: str
    site_name: str
    endpoints: tuple[Endpoint, ...]
    ca_pem: str
    expires_at: int
    cost: int | None = None
    secret: str = ""
    certificate_pem: str = ""
    key_pem: str = ""

    @property
    def path(self) -> str:
        """The path at which a claim is redeemed."""
        return f"/claims/{self.name}"

    @property
    def url(self) -> str:
        """The URL at which a claim is redeemed, with the first endpoint."""
        return f"https://{names.format_endpoint(self.endpoints[0])}{self.path}"

    def __repr__(self) -> str:
        return f"Token({self.kind} {self.name!r} of {self.site_name!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("kind", self.kind), ("name", self.name), ("site_name", self.site_name)]


def new_secret() -> str:
    """A claim's secret: 160 random bits in lower-case base32."""
    return base64.b32encode(secrets.token_bytes(limits.CLAIM_SECRET_BYTES)).decode().lower()


def is_secret(text: str) -> bool:
    """Whether ``text`` can be a claim's secret."""
    return _SECRET.fullmatch(text) is not None


def checksum(token: Token) -> str:
    """HMAC-SHA256, keyed by a claim's secret, over all its other fields; hex."""
    fields = [
        token.name,
        token.site_id,
        token.site_name,
        [names.format_endpoint(endpoint) for endpoint in token.endpoints],
        token.ca_pem,
        token.expires_at,
        token.cost,
    ]
    return hmac.new(token.secret.encode(), msgspec.json.encode(fields), hashlib.sha256).hexdigest()


def check_usable(
    token: Token, own_site_id: str, now: float, *, is_asked_again: bool = False
) -> None:
    """Raise `CertError` with the next step if the token has expired or is this site's own.

    ``is_asked_again``: the text has the time of expiry instead of its age, which would change the
    text each time.
    """
    again = f"On {token.site_name} run: sitectl token create FILE"
    if token.site_id == own_site_id:
        raise CertError(
            token.name, "this token was made by this very site", "Use it at another site"
        )
    if now >= token.expires_at:
        ago = clocks.span(now - token.expires_at)
        raise CertError(
            token.name,
            f"the token expired at {clocks.utc(token.expires_at)} by this host's clock"
            if is_asked_again
            else f"the token expired {ago} ago by this host's clock, which says {clocks.utc(now)}",
            f"{again}. If it was made just now one of the two clocks is wrong: date -u",
        )


def write_file(path: Path, token: Token) -> None:
    """Write a token file, 0600 from its first byte. Errors of the file system pass.

    Remains of an earlier crashed write of this name are removed.
    """
    files.sweep_temporaries(path.parent, time.time(), path.name, deep=False)
    files.write_secret(path, dump(token).encode())


def read_file(path: Path) -> Token:
    """Read a token file of any origin: its contents are checked, its mode is not.

    Raises `CertError`, also for a pipe or device; errors of the file system pass as `OSError`.
    """
    return load(text_of_file(path), str(path))


def text_of_file(path: Path) -> str:
    """The text of a token file. Raises like `read_file`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise CertError(str(path), "is no regular file", "Write the token into a file first")
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(limits.TOKEN_BYTES_MAX + 1)
    finally:
        os.close(descriptor)
    return _decoded(data, str(path))


def load_bytes(data: bytes, source: str) -> Token:
    """Like `load`, from bytes that may not even be text."""
    return load(_decoded(data, source), source)


def _decoded(data: bytes, source: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        reason = "is not a token file: it is not UTF-8 text"
        raise CertError(source, reason, _COPY_AGAIN, line=line) from error


def dump(token: Token) -> str:
    """The token file: a Secret in YAML."""
    return yaml.dump(as_secret(token), Dumper=_Dumper, sort_keys=False, width=1 << 20)


def as_secret(token: Token) -> dict[str, Any]:
    """The token as a Kubernetes object."""
    annotations = {
        GENERATED_BY: token.site_id,
        SITE_NAME: token.site_name,
        ENDPOINTS: ",".join(map(names.format_endpoint, token.endpoints)),
        HOST: token.endpoints[0][0],
        PORT: str(token.endpoints[0][1]),
    }
    if token.cost is not None:
        annotations[COST] = str(token.cost)
    data = {"ca.crt": token.ca_pem}
    if token.kind == "claim":
        annotations[URL] = token.url
        annotations[EXPIRATION] = _format_time(token.expires_at)
        annotations[CHECKSUM] = checksum(token)
        data["password"] = token.secret
    else:
        data |= {"tls.crt": token.certificate_pem, "tls.key": token.key_pem}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": token.name,
            "labels": {TYPE_LABEL: TYPES[token.kind]},
            "annotations": annotations,
        },
        "type": "Opaque",
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    }


def fingerprint(token: Token) -> str:
    """SHA-256 over the whole token except the cost, which is the user's; hex."""
    made = as_secret(msgspec.structs.replace(token, cost=None))
    return hashlib.sha256(msgspec.json.encode(made)).hexdigest()


def load(text: str, source: str, costs: Iterable[int | None] = ()) -> Token:
    """The token in ``text``; errors name ``source`` (a file name).

    ``costs``: costs that the issuer may have set instead of the current one, where users write
    costs, wrong ones too, into tokens (a Secret in a cluster). The token then has the issuer's
    cost; None is a possible one.

    Raises `CertError` for anything that is not the unchanged token of a Spillway site: unreadable,
    incomplete, edited. `check_usable` checks the expiry.
    """
    document = secretyaml.parse(text, source)
    issued = tuple(costs)
    reader = _TokenReader(document, source, cost_is_users=bool(issued))
    kind = reader.kind()
    reader.check_issuer()
    return reader.claim(issued) if kind == "claim" else reader.certificate()


class _TokenReader:
    """Takes the fields out of one Secret, and checks each one."""

    __slots__ = (
        "_annotations",
        "_cost_is_users",
        "_data",
        "_document",
        "_labels",
        "_metadata",
        "_source",
    )

    def __init__(self, document: SecretMapping, source: str, *, cost_is_users: bool) -> None:
        self._document, self._source = document, source
        self._cost_is_users = cost_is_users
        self._metadata = document.mapping("metadata")
        self._labels = self._metadata.mapping("labels")
        self._annotations = self._metadata.mapping("annotations")
        self._data = document.mapping("data")

    def kind(self) -> TokenKind:
        """The kind from the label; without one, from the contents, as Skupper does."""
        if (self._document.text("apiVersion"), self._document.text("kind")) != ("v1", "Secret"):
            line = self._document.line_of("kind")
            raise self._error("is not a token file: it is not a Secret", _ASK_AGAIN, line)
        label = self._labels.text(TYPE_LABEL)
        for kind, name in TYPES.items():
            if label == name:
                return kind
        if label:
            line = self._labels.line_of(TYPE_LABEL)
            raise self._error(f"has the type {label[:60]!r}, not a token's", _ASK_AGAIN, line)
        if "tls.crt" in self._data.fields:
            return "certificate"
        if URL in self._annotations.fields:
            return "claim"
        raise self._error("has no type label, so it is no token", _ASK_AGAIN, self._metadata.line)

    def check_issuer(self) -> None:
        """Check the issuer first: Skupper's tokens have other secrets and no checksum."""
        fields = self._annotations.fields
        if not any(k == HOST or (k != COST and k.startswith(_MARKS)) for k in fields):
            reason = f"is not whole: it has no annotation {ENDPOINTS!r}"
            raise self._error(reason, _COPY_AGAIN, self._metadata.line)
        if ENDPOINTS not in fields:
            reason = "is no token of a Spillway site (Skupper's routers speak another protocol)"
            raise self._error(reason, ASK_SPILLWAY, self._annotations.line)

    def claim(self, costs: tuple[int | None, ...]) -> Token:
        expires_at = _parse_time(self._annotation(EXPIRATION))
        if expires_at is None:
            raise self._bad(EXPIRATION)
        secret = self._value("password")
        if not is_secret(secret):
            raise self._error("its password is not a claim's", _COPY_AGAIN, self._data.line)
        url = self._annotation(URL)
        # The Secret may have been renamed: the claim is redeemed under its first name.
        named = url.rpartition("/claims/")[2]
        if not names.is_name(named):
            raise self._bad(URL)
        token = self._common("claim", expires_at, secret=secret, name=named)
        if url != token.url:
            raise self._bad(URL)
        stated = self._annotation(CHECKSUM)
        tried = (token.cost, *self._issued_cost(), *costs)
        candidates = (msgspec.structs.replace(token, cost=cost) for cost in tried)
        for candidate in candidates:
            if hmac.compare_digest(stated.encode(), checksum(candidate).encode()):
                return candidate
        line = self._annotations.line_of(CHECKSUM)
        reason = "was changed after it was made (its checksum does not fit)"
        raise self._error(reason, f"{_COPY_AGAIN}; a cost goes with: link create --cost", line)

    def certificate(self) -> Token:
        certificate_pem, key_pem = self._value("tls.crt"), self._value("tls.key")
        certificate = certificates.read(certificate_pem, f"{self._source}: tls.crt")
        expires_at = int(certificate.not_valid_after_utc.timestamp())
        token = self._common(
            "certificate", expires_at, certificate_pem=certificate_pem, key_pem=key_pem
        )
        public = certificates.public_key_der(certificate, f"{self._source}: tls.crt")
        if _public_of(key_pem) != public:
            line = self._data.line_of("tls.key")
            raise self._error("its tls.key does not belong to its tls.crt", _COPY_AGAIN, line)
        cas = certificates.read_all(token.ca_pem, f"{self._source}: ca.crt")
        if not certificates.is_issued_by(certificate, cas):
            line = self._data.line_of("tls.crt")
            raise self._error("its tls.crt is not signed by its ca.crt", _COPY_AGAIN, line)
        if not certificates.is_for_clients(certificate):
            line = self._data.line_of("tls.crt")
            raise self._error("its tls.crt is not for linking (clientAuth)", _ASK_AGAIN, line)
        return token

    def _common(
        self,
        kind: TokenKind,
        expires_at: int,
        *,
        name: str = "",
        secret: str = "",
        certificate_pem: str = "",
        key_pem: str = "",
    ) -> Token:
        called = self._metadata.text("name")
        if not names.is_name(called):
            line = self._metadata.line_of("name")
            raise self._error("its metadata.name is not a name", _COPY_AGAIN, line)
        site_id, site_name = self._annotation(GENERATED_BY), self._annotation(SITE_NAME)
        if not names.is_site_id(site_id):
            raise self._bad(GENERATED_BY)
        if not names.is_site_name(site_name):
            raise self._bad(SITE_NAME)
        ca_pem = self._value("ca.crt")
        certificates.read_all(ca_pem, f"{self._source}: ca.crt")
        return Token(
            kind=kind,
            name=name or called,
            site_id=site_id,
            site_name=site_name,
            endpoints=self._endpoints(),
            ca_pem=ca_pem,
            expires_at=expires_at,
            cost=self._cost(),
            secret=secret,
            certificate_pem=certificate_pem,
            key_pem=key_pem,
        )

    def _endpoints(self) -> tuple[Endpoint, ...]:
        parsed = [names.parse_endpoint(text) for text in self._annotation(ENDPOINTS).split(",")]
        endpoints = tuple(endpoint for endpoint in parsed if endpoint is not None)
        if len(endpoints) != len(parsed) or len(parsed) > limits.TOKEN_ENDPOINTS_MAX:
            raise self._bad(ENDPOINTS)
        host, port = endpoints[0]
        if self._annotations.text(HOST, host) != host:
            raise self._bad(HOST)
        if self._annotations.text(PORT, str(port)) != str(port):
            raise self._bad(PORT)
        return endpoints

    def _issued_cost(self) -> tuple[int, ...]:
        text = self._annotations.text(ISSUED_COST)
        return (int(text),) if text.isascii() and text.isdigit() and len(text) <= 5 else ()

    def _cost(self) -> int | None:
        if COST not in self._annotations.fields:
            return None
        text = self._annotations.text(COST) if self._cost_is_users else self._annotation(COST)
        is_cost = text.isascii() and text.isdigit() and len(text) <= 5
        if is_cost and limits.COST_MIN <= int(text) <= limits.COST_MAX and str(int(text)) == text:
            return int(text)
        if self._cost_is_users:
            return None
        raise self._bad(COST)

    def _annotation(self, key: str) -> str:
        text = self._annotations.text(key)
        if not text:
            raise self._error(f"lacks the annotation {key}", _COPY_AGAIN, self._annotations.line)
        return text

    def _value(self, key: str) -> str:
        encoded = self._data.text(key)
        if not encoded:
            raise self._error(f"lacks data {key}", _COPY_AGAIN, self._data.line)
        try:
            return base64.b64decode(encoded, validate=True).decode("ascii")
        except (binascii.Error, ValueError) as error:
            line = self._data.line_of(key)
            raise self._error(f"its data {key} is not base64", _COPY_AGAIN, line) from error

    def _bad(self, annotation: str) -> CertError:
        line = self._annotations.line_of(annotation)
        return self._error(f"its annotation {annotation} is not right", _COPY_AGAIN, line)

    def _error(self, reason: str, hint: str, line: int) -> CertError:
        return CertError(self._source, reason, hint, line=line)


def _public_of(key_pem: str) -> bytes | None:
    """The public half (DER) of any private key that the library reads; None for others."""
    try:
        key = serialization.load_pem_private_key(key_pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _format_time(seconds: int) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _parse_time(text: str) -> int | None:
    """Unix seconds of an RFC 3339 time with a zone; None if it is none."""
    try:
        moment = datetime.datetime.fromisoformat(text)
        return None if moment.tzinfo is None else math.floor(moment.timestamp())
    except (ValueError, OverflowError):
        return None
