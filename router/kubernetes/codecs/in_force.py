"""Documents in force of wrong objects: Secret `IN_FORCE_SECRET`.

A Secret, because routers may write Secrets already. It has no content of other Secrets: the
document of a token is the cost and the state of its link.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from router.documents.in_force import InForce, decode, encode
from router.kubernetes.codecs.secrets import (
    IN_FORCE_FILE,
    SecretError,
    in_force_secret,
    value_of,
)
from router.kubernetes.objects.names import IN_FORCE_SECRET, PREFIX, SKUPPER_PREFIX
from router.kubernetes.objects.objects import Object, Snapshot, annotations, section, uid_of
from router.model import limits
from router.model.unreadable import UNREADABLE_JSON

_OTHERS_FIELDS: Final = ("replicas",)
"""Fields of a workload that autoscalers change."""


def secret(kept: Mapping[str, InForce]) -> dict[str, Any]:
    """The Secret with ``kept``, by source."""
    return in_force_secret(encode(kept))


def has(found: Object | None, kept: Mapping[str, InForce]) -> bool:
    """Whether the Secret has ``kept``; there should be none for nothing."""
    if found is None or not kept:
        return found is None and not kept
    try:
        return value_of(found, IN_FORCE_FILE) == encode(kept)
    except SecretError:
        return False


def stored(found: Object | None) -> dict[str, InForce]:
    """Its entries, by source. SecretError: damaged, or by a release with other fields."""
    if found is None:
        return {}
    try:
        return decode(value_of(found, IN_FORCE_FILE))
    except UNREADABLE_JSON as error:
        raise SecretError(IN_FORCE_SECRET, IN_FORCE_FILE, f"is damaged: {error}", "") from error


def fitting(kept: Mapping[str, InForce]) -> dict[str, InForce]:
    """The first of ``kept`` for which the Secret has room."""
    left = limits.IN_FORCE_BYTES_MAX
    chosen: dict[str, InForce] = {}
    for source, one in sorted(kept.items()):
        size = len(encode({source: one}))
        if size <= left:
            chosen[source] = one
            left -= size
    return chosen


def digest(snapshot: Snapshot, source: str) -> str:
    """Of the content of the object, or of its one key that is ``source``; empty: there is none.

    Changes by other programs (status, scale, notes of tools) make no other digest.
    """
    found = snapshot.at(source)
    if found is None:
        return ""
    key = source.partition("[")[2].removesuffix("]")
    data = section(found, "data")
    content: list[Any] = [uid_of(found), data.get(key) if key else data]
    if not key:
        ours = (PREFIX, SKUPPER_PREFIX)
        notes = {name: text for name, text in annotations(found).items() if name.startswith(ours)}
        spec = section(found, "spec").items()
        content += [notes, {name: value for name, value in spec if name not in _OTHERS_FIELDS}]
    return hashlib.sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()
