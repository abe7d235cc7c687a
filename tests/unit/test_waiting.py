"""The clock by which scenario tests bound times: `tests.scenario.waiting`."""

from pathlib import Path

import pytest

from tests.scenario import waiting


class Machine:
    """A machine's clock, and for how long some process waited for a processor."""

    def __init__(self, pressure: Path) -> None:
        self.now = 100.0
        self.pressure = pressure

    def runs(self, seconds: float, waited_s: float) -> None:
        self.now += seconds
        some = int(waited_s * 1e6)
        self.pressure.write_text(f"some avg10=1.00 total={some}\nfull avg10=0.00 total=0\n")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path / "cpu")
    monkeypatch.setattr(waiting, "_PRESSURE", made.pressure)
    monkeypatch.setattr("time.monotonic", lambda: made.now)
    return made


def test_own_time_is_all_time_where_nobody_waits_and_a_fifth_where_somebody_always_does(
    machine: Machine,
) -> None:
    machine.runs(0.0, waited_s=0.0)
    begun = waiting.own_time()
    machine.runs(10.0, waited_s=0.0)
    assert waiting.own_time() - begun == pytest.approx(10.0)
    machine.runs(10.0, waited_s=10.0)
    assert waiting.own_time() - begun == pytest.approx(12.0)


def test_own_time_is_the_machines_where_the_kernel_does_not_tell(machine: Machine) -> None:
    assert waiting.own_time() == machine.now


def test_who_waits_on_a_busy_machine_is_given_more_time_and_not_without_end(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.runs(0.0, waited_s=0.0)
    monkeypatch.setattr("time.sleep", lambda s: machine.runs(1.0, machine.now - 100.0 + 1.0))
    looks: list[float] = []
    with pytest.raises(AssertionError, match="not within 2 s: it comes"):
        waiting.until(lambda: looks.append(machine.now), "it comes", 2.0)
    assert 10 <= len(looks) <= 12


def test_the_time_for_which_the_machine_stood_still_is_nobodys(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    naps = iter([0.02, 60.0, *[0.02] * 200])
    monkeypatch.setattr("time.sleep", lambda s: machine.runs(next(naps), 0.0))
    began = machine.now
    waiting.until(lambda: machine.now > began + 61.0, "it comes", 2.0)


def test_the_longer_something_takes_the_rarer_it_is_looked_at_and_never_rarer_than_four_a_second(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        machine.runs(seconds, 0.0)

    monkeypatch.setattr("time.sleep", sleep)
    began = machine.now
    waiting.until(lambda: machine.now > began + 10.0, "it comes")
    assert naps[0] == waiting.POLL_S and naps == sorted(naps)
    assert max(naps) == 0.25 and len(naps) < 100
    for waited_s in (0.1, 1.0, 10.0):
        assert waiting.pause_s(waited_s, 0.0) <= max(waiting.POLL_S, waited_s / 20)


def test_who_asks_by_a_command_leaves_two_thirds_of_the_time_to_others() -> None:
    assert waiting.pause_s(0.0, 0.1) == 0.2
    assert waiting.pause_s(60.0, 3.0) == waiting.POLL_S_MAX
