"""What of an object is kept: here, who wrote it last."""

from typing import Any

from router.kubernetes.store.selections import LastWrite, last_write


def _entry(manager: str, time: str, **further: str) -> dict[str, Any]:
    return {"manager": manager, "operation": "Update", "time": time, **further}


def test_a_controller_that_writes_a_status_is_not_the_author_of_what_the_object_asks_for() -> None:
    entries = [
        {"manager": "kubectl", "operation": "Update", "subresource": "scale"},
        _entry("kubectl-client-side-apply", "2026-11-30T15:11:31Z"),
        _entry("kcm", "2026-11-30T15:22:36Z", subresource="status"),
        _entry("kubectl-annotate", "2026-11-30T15:22:35Z"),
    ]
    annotated = LastWrite("2026-11-30T15:22:35Z", "kubectl-annotate")
    assert last_write({"metadata": {"managedFields": entries}}) == annotated
    assert last_write({"metadata": {"managedFields": entries[2:3]}}) == LastWrite()


def test_without_a_record_of_field_managers_the_author_is_unknown() -> None:
    assert last_write({"metadata": {"name": "shop"}}) == LastWrite()
    unsigned = [{"time": "2026-11-30T15:11:31Z"}]
    assert last_write({"metadata": {"managedFields": unsigned}}) == LastWrite()


def test_a_newer_write_without_a_manager_is_not_that_of_an_older_manager() -> None:
    entries = [
        _entry("kubectl", "2026-11-30T15:11:31Z"),
        {"operation": "Update", "time": "2026-11-30T15:11:32Z"},
    ]
    assert last_write({"metadata": {"managedFields": entries}}) == LastWrite()
