"""A router as a running process, with all its parts."""

import asyncio
import contextlib
import logging
import os
import random
import secrets
import socket
from collections.abc import Sequence
from pathlib import Path

from certs.files import read_secret, write_secret
from router import __version__
from router.balance.site.wake_hold import Wake
from router.control import SourcesReading, Wanted
from router.kubernetes.objects.console import USERS_PLACE as CONSOLE_USERS
from router.kubernetes.objects.names import ROUTER
from router.kubernetes.targets.replicas import HeardRouters
from router.model import limits
from router.model.addresses import split
from router.model.errors import ConfigError, RouterError
from router.model.events import Problem
from router.model.ids import ServiceKey
from router.model.wording.file_trouble import next_step
from router.net.epoll import EpollNetwork
from router.net.loop_host import LoopHost
from router.net.sockets import clients_max, listeners_max
from router.node.news.own_faults import OwnFaults
from router.node.parts import WHOLE, Part
from router.node.problems import problems
from router.node.site_router import SiteRouter
from router.node.start import RouterStart
from router.operate.bursts.burst_runs import BurstRunner
from router.operate.consoles.consoles import ConsoleHost
from router.operate.flows.observability_settings import (
    ACCESS_LOG_FILE,
    ObservabilitySettings,
    otel_tracer,
)
from router.operate.insight import Insight
from router.operate.process_facts import ProcessFacts
from router.operate.rebalances import Rebalancer
from router.operate.record.config_news import ConfigNews
from router.process import open_files, restart_needed
from router.process.callers.callers_run import CallersRun
from router.process.lag_probe import LagProbe
from router.process.logs import Logs
from router.process.namespace_status import short
from router.process.orders import Orders
from router.process.peers import Peers
from router.process.process_memory import ProcessMemory
from router.process.record import FollowedRecord
from router.process.skupper2_facts import network_facts
from router.process.state_keeper import StateKeeper
from router.process.stores import Store
from router.process.systemd import notify, reloading, status_line
from router.process.worker_starts import worker_count
from router.trust.trust import SiteTrust
from router.workers.combined_figures import RouterFigures
from router.workers.worker_messages import Holding, ServicePlace
from router.workers.workers import Lead, Workers

log = logging.getLogger("router.process")

_RESTART = "sitectl stop, then sitectl start"
_RESTART_DEPLOYMENT = f"kubectl rollout restart deployment {ROUTER}"


class RouterProcess:
    """The router, its journal, and its reactions to signals."""

    def __init__(
        self,
        directory: Path,
        logs: Logs,
        store: Store,
        reading: SourcesReading,
        part: Part = WHOLE,
        worker_command: Sequence[str] = (),
        *,
        counts_by_document: bool = False,
    ) -> None:
        """``reading``: the present one of ``store``. ``worker_command``: starts the other workers,
        if this process leads them. ``counts_by_document``: the document says how many there are."""
        self._loop = asyncio.get_running_loop()
        self.part, self.store, self._logs, self._directory = part, store, logs, directory
        self._siblings: tuple[str, ...] = ()
        self._started = wanted = reading.wanted
        self.grace_s = wanted.site.drain_grace_s
        self.admin_address = split(wanted.site.admin) if wanted.site.admin else None
        self.serving = asyncio.Event()
        self.stopping, self.aborting = asyncio.Event(), asyncio.Event()
        self.record = FollowedRecord(directory, part.run(directory), store, self._loop)
        self.lag = LagProbe(self.record.stood_still)
        self.tell = self.record.journal.tell
        self._trust = SiteTrust(
            directory, self.tell, primary=store.primary_secrets, leads=part.leads
        )
        self.network = EpollNetwork(LoopHost(self._loop), sharing=part.sharing)
        settles_s = limits.OBJECT_EVENT_AFTER_S if store.namespace else 0.0
        logs.retry_by(self.network)
        self._config_news = ConfigNews(self.network, self.tell, settles_s)
        shared = None if part.leads else directory
        self._state_keeper = StateKeeper(part.state(directory), self.network, self.tell, shared)
        self.router = self._new_router(wanted)
        self.peers = Peers(self._again)
        self.memory = ProcessMemory(self.network, self.router, part.count, self.tell)
        self.own_faults = OwnFaults(self.network.now, self.tell)
        self._start_trust()
        self.observability = self._new_observability(wanted.name)
        self.callers = CallersRun(store.caller_names, self.router.forwarder.observing)
        self.workers = Workers(
            part.count if part.leads else 1,
            worker_command,
            self._lead,
            self.tell,
            logs_to_file=logs.is_file,
        )
        self._whole = RouterFigures(self.workers)
        self.burst_runner = self._new_burst_runner(wanted.name)
        self.console = self._new_console(wanted.name)
        self.tokens = self.record.tokens(self._trust.granted, self._trust.grant, self._trust.ca_pem)
        self.insight = self._new_insight(counts_by_document=counts_by_document)
        self.view = self.insight.view
        replicas = self.record.join_replicas(self.network, self.router)
        self.view.follow_replicas(lambda: replicas.reports)
        self._join()
        self.apply(wanted, list(reading.errors))

    # Its parts ------------------------------------------------------------------------------

    def _new_router(self, wanted: Wanted) -> SiteRouter:
        keeper, owners = self._state_keeper.keeper, self.store.owners
        keeper.shared_owners = owners
        router = SiteRouter(
            self.network,
            self._trust.identity(keeper.router_id, wanted.name),
            self._trust,
            keeper,
            self._trust,
            RouterStart(
                epoch=keeper.next_epoch(),
                boot_nonce=secrets.token_bytes(8),
                version=__version__,
                is_edge=wanted.site.router_mode == "edge",
                service_ttl_s=wanted.site.service_sync_site_ttl_s,
                connections_max=clients_max(),
                listeners_max=listeners_max(),
                place=f"{socket.gethostname()}, process {os.getpid()}",
                restored=self._trust.restored_at,
                common=bool(self.store.namespace),
                has_inner_door=self.part.count > 1,
                worker=self.part.index,
                life=keeper.next_life() if self.store.namespace else 0,
            ),
            rng=random.SystemRandom(),  # Links draw nonces and secrets from it.
            tell=self.tell,
        )
        if owners is not None:
            router.name_adoption.share(owners)
        return router

    def _start_trust(self) -> None:
        """Follow certificates and keys, and report errors of the network."""
        router, trust = self.router, self._trust
        self.network.follow_rejections(router.tls_rejected)
        self.network.hear_handler_errors(self.own_faults.happened)
        trust.start(
            self.network,
            router.refresh_links,
            router.doors.renew,
            router.links.drop,
            router.links.retry_all,
            router.links.renewals,
            router.follow_bars,
            router.wall_clock.set_s,
        )
        trust.renew_over(router.links)
        self.store.tell_of_secrets(router.refresh_links, trust.reload)

    def _new_observability(self, name: str) -> ObservabilitySettings:
        log_file = self.part.run(self._directory) / ACCESS_LOG_FILE
        return ObservabilitySettings(
            self.router.forwarder.observing,
            log_file if self._logs.is_file else None,
            self.network.now,
            otel_tracer(name, __version__),
            self._access_log_lost,
            random.Random(),
        )

    def _new_burst_runner(self, name: str) -> BurstRunner:
        return BurstRunner(
            name,
            self.store.burst_place,
            self._whole.with_totals_of(self.router.readings.totals_of),
            self.tell,
            self.network.now,
            lambda: secrets.token_hex(8),
            hold=self._hold,
        )

    def _new_console(self, name: str) -> ConsoleHost:
        store = self.store
        return ConsoleHost(
            self._directory / "secrets",
            name,
            self.router.identity.site,
            self._trust.authority,
            lambda name: self._trust.service_tls(name, "http"),
            self.tell,
            "" if store.primary_secrets is None else CONSOLE_USERS,
            store.openshift,
            store.namespace,
        )

    def _new_insight(self, *, counts_by_document: bool) -> Insight:
        trust, router = self._trust, self.router
        rebalancer = Rebalancer(router.forwarder, router.site_name, self.workers)
        orders = Orders(
            trust,
            self.burst_runner,
            self.stop,
            self.leave,
            self.read_again,
            router.name_adoption.adopt,
            rebalancer.order,
        )
        facts = ProcessFacts(
            memory=self.memory.guard,
            is_serving=self.serving.is_set,
            loop_lag_s=lambda: self.lag.lag_s,
            expiries=lambda: {**trust.certificate_expiries(), **self.console.expiries()},
            problems=self._host_problems,
            shown_until=trust.issuer.shown_until,
            ca=trust.ca,
            console=self.console.view,
            tls_place=self._tls_place,
            workers_next=self._workers_next if counts_by_document else lambda: None,
        )
        return Insight(
            self.network,
            router,
            self.part,
            self._whole,
            facts,
            orders.carry_out,
            rebalancer,
            self.callers.callers,
            self.tokens.views,
            self.burst_runner,
            self.observability,
        )

    def _tls_place(self, name: str) -> str:
        if self.store.namespace:
            return f"Secret {name}"
        return str(self._directory.absolute() / "secrets" / "tls" / name)

    def _join(self) -> None:
        """Connect the parts with each other."""
        router, whole, view, store = self.router, self._whole, self.view, self.store
        services, others = router.site_services, whole.others
        if self.workers.all:
            self.network.share_links(self.workers.take_link)
            self.workers.follow_ports(lambda: router.readings.keys)
        self._trust.follow_claims(self.tokens.judged)
        answers = self.record.sibling_answers(self.network, router.identity.router, view.own_status)
        self.insight.disclosure.tell_siblings(answers.answer)
        if self.part.leads:
            self.record.follow(self.network, router, view.utc, view.left_out, whole)
            services.judge_with(others)
            services.clients.count_with(others.refused_clients)
            router.questions.count_targets_with(others.unanswered_target_requests)
            services.follow_refusals(lambda: self.record.asked_in_vain)
        else:
            services.leave_judging()
        services.follow_rates(whole.rates(router.readings.rate_states))
        services.follow_declared(store.declared)
        store.attach(
            router.listens_at,
            lambda: short(view, store.router_name),
            lambda services: network_facts(view, router, services),
            self.heard_routers,
        )
        router.shares.follow_heard(store.poke)

    # Interfaces for the store and for `lifecycle` ----------------------------------------------

    def heard_routers(self) -> HeardRouters | None:
        """The other routers of this site, for shares; None: not known."""
        shares, siblings = self.router.shares, self.router.links.adjacencies.siblings
        pods = shares.heard
        return None if pods is None else HeardRouters(pods, bool(siblings), dict(shares.over))

    def admin_credential(self, path: Path) -> str:
        """The credential for the admin API over TCP, created once. Empty: TCP is off."""
        if self.admin_address is None:
            return ""
        try:
            return read_secret(path).decode("ascii").strip()
        except FileNotFoundError:
            credential = secrets.token_urlsafe(32)
            write_secret(path, credential.encode() + b"\n", replace=False)
            return credential

    @property
    def under_way(self) -> int:
        """Requests and connections that end with this process. Of those that a worker serves for
        a client of another one, the client's worker counts."""
        has_others = bool(self.workers.all) or not self.part.leads
        return self.router.forwarder.under_way(self.router.identity.site if has_others else None)

    async def accept_links(self) -> None:
        """Wait for a link port that is taken: an outgoing connection may hold it for a moment.

        Raises `RouterError` when links still cannot be accepted after `limits.LINK_PORT_WAIT_S`.
        """
        doors = self.router.doors
        if doors.port_is_taken:
            reason, wait_s = doors.error, limits.LINK_PORT_WAIT_S
            log.warning("the link port is taken, trying again", extra={"cause": reason})
            notify(f"STATUS=Trying for {wait_s:g} s: {reason}")
            until = self._loop.time() + wait_s
            while doors.port_is_taken and self._loop.time() < until:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(limits.LINK_PORT_RETRY_S):
                        await self.stopping.wait()
                        return
                doors.open()
        if doors.error:
            raise RouterError(doors.error)

    def _host_problems(self) -> tuple[Problem, ...]:
        return (
            *self._trust.problems(),
            *problems.of_disk(self._state_keeper.keeper.trouble, self._logs.trouble),
            *self.console.problems(),
            *open_files.problems(self._why_clients_wait(), self.workers.count),
            *open_files.problems_of_dials(self._why_no_dial(), self.workers.count),
            *open_files.problems_of_full_ports(self._full_ports(), self.workers.count),
            *self.own_faults.problems(self.view.utc),
        )

    def _why_clients_wait(self) -> dict[int, str]:
        """Reasons by worker. A silent worker reports none; its silence is a separate problem."""
        here = open_files.why_clients_wait(self.network, self.router.forwarder.listeners)
        others = {one.index: one.clients_wait for one in self.workers.all if one.serves}
        return {self.part.index: here, **others}

    def _why_no_dial(self) -> dict[int, str]:
        """Reasons by worker, for the workers that answer."""
        others = {one.index: one.why_no_dial for one in self.workers.all if one.serves}
        return {self.part.index: self.network.why_no_dial, **others}

    def _full_ports(self) -> dict[int, dict[ServiceKey, int]]:
        """Full ports by worker, for the workers that answer."""
        others = {one.index: one.full_ports for one in self.workers.all if one.serves}
        return {self.part.index: self.router.forwarder.listeners.full_ports(), **others}

    def apply(self, wanted: Wanted, errors: list[ConfigError]) -> None:
        """Apply the state that the store read."""
        documents = self.store.documents()
        hint = _RESTART_DEPLOYMENT if self.store.namespace else _RESTART
        found = [*errors, *restart_needed.findings(self._started, wanted, documents, hint)]
        self._config_news.apply(found)
        self.grace_s = wanted.site.drain_grace_s
        self.memory.limit(wanted.site.memory_limit_bytes)
        self._state_keeper.keeper.keep_in_force(self.store.in_force())
        self._applied = (wanted, errors)
        if self.part.leads:
            self.record.audit_log.documents(documents)
        self.router.apply(self._resolved(wanted), found)
        self.observability.apply(wanted.site)
        self.callers.apply(names_callers=wanted.site.name_callers)
        if self.part.leads:
            self.burst_runner.apply(wanted.bursts)
            self.console.apply(wanted.site)

    def _workers_next(self) -> int | None:
        count = worker_count(str(self._applied[0].site.workers))
        return count if count != self.part.count else None

    def _resolved(self, wanted: Wanted) -> Wanted:
        if self.part.count > 1:
            return self.part.of(wanted, self._siblings)
        return self.peers.found(wanted)

    def dial_siblings(self, siblings: tuple[str, ...]) -> None:
        """Link to these workers, which started before this one."""
        if siblings != self._siblings:
            self._siblings = siblings
            self._again()

    def _again(self) -> None:
        self.reapply(*self._applied)

    def reapply(self, wanted: Wanted, errors: list[ConfigError]) -> None:
        """As `apply`, while serving: an internal error must not end requests in flight."""
        try:
            self.apply(wanted, errors)
        except Exception as error:  # The owner of the watch; the previously applied state stays.
            log.exception("the new configuration could not be applied")
            self.own_faults.happened(error)

    async def last_look(self) -> None:
        """Read again: something deleted right before the end is withdrawn now or never."""
        reading = await self.store.last()
        self.reapply(reading.wanted, [])
        if self.store.site_is_gone():
            self.leave()

    def stop(self) -> None:
        """Drain; a second call aborts."""
        if self.stopping.is_set():
            self.aborting.set()
        self.begin_drain()

    def begin_drain(self) -> None:
        """Drain, unless it already does."""
        if self.workers.all:
            self.router.links.departure.with_whole_site()
        self.stopping.set()
        self.workers.stop()

    def leave(self) -> None:
        """Mark the site as deleted once this router stops."""
        self.router.leave()
        self.workers.leave()

    def _hold(self, service: str, wake: Wake | None, has_hook: bool) -> None:
        """A burst hook of this site wakes another one, or could: requests may wait for that."""
        self.router.forwarder.ports.wakes.set(service, wake, has_hook)
        self.workers.hold(Holding(service, wake, has_hook))

    def _access_log_lost(self, reason: str) -> None:
        """Called by the writing thread; after the loop's end no task remains to report it."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(
                self.tell,
                "warning",
                "access-log-lost",
                "access log",
                f"Lines of the access log could not be written: {reason}.",
                next_step(
                    reason, "Free space on that disk and check its permissions; serving goes on"
                ),
            )

    def hang_up(self) -> None:
        """SIGHUP: reopen the log files, and read everything again."""
        self._logs.reopen()
        self.record.reopen()
        self.observability.reopen()
        self.workers.reopen()
        reloading(self.read_again)

    def read_again(self) -> None:
        """Read documents and secrets again: they may have changed."""
        self.store.poke()
        self._trust.reload()
        self.workers.read_again()

    def _lead(self) -> Lead:
        """The listeners and door that the other workers follow."""
        states = self.router.forwarder.listeners.states()
        return Lead(
            self.router.doors.inner_address,
            frozenset(
                ServicePlace(one.key, one.host, one.port)
                for one in states.values()
                if one.listening
            ),
        )

    def close(self) -> None:
        """Abort the rest, and close the files."""
        self.insight.close()
        self.memory.close()
        self.router.close()
        self.network.close()
        self.callers.close()
        self.observability.close()
        self.record.close()

    def line(self) -> str:
        """The state in one line, for `systemctl status`."""
        return status_line(self.view.status())
