"""`kubectl spillway` is `sitectl --platform kubernetes`."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from sitectl import kubectl

ROOT = Path(kubectl.__file__).parent.parent


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from sitectl.kubectl import main; main()", *words],
        env={**os.environ, "KUBECONFIG": "/nonexistent", "SITECTL_PLATFORM": "process"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_is_a_program_that_kubectl_finds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["scripts"]["kubectl-spillway"] == "sitectl.kubectl:main"


@pytest.mark.parametrize("words", [("status", "-n", "shop"), ("-n", "shop", "status")])
def test_a_verb_is_of_the_cluster_whatever_the_environment_says(words: tuple[str, ...]) -> None:
    done = run(*words)
    assert "the Kubernetes API cannot be reached" in done.stderr and done.returncode


def test_alone_it_says_what_it_can_do() -> None:
    assert "On Kubernetes, where a namespace is a site:" in run().stdout + run().stderr
