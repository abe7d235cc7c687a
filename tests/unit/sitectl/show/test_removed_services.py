"""A service removed while a worker does not answer: each verb reports the wait."""

from typing import Any

from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.fakes import FakeAdmin
from tests.unit.sitectl.show.test_looking import SERVICE, STATUS

WAITS = "Service shop was removed, but worker 1 has not answered yet, so this site declares it."
NOTE = {"code": "SW0332", "severity": "warning", "message": WAITS, "hint": "It ends by itself"}


def test_delete_says_what_goes_on_of_the_service_and_of_no_other(
    here: CommandLine, admin: FakeAdmin
) -> None:
    here.ok("service", "create", "shop", "8080")
    here.ok("service", "create", "cart", "8081")
    admin.item("/api/v1/status", {**STATUS, "notes": [NOTE]})
    assert WAITS not in here.ok("service", "delete", "cart").stderr
    assert f"{WAITS} It ends by itself\n" in here.ok("service", "delete", "shop").stderr
    assert WAITS not in here.ok("service", "delete", "shop").stderr, "nothing was deleted"


def test_a_router_that_does_not_tell_fails_no_delete(here: CommandLine, admin: FakeAdmin) -> None:
    here.ok("service", "create", "shop", "8080")
    admin.answers["/api/v1/status"] = (500, {})
    assert "deleted" in here.ok("service", "delete", "shop").stdout


def test_service_status_and_why_say_that_it_was_removed(
    here: CommandLine, admin: FakeAdmin
) -> None:
    admin.items("/api/v1/services", {**SERVICE, "removed": WAITS}, {**SERVICE, "port": 1})
    assert here.ok("service", "status").stdout.count(WAITS) == 1
    decision: dict[str, Any] = {"site": "far", "path": ["far"], "reason": "cheapest with room"}
    why = {"service": "shop", "port": 8080, "policy": "fill", "decision": decision}
    admin.item("/api/v1/why/shop", {**why, "removed": WAITS, "candidates": []})
    assert WAITS in here.ok("why", "shop").stdout
