"""ConfigMap `STATUS_CONFIGMAP`: the state of the site in short, as its router wrote it last."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from router.kubernetes.objects.names import PART_OF, STATUS_CONFIGMAP
from router.kubernetes.objects.objects import Object, metadata

KIND: Final = "ConfigMap"
KEY: Final = "status.json"


class ShortStatus(msgspec.Struct, frozen=True):
    """What `config_map` takes. ``gist``: all of it but rates and times, which always change."""

    data: Mapping[str, str]
    gist: str


def encode(told: Mapping[str, Any]) -> dict[str, str]:
    """The data: one JSON text, which people read, too."""
    return {KEY: msgspec.json.format(msgspec.json.encode(told), indent=2).decode() + "\n"}


def config_map(data: Mapping[str, str]) -> dict[str, Any]:
    """The object of a site that has none yet."""
    return {
        "apiVersion": "v1",
        "kind": KIND,
        "metadata": {"name": STATUS_CONFIGMAP, "labels": dict(PART_OF)},
        "data": dict(data),
    }


def decode(found: Object | None) -> dict[str, Any]:
    """What was told. Nothing, if it is somebody else's or of another version."""
    data = found.get("data") if found is not None else None
    try:
        told = msgspec.json.decode(data[KEY]) if isinstance(data, Mapping) else None
    except (msgspec.DecodeError, RecursionError, KeyError, TypeError):
        return {}
    return told if isinstance(told, dict) else {}


def written_at(found: Object | None) -> float | None:
    """When it was last written, in Unix seconds; None: never, or the API does not say."""
    if found is None:
        return None
    fields = metadata(found).get("managedFields") or []
    stamps = [field.get("time") for field in fields] + [metadata(found).get("creationTimestamp")]
    return max(
        (
            datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()
            for stamp in stamps
            if isinstance(stamp, str)
        ),
        default=None,
    )
