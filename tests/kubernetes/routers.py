"""Routers of namespaces as processes of this machine, each as a pod would run it."""

import base64
import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from certs.ca.authority import Authority
from certs.identity import SiteIdentity
from certs.joining import claims, issue
from certs.names import Endpoint
from certs.token_files import tokens
from certs.token_files.tokens import Token
from router.kubernetes.codecs.secrets import grant_secret
from router.kubernetes.manifests.rights import router_rights
from router.kubernetes.objects.names import IDENTITY_SECRET, ROUTER
from sitectl.base.failure import Failure
from sitectl.site.admin import Admin
from tests.kubernetes.client import Kubectl
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.rbac import ADMIN, User
from tests.scenario import forking
from tests.scenario.harness import ROOT, own_address
from tests.scenario.waiting import until

LINK_PORT: Final = 55671
STARTED_S: Final = 20.0


class Router:
    """One router of a namespace: a process with a separate, empty site directory."""

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        root: Path,
        user: User = ADMIN,
        address: str = "",
        bounds: Mapping[str, float] | None = None,
        pod: str = "",
    ) -> None:
        """``pod``: the name of its Pod, if the namespace has it."""
        self.cluster, self.namespace = cluster, namespace
        self.address = address or own_address()
        self.directory = root
        self.directory.mkdir(parents=True)
        self.admin = Admin(self.directory / "run" / "admin.sock", namespace)
        config = cluster.kubeconfig(namespace, user)
        words = ["--namespace", namespace, "--kubeconfig", str(config)]
        self._said = root / "stderr"
        with self._said.open("wb") as stderr, open(os.devnull, "rb") as nothing:
            self._process = forking.PYTHON.run(
                [*forking.ROUTER, *words, "--site-dir", str(self.directory)],
                (nothing.fileno(), stderr.fileno(), stderr.fileno()),
                ROOT,
                {**os.environ, "SPILLWAY_BIND_IP": self.address, "POD_NAME": pod},
                bounds,
            )

    def serves(self) -> "Router":
        """Returns once it does."""
        soon(self.admin.is_ready, f"{self.namespace} serves", self, within_s=STARTED_S)
        return self

    def kill(self) -> None:
        """SIGKILL, as the kernel does it."""
        self._signal(signal.SIGKILL)
        assert self._process.wait(STARTED_S) is not None, "it outlives SIGKILL"

    def stop(self) -> None:
        """End it, drained if it still runs."""
        if self._process.poll() is None:
            self._signal(signal.SIGTERM)
            if self._process.wait(10.0) is None:
                self.kill()

    def forget(self) -> None:
        """Another owner ends it."""
        self._process.forget()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):  # It has ended meanwhile.
            os.kill(self._process.pid, number)

    def ended(self) -> tuple[int, str]:
        """How it ended by itself: exit code, and its output."""
        code = self._process.wait(STARTED_S)
        assert code is not None, f"the router of {self.namespace} has not ended"
        return code, self._said.read_text()

    def get(self, what: str) -> Any:
        """The admin API's answer."""
        return self.admin.get(f"/api/v1/{what}")

    def link(self, name: str) -> dict[str, Any]:
        """One link; empty: there is none."""
        try:
            found = [link for link in self.get("links") if link["name"] == name]
        except Failure:
            return {}
        return found[0] if found else {}

    def is_up(self, name: str) -> bool:
        return bool(self.link(name).get("state") == "up")

    def codes(self) -> set[str]:
        """Of the problems that it shows."""
        return {problem["code"] for problem in self.get("status")["problems"]}

    @property
    def site_id(self) -> str:
        return str(self.get("status")["id"])

    def log(self) -> str:
        path = self.directory / "run" / "router.log"
        logged = path.read_text()[-5000:] if path.exists() else "no log"
        return logged + self._said.read_text()


Start = Callable[..., Router]


def allow(cluster: Cluster, namespace: str, ingress: str) -> None:
    """The rights that a router has as we deploy it, and no more."""
    rules = [right.rule() for right in router_rights(ingress, openshift=False)]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ROUTER}
    cluster.create("ServiceAccount", ROUTER, namespace)
    cluster.create("Role", ROUTER, namespace, rules=rules)
    cluster.create(
        "RoleBinding",
        ROUTER,
        namespace,
        roleRef=role,
        subjects=[{"kind": "ServiceAccount", "name": ROUTER, "namespace": namespace}],
    )


def soon(look: Callable[[], object], what: str, *routers: Router, within_s: float = 30.0) -> None:
    """Wait for ``look``; if it does not come true, raise with the routers' logs."""
    try:
        until(look, what, within_s)
    except AssertionError as late:
        logs = "".join(f"\n--- {router.namespace}\n{router.log()}" for router in routers)
        raise AssertionError(f"{late}{logs}") from late


def issuer(cluster: Cluster, namespace: str) -> tuple[Authority, SiteIdentity]:
    """What `sitectl token create` has of a namespace: its identity's Secret."""
    found = cluster.get("Secret", IDENTITY_SECRET, namespace)
    assert found is not None
    data = {key: base64.b64decode(text).decode() for key, text in found["data"].items()}
    identity = SiteIdentity.from_pem(data["identity.key"], "identity")
    return Authority.from_pem(data["ca.key"], data["ca.crt"], "ca"), identity


def claim(
    cluster: Cluster, namespace: str, endpoints: tuple[Endpoint, ...], name: str = "claim"
) -> Token:
    """A claim of that namespace's site, granted there."""
    authority, identity = issuer(cluster, namespace)
    draft = Token(
        kind="claim",
        name=name,
        site_id=identity.site_id,
        site_name=namespace,
        endpoints=endpoints,
        ca_pem=authority.ca_pem,
        expires_at=claims.claim_expires_at(time.time()),
    )
    grant, token = claims.new_grant(draft)
    cluster.create_object(grant_secret(name, claims.encode(grant)), namespace)
    return token


def certificate(
    cluster: Cluster, namespace: str, endpoints: tuple[Endpoint, ...], name: str = "token"
) -> Token:
    """A certificate token of that namespace's site."""
    authority, identity = issuer(cluster, namespace)
    return issue.certificate_token(
        authority,
        name=name,
        site_id=identity.site_id,
        site_name=namespace,
        endpoints=endpoints,
        now=time.time(),
    )


def manifest(token: Token, name: str = "") -> str:
    """The token as a manifest, under another name if one is given."""
    made = tokens.as_secret(token)
    made["metadata"]["name"] = name or token.name
    return json.dumps(made)


def kubectl(cluster: Cluster, namespace: str, *words: str, given: str = "") -> str:
    """Run kubectl; return its output."""
    return Kubectl(cluster.kubeconfig(namespace), cluster.state, namespace)(*words, given=given).out
