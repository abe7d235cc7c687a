"""Rows of the table of settings (`documents.schema`), and the reader of mappings by rows.

One table serves both directions, so anything written can be read. A struct's field that ends in
``_s`` is a duration and loses that suffix in YAML (``queue_wait_s`` is ``queueWait: 1s``); so does
one in ``_bytes``, a size. If the types have bounds (`model.settings`), fields are derived from
them.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from router.documents import quantities, readers
from router.documents.nodes import Findings, Mapping, Node, Scalar
from router.documents.readers import BAD, Bad, Reader

Check = Callable[[Findings, Mapping, str, Any], bool]


class Field:
    """One setting: ``attribute`` of the struct, ``key`` in YAML, and a reader of its value.

    It also determines how documents are written, the reference page, and, if the row names them,
    the flag of `sitectl` and the key of ConfigMap ``skupper-site``.
    """

    __slots__ = ("attribute", "flag", "key", "read", "required", "shape", "site_key", "text")

    def __init__(
        self,
        attribute: str,
        read: Reader,
        text: str = "",
        *,
        required: bool = False,
        shape: "Shape | None" = None,
        flag: str = "",
        site_key: str = "",
    ) -> None:
        """``text``: one line for the reference page. ``flag``: without dashes; empty: the row makes
        no flag. ``site_key`` likewise."""
        self.attribute, self.read, self.required, self.shape = attribute, read, required, shape
        self.text, self.flag, self.site_key = text, flag, site_key
        self.key = yaml_key(attribute)

    @property
    def is_duration(self) -> bool:
        """Whether it is written as ``1s`` and stored in seconds."""
        return self.attribute.endswith("_s")

    @property
    def is_size(self) -> bool:
        """Whether it is written as ``8KiB`` and stored in bytes."""
        return self.attribute.endswith("_bytes")


class Shape:
    """A struct and its fields; ``check`` applies rules between fields once each is valid."""

    __slots__ = ("check", "fields", "struct")

    def __init__(
        self, struct: type[msgspec.Struct], *fields: Field, check: Check | None = None
    ) -> None:
        self.struct, self.check = struct, check
        self.fields = {field.key: field for field in fields}

    def read(self, findings: Findings, node: Node, path: str) -> Any:
        """A value of ``struct``, or ``BAD`` with all errors noted."""
        if isinstance(node, Scalar) and node.is_null:
            node = Mapping(node.line, node.column)
        if not isinstance(node, Mapping):
            findings.add(node, path, f"expected a mapping, got {readers.shown(node)}")
            return BAD
        values: dict[str, Any] = {}
        meant: set[str | None] = set()
        for key, value in node.entries:
            field = self.fields.get(key.value)
            if field is None:
                values[key.value] = BAD
                if findings.overflowing:
                    continue  # It would not be reported, and the search for a suggestion is slow.
                hint = readers.nearest(key.value, self.fields)
                findings.add(key, path, f"unknown field {key.value[:40]!r}", hint)
                meant.add(readers.closest(key.value, self.fields))
            else:
                values[field.attribute] = field.read(findings, value, f"{path}.{key.value}")
        for field in self.fields.values():
            if field.required and field.attribute not in values:
                values[field.attribute] = BAD
                if field.key not in meant:  # Its misspelling was already reported.
                    findings.add(node, path, f"field {field.key!r} is missing")
        if any(isinstance(value, Bad) for value in values.values()):
            return BAD
        spec = self.struct(**values)
        if self.check is not None and not self.check(findings, node, path, spec):
            return BAD
        return spec

    def plain(self, spec: msgspec.Struct) -> dict[str, Any]:
        """The YAML form of ``spec``: required fields and those that differ from the default."""
        shown: dict[str, Any] = {}
        infos = _infos(self.struct)
        for key, field in self.fields.items():
            value = getattr(spec, field.attribute)
            if not field.required and value == _default(infos[field.attribute]):
                continue
            shown[key] = _plain_value(field, value)
        return shown


@lru_cache(maxsize=64)  # Called for each document that is written; there are some ten structs.
def _infos(struct: type[msgspec.Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    return {info.name: info for info in msgspec.structs.fields(struct)}


def _default(info: msgspec.structs.FieldInfo) -> Any:
    made = info.default_factory
    return info.default if made is msgspec.NODEFAULT else made()


def default_text(struct: type[msgspec.Struct], field: Field) -> str | None:
    """The default of ``field``, as a user writes it; None: it has no short form."""
    value = _default(_infos(struct)[field.attribute])
    if value is None or value is msgspec.NODEFAULT or isinstance(value, msgspec.Struct):
        return None
    if value in ("", (), {}):
        return ""
    return value_text(field, value)


def value_text(field: Field, value: Any) -> str:
    """A value that is neither a mapping nor a list, as a user writes it."""
    if isinstance(value, float) and not field.is_duration:
        return f"{value:g}"
    text = str(_plain_value(field, value))
    return text.lower() if isinstance(value, bool) else text


def yaml_key(attribute: str) -> str:
    """The YAML name of a struct's field."""
    first, *rest = attribute.removesuffix("_s").removesuffix("_bytes").split("_")
    return first + "".join(part.capitalize() for part in rest)


def _plain_value(field: Field, value: Any) -> Any:
    if field.is_duration and value is not None:
        return quantities.duration_text(value)
    if field.is_size:
        return quantities.size_text(value)
    if field.shape is not None and isinstance(value, tuple):
        return [field.shape.plain(item) for item in value]
    if field.shape is not None and value is not None:
        return field.shape.plain(value)
    return list(value) if isinstance(value, tuple) else value


def bounded(
    struct: type[msgspec.Struct], flags: dict[str, str] | None = None, **texts: str
) -> Shape:
    """The shape of a struct whose types have the bounds of every field; ``texts`` of each.

    ``flags``: of some fields.
    """
    hints = get_type_hints(struct, include_extras=True)
    rows = (
        Field(name, _bounded_reader(name, hint), texts[name], flag=(flags or {}).get(name, ""))
        for name, hint in hints.items()
    )
    return Shape(struct, *rows)


def _bounded_reader(name: str, hint: Any) -> Reader:
    if get_origin(hint) is Literal:
        return readers.WordReader(*get_args(hint))
    (meta,) = hint.__metadata__
    if meta.pattern is not None:
        return readers.matching(meta.pattern, "a path that begins with /")
    if name.endswith("_s"):
        return quantities.DurationReader(meta.ge, meta.le)
    reader = quantities.SizeReader if name.endswith("_bytes") else quantities.IntegerReader
    return reader(meta.ge, meta.le)


def bounds_text(struct: type[msgspec.Struct], attribute: str) -> str:
    """The bounds of a field of a `bounded` struct, in readable form."""
    (meta,) = get_type_hints(struct, include_extras=True)[attribute].__metadata__
    if attribute.endswith("_s"):
        return f"{quantities.duration_text(meta.ge)} to {quantities.duration_text(meta.le)}"
    if attribute.endswith("_bytes"):
        return f"{quantities.size_text(meta.ge)} to {quantities.size_text(meta.le)}"
    return f"{meta.ge} to {meta.le}"
