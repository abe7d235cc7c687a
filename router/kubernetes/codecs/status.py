"""ConfigMap `STATUS_CONFIGMAP`: a summary of the site's state, as its router wrote it last.

A running router writes it again before `VALID_UNTIL`, so after that moment none is running.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from router.kubernetes.objects.names import PART_OF, STATUS_CONFIGMAP
from router.kubernetes.objects.objects import Object, metadata, seconds_of, stamp_of
from router.model import limits

KIND: Final = "ConfigMap"
KEY: Final = "status.json"
WRITTEN_AT: Final = "writtenAt"
VALID_UNTIL: Final = "validUntil"
STOPPED: Final = "stopped"


class ShortStatus(msgspec.Struct, frozen=True):
    """The input of `encode`. ``gist``: everything but rates and times, which always change."""

    fields: Mapping[str, Any]
    gist: str


def encode(told: Mapping[str, Any], now: datetime) -> dict[str, str]:
    """The data: one human-readable JSON text that includes how long it is valid."""
    until = now + timedelta(seconds=limits.STATUS_VALID_S)
    return _text({**told, STOPPED: False, WRITTEN_AT: stamp_of(now), VALID_UNTIL: stamp_of(until)})


def stopped(told: Mapping[str, Any], now: datetime, failure: str = "") -> dict[str, str]:
    """The data after the last router ended: the part of ``told`` that stays true.

    ``failure``: why it ended; empty: it was asked to stop.
    """
    reason, message = "Stopped", "the last router of this site has stopped in order"
    if failure:
        reason, message = "Failed", f"the last router of this site ended: {failure}"
    conditions = [
        condition("Ready", "False", reason, message),
        condition("LinksUp", "Unknown", reason, message),
        condition("NoProblems", "Unknown", reason, message),
    ]
    links = told.get("links")
    known = links if isinstance(links, list) else []
    return _text(
        {
            **told,
            "conditions": conditions,
            "links": [{**link, "state": "down"} for link in known if isinstance(link, dict)],
            "problems": [],
            "notes": [],
            STOPPED: not failure,
            WRITTEN_AT: stamp_of(now),
            VALID_UNTIL: stamp_of(now) if failure else None,
        }
    )


def condition(kind: str, status: str, reason: str, message: str) -> dict[str, str]:
    """One of ``conditions``. ``status``: ``True``, ``False`` or ``Unknown``."""
    return {"type": kind, "status": status, "reason": reason, "message": message}


def config_map(data: Mapping[str, str]) -> dict[str, Any]:
    """The ConfigMap of a site that has none yet."""
    return {
        "apiVersion": "v1",
        "kind": KIND,
        "metadata": {"name": STATUS_CONFIGMAP, "labels": dict(PART_OF)},
        "data": dict(data),
    }


def decode(found: Object | None) -> dict[str, Any]:
    """The summary; empty if it is another program's or of another version."""
    data = found.get("data") if found is not None else None
    try:
        told = msgspec.json.decode(data[KEY]) if isinstance(data, Mapping) else None
    except (msgspec.DecodeError, RecursionError, KeyError, TypeError):
        return {}
    return told if isinstance(told, dict) else {}


def written_at(found: Object | None) -> float | None:
    """When it was last written, in Unix seconds; None: never, or the API does not show it."""
    if found is None:
        return None
    if (told := seconds_of(str(decode(found).get(WRITTEN_AT)))) is not None:
        return told
    fields = metadata(found).get("managedFields") or []
    stamps = [field.get("time") for field in fields] + [metadata(found).get("creationTimestamp")]
    moments = (seconds_of(str(stamp)) for stamp in stamps)
    return max((at for at in moments if at is not None), default=None)


def valid_until(told: Mapping[str, Any]) -> float | None:
    """Until when ``told`` is valid, in Unix seconds; None: an older router left it out."""
    return seconds_of(str(told.get(VALID_UNTIL)))


def _text(told: Mapping[str, Any]) -> dict[str, str]:
    return {KEY: msgspec.json.format(msgspec.json.encode(told), indent=2).decode() + "\n"}
