"""Where the API is and who we are there: kubeconfigs, service accounts, plugins."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import UNTRUSTED, ApiError
from router.model.errors import ConfigError
from tests.kubernetes.pki import Pki


def kubeconfig(path: Path, name: str, user: dict[str, Any], namespace: str = "web") -> Path:
    path.write_text(
        yaml.safe_dump(
            {
                "current-context": name,
                "clusters": [{"name": name, "cluster": {"server": "http://127.0.0.1:9"}}],
                "users": [{"name": name, "user": user}],
                "contexts": [
                    {
                        "name": name,
                        "context": {"cluster": name, "user": name, "namespace": namespace},
                    }
                ],
            }
        )
    )
    return path


def test_a_process_site_loads_no_kubernetes_client() -> None:
    code = (
        "import sys, router.process.main, sitectl.main\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('lightkube', 'httpx2')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stderr


def test_the_context_says_the_namespace_unless_it_is_told(tmp_path: Path) -> None:
    path = str(kubeconfig(tmp_path / "a", "one", {"token": "t"}))
    assert Api.connect(kubeconfig=path).namespace == "web"
    assert Api.connect("other", kubeconfig=path).namespace == "other"


def test_several_files_are_joined_and_the_first_word_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = kubeconfig(tmp_path / "a", "one", {"token": "t"}, "first")
    second = kubeconfig(tmp_path / "b", "two", {"token": "t"}, "second")
    monkeypatch.setenv("KUBECONFIG", f"{first}:{tmp_path / 'none'}:{second}")
    assert Api.connect().namespace == "first"
    assert Api.connect(context="two").namespace == "second"


@pytest.mark.parametrize("content", [None, "{", "[]", "clusters: 1", "current-context: x"])
def test_what_cannot_be_used_is_told_with_the_next_step(
    tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "config"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError) as refused:
        Api.connect(kubeconfig=str(path))
    assert refused.value.code == "SW0431"
    assert "kubectl" in refused.value.hint


def test_a_context_that_does_not_exist_is_told(tmp_path: Path) -> None:
    path = str(kubeconfig(tmp_path / "a", "one", {"token": "t"}))
    with pytest.raises(ConfigError) as refused:
        Api.connect(kubeconfig=path, context="none")
    assert "none" in refused.value.reason


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_plugins_of_both_versions_are_asked_for_a_token(tmp_path: Path, version: str) -> None:
    told = tmp_path / "told"
    answer = {"status": {"token": "from-the-plugin"}}
    script = f"open({str(told)!r}, 'w').write(__import__('os').environ['KUBERNETES_EXEC_INFO'])"
    script += f"\nprint({json.dumps(answer)!r})"
    user = {
        "exec": {
            "apiVersion": f"client.authentication.k8s.io/{version}",
            "command": sys.executable,
            "args": ["-c", script],
        }
    }
    path = str(kubeconfig(tmp_path / "a", "one", user))

    async def story() -> None:
        async with Api.connect(kubeconfig=path) as api:
            with pytest.raises(ApiError) as lost:
                await api.create({"kind": "Pod", "metadata": {"name": "a"}})
            assert lost.value.reason == "Unreachable"  # Nothing listens there.

    asyncio.run(story())
    assert json.loads(told.read_text())["apiVersion"].endswith(f"/{version}")


def test_a_server_that_shows_a_certificate_of_another_ca_is_not_trusted(tmp_path: Path) -> None:
    theirs, ours = (Pki(tmp_path / name, "127.0.0.1") for name in ("theirs", "ours"))

    async def ask() -> ApiError:
        server = await asyncio.start_server(
            lambda *_: None, "127.0.0.1", 0, ssl=theirs.server_context
        )
        port = server.sockets[0].getsockname()[1]
        path = kubeconfig(tmp_path / "config", "one", {"token": "t"})
        config = yaml.safe_load(path.read_text())
        config["clusters"][0]["cluster"] = {
            "server": f"https://127.0.0.1:{port}",
            "certificate-authority": str(ours.ca_path),
        }
        path.write_text(yaml.safe_dump(config))
        async with server, Api.connect(kubeconfig=str(path)) as api:
            with pytest.raises(ApiError) as refused:
                await api.run(api.verbs.find("Pod", "one"))
            return refused.value

    error = asyncio.run(ask())
    assert error.reason == UNTRUSTED
    assert str(error).startswith("the API server's certificate is not trusted: ")
