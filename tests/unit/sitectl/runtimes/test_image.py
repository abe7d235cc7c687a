"""Which image is run, and when it is pulled: flag, environment, this version."""

import re
from pathlib import Path

import pytest
import yaml

from router import __version__
from router.kubernetes.manifests import image as pods
from sitectl.base.failure import Exit, Failure
from sitectl.runtimes import image
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.verbs.test_sidecar import POD

ROOT = Path(__file__).resolve().parents[4]
VARIABLES = ("SITECTL_IMAGE", "SITECTL_IMAGE_PULL_POLICY", "SPILLWAY_IMAGE")


@pytest.fixture(autouse=True)
def nobody_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_the_image_is_of_this_version_unless_one_is_named() -> None:
    assert image.chosen_image() == f"localhost/spillway/router:{__version__}"
    assert image.chosen_image("mirror/router:1") == "mirror/router:1"


def test_a_flag_goes_before_sitectls_variable_and_that_before_the_controllers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SPILLWAY_IMAGE", "a:1")
    assert image.chosen_image() == "a:1"
    monkeypatch.setenv("SITECTL_IMAGE", "b:1")
    assert image.chosen_image() == "b:1"
    assert image.chosen_image("c:1") == "c:1"


def test_a_pull_policy_comes_from_the_flag_the_environment_or_nobody_chose_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert image.stated_policy(None) is None
    monkeypatch.setenv("SITECTL_IMAGE_PULL_POLICY", "IfNotPresent")
    assert image.stated_policy(None) == "missing"
    assert image.policy_of_pods(None) == "IfNotPresent"
    monkeypatch.setenv("SITECTL_IMAGE_PULL_POLICY", "Never")
    assert image.stated_policy(None) == "never"
    assert image.stated_policy("always") == "always"
    assert image.policy_of_pods("always") == "Always"


def test_an_unknown_policy_in_the_environment_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SITECTL_IMAGE_PULL_POLICY", "sometimes")
    with pytest.raises(Failure) as told:
        image.stated_policy(None)
    assert told.value.exit_code is Exit.USAGE
    assert "SITECTL_IMAGE_PULL_POLICY=sometimes" in told.value.message


def test_pods_have_no_policy_newer() -> None:
    with pytest.raises(Failure) as told:
        image.policy_of_pods("newer")
    assert "--image-pull-policy always" in told.value.hint


def test_a_sidecar_runs_the_image_that_was_named_pulled_as_was_said(sitectl: CommandLine) -> None:
    words = ("--image", "m/r:1", "--image-pull-policy", "Never")
    done = sitectl.ok(
        *("sidecar", "-f", "-", "--service", "db:1", "--token-secret", "t", *words), stdin=POD
    )
    (ours,) = yaml.safe_load(done.stdout)["spec"]["initContainers"]
    assert (ours["image"], ours["imagePullPolicy"]) == ("m/r:1", "Never")


def test_a_policy_that_does_not_exist_is_refused(sitectl: CommandLine) -> None:
    done = sitectl("init", "a", "--image-pull-policy", "daily")
    assert done.exit_code == 2
    assert "'daily' is none of always, missing, never, newer" in done.stderr


@pytest.mark.parametrize("path", ["deploy/helm/spillway/values.yaml", "examples/compose.yaml"])
def test_files_that_repeat_the_image_name_this_one(path: str) -> None:
    assert pods.REPOSITORY in (ROOT / path).read_text()


def test_without_a_registry_images_are_only_where_they_were_made() -> None:
    assert pods.IMAGE.startswith(pods.LOCAL) == (not pods.REGISTRY)
    script = (ROOT / "scripts/image").read_text()
    lines = (ROOT / "router/kubernetes/manifests/image.py").read_text()
    assert "s/^REGISTRY: Final" in script
    assert re.findall(r'^REGISTRY: Final = "(.*)"$', lines, re.M) == [pods.REGISTRY]
