"""A target whose slots are all taken and that completes no request is named."""

from router.model import limits
from router.model.ids import ServiceKey
from router.node.services.stuck_targets import StuckTargets

SHOP = ServiceKey("shop", 8080)
PLACE = "10.0.0.1:80"
LATE_S = limits.TARGET_STUCK_S + 1


class Told:
    def __init__(self) -> None:
        self.codes: list[str] = []

    def __call__(
        self, severity: str, code: str, subject: str, message: str, hint: str = ""
    ) -> None:
        self.codes.append(code)


def looked(usual_s: float | None, *looks: tuple[float, int | None]) -> tuple[StuckTargets, Told]:
    """At each moment: how many requests it has completed; None: it has a free slot."""
    told = Told()
    targets = StuckTargets(told)
    for now, ended in looks:
        full = {} if ended is None else {(SHOP, PLACE): ended}
        targets.look(full, lambda key: usual_s, now)
    return targets, told


def test_a_full_target_that_completes_nothing_is_named_until_it_completes_one() -> None:
    targets, told = looked(0.1, (0.0, 7), (limits.TARGET_STUCK_S - 1, 7))
    assert targets.notes(limits.TARGET_STUCK_S - 1) == []
    targets, told = looked(0.1, (0.0, 7), (LATE_S, 7), (LATE_S + 1, 7))
    (note,) = targets.notes(LATE_S + 1)
    assert (note.code, note.severity) == ("SW0349", "warning")
    assert note.message == (
        f"Target {PLACE} of {SHOP} has completed no request for {LATE_S + 1:.0f} s, and all of its "
        "slots are taken: it may hang."
    )
    assert told.codes == ["target-stuck"]
    assert targets.stuck == {(SHOP, PLACE)}
    targets, told = looked(0.1, (0.0, 7), (LATE_S, 7), (LATE_S + 1, 8))
    assert not targets.stuck
    assert targets.notes(LATE_S + 1) == []
    assert told.codes == ["target-stuck", "target-moves"]


def test_a_target_with_a_free_slot_is_not_stuck() -> None:
    later_s = LATE_S + limits.TARGET_STUCK_GAP_S + 1
    targets, told = looked(0.1, (0.0, 7), (5.0, None), (LATE_S, 7))
    assert targets.notes(LATE_S) == []
    targets, told = looked(0.1, (0.0, 7), (LATE_S, 7), (later_s, None))
    assert targets.notes(later_s) == []
    assert told.codes == ["target-stuck", "target-moves"]


def test_a_slot_that_is_free_for_a_moment_changes_nothing() -> None:
    targets, told = looked(0.1, (0.0, 7), (LATE_S, 7), (LATE_S + 1, None), (LATE_S + 2, 7))
    assert targets.notes(LATE_S + 2)
    assert told.codes == ["target-stuck"]


def test_requests_that_take_long_as_a_rule_are_no_sign() -> None:
    usual_s = LATE_S / limits.TARGET_STUCK_TIMES
    assert not looked(usual_s + 1, (0.0, 7), (LATE_S, 7))[0].notes(LATE_S)
    assert looked(usual_s, (0.0, 7), (LATE_S, 7))[0].notes(LATE_S)
    assert not looked(None, (0.0, 7), (LATE_S, 7))[0].notes(LATE_S)
