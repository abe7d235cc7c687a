"""A real API server with its controllers in the place of ours; the node stays the tests' own."""

import asyncio
import fcntl
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Final

from tests import needs
from tests.kubernetes import custom_schemas
from tests.kubernetes.failures import Failure
from tests.kubernetes.faults import Faults
from tests.kubernetes.front import Front
from tests.kubernetes.rbac import Tokens
from tests.kubernetes.registry import now
from tests.kubernetes.remote import RemoteRegistry, RemoteStore
from tests.kubernetes.resources import Catalogue, Json, Resource
from tests.kubernetes.upstream import SERVERS, Upstream, path_of

CLEAN_WITHIN_S: Final = 60.0
POLL_S: Final = 0.1
HEARTBEAT_S: Final = 10.0
OWN_CONTROLLERS: Final = ("kubelet", "loadbalancer")
UNCHANGED: Final = ("deployment", "replicaset")
"""Controllers that a test may leave out although a real cluster runs them."""
ADDRESSES: Final = "100.64.0.0/10"
"""Of pods (`tests.scenario.harness.own_address`): a real server takes no loopback address."""
_CRDS: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class RealServer:
    """What a `Cluster` has of a real one. It waits for its turn and removes what a test made."""

    def __init__(
        self,
        catalogue: Catalogue,
        without: tuple[str, ...],
        *,
        openshift: bool,
        ca_pem: str,
        node: str,
    ) -> None:
        if openshift:
            needs.lacking("the cluster of the tests, which serves the kinds of OpenShift")
        for each in set(without) - {*OWN_CONTROLLERS, *UNCHANGED}:
            needs.lacking(f"the cluster of the tests, without its controller {each}")
        needs.root("give this machine the addresses of pods and Services")
        self.catalogue = catalogue
        self._turn = _Turn()
        self.upstream = Upstream(self._turn.kubeconfig)
        self._kinds = [each for each in catalogue.resources if "list" in each.verbs]
        with suppress(Failure):  # Of a test run that was killed; the server has no other nodes.
            self.upstream.ask("DELETE", path_of(catalogue.kind("Node"), "", node))
        self.store = RemoteStore(self.upstream, catalogue, ca_pem)
        self.registry = RemoteRegistry(self.upstream, self.store, catalogue)
        self._defined: list[str] = []
        self._before = self._turn.before()
        if self._uid_of_server() in self._before:
            self._until(self._is_clean, "what a killed test left is gone")
        else:
            self._before = {uid for each in self._kinds for uid, _ in self._listed(each)}
            self._turn.note(self._before)
        self._add_routes()

    def front(self, tokens: Tokens, faults: Faults, on_error: Callable[[str], None]) -> Front:
        """The door to the server."""
        return Front(self.registry, tokens, faults, on_error)

    async def heartbeat(self, node: str) -> None:
        """A node that says nothing loses its pods."""
        resource, place = self.catalogue.kind("Lease"), "kube-node-lease"
        with suppress(Failure):
            self.registry.create(resource, place, {"metadata": {"name": node}})
        while True:
            spec = {"holderIdentity": node, "leaseDurationSeconds": 40}
            spec["renewTime"] = now().replace("Z", ".000000Z")
            patch = {"spec": spec}
            self.registry.patch(resource, place, node, patch, "application/merge-patch+json")
            await asyncio.sleep(HEARTBEAT_S)

    def define(self, resources: tuple[Resource, ...]) -> None:
        """Create their CustomResourceDefinitions; returns when they are served."""
        for each in resources:
            self.upstream.ask("POST", _CRDS, definition(each))
            self._defined.append(each.qualified)
        for each in resources:
            self._until(lambda each=each: self._is_served(each), f"{each.qualified} is served")  # type: ignore[misc]

    def undefine(self, resources: tuple[Resource, ...]) -> None:
        """Delete them; returns when they are gone."""
        for each in resources:
            self.upstream.ask("DELETE", f"{_CRDS}/{each.qualified}")
            self._defined.remove(each.qualified)
        for each in resources:
            self._until(lambda each=each: not self._is_served(each), f"{each.qualified} is gone")  # type: ignore[misc]

    def close(self) -> None:
        """Remove all that was not there before."""
        for name in self._defined:
            with suppress(Failure):
                self.upstream.ask("DELETE", f"{_CRDS}/{name}")
        try:
            self._until(self._is_clean, "what the test made is gone")
            self._turn.note(set())
        finally:
            self.upstream.close()
            self._turn.close()

    def _is_clean(self) -> bool:
        """Whether nothing is left of the test; deletes the rest."""
        namespaces = self.catalogue.kind("Namespace")
        ending = {name for uid, (_, name) in self._listed(namespaces) if uid not in self._before}
        for name in ending:
            self._delete(namespaces, "", name)
        left = len(ending) - self._finalized(ending)
        pods = self.catalogue.kind("Pod")
        for resource in [pods] if left else self._kinds:
            for uid, (namespace, name) in self._listed(resource):
                if uid not in self._before:
                    left += resource.kind != "Event"
                    self._delete(resource, namespace, name)
        return not left

    def _finalized(self, names: set[str]) -> int:
        """Empty namespaces that end; gives how many are gone. The server's controller begins
        only 5 s after the deletion of a namespace.
        """
        if not names:
            return 0
        places = list(self._collections())
        options: Json = {"kind": "DeleteOptions", "apiVersion": "v1"}
        options.update(propagationPolicy="Background", gracePeriodSeconds=0)
        for name in names:
            for group, plural in places:
                with suppress(Failure):  # The kind went with its definition.
                    path = f"{group}/namespaces/{name}/{plural}"
                    self.upstream.ask("DELETE", path, options)
        return sum(self._finalize(name, places) for name in names)

    def _finalize(self, name: str, places: list[tuple[str, str]]) -> bool:
        """Whether nothing is left in a namespace; it is gone then."""
        for group, plural in places:
            with suppress(Failure):
                if self.upstream.ask("GET", f"{group}/namespaces/{name}/{plural}")["items"]:
                    return False
        with suppress(Failure):  # The controller was first.
            found = self.upstream.ask("GET", f"/api/v1/namespaces/{name}")
            found["spec"]["finalizers"] = []
            self.upstream.ask("PUT", f"/api/v1/namespaces/{name}/finalize", found)
        return True

    def _collections(self) -> Iterator[tuple[str, str]]:
        """Where a namespace has objects: the path of each group, the name of each kind."""
        groups = self.upstream.ask("GET", "/apis")["groups"]
        served = [f"/apis/{each['preferredVersion']['groupVersion']}" for each in groups]
        for group in ("/api/v1", *served):
            with suppress(Failure):  # It went with the definitions of its kinds.
                for each in self.upstream.ask("GET", group)["resources"]:
                    if each["namespaced"] and "deletecollection" in each["verbs"]:
                        yield group, each["name"]

    def _uid_of_server(self) -> str:
        """Another one if the server was made again."""
        return str(self.upstream.ask("GET", "/api/v1/namespaces/kube-system")["metadata"]["uid"])

    def _delete(self, resource: Resource, namespace: str, name: str) -> None:
        options: Json = {"kind": "DeleteOptions", "apiVersion": "v1"}
        options["propagationPolicy"] = "Background"
        if resource.kind == "Pod":
            options["gracePeriodSeconds"] = 0
        with suppress(Failure):  # It ends already.
            self.upstream.ask("DELETE", path_of(resource, namespace, name), options)

    def _listed(self, resource: Resource) -> list[tuple[str, tuple[str, str]]]:
        try:
            page = self.store.fresh.listed(resource)
        except Failure as failure:
            if failure.code != 404:
                raise
            return []
        metadata = [each["metadata"] for each in page["items"]]
        return [(each["uid"], (each.get("namespace", ""), each["name"])) for each in metadata]

    def _is_served(self, resource: Resource) -> bool:
        """Whether it is listed, and discovery has it."""
        try:
            self.store.fresh.listed(resource)
            found = self.upstream.ask("GET", f"/apis/{resource.group}/{resource.version}")
        except Failure:
            return False
        return any(each["name"] == resource.plural for each in found["resources"])

    def _until(self, look: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + CLEAN_WITHIN_S
        while not look():
            assert time.monotonic() < deadline, f"not within {CLEAN_WITHIN_S:g} s: {what}"
            time.sleep(POLL_S)

    def _add_routes(self) -> None:
        """Addresses of pods and Services are this machine's."""
        found = self.upstream.ask("GET", "/apis/networking.k8s.io/v1/servicecidrs/kubernetes")
        for network in (ADDRESSES, *found["spec"]["cidrs"]):
            words = ["ip", "route", "replace", "local", network, "dev", "lo"]
            subprocess.run(words, check=True)


def definition(resource: Resource) -> Json:
    """The CustomResourceDefinition of a kind; fields without a schema are kept."""
    known = custom_schemas.of(resource)
    kept: Json = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": known} if known else kept
    version: Json = {
        "name": resource.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
    }
    if "status" in resource.subresources:
        version["subresources"] = {"status": {}}
    if resource.kind in custom_schemas.COLUMNS:
        version["additionalPrinterColumns"] = custom_schemas.COLUMNS[resource.kind]
    names = {"kind": resource.kind, "plural": resource.plural, "singular": resource.kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": resource.qualified,
            "annotations": {"api-approved.kubernetes.io": "unapproved, for tests"},
        },
        "spec": {
            "group": resource.group,
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "names": {**names, "shortNames": list(resource.short_names)},
            "versions": [version],
        },
    }


class _Turn:
    """Tests use a server one after the other; a test with two clusters uses two servers.

    A test that starts more clusters than there are servers is left out.
    """

    _held: ClassVar[set[Path]] = set()

    def __init__(self) -> None:
        free = [each for each in SERVERS if each not in self._held]
        if not free:
            count = len(SERVERS) + 1
            needs.lacking(f"the cluster of the tests, of which it starts {count} or more")
        self.kubeconfig = free[0]
        number = self.kubeconfig.stat().st_ino
        self._file = (Path(tempfile.gettempdir()) / f"spillway-cluster-{number}.lock").open("a+")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._held.add(self.kubeconfig)

    def before(self) -> set[str]:
        """What the server had before a test that was killed; empty: no test was."""
        self._file.seek(0)
        return set(self._file.read().split())

    def note(self, uids: set[str]) -> None:
        """What the server has before this test."""
        self._file.truncate(0)
        self._file.write("\n".join(uids))
        self._file.flush()

    def close(self) -> None:
        """Release the server, which has its former objects again, to the next process."""
        self._held.remove(self.kubeconfig)
        self._file.close()
