"""Readable differences between two sets of documents, without values that may be secret.

Numbers and booleans are shown. Texts are shown only for the fields named here: a URL, a command, a
manifest or a field added by a later version may contain a password.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal

import msgspec

from router.documents.fields import yaml_key
from router.documents.quantities import duration_text, size_text
from router.model.events import Change
from router.model.limits import EVENT_VALUE_CHARS_MAX
from router.model.specs import Document

HIDDEN: Final = "(not shown)"
_SHOWN: Final = frozenset(
    {
        *("service", "protocol", "policy.name", "listen", "workload", "capacity", "siteCapacity"),
        *(
            "policy.isolation",
            "rebalance",
            "resume",
            "spill",
            "routerMode",
            "ingress",
            "ingressBindIp",
            "bindIp",
            "admin",
        ),
        *(
            "ingressHosts",
            "peers",
            "tlsCert",
            "tlsClientTrust",
            "namespace",
            "tlsTrust",
            "tlsServerName",
            "headless",
            "routingKey",
            "host",
        ),
        *("targets.host", "targets.name", "targets.capacity", "targetPorts", "health.path"),
        *(
            "exportTo",
            "importFrom",
            "sharing",
            "grants.site",
            "grants.verbs",
            "grants.until",
            "requestId",
            "halfClose",
            "affinity.by",
        ),
    }
)
"""Fields whose text is shown, by their names without indexes."""

_SHARES: Final = frozenset(
    {"takes", "reserveForOwn", "maxShare", "sheddableShare", "policy.spillAt"}
)
"""Shares, shown as percentages."""

Done = Literal["added", "changed", "removed"]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One document that was added, changed or removed. ``source``: its place, present or former."""

    kind: str
    name: str
    done: Done
    source: str
    service: str
    changes: tuple[Change, ...]


def differences(before: Iterable[Document], now: Iterable[Document]) -> list[Difference]:
    """Differences by kind and name; a document that only moved to another place counts as
    unchanged.
    """
    old, new = _by_name(before), _by_name(now)
    found: list[Difference] = []
    for key in sorted(key for key in {**old, **new} if old.get(key) is not new.get(key)):
        one, other = old.get(key), new.get(key)
        if one is not None and other is not None and one.spec == other.spec:
            continue
        known = other or one
        assert known is not None
        done: Done = "changed" if one and other else "added" if other else "removed"
        found.append(
            Difference(
                kind=known.kind,
                name=known.name,
                done=done,
                source=known.source,
                service=known.name if known.kind == "Service" else _service_of(known),
                changes=tuple(_changes(one, other)),
            )
        )
    return found


def shown_fields(document: Document) -> Iterator[tuple[str, str]]:
    """Each explicitly set field, with its value unless that may be secret."""
    for field, value in _fields(document):
        yield field, _shown(field, value)


def _by_name(documents: Iterable[Document]) -> dict[tuple[str, str], Document]:
    found: dict[tuple[str, str], Document] = {}
    for document in documents:
        found.setdefault((document.kind, document.name), document)
    return found


def _service_of(document: Document) -> str:
    service = getattr(document.spec, "service", "")
    return service if isinstance(service, str) else ""


def _changes(one: Document | None, other: Document | None) -> Iterator[Change]:
    old = dict(_fields(one)) if one is not None else {}
    new = dict(_fields(other)) if other is not None else {}
    for field in sorted({*old, *new}):
        if old.get(field) != new.get(field):
            yield Change(field=field, old=_said(field, old, one), new=_said(field, new, other))


def _said(field: str, fields: Mapping[str, Any], document: Document | None) -> str:
    """The value of ``field`` in ``document``, or its default."""
    if field in fields:
        return _shown(field, fields[field])
    default = None if document is None else _defaults(type(document.spec)).get(field)
    return _shown(field, default) if isinstance(default, str) and default else ""


class _Readable(str):
    """A duration or a size, as documents write it: it may be shown."""

    __slots__ = ()


def _fields(document: Document) -> Iterator[tuple[str, Any]]:
    """Each leaf with its path, as in a document. Defaults are left out: no user wrote them."""
    yield from _leaves("", document.spec, None)


def _defaults(spec: type[Any]) -> Mapping[str, Any]:
    return {yaml_key(field.name): field.default for field in msgspec.structs.fields(spec)}


def _leaves(path: str, value: Any, usual: Any) -> Iterator[tuple[str, Any]]:
    """``usual``: the default value, if known."""
    if isinstance(value, msgspec.Struct):
        yield from _of_struct(f"{path}." if path else "", value, usual)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(f"{path}.{key}", inner, None)
    elif isinstance(value, list | tuple) and any(isinstance(one, msgspec.Struct) for one in value):
        for index, inner in enumerate(value):
            yield from _leaves(f"{path}[{index}]", inner, None)
    elif value not in (None, "", [], ()):
        yield path, msgspec.to_builtins(value)


def _of_struct(head: str, value: msgspec.Struct, usual: Any) -> Iterator[tuple[str, Any]]:
    for field in msgspec.structs.fields(type(value)):
        inner, default = getattr(value, field.name), field.default
        if type(usual) is type(value):
            default = getattr(usual, field.name)
        if inner == default:
            continue
        path = f"{head}{yaml_key(field.name)}"
        if inner == () and default is not msgspec.NODEFAULT:
            yield path, inner  # `exportTo: []` means no site; without the field it is every site.
        elif isinstance(inner, int | float) and field.name.endswith("_s"):
            yield path, _Readable(duration_text(inner))
        elif isinstance(inner, int) and field.name.endswith("_bytes"):
            yield path, _Readable(size_text(inner))
        else:
            yield from _leaves(path, inner, default)


def _shown(field: str, value: Any) -> str:
    if value == ():
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, _Readable):
        return str(value)
    if isinstance(value, int | float):
        if field in _SHARES:
            return f"{value * 100:g}%"
        return f"{value:g}" if isinstance(value, float) else str(value)
    if isinstance(value, list | tuple) and all(isinstance(one, int) for one in value):
        return ", ".join(map(str, value))
    plain = ".".join(part.partition("[")[0] for part in field.split("."))
    if plain not in _SHOWN:
        return HIDDEN
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= EVENT_VALUE_CHARS_MAX else text[: EVENT_VALUE_CHARS_MAX - 1] + "…"
