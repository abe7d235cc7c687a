"""Which of the shipped alerts fire while a fault lasts: promtool, over the series of a router."""

import os
import re
import subprocess
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

import yaml

from router.model import limits
from tests import needs
from tests.programs import GO_THAT_ENDS
from tests.scenario.prometheus import RULES

WELL_MIN: Final = 60
"""Minutes before the fault: an alert compares with the last hour."""
LASTS_MIN: Final = 50
"""Minutes with the fault: more than alerts on the traffic wait, and the hour before is in sight."""
EVERY_MIN: Final = 5
"""Minutes between two evaluations, the last one at the end: each costs promtool 3 ms, and what
has to last for 30 minutes does so long before."""
_EXPIRY: Final = "spillway_certificate_expiry_timestamp_seconds"
_UPDATES: Final = "spillway_route_updates_total"
_LINE: Final = re.compile(r"((spillway_\w+)(?:\{.*\})?) (\S+)")

Series = Mapping[str, float]


def series(metrics: str) -> dict[str, float]:
    """Values by series, of the families that the rules name."""
    named = set(re.findall(r"spillway_\w+", RULES.read_text()))
    found = map(_LINE.fullmatch, metrics.splitlines())
    return {one[1]: float(one[3]) for one in found if one and one[2] in named}


def contradiction(
    firing: Collection[str], well: Series, first: Series, last: Series, apart_s: float, place: Path
) -> str:
    """What promtool says unless exactly the alerts ``firing`` fire; empty: they do.

    The router is taken to show ``well`` for an hour. Then its gauges stay as in ``last``, and its
    counters go on growing as from ``first`` to ``last``, which are ``apart_s`` apart.
    """
    needs.programs("promtool")
    inputs = [
        {"series": 'up{job="spillway"}', "values": f"1x{WELL_MIN + LASTS_MIN}"},
        *_inputs(well, first, last, apart_s),
    ]
    expected = {
        "expr": 'group by (alertname) (ALERTS{alertstate="firing"})',
        "eval_time": f"{WELL_MIN + LASTS_MIN}m",
        "exp_samples": [
            {"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(firing)
        ],
    }
    test = {
        "rule_files": [str(RULES)],
        "evaluation_interval": f"{EVERY_MIN}m",
        "tests": [{"interval": "1m", "input_series": inputs, "promql_expr_test": [expected]}],
    }
    place.write_text(yaml.safe_dump(test))
    done = subprocess.run(
        ["promtool", "test", "rules", str(place)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **GO_THAT_ENDS},
    )
    return f"{sorted(firing)} should fire\n{done.stdout}{done.stderr}" if done.returncode else ""


def _inputs(
    well: Series, first: Series, last: Series, apart_s: float
) -> Iterator[Mapping[str, str]]:
    for name in well.keys() | last.keys():
        began, now = well.get(name), last.get(name)
        by_min = 0.0
        if now is not None and "_total" in name:
            by_min = max(0.0, now - first.get(name, 0.0)) / apart_s * 60
        if name == _UPDATES and now and last.get("spillway_sites", 0.0) > 1:
            by_min = max(by_min, 60 / limits.LSA_REFRESH_S)  # Too seldom to be seen here.
        if name.startswith(_EXPIRY):  # There the fault begins this long after 1970.
            shift = time.time() - WELL_MIN * 60
            began = None if began is None else began - shift
            now = None if now is None else now - shift
        before = f"_x{WELL_MIN}" if began is None else f"{began:f}x{WELL_MIN - 1}"
        after = "" if now is None else f" {now:f}+{by_min:f}x{LASTS_MIN}"
        yield {"series": name, "values": before + after}
