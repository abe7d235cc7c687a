"""A scripted router's answers on its services' past: a burst that came and went, and its flows."""

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from router.admin.views.flow import FlowDetail, FlowView
from router.admin.views.history import HistorySample, HistorySite, KneeView, ServiceHistory
from router.admin.views.services import TargetView
from router.admin.views.why import PastDecision, WhyCandidate, WhyDecision, WhyView
from router.balance.deciding.explain import ROOM_FARTHER
from router.model.addresses import join
from router.model.wording.fullness import EVERY_SITE_IS_FULL
from tests.browser.pictures import HERE, id_of, moment

STEP_S = 5.0
CAPACITY = 20
ROOM_HERE = "local site has room"


def history(**changes: Any) -> ServiceHistory:
    """A quarter of an hour of `shop`: calm, a burst in the middle, calm again."""
    count = 180
    samples = tuple(
        _sample(moment((index - count + 1) * STEP_S), 6.0 + 54.0 * _hump(index))
        for index in range(count)
    )
    known = ServiceHistory(
        service="shop",
        port=8080,
        protocol="http",
        policy="fill",
        site=HERE,
        step_s=STEP_S,
        sites=tuple(
            HistorySite(name=name, id=id_of(name), local=name == HERE, path_cost=cost)
            for name, cost in ((HERE, 0), ("west", 5), ("south", 15))
        ),
        samples=samples,
    )
    return msgspec.structs.replace(known, **changes)


def _hump(index: int) -> float:
    wave = 0.06 * math.sin(index * 0.9) + 0.04 * math.sin(index * 2.3)
    rise = 1.0 / (1.0 + math.exp(-(index - 60) / 4.0)) - 1.0 / (
        1.0 + math.exp(-(index - 140) / 6.0)
    )
    return max(0.0, rise * (1.0 + wave))


def _sample(at: str, wanted: float) -> HistorySample:
    here = min(wanted, float(CAPACITY))
    west = min(max(0.0, wanted - CAPACITY), 30.0)
    south = max(0.0, wanted - CAPACITY - 30.0)
    parts = tuple(round(one, 1) for one in (here, west, south))
    served = tuple(round(one * STEP_S / 0.2) for one in parts)
    return HistorySample(
        at=at,
        in_flight=parts,
        served=served,
        nowhere=3 if wanted > 58 else 0,
        failed=3 if wanted > 58 else 0,
        overflow=served[1] + served[2],
        capacity=CAPACITY,
        capacity_per_s=None,
        targets_ready=2,
        queued=2 if wanted > CAPACITY else 0,
        p50_s=0.2,
        p99_s=0.61 if wanted > CAPACITY else 0.4,
    )


def knees(targets: Sequence[TargetView]) -> tuple[KneeView, ...]:
    """Latency bends below the configured capacity for the first of two targets, not for the
    second."""
    return tuple(
        KneeView(
            service="shop",
            port=8080,
            target=join(target.host, target.port),
            stated=target.capacity,
            knee=knee,
            factor=2.0,
            baseline_s=0.2,
            levels=((1, 0.2, 900), (8, 0.41, 300)),
        )
        for target, knee in zip(targets, (8, None), strict=True)
    )


def candidates() -> tuple[WhyCandidate, ...]:
    """Here is full, west has it, south would be next."""
    common: dict[str, Any] = {"targets_ready": 2, "capacity": 20, "capacity_kind": "concurrency"}
    return (
        WhyCandidate(
            site=HERE,
            path=(),
            path_cost=0,
            in_flight=20,
            free=0,
            age_s=0.0,
            verdict="full",
            reason="20 in flight, its capacity is 20",
            **common,
        ),
        WhyCandidate(
            site="west",
            path=("west",),
            path_cost=5,
            in_flight=17,
            free=3,
            age_s=0.4,
            verdict="chosen",
            reason=f"{ROOM_FARTHER} (3 of 20 free)",
            **common,
        ),
        WhyCandidate(
            site="south",
            path=("west", "south"),
            path_cost=15,
            in_flight=2,
            free=18,
            age_s=0.8,
            verdict="dearer",
            reason="path cost 15, and west at 5 takes the request",
            **common,
        ),
    )


def why() -> WhyView:
    return WhyView(
        service="shop",
        port=8080,
        policy="fill",
        decision=WhyDecision("west", ("west",), ROOM_FARTHER, ROOM_FARTHER),
        candidates=candidates(),
    )


def flow(id: int, **changes: Any) -> FlowView:
    """A request that was served here, unless ``changes`` say otherwise."""
    known = FlowView(
        id=id,
        at=moment(-0.25 * (100 - id)),
        service="shop",
        port=8080,
        protocol="http",
        client=f"10.1.2.{id % 250}:40{id % 1000:03d}",
        method="GET",
        path=f"/cart/{id}",
        status=200,
        code="",
        outcome="ok",
        answer="2xx",
        site=HERE,
        target="10.0.0.1:9001",
        reason=ROOM_HERE,
        overflow="",
        attempts=1,
        queue_s=0.0,
        network_s=0.001,
        target_s=0.2,
        total_s=0.201,
        bytes_in=212,
        bytes_out=3_120,
        request_id=f"5f3a{id:08x}",
        trace_id="",
        explained=True,
    )
    return msgspec.structs.replace(known, **changes)


def flows() -> tuple[FlowView, ...]:
    """Newest first: each third overflows, some fail, one is a connection that is under way."""
    told = []
    for id in range(60, 0, -1):
        changes: dict[str, Any] = {}
        if id % 3 == 0:
            changes = {
                "site": "west",
                "target": "",
                "reason": ROOM_FARTHER,
                "overflow": "full",
                "spill_reason": "full",
                "queue_s": 0.004,
                "network_s": 0.024,
                "total_s": 0.228,
            }
        if id % 17 == 0:
            changes = {
                "site": None,
                "target": "",
                "status": 503,
                "code": "all-full",
                "outcome": "all-full",
                "answer": None,
                "reason": EVERY_SITE_IS_FULL,
                "queue_s": 1.0,
                "target_s": 0.0,
                "total_s": 1.0,
            }
        if id == 58:
            changes = {
                "service": "billing",
                "protocol": "tcp",
                "method": "",
                "path": "",
                "status": 0,
                "outcome": "under-way",
                "answer": None,
            }
        told.append(flow(id, **changes))
    return tuple(told)


def detail(of: FlowView) -> FlowDetail:
    """The flow with its decision, if it went elsewhere; else it was simply served here."""
    away = of.site != HERE
    decision = PastDecision(
        service=of.service,
        port=of.port,
        at=of.at,
        outcome=of.outcome,
        site=of.site,
        answer=of.answer,
        reason=of.reason,
        overflow_reason=of.overflow,
        spill_reason=of.spill_reason,
        waited_s=of.queue_s,
        total_s=of.total_s,
        attempts=of.attempts,
        retried_for=None,
        session=None,
        policy="fill" if away else None,
        decided_at=of.at if away else None,
        in_flight=None if away else 7,
        capacity=None if away else 20,
        candidates=candidates() if away else (),
        further=2 if away else 0,
    )
    return FlowDetail(flow=of, decision=decision)
