"""What is different between two sets of documents, for people. Shows no value that may be secret.

Numbers and yes or no are shown. Of texts only those of the fields named here are: a URL, a command,
a manifest or a field that a later version adds may hold a password.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal

import msgspec

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

_SHARES: Final = frozenset({"takes", "reserveForOwn", "maxShare", "policy.spill_at"})
"""Shares of one, which are written as percentages."""

Done = Literal["added", "changed", "removed"]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One document that came, changed or went. ``source``: where it stands, or stood."""

    kind: str
    name: str
    done: Done
    source: str
    service: str
    changes: tuple[Change, ...]


def differences(before: Iterable[Document], now: Iterable[Document]) -> list[Difference]:
    """By kind and name; a document that only moved to another place is the same."""
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
    """Each field that somebody wrote, with its value unless that may be secret."""
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
    """What ``document`` says of ``field``, or what counts since it says nothing of it."""
    if field in fields:
        return _shown(field, fields[field])
    default = None if document is None else _defaults(type(document.spec)).get(field)
    return _shown(field, default) if isinstance(default, str) and default else ""


def _fields(document: Document) -> Iterator[tuple[str, Any]]:
    """Each leaf with its path. A default is no field: nobody wrote it."""
    yield from _leaves("", msgspec.to_builtins(document.spec), _defaults(type(document.spec)))


def _defaults(spec: type[Any]) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(spec):
        if field.default is not msgspec.NODEFAULT:
            found[field.encode_name] = msgspec.to_builtins(field.default)
    return found


def _leaves(path: str, value: Any, defaults: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            usual = defaults.get(key)
            if key in defaults and usual == inner:
                continue
            if key in defaults and inner == ():
                yield key, inner  # `exportTo: []` is no site; without the field it is every site.
                continue
            within = usual if isinstance(usual, dict) else {}
            yield from _leaves(f"{path}.{key}" if path else _camel(str(key)), inner, within)
    elif isinstance(value, list | tuple) and any(isinstance(one, dict) for one in value):
        for index, inner in enumerate(value):
            yield from _leaves(f"{path}[{index}]", inner, {})
    elif value not in (None, "", [], ()):
        yield path, value


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def _shown(field: str, value: Any) -> str:
    if value == ():
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
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
