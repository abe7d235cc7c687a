"""The other workers of this router: started, led, queried, and restarted when they end.

Only the first worker does this. A worker that ends loses its streams; its share of each capacity is
unused until its successor, which starts without requests in flight.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial

import msgspec

from certs.tls.contexts import WORKER_ALPN
from router.admin.ports import MetricValues
from router.model import limits
from router.model.events import Event, Tell
from router.model.ids import ServiceKey
from router.model.ticks import doubled_s
from router.workers.gone_ports import GonePorts
from router.workers.lasting_counters import without_lasting
from router.workers.one_worker import WorkerState, of
from router.workers.sums import counters, lost_values, summed
from router.workers.worker_messages import (
    Ask,
    EventsQuestion,
    FiguresQuestion,
    Follow,
    FromWorker,
    Holding,
    Leave,
    MessageTooLong,
    NumberedEvents,
    Question,
    ReadAgain,
    Rebalance,
    Reopen,
    ServicePlace,
    Stop,
    Told,
    WorkerAnswer,
    WorkerCut,
    WorkerDoor,
    WorkerFailed,
    heard,
)
from router.workers.worker_reports import Ending, WorkerReports

log = logging.getLogger("router.workers")

_OFFERED = bytes([len(WORKER_ALPN)]) + WORKER_ALPN.encode()  # As encoded in RFC 7301.
_HELLO_BYTES = 4096  # Of a ClientHello, with present-day key shares.
NOT_FOR_WORKERS = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
"""Environment variables of the first one only: systemd listens to it and watches it."""


class Lead(msgspec.Struct, frozen=True):
    """The first worker's present state: where others dial it, and where it listens for clients."""

    door: str
    places: frozenset[ServicePlace]


class Workers:
    """Workers 1 to ``count`` - 1: none in a router of one process, which leads and queries none.

    ``command`` starts one, without its number. ``lead``: the present state of this one.
    """

    def __init__(
        self,
        count: int,
        command: Sequence[str],
        lead: Callable[[], Lead],
        tell: Tell,
        *,
        logs_to_file: bool,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.count = count
        self._monotonic = monotonic
        self._command, self._lead = tuple(command), lead
        self._logs_to_file = logs_to_file
        self.all = tuple(WorkerState(index, monotonic) for index in range(1, count))
        self.reports = WorkerReports(self.all, tell, logs_to_file=logs_to_file)
        self._number = 0
        self.gone = MetricValues({}, {})
        """Counters of workers that died, except those of service ports, which are in
        `WorkerState.counters`.
        """
        self.cut = 0
        """Requests and connections that workers cut when they ended."""
        self._hear_event: Callable[[int, Event], None] = lambda worker, event: None
        self._gone_ports: GonePorts | None = None
        self._stopping = asyncio.Event()
        self.over = asyncio.Event()
        """Set once all have ended after `stop`."""

    def follow_events(self, hear: Callable[[int, Event], None]) -> None:
        """Call ``hear`` with each event that another worker, by its index, reports."""
        self._hear_event = hear

    def follow_ports(self, known: Callable[[], Collection[ServiceKey]]) -> None:
        """Forget other service ports than the ``known`` ones."""
        self._gone_ports = GonePorts(self.all, known)

    async def run(self) -> None:
        """Run until `stop` and until all have ended."""
        async with asyncio.TaskGroup() as tasks:
            lives = [tasks.create_task(self._keep(one)) for one in self.all]
            leading = tasks.create_task(self._lead_on())
            for life in lives:
                await asyncio.wait([life])
            leading.cancel()
        self.over.set()

    @property
    def are_stopping(self) -> bool:
        """Whether they got the signal to stop."""
        return self._stopping.is_set()

    # Their lives ----------------------------------------------------------------------------

    async def _keep(self, one: WorkerState) -> None:
        """Restart it whenever it ends, after a pause that grows while it does not last."""
        failures = 0
        while not self._stopping.is_set():
            began = self._monotonic()
            try:
                ending = await self._live(one)
            except (OSError, RuntimeError) as error:  # The last: a thread could not be started.
                reason = getattr(error, "strerror", None) or error
                why = f"it could not be started: {reason}"
                ending = Ending(why, has_begun=False)
            if self._stopping.is_set():
                return
            lasted_s = self._monotonic() - began
            failures = 0 if lasted_s >= limits.WORKER_LASTS_S else failures + 1
            one.why = ending.why
            self.reports.ended(one, ending)
            pause_s = doubled_s(limits.WORKER_PAUSE_MIN_S, failures, limits.WORKER_PAUSE_MAX_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._stopping.wait()

    async def _live(self, one: WorkerState) -> Ending:
        """Run one life."""
        ours, theirs = socket.socketpair()
        given, taken = socket.socketpair()
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                *("--index", str(one.index), "--links", str(taken.fileno())),
                stdin=theirs.fileno(),
                pass_fds=(taken.fileno(),),
                stdout=asyncio.subprocess.DEVNULL if self._logs_to_file else None,
                env={k: v for k, v in os.environ.items() if k not in NOT_FOR_WORKERS},
            )
        except BaseException:
            ours.close()
            given.close()
            raise
        finally:
            theirs.close()
            taken.close()
        try:
            ours.setblocking(False)
            given.setblocking(False)
            reader, writer = await asyncio.open_connection(sock=ours)
            one.begun(process.pid, writer, given)
            if self._stopping.is_set():
                one.say(Stop())
            async with asyncio.TaskGroup() as tasks:
                hearing = tasks.create_task(self._hear(one, reader))
                code = await process.wait()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(limits.WORKER_ENDS_S):
                        await hearing  # It may have reported why it ends.
        finally:
            if process.returncode is None:  # This task is canceled: no other code would end it.
                process.kill()
            lost = one.open_now if process.returncode else {}  # A drained worker lost none.
            self.gone = summed([self.gone, counters(map(without_lasting, one.metrics))])
            one.counters.count(lost_values(lost))
            one.lost = sum(lost.values())
            failed, has_begun = one.failed, one.silence.has_answered
            one.ended(lost)
            with contextlib.suppress(TimeoutError):  # It may hang in the kernel.
                async with asyncio.timeout(limits.WORKER_ENDS_S):
                    await process.wait()
        if one.is_killed:
            return Ending("it did not answer and was ended", has_begun=has_begun)
        if not code:
            return Ending("it was asked to stop, and drained", is_drained=True)
        why = f"it failed: {failed}" if failed else f"it ended with {code}"
        return Ending(f"signal {-code} ended it" if code < 0 else why, has_begun=has_begun)

    async def _hear(self, one: WorkerState, reader: asyncio.StreamReader) -> None:
        decoder = msgspec.msgpack.Decoder(FromWorker)
        try:
            while True:
                message: FromWorker = await heard(reader, decoder)
                match message:
                    case WorkerDoor(address=address):
                        one.door = address
                        self._lead_all()
                    case WorkerFailed(error=error):
                        one.failed = error
                    case WorkerCut(under_way=under_way):
                        self.cut += under_way
                    case WorkerAnswer() as answer:
                        self._answered(one, answer)
        except (EOFError, OSError):
            return
        except (msgspec.MsgspecError, MessageTooLong) as error:
            # Of another release, installed since we began.
            log.error("worker %d is not understood and is ended: %s", one.index, error)
            with contextlib.suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGKILL)

    def _answered(self, one: WorkerState, answer: WorkerAnswer) -> None:
        if one.silence.is_long:
            self.reports.answers_again(one)
        one.silence.answered(time.time())
        if answer.ready and not one.ready:
            one.why = ""
            self.reports.serves(one)
        one.ready = answer.ready
        one.has_links(answer.links)
        one.clients_wait, one.why_no_dial = answer.clients_wait, answer.why_no_dial
        one.full_ports = dict(answer.full_ports)
        one.refused_clients = dict(answer.refused_clients)
        one.hear(answer)

    # Leading ---------------------------------------------------------------------------------

    async def _lead_on(self) -> None:
        asked_at = figures_at = ports_at = 0.0
        while True:
            self._lead_all()
            now = self._monotonic()
            if now - asked_at >= limits.WORKER_ASK_S:
                asked_at = now
                for one in self.all:
                    if one.pid:
                        self._ask_how(one)
            if now - figures_at >= limits.WORKER_FIGURES_S:
                figures_at = now
                self._ask_lately()
                self._ask_events()
            if self._gone_ports is not None and now - ports_at >= limits.WORKER_PORTS_LOOK_S:
                ports_at = now
                self._gone_ports.look(now)
            await asyncio.sleep(limits.WORKER_LOOK_S)

    def _lead_all(self) -> None:
        """Send each worker the doors of those before it, and the first one's listeners."""
        lead = self._lead()
        doors = [lead.door]
        for one in self.all:
            message = Follow(tuple(door for door in doors if door), lead.places)
            if one.writer is not None and message != one.told:
                one.told = message
                one.say(message)
            doors.append(one.door)

    def _ask_how(self, one: WorkerState) -> None:
        was_long = one.silence.is_long
        one.silence.asked()
        if one.silence.is_over_long and not one.is_killed:
            log.error("worker %d does not answer and is ended", one.index)
            one.is_killed = True
            with contextlib.suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGKILL)
            return
        if one.silence.is_long and not was_long:
            self.reports.silent(one)
        self._number += 1
        one.say(Ask(self._number))

    def _ask_lately(self) -> None:
        """For events and problems, which no client asks for."""
        for one in self.all:
            if one.answers and (one.lately_asked is None or one.lately_asked.done()):
                self._number += 1
                one.lately_asked = one.ask(self._number, FiguresQuestion("lately"))

    def _ask_events(self) -> None:
        for one in self.all:
            if one.answers and (one.events_asked is None or one.events_asked.done()):
                self._number += 1
                one.events_asked = one.ask(self._number, EventsQuestion(one.events_told))
                one.events_asked.add_done_callback(partial(self._events_told, one))

    def _events_told(self, one: WorkerState, asked: asyncio.Future[tuple[Told, ...]]) -> None:
        if asked.cancelled():
            return
        for told in of(asked.result(), NumberedEvents):
            for number, event in told.items:
                one.events_told = number
                self._hear_event(one.index, event)

    def take_link(self, sock: socket.SocketType) -> bool:
        """Give an incoming link to the worker with the fewest, if the peer asks for that.

        Its data lane cannot be told from another link, and may come to another worker, which
        refuses it: each try counts there, so that a later one comes to the right worker.

        While a worker is awaited, the link is closed, and the peer dials again: it has another link
        here. A link that cannot be inspected or given stays here: that works too, but spreads less.
        """
        try:
            hello = sock.recv(_HELLO_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except OSError:
            return False
        if _OFFERED not in hello:
            return False
        now = self._monotonic()
        if any(not one.ready and now < one.awaited_until for one in self.all):
            return True
        ready = [one for one in self.all if one.serves and one.given is not None]
        if not ready:
            return False
        one = min(ready, key=lambda one: one.links + one.astray)
        assert one.given is not None
        try:
            socket.send_fds(one.given, [b"L"], [sock.fileno()])
        except OSError:
            return False
        one.astray += 1
        return True

    def read_again(self) -> None:
        """Documents and secrets may have changed: let each read them again."""
        for one in self.all:
            one.say(ReadAgain())

    def hold(self, news: Holding) -> None:
        """Send ``news`` to each worker that does not know it, such as one that was restarted."""
        for one in self.all:
            if one.writer is not None and one.holdings.get(news.service) != news:
                one.holdings[news.service] = news
                one.say(news)

    def rebalance(self, orders: Iterable[Rebalance]) -> None:
        """Let each begin these runs."""
        for order in orders:
            for one in self.all:
                one.say(order)

    def reopen(self) -> None:
        """SIGHUP: let each reopen its logs."""
        for one in self.all:
            one.say(Reopen())

    def leave(self) -> None:
        """Mark the site as deleted once they stop."""
        for one in self.all:
            one.say(Leave())

    def stop(self) -> None:
        """Drain and end them; called again: end them at once."""
        order = Stop(at_once=self._stopping.is_set())
        self._stopping.set()
        for one in self.all:
            one.say(order)

    def kill(self) -> None:
        """Kill the remaining ones."""
        for one in self.all:
            if one.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one.pid, signal.SIGKILL)

    # Queries ---------------------------------------------------------------------------------

    async def ask(
        self, question: Question | Callable[[WorkerState], Question]
    ) -> list[tuple[WorkerState, tuple[Told, ...]]]:
        """The answers that arrive in time."""
        asked = []
        for one in self.all:
            if one.answers:
                self._number += 1
                its = question(one) if callable(question) else question
                asked.append((one, one.ask(self._number, its)))
        if asked:
            await asyncio.wait([future for _, future in asked], timeout=limits.WORKER_ANSWER_S)
        return [
            (one, future.result())
            for one, future in asked
            if future.done() and not future.cancelled()
        ]
