"""Authentication: passwords, sessions, and how often a source may guess. Pure."""

import base64
import binascii
import hashlib
import hmac
import unicodedata
from collections import OrderedDict
from collections.abc import Mapping
from typing import Protocol

import msgspec

from router.model import limits


class Users:
    """User names and passwords; only digests of passwords by a key of this process are stored."""

    __slots__ = ("_key", "_proofs")

    def __init__(self, key: bytes, passwords: Mapping[str, bytes]) -> None:
        """``key``: random, of this process. Empty passwords admit no user."""
        self._key = key
        self._proofs = {
            name: self._digest(name, password)
            for name, password in passwords.items()
            if name and password
        }

    def __len__(self) -> int:
        return len(self._proofs)

    def proof(self, name: str) -> bytes | None:
        """A digest of the present password of ``name``; None: there is no such user."""
        return self._proofs.get(name)

    def admits(self, name: str, password: str) -> bool:
        """Whether that is the password of ``name``; takes as long for an unknown name."""
        known = self._proofs.get(name)
        shown = self._digest(name, password.encode("utf-8", "surrogatepass"))
        same = hmac.compare_digest(shown, known if known is not None else self._key)
        return same and known is not None

    def _digest(self, name: str, password: bytes) -> bytes:
        whole = name.encode("utf-8", "surrogatepass") + b"\0" + password
        return hmac.digest(self._key, whole, "sha256")


def basic(header: str) -> tuple[str, str] | None:
    """Name and password of an ``Authorization`` header (RFC 7617); None: it has none."""
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "basic" or len(text) > limits.CONSOLE_LOGIN_BYTES_MAX:
        return None
    try:
        name, colon, password = (
            base64.b64decode(text.strip(), validate=True).decode("utf-8").partition(":")
        )
    except (binascii.Error, ValueError):
        return None
    return (unicodedata.normalize("NFC", name), password) if colon else None


class Proofs(Protocol):
    """The present proofs of users."""

    def proof(self, name: str, /) -> bytes | None:
        """A value that changes with the credentials of ``name``; None: there is no such user."""


class _Session(msgspec.Struct):
    user: str
    proof: bytes
    lasts_s: float
    began: float
    used: float


class ConsoleSessions:
    """Sessions of logged-in users. Beyond `limits.CONSOLE_SESSIONS_MAX` the least recently used
    goes.

    A session ends when unused, when old, and when its user's password changes. Tokens are stored as
    digests.
    """

    __slots__ = ("_by_token",)

    def __init__(self) -> None:
        self._by_token: OrderedDict[bytes, _Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_token)

    def open(
        self,
        token: str,
        user: str,
        proof: bytes,
        now: float,
        lasts_s: float = limits.CONSOLE_SESSION_S,
    ) -> None:
        """Begin a session of ``user`` under ``token``, for at most ``lasts_s``."""
        while len(self._by_token) >= limits.CONSOLE_SESSIONS_MAX:
            self._by_token.popitem(last=False)
        self._by_token[_of(token)] = _Session(user, proof, lasts_s, now, now)

    def user(self, token: str, users: Proofs, now: float, *, is_use: bool = True) -> str | None:
        """The user of the session; None: there is none, or it has ended.

        ``is_use``: this call prolongs the session.
        """
        key = _of(token)
        session = self._by_token.get(key)
        if session is None:
            return None
        if not _lasts(session, users, now):
            del self._by_token[key]
            return None
        if is_use:
            session.used = now
            self._by_token.move_to_end(key)
        return session.user

    def is_open(self, token: str, users: Proofs, now: float) -> bool:
        """Whether the session lasts; this call does not prolong it."""
        session = self._by_token.get(_of(token))
        return session is not None and _lasts(session, users, now)

    def end(self, token: str) -> None:
        """End the session, if there is one."""
        self._by_token.pop(_of(token), None)


def _of(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _lasts(session: _Session, users: Proofs, now: float) -> bool:
    return (
        now - session.used < limits.CONSOLE_SESSION_IDLE_S
        and now - session.began < session.lasts_s
        and users.proof(session.user) == session.proof
    )


class FailureLimiter:
    """How often a source may fail: `limits.CONSOLE_FAILURES_BURST`, then one per interval.

    A source whose whole burst is available again is forgotten. Beyond the limit of remembered
    sources, all others share one budget.
    """

    __slots__ = ("_free_at", "_others")

    def __init__(self) -> None:
        self._free_at: OrderedDict[str, float] = OrderedDict()
        self._others = 0.0

    def __len__(self) -> int:
        return len(self._free_at)

    def wait_s(self, source: str, now: float) -> float:
        """How long ``source`` must wait before its next try; 0: not at all."""
        whole = limits.CONSOLE_FAILURES_BURST * limits.CONSOLE_FAILURE_EACH_S
        free_at = self._free_at.get(source)
        if free_at is None:
            is_full = len(self._free_at) >= limits.CONSOLE_SOURCES_MAX
            free_at = self._others if is_full else now
        return max(0.0, free_at - now - whole + limits.CONSOLE_FAILURE_EACH_S)

    def failed(self, source: str, now: float) -> None:
        """Record that ``source`` sent a wrong name or password."""
        each = limits.CONSOLE_FAILURE_EACH_S
        if source not in self._free_at and len(self._free_at) >= limits.CONSOLE_SOURCES_MAX:
            self._forget(now)
            if len(self._free_at) >= limits.CONSOLE_SOURCES_MAX:
                self._others = max(self._others, now) + each
                return
        self._free_at[source] = max(self._free_at.get(source, now), now) + each

    def _forget(self, now: float) -> None:
        for source in [one for one, free_at in self._free_at.items() if free_at <= now]:
            del self._free_at[source]
