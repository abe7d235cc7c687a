"""Alerts and dashboards query metrics that exist; every alert has a runbook and a test."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import airgap
from deploy.__main__ import HERE
from deploy.alerts import ALERTS, RUNBOOKS
from deploy.grafana import texts
from router.admin.exposition import pieces
from router.admin.metrics import FAMILIES
from router.operate.figures.metrics_source import measure
from tests.simulation.world import SimMemory, SimSite, World
from tests.truth.alerts import contradiction, series

RULES = HERE / "prometheus"
PAGE = HERE.parent / "docs" / "runbooks.md"
_METRIC = re.compile(r"((?:spillway|process)_[a-z_]+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'([a-z_]+)(?:=~|!=|!~|=)"')
_SERIES = re.compile(r"_(?:bucket|sum|count)$")
OUTSIDE = {"namespace", "pod", "job", "instance", "le"}
"""Labels that Prometheus adds, and that of histograms."""


def expressions() -> Iterator[tuple[str, str]]:
    """Every PromQL expression with where it stands."""
    for alert in ALERTS:
        yield alert.name, alert.expr
    for name, text in texts().items():
        for panel in json.loads(text)["panels"]:
            for target in panel["targets"]:
                yield f"{name}: {panel['title']}", target["expr"]


def family(metric: str) -> str:
    """The family that a series belongs to."""
    plain = _SERIES.sub("", metric)
    return plain if plain in FAMILIES and FAMILIES[plain].kind == "histogram" else metric


@pytest.mark.parametrize(("where", "expr"), list(expressions()))
def test_it_asks_for_metrics_and_labels_that_exist(where: str, expr: str) -> None:
    asked = _METRIC.findall(expr)
    assert asked
    known = set(OUTSIDE)
    for metric, matchers in asked:
        assert family(metric) in FAMILIES, metric
        labels = set(FAMILIES[family(metric)].labels)
        known |= labels
        assert set(_MATCHER.findall(matchers)) <= labels | OUTSIDE, (metric, matchers)
    for grouped in re.findall(r"(?:by|without) \(([^)]*)\)", expr):
        assert set(re.split(r", *", grouped)) <= known, grouped


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_its_words_have_labels_that_its_series_has(alert: Any) -> None:
    labels = set(re.findall(r"\$labels\.([a-z]+)", alert.summary))
    kept = re.findall(r"by \(([^)]*)\)", alert.expr)
    if kept:
        assert labels <= set(re.split(r", *", kept[0]))
    else:
        asked = [FAMILIES[family(name)].labels for name, _ in _METRIC.findall(alert.expr)]
        assert labels <= set(asked[0])


def test_the_panel_of_failures_counts_what_its_alert_counts() -> None:
    panels = json.loads(texts()["spillway-services"])["panels"]
    (panel,) = (one for one in panels if one["title"] == "Failures")
    (alert,) = (one for one in ALERTS if one.name == "SpillwayFailing")
    drawn = re.sub(r'namespace=~"[^"]*",service=~"[^"]*",?', "", panel["targets"][0]["expr"])
    drawn = drawn.replace("[$__rate_interval]", "[3m]").replace("{}", "")
    assert alert.expr == f"{drawn} > 0.05"


def test_the_panel_of_requests_turned_away_counts_what_its_alert_counts() -> None:
    """And those that were shed. It counted decisions: of requests that waited, too."""
    panels = json.loads(texts()["spillway-services"])["panels"]
    (panel,) = (one for one in panels if one["title"] == "Turned away")
    (alert,) = (one for one in ALERTS if one.name == "SpillwayRefusing")
    ((drawn, _),) = _METRIC.findall(panel["targets"][0]["expr"])
    ((alerted, codes),) = _METRIC.findall(alert.expr)
    assert drawn == alerted
    assert codes == 'code=~"all-full|no-route"'
    assert 'code=~"all-full|no-route|shed"' in panel["targets"][0]["expr"]


def test_series_of_two_routers_have_different_legends() -> None:
    """All sites are shown at first. On hosts the label of a pod is missing."""
    for panel in json.loads(texts()["spillway-routers"])["panels"]:
        if panel["type"] == "timeseries" and panel["title"] != "Versions":
            for target in panel["targets"]:
                assert "{{namespace}}" in target["legendFormat"], panel["title"]


def test_legends_name_labels_that_the_expression_keeps() -> None:
    for text in texts().values():
        for panel in json.loads(text)["panels"]:
            for target in panel["targets"]:
                named = set(re.findall(r"\{\{([a-z_]+)\}\}", target["legendFormat"]))
                kept = set(OUTSIDE)
                for grouped in re.findall(r"by \(([^)]*)\)", target["expr"]):
                    kept |= set(re.split(r", *", grouped))
                if "by (" not in target["expr"]:
                    for metric, _ in _METRIC.findall(target["expr"]):
                        kept |= set(FAMILIES[family(metric)].labels)
                assert named <= kept, (panel["title"], named - kept)


@pytest.mark.programs("promtool")
def test_prometheus_takes_the_rules_and_each_fires_when_it_should(tmp_path: Path) -> None:
    shutil.copytree(RULES, tmp_path / "rules")
    for verb, name in (("check", "spillway.rules.yaml"), ("test", "spillway.rules.test.yaml")):
        done = promtool(tmp_path / "rules", verb, name)
        assert done.returncode == 0, done.stdout + done.stderr
    # The test file can fail: a threshold that is moved is found.
    rules = tmp_path / "rules" / "spillway.rules.yaml"
    rules.write_text(rules.read_text().replace("> 0.25", "> 0.75"))
    assert promtool(tmp_path / "rules", "test", "spillway.rules.test.yaml").returncode != 0


@pytest.mark.programs("promtool")
def test_prometheus_takes_the_shipped_configuration(tmp_path: Path) -> None:
    shutil.copytree(RULES, tmp_path / "rules")
    credential = tmp_path / "spillway-west.credential"
    credential.write_text("secret\n")
    config = tmp_path / "rules" / "prometheus.yml"
    shipped = config.read_text()
    config.write_text(shipped.replace("/etc/prometheus/spillway-west.credential", str(credential)))
    done = promtool(config.parent, "check", config.name, what="config")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(ALERTS)} rules found" in done.stdout
    config.write_text(shipped.replace("credentials_file", "credential_file"))
    assert promtool(config.parent, "check", config.name, what="config").returncode != 0


@pytest.mark.programs("promtool")
def test_an_edge_fires_no_alert_while_it_is_well(tmp_path: Path) -> None:
    """Its table changes with what others offer, and nothing comes while nothing changes."""
    world = World(1, "a", "b", "edge", edges=frozenset({"edge"}))
    a, b, edge = world.sites.values()
    a.link(b, cost=1)
    edge.link(a, cost=1)
    b.declare()
    b.serve(1, capacity=5)
    world.run(20)
    well = series(scrape(edge))
    b.services.clear()
    b.connectors.clear()
    b.apply()
    world.run(20)
    edge.unlink(a)
    world.run(5)
    edge.link(a, cost=1)
    world.run(20)
    first = series(scrape(edge))
    world.run(600)
    last = series(scrape(edge))
    assert (well["spillway_sites"], last["spillway_sites"]) == (3, 3)
    assert not contradiction((), well, first, last, 600, tmp_path / "edge.test.yaml")


def scrape(site: SimSite) -> str:
    values = measure(site.router, SimMemory(site, 100).guard, {}, 0.0)
    return b"".join(pieces(list(values))).decode()


def promtool(
    directory: Path, verb: str, name: str, *, what: str = "rules"
) -> subprocess.CompletedProcess[str]:
    command = ["promtool", verb, what, name]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)


def test_each_alert_is_tested_where_it_fires_and_where_not() -> None:
    tests = yaml.safe_load((RULES / "spillway.rules.test.yaml").read_text())["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    for expected in (True, False):
        seen = {case["alertname"] for case in cases if bool(case["exp_alerts"]) is expected}
        assert seen == {alert.name for alert in ALERTS}


def test_each_alert_has_a_runbook_and_each_runbook_an_alert() -> None:
    headings = re.findall(r"^## (\S+)$", PAGE.read_text(), re.MULTILINE)
    assert headings == [alert.name for alert in ALERTS]
    for alert in ALERTS:
        assert alert.rule()["annotations"]["runbook_url"] == f"{RUNBOOKS}#{alert.name.lower()}"


def test_runbooks_are_where_alerts_point_to_in_the_repository_and_in_a_bundle(
    tmp_path: Path,
) -> None:
    assert HERE.parent / RUNBOOKS == PAGE
    airgap.put_docs(tmp_path / "docs")
    assert (tmp_path / RUNBOOKS).read_text() == PAGE.read_text()
