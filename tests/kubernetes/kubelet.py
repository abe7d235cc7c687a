"""The node: schedules every pod onto itself, runs its containers, reports its status."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from tests.kubernetes import images
from tests.kubernetes.containers import Container, Node
from tests.kubernetes.environment import Loopback
from tests.kubernetes.failures import Failure, bad_request, not_found
from tests.kubernetes.registry import now
from tests.kubernetes.resources import Json
from tests.kubernetes.storage import Change
from tests.kubernetes.volumes import NotThere, Volumes
from tests.kubernetes.world import condition, is_ending, is_over

NODE: Final = "node-1"
RETRY_S: Final = 0.2
SIDECAR_GRACE_S: Final = 2.0


class PodRunner:
    """One pod from its start to its end."""

    def __init__(self, kubelet: "Kubelet", pod: Json, address: str) -> None:
        self.kubelet, self.address = kubelet, address
        self.world = kubelet.node.world
        self.namespace: str = pod["metadata"]["namespace"]
        self.name: str = pod["metadata"]["name"]
        self.uid: str = pod["metadata"]["uid"]
        self.directory = kubelet.node.state / f"{self.namespace}_{self.name}_{self.uid[:8]}"
        self.volumes = Volumes(self.world, self.directory, kubelet.issue)
        self.loopback = Loopback(pod, self.directory / "hosts", kubelet.address_of_pod)
        self.pod = pod
        self._ending, self.woken = asyncio.Event(), asyncio.Event()
        self._initialized = False
        self.inits = [self._container(each) for each in pod["spec"].get("initContainers") or []]
        self.apps = [self._container(each) for each in pod["spec"]["containers"]]
        self._codes: list[int] = []
        self.is_running = False
        self._may_end_unseen = False
        self._started_at = now()

    def _container(self, spec: Json) -> Container:
        node = self.kubelet.node
        image = images.find(node.images, spec["image"])
        directory = self.directory / "containers"
        return Container(node, spec, image, self.volumes, directory, self.loopback, self.push)

    def note(self, pod: Json | None) -> None:
        """The object changed; None: it is gone, so everything ends at once."""
        self.woken.set()
        if pod is None:
            for each in [*self.inits, *self.apps]:
                each.kill()
            self._ending.set()
            return
        self.pod = pod
        if is_ending(pod):
            self._ending.set()
        if pod["spec"].get("readinessGates"):  # Others set their conditions.
            asyncio.get_running_loop().call_soon(self.push)

    def current(self) -> Json:
        """The newest state of the pod."""
        return {**self.pod, "status": {**self.pod.get("status", {}), "podIP": self.address}}

    async def run(self) -> None:
        """Until the pod is over or deleted, and then until it is deleted."""
        self.push()
        async with asyncio.TaskGroup() as group:
            life = group.create_task(self._live())
            await self._ending.wait()
            await self._terminate()
            life.cancel()
        if self._may_end_unseen:
            await asyncio.sleep(self.kubelet.end_seen_late_s)
            self._may_end_unseen = False
        self._gone()

    async def _live(self) -> None:
        while True:
            try:
                self.volumes.make(self.current())
                break
            except NotThere as missing:
                self.world.event(self.pod, "FailedMount", str(missing), kind="Warning")
                await self._wait_for_change()
        self.is_running = True
        policy = self.pod["spec"]["restartPolicy"]
        async with asyncio.TaskGroup() as sidecars:
            kept = []
            for each in self.inits:
                if each.is_sidecar:
                    kept.append(sidecars.create_task(each.keep(self.current, "Always")))
                    await each.was_started.wait()
                    continue
                again = "Never" if policy == "Never" else "OnFailure"
                if await each.keep(self.current, again) and again == "Never":
                    self._codes = [1]
                    break
            else:
                self._initialized = True
                self.push()
                async with asyncio.TaskGroup() as group:
                    running = []
                    for app in self.apps:
                        running.append(group.create_task(app.keep(self.current, policy)))
                        await app.was_begun.wait()
                self._codes = [task.result() for task in running]
            deadline = asyncio.get_running_loop().time() + SIDECAR_GRACE_S
            for each in reversed([each for each in self.inits if each.is_sidecar]):
                await each.stop(deadline)
        self.push()

    async def _wait_for_change(self) -> None:
        self.woken.clear()
        try:
            async with asyncio.timeout(RETRY_S):
                await self.woken.wait()
        except TimeoutError:
            return

    async def _terminate(self) -> None:
        """App containers first, then sidecars in reverse order, all within the grace period."""
        loop = asyncio.get_running_loop()
        grace = self.pod["metadata"].get("deletionGracePeriodSeconds", 0)
        self._may_end_unseen = self.kubelet.end_seen_late_s > 0
        deadline = loop.time() + grace
        async with asyncio.TaskGroup() as group:
            for each in self.apps:
                group.create_task(each.stop(deadline))
        for each in reversed(self.inits):
            await each.stop(max(deadline, loop.time() + SIDECAR_GRACE_S))

    def _gone(self) -> None:
        self.push()
        current = self.world.get("Pod", self.namespace, self.name)
        if current is not None and current["metadata"]["uid"] == self.uid:
            self.world.delete(current, gracePeriodSeconds=0)
        shutil.rmtree(self.directory / "volumes", ignore_errors=True)

    # Status.

    def push(self) -> None:
        """Report the status, if it differs."""
        if self._may_end_unseen and not any(each.is_running for each in self.apps):
            return
        current = self.world.get("Pod", self.namespace, self.name)
        if current is None or current["metadata"]["uid"] != self.uid or is_over(current):
            return
        ready = bool(self.apps) and all(each.ready for each in self.apps)
        ready = ready and all(each.ready for each in self.inits if each.is_sidecar)
        ready = ready and (self.namespace, self.name) not in self.kubelet.unready
        found = current
        gates = all(self._gate(current, each) for each in current["spec"].get("readinessGates", []))
        for kind, holds in (
            ("PodScheduled", True),
            ("PodReadyToStartContainers", self.is_running),
            ("Initialized", self._initialized),
            ("ContainersReady", ready),
            ("Ready", ready and gates),
        ):
            reason = "" if holds else "ContainersNotReady"
            conditions = condition(found, kind, holds, reason)
            found = {**found, "status": {**found["status"], "conditions": conditions}}
        fields: Json = {
            "phase": self._phase(),
            "conditions": found["status"]["conditions"],
            "hostIP": self.kubelet.address,
            "hostIPs": [{"ip": self.kubelet.address}],
            "podIP": self.address,
            "podIPs": [{"ip": self.address}],
            "startTime": self._started_at,
            "containerStatuses": [each.status() for each in self.apps],
        }
        if self.inits:
            fields["initContainerStatuses"] = [each.status() for each in self.inits]
        self.world.set_status(current, **fields)

    def _gate(self, pod: Json, gate: Json) -> bool:
        conditions = pod["status"].get("conditions") or []
        return any(
            each["type"] == gate["conditionType"] and each["status"] == "True"
            for each in conditions
        )

    def _phase(self) -> str:
        if self._codes:
            return "Failed" if any(self._codes) else "Succeeded"
        begun = any("waiting" not in each.state for each in self.apps)
        return "Running" if begun else "Pending"


class Kubelet:
    """All pods of the cluster. ``unready`` pods are reported so whatever their probes say.

    ``used_again``: addresses that the next pods get, if no pod has them. ``end_seen_late_s``: so
    much later than its last container a terminating pod ends, as on a real node about 1 s.
    """

    def __init__(
        self,
        node: Node,
        address: str,
        issue: Callable[[str, str], str],
        addresses: Callable[[], str],
    ) -> None:
        self.node, self.address, self.issue = node, address, issue
        self.unready: set[tuple[str, str]] = set()
        self.used_again: list[str] = []
        self.end_seen_late_s = 0.0
        self._addresses = addresses
        self._runners: dict[str, PodRunner] = {}
        self._new: asyncio.Queue[Json] = asyncio.Queue(100_000)

    async def run(self) -> None:
        """Until cancelled; then all containers are killed."""
        stop = self.node.world.store.listen(self._note)
        try:
            async with asyncio.TaskGroup() as group:
                for pod in self.node.world.all("Pod"):
                    self._new.put_nowait(pod)
                while True:
                    pod = await self._new.get()
                    runner = self._schedule(pod)
                    if runner is not None:
                        group.create_task(self._serve(runner))
        finally:
            stop()

    def running(self, namespace: str = "") -> Iterator[PodRunner]:
        """The pods that are here."""
        return (each for each in self._runners.values() if namespace in ("", each.namespace))

    def container(self, namespace: str, pod: str, name: str) -> Container:
        """A container by name; 400 when it must be named, 404 for a pod that is not here."""
        resource = self.node.world.resource("Pod")
        for runner in self.running(namespace):
            if runner.name == pod:
                found = [*runner.apps, *runner.inits]
                if not name and len(runner.apps) == 1:
                    return runner.apps[0]
                if not name:
                    names = " ".join(each.name for each in runner.apps)
                    raise bad_request(
                        f"a container name must be specified for pod {pod}, choose one of: "
                        f"[{names}]"
                    )
                for each in found:
                    if each.name == name:
                        return each
                raise bad_request(f"container {name} is not valid for pod {pod}")
        raise not_found(resource, pod)

    def _schedule(self, pod: Json) -> PodRunner | None:
        metadata = pod["metadata"]
        current = self.node.world.get("Pod", metadata["namespace"], metadata["name"])
        if metadata["uid"] in self._runners or current is None or is_over(current):
            return None
        if current["metadata"]["uid"] != metadata["uid"] or is_ending(current):
            return None

        def bind(edited: Json) -> None:
            edited["spec"]["nodeName"] = NODE

        runner = PodRunner(self, current, self.address_of_pod())
        self._runners[runner.uid] = runner
        try:
            runner.pod = self.node.world.change(current, bind)
        except Failure as failure:
            if failure.code not in (404, 409):  # It was deleted or replaced meanwhile.
                raise
            del self._runners[runner.uid]
            return None
        return runner

    def address_of_pod(self) -> str:
        """An address that no pod has."""
        taken = {each.address for each in self._runners.values()}
        for each in self._runners.values():
            taken.update(each.loopback.addresses.values())
        for address in self.used_again:
            if address not in taken:
                self.used_again.remove(address)
                return address
        return next(each for each in iter(self._addresses, "") if each not in taken)

    async def _serve(self, runner: PodRunner) -> None:
        try:
            await runner.run()
        except* Failure as refused:  # 404: the pod was removed while its status was written.
            if refused.subgroup(lambda each: isinstance(each, Failure) and each.code != 404):
                raise
        finally:
            for each in [*runner.inits, *runner.apps]:
                each.kill()
            self._runners.pop(runner.uid, None)

    def _note(self, change: Change) -> None:
        kind = change.resource.kind
        if kind in ("Secret", "ConfigMap"):
            found = change.after or change.before or {}
            self._refresh(kind, found["metadata"]["namespace"], found["metadata"]["name"])
            return
        if kind != "Pod":
            return
        uid = ((change.after or change.before) or {})["metadata"]["uid"]
        runner = self._runners.get(uid)
        if runner is not None:
            runner.note(change.after)
        elif change.after is not None and change.before is None:
            self._new.put_nowait(change.after)

    def _refresh(self, kind: str, namespace: str, name: str) -> None:
        """Mounted Secrets and ConfigMaps follow their objects (here at once, not in a minute)."""
        for runner in self.running(namespace):
            runner.woken.set()
            if runner.volumes.uses(runner.pod, kind, name) and runner.is_running:
                runner.volumes.refresh(runner.current())


def kubeconfig_for(url: str, directory: Path) -> Callable[[Path, str], str]:
    """Writes a kubeconfig that uses a mounted ServiceAccount's files; gives its path.

    A process without a mount namespace cannot find them at the usual path.
    """

    def write(account: Path, namespace: str) -> str:
        path = directory / f"kubeconfig-{account.parent.parent.name}-{account.name}.yaml"
        path.write_text(
            "apiVersion: v1\nkind: Config\ncurrent-context: in-cluster\n"
            f"clusters: [{{name: c, cluster: {{server: '{url}', "
            f"certificate-authority: '{account}/ca.crt'}}}}]\n"
            f"users: [{{name: u, user: {{tokenFile: '{account}/token'}}}}]\n"
            "contexts: [{name: in-cluster, context: "
            f"{{cluster: c, user: u, namespace: {namespace}}}}}]\n"
        )
        return str(path)

    return write
