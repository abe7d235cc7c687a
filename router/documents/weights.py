"""Weights of sites or services: relative whole numbers, or percentages that sum to 100."""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from router.documents.nodes import Findings, Mapping, Node, Scalar
from router.documents.readers import BAD, Bad, is_name, shown
from router.model import limits

EXAMPLE: Final = "Write whole numbers like a=2 and b=1, or percentages like a=70% and b=30%"

_SEE: Final = {"site": "See: sitectl status", "service": "See: sitectl service status"}
_WEIGHT = re.compile(r"([0-9]{1,9})(%?)\Z")


class BadWeights(msgspec.Struct, frozen=True):
    """Why, and the next step. ``site``: the one with the wrong weight; empty: all together."""

    reason: str
    hint: str = EXAMPLE
    site: str = ""


def weights_of(
    stated: Sequence[tuple[str, str]], what: str = "site"
) -> dict[str, int] | BadWeights:
    """Weights by site name from (site, weight) texts. Percentages become plain numbers.

    ``what`` the names are of, in messages.
    """
    weights: dict[str, int] = {}
    percentages = 0
    if len(stated) > limits.SPLIT_SITES_MAX:
        return BadWeights(f"expected at most {limits.SPLIT_SITES_MAX} weights, got {len(stated)}")
    for site, text in stated:
        match = _WEIGHT.match(text)
        if not is_name(site):
            return BadWeights(f"{site[:80]!r} is no name of a {what}", _SEE[what], site)
        if site in weights:
            return BadWeights(f"{what} {site} has two weights", "Keep one of them", site)
        if match is None or int(match.group(1)) > limits.SPLIT_WEIGHT_MAX:
            return BadWeights(
                f"weight of {what} {site}: expected a whole number from 0 to "
                f"{limits.SPLIT_WEIGHT_MAX} or a percentage, got {text[:40]!r}",
                site=site,
            )
        weights[site] = int(match.group(1))
        percentages += match.group(2) == "%"
    return _together(weights, percentages, what)


def _together(weights: dict[str, int], percentages: int, what: str) -> dict[str, int] | BadWeights:
    total = sum(weights.values())
    if weights and not total:
        return BadWeights(
            f"all weights are 0: no {what} would get anything",
            f"Give at least one {what} more than 0",
        )
    if percentages not in (0, len(weights)):
        return BadWeights("some weights are percentages and others are not")
    if percentages and total != 100:
        return BadWeights(
            f"the percentages sum to {total}%, not to 100%",
            "Make them sum to 100%, or write relative numbers without %",
        )
    return weights


def read(findings: Findings, node: Node, path: str) -> dict[str, int] | Bad:
    """A mapping from names of sites to weights."""
    return _read(findings, node, path, "site")


def read_services(findings: Findings, node: Node, path: str) -> dict[str, int] | Bad:
    """A mapping from names of services to weights."""
    return _read(findings, node, path, "service")


def _read(findings: Findings, node: Node, path: str, what: str) -> dict[str, int] | Bad:
    if not isinstance(node, Mapping):
        findings.add(node, path, f"expected weights by {what}, got {shown(node)}", EXAMPLE)
        return BAD
    for name, value in node.entries:
        if not isinstance(value, Scalar) or value.is_null:
            where = f"{path}.{name.value[:80]}"
            findings.add(value, where, f"expected a weight, got {shown(value)}", EXAMPLE)
            return BAD
    pairs = [(name.value, value.value) for name, value in node.entries if isinstance(value, Scalar)]
    found = weights_of(pairs, what)
    if not isinstance(found, BadWeights):
        return found
    at: Node = node
    for name, value in node.entries:
        if found.site and name.value == found.site:
            at, path = value, f"{path}.{name.value[:80]}"
    findings.add(at, path, found.reason, found.hint)
    return BAD
