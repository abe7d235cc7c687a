"""Quantities of resources (``100m``, ``1.5``, ``64Mi``) as numbers."""

from typing import Final

_UNITS: Final = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "k": 10**3, "M": 10**6, "G": 10**9}


def quantity(value: object) -> float:
    """YAML may have it as a number."""
    text = str(value)
    for unit, size in _UNITS.items():
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * size
    return float(text[:-1]) / 1000 if text.endswith("m") else float(text or 0)
