"""Label selectors in objects, and as text (``app=shop,tier in (web,api),!canary``)."""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from router.kubernetes.objects.objects import Object, section, spec_of
from router.model import limits

_SET: Final = re.compile(r"\s*([^\s=!,()]+)\s+(in|notin)\s+\(([^()]*)\)\s*")
_EQUALITY: Final = re.compile(r"\s*([^\s=!,()]+)\s*(==|=|!=)\s*([^\s=!,()]*)\s*")
_PRESENCE: Final = re.compile(r"\s*(!?)\s*([^\s=!,()]+)\s*")
_OPERATORS: Final[Mapping[str, Literal["in", "notin", "exists", "absent"]]] = {
    "In": "in",
    "NotIn": "notin",
    "Exists": "exists",
    "DoesNotExist": "absent",
}


class Term(msgspec.Struct, frozen=True):
    """One requirement on the label ``key``."""

    key: str
    operator: Literal["in", "notin", "exists", "absent"]
    values: frozenset[str] = frozenset()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with ``labels`` meets the requirement."""
        value = labels.get(self.key)
        match self.operator:
            case "in":
                return value in self.values
            case "notin":
                return value not in self.values
            case "exists":
                return value is not None
            case "absent":
                return value is None


class Selector(msgspec.Struct, frozen=True):
    """All of ``terms`` must hold; without terms the selector selects nothing."""

    terms: tuple[Term, ...]

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the selector selects an object with ``labels``."""
        return bool(self.terms) and all(term.holds(labels) for term in self.terms)


def of_labels(wanted: object) -> Selector:
    """The selector of a Service or DeploymentConfig: every label must be equal."""
    found = wanted if isinstance(wanted, dict) else {}
    return Selector(
        tuple(Term(str(key), "in", frozenset({str(value)})) for key, value in found.items())
    )


def of_workload(workload: Object) -> Selector:
    """The selector for the Pods of a Deployment or similar workload."""
    selector = section(spec_of(workload), "selector")
    if workload.get("kind") == "DeploymentConfig":
        return of_labels(selector)
    equal = of_labels(selector.get("matchLabels")).terms
    expressions = selector.get("matchExpressions")
    return Selector((*equal, *_expressions(expressions if isinstance(expressions, list) else [])))


def parse(text: str) -> Selector | None:
    """The selector in ``text``, in kubectl's form; None: it is none, or too long."""
    if len(text) > limits.SELECTOR_CHARS_MAX:
        return None
    terms: list[Term] = []
    rest = text
    while rest:
        found = _term(rest)
        if found is None:
            return None
        term, rest = found
        terms.append(term)
        if rest:
            if not rest.startswith(",") or not rest[1:].strip():
                return None
            rest = rest[1:]
    return Selector(tuple(terms)) if terms else None


def _term(text: str) -> tuple[Term, str] | None:
    if found := _SET.match(text):
        key, operator, listed = found.groups()
        values = frozenset(value.strip() for value in listed.split(","))
        return Term(key, "in" if operator == "in" else "notin", values), text[found.end() :]
    if found := _EQUALITY.match(text):
        key, operator, value = found.groups()
        name: Literal["in", "notin"] = "notin" if operator == "!=" else "in"
        return Term(key, name, frozenset({value})), text[found.end() :]
    if found := _PRESENCE.match(text):
        absent, key = found.groups()
        return Term(key, "absent" if absent else "exists"), text[found.end() :]
    return None


def _expressions(found: list[Any]) -> list[Term]:
    terms: list[Term] = []
    for entry in found:
        operator = _OPERATORS.get(entry.get("operator", "")) if isinstance(entry, dict) else None
        if operator is None:
            continue  # The API server admits no other.
        values = entry.get("values") or ()
        terms.append(Term(str(entry.get("key")), operator, frozenset(map(str, values))))
    return terms
