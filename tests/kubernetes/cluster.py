"""A cluster for one test: the API server in a thread of its own, and what belongs around it."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml

from tests.kubernetes.apiserver import ApiServer
from tests.kubernetes.faults import Faults
from tests.kubernetes.pki import Pki
from tests.kubernetes.rbac import ADMIN, Tokens, User, service_account
from tests.kubernetes.registry import MERGE_PATCH, Registry
from tests.kubernetes.resources import KUBERNETES, OPENSHIFT, Catalogue, Json
from tests.kubernetes.storage import Store
from tests.scenario.harness import own_address

PORT: Final = 6443
STOP_TIMEOUT_S: Final = 10.0
Result = TypeVar("Result")


class Cluster:
    """Starts at once; `close` ends everything. Its methods may be called from any thread.

    ``state`` is a directory of the test's own (certificates, kubeconfigs, logs).
    """

    def __init__(self, state: Path, *, openshift: bool = False) -> None:
        self.state = state
        self.address = own_address()
        self.faults = Faults()
        self.catalogue = Catalogue((*KUBERNETES, *(OPENSHIFT if openshift else ())))
        self.store = Store()
        self.registry = Registry(self.store, self.catalogue)
        self.tokens = Tokens()
        self.pki = Pki(state / "pki", self.address)
        self._admin_token = self.tokens.issue(ADMIN)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="cluster", daemon=True)
        self._thread.start()
        self.server = self.call(lambda: ApiServer(self.registry, self.tokens, self.faults))
        self.await_(self.server.start(self.address, PORT, self.pki.server_context))
        for name in ("default", "kube-system"):
            self.create("Namespace", name)

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the server and its thread."""
        self.await_(self.server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_TIMEOUT_S)
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def call(self, work: Callable[[], Result]) -> Result:
        """Do something in the cluster's thread."""

        async def run() -> Result:
            return work()

        return self.await_(run())

    def await_(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine in the cluster's thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(STOP_TIMEOUT_S)

    # Access for programs.

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"https://{self.address}:{PORT}"

    def kubeconfig(
        self, namespace: str = "default", user: User = ADMIN, name: str = "kubeconfig"
    ) -> Path:
        """A kubeconfig file with a token of ``user``."""
        token = self._admin_token if user is ADMIN else self.tokens.issue(user)
        context = {"cluster": "test", "user": user.name, "namespace": namespace}
        text = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [
                {
                    "name": "test",
                    "cluster": {
                        "server": self.url,
                        "certificate-authority": str(self.pki.ca_path),
                    },
                }
            ],
            "users": [{"name": user.name, "user": {"token": token}}],
            "contexts": [{"name": "test", "context": context}],
        }
        path = self.state / f"{name}-{namespace}-{user.name.replace(':', '-')}.yaml"
        path.write_text(yaml.safe_dump(text))
        return path

    def service_account(self, namespace: str, name: str) -> User:
        """The user that pods with this ServiceAccount are."""
        return service_account(namespace, name)

    def in_cluster(self, namespace: str, name: str, directory: Path) -> dict[str, str]:
        """What a pod finds: ``token``, ``ca.crt``, ``namespace`` in ``directory``.

        Gives the variables that lead to the API server.
        """
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "token").write_text(self.tokens.issue(service_account(namespace, name)))
        (directory / "ca.crt").write_bytes(self.pki.ca_pem)
        (directory / "namespace").write_text(namespace)
        return {"KUBERNETES_SERVICE_HOST": self.address, "KUBERNETES_SERVICE_PORT": str(PORT)}

    # Objects, without a request in between (for tests; never counted, never refused by RBAC).

    def create(self, kind: str, name: str, namespace: str = "default", **fields: Any) -> Json:
        """Create an object; ``fields`` are its top-level fields, ``metadata`` among them."""
        metadata = {"name": name, **fields.pop("metadata", {})}
        return self.create_object({"kind": kind, "metadata": metadata, **fields}, namespace)

    def create_object(self, found: Json, namespace: str = "default") -> Json:
        """Create an object as a manifest states it."""
        resource = self.catalogue.kind(found["kind"])
        place = found.get("metadata", {}).get("namespace", namespace) if resource.namespaced else ""
        return self.call(lambda: self.registry.create(resource, place, found))

    def get(self, kind: str, name: str, namespace: str = "default") -> Json | None:
        """An object; None: there is none."""
        resource = self.catalogue.kind(kind)
        place = namespace if resource.namespaced else ""
        return self.call(lambda: self.store.get(resource, place, name))

    def list(self, kind: str, namespace: str = "") -> list[Json]:
        """All objects of a kind, of one namespace if given."""
        return self.call(lambda: self.store.all(self.catalogue.kind(kind), namespace))

    def patch(
        self, kind: str, name: str, patch: Json, namespace: str = "default", part: str = ""
    ) -> Json:
        """Merge patch an object, or its ``part`` status."""
        resource = self.catalogue.kind(kind)
        place = namespace if resource.namespaced else ""
        return self.call(
            lambda: self.registry.patch(resource, place, name, patch, MERGE_PATCH, subresource=part)
        )[0]

    def delete(self, kind: str, name: str, namespace: str = "default", **options: Any) -> None:
        """Delete an object, as ``kubectl delete`` without waiting."""
        resource = self.catalogue.kind(kind)
        place = namespace if resource.namespaced else ""
        self.call(lambda: self.registry.delete(resource, place, name, options))

    # What goes wrong.

    def restart(
        self, *, compact: bool = False, while_down: Callable[[], None] | None = None
    ) -> None:
        """Stop the API server, cutting every connection, and start it again on its port.

        ``compact``: older resourceVersions are gone afterwards. ``while_down`` runs in between.
        """
        self.await_(self.server.stop())
        if while_down is not None:
            while_down()
        if compact:
            self.compact()
        self.await_(self.server.start(self.address, PORT, self.pki.server_context))

    def stop_server(self) -> None:
        """The API server goes away."""
        self.await_(self.server.stop())

    def start_server(self) -> None:
        """It comes back on its port."""
        self.await_(self.server.start(self.address, PORT, self.pki.server_context))

    def compact(self) -> None:
        """Older resourceVersions and all continue tokens are gone (410)."""
        self.call(self.store.compact)

    def cut_watches(self, kind: str = "") -> int:
        """Break watches (of a kind) in the middle; gives how many."""
        return self.call(lambda: self.server.watches.cut(kind))
