"""`burst` as a user types it: the message when there is none, and deletion."""

from pathlib import Path

from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.fakes import FakeAdmin

BURST = """apiVersion: spillway/v1
kind: Burst
name: wake
spec:
  service: shop
  saturated: {full: 80%}
  command: [/bin/true]
"""


def applied(here: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "burst.yaml"
    path.write_text(BURST)
    here.ok("apply", "-f", str(path))


def test_a_burst_is_deleted_once(here: CommandLine, tmp_path: Path) -> None:
    applied(here, tmp_path)
    assert here.json("burst", "delete", "wake")["change"] == "deleted"
    assert list(here.config()) == ["site-here.yaml"]
    again = here.ok("burst", "delete", "wake").stdout
    assert again == "no burst wake at here, nothing to delete\n"


def test_deleting_a_saturated_burst_says_what_stays(
    here: CommandLine, tmp_path: Path, admin: FakeAdmin
) -> None:
    applied(here, tmp_path)
    admin.items("/api/v1/bursts", {"name": "wake", "service": "shop", "state": "saturated"})
    said = here.ok("burst", "delete", "wake").stderr
    assert "it was saturated: what its hook made stays" in said


def test_where_there_is_no_burst_the_next_step_is_told(here: CommandLine, admin: FakeAdmin) -> None:
    admin.items("/api/v1/bursts")
    assert "sitectl apply -f FILE" in here.ok("burst", "status").stdout


def test_help_tells_a_default_once(here: CommandLine) -> None:
    assert here.ok("burst", "test", "--help").stdout.count("[default") == 1


def test_a_scenario_is_not_applied_but_simulated(here: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("apiVersion: spillway/v1\nkind: Scenario\nname: s\nspec: {}\n")
    result = here("apply", "-f", str(path))
    assert (result.exit_code, "Run it: sitectl simulate FILE" in result.stderr) == (1, True)


def test_a_site_cap_is_told_as_it_holds(here: CommandLine) -> None:
    words = ("service", "set", "shop", "--site-capacity")
    assert "here takes 10 at once, once a declaration" in here.ok(*words, "10").stdout
    said = here.ok(*words, "15/s", "--resume", "10/s", "--spill", "all").stdout
    assert "15/s; above it every new request spills, until demand is below 10/s" in said
    assert "15/s; above it the excess spills" in here.ok(*words, "15/s", "--spill", "excess").stdout
