"""Reports about the other workers of this router: events, problems, their list."""

import os
from collections.abc import Sequence

import msgspec

from router.admin.views.status import WorkerView
from router.model import limits
from router.model.events import Problem, Tell
from router.node.time_text import utc_of
from router.workers.one_worker import WorkerState


class Ending(msgspec.Struct, frozen=True):
    """Why a worker ended. ``is_drained``: it was asked to, and finished its requests.
    ``has_begun``: it has answered, so it may have had requests in flight."""

    why: str
    is_drained: bool = False
    has_begun: bool = True


class WorkerReports:
    """Reports about all but the first worker, by the first one."""

    __slots__ = ("_all", "_count", "_logs_to_file", "_tell")

    def __init__(self, others: Sequence[WorkerState], tell: Tell, *, logs_to_file: bool) -> None:
        self._all, self._tell, self._logs_to_file = others, tell, logs_to_file
        self._count = len(others) + 1

    # Events.

    def ended(self, one: WorkerState, ending: Ending) -> None:
        """The worker ended, and will be restarted."""
        gone = f"Worker {one.index} of {self._count} is gone: {ending.why}"
        if ending.is_drained:
            self._tell(
                "info", "worker-ended", f"worker {one.index}", f"{gone}; it is started again."
            )
            return
        if not ending.has_begun:
            self._tell(
                "error", "worker-ended", f"worker {one.index}", f"{gone}; it is started again."
            )
            return
        cost = (
            f"{gone}. What it had under way is lost{_lost_text(one.lost)}, as are connections "
            "that waited for it; it is started again."
        )
        self._tell("error", "worker-ended", f"worker {one.index}", cost)

    def serves(self, one: WorkerState) -> None:
        """The worker is ready for the first time in its life."""
        text = f"Worker {one.index} of {self._count} serves: process {one.pid}."
        self._tell("info", "worker-ready", f"worker {one.index}", text)

    def silent(self, one: WorkerState) -> None:
        """The worker has not answered for long."""
        text = f"{self._since(one)}: {self._what_waits()}."
        self._tell("error", "worker-silent", f"worker {one.index}", text, self._hung_hint(one))

    def answers_again(self, one: WorkerState) -> None:
        """The worker answers again after a long silence."""
        text = f"Worker {one.index} of {self._count} answers again."
        self._tell("info", "worker-answers", f"worker {one.index}", text)

    # States.

    def views(self, own_ready: bool) -> tuple[WorkerView, ...]:
        """Each worker, this one first; empty: it is the only one."""
        if not self._all:
            return ()
        first = WorkerView(index=0, process=os.getpid(), ready=own_ready, restarts=0)
        return (
            first,
            *(
                WorkerView(
                    index=one.index,
                    process=one.pid or None,
                    ready=one.serves,
                    restarts=max(0, one.starts - 1),
                    silent_since=utc_of(one.silence.since),
                )
                for one in self._all
            ),
        )

    def problems(self) -> tuple[Problem, ...]:
        """Workers that do not answer, and those that are not back."""
        silent = [
            Problem(
                code="SW0691",
                message=f"{self._since(one)}: {self._what_waits()}. Its share of each capacity "
                "is not used.",
                hint=self._hung_hint(one),
            )
            for one in self._all
            if one.silence.is_long
        ]
        gone = [
            Problem(
                code="SW0690",
                message=f"Worker {one.index} of {self._count} does not serve: {one.why}. Its share "
                "of each capacity is not used.",
                hint=f"It is started again by itself; why it ends: {self._log_of(one)}",
            )
            for one in self._all
            if one.why
        ]
        return (*silent, *gone)

    def _since(self, one: WorkerState) -> str:
        since = utc_of(one.silence.since)
        return f"Worker {one.index} of {self._count} has not answered since {since}"

    def _what_waits(self) -> str:
        """The effect of a silent worker on clients: its sockets stay open, and the kernel deals to
        all.
        """
        listening = 1 + sum(one.ready for one in self._all)
        return (
            f"about 1 of {listening} new connections goes to it and waits, as do the requests "
            "that it has under way"
        )

    def _hung_hint(self, one: WorkerState) -> str:
        most_s = limits.WORKER_HUNG_ASKS * limits.WORKER_ASK_S
        return (
            f"After {most_s:g} s without an answer the router ends it and starts it again, and "
            f"these connections are reset; its log: {self._log_of(one)}"
        )

    def _log_of(self, one: WorkerState) -> str:
        if self._logs_to_file:
            return f"run/workers/{one.index}/router.log"
        return "the router's own log: of its unit or container"


def _lost_text(count: int) -> str:
    if not count:
        return ""
    what = "1 request or connection was" if count == 1 else f"{count} requests or connections were"
    return f" ({what} under way at its last report)"
