"""`sitectl sidecar` and `sitectl run --init`: YAML in, YAML out, and refusals."""

import json
from pathlib import Path

import pytest
import yaml

from router.model.specs import ListenerSpec, SiteSpec
from tests.unit.sitectl.conftest import CommandLine

POD = """
apiVersion: v1
kind: Pod
metadata: {name: job-1, namespace: west, annotations: {since: 2020-01-01}}
spec: {containers: [{name: app, image: app}]}
"""
SERVICE = "---\napiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 1}]}\n"


@pytest.fixture
def manifest(tmp_path: Path) -> str:
    """A file with a Pod and a Service."""
    path = tmp_path / "pod.yaml"
    path.write_text(POD + SERVICE)
    return str(path)


def test_all_objects_are_printed_in_order_and_only_workloads_change(
    sitectl: CommandLine, manifest: str
) -> None:
    result = sitectl.ok("sidecar", "-f", manifest, "--service", "db:5432", "--token-secret", "t")
    pod, service = yaml.safe_load_all(result.stdout)
    assert service == yaml.safe_load(SERVICE)
    assert pod["metadata"] == {
        "name": "job-1",
        "namespace": "west",
        "annotations": {"since": "2020-01-01"},
    }
    (ours,) = pod["spec"]["initContainers"]
    assert ours["name"] == "spillway"
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    assert volumes["spillway-token"]["secret"]["secretName"] == "t"
    assert result.stderr == ""


def test_without_a_token_it_says_how_to_bring_one(sitectl: CommandLine, manifest: str) -> None:
    result = sitectl.ok("sidecar", "-f", manifest, "--service", "db")
    assert "kubectl create secret generic job-1-spillway" in result.stderr


def test_a_certificate_token_is_printed_as_its_secret_once_also_when_done_again(
    here: CommandLine, manifest: str, tmp_path: Path
) -> None:
    token = str(tmp_path / "t.yaml")
    here.ok("token", "create", token, "--token-type", "cert")
    words = ("--service", "db:5432", "--token", token)
    once = here.ok("sidecar", "-f", manifest, *words).stdout
    again = here.ok("sidecar", "-f", "-", *words, stdin=once).stdout
    kinds = [found["kind"] for found in yaml.safe_load_all(once)]
    assert kinds == ["Secret", "Pod", "Service"]
    assert list(yaml.safe_load_all(again)) == list(yaml.safe_load_all(once))


def test_a_claim_is_refused_for_pods_come_and_go(
    here: CommandLine, manifest: str, tmp_path: Path
) -> None:
    token = str(tmp_path / "t.yaml")
    here.ok("token", "create", token)
    result = here("sidecar", "-f", manifest, "--service", "db", "--token", token)
    assert result.exit_code == 2
    assert "--token-type cert" in result.stderr


def test_as_json_it_is_a_list_that_kubectl_takes(sitectl: CommandLine, manifest: str) -> None:
    printed = sitectl.ok("sidecar", "-f", manifest, "--service", "db:1", "-o", "json").stdout
    listed = json.loads(printed)
    assert listed["kind"] == "List"
    again = sitectl.ok("sidecar", "-f", "-", "--service", "db:1", "-o", "json", stdin=printed)
    assert json.loads(again.stdout) == listed


@pytest.mark.parametrize(
    ("words", "exit_code", "said"),
    [
        (("--service", "No"), 2, "no service name"),
        (("--service", "db:0"), 2, "NAME:PORT"),
        (("--service", "db:x"), 2, "NAME:PORT"),
        (("--service", "db", "--token", "/none"), 4, "no file"),
    ],
)
def test_wrong_words_are_refused(
    sitectl: CommandLine, manifest: str, words: tuple[str, ...], exit_code: int, said: str
) -> None:
    result = sitectl("sidecar", "-f", manifest, *words)
    assert result.exit_code == exit_code
    assert said in result.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "not YAML"),
        ("- 1", "no Kubernetes object"),
        ("just text", "no Kubernetes object"),
        (SERVICE, "no workload"),
        ("", "no workload"),
    ],
)
def test_a_file_without_a_workload_is_refused(sitectl: CommandLine, text: str, said: str) -> None:
    result = sitectl("sidecar", "-f", "-", "--service", "db", stdin=text)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_job_with_a_plain_container_is_refused_with_the_next_step(sitectl: CommandLine) -> None:
    job = "kind: Job\nmetadata: {name: j}\nspec: {template: {spec: {containers: []}}}"
    result = sitectl("sidecar", "-f", "-", "--service", "db", "--plain", stdin=job)
    assert result.exit_code == 1
    assert "Job/j" in result.stderr and "1.29" in result.stderr


def test_run_init_makes_an_edge_that_offers_the_named_services_only(
    sitectl: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr("os.execve", lambda path, words, environment: started.append(words))
    listens = ("--listen", "shop=127.0.0.2:auto", "--listen", "db=127.0.0.3:5432")
    for words in (("--ephemeral",), ()):  # A container that was restarted finds its site.
        sitectl.ok("--platform", "process", "--site", "web-5d.x", "run", "--init", *listens, *words)
    assert ["--ephemeral" in words for words in started] == [True, False]
    from sitectl.site.directory import DirectorySite

    site = DirectorySite(sitectl.state / "web-5d-x")
    specs = {(one.kind, one.name): one.spec for one in site.documents()}
    found = specs["Site", "web-5d-x"]
    assert isinstance(found, SiteSpec)
    assert (found.router_mode, found.ingress, found.service_sync) == ("edge", "none", False)
    assert specs["Listener", "shop"] == ListenerSpec(service="shop", listen="127.0.0.2:auto")
    assert specs["Listener", "db"] == ListenerSpec(service="db", listen="127.0.0.3:5432")
    assert (site.secrets / "identity.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "words",
    [
        ("--listen", "shop=127.0.0.2:auto"),
        ("--ephemeral",),
        ("--init", "--listen", "shop"),
        ("--init", "--listen", "Shop=80"),
        ("--init", "--listen", "shop=none"),
        ("--init", "--listen", "shop=localhost:auto"),
    ],
)
def test_run_refuses_what_makes_no_edge(sitectl: CommandLine, words: tuple[str, ...]) -> None:
    result = sitectl("--platform", "process", "--site", "a", "run", *words)
    assert result.exit_code == 2
    assert not (sitectl.state / "a").exists()
