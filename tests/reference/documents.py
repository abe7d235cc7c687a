"""docs/reference-documents.md, of the shapes by which `router.documents` reads YAML."""

from collections.abc import Iterator
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from router.documents import quantities, readers
from router.documents.bursts import BURST
from router.documents.fields import Field, Shape, default_text
from router.documents.readers import Reader
from router.documents.schema import SHAPES
from router.model.specs import API_VERSION

HEAD: Final = f"""# Documents: kinds and fields

Wanted state is YAML in `config/` of a site, or what `sitectl apply -f` takes: several documents in
a file, parted by `---`. Made from the code. A field that is not here is an error, with the place
and what was meant; the last good state stays, also over a restart.

```yaml
apiVersion: {API_VERSION}
kind: Service
name: shop
spec:
  protocol: http
  ports: [8080]
```

Durations are `500ms`, `15s`, `5m`, `1h`, `30d`; sizes `64KiB`, `8MiB`. Kinds: """
KINDS: Final = {
    "Site": "The site itself, one document.",
    "Service": "A service, told to every site.",
    "Connector": "What serves it at this site.",
    "Listener": "Where its clients connect at this site.",
    "Link": "A link that this site dials; its credential is in `secrets/links/NAME`.",
    "Policy": "What this site takes of a service, and whom it shares with: [sharing](sharing.md).",
    "Burst": "What is run when a service is saturated here: [burst hooks](bursts-reference.md).",
}


def shapes() -> Iterator[tuple[str, Shape]]:
    """All shapes with their titles: each kind, and below it the shapes that it contains."""
    for kind, shape in {**SHAPES, "Burst": BURST}.items():
        yield from _shapes(kind, shape)


def _shapes(title: str, shape: Shape) -> Iterator[tuple[str, Shape]]:
    yield title, shape
    for key, field in shape.fields.items():
        if field.shape is not None:
            yield from _shapes(f"{title}: {key}", field.shape)


def page() -> str:
    """The whole page."""
    lines = [HEAD, ", ".join(f"[{kind}](#{kind.lower()})" for kind in KINDS), ".\n"]
    for title, shape in shapes():
        level = "###" if ":" in title else "##"
        lines += [f"\n{level} {title}\n"]
        lines += [f"\n{KINDS[title]}\n"] if title in KINDS else []
        lines += ["\n| field | type | default | |\n|---|---|---|---|\n"]
        lines += [row(shape, key, field) for key, field in shape.fields.items()]
    return "".join(lines)


def row(shape: Shape, key: str, field: Field) -> str:
    hint = get_type_hints(shape.struct)[field.attribute]
    bounds = _bounds(field.read)
    kind = f"{_kind(field, hint)}{f', {bounds}' if bounds else ''}"
    default = "**required**" if field.required else _default(shape, field)
    return f"| `{key}` | {kind} | {default} | {field.text} |\n"


def _kind(field: Field, hint: Any) -> str:
    if field.is_duration:
        return "duration"
    if field.is_size:
        return "size"
    if field.shape is not None:
        return "list of mappings" if get_origin(hint) is tuple else "mapping"
    parts = [part for part in get_args(hint) if part is not type(None)]
    if get_origin(hint) is Literal or (words := _words(field.read)):
        return " \\| ".join(
            f"`{word}`" for word in (parts if get_origin(hint) is Literal else words)
        )
    if get_origin(hint) is tuple or (parts and get_origin(parts[0]) is tuple):
        return "list"
    if get_origin(hint) is dict or dict in (get_origin(part) for part in parts):
        return "mapping"
    names = {int: "number", str: "text", bool: "true \\| false", float: "number"}
    found = [names[part] for part in (parts or [hint]) if part in names]
    return " or ".join(dict.fromkeys(found)) or "text"


def _words(reader: Reader) -> tuple[str, ...]:
    inner = readers.without_option(reader)
    return inner.choices if isinstance(inner, readers.WordReader) else ()


def _bounds(reader: Reader) -> str:
    inner = readers.without_option(reader)
    has_bounds = quantities.IntegerReader | quantities.DurationReader | quantities.SizeReader
    return inner.bounds if isinstance(inner, has_bounds | readers.ListReader) else ""


def _default(shape: Shape, field: Field) -> str:
    text = default_text(shape.struct, field)
    if not text:
        return "" if text is None else "empty"
    return f"`{text}`"
