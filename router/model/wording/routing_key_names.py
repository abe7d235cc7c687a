"""Names of services that carry routing keys, and sentences with the keys in place of these names.

A routing key of Skupper v2 may have any text. If it is not a DNS label, its service is named by a
hash, which means nothing to a reader. Commands and the API also accept the key.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from msgspec.structs import replace

from router.model.events import Note, Problem

NOMINAL_PORT: Final = 1
"""The port of every routing key, the same in all sites' declarations. Clients never use it."""
_FoundT = TypeVar("_FoundT", Problem, Note)
_HASH_CHARS: Final = 20
_NAME = re.compile(rf"(?<![\w.-])(k-[0-9a-f]{{{_HASH_CHARS}}})(?::1\b)?(?![\w-])")
_NOMINAL = re.compile(r"(?<![\w.:-])([a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?):1\b(?![.:]?[\w-])")
_KIND = re.compile(r"^[A-Z]\w*/")


def hashed_name(key: str) -> str:
    """The name of the service that carries ``key``, if ``key`` is not a DNS label."""
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return f"k-{digest[:_HASH_CHARS]}"


def names_meant(text: str) -> tuple[str, ...]:
    """The possible service names for a user's ``text``: a name, a routing key, or a key with the
    nominal port, as tables show it."""
    key = text.removesuffix(f":{NOMINAL_PORT}")
    return text, hashed_name(text), *([hashed_name(key)] if key != text else [])


class AskedService:
    """The service, or port of one, that a user names by ``text``: `has` picks its events."""

    __slots__ = ("_names", "_whole")

    def __init__(self, text: str) -> None:
        self._names = frozenset(names_meant(text))
        name, has_port, _ = text.rpartition(":")
        self._whole = frozenset(names_meant(name) if has_port else ())

    def has(self, subject: str, service: str) -> bool:
        """Whether an event with these fields is about it; ``service`` may be empty. An event about
        a port is also about the service, and one about the service about each port."""
        named = service or subject
        names = named, subject, named.rpartition(":")[0], subject.rpartition(":")[0]
        return not self._names.isdisjoint(names) or subject in self._whole


def is_hashed(text: str) -> bool:
    """Whether ``text`` is such a name, optionally with the nominal port or a document's kind.

    Sentences have the key instead.
    """
    return _NAME.fullmatch(_KIND.sub("", text)) is not None


def shown_subject(subject: str, message: str) -> str:
    """The ``subject`` of an event, as its ``message`` names it: a routing key without its nominal
    port. Empty: only the message has the key."""
    if is_hashed(subject):
        return ""
    name = subject.removesuffix(f":{NOMINAL_PORT}")
    is_key = name != subject and subject not in message and name in message
    return name if is_key else subject


def with_keys(text: str, key_of: Callable[[str], str]) -> str:
    """``text`` with the routing keys of services, without their nominal port.

    ``key_of``: the routing key in a service's declaration; empty: none, or there is no such
    service. A key that does not give this name is ignored, because any site may declare any key.
    """
    if "k-" not in text and ":1" not in text:
        return text

    def shown(found: re.Match[str]) -> str:
        key = key_of(found[1])
        return key if key and hashed_name(key) == found[1] else found[0]

    def without_port(found: re.Match[str]) -> str:
        return found[1] if key_of(found[1]) == found[1] else found[0]

    return _NOMINAL.sub(without_port, _NAME.sub(shown, text))


def with_keys_in(found: Iterable[_FoundT], key_of: Callable[[str], str]) -> tuple[_FoundT, ...]:
    """``found`` with routing keys in its sentences. ``key_of`` as in `with_keys`."""
    return tuple(
        one
        if (message := with_keys(one.message, key_of)) is one.message
        else replace(one, message=message)
        for one in found
    )
