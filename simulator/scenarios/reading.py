"""A scenario from YAML, with the position of every error.

Codes: SW0720 a field, SW0721 an unknown name, SW0722 too long or too many requests, SW0723 a log,
SW0724 fields that contradict, SW0725 unreachable targets, SW0726 not a Scenario.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from router.documents import readers
from router.documents.nodes import Findings, Mapping, Node, Scalar, parse
from router.documents.readers import Bad
from router.model.errors import ConfigError
from router.model.specs import API_VERSION
from simulator.scenarios import shapes
from simulator.scenarios.judging import Judge
from simulator.scenarios.scenario import Scenario

_FIELDS: Final = ("apiVersion", "kind", "name", "spec")


def read(
    text: str, source: str, open_log: Callable[[str], str]
) -> tuple[Scenario | None, list[ConfigError], list[str]]:
    """The scenario in ``text``, or all its errors; and notes on the logs it replays.

    ``open_log`` returns the text of a log by its name in the scenario, or raises `OSError` or
    `UnicodeDecodeError`.
    """
    findings = Findings(source)
    notes: list[str] = []
    nodes = parse(text, findings)
    scenario = None
    if not findings.errors:
        if len(nodes) != 1:
            findings.add_at(
                1, 1, "", f"expected one Scenario, got {len(nodes)} documents", "", "SW0726"
            )
        else:
            scenario = _document(findings, nodes[0], open_log, notes)
    for error in findings.errors:
        if error.code == "SW0101":
            error.code = "SW0720"
    errors = sorted(findings.errors, key=lambda error: (error.line, error.column))
    return (None if errors else scenario), errors, notes


def _document(
    findings: Findings, node: Node, open_log: Callable[[str], str], notes: list[str]
) -> Scenario | None:
    if not isinstance(node, Mapping):
        reason = f"expected a document with {', '.join(_FIELDS)}, got {readers.shown(node)}"
        findings.add(node, "", reason, "", "SW0726")
        return None
    for key, _ in node.entries:
        if key.value not in _FIELDS:
            hint = readers.nearest(key.value, _FIELDS)
            findings.add(key, "$", f"unknown field {key.value[:40]!r}", hint)
    for field, wanted in (("apiVersion", API_VERSION), ("kind", "Scenario")):
        value = node.get(field)
        if not isinstance(value, Scalar) or value.value != wanted:
            got = "nothing" if value is None else readers.shown(value)
            findings.add(
                value or node, f"$.{field}", f"expected {field}: {wanted}, got {got}", "", "SW0726"
            )
            return None
    for field in ("name", "spec"):
        if node.get(field) is None:
            findings.add(node, f"$.{field}", f"field {field!r} is missing")
    name_node, spec_node = node.get("name"), node.get("spec")
    if name_node is None or spec_node is None:
        return None
    name = readers.name(findings, name_node, "$.name")
    spec = shapes.SPEC.read(findings, spec_node, "$.spec")
    if isinstance(name, Bad) or isinstance(spec, Bad) or findings.errors:
        return None
    assert isinstance(spec_node, Mapping), "the shape takes no other"
    spec = msgspec.structs.replace(spec, name=name)
    return Judge(findings, spec_node, spec, open_log, notes).scenario()
