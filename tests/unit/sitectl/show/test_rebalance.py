"""The text of `service rebalance`."""

from typing import Any

from sitectl.show.rebalance import plan_text


def plan(**further: Any) -> dict[str, Any]:
    return {
        "service": "db",
        "port": 5432,
        "connections": {"far": 12},
        "leave": {"far": 5},
        "come": {"app": 5},
        "running": False,
        **further,
    }


def text(*plans: dict[str, Any], grace_s: float | None = None, is_ordered: bool = False) -> str:
    return plan_text(plans, rate=20.0, over_s=60.0, grace_s=grace_s, is_ordered=is_ordered)


def test_a_dry_run_says_what_would_move() -> None:
    assert text(plan()) == (
        "db:5432: 5 of 12 connections belong elsewhere: 5 leave far, 5 go to app.\n"
        "Nothing was moved. Without --dry-run it is."
    )


def test_a_run_says_how_it_goes() -> None:
    assert text(plan(running=True), is_ordered=True).splitlines()[1:] == [
        "They are ended now, 20 a second and for 1m at most; busy ones stay.",
        "Watch: sitectl events -f, sitectl top",
    ]
    assert "busy ones after 30s." in text(plan(running=True), grace_s=30.0, is_ordered=True)


def test_of_an_earlier_order_the_flags_of_this_command_are_not_said() -> None:
    right = plan(leave={}, come={}, connections={"app": 3}, running=True)
    for one in (plan(running=True), right):
        assert text(one).splitlines()[1:] == [
            "An earlier order is under way: it ends what belongs elsewhere, as it was given.",
            "Watch: sitectl events -f, sitectl top",
        ]


def test_what_is_right_or_absent_is_said() -> None:
    right = plan(leave={}, come={}, connections={"app": 1, "far": 2})
    assert text(right) == "db:5432: all 3 connections belong where they are: 1 at app, 2 at far."
    assert text(plan(leave={}, come={}, connections={})) == (
        "db:5432: no connection of a client here lasts; requests need no moving."
    )


def test_connections_that_were_asked_to_end_are_there_still() -> None:
    assert text(plan(leave={}, come={}, connections={}, ending=5)) == (
        "db:5432: 5 connections were asked to end already, for age or to move; none else lasts."
    )
    assert text(plan(leave={}, come={}, connections={"app": 1}, ending=1)) == (
        "db:5432: 1 connection belongs where it is: 1 at app. "
        "1 connection was asked to end already, for age or to move."
    )


def test_a_service_that_carries_a_routing_key_is_named_by_it() -> None:
    shown = text(plan(service="k-e248970702064f425102", port=1, routing_key="Orders.EU_primary"))
    assert shown.startswith("Orders.EU_primary: 5 of 12 connections")
