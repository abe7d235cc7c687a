"""What `why` and `status` say while every site is full, and that it is what happens."""

import re
from functools import partial
from typing import Any

from tests.scenario.clients import Load, by_site, fetch, sending
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import until


def test_why_says_whether_the_next_request_waits_and_its_advice_works(net: Network) -> None:
    site = net.site("here")
    target = net.http("here")
    site.start()
    site.ctl("service", "create", "shop", str(SHOP_PORT), "--protocol", "http", "--queue", "0")
    bound = ("service", "bind", "shop", "host", target.address, "--target-port", str(target.port))
    site.ctl(*bound, "--capacity", "1")
    net.ready("shop", {"here": 1})
    target.hold()
    first = sending(site.address, SHOP_PORT, 1)
    until(lambda: target.in_hand == 1, "the slot is taken")
    said = site.ctl("why", "shop").out
    assert "the next request is refused (all-full)" in said
    advice = "sitectl --site here service set shop --queue default"
    assert f"the queue of this service is 0. To let some wait: {advice}" in said
    assert fetch(site.address, SHOP_PORT).status == 503

    site.ctl(*advice.split()[3:], "--queue-wait", "10s")
    until(lambda: site.json("why", "shop")["queue"]["outlook"] == "waits", "requests may wait")
    said = site.ctl("why", "shop").out
    assert "the next request waits (all-full)\nEvery site that may serve it is full. " in said
    assert "At present none waits and at most 10 may" in said
    second = sending(site.address, SHOP_PORT, 1)
    until(lambda: "At present 1 waits" in site.ctl("why", "shop").out, "one waits")
    target.release()
    assert [one.status for one in (*first.result(), *second.result())] == [200, 200]


def test_a_site_that_did_not_declare_the_service_is_told_where_its_queue_is_set(
    net: Network,
) -> None:
    near, far = net.site("near"), net.site("far")
    target = net.http("far")
    far.connect("shop", target, capacity=1)
    net.link(near, far, 5)
    net.start()
    net.see_each_other()
    far.ctl("service", "create", "shop", str(SHOP_PORT), "--protocol", "http", "--queue", "0")
    net.ready("shop", {"far": 1})
    target.hold()
    first = sending(near.address, SHOP_PORT, 1)
    until(lambda: target.in_hand == 1, "the slot is taken")
    advice = "To let some wait, at far: sitectl service set shop --queue default"
    until(lambda: advice in near.ctl("why", "shop").out, "far is full")
    far.ctl(*advice.split()[7:])
    until(lambda: near.json("why", "shop")["queue"]["outlook"] == "waits", "requests may wait")
    target.release()
    assert [one.status for one in first.result()] == [200]


def test_without_a_target_here_it_is_said_that_the_other_site_is_full(net: Network) -> None:
    near, far = net.site("near"), net.site("far")
    dead, target = net.http("near"), net.http("far")
    near.declare("shop", queueWait="20s")
    near.connect("shop", dead)
    far.connect("shop", target, capacity=1)
    net.link(near, far, 5)
    net.start()
    net.see_each_other()
    net.ready("shop", {"near": 1, "far": 1})
    dead.stop()
    until(lambda: near.problems("SW0335"), "no target is ready here")
    until(lambda: "; requests go to far." in _said(near), "far has room")
    target.hold()
    clients = sending(near.address, SHOP_PORT, 3)
    until(
        lambda: "; no site that is reached and may serve it has room: 2 requests" in _said(near),
        "far is full",
    )
    target.release()
    assert [one.site for one in clients.result()] == ["far"] * 3


def test_a_rule_that_leaves_out_a_site_with_room_is_named_and_its_command_works(
    net: Network,
) -> None:
    near, far, hub = (net.site(name) for name in ("near", "far", "hub"))
    target = net.http("near")
    near.declare("shop", queue=1, queueWait="30s")
    near.connect("shop", target, capacity=1)
    for other in (far, hub):
        other.connect("shop", net.http(other.name), capacity=7)
        net.link(near, other, 5)
    net.start()
    net.see_each_other()
    net.ready("shop", {"near": 1, "far": 1, "hub": 1}, near)
    near.ctl("service", "set", "shop", "--import-from", "hub")
    hub.ctl("service", "set", "shop", "--export-to", "far")
    target.hold()
    first = sending(near.address, SHOP_PORT, 2)
    until(lambda: near.json("why", "shop")["decision"]["reason"] == "all-full", "near is full")
    until(lambda: len(_sentences(near.json("why", "shop")["left_out"])) == 2, "both are known")
    own, others = _sentences(near.json("why", "shop")["left_out"])
    assert own == "importFrom of near leaves out far (7 free)"
    assert others == "exportTo of hub (7 free) leaves out near"
    let_far_in = "sitectl service set shop --import-from hub,far"
    let_near_in = "sitectl service grant shop --site near --call"
    said = near.ctl("why", "shop").out
    assert "Every site that may serve it is full, and so is the queue" in said
    assert f"{own}. {others}." in said
    assert "Let far in: " in said and "At hub: " in said
    assert near.get("why/shop")["let_in"] == f"Let far in: {let_far_in}. At hub: {let_near_in}"

    with Load([(near.address, SHOP_PORT)], 10) as load:
        until(lambda: near.problems("SW0337"), "requests are turned away")
        (problem,) = near.problems("SW0337")
        assert f": every site that may serve it is full: {_share(problem)}" in problem["message"]
        assert problem["message"].endswith(f"{own}. {others}.")
        assert problem["hint"].startswith(f"Let far in: {let_far_in}. At hub: {let_near_in}. ")
        event = until(lambda: _event(near, "refusing-begun"), "the event names the rules")
        assert event["message"].endswith(f"{own}. {others}.")
        assert let_far_in in event["hint"]
        near.ctl(*let_far_in.split()[1:])
        hub.ctl(*let_near_in.split()[1:])
        until(lambda: {"far", "hub"} <= by_site(load.answers).keys(), "both serve")
    target.release()
    assert [one.status for one in first.result()] == [200, 200]


def test_failover_leaves_out_the_farther_site_while_the_nearer_is_full(net: Network) -> None:
    near, far = net.site("near"), net.site("far")
    target = net.http("near")
    near.connect("shop", target, capacity=1)
    far.connect("shop", net.http("far"), capacity=7)
    net.link(near, far, 5)
    net.start()
    near.ctl(*f"service create shop {SHOP_PORT} --protocol http --policy failover".split())
    near.ctl("service", "set", "shop", "--queue-wait", "30s")
    net.see_each_other()
    net.ready("shop", {"near": 1, "far": 1})
    target.hold()
    clients = sending(near.address, SHOP_PORT, 2)
    until(lambda: near.json("why", "shop")["left_out"], "near is full")
    why = near.get("why/shop")
    assert why["left_out"] == (
        "Policy failover leaves out far (7 free) while a nearer site has a ready target."
    )
    assert why["let_in"] == "Let far in: sitectl service set shop --policy fill"
    until(lambda: why["left_out"] in near.ctl("status").out, "status says it of those that wait")
    near.ctl(*why["let_in"].split()[4:])
    target.release()
    assert {one.status for one in clients.result()} == {200}


def test_a_rate_that_is_used_up_is_to_be_raised_by_its_own_flag(net: Network) -> None:
    site = net.site("here")
    target = net.http("here")
    site.start()
    site.ctl(*f"service create shop {SHOP_PORT} --protocol http --queue 1".split())
    bound = ("service", "bind", "shop", "host", target.address, "--target-port", str(target.port))
    site.ctl(*bound, "--capacity", "2/s")
    net.ready("shop", {"here": 1})
    with Load([(site.address, SHOP_PORT)], 20):
        for flag in ("--capacity", "--site-capacity"):
            step = f"sitectl service set shop {flag} N/s"
            until(partial(_says, site, step), "the rate is to be raised")
            (problem,) = site.problems("SW0337")
            assert problem["hint"] == f"Raise the rate: {step}"
            assert "requests are turned away" in problem["message"]
            assert "The rate is used up at here (2/s)." in problem["message"]
            event = until(lambda: _event(site, "refusing-begun"), "the event comes")
            assert event["message"].endswith(" The rate is used up at here (2/s).")
            site.ctl(*step.split()[1:-1], "50/s")
            if flag == "--capacity":
                until(lambda: not _next_step(site), "nothing is turned away")
                site.ctl("service", "set", "shop", "--site-capacity", "2/s")
        site.until_well()


def _says(site: Site, step: str) -> bool:
    return step in _next_step(site)


def _next_step(site: Site) -> str:
    return "".join(one["hint"] for one in site.problems("SW0337"))


def _sentences(text: str) -> list[str]:
    return [one.removesuffix(".") for one in text.split(". ") if one]


def _share(problem: dict[str, Any]) -> str:
    found = re.search(r"[^ ]+ of [^ ]+ requests are turned away", problem["message"])
    assert found is not None, problem
    return found[0]


def _event(site: Site, code: str) -> Any:
    return next((one for one in site.get("events") if one["code"] == code), None)


def _said(site: Site) -> str:
    (problem,) = site.problems("SW0335")
    message: str = problem["message"]
    return message
