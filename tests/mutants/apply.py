"""Mutated texts of modules, from mutants in JSON; run by the Python that has cosmic-ray."""

import json
import sys
from pathlib import Path
from typing import Any

from cosmic_ray import mutating, plugins  # type: ignore[import-not-found]  # In its own venv.


def main() -> None:
    """Reads the mutants of `tests.mutants.__main__`; writes their texts in the same order."""
    json.dump([_text(*mutant) for mutant in json.load(sys.stdin)], sys.stdout)


def _text(module: str, line: int, operator: str, occurrence: int) -> Any:
    source = Path(module).read_text("utf-8")
    text = mutating.mutate_code(source, plugins.get_operator(operator)(), occurrence)
    assert text is not None, f"{module}:{line} has no place {occurrence} of {operator}"
    return text


if __name__ == "__main__":
    main()
