"""The note that ``kubectl apply`` leaves on an object, and its effect on an adopted Service.

kubectl merges three ways: it removes fields that its note has and the file lacks, and sets fields
that the file has and the live object lacks or has otherwise. A selector is a map, so our key would
stay beside the user's, and the two together match no pod: all clients are refused until the
selector is written again. Therefore the note of an adopted Service also holds our changes. An apply
then removes exactly those, and the Service leads to the user's pods until it is adopted again.

Source: kubectl, ``apply.Patcher`` and ``strategicpatch.CreateThreeWayMergePatch``.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

NOTE: Final = "kubectl.kubernetes.io/last-applied-configuration"
_ESCAPED: Final = (("&", "\\u0026"), ("<", "\\u003c"), (">", "\\u003e"))
"""Escapes of Go's JSON encoder, so that a restored note equals kubectl's text."""

Fields = Mapping[str, Any]


def with_ours(note: str, selector: Mapping[str, str], ports: Iterable[Fields]) -> str:
    """``note`` with our selector and ``ports``; an unusual note stays as it is."""
    found = _read(note)
    spec = _spec(found)
    if spec is None:
        return note
    live = {port["port"]: port for port in ports}
    noted = [_with_port(entry, live.pop(entry["port"], {})) for entry in spec["ports"]]
    added = [
        {key: port[key] for key in ("name", "port", "protocol", "targetPort")}
        for port in live.values()
    ]
    changed = {**spec, "selector": {**spec["selector"], **selector}, "ports": noted + added}
    return _written({**found, "spec": changed})


def without_ours(
    note: str, selector: Mapping[str, str], had: Iterable[Fields], inner: Mapping[int, int]
) -> str:
    """``note`` as kubectl wrote it. ``had``: ports of the Service before it was adopted."""
    found = _read(note)
    spec = _spec(found)
    if spec is None or not selector.items() <= spec["selector"].items():
        return note
    before = {port.get("port"): port for port in had}
    noted = [
        _without_port(entry, before.get(entry["port"]), inner)
        for entry in spec["ports"]
        if entry["port"] in before or entry["port"] not in inner
    ]
    kept = {key: text for key, text in spec["selector"].items() if key not in selector}
    return _written({**found, "spec": {**spec, "selector": kept, "ports": noted}})


def _with_port(entry: Fields, live: Fields) -> dict[str, Any]:
    ours = {key: live[key] for key in ("name", "targetPort") if key in live}
    return {**ours, **entry}


def _without_port(entry: Fields, had: Fields | None, inner: Mapping[int, int]) -> dict[str, Any]:
    result = dict(entry)
    if had is None:
        return result
    if result.get("targetPort") == inner.get(entry["port"]):
        result.pop("targetPort", None)
    if "name" not in had:
        result.pop("name", None)
    return result


def _read(note: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(note, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return {}


def _spec(found: Fields) -> dict[str, Any] | None:
    """The spec of a Service in its usual form; None: it has another form."""
    spec = found.get("spec")
    if not isinstance(spec, dict):
        return None
    selector, ports = spec.get("selector"), spec.get("ports")
    is_usual = (
        isinstance(selector, dict)
        and isinstance(ports, list)
        and all(isinstance(entry, dict) and type(entry.get("port")) is int for entry in ports)
    )
    return spec if is_usual else None


def _written(found: Fields) -> str:
    text = msgspec.json.encode(found, order="sorted").decode()
    for plain, escaped in _ESCAPED:
        text = text.replace(plain, escaped)
    return text + "\n"
