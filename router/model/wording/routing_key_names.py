"""Names of services that carry routing keys, and the keys in place of these names in sentences.

A routing key of Skupper v2 may have any text. The service of one that is no DNS label is named by a
hash, which tells a reader nothing. Commands and the API take the key, too.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from msgspec.structs import replace

from router.model.events import Note, Problem

NOMINAL_PORT: Final = 1
"""The port of every routing key, so that the declarations of all sites agree. No client uses it."""
_FoundT = TypeVar("_FoundT", Problem, Note)
_HASH_CHARS: Final = 20
_NAME = re.compile(rf"(?<![\w.-])(k-[0-9a-f]{{{_HASH_CHARS}}})(?::1\b)?(?![\w-])")
_NOMINAL = re.compile(r"(?<![\w.:-])([a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?):1\b(?![.:]?[\w-])")
_KIND = re.compile(r"^[A-Z]\w*/")


def hashed_name(key: str) -> str:
    """The name of the service that carries ``key``, if ``key`` is no DNS label."""
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return f"k-{digest[:_HASH_CHARS]}"


def names_meant(text: str) -> tuple[str, ...]:
    """What a service may be named that people call ``text``: its name, its routing key, or that
    with the nominal port, as tables have it."""
    key = text.removesuffix(f":{NOMINAL_PORT}")
    return text, hashed_name(text), *([hashed_name(key)] if key != text else [])


def is_hashed(text: str) -> bool:
    """``text`` is such a name, with the nominal port or with the kind of a document or without.

    Sentences have the key instead.
    """
    return _NAME.fullmatch(_KIND.sub("", text)) is not None


def with_keys(text: str, key_of: Callable[[str], str]) -> str:
    """``text`` with the keys of services, without their nominal port.

    ``key_of``: the routing key that a service is declared with, empty: none, or there is no such
    service. One that the name is not made of does not count: any site may declare any.
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
    """``found`` with routing keys in their sentences. ``key_of``: as of `with_keys`."""
    return tuple(
        one
        if (message := with_keys(one.message, key_of)) is one.message
        else replace(one, message=message)
        for one in found
    )
