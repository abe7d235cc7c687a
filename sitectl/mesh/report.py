"""Human-readable reports of a plan, of applied changes, and of tests. Pure."""

from collections.abc import Sequence
from typing import Any, Final

import yaml

from router.model.wording.plural import counted
from sitectl.base.texts import diff
from sitectl.mesh.changes import MeshChange, MeshVerb
from sitectl.mesh.planning import MeshPlan

_MARKS: Final[dict[MeshVerb, str]] = {
    "create": "+",
    "update": "~",
    "delete": "-",
    "link": "+",
    "start": "+",
    "extra": "?",
    "blocked": "!",
    "down": "!",
}
_DONE: Final[dict[MeshVerb, str]] = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "link": "has a claim",
    "start": "started",
}
_COUNTED: Final[tuple[tuple[MeshVerb, str], ...]] = (
    ("create", "to create"),
    ("update", "to update"),
    ("delete", "to delete"),
    ("link", "to link"),
    ("start", "to start"),
    ("blocked", "that apply cannot make"),
    ("down", "down"),
    ("extra", "not in the file"),
)


def item(change: MeshChange) -> dict[str, Any]:
    """One change as JSON has it."""
    return {
        "site": change.site,
        "change": change.verb,
        "kind": change.kind,
        "name": change.name,
        "before": change.before,
        "after": change.after,
        "reason": change.reason,
        "hint": change.hint,
    }


def plan_text(plan: MeshPlan) -> str:
    """A plan like a diff: ``+`` is made, ``~`` changed, ``-`` removed, ``?`` kept, ``!`` stuck."""
    parts: list[str] = []
    for one in plan.sites:
        head = f"site {one.reached.name}, {one.survey.place}"
        if not one.changes:
            parts.append(f"{head}: as the file says")
            continue
        parts.append(f"{head}:")
        parts += [line for change in one.changes for line in _lines(change)]
    if plan.others:
        parts.append(f"not looked at from here: {', '.join(plan.others)}")
    parts.append(summary(plan.changes))
    return "\n".join(parts)


def summary(changes: Sequence[MeshChange]) -> str:
    """One line of all of them."""
    found = [
        f"{number} {words}"
        for verb, words in _COUNTED
        if (number := sum(change.verb == verb for change in changes))
    ]
    return ", ".join(found) if found else "Nothing to do."


def _lines(change: MeshChange) -> list[str]:
    head = f"  {_MARKS[change.verb]} {_title(change)}"
    if change.reason:
        head += f": {change.reason}"
    if change.verb == "extra":
        head += ", which the file does not have"
    lines = [head]
    if change.verb in ("create", "delete") and (change.after or change.before):
        lines += [f"      {line}" for line in _yaml(change.after or change.before)]
    elif change.before is not None and change.after is not None:
        old, new = ("\n".join(_yaml(one)) for one in (change.before, change.after))
        changed = diff(old, new, "").splitlines()[2:]
        lines += [f"      {line}" for line in changed if not line.startswith("@@")]
    if change.hint:
        lines.append(f"      Next: {change.hint}")
    return lines


def _yaml(fields: dict[str, object] | None) -> list[str]:
    if not fields:
        return []
    text: str = yaml.safe_dump(fields, sort_keys=False, default_flow_style=False)
    return text.splitlines()


def _title(change: MeshChange) -> str:
    return f"{change.kind.lower()} {change.name}"


def done_text(changes: Sequence[MeshChange]) -> str:
    """The changes by `apply`, one a line."""
    if not changes:
        return "All sites in reach are as the file says, unchanged."
    lines = [
        f"site {one.site}: {_title(one)} {_DONE.get(one.verb, one.verb)}"
        for one in changes
        if one.verb in _DONE
    ]
    sites = len({change.site for change in changes})
    return "\n".join([*lines, f"{counted(len(lines), 'change')} at {counted(sites, 'site')}"])


def drift_text(plan: MeshPlan) -> str:
    """As `plan_text`, of a network that should need no plan."""
    if not plan.changes:
        sites = counted(len(plan.sites), "site")
        others = f" Not looked at from here: {', '.join(plan.others)}." if plan.others else ""
        return f"No drift at {sites}.{others}"
    return plan_text(plan)
