"""Ingresses at several distances from the one site that has targets, in virtual time."""

import msgspec

from simulator.outcomes import figures
from simulator.runs.run import Run
from simulator.scenarios.reading import read

SLOTS, SERVICE_S = 4, 0.1


class Share(msgspec.Struct, frozen=True):
    """What became of the requests of one ingress."""

    offered: int
    served: int
    refused: int
    p99_s: float

    @property
    def refused_share(self) -> float:
        return self.refused / self.offered


def outcome(lines: list[str]) -> dict[str, figures.SiteFigures]:
    """What a scenario of these ``lines`` of its spec came to, by site. Nothing was lost."""
    head = ["apiVersion: spillway/v1", "kind: Scenario", "name: distances", "spec:"]
    scenario, errors, _ = read("\n".join([*head, *lines]), "s.yaml", lambda name: "")
    assert scenario is not None, errors
    run = Run(scenario)
    found = figures.outcome(run.world.scenario, run.finish(), run.draw, ())
    assert sum(one.lost for one in found.sites) == 0
    return {one.site: one for one in found.sites}


def shares(
    rtts_ms: list[int],
    load: float,
    *,
    kind: str = "poisson",
    seed: int = 1,
    duration_s: float = 60.0,
    slots: int = SLOTS,
) -> list[Share]:
    """Of equal ingresses, each as far away as ``rtts_ms`` says; 0: the site with the targets.

    ``load``: of its slots, by all of them together.
    """
    rate = load * slots / SERVICE_S / len(rtts_ms)
    sites = {f"in{number}": rtt for number, rtt in enumerate(rtts_ms) if rtt}
    entries = [f"in{number}" if rtt else "here" for number, rtt in enumerate(rtts_ms)]
    links = [f"    - {{between: [{name}, here], rtt: {rtt}ms}}" for name, rtt in sites.items()]
    lines = [
        *(f"  seed: {seed}", f"  duration: {duration_s:g}s"),
        *(f"  sites: [{', '.join([*sites, 'here'])}]", "  links:", *links),
        *("  services:", "    - {name: shop, protocol: http, policy: fill}"),
        *("  targets:", f"    - {{site: here, slots: {slots}, capacity: {slots},"),
        f"       serviceTime: {{kind: constant, mean: {SERVICE_S * 1000:g}ms}}}}",
        "  arrivals:",
        *(
            f"    - {{site: {entry}, kind: {kind}, rate: {rate:.3f}/s, connections: keep-alive}}"
            for entry in entries
        ),
    ]
    by_site = outcome(lines)
    return [
        Share(one.offered, one.offered - one.refused, one.refused, (one.p99_ms or 0) / 1000)
        for one in (by_site[entry] for entry in entries)
    ]
