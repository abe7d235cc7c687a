"""Session affinity of one service port: which session a request belongs to, and where that is.

A session is a key (which target of a site) and a preferred site (where it was served last). Both
are in the cookie, which any ingress honors; for a header or the client's address the key is a hash
of it, and the site is remembered at the ingress, in a bounded table. None of this is secret or
trusted: a client that makes up a cookie chooses its own target, within the capacities.
"""

import random
import re
from collections.abc import Iterable

import msgspec

from router.balance.targets.sessions import SESSION_KEY_MAX, SessionTable, key_of
from router.http.http1.canonical import STATUS_CLASS_AT
from router.model.ids import ServiceKey, SiteId
from router.model.requests import Request
from router.model.settings import Affinity, AffinityBy, named

SITE_CHARS = 8  # Of a site's id: enough to tell the sites of a network apart.

_COOKIE_VALUE = re.compile(rf"([0-9a-f]{{{SITE_CHARS}}})\.([0-9a-f]{{16}})")
_COOKIE_FIELD = re.compile(rb"\r\n(?i:cookie):[ \t]*([^\r]*)")
_SWITCHING = b"101"


class Session(msgspec.Struct, frozen=True):
    """``key`` as in `Request.session`; ``site`` None: none yet, or it is no candidate now."""

    key: int
    site: SiteId | None = None


class Sessions:
    """The sessions of one service port at this ingress, for one affinity."""

    __slots__ = (
        "_cookie",
        "_field",
        "_names",
        "_rng",
        "_secure",
        "_service",
        "_sites",
        "_table",
        "affinity",
    )

    def __init__(
        self, affinity: Affinity, key: ServiceKey, rng: random.Random, *, secure: bool
    ) -> None:
        """``secure``: clients use TLS, so the cookie needs no other way."""
        self.affinity = affinity = named(affinity, key.name)
        self._service = key.name.encode()
        self._rng = rng
        self._secure = secure
        self._table = SessionTable()
        self._sites: frozenset[SiteId] = frozenset()
        self._names: dict[str, SiteId] = {}
        name = affinity.name.encode()
        self._cookie = name
        self._field = re.compile(rb"\r\n(?i:" + re.escape(name) + rb"):[ \t]*([^\r]*)")

    def set_sites(self, sites: Iterable[SiteId]) -> None:
        """The sites that a session can be at; others in a cookie are ignored."""
        self._sites = frozenset(sites)
        self._names = {site[:SITE_CHARS]: site for site in self._sites}

    def enter(self, request: Request, client: str, now: float) -> Request:
        """``request`` as part of its session; ``client`` is its address without the port.

        Our cookie is removed from it. A request without the field or cookie of a session is
        unchanged.
        """
        by, head = self.affinity.by, request.head
        if by == "client":
            session = self.look(by, client, now)
        elif not head:
            return request  # Not inspected: tcp.
        elif by == "header":
            session = self.look(by, self._header(head), now)
        else:
            head, values = self._without_cookie(head)
            found = (self.look(by, value, now) for value in values)
            session = next(filter(None, found), None) or self._begun()
        if session is None:
            return request
        return msgspec.structs.replace(
            request, head=head, session=session.key, preferred=session.site
        )

    def look(self, by: AffinityBy, value: str, now: float) -> Session | None:
        """The session for ``value``; None: none, or this service uses another kind of affinity."""
        if by != self.affinity.by or not value:
            return None
        if by == "cookie":
            match = _COOKIE_VALUE.fullmatch(value)
            key = int(match[2], 16) if match is not None else 0
            if match is None or not 0 < key <= SESSION_KEY_MAX:
                return None
            return Session(key, self._names.get(match[1]))
        key = key_of(self._service, value.encode("latin-1", "replace"))
        site = self._table.site_of(key, now)
        return Session(key, site if site in self._sites else None)

    def answered(self, request: Request, site: SiteId, head: bytes, now: float) -> bytes:
        """``site`` answers a request that `enter` gave a session. Returns the canonical response
        ``head`` (empty: tcp), with our cookie in it if the client needs a new one.
        """
        if self.affinity.by != "cookie":
            self._table.served(request.session, site, now)
            return head
        is_interim = head.startswith(b"1", STATUS_CLASS_AT)
        if not head or (is_interim and not head.startswith(_SWITCHING, STATUS_CLASS_AT)):
            return head
        if request.preferred == site:
            return head
        start = head.index(b"\r\n") + 2
        return b"%bSet-Cookie: %b\r\n%b" % (
            head[:start],
            self._cookie_line(request.session, site),
            head[start:],
        )

    def _cookie_line(self, key: int, site: SiteId) -> bytes:
        value = f"{site[:SITE_CHARS]}.{key:016x}".encode()
        attributes = b"; Path=/; HttpOnly; SameSite=Lax" + (b"; Secure" if self._secure else b"")
        return self._cookie + b"=" + value + attributes

    def _begun(self) -> Session:
        return Session(self._rng.getrandbits(63) or 1)

    def _header(self, head: bytes) -> str:
        values = self._field.findall(head)
        return b", ".join(value.rstrip(b" \t") for value in values).decode("latin-1")

    def _without_cookie(self, head: bytes) -> tuple[bytes, list[str]]:
        """``head`` without our cookie, other cookies unchanged byte by byte; and our cookie's
        values.
        """
        values: list[str] = []
        if self._cookie not in head:
            return head, values

        def stripped(field: re.Match[bytes]) -> bytes:
            kept: list[bytes] = []
            pairs = field[1].split(b";")
            for pair in pairs:
                name, is_pair, value = pair.partition(b"=")
                if is_pair and name.strip(b" \t") == self._cookie:
                    values.append(value.strip(b" \t").decode("latin-1"))
                else:
                    kept.append(pair)
            if len(kept) == len(pairs):
                return field[0]
            rest = b";".join(kept).strip(b" \t")
            return field[0][: field.start(1) - field.start()] + rest if rest else b""

        return _COOKIE_FIELD.sub(stripped, head), values
