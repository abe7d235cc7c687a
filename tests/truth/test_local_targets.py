"""Targets of one site fail under load: no surface may call that good."""

import re

from router.model.settings import ServiceLimits
from tests.scenario.backends import HttpTarget
from tests.scenario.clients import Load, by_site
from tests.scenario.waiting import until
from tests.truth.conftest import Watch, on_a_host
from tests.truth.faults import targets as faults
from tests.truth.scene import COST, PER_S, Shop, Stage, door

RESPONSE_S = 0.3
LATE_S, LATE_PER_S = 0.8, 10
IMPATIENT_S = 0.5
SILENCE = ("target-silent", "target-answers")


def stop(targets: list[HttpTarget]) -> None:
    for target in targets:
        target.stop()


def test_all_is_well_and_every_surface_says_so(shop: Shop) -> None:
    near = shop.near
    with shop.load() as load:
        until(lambda: len(load.answers) >= PER_S, "clients are served")
        until(lambda: shop.now()["requests_per_s"], "the last seconds are known")
        assert shop.now()["spilled_per_s"] == 0
        assert not shop.codes() & {"SW0335", "SW0336"}
        near.until_well()
        near.ctl("status", code=0)
    assert set(by_site(load.answers)) == {"near"}
    assert shop.metric("spillway_spilled_total") == 0
    assert shop.metric("spillway_local_targets", state="not-ready") == 0


def test_all_local_targets_dead(shop: Shop, watch: Watch) -> None:
    near, surfaces = shop.near, watch(shop.near)
    with shop.load() as load:
        until(lambda: len(load.answers) >= PER_S, "clients are served")
        stop(shop.targets)
        until(lambda: "SW0335" in shop.codes(), "status has the problem")
        dead_from = len(load.answers)
        until(lambda: len(load.answers) >= dead_from + PER_S, "clients are served elsewhere")
        told = until(
            lambda: (now := shop.now())["spilled_per_s"] and now.get("spilled_for") and now,
            "the last seconds show it",
        )
        assert set(told["spilled_to"]) == {"far"}
        surfaces.show(faults.NONE_READY)
        verdicts = {one["site"]: one["verdict"] for one in near.json("why", "shop")["candidates"]}
        assert verdicts == {"near": "no-target", "far": "chosen"}
    served = by_site(load.answers)
    assert served["far"] >= PER_S
    until(
        lambda: near.service("shop")["spilled_total"] == served["far"],
        "as many requests are counted as clients had answers of the other site",
    )
    until(  # The answer of /metrics is kept for a moment.
        lambda: shop.metric("spillway_spilled_total", to="far") == served["far"],
        "the metric says the same",
    )
    assert shop.metric("spillway_spilled_total", reason="no-target") >= PER_S
    assert shop.metric("spillway_overflow_total") == 0
    for target in shop.targets:
        target.start()
    shop.net.ready("shop", {"near": 2, "far": 1})
    assert not shop.codes() & {"SW0335", "SW0336"}


@on_a_host
def test_the_figures_of_dead_targets_are_those_of_all_workers(net: Stage) -> None:
    shop = Shop(net)
    shop.near.environment["SPILLWAY_WORKERS"] = "2"
    shop.start()
    with shop.load() as load:
        until(lambda: len(load.answers) >= PER_S, "clients are served")
        stop(shop.targets)

        def told_per_s() -> float:
            texts = [one["message"] for one in shop.near.problems("SW0335")]
            found = re.search(r"([0-9.]+)/s go to far", "".join(texts))
            return float(found[1]) if found else 0.0

        until(lambda: told_per_s() > 0.8 * PER_S, "the problem has the load of both workers")


def test_one_of_two_local_targets_dead(shop: Shop, watch: Watch) -> None:
    surfaces = watch(shop.near)
    with shop.load() as load:
        until(lambda: len(load.answers) >= PER_S, "clients are served")
        stop(shop.targets[:1])
        until(lambda: "SW0336" in shop.codes(), "status has the note")
        surfaces.show(faults.ONE_NOT_READY)
    assert set(by_site(load.answers)) <= {"near", "target-reset"}


def test_no_target_is_ready_at_any_site(shop: Shop, watch: Watch) -> None:
    surfaces = watch(shop.near)
    with shop.load() as load:
        until(lambda: len(load.answers) >= PER_S, "clients are served")
        stop([*shop.targets, shop.far_target])
        until(lambda: "SW0309" in shop.codes(), "status has the problem")
        until(lambda: by_site(load.answers)["no-route"] > PER_S, "clients are refused")
        surfaces.show(faults.NOWHERE)
    until(  # The answer of /metrics is kept for a moment.
        lambda: shop.metric("spillway_requests_total", code_class="5xx") == len(load.failed),
        "as many failures are counted as clients had",
    )
    assert set(by_site(load.failed)) <= {"no-route", "target-refused", "target-reset"}


def test_no_target_is_ready_of_a_service_that_this_site_only_consumes(
    net: Stage, watch: Watch
) -> None:
    near, far, target = net.watched("near"), net.site("far"), net.http("far")
    far.declare("shop")
    far.connect("shop", target)
    net.link(near, far, COST)
    net.start()
    net.see_each_other()
    net.ready("shop", {"far": 1})
    surfaces = watch(near)
    target.stop()
    with Load([door(near)], PER_S) as load:
        until(lambda: len(load.failed) > PER_S, "clients are refused")
        surfaces.show(faults.NOWHERE_FOR_CONSUMERS)
    assert set(by_site(load.failed)) <= {"no-route", "target-refused", "target-reset"}


def test_targets_answer_late(shop: Shop, watch: Watch) -> None:
    surfaces = watch(shop.near)
    for target in shop.targets:
        target.service_s = LATE_S
    with shop.load(LATE_PER_S) as load:
        until(lambda: len(load.answers) >= PER_S, "clients are served, late")
        surfaces.show(faults.LATE)
    assert set(by_site(load.answers)) == {"near"}
    assert min(one.ended - one.began for one in load.answers) >= LATE_S


def test_clients_give_up(shop: Shop, watch: Watch) -> None:
    surfaces = watch(shop.near)
    for target in shop.targets:
        target.service_s = 2 * LATE_S
    with shop.load(LATE_PER_S, timeout_s=LATE_S / 2) as load:
        until(lambda: len(load.failed) >= PER_S, "clients give up")
        surfaces.show(faults.GIVEN_UP)
    assert set(by_site(load.answers)) == {"TimeoutError: "}
    near = shop.near
    until(lambda: near.service("shop")["gave_up_total"] == len(load.answers), "each is counted")
    assert near.service("shop")["requests_total"] == len(load.answers)

    def counted() -> float:  # A scrape may be as old as the one before it.
        return shop.metric("spillway_requests_total", code_class="client-gone")

    until(lambda: counted() == len(load.answers), "metrics say so")


def test_some_clients_send_too_large_requests(shop: Shop, watch: Watch) -> None:
    surfaces = watch(shop.near)
    too_long = "/" + "x" * ServiceLimits().request_line_bytes
    with shop.load() as load, shop.load(path=too_long) as large:
        until(lambda: len(large.answers) >= PER_S, "they are refused")
        surfaces.show(faults.REJECTED)
    assert {one.status for one in large.answers} == {414}
    assert set(by_site(load.answers)) == {"near"}


def test_targets_do_not_answer_in_time(net: Stage, watch: Watch) -> None:
    shop = Shop(net, timeouts={"response": f"{RESPONSE_S}s"}).start()
    surfaces = watch(shop.near)
    with shop.load() as load:
        until(lambda: len(load.answers) >= PER_S, "clients are served")
        for target in shop.targets:
            target.hold()
        until(lambda: ejected_again(shop), "both targets are ejected again")
        surfaces.show(faults.TIMES_OUT)
    assert set(by_site(load.answers)) == {"near", "far", "target-timeout"}
    assert {one.status for one in load.failed} == {504}


def test_targets_hang_with_all_of_their_slots_taken(net: Stage, watch: Watch) -> None:
    shop = Shop(net, capacity=2, far_capacity=50, timeouts={"response": "300s"}).start()
    surfaces = watch(shop.near)
    with shop.load() as load:
        until(lambda: len(load.answers) >= PER_S, "clients are served")
        for target in shop.targets:
            target.hold()
        until(lambda: "SW0349" in shop.codes(), "status has the note")
        surfaces.show(faults.STUCK)
        for target in shop.targets:
            target.release()
        until(lambda: "SW0349" not in shop.codes(), "the note is gone")
    gave_up = "TimeoutError: "  # Clients that met a slot which hangs; others did not.
    assert set(by_site(load.answers)) - {gave_up} == {"near", "far"}


HANGING_S = 80.0
ALIKE_S = 0.1
"""So long that a busy machine makes no target seem the slower one, which would get nothing."""
"""Clients wait longer than it takes to look at each surface."""


def test_targets_hang_with_free_slots(net: Stage, watch: Watch) -> None:
    shop = Shop(net, capacity=50, timeouts={"response": "300s"}).start()
    surfaces = watch(shop.near)
    for target in shop.targets:
        target.service_s = ALIKE_S
    with shop.load() as served:
        until(lambda: len(served.answers) >= PER_S, "clients are served")
    for target in shop.targets:
        target.hold()
    with shop.load(timeout_s=HANGING_S, at_once=8) as load:
        until(lambda: "SW0349" in shop.codes(), "status has the note")
        surfaces.show(faults.HANGS)
        for target in shop.targets:
            target.release()
        until(lambda: "SW0349" not in shop.codes(), "the note is gone")
    assert set(by_site(load.answers)) == {"near"}


def test_targets_of_the_other_site_hang(net: Stage, watch: Watch) -> None:
    shop = Shop(net, here=0, timeouts={"response": "300s"}).start()
    surfaces = watch(shop.near)
    with shop.load() as served:
        until(lambda: len(served.answers) >= PER_S, "clients are served")
    shop.far_target.hold()
    with shop.load(timeout_s=HANGING_S, at_once=8) as load:
        until(lambda: "SW0361" in shop.codes(), "status has the note")
        surfaces.show(faults.HANGS_THERE)
        shop.far_target.release()
        until(lambda: "SW0361" not in shop.codes(), "the note is gone")
    assert set(by_site(load.answers)) == {"far"}


def test_targets_answer_503(shop: Shop, watch: Watch) -> None:
    surfaces = watch(shop.near)
    with shop.load() as load:
        until(lambda: len(load.answers) >= PER_S, "clients are served")
        for target in shop.targets:
            target.forced = "/status/503"
        until(lambda: ejected_again(shop), "both targets are ejected again")
        surfaces.show(faults.ANSWERS_503)
    assert set(by_site(load.answers)) == {"near", "far"}
    assert {one.status for one in load.failed} == {503}


def test_targets_answer_500(shop: Shop, watch: Watch) -> None:
    surfaces = watch(shop.near)
    for target in shop.targets:
        target.forced = "/status/500"
    with shop.load() as load:
        until(lambda: len(load.failed) >= PER_S, "clients get 500")
        surfaces.show(faults.ANSWERS_500)
    assert {one.status for one in load.answers} == {500}
    until(
        lambda: shop.metric("spillway_requests_total", code_class="5xx") == len(load.answers),
        "as many failures are counted as clients had",
    )


def test_one_of_two_targets_answers_500(shop: Shop, watch: Watch) -> None:
    surfaces = watch(shop.near)
    bad, good = shop.targets
    bad.forced = "/status/500"
    with shop.load() as load:
        until(lambda: len(load.failed) >= PER_S, "clients get 500")
        surfaces.show(faults.ONE_ANSWERS_500)
        lines = shop.near.ctl("service", "status", "shop").out.splitlines()
    (told,) = [line for line in lines if "answered 5xx" in line]
    assert f"{bad.address}:{bad.port} " in told and f"{good.address}:{good.port} " not in told


def test_a_tcp_target_accepts_connections_and_answers_nothing(net: Stage, watch: Watch) -> None:
    shop = Shop(net, protocol="tcp", timeouts={"halfClosed": "500ms"}).start()
    near, surfaces = shop.near, watch(shop.near)
    with shop.load(timeout_s=IMPATIENT_S) as load:
        until(lambda: len(load.answers) >= PER_S, "clients are served")
        until(lambda: not load.failed, "all of them")
        shop.targets[0].hold()
        until(lambda: "SW0348" in shop.codes(), "status has the note")
        surfaces.show(faults.ANSWERS_NOTHING)
        shop.targets[0].release()
        until(lambda: "SW0348" not in shop.codes(), "it goes with the first answer")
    assert set(by_site(load.answers)) == {"near", "TimeoutError: "}
    told = [one["code"] for one in near.json("events") if one["code"] in SILENCE]
    assert told == list(SILENCE), "once when it begins, once when it ends"
    until(lambda: shop.metric("spillway_silent_targets") == 0, "the metric follows")


def ejected_again(shop: Shop) -> bool:
    """Whether both targets are ejected for 4 s or longer: time to look at all surfaces."""
    errors = [target["error"] for target in shop.near.service("shop")["targets"]]
    return all(error.startswith("ejected for") and " 2 s" not in error for error in errors)
