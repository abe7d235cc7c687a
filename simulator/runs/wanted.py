"""Turns a scenario's services, targets and caps into documents. Pure.

Code that runs a scenario in another way, with real processes, gives routers the same documents.
"""

from collections.abc import Sequence

from router.model.specs import ConnectorSpec, PolicySpec, ServiceSpec, SitePolicySpec, TargetSpec
from simulator.scenarios.scenario import ScenarioService, ScenarioTargets, SitePolicy


def service_spec(service: ScenarioService, port: int) -> ServiceSpec:
    """The declaration of a service, the same at all sites."""
    return ServiceSpec(
        protocol=service.protocol,
        ports=(port,),
        policy=PolicySpec(
            service.policy, dict(service.weights), service.spill_at, service.isolation
        ),
        queue=service.queue,
        queue_wait_s=service.queue_wait_s,
        hold_s=service.hold_s,
        max_age_s=service.max_age_s,
        max_age_jitter=service.max_age_jitter,
        max_age_grace_s=service.max_age_grace_s,
        rebalance=service.rebalance,
        sheddable=service.sheddable,
        sheddable_share=service.sheddable_share,
    )


def connector_spec(targets: ScenarioTargets, places: Sequence[tuple[str, int]]) -> ConnectorSpec:
    """A group of targets at ``places`` (host, port)."""
    return ConnectorSpec(
        service=targets.service,
        targets=tuple(TargetSpec(host, port) for host, port in places),
        capacity=targets.capacity,
        resume=targets.resume,
        window_s=targets.window_s,
        stay_s=targets.stay_s,
    )


def site_policy_spec(policy: SitePolicy) -> SitePolicySpec:
    """The limit of one site for a service in all."""
    return SitePolicySpec(
        service=policy.service,
        site_capacity=policy.site_capacity,
        resume=policy.resume,
        window_s=policy.window_s,
        stay_s=policy.stay_s,
        spill=policy.spill,
    )
