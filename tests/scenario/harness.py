"""Sites as real processes on loopback, made with the commands that a user types.

Each process of the test run has separate loopback addresses (127.X.Y.*, from its process id), each
site one of them, so that ports are the same everywhere and runs never meet.
"""

import contextlib
import http.client
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Self, cast

import msgspec
from click.testing import CliRunner

from sitectl.main import cli
from sitectl.runtimes.process import ProcessRuntime, router_environment
from sitectl.site.admin import Admin, connect
from sitectl.site.directory import DirectorySite
from tests.scenario import forking
from tests.scenario.backends import Background, HttpTarget, Target, TcpTarget
from tests.scenario.fork_requests import Forked
from tests.scenario.waiting import until

ROOT = Path(__file__).resolve().parents[2]
PYTHON = Path(sys.executable)
COMMAND_TIMEOUT_S = 60.0
LINK_PORT = 20_671  # Below the range from which the kernel takes ports for clients.
SHOP_PORT = 20_080
LOG_SHOWN_BYTES = 6_000
_ADDRESSES = 250
_numbers = itertools.count()


class Place(Protocol):
    """Where a target listens."""

    @property
    def address(self) -> str: ...
    @property
    def port(self) -> int: ...


def own_address() -> str:
    """A loopback address that no other process of these tests uses.

    With SPILLWAY_TEST_NODE one of 100.64.0.0/10: a real API server takes no pod at 127.0.0.1.
    """
    number = os.getpid()
    place = f"{number & 255}.{1 + next(_numbers) % _ADDRESSES}"
    if "SPILLWAY_TEST_NODE" in os.environ:
        return f"100.{64 + (number >> 8) % 64}.{place}"
    return f"127.{16 + (number >> 8) % 200}.{place}"


class Done(msgspec.Struct, frozen=True):
    """A command that ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Its output, parsed."""
        return json.loads(self.out)


class ForkingRuntime(ProcessRuntime):
    """Starts routers as `ProcessRuntime` does, but forked from a process that has imported them."""

    def __init__(self, site: DirectorySite, environment: Mapping[str, str]) -> None:
        super().__init__(site)
        self._environment = environment
        self._router: Forked | None = None

    def _launched(self) -> "subprocess.Popen[bytes]":
        place = ["--site-dir", str(self.site.directory)]
        with self.site.log.open("ab") as log, open(os.devnull, "rb") as nothing:
            files = (nothing.fileno(), log.fileno(), log.fileno())
            self._router = forking.PYTHON.run(
                [*forking.ROUTER, *place],
                files,
                self.site.directory,
                {**router_environment(), **self._environment},
                forks=True,
            )
        return cast("subprocess.Popen[bytes]", self._router)

    def forget(self) -> None:
        """It is left behind."""
        if self._router is not None:
            self._router.forget()


class Site:
    """One site: its directory, its address, its router.

    Not ``forks``: its router starts as a user's does. A forked one also has the memory of the
    process that it was forked from.
    """

    def __init__(
        self,
        name: str,
        state: Path,
        address: str,
        code: Path = ROOT,
        python: Path = PYTHON,
        *,
        forks: bool = True,
    ) -> None:
        self.forks = forks
        self.name, self.state, self.address = name, state, address
        self.code = code  # The directory with the packages of the release that it runs.
        self.python = python  # Runs its commands and its router.
        self.link_port = LINK_PORT
        self.directory = state / name
        self.admin = Admin(self.directory / "run" / "admin.sock", name)
        self.pids: set[int] = set()
        self.environment: dict[str, str] = {}  # Of commands for this site, beside our own.
        self.children: list[subprocess.Popen[bytes]] = []
        self.forked: list[Forked] = []
        self._ours: set[int] = set()  # Routers that are children of this process, without a Popen.
        self._files = itertools.count()

    @property
    def link_door(self) -> str:
        """Where others dial."""
        return f"{self.address}:{self.link_port}"

    def ctl(self, *words: str, code: int = 0, given: str | None = None) -> Done:
        """Run a command for this site; AssertionError unless it exits with ``code``."""
        place = ["--site", self.name]
        environment = {**self.paths(), **self.place(), "NO_COLOR": "1", **self.environment}
        python = forking.python_of(self.code)
        if self.forks and self._is_plain() and python.suits():
            line = [*place, *words]
            done = Done(
                *forking.sitectl(line, given, self.code, environment, COMMAND_TIMEOUT_S, python)
            )
        else:
            ended = subprocess.run(
                [self.python, "-m", "sitectl", *place, *words],
                capture_output=True,
                text=True,
                input=given or "",
                timeout=COMMAND_TIMEOUT_S,
                cwd=self.code,
                env=environment,
            )
            done = Done(ended.returncode, ended.stdout, ended.stderr)
        shown = f"sitectl --site {self.name} {' '.join(words)}"
        assert done.code == code, f"{shown}: exit {done.code}\n{done.out}{done.err}"
        return done

    def is_as_we_are(self) -> bool:
        """Whether it runs our own code on our own Python, whose variables are as ours are."""
        return self.code == ROOT and self._is_plain()

    def _is_plain(self) -> bool:
        """Whether it runs on our own Python, whose variables are as ours are."""
        return self.python == PYTHON and all(
            name.startswith("SPILLWAY_") for name in self.environment
        )

    def paths(self) -> dict[str, str]:
        """Our own environment, with which Python finds the code of this site's release."""
        before = os.environ.get("PYTHONPATH", "")  # A test may hide a package by it.
        parts = [before, str(self.code)] if self.code == ROOT else [str(self.code), before]
        path = os.pathsep.join(part for part in parts if part)
        return {**os.environ, "PYTHONPATH": path}

    def place(self) -> dict[str, str]:
        """Where commands find its site, as a user says it once for a shell."""
        return {"SITECTL_PLATFORM": "process", "SITECTL_STATE": str(self.state)}

    def quick(self, *words: str) -> None:
        """`ctl` within this process, for what only prepares a test: no time to start Python."""
        if self.code != ROOT:
            self.ctl(*words)
            return
        line = ["--site", self.name, *words]
        with forking.routers_forked() if self.forks else contextlib.nullcontext():
            result = CliRunner(env=self.place()).invoke(cli, line, catch_exceptions=False)
        assert result.exit_code == 0, f"{words}: exit {result.exit_code}\n{result.output}"

    def json(self, *words: str, code: int = 0) -> Any:
        """``item`` or ``items`` of what a command prints as JSON."""
        envelope = self.ctl(*words, "-o", "json", code=code).json()
        assert envelope["apiVersion"] == "spillway/v1"
        return envelope["item"] if "item" in envelope else envelope["items"]

    def get(self, what: str) -> Any:
        """The admin API's answer, without a process in between (for polling)."""
        return self.admin.get(f"/api/v1/{what}")

    def metrics(self) -> str:
        """All of `/metrics`."""
        connection = http.client.HTTPConnection("site")
        connection.sock = connect(self.directory / "run" / "admin.sock", COMMAND_TIMEOUT_S)
        try:
            connection.request("GET", "/metrics")
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def document(self, kind: str, name: str, spec: Mapping[str, Any]) -> Path:
        """Write a document into the site's configuration, as a person with an editor would."""
        text = {"apiVersion": "spillway/v1", "kind": kind, "name": name, "spec": spec}
        path = self.directory / "config" / f"own-{kind.lower()}-{name}.yaml"
        whole = path.with_suffix(".new")
        whole.write_text(json.dumps(text))  # JSON is YAML.
        return whole.replace(path)  # In one step: the router must not read half a file.

    def declare(self, service: str, port: int = SHOP_PORT, **spec: Any) -> None:
        """Declare a service; ``protocol`` http unless given."""
        self.document("Service", service, {"protocol": "http", "ports": [port], **spec})

    def connect(
        self, service: str, *targets: Place, capacity: int | str | None = None, **further: Any
    ) -> None:
        """Attach targets to a service here; ``further`` fields of the connector."""
        places = [{"host": target.address, "port": target.port} for target in targets]
        spec: dict[str, Any] = {"service": service, "targets": places, **further}
        if capacity is not None:
            spec["capacity"] = capacity
        self.document("Connector", f"{service}-{next(self._files)}", spec)

    def places(self) -> tuple[str, ...]:
        """The flags of `init` that say where it listens."""
        return (
            *("--bind-ip", self.address, "--ingress-bind-ip", self.address),
            *("--bind-port", str(self.link_port), "--ingress-host", self.link_door),
        )

    def start(self) -> None:
        """Start the router in the background, as `sitectl start` does; returns when it is ready.

        Within this process, and from one that has imported the router: no time to start Python.
        """
        if self.forks and self.is_as_we_are() and forking.PYTHON.suits():
            runtime = ForkingRuntime(DirectorySite(self.directory), self.environment)
            try:
                runtime.start(COMMAND_TIMEOUT_S)
            finally:
                runtime.forget()
            self.note_pid()
        elif self.is_as_we_are() and not self.environment:
            ProcessRuntime(DirectorySite(self.directory)).start(COMMAND_TIMEOUT_S)
            self._ours.add(self.note_pid())
        else:
            self.ctl("start")
            self.note_pid()

    def run(
        self, environment: Mapping[str, str], prefix: Sequence[str] = ()
    ) -> subprocess.Popen[bytes]:
        """Run the router itself, with ``environment`` beside our own; returns when it is ready.

        ``prefix``: the words before the command, which become it by exec.
        """
        words = [
            *prefix,
            str(self.python),
            "-m",
            "router.process.main",
            "--site-dir",
            str(self.directory),
        ]
        router = subprocess.Popen(words, cwd=self.code, env={**self.paths(), **environment})
        self.children.append(router)
        until(self.admin.is_ready, f"the router of {self.name} is ready")
        return router

    def note_pid(self) -> int:
        """The router's process id; it is ended with the network."""
        pid = self.admin.process_id()
        assert pid is not None, f"the router of {self.name} does not run"
        self.pids.add(pid)
        return pid

    def kill(self) -> None:
        """SIGKILL, as a crash; returns when the process is gone."""
        self.signal(signal.SIGKILL)
        until(self.gone, f"the router of {self.name} is gone")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the router."""
        os.kill(self.note_pid(), number)

    def gone(self) -> bool:
        """Whether no router of this site is left."""
        for pid in self._ours:
            with contextlib.suppress(ChildProcessError):  # It was reaped before.
                os.waitpid(pid, os.WNOHANG)
        self.pids = {pid for pid in self.pids if is_alive(pid)}
        return not self.pids

    def service(self, name: str, port: int | None = None) -> Any:
        """One service port as this site sees it; None: not known here."""
        for item in self.get("services"):
            if item["name"] == name and port in (None, item["port"]):
                return item
        return None

    def ready_targets(self, service: str) -> dict[str, int]:
        """Ready targets of a service by site, as this site sees them."""
        item = self.service(service)
        return {s["site"]: s["targets_ready"] for s in item["sites"]} if item else {}

    def in_flight(self, service: str) -> dict[str, int]:
        """Requests in flight by site, as this site sees them."""
        return {s["site"]: s["in_flight"] for s in self.service(service)["sites"]}

    def link(self, name: str) -> Any:
        """One link of this site; None: there is none of that name."""
        return next((link for link in self.get("links") if link["name"] == name), None)

    def link_error(self, name: str) -> str:
        """What keeps that link from being up; empty: nothing, or it is not there (yet)."""
        link = self.link(name)
        return link["error"] or "" if link else ""

    def reaches(self, names: set[str]) -> bool:
        """Whether all these sites can be reached from here."""
        return names <= {route["name"] for route in self.get("network") if route["reachable"]}

    def offers(self, service: str, targets: dict[str, int]) -> bool:
        """Whether clients can connect here and exactly these targets are known to be ready."""
        item = self.service(service)
        if item is None or item["listener"]["state"] != "bound":
            return False
        return {site: n for site, n in self.ready_targets(service).items() if n} == targets

    def rests(self, service: str) -> bool:
        """Whether no request of ``service`` is in flight or waits, as far as this site knows."""
        return not any(self.in_flight(service).values()) and not self.service(service)["queued"]

    def is_up(self, name: str) -> bool:
        """Whether the link of that name is up."""
        link = self.link(name)
        return link is not None and link["state"] == "up"

    def problems(self, *codes: str) -> list[Any]:
        """What `status` names as problems; with ``codes``: those of them alone."""
        found = self.get("status")["problems"]
        return [one for one in found if not codes or one["code"] in codes]

    def until_well(self, *codes: str) -> None:
        """Wait until there are no `problems`."""
        try:
            until(lambda: not self.problems(*codes), f"no problem is left at {self.name}")
        except AssertionError as late:
            raise AssertionError(f"{late}: {self.problems(*codes)}") from late

    def log_tail(self) -> str:
        """The end of the router's log."""
        path = self.directory / "run" / "router.log"
        return path.read_text(errors="replace")[-LOG_SHOWN_BYTES:] if path.exists() else "no log"


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not, once the last of its threads has let go of all."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z" or len(threads) > 1


class Network:
    """Sites, their links and their targets; ends them all. ``forks``: see `Site`."""

    def __init__(self, state: Path, *, forks: bool = True) -> None:
        self.state = state
        self._forks = forks
        self.sites: list[Site] = []
        self.background = Background()
        self.target_address = own_address()
        self._targets: list[Target] = []
        self._programs: list[subprocess.Popen[bytes]] = []
        self._links: list[tuple[Site, Site]] = []
        self._tokens = itertools.count()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def site(self, name: str, *flags: str, code: Path = ROOT, python: Path = PYTHON) -> Site:
        """Make a site, of the release whose packages lie in ``code``, run by ``python``."""
        site = self.planned(name, code, python)
        site.quick("init", name, *site.places(), *flags)
        return site

    def planned(self, name: str, code: Path = ROOT, python: Path = PYTHON) -> Site:
        """A site with an address, which is to be made yet."""
        site = Site(name, self.state, own_address(), code, python, forks=self._forks)
        self.sites.append(site)
        return site

    def http(self, name: str, service_s: float = 0.0) -> HttpTarget:
        """A recording HTTP target."""
        target = HttpTarget(self.background, name, self.target_address, service_s)
        self._targets.append(target)
        return target

    def tcp(self, name: str) -> TcpTarget:
        """A TCP target."""
        target = TcpTarget(self.background, name, self.target_address)
        self._targets.append(target)
        return target

    def token(self, site: Site, *flags: str) -> Path:
        """A token of ``site`` in a file."""
        path = self.state / f"{site.name}-{next(self._tokens)}.token"
        site.quick("token", "create", str(path), *flags)
        return path

    def link(self, dialer: Site, acceptor: Site, cost: int = 1, *, token: str = "claim") -> None:
        """Store a link named after the acceptor; running routers act on it at once."""
        path = self.token(acceptor, "--token-type", token)
        dialer.quick("link", "create", str(path), "--name", acceptor.name, "--cost", str(cost))
        self._links.append((dialer, acceptor))

    def start(self, *sites: Site) -> None:
        """Start the routers of these sites (all), at once."""
        _together([site.start for site in sites or self.sites])

    def see_each_other(self, *sites: Site) -> None:
        """Wait until all links are up and each of these sites (all) reaches each other one."""
        for dialer, acceptor in self._links:
            if not dialer.gone() and not acceptor.gone():
                until(partial(dialer.is_up, acceptor.name), f"{dialer.name}-{acceptor.name} is up")
        chosen = sites or tuple(self.sites)
        names = {site.name for site in chosen}
        for site in chosen:
            until(partial(site.reaches, names), f"{site.name} reaches {names}")

    def ready(self, service: str, targets: Mapping[str, int], *sites: Site) -> None:
        """Wait until these sites (all) see exactly these ready targets by site, and listen."""
        for site in sites or self.sites:
            look = partial(site.offers, service, dict(targets))
            until(look, f"{site.name} offers {service} at {targets}")

    def at_rest(self, service: str, *sites: Site) -> None:
        """Wait until all counters of ``service`` are zero everywhere (N5)."""
        for site in sites or self.sites:
            try:
                until(partial(site.rests, service), f"{service} is at rest for {site.name}")
            except AssertionError as error:
                shown = {each.name: each.service(service) for each in self.sites if not each.gone()}
                raise AssertionError(f"{error}\n{json.dumps(shown, indent=1)}") from None

    def logs(self) -> str:
        """The ends of all logs."""
        return "\n".join(f"--- {site.name}\n{site.log_tail()}" for site in self.sites)

    def background_process(self, words: Sequence[str]) -> None:
        """Run a program until this network ends."""
        quiet = subprocess.DEVNULL
        self._programs.append(subprocess.Popen(words, cwd=ROOT, stdout=quiet, stderr=quiet))

    def close(self) -> None:
        """End every process of this network at once."""
        for program in self._programs:
            program.kill()
            program.wait()
        for site in self.sites:
            pid = site.admin.process_id()
            for each in site.pids | ({pid} if pid is not None else set()):
                if is_alive(each):
                    with contextlib.suppress(ProcessLookupError):  # It ends just now.
                        os.kill(each, signal.SIGKILL)
            until(site.gone, f"the router of {site.name} is gone")
            for child in site.children:
                child.kill()
                child.wait()
            for router in site.forked:
                router.forget()
        for target in self._targets:
            target.stop()
        self.background.close()


def _together(works: Sequence[Callable[[], None]]) -> None:
    with ThreadPoolExecutor(max(1, len(works))) as pool:
        for future in [pool.submit(work) for work in works]:
            future.result()
