"""`simulate` as a user types it: tables, JSON, pictures, overrides, errors."""

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from simulator.rivals.compare import RULES
from simulator.scenarios import bounds
from sitectl.base import texts
from sitectl.verbs.watching.simulate import BESIDE
from tests import shown
from tests.simulation.chained import CHAIN
from tests.unit.sitectl.conftest import CommandLine

ROOT = Path(__file__).parents[4]
SMALL = """apiVersion: spillway/v1
kind: Scenario
name: small
spec:
  duration: 4s
  sites: [a, b]
  links:
    - {between: [a, b], cost: 1, rtt: 20ms}
  services:
    - {name: shop}
  targets:
    - {site: a, capacity: 2, serviceTime: 100ms}
    - {site: b, capacity: 4, serviceTime: 100ms}
  arrivals:
    - {site: a, kind: steady, rate: 28/s}
"""
GOLDEN = """small: 112 requests in 4 s, seed 1, policy fill

SITE  OFFERED  HERE       AWAY       REFUSED  LOST  USED  IDEAL  QUEUE  P50     P90     P99
a     112      75 (67 %)  37 (33 %)  0        0     93 %  93 %   0      100 ms  120 ms  120 ms
b     0        0          0          0        0     23 %  -      0      -       -       -

a: first spill at 0.07 s, 0 slots were free
  0.0 % of them spilled while a slot was free
  the last spill came 0.00 s after the last one that was needed

RULE  CLIENTS OF  HERE       ELSEWHERE    FAILED  P50     P99
fill  a           75 (67 %)  b 37 (33 %)  0       100 ms  120 ms
"""


@pytest.fixture
def small(tmp_path: Path) -> str:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return str(path)


def test_a_small_scenario_prints_what_it_always_printed(sitectl: CommandLine, small: str) -> None:
    printed = sitectl.ok("simulate", small, "--no-plot", "--no-skupper").stdout
    assert [line.rstrip() for line in printed.splitlines()] == GOLDEN.splitlines()


def test_two_policies_stand_side_by_side_with_skuppers_split(
    sitectl: CommandLine, small: str
) -> None:
    printed = sitectl.ok("simulate", small, "--compare", "spread").stdout
    rules = [line.split("  ")[0] for line in printed.splitlines()[-5:]]
    assert rules == ["RULE", "fill", "skupper v1", "skupper v2", "spread"]
    assert max(map(len, printed.splitlines())) < 140
    assert "┤" in printed


def test_the_picture_is_well_formed_and_the_same_each_time(
    sitectl: CommandLine, small: str, tmp_path: Path
) -> None:
    texts = []
    for name in ("one.svg", "two.svg"):
        sitectl.ok("simulate", small, "--svg", str(tmp_path / name), "--no-skupper")
        texts.append((tmp_path / name).read_text())
    assert texts[0] == texts[1]
    words = [part.text for part in ElementTree.fromstring(texts[0]).iter() if part.text]
    assert "a (here)" in words
    assert "capacity of a: 20/s" in words


def test_fields_are_set_from_the_command_line(sitectl: CommandLine, small: str) -> None:
    items = sitectl.json("simulate", small, "--set", "targets.0.capacity=20", "--seed", "9")
    assert items[0]["seed"] == 9
    assert items[0]["sites"][0]["overflowed"] == {}


@pytest.mark.parametrize(
    ("words", "exit_code", "said"),
    [
        (["--set", "targets.7.count=1"], 2, "there is no such field"),
        (["--set", "duration"], 2, "there is no such field"),
        (["--set", "duration=0s"], 1, "expected a duration from 0.1s to 6h"),
        (["--policy", "split"], 2, "policy split needs weights"),
        (["--svg", "/nowhere/x.svg"], 1, "there is no directory /nowhere"),
        (["--svg", "/dev/null"], 1, "/dev/null: is no file"),
        (["--set", "duration=" + "[" * 5000], 2, "there is no such field"),
    ],
)
def test_what_cannot_be_done_is_said(
    sitectl: CommandLine, small: str, words: list[str], exit_code: int, said: str
) -> None:
    result = sitectl("simulate", small, *words)
    assert result.exit_code == exit_code
    assert said in result.output


def test_a_wrong_field_of_the_command_line_names_no_line_of_the_file(
    sitectl: CommandLine, small: str
) -> None:
    one = sitectl("simulate", small, "--set", "targets.0.slot=3")
    assert "Error: --set: unknown field 'slot' (at $.spec.targets[0])\n" in one.stderr
    assert "Did you mean 'slots'?" in one.stderr
    two = sitectl("simulate", small, "--set", "targets.0.slot=3", "--set", "duration=9h")
    assert "  --set: unknown field 'slot' (at $.spec.targets[0])" in two.stderr
    assert (
        "  --set: expected a duration from 0.1s to 6h, got '9h' (at $.spec.duration)" in two.stderr
    )
    again = sitectl("simulate", small, "--set", "duration=9h")
    assert again.stderr.endswith("Next: Correct --set and try again\n")


def test_a_picture_never_replaces_the_scenario(
    sitectl: CommandLine, small: str, tmp_path: Path
) -> None:
    link = tmp_path / "link.svg"
    link.symlink_to(small)
    for name in (small, str(link)):
        result = sitectl("simulate", small, "--svg", name)
        assert result.exit_code == 1
        assert "is the scenario itself" in result.output
    assert Path(small).read_text() == SMALL


def test_files_without_an_end_are_read_to_a_bound(
    sitectl: CommandLine, small: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "LOG_BYTES_MAX", 1_000_000)
    path = tmp_path / "replay.yaml"
    arrivals = "{site: a, kind: replay, file: /dev/zero}"
    path.write_text(SMALL.replace("{site: a, kind: steady, rate: 28/s}", arrivals))
    result = sitectl("simulate", str(path))
    assert result.exit_code == 1
    assert "/dev/zero: is larger than 1000000 bytes" in result.output
    monkeypatch.setattr(texts, "TEXT_BYTES_MAX", 1_000_000)
    result = sitectl("simulate", "/dev/zero")
    assert result.exit_code == 2
    assert "/dev/zero has more than 1000000 bytes" in result.output


@pytest.mark.parametrize("words", [("--compare", "split"), ("--svg", "/nowhere/x.svg")])
def test_what_cannot_be_done_is_said_before_anything_is_run(
    sitectl: CommandLine, small: str, monkeypatch: pytest.MonkeyPatch, words: tuple[str, str]
) -> None:
    def run(scenario: object) -> None:
        pytest.fail("it ran")

    monkeypatch.setattr("simulator.runs.run.Run", run)
    assert sitectl("simulate", small, *words).exit_code in (1, 2)


def test_shares_of_a_rule_are_of_all_that_was_asked(sitectl: CommandLine, small: str) -> None:
    stop = "events=[{at: 1s, do: stop-targets, site: a}, {at: 1s, do: stop-targets, site: b}]"
    text = sitectl.ok("simulate", small, "--no-plot", "--set", stop).stdout
    lines = [re.split(r" {2,}", line) for line in text.splitlines()[-3:]]
    asked = {}
    for rule, _, here, there, failed, *_ in lines:
        asked[rule] = (int(here.split()[0]), int(there.split()[1]), int(failed))
        assert sum(asked[rule]) == 112
        assert here.endswith(f"({asked[rule][0] / 1.12:.0f} %)")
    assert asked["fill"][2] > 50
    assert asked["skupper v1"][2] == 0, "the model leaves events out"


def test_a_site_whose_only_limit_is_its_cap_is_judged_by_it(
    sitectl: CommandLine, small: str
) -> None:
    targets = (
        "targets=[{site: a, slots: 4, serviceTime: 100ms}, {site: b, slots: 9, serviceTime: 100ms}]"
    )
    words = ("simulate", small, "--no-plot", "--no-skupper", "--set", targets, "--set")
    slots = sitectl.ok(*words, "policies=[{site: a, siteCapacity: 2}]").stdout
    a_line = next(line.split() for line in slots.splitlines() if line.startswith("a "))
    assert a_line[-6:-4] == ["46", "%"] or "47 %" in slots  # Two of four slots, nearly always.
    assert "0 slots were free" in slots
    rate = sitectl.ok(*words, "policies=[{site: a, siteCapacity: 5/s, window: 2s, spill: all}]")
    assert "held by 5/s for the site, then all spills" in rate.stdout


def test_a_missing_file_and_a_site_in_place_of_a_scenario(
    sitectl: CommandLine, tmp_path: Path
) -> None:
    assert sitectl("simulate", str(tmp_path / "none.yaml")).exit_code == 4
    other = tmp_path / "site.yaml"
    other.write_text("apiVersion: spillway/v1\nkind: Site\nname: a\nspec: {}\n")
    result = sitectl("simulate", str(other))
    assert result.exit_code == 1
    assert f"{other}:2:7: expected kind: Scenario, got 'Site'" in result.output


SHOWN = " ".join(words for page in shown.PAGES for words in shown.commands(page.read_text("utf-8")))
UNSHOWN = sorted(
    path.name
    for path in ROOT.glob("examples/*.yaml")
    if "kind: Scenario" in path.read_text("utf-8") and path.name not in SHOWN
)


@pytest.mark.parametrize("name", UNSHOWN)
def test_every_example_that_no_page_shows_is_read(sitectl: CommandLine, name: str) -> None:
    sitectl.ok("simulate", str(ROOT / "examples" / name), "--set", "duration=11s", "--no-plot")


@pytest.mark.parametrize("path", shown.PAGES, ids=lambda path: path.name)
def test_pages_show_what_is_printed(path: Path) -> None:
    text = path.read_text("utf-8")
    assert shown.commands(text)
    assert shown.page(text) == text, "python -m tests.shown writes it anew"


@pytest.mark.parametrize(("path", "command"), shown.PICTURES.items(), ids=lambda one: str(one)[-9:])
def test_pictures_of_pages_are_those_that_are_drawn_today(path: Path, command: str) -> None:
    drawn = shown.picture(command)
    assert drawn == path.read_text("utf-8"), "python -m tests.shown draws it anew"


def test_the_help_of_all_verbs_imports_no_simulator() -> None:
    program = (
        "import sys\n"
        "from sitectl.main import cli\n"
        "try:\n    cli(['--help'])\n"
        "except SystemExit:\n    pass\n"
        "print([name for name in sys.modules if name.startswith(('simulator', 'router.node'))])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_other_balancers_are_shown_beside_ours(sitectl: CommandLine, small: str) -> None:
    words = ("simulate", small, "--no-plot", "--no-skupper")
    printed = sitectl.ok(*words, "--beside", "prequal", "--beside", "envoy-priority").stdout
    rules = [line.split()[0] for line in printed.splitlines()[-3:]]
    assert rules == ["fill", "envoy-priority", "prequal"]
    every = sitectl.json("simulate", small, "--no-skupper", "--beside", "all")[0]
    assert [one["rule"] for one in every["rivals"]] == list(RULES)
    assert set(BESIDE) == set(RULES)


def test_advice_names_the_plan_and_its_command(sitectl: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "chain.yaml"
    path.write_text(CHAIN.replace("duration: 4s", "duration: 1s"))
    printed = sitectl.ok("simulate", str(path), "--advise").stdout.splitlines()
    assert printed[0] == "chained: 4 plans tried"
    assert printed[-1].endswith("service set front --policy split --weight west=0 --weight east=1")
    assert "front at east" in printed[-2] and "times faster" in printed[-2]
    (advice,) = sitectl.json("simulate", str(path), "--advise")
    assert advice["tried"][advice["best"]]["plan"] == "front at east"


def test_a_scenario_that_is_best_as_it_is_is_left_alone(sitectl: CommandLine, small: str) -> None:
    printed = sitectl.ok("simulate", small, "--advise").stdout
    assert printed.splitlines()[-1].startswith("No plan that was tried is better")


def test_what_bursts_and_classes_did_is_printed(sitectl: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "wake.yaml"
    wakes = "  bursts:\n    - {site: a, wakes: b, wake: 1s, saturated: {used: 70%}}\n  arrivals:"
    text = SMALL.replace("serviceTime: 100ms}\n  arr", "serviceTime: 100ms, asleep: true}\n  arr")
    text = text.replace("  arrivals:", wakes).replace("28/s", "28/s, classes: {light: 1}")
    path.write_text(text.replace("  targets:", "  classes: [{name: light}]\n  targets:"))
    printed = sitectl.ok("simulate", str(path), "--no-plot", "--no-skupper").stdout
    assert "a shop: the hook that wakes b ran, saturated" in printed
    assert "a shop: the targets at b are there" in printed
    assert re.search(r"light +shop +112", printed)
