"""Requests to the API servers that SPILLWAY_TEST_KUBECONFIG names, for the cluster of the tests."""

import os
import ssl
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import httpx2
import msgspec
from lightkube import KubeConfig
from lightkube.config.client_adapter import verify_cluster
from lightkube.config.models import User as AuthInfo

from tests.kubernetes.failures import Failure
from tests.kubernetes.rbac import ADMIN, User
from tests.kubernetes.resources import Json, Resource

_FILES: Final = os.environ.get("SPILLWAY_TEST_KUBECONFIG", "").split(os.pathsep)
SERVERS: Final = tuple(Path(each).absolute() for each in _FILES if each)
"""Kubeconfigs of real clusters; empty: each test has a cluster inside its process."""
BRINGS_NODE: Final = bool(SERVERS and os.environ.get("SPILLWAY_TEST_NODE"))
"""The real cluster has no nodes: the tests add theirs, which runs pods as processes."""
TIMEOUT_S: Final = 30.0
IMPERSONATED_USER, IMPERSONATED_GROUP = "Impersonate-User", "Impersonate-Group"


class Upstream:
    """An administrator of a real API server, who may also ask as another user."""

    def __init__(self, kubeconfig: Path) -> None:
        config = KubeConfig.from_file(kubeconfig).get()
        assert config is not None and config.user is not None
        self.url: Final = config.cluster.server.rstrip("/")
        self.context: Final[ssl.SSLContext] = verify_cluster(
            config.cluster, config.user, config.abs_file, trust_env=False
        )
        self.plain_context: Final[ssl.SSLContext] = verify_cluster(
            config.cluster, AuthInfo(), config.abs_file, trust_env=False
        )
        """Without the administrator's certificate."""
        token = config.user.token
        self.headers: Final = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx2.Client(
            base_url=self.url, verify=self.context, headers=self.headers, timeout=TIMEOUT_S
        )

    def close(self) -> None:
        """End its connections."""
        self._client.close()

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        kind: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> Json:
        """The answer to one request. Failure: the server refused it."""
        content = msgspec.json.encode(body) if body is not None else None
        headers = {"Content-Type": kind, "Accept": "application/json"}
        answer = self._client.request(
            method, path, content=content, headers=headers, params=dict(query or {})
        )
        if not answer.headers.get("Content-Type", "").startswith("application/json"):
            raise Failure(answer.status_code, "NotFound", answer.text)  # A path of no group.
        found: Json = msgspec.json.decode(answer.content)
        if answer.is_success:
            return found
        raise Failure(
            answer.status_code,
            found.get("reason", "Unknown"),
            found.get("message", ""),
            details=found.get("details"),
        )


def impersonation(user: User) -> Iterable[tuple[str, str]]:
    """The headers with which an administrator asks as ``user``."""
    if user is ADMIN:
        return ()
    return (
        (IMPERSONATED_USER, user.name),
        *((IMPERSONATED_GROUP, group) for group in user.groups),
    )


def path_of(resource: Resource, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """Where a resource is served."""
    parts = ["apis", resource.group] if resource.group else ["api"]
    parts.append(resource.version)
    if namespace and resource.namespaced:
        parts += ["namespaces", namespace]
    parts += [resource.plural, name, subresource]
    return "/" + "/".join(filter(None, parts))
