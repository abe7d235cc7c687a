"""A browser that goes elsewhere before a page has come leaves no request behind."""

from pathlib import Path

from playwright.sync_api import Browser

from tests.scenario.harness import SHOP_PORT, Network
from tests.scenario.noticing import NoticingTarget
from tests.scenario.waiting import until


def test_navigating_away_frees_slot_and_target(chromium: Browser, tmp_path: Path) -> None:
    with Network(tmp_path) as net:
        near, target = net.site("near"), NoticingTarget()
        near.declare("shop", queue=0)
        near.connect("shop", target, capacity=2)
        net.start()
        net.ready("shop", {"near": 1})
        target.release()
        with chromium.new_context() as context:
            page = context.new_page()
            page.goto(f"http://{near.address}:{SHOP_PORT}/")
            until(lambda: near.rests("shop"), "its icon has come too")
            for times in (1, 2, 3):
                target.left_at.clear()
                target.hold()
                page.evaluate("() => { location.href = '/slow'; }")
                until(lambda: target.in_hand == 1, "the page is asked for")
                page.goto("about:blank")
                until(lambda: target.left_at, "the target is told")
                until(lambda: near.rests("shop"), "the slot is free")
                outcomes = [one["outcome"] for one in near.json("why", "shop", "--last", "20")]
                assert outcomes.count("client-gone") == times
                target.release()
                page.goto(f"http://{near.address}:{SHOP_PORT}/")
                assert page.inner_text("body").strip() == "ok"
                until(lambda: near.rests("shop"), "the icon, if it was asked for again")
        target.stop()
