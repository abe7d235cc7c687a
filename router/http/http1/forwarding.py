"""Fields that this hop adds to a forwarded request, and how often the request was here before."""

from functools import cached_property, lru_cache

import msgspec

from router.http.http1 import grammar
from router.model.ids import ServiceKey


class Forwarding(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """This hop's additions to requests. ``host`` is used when an HTTP/1.0 client names none.
    ``received`` is the HTTP version of its clients, for Via."""

    site_name: bytes
    client: bytes
    proto: bytes
    host: bytes
    received: bytes = b"1.1"

    @cached_property
    def around_host(self) -> tuple[bytes, bytes, int]:
        """The fields that `added_fields` adds to a plain head, before and after the host in them;
        and the end of the client's address."""
        lines = (self.client, self.proto)
        return (
            b"X-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\nX-Forwarded-Host: " % lines,
            b"\r\nVia: %b %b\r\n" % (self.received, self.site_name),
            len(b"X-Forwarded-For: ") + len(self.client),
        )


@lru_cache(maxsize=1_024)
def forwarding_of(
    site_name: str, client: str, proto: bytes, key: ServiceKey, received: bytes = b"1.1"
) -> Forwarding:
    """One object for all connections of a client address to a service."""
    return Forwarding(
        site_name=site_name.encode("ascii"),
        client=client.encode("ascii"),
        proto=proto,
        host=str(key).encode("ascii"),
        received=received,
    )


def added_fields(fields: dict[bytes, list[bytes]], host: bytes, forwarding: Forwarding) -> bytes:
    """Our fields, the client's address at the end of the first line.

    Lists are joined into one line, since many readers only read one.
    """
    clients = b", ".join((*filter(None, fields.get(b"x-forwarded-for", ())), forwarding.client))
    hop = b"%b %b" % (forwarding.received, forwarding.site_name)
    via = b", ".join((*filter(None, fields.get(b"via", ())), hop))
    lines = b"X-Forwarded-For: %b\r\n" % clients
    if b"x-forwarded-proto" not in fields:
        lines += b"X-Forwarded-Proto: %b\r\n" % forwarding.proto
    if b"x-forwarded-host" not in fields:
        lines += b"X-Forwarded-Host: %b\r\n" % host
    return lines + b"Via: %b\r\n" % via


def times_here(via: list[bytes] | None, site_name: bytes) -> int:
    """How often a request passed the site, according to its Via."""
    if via is None:
        return 0
    members = (member.split() for member in grammar.options_of(via))
    here = site_name.lower()
    return sum(1 for words in members if len(words) > 1 and words[1] == here)
