"""What of an object is kept: here, who wrote it last."""

from typing import Any

from router.kubernetes.store.selections import last_writer


def _entry(manager: str, time: str, **further: str) -> dict[str, Any]:
    return {"manager": manager, "operation": "Update", "time": time, **further}


def test_a_controller_that_writes_a_status_is_not_the_author_of_what_the_object_asks_for() -> None:
    entries = [
        {"manager": "kubectl", "operation": "Update", "subresource": "scale"},
        _entry("kubectl-client-side-apply", "2026-11-30T15:11:31Z"),
        _entry("kcm", "2026-11-30T15:22:36Z", subresource="status"),
        _entry("kubectl-annotate", "2026-11-30T15:22:35Z"),
    ]
    assert last_writer({"metadata": {"managedFields": entries}}) == "kubectl-annotate"
    assert last_writer({"metadata": {"managedFields": entries[2:3]}}) == ""


def test_without_a_record_of_field_managers_the_author_is_unknown() -> None:
    assert last_writer({"metadata": {"name": "shop"}}) == ""
    assert last_writer({"metadata": {"managedFields": [{"time": "2026-11-30T15:11:31Z"}]}}) == ""
