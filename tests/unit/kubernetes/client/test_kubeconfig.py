"""Where the Kubernetes API is: found as kubectl does, and the errors when it is not found."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from router.kubernetes.client.kubeconfig import EXEC_V1BETA1, read_config
from router.model.errors import ConfigError

SOURCE = Path(__file__).parents[4]


def config(name: str, **user: Any) -> dict[str, Any]:
    """A kubeconfig with one cluster, user and context, all called ``name``."""
    return {
        "current-context": name,
        "clusters": [
            {
                "name": name,
                "cluster": {"server": f"https://{name}:6443", "certificate-authority": "ca.crt"},
            }
        ],
        "users": [{"name": name, "user": user or {"token": name}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": "n"}}],
    }


def written(path: Path, content: object) -> Path:
    """A file with ``content`` as YAML."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content))
    return path


def test_several_files_are_joined_and_the_first_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = written(tmp_path / "one" / "config", config("one"))
    two = written(tmp_path / "two" / "config", config("two"))
    monkeypatch.setenv("KUBECONFIG", f"{one}:{tmp_path / 'none'}:{two}")
    first, second = read_config(None, None), read_config(None, "two")
    assert (first.cluster.server, first.namespace) == ("https://one:6443", "n")
    assert second.cluster.server == "https://two:6443"
    assert second.cluster.certificate_auth == str(tmp_path / "two" / "ca.crt")


def test_plugins_of_version_v1_are_asked_as_those_before(tmp_path: Path) -> None:
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "login"}
    found = read_config(str(written(tmp_path / "config", config("one", exec=plugin))), None)
    assert found.user is not None and found.user.exec is not None
    assert found.user.exec.apiVersion == EXEC_V1BETA1
    assert [variable.name for variable in found.user.exec.env or ()] == ["KUBERNETES_EXEC_INFO"]


@pytest.mark.parametrize(
    ("content", "context", "says"),
    [
        (config("one"), "ghost", "Context 'ghost' not found"),
        ({"contexts": []}, None, "no 'clusters' in it"),
        ({**config("one"), "current-context": None}, None, "No current context"),
        ("nonsense", None, "cannot be reached with this"),
    ],
)
def test_what_is_wrong_is_said_with_the_file(
    tmp_path: Path, content: object, context: str | None, says: str
) -> None:
    path = str(written(tmp_path / "config", content))
    with pytest.raises(ConfigError) as caught:
        read_config(path, context)
    assert (caught.value.source, caught.value.code) == (path, "SW0431")
    assert says in caught.value.reason


@pytest.mark.parametrize("module", ["router.kubernetes.client.transport", "sitectl"])
def test_without_the_extra_it_is_said_what_to_install(module: str) -> None:
    words = (
        f"import {module}"
        if "router" in module
        else ("from sitectl.main import cli; cli(['-n', 'x', 'status'])")
    )
    program = f"import sys; sys.modules['lightkube'] = None; {words}"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=SOURCE
    )
    assert done.returncode == 1
    assert "pip install" in done.stderr
