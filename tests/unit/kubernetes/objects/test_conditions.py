"""Conditions keep the time since when they hold."""

from router.kubernetes.objects.conditions import Condition, conditions

THEN, NOW = "2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z"
READY = Condition(type="Ready", is_true=True, reason="Ready", message="OK")


def test_the_time_changes_with_the_status_alone() -> None:
    before = {
        "metadata": {"name": "a", "generation": 4},
        "status": {
            "conditions": [
                {"type": "Ready", "status": "True", "reason": "Old", "lastTransitionTime": THEN},
                {"type": "Matched", "status": "True", "lastTransitionTime": THEN},
                {"type": "Foreign", "status": "True", "lastTransitionTime": THEN},
            ]
        },
    }
    matched = Condition(type="Matched", is_true=False, reason="Pending", message="No matching")
    ready, other = conditions(before, [READY, matched], NOW)
    assert (ready["lastTransitionTime"], ready["reason"], ready["message"]) == (THEN, "Ready", "OK")
    assert (other["status"], other["lastTransitionTime"]) == ("False", NOW)
    assert ready["observedGeneration"] == other["observedGeneration"] == 4


def test_garbage_in_the_status_is_replaced() -> None:
    for garbage in ("x", {"conditions": "x"}, {"conditions": [1, {"type": "Ready"}]}, None):
        (ready,) = conditions({"metadata": {}, "status": garbage}, [READY], NOW)
        assert ready["lastTransitionTime"] == NOW and "observedGeneration" not in ready
