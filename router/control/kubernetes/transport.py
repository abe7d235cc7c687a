"""HTTP to an API server, with lightkube's reading of kubeconfigs and its ways to authenticate.

Of lightkube, its client is not used: it keeps what vanished while a watch was expired, decodes the
metadata of each object, knows no preconditions of deletes, and cuts a watch's lines at characters
that annotations may hold. Tokens in files are read again by it when they are refused, as kubelets
replace them.
"""

import logging
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from router.control.kubernetes.api import NO_ANSWER, Answer, ApiError, refused
from router.model import limits
from router.model.errors import ConfigError

try:
    import httpx2
    import yaml
    from lightkube.config.client_adapter import AsyncClient, ConnectionParams
    from lightkube.config.kubeconfig import KubeConfig, SingleConfig
    from lightkube.config.models import NameValue, UserExec
    from lightkube.core.exceptions import ConfigError as LightkubeError
except ImportError as error:
    raise ConfigError(
        "Kubernetes",
        "",
        f"the client is not installed ({error})",
        hint="Install it with: pip install 'spillway-router[kubernetes]'",
        code="SW0430",
    ) from error

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
DEFAULT_KUBECONFIG: Final = "~/.kube/config"
_UNUSABLE: Final = (OSError, LookupError, ValueError, TypeError, AttributeError, yaml.YAMLError)
"""What a file that is no kubeconfig makes of its reader."""
EXEC_V1, EXEC_V1BETA1 = "client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"


def open_transport(kubeconfig: str | None, context: str | None) -> tuple["HttpTransport", str]:
    """A transport as configured, and the namespace that its configuration names.

    ConfigError SW0431: no configuration, or one that cannot be used.
    """
    try:
        config = _config(kubeconfig, context)
        if config.user is not None and config.user.exec is not None:
            _allow_exec_v1(config.user.exec)
        client = AsyncClient(config, ConnectionParams(timeout=_timeouts(limits.API_ATTEMPT_S)))
    except (LightkubeError, *_UNUSABLE) as error:
        source = kubeconfig or os.environ.get("KUBECONFIG") or DEFAULT_KUBECONFIG
        reason = f"no {error} in it" if isinstance(error, KeyError) else str(error)
        raise ConfigError(
            source,
            "",
            f"the Kubernetes API cannot be reached with this: {reason}",
            hint="Name a file and a context that `kubectl get pods` works with: "
            "--kubeconfig FILE --context NAME, or run in a pod with a service account",
            code="SW0431",
        ) from error
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # Else it logs each request.
    return HttpTransport(client), config.namespace


class HttpTransport:
    """Implements `api.Transport`."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    async def request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        body: bytes | None,
        content_type: str,
        timeout_s: float,
    ) -> Answer:
        """The answer, whatever its status."""
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = content_type
        try:
            response = await self._client.request(
                method,
                path,
                params=dict(params),
                content=body,
                headers=headers,
                timeout=_timeouts(timeout_s),
            )
        except (httpx2.HTTPError, LightkubeError, OSError) as error:
            raise _unreachable(error) from error
        return Answer(response.status_code, response.content, _retry_after_s(response))

    @asynccontextmanager
    async def stream(
        self, path: str, params: Mapping[str, str], silence_s: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Pieces of a GET's body as they come."""
        timeouts = httpx2.Timeout(limits.API_ATTEMPT_S, read=silence_s)
        try:
            async with self._client.stream(
                "GET",
                path,
                params=dict(params),
                headers={"Accept": "application/json"},
                timeout=timeouts,
            ) as response:
                if response.status_code != 200:
                    body = await response.aread()
                    raise refused(response.status_code, body, _retry_after_s(response))
                yield response.aiter_bytes()
        except (httpx2.HTTPError, LightkubeError, OSError) as error:
            raise _unreachable(error) from error

    async def close(self) -> None:
        """End all connections."""
        await self._client.aclose()


def _config(kubeconfig: str | None, context: str | None) -> SingleConfig:
    if kubeconfig is None and context is None:
        in_pod = "KUBERNETES_SERVICE_HOST" in os.environ and (SERVICE_ACCOUNT / "token").exists()
        if in_pod:
            return _single(KubeConfig.from_service_account(SERVICE_ACCOUNT), None)
    named = kubeconfig or os.environ.get("KUBECONFIG") or DEFAULT_KUBECONFIG
    files = [Path(name).expanduser() for name in named.split(os.pathsep) if name]
    found = [file for file in files if file.is_file()]
    if len(found) > 1:
        return _single(KubeConfig.from_dict(_merged(found), fname=found[0]), context)
    if not found:
        raise LightkubeError(f"there is no file {named}")
    return _single(KubeConfig.from_file(found[0]), context)


def _single(config: KubeConfig, context: str | None) -> SingleConfig:
    found = config.get(context_name=context)
    if found is None or found.user is None:
        raise LightkubeError("its context names no user")
    return found


def _merged(files: list[Path]) -> dict[str, Any]:
    """Several kubeconfigs as kubectl joins them: the first to name a thing wins."""
    merged: dict[str, Any] = {"clusters": [], "contexts": [], "users": []}
    for file in files:
        content = yaml.safe_load(file.read_text()) or {}
        merged.setdefault("current-context", content.get("current-context"))
        merged["current-context"] = merged["current-context"] or content.get("current-context")
        for section in ("clusters", "contexts", "users"):
            known = {entry["name"] for entry in merged[section]}
            for entry in content.get(section) or ():
                if entry["name"] not in known:
                    merged[section].append(_absolute(entry, file.parent))
    return merged


def _absolute(entry: dict[str, Any], folder: Path) -> dict[str, Any]:
    """``entry`` with the files it names made absolute."""
    files = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
    return {
        section: {
            key: str(folder / value) if key in files and value else value
            for key, value in fields.items()
        }
        if isinstance(fields, dict)
        else fields
        for section, fields in entry.items()
    }


def _allow_exec_v1(command: UserExec) -> None:
    """Plugins of version v1 are asked as those of v1beta1: their answers hold the same token."""
    version = command.apiVersion or EXEC_V1BETA1
    if version == EXEC_V1:
        command.apiVersion = EXEC_V1BETA1
    info = {"apiVersion": version, "kind": "ExecCredential", "spec": {"interactive": False}}
    told = NameValue("KUBERNETES_EXEC_INFO", msgspec.json.encode(info).decode())
    command.env = [*(command.env or ()), told]


def _timeouts(timeout_s: float) -> httpx2.Timeout:
    return httpx2.Timeout(timeout_s)


def _unreachable(error: Exception) -> ApiError:
    text = str(error) or type(error).__name__
    return ApiError(NO_ANSWER, "Unreachable", f"the API server does not answer: {text}")


def _retry_after_s(response: httpx2.Response) -> float | None:
    """Seconds; a date (which API servers do not send) counts as not said."""
    try:
        asked_s = float(response.headers.get("Retry-After", ""))
    except ValueError:
        return None
    return asked_s if 0 <= asked_s < float("inf") else None
