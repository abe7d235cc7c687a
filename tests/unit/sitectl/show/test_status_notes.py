"""Which of many notes `status` shows."""

from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.fakes import FakeAdmin
from tests.unit.sitectl.show.test_looking import STATUS


def note(code: str, message: str, severity: str = "warning") -> dict[str, str]:
    return {"code": code, "severity": severity, "message": message, "hint": ""}


def test_many_notes_of_one_code_hide_no_other_one(here: CommandLine, admin: FakeAdmin) -> None:
    """A site was drained, and `status` showed three new offers."""
    offers = [note("SW0347", f"Site s{number} was first seen.") for number in range(6)]
    drains = [note("SW0353", f"Service {name} is drained.", "info") for name in "ab"]
    admin.item("/api/v1/status", {**STATUS, "notes": [*offers, *drains]})
    shown = [line for line in here("status").stdout.splitlines() if line.startswith("Note:")]
    assert [line.split(maxsplit=1)[1] for line in shown] == [
        "SW0347 Site s0 was first seen.",
        "SW0353 Service a is drained.",
        "SW0347 Site s1 was first seen.",
    ]
    assert "5 more: sitectl" in here("status").stdout
