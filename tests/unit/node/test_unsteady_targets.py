"""A target that came and went several times lately has a note."""

from router.model.ids import ServiceKey
from router.model.limits import TARGET_DOWNS_COUNTED, TARGET_DOWNS_SHOWN, TARGET_DOWNS_WITHIN_S
from router.node.services.unsteady_targets import UnsteadyTargets

SHOP = ServiceKey("shop", 8080)
PLACE = "10.0.0.1:80"


def went_down(at: list[float]) -> UnsteadyTargets:
    targets = UnsteadyTargets()
    for moment in at:
        targets.went_down(SHOP, PLACE, moment)
    return targets


def test_the_last_downs_count_as_long_as_they_are_near() -> None:
    downs = [float(second) for second in range(0, 60 * TARGET_DOWNS_SHOWN, 60)]
    assert went_down(downs[1:]).notes(downs[-1]) == []
    targets = went_down([-1000.0, *downs])
    (note,) = targets.notes(downs[-1] + 10.0)
    assert (note.code, note.severity) == ("SW0333", "warning")
    assert f"{PLACE} of {SHOP} went down 4 times in the last 4 min" in note.message
    assert targets.notes(TARGET_DOWNS_WITHIN_S)
    assert targets.notes(TARGET_DOWNS_WITHIN_S + 0.1) == []


def test_every_down_of_the_last_ten_minutes_is_counted() -> None:
    (note,) = went_down([0.0, *map(float, range(100, 107))]).notes(650.0)
    assert "went down 7 times in the last 10 min" in note.message
    (note,) = went_down([float(second) for second in range(2 * TARGET_DOWNS_COUNTED)]).notes(200.0)
    assert f"went down {TARGET_DOWNS_COUNTED} times or more in the last 2 min" in note.message


def test_a_target_that_is_gone_is_forgotten() -> None:
    targets = went_down([0.0] * TARGET_DOWNS_SHOWN)
    targets.keep({SHOP: {PLACE}})
    assert targets.notes(1.0)
    targets.keep({SHOP: {"10.0.0.2:80"}})
    assert targets.notes(1.0) == []
