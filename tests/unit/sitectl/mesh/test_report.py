"""Human-readable reports of plans and of applied changes."""

import pytest

from sitectl.base.options import Settings
from sitectl.mesh import report
from sitectl.mesh.changes import MeshChange, MeshVerb, SiteSurvey
from sitectl.mesh.planning import MeshPlan, SitePlan
from sitectl.mesh.reach import Reached
from sitectl.mesh.values import MeshPlace


def change(verb: MeshVerb, **fields: object) -> MeshChange:
    values = {"site": "west", "kind": "Service", "name": "shop", **fields}
    return MeshChange(verb=verb, **values)  # type: ignore[arg-type]


def test_a_summary_counts_each_kind_of_change() -> None:
    changes = [change("create"), change("create"), change("blocked"), change("extra")]
    assert report.summary(changes) == ("2 to create, 1 that apply cannot make, 1 not in the file")
    assert report.summary([]) == "Nothing to do."


def test_what_was_done_is_told_with_its_number() -> None:
    done = [change("create"), change("link", kind="Link", name="east", site="north")]
    assert report.done_text(done).splitlines() == [
        "site west: service shop created",
        "site north: link east has a claim",
        "2 changes at 2 sites",
    ]
    assert "unchanged" in report.done_text([])


@pytest.mark.parametrize("verb", ["create", "update", "delete", "link", "extra", "start"])
def test_a_change_as_json_has_every_field(verb: MeshVerb) -> None:
    item = report.item(change(verb, before={"a": 1}, reason="why", hint="what"))
    assert item == {
        "site": "west",
        "change": verb,
        "kind": "Service",
        "name": "shop",
        "before": {"a": 1},
        "after": None,
        "reason": "why",
        "hint": "what",
    }


def test_a_change_that_is_blocked_shows_the_difference_and_what_to_do() -> None:
    one = change(
        "blocked", before={"ports": [1]}, after={"ports": [2]}, reason="it is yours", hint="Edit it"
    )
    site = SitePlan(
        Reached("west", MeshPlace(), None, Settings()),  # type: ignore[arg-type]
        SiteSurvey(name="west", place="/sites/west"),
        [one],
    )
    assert report.plan_text(MeshPlan([site], ["far"], {})).splitlines() == [
        "site west, /sites/west:",
        "  ! service shop: it is yours",
        "       ports:",
        "      -- 1",
        "      +- 2",
        "      Next: Edit it",
        "not looked at from here: far",
        "1 that apply cannot make",
    ]
