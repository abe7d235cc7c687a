"""A real Prometheus, as Debian has it, that scrapes the routers of a test every second."""

import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests import needs
from tests.scenario.harness import ROOT, own_address
from tests.scenario.waiting import until

SHIPPED = ROOT / "deploy" / "prometheus"
RULES = SHIPPED / "spillway.rules.yaml"


def without_credential(places: Mapping[str, str]) -> str:
    """A configuration. ``places``: ``host:port`` by namespace."""
    jobs = [{"targets": [place], "labels": {"namespace": n}} for n, place in places.items()]
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [{"job_name": "spillway", "static_configs": jobs}],
    }
    return yaml.safe_dump(config)


class Prometheus:
    """One server from `__enter__` to `__exit__`. ``config``: the text of its file."""

    def __init__(self, directory: Path, config: str) -> None:
        self._directory = directory
        self._address = f"{own_address()}:9099"
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True)
        (directory / "prometheus.yml").write_text(config)

    def __enter__(self) -> "Prometheus":
        needs.programs("prometheus")
        with (self._directory / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={self._directory / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self._directory / 'data'}",
                    f"--web.listen-address={self._address}",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until(self._answers, "Prometheus answers")
        return self

    def __exit__(self, *error: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=20)

    def query(self, expr: str) -> dict[tuple[tuple[str, str], ...], float]:
        """An instant query: values by labels. Raises HTTPError when it is not PromQL."""
        found = self._get("query", {"query": expr})["result"]
        return {
            tuple(sorted(one["metric"].items())): float(one["value"][1])
            for one in (found if isinstance(found, list) else [])
        }

    def alerts(self, *states: str) -> set[str]:
        """Names of the alerts that are in one of ``states``: pending, firing."""
        found: Sequence[Any] = self._get("alerts", {})["alerts"]
        return {one["labels"]["alertname"] for one in found if one["state"] in states}

    def targets_up(self) -> int:
        """Routers whose last scrape was well."""
        active: Sequence[Any] = self._get("targets", {})["activeTargets"]
        return sum(1 for one in active if one["health"] == "up")

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError((self._directory / "log").read_text()[-2_000:])
        try:
            with urllib.request.urlopen(f"http://{self._address}/-/ready", timeout=5):
                return True
        except OSError:
            return False

    def _get(self, name: str, words: Mapping[str, str]) -> Any:
        url = f"http://{self._address}/api/v1/{name}?{urllib.parse.urlencode(words)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]
