"""Advised commands select the site as the command line did that advises them."""

import json
import shlex

import pytest

from sitectl.base.options import Settings
from tests.unit.sitectl.conftest import CommandLine


def settings(**said: str) -> Settings:
    """What a command line says."""
    made = Settings()
    made.platform = None
    for name, value in said.items():
        setattr(made, name, value)
    return made


DIRECTORY = settings(platform="process", state="/srv/my sites", site="west")
FLAGS = "--platform process --state '/srv/my sites' "
NAMESPACE = settings(platform="kubernetes", kubeconfig="k.yaml", context="far", namespace="shop")
THERE = "--platform kubernetes --kubeconfig k.yaml -c far -n shop"


@pytest.mark.parametrize(
    ("advice", "completed"),
    [
        ("sitectl check", f"sitectl {FLAGS}--site west check"),
        ("sitectl --site east start", f"sitectl {FLAGS}--site east start"),
        (
            "sitectl --state /var/lib/spillway/gateways.d --site gw stop",
            "sitectl --platform process --state /var/lib/spillway/gateways.d --site gw stop",
        ),
        ("sitectl init east", f"sitectl {FLAGS}init east"),
        ("sitectl gateway init --name gw", f"sitectl {FLAGS}--site west gateway init --name gw"),
        ("sitectl restore FILE", f"sitectl {FLAGS}--site west restore FILE"),
        ("sitectl -n shop token create FILE", "sitectl -n shop token create FILE"),
        ("At mid: sitectl --site mid start", "At mid: sitectl --site mid start"),
        (
            "At one that is named far: sitectl delete, and then there: sitectl init NAME",
            "At one that is named far: sitectl delete, and then there: sitectl init NAME",
        ),
        (
            "If that site should not be here at all: sitectl revoke-access --link c",
            "If that site should not be here at all: "
            f"sitectl {FLAGS}--site west revoke-access --link c",
        ),
        ("sitectl switch process", "sitectl switch process"),
        ("kubectl get pods", "kubectl get pods"),
    ],
)
def test_of_a_directory(advice: str, completed: str) -> None:
    assert DIRECTORY.here(advice) == completed
    assert DIRECTORY.here(completed) == completed


def test_a_verb_of_gateways_does_not_look_for_them_among_themselves() -> None:
    """`check` of a gateway: its folder of sites is that of gateways, below the host's folder."""
    made = settings(state="/srv/my sites/gateways.d", site="gw")
    typed = "sitectl --state '/srv/my sites' gateway init --name gw"
    assert made.here("After a reboot: sitectl gateway init --name gw") == f"After a reboot: {typed}"
    assert made.here(typed) == typed
    assert made.here("sitectl start").endswith("gateways.d' --site gw start")


@pytest.mark.parametrize(
    ("advice", "completed"),
    [
        ("sitectl check", f"sitectl {THERE} check"),
        ("sitectl init", f"sitectl {THERE} init"),
        ("sitectl -n shop update", "sitectl --kubeconfig k.yaml -c far -n shop update"),
        ("sitectl -n bank init", "sitectl --kubeconfig k.yaml -c far -n bank init"),
        ("sitectl -c near -n bank init", "sitectl -c near -n bank init"),
        (
            "sitectl --state /srv/gateways.d --site gw start",
            "sitectl --platform process --state /srv/gateways.d --site gw start",
        ),
        ("kubectl get pods", "kubectl --kubeconfig k.yaml --context far -n shop get pods"),
        (
            "kubectl create namespace shop, then sitectl -n shop init",
            "kubectl --kubeconfig k.yaml --context far create namespace shop, "
            "then sitectl --kubeconfig k.yaml -c far -n shop init",
        ),
        (
            "kubectl describe namespace shop",
            "kubectl --kubeconfig k.yaml --context far describe namespace shop",
        ),
        (
            "kubectl get --raw /readyz",
            "kubectl --kubeconfig k.yaml --context far get --raw /readyz",
        ),
        ("kubectl get nodes", "kubectl --kubeconfig k.yaml --context far get nodes"),
        (
            "kubectl -n shop edit secret x",
            "kubectl --kubeconfig k.yaml --context far -n shop edit secret x",
        ),
    ],
)
def test_of_a_namespace(advice: str, completed: str) -> None:
    assert NAMESPACE.here(advice) == completed
    assert NAMESPACE.here(completed) == completed


def test_what_no_flag_said_is_not_said() -> None:
    assert settings().here("sitectl check; kubectl get pods") == "sitectl check; kubectl get pods"


def test_a_pasted_step_selects_the_same_site(here: CommandLine) -> None:
    """In text and JSON, for an error, a finding and a note."""
    there = ("--state", str(here.state), "--platform", "process")
    place = f"sitectl --platform process --state {here.state}"
    failed = here(*there, "--site", "here", "why", "shop", "-o", "json")
    assert f"{place} --site here start" in json.loads(failed.stderr)["hint"]
    assert f"Next: {place} start\n" in here(*there, "status").stdout
    found = json.loads(here(*there, "check", "-o", "json").stdout)["items"]
    hints = [one["hint"] for one in found if "sitectl" in one["hint"]]
    assert hints and all(hint.startswith(place) for hint in hints)
    made = here.ok(*there, "init", "other")
    assert f"Next: {place} --site other start\n" in made.stderr
    step = here(*there, "--site", "none", "status").stderr.rpartition("Next: ")[2].strip()
    assert step == f"{place} init none"
    assert here.ok(*shlex.split(step)[1:]).stdout.startswith("site none created")


def test_the_environment_says_its_part_to_the_next_command_too(here: CommandLine) -> None:
    assert "Next: sitectl --site here start" in here("--site", "here", "status").stdout
