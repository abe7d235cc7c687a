"""The table of candidates that `why` prints, of the next request and of past ones."""

from collections.abc import Sequence
from typing import Any

from sitectl.base import output
from sitectl.show.service_status import capacity_text, in_flight_text, is_unknown


def candidate_table(candidates: Sequence[dict[str, Any]], *, has_paths: bool) -> str:
    """One row per candidate, in the order considered.

    LEVEL is a column where the policy compared a site that has no configured capacity: elsewhere
    each level is the path cost.
    """
    has_levels = any(one.get("level") is not None and one.get("free") is None for one in candidates)
    columns = {
        "SITE": lambda one: one.get("site"),
        "PATH": (lambda one: " > ".join(map(str, one.get("path") or []))) if has_paths else None,
        "COST": lambda one: one.get("path_cost"),
        "READY": lambda one: None if is_unknown(one) else one.get("targets_ready"),
        "IN FLIGHT": lambda one: None if is_unknown(one) else in_flight_text(one),
        "CAPACITY": capacity_text,
        "FREE": lambda one: one.get("free"),
        "LEVEL": _level if has_levels else None,
        "VERDICT": lambda one: one.get("verdict"),
        "REASON": lambda one: "; ".join(filter(None, (one.get("reason"), one.get("note")))),
    }
    shown = {heading: cell for heading, cell in columns.items() if cell is not None}
    return output.rows(
        list(shown),
        [[cell(one) for cell in shown.values()] for one in candidates],
        optional=("PATH", "READY", "FREE"),
    )


def _level(one: dict[str, Any]) -> str | None:
    level = one.get("level")
    return None if level is None else f"{level:.3f}".rstrip("0").rstrip(".")
