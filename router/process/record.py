"""All records of a router, put together: journal, file, audits, spills and tokens."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from certs.joining.claims import Grant
from router.admin.events import EventLog
from router.admin.views.status import Status
from router.model import limits
from router.model.events import ENDED_WITHOUT_STOPPING, Event
from router.model.ids import RouterId, ServiceKey
from router.model.wording.file_trouble import next_step
from router.net.ports import Network
from router.node.problems.left_out import Lack, LeftOut
from router.node.site_router import SiteRouter
from router.operate.figures.figure_scope import FigureScope, with_router
from router.operate.record import event_file
from router.operate.record.audit_log import AuditLog
from router.operate.record.episode_news import EpisodeNews
from router.operate.record.journal import Journal
from router.operate.record.replica_news import ReplicaNews, SiblingAnswers
from router.operate.record.token_watch import TokenWatch
from router.operate.record.worker_news import WorkerNews
from router.process.stores import Store
from router.workers.combined_figures import RouterFigures

_WHY_IT_DIED = "See the end of what it logged, and journalctl -k: the kernel kills for memory"
_WHY_ITS_CONTAINER_DIED = (
    "See why its container ended: kubectl describe pod (OOMKilled: its memory limit), and "
    "kubectl logs --previous"
)


class FollowedRecord:
    """Begins with the events of earlier processes of this router."""

    def __init__(
        self, directory: Path, run: Path, store: Store, loop: asyncio.AbstractEventLoop
    ) -> None:
        """``run``: the directory for this process's files."""
        self._directory, self._store, self._loop = directory, store, loop
        self._file = event_file.opened(run, self._lost)
        self.events = EventLog(
            event_file.read_newest(run, limits.EVENTS_KEPT), lambda: event_file.read_newest(run)
        )
        self.journal = Journal(self.events, self._file.add, _utc_now)
        self.journal.told.append(self._hear)
        self.audit_log = AuditLog(self.journal, store.author, store.documents())
        self._episodes: EpisodeNews | None = None

    def _hear(self, event: Event) -> None:
        message = with_router(event.message, self._store.router_name)
        self._store.hear(msgspec.structs.replace(event, message=message))

    def follow(
        self,
        network: Network,
        router: SiteRouter,
        utc: Callable[[float], str],
        left_out: Callable[[ServiceKey, Lack], LeftOut],
        whole: RouterFigures,
    ) -> None:
        """Report when requests spill or are refused.

        ``utc``: ISO 8601 of the network's seconds. ``left_out``: see `EpisodeNews`. ``whole``: the
        figures of the other workers.
        """
        self.journal.key_of = router.readings.routing_key_of
        self._episodes = EpisodeNews(
            network,
            router.readings,
            self.journal,
            utc,
            left_out,
            router.site_name,
            whole.others.each if whole.workers.all else None,
            whole.others.shares,
            FigureScope(router, whole).named,
        )
        if whole.workers.all:
            WorkerNews(network, self.journal, whole.workers)

    def join_replicas(self, network: Network, router: SiteRouter) -> ReplicaNews:
        """Follow news that only other routers of this namespace have, and report their events if
        this one writes for all. On hosts each router has its own documents, so its own findings.
        """
        sender, store, known = router.questions.sender, self._store, router.links.adjacencies
        siblings = (lambda: known.siblings) if store.namespace else frozenset[RouterId]
        return ReplicaNews(
            network,
            sender,
            siblings,
            lambda: known.staying_siblings,
            store.writes,
            self.journal,
            store.hear,
        )

    def sibling_answers(
        self, network: Network, router: RouterId, status: Callable[[], Status]
    ) -> SiblingAnswers:
        """The answers of this router, whose id is ``router``, to the others of this site."""
        name = self._store.router_name or router
        return SiblingAnswers(name, self.events, status, network.now)

    @property
    def asked_in_vain(self) -> Collection[ServiceKey]:
        """See `EpisodeNews`."""
        return self._episodes.asked_in_vain if self._episodes is not None else ()

    def tokens(
        self,
        granted: Callable[[], Sequence[Grant]],
        grant: Callable[[str], Grant | None],
        ca_pem: Callable[[], str],
    ) -> TokenWatch:
        """The watcher of this site's claims; the caller runs it."""
        grants = (
            self._directory / "secrets" / "grants" if self._store.primary_secrets is None else None
        )
        return TokenWatch(granted, grant, grants, self.journal, ca_pem=ca_pem)

    def found_dead(self, process_id: int) -> None:
        """Report that the previous router, with that process id, did not stop in order."""
        text = f"The router before this one, process {process_id}, {ENDED_WITHOUT_STOPPING}."
        in_pod = "KUBERNETES_SERVICE_HOST" in os.environ
        hint = _WHY_ITS_CONTAINER_DIED if in_pod else _WHY_IT_DIED
        self.journal.tell("warning", "router-died", "router", text, hint)

    def started(self, version: str) -> None:
        """Report that the router serves."""
        where = f"process {os.getpid()} on {socket.gethostname()}"
        text = f"The router, version {version}, serves: {where}."
        self.journal.tell("info", "router-started", "router", text)

    def draining(self) -> None:
        """Report that the router was asked to stop."""
        text = "The router was asked to stop, and drains."
        self.journal.tell("info", "router-draining", "router", text)
        if self._episodes is not None:
            self._episodes.stops()

    def cut(self, under_way: int, after_s: float, *, at_once: bool) -> None:
        """Report that the router stops ``after_s`` after it was asked to, and cuts ``under_way``
        requests. ``at_once``: because it was asked a second time."""
        if not under_way:
            return
        what = "request or connection" if under_way == 1 else "requests or connections"
        text = (
            f"The router stopped {after_s:.0f} s after it was asked to, and cut {under_way} {what}."
        )
        hint = "To wait longer for them the next time: sitectl update --drain-grace DURATION"
        if at_once:
            hint = "It was to stop at once: sitectl stop --now, or a second signal"
        self.journal.tell("warning", "drain-cut", "router", text, hint)

    def stood_still(self, seconds: float) -> None:
        """Report that the process did not run for so long, and goes on."""
        text = (
            f"This router stood still for {seconds:.0f} s: what it tells of links and requests of "
            "that time may be its own doing."
        )
        hint = "See what stops it: too little CPU (`cpu.stat` of its cgroup), a debugger, SIGSTOP"
        self.journal.tell("warning", "router-stood-still", "router", text, hint)

    def reopen(self) -> None:
        """SIGHUP."""
        self._file.reopen()

    def close(self) -> None:
        """Write the last events."""
        if self._episodes is not None:
            self._episodes.close()
        self._file.close()

    def _lost(self, reason: str) -> None:
        """Called by the writing thread; after the loop's end no task remains to report it."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(
                self.journal.tell,
                "warning",
                "events-log-lost",
                "events.log",
                f"Events could not be written to run/events.log: {reason}.",
                next_step(
                    reason, "Free space on that disk and check its permissions; serving goes on"
                ),
            )


def _utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
