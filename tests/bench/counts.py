"""What a request costs in bytecode, calls and objects: counts, which no noise moves.

``make bench WHAT=counts`` prints them, with system calls by strace.
Two whole routers run in virtual time; an entry with a client, an exit with a target, the real
rooms but `net`, whose simulated twin is not counted. `Counts` is per request, of both routers:

- ``bytecode``: instructions of the interpreter that our functions execute: what time outside of
  the kernel follows closest, so judge by these;
- ``calls``: of Python functions of ours, and of C functions by them;
- ``objects``: blocks that were seen to be taken from Python's allocator, which is asked at each
  call and return, so what lives shorter than that is missed;
- ``sends``: to a connection, each about one system call.
"""

import argparse
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import count, pairwise
from types import CodeType, FrameType
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from router.callers.callers import Callers
from router.model.specs import ConnectorSpec, PolicySpec, ServiceSpec, TargetSpec
from router.net.ports import Connection, ConnectionHandler, DialFailure, Loss, Network
from router.net.simulated.wire import SimulatedConnection
from router.process.callers.namespace_names import NamespaceNames
from tests.bench import system_calls
from tests.bench.ceilings import ALONE, COUNTED, Path_
from tests.bench.counts_http2 import Http2Client, Http2Target
from tests.bench.load import ROOT
from tests.simulation.world import Passive, SimSite, World

PORTS = {"http": 8081, "tcp": 8082, "http2": 8083}
TARGET_PORT = 9001
CONNECTIONS = 32
HTTP2_CONNECTIONS, HTTP2_STREAMS = 8, 4  # As many requests at once as over the others.
WARM_REQUESTS, COUNTED_REQUESTS = 3, 3  # Of each connection.
LEAVE_S = 0.1
SETTLE_S = 5.0
ALONE_EVERY_S, ALONE_REQUESTS = 0.2, 10
IDLE_SERVICES, IDLE_SETTLE_S, IDLE_S = 20, 30.0, 20.0
LIMIT_S = 60.0
OURS = str(ROOT / "router") + "/"
SIMULATED = "/net/simulated"
REQUEST = b"GET / HTTP/1.1\r\nHost: shop\r\nUser-Agent: counts\r\nAccept: */*\r\n\r\n"
BODY = b"x" * 1024
ANSWER = b"HTTP/1.1 200 OK\r\nServer: shop\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)


class Counts(msgspec.Struct, frozen=True):
    """Per request, or per connection with one request."""

    bytecode: float
    calls: float
    objects: float
    sends: float


NUMBERED = b"X-Request-Id: %020d\r\n\r\n"


class _Target(Passive):
    """Answers each request at once, all of one turn in one piece.

    ``ids``: of answers with separate heads, sent one by one; None: all have the same head.
    """

    def __init__(self, connection: Connection, ids: Iterator[int] | None = None) -> None:
        super().__init__(connection)
        self._buffer = b""
        self._ids = ids

    def received(self, data: memoryview) -> None:
        self._buffer += data
        count = self._buffer.count(b"\r\n\r\n")
        if count:
            self._buffer = self._buffer.rpartition(b"\r\n\r\n")[2]
            if self._ids is None:
                self._connection.send(ANSWER * count)
                return
            head, body = ANSWER.split(b"\r\n\r\n")
            for _ in range(count):
                self._connection.send(head + b"\r\n" + NUMBERED % next(self._ids) + body)


class _Client:
    """Asks so many times, each time as soon as it is answered. ``ids`` as of `_Target`."""

    def __init__(self, connection: Connection, ids: Iterator[int] | None = None) -> None:
        self._connection = connection
        self.left = 0
        self._buffer = b""
        self._ids = ids

    def ask(self, requests: int) -> None:
        """Begin with ``requests``."""
        self.left = requests
        self._ask()

    def _ask(self) -> None:
        own = REQUEST if self._ids is None else REQUEST[:-2] + NUMBERED % next(self._ids)
        self._connection.send(own)

    def finish(self) -> None:
        """No more."""
        self._connection.finish()

    def received(self, data: memoryview) -> None:
        self._buffer += data
        if not self._buffer.endswith(BODY):
            return
        assert self._buffer.startswith(b"HTTP/1.1 200"), self._buffer[:200]
        self._buffer = b""
        self.left -= 1
        if self.left:
            self._ask()

    def ended(self) -> None:
        pass

    def writable(self) -> None:
        pass

    def lost(self, cause: Loss | None) -> None:
        assert cause is None, cause


class Scene:
    """An entry and an exit with a service of ``path``, and who asks.

    A path that ends in ``x2``: each site has two routers, each of the entry with a link to one of
    the exit, as with two workers. Clients come to the first. ``names_callers``: as it does unless
    that is turned off; the client is looked up by its address.
    """

    def __init__(self, path: Path_, *, names_callers: bool = False) -> None:
        self._ids = count() if path.endswith("unique") else None
        world = World(1, "entry", "exit", *(("entry-2", "exit-2") if path.endswith("x2") else ()))
        world.internet.cuts = False
        self._world = world
        self._clients: list[_Client | Http2Client] = []
        self._entry, exit_, *seconds = world.sites.values()
        self._entry.link(exit_, 1)
        for first, second in zip((self._entry, exit_), seconds, strict=False):
            second.join(first)
        if names_callers:
            for site in world.sites.values():
                now = site.network.now
                site.router.forwarder.observing.callers = Callers(NamespaceNames(now), now)
        if seconds:
            seconds[0].link(seconds[1], 1)
        protocol, where = path.split()[:2]
        self._is_http2 = protocol == "http2"
        self._port = PORTS[protocol]
        self._entry.services["counted"] = ServiceSpec(
            protocol="tcp" if protocol == "tcp" else "http2" if self._is_http2 else "http",
            ports=(self._port,),
            policy=PolicySpec(name="fill"),
        )
        self._entry.apply()
        server = self._entry if where == "L" else exit_
        for site in world.sites.values():
            if site.name == server.name:
                self._serve(site)
        world.run(SETTLE_S)

    def _serve(self, site: SimSite) -> None:
        server = Http2Target if self._is_http2 else partial(_Target, ids=self._ids)
        site.network.listen("127.0.0.1", TARGET_PORT, server)
        targets = (TargetSpec("127.0.0.1", TARGET_PORT),)
        site.connectors["counted"] = ConnectorSpec(service="counted", targets=targets)
        site.apply()

    def connect(self, wanted: int = 0) -> None:
        """So many clients at once; 0: 32, or of HTTP/2 as many as have 32 streams."""
        wanted = wanted or (HTTP2_CONNECTIONS if self._is_http2 else CONNECTIONS)

        def connected(connection: Connection) -> ConnectionHandler:
            client: _Client | Http2Client
            if self._is_http2:
                client = Http2Client(connection, HTTP2_STREAMS)
            else:
                client = _Client(connection, self._ids)
            self._clients.append(client)
            return client

        def failed(failure: DialFailure) -> None:
            raise AssertionError(failure.reason)

        for _ in range(wanted):
            network: Network = self._entry.network
            network.dial("127.0.0.1", self._port, connected, failed, timeout_s=5.0)
        self._world.run_while(lambda: len(self._clients) < wanted, LIMIT_S)

    def ask(self, requests: int) -> None:
        """So many on each connection; returns when all are answered."""
        for client in self._clients:
            client.ask(requests)
        self._world.run_while(lambda: any(client.left for client in self._clients), LIMIT_S)

    def rest(self, seconds: float) -> None:
        """Let this time pass without a request."""
        self._world.run(seconds)

    def leave(self) -> None:
        """All clients go."""
        for client in self._clients:
            client.finish()
        self._clients.clear()
        self._world.run(LEAVE_S)


def counted(
    path: Path_,
    *,
    new: bool = False,
    watched: "Watched | None" = None,
    names_callers: bool = False,
) -> Counts:
    """Of requests by 32 connections; with ``new`` of connections that carry one each.

    Of HTTP/2: by 32 streams; with ``new`` of connections that carry one on each of their streams,
    by the stream.
    """
    scene = Scene(path, names_callers=names_callers)
    scene.connect()
    scene.ask(WARM_REQUESTS)
    watched = watched or Watched()
    if not new:
        with watched:
            scene.ask(COUNTED_REQUESTS)
        return watched.per(CONNECTIONS * COUNTED_REQUESTS)
    scene.leave()
    with watched:
        scene.connect()
        scene.ask(1)
        scene.leave()
    return watched.per(CONNECTIONS)


def counted_alone(path: Path_) -> Counts:
    """Of a request every 0.2 s of one client, with all that comes of it later: bytecode, calls and
    sends beyond those of as long a rest."""
    each = []
    for asks in (True, False):
        scene = Scene(path)
        scene.connect(1)
        scene.ask(WARM_REQUESTS)
        scene.rest(SETTLE_S)
        with (watched := Watched(bytecode=True)):
            for _ in range(ALONE_REQUESTS):
                if asks:
                    scene.ask(1)
                scene.rest(ALONE_EVERY_S)
        each.append(watched.per(ALONE_REQUESTS))
    busy, idle = each
    return Counts(
        busy.bytecode - idle.bytecode, busy.calls - idle.calls, 0.0, busy.sends - idle.sends
    )


def counted_idle() -> Counts:
    """Of a second without any client, all three routers together: sites in a row, and services of
    the first that have a target at each of the others."""
    world = World(1, "entry", "middle", "exit")
    world.internet.cuts = False
    entry, *others = sites = list(world.sites.values())
    for one, following in pairwise(sites):
        one.link(following, 1)
    names = {f"idle-{number}": PORTS["http"] + number for number in range(IDLE_SERVICES)}
    for name, port in names.items():
        policy = PolicySpec(name="fill")
        entry.services[name] = ServiceSpec(protocol="http", ports=(port,), policy=policy)
    entry.apply()
    targets = (TargetSpec("127.0.0.1", TARGET_PORT),)
    for site in others:
        site.network.listen("127.0.0.1", TARGET_PORT, _Target)
        site.connectors |= {name: ConnectorSpec(service=name, targets=targets) for name in names}
        site.apply()
    world.run(IDLE_SETTLE_S)
    with (watched := Watched(bytecode=True)):
        world.run(IDLE_S)
    return watched.per(IDLE_S)


def in_both_ways(path: Path_) -> tuple[Counts, Counts]:
    """Of requests on connections that are kept, and of new connections."""
    return _whole(path, new=False), _whole(path, new=True)


def _whole(path: Path_, *, new: bool) -> Counts:
    """All counts, from two runs, since following bytecode itself makes objects."""
    bytecode = counted(path, new=new, watched=Watched(bytecode=True)).bytecode
    others = counted(path, new=new, watched=Watched(blocks=True))
    return msgspec.structs.replace(others, bytecode=bytecode)


def counted_apart(path: Path_) -> tuple[Counts, Counts]:
    """`in_both_ways` in a new process: asking the allocator takes as long as the heap is large."""
    words = [sys.executable, "-m", "tests.bench.counts", "--json", path]
    printed = subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    return msgspec.json.decode(printed, type=tuple[Counts, Counts])


class Watched:
    """Counts while it is entered; ``blocks`` and ``bytecode`` only where they are asked for."""

    def __init__(self, *, blocks: bool = False, bytecode: bool = False) -> None:
        self._calls: Counter[tuple[CodeType, str]] = Counter()
        self._bytecode: Counter[CodeType] = Counter()
        self._blocks = self._sends = self._last = 0
        self._counts_blocks = blocks
        self._counts_bytecode = bytecode
        self._is_ours: dict[CodeType, bool] = {}

    def __enter__(self) -> "Watched":
        self._last = sys.getallocatedblocks()
        if self._counts_bytecode:
            sys.settrace(self._follow)
        sys.setprofile(self._event)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        sys.settrace(None)

    def per(self, requests: float) -> Counts:
        """These counts for each of ``requests``, or for each of so many seconds."""
        return Counts(
            self._bytecode.total() / requests,
            self._calls.total() / requests,
            self._blocks / requests,
            self._sends / requests,
        )

    def by_function(self) -> list[tuple[int, int, str]]:
        """Bytecode and calls of each function of ours, and calls of each C function by them."""
        found = []
        for (code, built_in), calls in self._calls.items():
            place = f"{code.co_filename[len(OURS) :]}:{code.co_qualname}"
            if built_in:
                found.append((0, calls, f"{place} -> {built_in}"))
            else:
                found.append((self._bytecode[code], calls, place))
        return sorted(found, reverse=True)

    def _follow(self, frame: FrameType, event: str, _: object) -> Any:
        code = frame.f_code
        if event == "call":
            if not self._ours(code):
                return None
            frame.f_trace_lines, frame.f_trace_opcodes = False, True
        elif event == "opcode":
            self._bytecode[code] += 1
        return self._follow

    def _event(self, frame: FrameType, event: str, what: object) -> None:
        if self._counts_blocks:
            ran = frame.f_back if event == "call" else frame
            if ran is not None and self._ours(ran.f_code):
                self._blocks += max(0, sys.getallocatedblocks() - self._last)
        if event == "call":
            if frame.f_code is SimulatedConnection.send.__code__:
                self._sends += frame.f_back is not None and self._ours(frame.f_back.f_code)
            if self._ours(frame.f_code):
                self._calls[frame.f_code, ""] += 1
        elif event == "c_call" and self._ours(frame.f_code):
            self._calls[frame.f_code, getattr(what, "__qualname__", "?")] += 1
        if self._counts_blocks:
            runs = frame.f_back if event == "return" else frame
            if runs is not None and self._ours(runs.f_code):  # Asking takes long.
                self._last = sys.getallocatedblocks()

    def _ours(self, code: CodeType) -> bool:
        known = self._is_ours.get(code)
        if known is None:
            name = code.co_filename
            known = self._is_ours[code] = name.startswith(OURS) and SIMULATED not in name
        return known


def main() -> None:
    """Print all that is counted; with ``--functions PATH`` what one path costs, by function."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.counts", description=__doc__)
    parser.add_argument(
        "--functions", choices=COUNTED, help="bytecode and calls of a path by function"
    )
    parser.add_argument("--json", choices=COUNTED, help="what is counted of a path, as JSON")
    given = parser.parse_args()
    if given.json:
        print(msgspec.json.encode(in_both_ways(given.json)).decode())
        return
    if given.functions:
        watched = Watched(bytecode=True)
        counted(given.functions, watched=watched)
        total = CONNECTIONS * COUNTED_REQUESTS
        for bytecode, calls, name in watched.by_function():
            if bytecode >= total or calls * 50 >= total:
                print(f"{bytecode / total:8.1f} {calls / total:8.2f}  {name}")
        return
    table = Table(title="per request at c32, and per new connection; both routers together")
    kinds = Counts.__struct_fields__
    for column in ("", *kinds, *(f"new: {kind}" for kind in kinds)):
        table.add_column(column, justify="right" if column else "left")
    for path in COUNTED:
        cells = []
        for found in in_both_ways(path):
            cells += [f"{found.bytecode:,.0f}", f"{found.calls:.1f}"]
            cells += [f"{found.objects:.1f}", f"{found.sends:.2f}"]
        table.add_row(path, *cells)
    for path in ALONE:
        found = counted_alone(path)
        table.add_row(
            f"{path} alone",
            f"{found.bytecode:,.0f}",
            f"{found.calls:.1f}",
            "",
            f"{found.sends:.2f}",
        )
    idle = counted_idle()
    table.add_row(
        "idle, a second", f"{idle.bytecode:,.0f}", f"{idle.calls:.1f}", "", f"{idle.sends:.2f}"
    )
    console = Console(highlight=False)
    console.print(table)
    system_calls.show(console)


if __name__ == "__main__":
    main()
