"""One container: a process of this machine, or nothing at all (hollow), and its state."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from tests.kubernetes import processes
from tests.kubernetes.admission import TOKEN_DIRECTORY
from tests.kubernetes.environment import Loopback, Mounts, expanded, variables
from tests.kubernetes.images import ROOT, Image
from tests.kubernetes.probes import Prober, holds
from tests.kubernetes.registry import now
from tests.kubernetes.resources import Json
from tests.kubernetes.volumes import NotThere, Volumes
from tests.kubernetes.world import World

BACKOFF_S, BACKOFF_S_MAX = 0.1, 5.0
KILLED: Final = 128
NO_PROCESS: Final[Json] = {"waiting": {"reason": "ContainerCreating"}}


class Node(msgspec.Struct, kw_only=True):
    """What containers share: where the API is, how fast probes go, what images are."""

    world: World
    state: Path
    url_variables: dict[str, str]
    probe_speed: float
    kubeconfig: Callable[[Path, str], str]
    images: dict[str, Image]


_UNTIL_THE_GRACE_ENDS_S: Final = 3600.0


class _NotStarted(Exception):
    """The command of a container cannot be run."""


class Container:
    """Its state as the pod's status shows it, and the ways to start, probe and stop it."""

    def __init__(
        self,
        node: Node,
        spec: Json,
        image: Image | None,
        volumes: Volumes,
        directory: Path,
        loopback: Loopback,
        on_change: Callable[[], None],
    ) -> None:
        self.spec, self.image = spec, image
        self.name: str = spec["name"]
        self.state, self.last_state = NO_PROCESS, dict[str, Json]()
        self.started, self.ready, self.restarts = False, False, 0
        self.env: dict[str, str] = {}
        self.mounts = Mounts(spec, volumes)
        self.directory, self._loopback = directory, loopback
        self._node, self._on_change = node, on_change
        self._process: processes.Process | None = None
        self._hollow_end = asyncio.Event()
        self._stopping, self._ended = asyncio.Event(), asyncio.Event()
        self._starting = asyncio.Lock()  # From before there is a process until its state says so.
        self.was_started = asyncio.Event()
        self.was_begun = asyncio.Event()

    @property
    def is_sidecar(self) -> bool:
        """Whether it is a native sidecar."""
        return self.spec.get("restartPolicy") == "Always"

    @property
    def is_running(self) -> bool:
        """Whether it runs now."""
        return "running" in self.state

    def log_path(self, restarts: int | None = None) -> Path:
        """The file that gets its output."""
        number = self.restarts if restarts is None else restarts
        return self.directory / f"{self.name}.{number}.log"

    def status(self) -> Json:
        """Its entry of containerStatuses."""
        return {
            "name": self.name,
            "image": self.spec["image"],
            "imageID": self.spec["image"],
            "containerID": f"test://{self.directory.name}-{self.name}-{self.restarts}",
            "ready": self.ready,
            "started": self.started,
            "restartCount": self.restarts,
            "state": self.state,
            "lastState": self.last_state,
        }

    async def keep(self, pod: Callable[[], Json], policy: str) -> int:
        """Run it, and again as ``policy`` says; gives the last exit code.

        ``was_begun`` is set once the kubelet turns to the next container: this one runs and its
        postStart hook is over, or it cannot be created.
        """
        try:
            return await self._keep(pod, policy)
        finally:
            self.was_begun.set()

    async def _keep(self, pod: Callable[[], Json], policy: str) -> int:
        backoff_s = BACKOFF_S
        while True:
            try:
                code = await self._once(pod)
            except NotThere as missing:
                self._wait("CreateContainerConfigError", str(missing))
                self.was_begun.set()
                if await self._pause(BACKOFF_S):
                    return KILLED
                continue
            except _NotStarted as error:
                self._wait("RunContainerError", f"failed to start container {self.name}: {error}")
                if await self._pause(BACKOFF_S_MAX):
                    return KILLED
                continue
            if self._stopping.is_set() or policy == "Never" or (policy == "OnFailure" and not code):
                return code
            self.restarts += 1
            self.last_state = self.state
            self._wait("CrashLoopBackOff", f"back-off restarting failed container {self.name}")
            if await self._pause(backoff_s):
                return code
            backoff_s = min(2 * backoff_s, BACKOFF_S_MAX)

    async def stop(self, deadline: float, *, hook: bool = True) -> None:
        """preStop, SIGTERM, and SIGKILL at ``deadline`` (of the loop's clock)."""
        self._stopping.set()
        loop = asyncio.get_running_loop()
        async with self._starting:
            if not self.is_running:
                return
        try:
            async with asyncio.timeout_at(deadline):
                if hook:
                    await self._pre_stop()
                self._signal(signal.SIGTERM)
                await self._ended.wait()
        except TimeoutError:
            self.kill()
            async with asyncio.timeout_at(loop.time() + 5):
                await self._ended.wait()

    def end(self) -> None:
        """End it, as after a probe that failed for good; it runs again as its policy says."""
        grace_s, process = float(self.spec.get("terminationGracePeriodSeconds", 30)), self._process
        self._signal(signal.SIGTERM)

        def kill() -> None:
            if process is not None and process.returncode is None:  # Not the one that came after.
                self._kill_group(process)

        asyncio.get_running_loop().call_later(grace_s, kill)

    def kill(self) -> None:
        """SIGKILL to all of its processes."""
        self._stopping.set()
        self._hollow_end.set()
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    async def run(self, words: list[str], timeout_s: float) -> bool:
        """Whether a command in it succeeds in time."""
        process = await self.spawn(words, stdin=processes.DEVNULL)
        try:
            async with asyncio.timeout(timeout_s):
                await process.communicate()
        except TimeoutError:
            return False
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.communicate()
        return process.returncode == 0

    async def spawn(self, words: list[str], *, stdin: int = processes.PIPE) -> processes.Process:
        """Start a command in it, as ``kubectl exec`` does. FileNotFoundError: no such program."""
        mapped = [self._mapped(word) for word in words]
        return await processes.start(
            self.image.argv(mapped) if self.image is not None else mapped,
            stdin=stdin,
            stdout=processes.PIPE,
            stderr=processes.PIPE,
            env=self.env or dict(os.environ),
            cwd=self.directory if self.directory.exists() else None,
        )

    # Steps.

    async def _once(self, pod: Callable[[], Json]) -> int:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.env = self._environment(pod())
        self._hollow_end.clear()
        self._ended.clear()
        async with self._starting:
            if self.image is not None:
                try:
                    await self._start(self.image)
                except OSError as error:  # A command that this machine has not.
                    self._ended.set()
                    raise _NotStarted(str(error)) from error
            self.state = {"running": {"startedAt": now()}}
        self._on_change()
        await self._post_start()
        self.was_begun.set()
        try:
            async with asyncio.TaskGroup() as group:
                probing = group.create_task(self._probe(pod))
                code = await self._exit_code()
                probing.cancel()
        finally:
            if self._process is not None:
                self._kill_group(self._process)
                await self._process.wait()
        self.started = self.ready = False
        reason = "Completed" if code == 0 else "Error"
        ended = {"exitCode": code, "reason": reason, "finishedAt": now()}
        self.state = {"terminated": {**ended, "startedAt": self.state["running"]["startedAt"]}}
        self._ended.set()
        self._on_change()
        return code

    async def _start(self, image: Image) -> None:
        words, args = self._stated("command"), self._stated("args")
        if not words:  # The image's own words name files of this machine as they are.
            words, args = list(image.entrypoint), args or list(image.cmd)
        argv = image.argv([*words, *args])
        if not argv:
            raise OSError("no command specified")
        with self.log_path().open("wb") as log:
            self._process = await processes.start(
                argv,
                stdin=processes.DEVNULL,
                stdout=log.fileno(),
                stderr=log.fileno(),
                env=self.env,
                cwd=self.mounts.at(self.spec.get("workingDir") or "") or self.directory,
            )

    def _environment(self, pod: Json) -> dict[str, str]:
        programs = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '/usr/bin:/bin')}"
        found = {
            "PATH": programs,
            "PYTHONPATH": str(ROOT),
            "HOME": str(self.directory),
            "HOSTNAME": pod["metadata"]["name"],
            "POD_IP": pod["status"]["podIP"],
            "POD_HOSTS": str(self._loopback.path),
            **self._node.url_variables,
            **(self.image.env if self.image is not None else {}),
        }
        account = self.mounts.at(TOKEN_DIRECTORY)
        if account is not None:
            found["KUBERNETES_SERVICEACCOUNT_DIR"] = str(account)
            place = pod["metadata"]["namespace"]
            found["KUBECONFIG"] = self._node.kubeconfig(account, place)
        own = variables(self._node.world, pod, self.spec)
        return {**found, **{key: self._mapped(text) for key, text in own.items()}}

    async def _exit_code(self) -> int:
        if self._process is None:
            await self._hollow_end.wait()
            return 0
        code = await self._process.wait()
        return code if code >= 0 else KILLED - code

    def _kill_group(self, process: processes.Process) -> None:
        """Kill all that its first process left behind."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)

    async def _pause(self, seconds: float) -> bool:
        """Wait for at most ``seconds``; return whether it must stop."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return False
        return True

    def _wait(self, reason: str, message: str) -> None:
        self.started = self.ready = False
        self.state = {"waiting": {"reason": reason, "message": message}}
        self._on_change()

    def _signal(self, number: signal.Signals) -> None:
        self._hollow_end.set()
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                # Not send_signal: it polls, and takes the exit code from the task that waits for
                # it.
                os.kill(self._process.pid, number)

    def _stated(self, field: str) -> list[str]:
        return [self._mapped(expanded(word, self.env)) for word in self.spec.get(field) or []]

    def _mapped(self, word: str) -> str:
        return self._loopback.mapped(self.mounts.real(word))

    async def _post_start(self) -> None:
        """The container is not probed before, and the next one not started."""
        hook = (self.spec.get("lifecycle") or {}).get("postStart") or {}
        if "exec" in hook and self.image is not None:
            process = await self.spawn(hook["exec"]["command"], stdin=processes.DEVNULL)
            await process.communicate()

    async def _pre_stop(self) -> None:
        hook = (self.spec.get("lifecycle") or {}).get("preStop") or {}
        if "sleep" in hook:
            await asyncio.sleep(hook["sleep"]["seconds"])
        elif "exec" in hook and self.image is not None:
            with contextlib.suppress(OSError):  # A hook that cannot run stops nothing.
                await self.run(hook["exec"]["command"], _UNTIL_THE_GRACE_ENDS_S)

    async def _probe(self, pod: Callable[[], Json]) -> None:
        """Startup first, then liveness and readiness side by side."""
        address, began = pod()["status"]["podIP"], asyncio.get_running_loop().time()
        ports = {
            each["name"]: each["containerPort"]
            for each in self.spec.get("ports") or []
            if "name" in each
        }

        async def watch(name: str, on_change: Callable[[bool], None]) -> None:
            probe, kills = self.spec[name], name != "readinessProbe"

            async def check() -> bool:
                return self.image is None or await holds(probe, address, ports, self.run)

            await Prober(probe, self._node.probe_speed, check, kills=kills).run(on_change, began)

        async with asyncio.TaskGroup() as group:
            if "startupProbe" in self.spec:
                first = asyncio.Event()
                startup = group.create_task(
                    watch("startupProbe", lambda ok: self._begin(ok, first))
                )
                await first.wait()
                startup.cancel()
            self._set(started=True)
            self.was_started.set()
            if "livenessProbe" in self.spec:
                group.create_task(watch("livenessProbe", self._survive))
            if "readinessProbe" in self.spec:
                group.create_task(watch("readinessProbe", lambda ok: self._set(ready=ok)))
            else:
                self._set(ready=True)

    def _begin(self, ok: bool, first: asyncio.Event) -> None:
        if ok:
            first.set()
        else:
            self.end()

    def _survive(self, ok: bool) -> None:
        if not ok:
            self.end()

    def _set(self, *, started: bool | None = None, ready: bool | None = None) -> None:
        self.started = self.started if started is None else started
        self.ready = self.ready if ready is None else ready
        self._on_change()
