"""What `why` and `status` say while every site is full, and that it is what happens."""

from tests.scenario.clients import fetch, sending
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
    advice = "sitectl service set shop --queue default"
    assert f"the queue of this service is 0. To let some wait: {advice}" in said
    assert fetch(site.address, SHOP_PORT).status == 503

    site.ctl(*advice.split()[1:], "--queue-wait", "10s")
    until(lambda: site.json("why", "shop")["queue"]["outlook"] == "waits", "requests may wait")
    assert "the next request waits (all-full)\nEvery site is full. 0 wait now, at most 10 may" in (
        site.ctl("why", "shop").out
    )
    second = sending(site.address, SHOP_PORT, 1)
    until(lambda: "1 waits now" in site.ctl("why", "shop").out, "one waits")
    target.release()
    assert [one.status for one in (*first.result(), *second.result())] == [200, 200]


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
    until(lambda: "; every other site is full: 2 requests wait." in _said(near), "far is full")
    target.release()
    assert [one.site for one in clients.result()] == ["far"] * 3


def _said(site: Site) -> str:
    (problem,) = site.problems("SW0335")
    message: str = problem["message"]
    return message
