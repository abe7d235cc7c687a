"""Other namespaces of the cluster: their pods that are targets here, and AttachedConnectors.

Each namespace is mirrored while a document here names it, as far as a Role there permits. Taking
the Role away takes back a consent, so objects that may no longer be read are gone, as after a
restart.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import Final

from router.kubernetes.client.api import Api
from router.kubernetes.objects.objects import NO_NAMESPACES, OtherNamespace
from router.kubernetes.store.informer import Informer
from router.kubernetes.store.selections import Selection, pod, whole
from router.kubernetes.store.supervise import run_supervised
from router.model import limits

POD, ATTACHED = "Pod", "AttachedConnector"
CHANGED: Final = {POD: "pods elsewhere", ATTACHED: "attached connectors elsewhere"}
"""Argument of ``changed``, by the kind that changed."""

_LEFT_OUT: Final = OtherNamespace(objects={}, is_left_out=True)


class OtherNamespaces:
    """Mirrors other namespaces: `want` selects them, `run` mirrors until cancelled."""

    def __init__(self, api: Api, changed: Callable[[str], None], rng: random.Random) -> None:
        self._api, self._changed, self._rng = api, changed, rng
        self._wanted: frozenset[tuple[str, str]] = frozenset()  # Namespace and kind.
        self._informers: dict[tuple[str, str], Informer] = {}
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._woken = asyncio.Event()
        self._left_out: frozenset[str] = frozenset()
        self._view: Mapping[str, OtherNamespace] = NO_NAMESPACES

    def want(self, pods: frozenset[str], attached: frozenset[str]) -> None:
        """Mirror the Pods and AttachedConnectors of these namespaces, and no others.

        If there are too many, the first by name.
        """
        named = sorted(pods | attached)  # All routers of a site must choose the same.
        kept = frozenset(named[: limits.OTHER_NAMESPACES_MAX])
        left_out = frozenset(named) - kept
        wanted = {(name, POD) for name in pods & kept} | {(n, ATTACHED) for n in attached & kept}
        if wanted != self._wanted:
            self._wanted = frozenset(wanted)
            self._woken.set()
        if left_out != self._left_out:
            self._left_out = left_out
            for what in CHANGED.values():
                self._changed(what)

    async def run(self) -> None:
        """Mirror until cancelled."""
        self._tasks.clear()  # After a fault of ours, those of the run before have ended.
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._follow(tasks)
                await self._woken.wait()
                self._woken.clear()

    def _follow(self, tasks: asyncio.TaskGroup) -> None:
        for key in self._tasks.keys() - self._wanted:
            self._tasks.pop(key).cancel()
            del self._informers[key]
            self._read(*key)
        for key in sorted(self._wanted - self._tasks.keys()):
            namespace, kind = key
            informer = self._informers[key] = self._mirror(namespace, kind)
            running = run_supervised(informer, f"the mirror of {kind} in namespace {namespace}")
            self._tasks[key] = tasks.create_task(running)

    def _mirror(self, namespace: str, kind: str) -> Informer:
        selection = Selection(
            kind=kind,
            namespace=namespace,
            keep=pod if kind == POD else whole,
            revocable=True,
            custom=kind == ATTACHED,
        )

        def changed(kind: str) -> None:
            self._read(namespace, kind)

        return Informer(self._api, selection, changed, self._rng)

    def _read(self, namespace: str, kind: str) -> None:
        """Update the view of a namespace from its mirrors."""
        listed = {of: one for (name, of), one in self._informers.items() if name == namespace}
        view = dict(self._view)
        view.pop(namespace, None)
        if listed:
            view[namespace] = OtherNamespace(
                objects={of: one.copy() for of, one in listed.items() if one.listed},
                refused={
                    of: one.refused.message for of, one in listed.items() if one.refused is not None
                },
            )
        self._view = view
        self._changed(CHANGED[kind])

    @property
    def unanswered(self) -> frozenset[str]:
        """Wanted namespaces without any answer so far, not even a refusal."""
        return frozenset(
            key[0]
            for key in self._wanted
            if key not in self._informers or not self._informers[key].settled
        )

    @property
    def view(self) -> Mapping[str, OtherNamespace]:
        """The state of each namespace, by name; namespaces without an answer are missing."""
        return {**self._view, **dict.fromkeys(self._left_out, _LEFT_OUT)}
