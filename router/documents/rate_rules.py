"""Rules for the fields that go with a rate in a document, with the place of each violation."""

from typing import Protocol

from router.documents import capacities
from router.documents.nodes import Findings, Mapping
from router.model.capacity import Spill
from router.model.rights.sharing import ALL


class BesideRates(Protocol):
    """The fields of a spec that belong to its rates."""

    @property
    def resume(self) -> str: ...

    @property
    def window_s(self) -> float | None: ...

    @property
    def stay_s(self) -> float | None: ...


class Capped(BesideRates, Protocol):
    """A site's cap for a service, as in a document."""

    @property
    def site_capacity(self) -> int | str | None: ...

    @property
    def spill(self) -> Spill: ...

    @property
    def service(self) -> str: ...


def check_rates(
    findings: Findings, node: Mapping, path: str, rates: list[float], spec: BesideRates
) -> bool:
    """Whether the fields that go with a rate fit it."""
    key, reason, hint = capacities.problem_of(rates, spec.resume, spec.window_s, spec.stay_s)
    if not key:
        return True
    findings.add(node.get(key) or node, f"{path}.{key}", reason, hint, "SW0104")
    return False


def check_cap(findings: Findings, node: Mapping, path: str, spec: Capped) -> bool:
    """Whether the fields that go with a site's cap fit it, and its ``spill``."""
    found = capacities.of_spec(spec.site_capacity)
    if spec.service == ALL and spec.site_capacity is not None:
        findings.add(
            node.get("siteCapacity") or node,
            f"{path}.siteCapacity",
            "a capacity is of one service, and service '*' is all of them",
            "Write a Policy for each service that has one",
            "SW0104",
        )
        return False
    if found.per_s is None and spec.spill == "all":
        findings.add(
            node.get("spill") or node,
            f"{path}.spill",
            "spill: all belongs to a rate: only a rate can say when it is over",
            "Write siteCapacity: 15/s, or spill: excess",
            "SW0104",
        )
        return False
    rates = [] if found.per_s is None else [found.per_s]
    return check_rates(findings, node, path, rates, spec)
