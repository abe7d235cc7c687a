"""Documents from YAML text and back."""

from typing import Any, Final, get_args

import yaml

from router.documents import readers
from router.documents.bursts import BURST
from router.documents.fields import Shape
from router.documents.nodes import Findings, Mapping, Node, Scalar, parse
from router.documents.readers import BAD, Bad
from router.documents.schema import SHAPES as OTHERS
from router.model.errors import ConfigError
from router.model.specs import API_VERSION, AnySpec, Document, Kind
from router.model.wording.file_trouble import next_step

_FIELDS = ("apiVersion", "kind", "name", "spec")
KINDS: tuple[Kind, ...] = get_args(Kind)
SHAPES: Final[dict[Kind, Shape]] = {**OTHERS, "Burst": BURST}


def read(text: str, source: str) -> tuple[list[Document], list[ConfigError]]:
    """The valid documents of ``text``, and all errors of the others.

    Errors have ``source``, line and column (from 1), the expected form and the nearest valid word.
    Kind and name may occur once per text.
    """
    findings = Findings(source)
    documents: list[Document] = []
    places: dict[tuple[str, str], int] = {}
    for node in parse(text, findings):
        if findings.overflowing:
            break
        document = _document(findings, node)
        if document is None:
            continue
        key = (document.kind, document.name)
        if key in places:
            findings.add(
                node,
                "",
                f"{document.kind} {document.name!r} stands twice in this file, "
                f"first at line {places[key]}",
                "Keep one of them",
                "SW0106",
            )
            continue
        places[key] = document.line
        documents.append(document)
    errors = sorted(findings.errors, key=lambda error: (error.line, error.column))
    return documents, errors


def read_bytes(content: bytes, source: str) -> tuple[list[Document], list[ConfigError]]:
    """As `read`, for a file's ``content``."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line = before.count(b"\n") + 1
        column = error.start - (before.rfind(b"\n") + 1) + 1
        reason = f"byte 0x{content[error.start]:02x} is not UTF-8"
        return [], [ConfigError(source, "", reason, line=line, column=column, code="SW0102")]
    return read(text, source)


def unreadable(source: str, error: OSError) -> ConfigError:
    """SW0110: the file exists, but its content cannot be read."""
    reason = f"cannot be read: {error.strerror or error}"
    hint = next_step(reason, "Check its owner and mode")
    return ConfigError(source, "", reason, hint=hint, code="SW0110")


def _kind(findings: Findings, node: Node, path: str) -> str | Bad:
    if isinstance(node, Scalar) and node.value == "Scenario":
        reason = "a Scenario is nothing that a site has"
        findings.add(node, path, reason, "Run it: sitectl simulate FILE")
        return BAD
    kind: str | Bad = readers.WordReader(*KINDS)(findings, node, path)
    return kind


def _document(findings: Findings, node: Node) -> Document | None:
    if not isinstance(node, Mapping):
        findings.add(
            node, "", f"expected a document with {', '.join(_FIELDS)}, got {readers.shown(node)}"
        )
        return None
    errors_before = len(findings.errors)
    for key, _ in node.entries:
        if key.value not in _FIELDS:
            hint = readers.nearest(key.value, _FIELDS)
            if key.value == "metadata":
                hint = "The name is at the top level: name: NAME"
            findings.add(key, "$", f"unknown field {key.value[:40]!r}", hint)
    _required(findings, node, "apiVersion", readers.WordReader(API_VERSION))
    kind = _required(findings, node, "kind", _kind)
    name = _required(findings, node, "name", readers.name)
    if isinstance(kind, Bad):
        return None
    body = node.get("spec") or Mapping(node.line, node.column)
    spec: AnySpec | Bad = SHAPES[kind].read(findings, body, "$.spec")
    if isinstance(spec, Bad) or len(findings.errors) > errors_before:
        return None
    return Document(kind=kind, name=name, spec=spec, source=findings.source, line=node.line)


def _required(findings: Findings, node: Mapping, key: str, reader: readers.Reader) -> Any:
    value = node.get(key)
    if value is None:
        expected = f": {API_VERSION}" if key == "apiVersion" else ""
        hint = f"Add {key}{expected}" if expected else f"Known kinds: {', '.join(KINDS)}"
        findings.add(node, "$", f"field {key!r} is missing", hint if key != "name" else "")
        return BAD
    return reader(findings, value, f"$.{key}")


def plain(document: Document) -> dict[str, Any]:
    """The document as plain values, fields in their canonical order, defaults left out."""
    return {
        "apiVersion": API_VERSION,
        "kind": document.kind,
        "name": document.name,
        "spec": SHAPES[document.kind].plain(document.spec),
    }


def write(document: Document) -> str:
    """Canonical YAML of ``document``; `read` returns an equal spec."""
    text: str = yaml.dump(
        plain(document),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=100,
    )
    return text


def file_name(kind: Kind, name: str) -> str:
    """The file in ``config/`` to which tools write a document: ``service-shop.yaml``."""
    return f"{kind.lower()}-{name}.yaml"


class _Dumper(yaml.SafeDumper):
    """Writes lists of plain numbers on one line, as users write ports."""


def _short_list(dumper: yaml.SafeDumper, items: list[Any]) -> yaml.Node:
    flat = all(isinstance(item, int | str) for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=flat)


_Dumper.add_representer(list, _short_list)
