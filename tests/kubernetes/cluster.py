"""A cluster for one test: the API server in a separate thread, and the parts around it."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml

from tests.kubernetes import images
from tests.kubernetes.apiserver import ApiServer
from tests.kubernetes.containers import Node
from tests.kubernetes.controllers import all_controllers
from tests.kubernetes.faults import Faults
from tests.kubernetes.kubelet import NODE, Kubelet, kubeconfig_for
from tests.kubernetes.pki import Pki
from tests.kubernetes.proxy import Proxy
from tests.kubernetes.rbac import ADMIN, Tokens, User, service_account
from tests.kubernetes.real import OWN_CONTROLLERS, RealServer
from tests.kubernetes.registry import MERGE_PATCH, Registry
from tests.kubernetes.resources import KUBERNETES, OPENSHIFT, Catalogue, Json, Resource
from tests.kubernetes.storage import Store
from tests.kubernetes.streams import Streams
from tests.kubernetes.upstream import BRINGS_NODE
from tests.kubernetes.world import World
from tests.scenario.harness import own_address

PORT: Final = 6443
STOP_TIMEOUT_S: Final = 20.0
COMMAND_TIMEOUT_S: Final = 60.0
PROBE_SPEED: Final = 10.0
Result = TypeVar("Result")


class Cluster:
    """Starts at once; `close` ends everything. Its methods may be called from any thread.

    ``state`` is a directory of the test (certificates, kubeconfigs, pods). ``without`` names
    controllers that must not run (`controllers.all_controllers`) and ``kubelet``. ``images`` are
    further images, by pattern. Set ``balancer_delay_s`` (below 0: never) and ``balancer_address``
    (empty: an address of the cluster) before Services of that type are made. With ``proxy``,
    cluster IPs, node ports and load balancers carry connections (`proxy.Proxy`).
    """

    def __init__(
        self,
        state: Path,
        *,
        openshift: bool = False,
        without: tuple[str, ...] = (),
        images: dict[str, images.Image] | None = None,
        probe_speed: float = PROBE_SPEED,
        proxy: bool = False,
    ) -> None:
        self.state = state
        self.address = own_address()
        self.balancer_delay_s = 0.0
        self.balancer_address = ""
        self.faults = Faults()
        self.catalogue = Catalogue((*KUBERNETES, *(OPENSHIFT if openshift else ())))
        self.tokens = Tokens()
        self.pki = Pki(state / "pki", self.address)
        self.errors: list[str] = []
        self._has_proxy = proxy
        self._taken: dict[str, str] = {}  # Addresses of Services, and of which.
        self.real = self._real(without, openshift=openshift) if BRINGS_NODE else None
        self.registry = self.real.registry if self.real is not None else self._registry()
        self.store = self.registry.store
        self.world = World(self.registry)
        self._admin_token = self.tokens.issue(ADMIN)
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(self._note_error)
        self._thread = threading.Thread(target=self._run, name="cluster", daemon=True)
        self._thread.start()
        self.kubelet = self.call(lambda: self._kubelet(images or {}, probe_speed))
        door = self.real.front if self.real is not None else partial(ApiServer, self.registry)
        self.server = self.call(lambda: door(self.tokens, self.faults, self.errors.append))
        self._streams = streams = Streams(self.kubelet)
        self.server.further = {
            "pods/exec": streams.exec,
            "pods/log": streams.log,
            "pods/portforward": streams.port_forward,
        }
        self._works: list[asyncio.Task[None]] = []
        self._follows: list[asyncio.Task[None]] = []
        try:
            self._open(without, has_kubelet="kubelet" not in without)
        except BaseException:
            self.close()
            raise

    def _open(self, without: tuple[str, ...], *, has_kubelet: bool) -> None:
        self.await_(self.server.start(self.address, PORT, self.pki.server_context))
        if self.real is not None:
            follows = (self.real.store.run, partial(self.real.heartbeat, NODE))
            self._follows = [self.call(partial(self._begin, work)) for work in follows]
        self._start_controllers(without)
        if self.real is None:
            for name in ("default", "kube-system"):
                self.create("Namespace", name)
        self._create_node()
        works = [self.kubelet.run] if has_kubelet else []
        if self._has_proxy:
            self.proxy = Proxy(self.world, self.address)
            works.append(self.proxy.run)
        self._works = [self.call(partial(self._begin, work)) for work in works]

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all containers, the server and its thread. AssertionError: a part of it failed."""
        for work in [*self._works, *self._follows]:
            if work.done() and not work.cancelled():
                self.errors.append(f"{work.get_name()} ended: {work.exception()!r}")
        try:
            for work in self._works:
                self.await_(_end(work))
            for work in self._follows:
                self.await_(_end_surely(work))
        finally:
            if self.real is not None:
                self.real.close()
        self.await_(self.server.stop())
        self.await_(self._streams.ended())
        self.await_(_cancel_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_TIMEOUT_S)
        self._loop.close()
        assert not self.errors, "\n".join(self.errors)

    def _begin(self, work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
        return self._loop.create_task(work(), name=getattr(work, "__qualname__", repr(work)))

    def _registry(self) -> Registry:
        addresses = iter(self._service_address, "") if self._has_proxy else None
        return Registry(Store(), self.catalogue, addresses)

    def _real(self, without: tuple[str, ...], *, openshift: bool) -> RealServer:
        ca_pem = self.pki.ca_pem.decode()
        return RealServer(self.catalogue, without, openshift=openshift, ca_pem=ca_pem, node=NODE)

    def _service_address(self, of: str = "") -> str:
        """An address of this process that no Service has; the same one again for ``of``."""
        if of not in self._taken.values() or not of:
            found = next(each for each in iter(own_address, "") if each not in self._taken)
            self._taken[found] = of
            return found
        return next(address for address, holder in self._taken.items() if holder == of)

    def _pod_address(self) -> str:
        return next(each for each in iter(own_address, "") if each not in self._taken)

    def _balancer(self, service: Json) -> str:
        if self.balancer_address or not self._has_proxy:
            return self.balancer_address or self.address
        return self._service_address(str(service["metadata"]["uid"]))

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _note_error(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.errors.append(f"{context.get('message')}: {context.get('exception')!r}")

    def _kubelet(self, further: dict[str, images.Image], speed: float) -> Kubelet:
        node = Node(
            world=self.world,
            state=self.state / "pods",
            url_variables=self._variables(),
            probe_speed=speed,
            kubeconfig=kubeconfig_for(self.url, self.state),
            images={**further, **images.IMAGES},
        )
        return Kubelet(node, self.address, self._issue, self._pod_address)

    def _issue(self, namespace: str, name: str) -> str:
        return self.tokens.issue(service_account(namespace, name))

    def _start_controllers(self, without: tuple[str, ...]) -> None:
        found = all_controllers(
            self.world,
            ca_pem=self.pki.ca_pem.decode(),
            balancer_address=self._balancer,
            balancer_delay_s=lambda: self.balancer_delay_s,
        )
        unknown = set(without) - {each.name for each in found} - {"kubelet"}
        assert not unknown, f"no such controllers: {unknown}"
        mine = OWN_CONTROLLERS if self.real is not None else {each.name for each in found}
        started = [each for each in found if each.name in mine and each.name not in without]
        self.call(lambda: [each.start(self.world) for each in started])

    def _create_node(self) -> None:
        addresses = [
            {"type": "InternalIP", "address": self.address},
            {"type": "Hostname", "address": NODE},
        ]
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
        self.create("Node", NODE, status={"addresses": addresses, "conditions": [ready]})

    def call(self, work: Callable[[], Result]) -> Result:
        """Do something in the cluster's thread."""

        async def run() -> Result:
            return work()

        return self.await_(run())

    def await_(
        self, work: Coroutine[Any, Any, Result], timeout_s: float = STOP_TIMEOUT_S
    ) -> Result:
        """Run a coroutine in the cluster's thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_s)

    def run_in(self, namespace: str, pod: str, *words: str) -> tuple[int, str, str]:
        """Exit code, output and error output of a command in the pod's only container.

        As ``kubectl exec``, without the time that a `kubectl` takes to start.
        """
        code, out, err = self.await_(
            self._streams.run(namespace, pod, list(words)), COMMAND_TIMEOUT_S
        )
        return code, out.decode(), err.decode()

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
        cluster = {"server": self.url, "certificate-authority": str(self.pki.ca_path)}
        text = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": cluster}],
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
        (directory / "token").write_text(self._issue(namespace, name))
        (directory / "ca.crt").write_bytes(self.pki.ca_pem)
        (directory / "namespace").write_text(namespace)
        return self._variables()

    def _variables(self) -> dict[str, str]:
        return {"KUBERNETES_SERVICE_HOST": self.address, "KUBERNETES_SERVICE_PORT": str(PORT)}

    # Custom resources.

    def define(self, *resources: Resource) -> None:
        """Serve them from now on, as after their CustomResourceDefinitions were applied."""
        if self.real is not None:
            self.real.define(resources)
        self.call(lambda: self.catalogue.define(resources))

    def undefine(self, *resources: Resource) -> None:
        """Delete their definitions, in the order of a real server: no creation, then no objects."""
        if self.real is not None:
            self.real.undefine(resources)
            self.call(lambda: self.catalogue.undefine(resources))
            return
        self.call(lambda: self.catalogue.terminating.update(resources))
        for resource in resources:
            self.call(lambda which=resource: self._remove_all(which))  # type: ignore[misc]
        self.call(lambda: self.catalogue.undefine(resources))

    def _remove_all(self, resource: Resource) -> None:
        for found in list(self.store.all(resource)):
            self.store.remove(resource, found)

    # Objects, without a request in between (for tests; never counted, never refused by RBAC).

    def create(self, kind: str, name: str, namespace: str = "default", **fields: Any) -> Json:
        """Create an object; ``fields`` are its top-level fields, ``metadata`` among them."""
        metadata = {"name": name, **fields.pop("metadata", {})}
        return self.create_object({"kind": kind, "metadata": metadata, **fields}, namespace)

    def create_object(self, found: Json, namespace: str = "default") -> Json:
        """Create an object as a manifest states it."""
        resource = self.catalogue.kind(found["kind"])
        place = found.get("metadata", {}).get("namespace", namespace)
        place = place if resource.namespaced else ""
        return self.call(lambda: self.registry.create(resource, place, found))

    def get(self, kind: str, name: str, namespace: str = "default") -> Json | None:
        """An object; None: there is none."""
        resource = self.catalogue.kind(kind)
        place = namespace if resource.namespaced else ""
        return self.call(lambda: self.store.objects.get(resource, place, name))

    def list(self, kind: str, namespace: str = "") -> list[Json]:
        """All objects of a kind, of one namespace if given."""
        return self.call(lambda: self.store.objects.all(self.catalogue.kind(kind), namespace))

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

    def ready(self, pod: str, namespace: str = "default", *, is_ready: bool) -> None:
        """Have a pod reported as not ready, whatever its probes say, or no longer so."""

        def change() -> None:
            (self.kubelet.unready.discard if is_ready else self.kubelet.unready.add)(
                (namespace, pod)
            )
            for runner in self.kubelet.running(namespace):
                runner.push()

        self.call(change)

    def logs(self) -> str:
        """What all containers printed, for messages of failed tests."""
        paths = sorted((self.state / "pods").glob("*/containers/*.log"))
        return "\n".join(
            f"--- {path.parent.parent.name}/{path.name}\n{path.read_text(errors='replace')[-6000:]}"
            for path in paths
        )

    # What goes wrong.

    def restart(
        self, *, compact: bool = False, while_down: Callable[[], None] | None = None
    ) -> None:
        """Stop the API server, cutting every connection, and start it again on its port.

        ``compact``: older resourceVersions are gone afterwards. ``while_down`` runs in between.
        """
        self.stop_server()
        if while_down is not None:
            while_down()
        if compact:
            self.compact()
        self.start_server()

    def stop_server(self) -> None:
        """The API server goes away; controllers and pods go on."""
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

    def watches(self, kind: str = "", user: str = "") -> int:
        """How many watches are open."""
        return self.call(lambda: self.server.watches.count(kind, user))


async def _end(work: asyncio.Task[None]) -> None:
    """Cancel once and wait: a second time would keep containers from being waited for."""
    work.cancel()
    await asyncio.wait({work})


async def _end_surely(work: asyncio.Task[None]) -> None:
    """Cancel until it ends: a client that is just connecting may swallow it."""
    while not work.done():
        work.cancel()
        await asyncio.wait({work}, timeout=0.5)


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*others, return_exceptions=True)
