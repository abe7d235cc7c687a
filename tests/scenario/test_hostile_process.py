"""A process in trouble: no descriptors, no disk, twins, an operator's socket that is misused."""

import contextlib
import os
import re
import resource
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from certs.token_files import tokens
from tests.scenario.clients import fetch
from tests.scenario.harness import ROOT, SHOP_PORT, Network, Site
from tests.scenario.waiting import stays, until
from tests.scenario.worker_sites import are_ready

DESCRIPTORS = 128


@pytest.fixture
def shop(net: Network) -> Site:
    """One site that serves `shop`; its router does not run yet."""
    site = net.site("solo")
    site.declare("shop")
    site.connect("shop", net.http("solo"), capacity=50)
    return site


def command(site: Site, *words: str) -> list[str]:
    """A `sitectl` command line for a site."""
    place = ["--platform", "process", "--state", str(site.state), "--site", site.name]
    return [sys.executable, "-m", "sitectl", *place, *words]


def cpu_s(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(pid: int) -> int:
    """How many a process holds."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_without_descriptors_a_router_rests_and_recovers(net: Network, shop: Site) -> None:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))

    subprocess.run(command(shop, "start"), check=True, cwd=ROOT, preexec_fn=limited)
    pid = shop.note_pid()
    net.ready("shop", {"solo": 1})
    with contextlib.ExitStack() as held:
        for _ in range(2 * DESCRIPTORS):
            held.enter_context(socket.create_connection((shop.address, SHOP_PORT), 5.0))
        until(lambda: shop.problems("SW0693"), "status says that clients wait")
        (told,) = shop.problems("SW0693")
        assert "Further clients wait for a connection: " in told["message"]
        assert f"at most {DESCRIPTORS} open files" in told["message"]
        before, log = cpu_s(pid), len(shop.log_tail())
        stays(lambda: shop.get("status")["ready"], "the operator is served", 1.5)
        assert descriptors(pid) < DESCRIPTORS
        assert f"at most {DESCRIPTORS} open files: few" in shop.ctl("check", code=3).out
        assert cpu_s(pid) - before < 0.75
        assert len(shop.log_tail()) - log < 1000
    until(lambda: fetch(shop.address, SHOP_PORT, timeout_s=1.0).status == 200, "it serves again")
    until(lambda: not shop.problems("SW0693"), "no client waits")


def test_each_worker_without_descriptors_for_clients_is_named(net: Network, shop: Site) -> None:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))

    environment = os.environ | {"SPILLWAY_WORKERS": "2"}
    words = command(shop, "start")
    subprocess.run(words, check=True, cwd=ROOT, preexec_fn=limited, env=environment)
    shop.note_pid()
    until(lambda: are_ready(shop, 2), "both workers serve")
    with contextlib.ExitStack() as held:
        for _ in range(4 * DESCRIPTORS):
            held.enter_context(socket.create_connection((shop.address, SHOP_PORT), 5.0))

        def named() -> set[str]:
            told = " ".join(one["message"] for one in shop.problems("SW0693"))
            return set(re.findall(r"[01](?=[0-9, ]* of 2:)", told))

        until(lambda: named() == {"0", "1"}, "clients wait at both")
    until(lambda: not shop.problems("SW0693"), "no client waits")


def test_streams_beyond_the_descriptors_are_refused_and_cost_neither_target_nor_link(
    net: Network,
) -> None:
    """A target that cannot be dialed for want of a descriptor is not a bad target."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))

    few, many = net.site("few"), net.site("many")
    net.link(many, few, 1, token="cert")
    few.declare("raw", protocol="tcp")
    few.connect("raw", net.tcp("few"))
    subprocess.run(command(few, "start"), check=True, cwd=ROOT, preexec_fn=limited)
    few.note_pid()
    many.start()
    net.ready("raw", {"few": 1})
    with contextlib.ExitStack() as held:
        doors = [
            held.enter_context(socket.create_connection((many.address, SHOP_PORT), 5.0))
            for _ in range(DESCRIPTORS)
        ]
        for door in doors:
            door.settimeout(5.0)
            door.sendall(b"name\n")
        answers = [answer_of(door) for door in doors]
        assert set(answers) == {b"few\n", b""}
        assert answers.count(b"few\n") >= DESCRIPTORS // 4
        assert few.get("status")["ready"]
        assert few.service("raw")["targets"][0]["ready"]
        assert many.is_up("few")
        until(lambda: few.problems("SW0695"), "status says that no connection can be opened")
    net.at_rest("raw")
    until(lambda: not few.problems("SW0695"), "connections can be opened again")
    with socket.create_connection((many.address, SHOP_PORT), 5.0) as door:
        door.sendall(b"name\n")
        assert door.recv(100) == b"few\n"


def answer_of(door: socket.socket) -> bytes:
    """The first bytes; empty: a reset."""
    try:
        return door.recv(100)
    except ConnectionError:
        return b""


def test_a_disk_that_takes_nothing_stops_no_service(net: Network, shop: Site) -> None:
    shop.start()
    net.ready("shop", {"solo": 1})
    (shop.directory / "state.json").unlink()
    (shop.directory / "state.json").mkdir()  # In the way of each new version.
    shop.declare("more", SHOP_PORT + 1)
    until(lambda: shop.service("more"), "a new service is taken up")
    assert fetch(shop.address, SHOP_PORT).status == 200
    refuse_revocations(shop)
    body = b'{"command": "revoke", "arguments": {"site": "%s"}}' % (b"a" * 32)
    head = b"POST /api/v1/commands HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    answer = knock(shop, head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert b'"code":"command-failed"' in answer, answer
    told = [event for event in shop.get("events") if event["code"] == "state-unsaved"]
    assert len(told) == 1
    assert told[0]["hint"]


def refuse_revocations(site: Site) -> None:
    """No file can be made where the revocations would be written."""
    secrets = site.directory / "secrets"
    secrets.rename(site.directory / "secrets-away")
    secrets.write_text("in the way")


ODD_FILES = {
    "bytes": bytes(range(256)) * 20,
    "deep": b"[" * 100_000,
    "large": b"a: b\n" * 400_000,
    "tag": b"!!python/object/apply:os.abort []\n",
    "bomb": b"a0: &a0 [x, x]\n"
    + b"".join(b"a%d: &a%d [*a%d, *a%d]\n" % (n, n, n - 1, n - 1) for n in range(1, 40)),
    "escape": b'apiVersion: spillway/v1\nkind: "\\e[31mX\\n"\nname: a\nspec: {}\n',
    "empty": b"",
}


def test_odd_files_in_the_configuration_are_told_and_stop_nothing(
    net: Network, operated: Site
) -> None:
    config = operated.directory / "config"
    for name, content in ODD_FILES.items():
        (config / f"{name}.yaml").write_bytes(content)
    (config / "directory.yaml").mkdir()
    (config / "zero.yaml").symlink_to("/dev/zero")
    (config / "nowhere.yaml").symlink_to("/nowhere")
    os.mkfifo(config / "pipe.yaml")
    operated.declare("late", SHOP_PORT + 1)
    until(lambda: operated.service("late"), "a good file beside them is taken up")
    told = [problem["message"] for problem in operated.get("status")["problems"]]
    for name in {*ODD_FILES, "directory", "zero", "pipe"} - {"empty"}:
        assert any(f"{name}.yaml" in message for message in told), (name, told)
    assert not any("\x1b" in message for message in told)
    assert "pipe.yaml" in operated.ctl("check", code=1).out
    operated.ctl("service", "create", "later", str(SHOP_PORT + 2))


def test_a_link_local_target_of_a_document_is_not_dialed(operated: Site) -> None:
    target = {"host": "169.254.169.254", "port": 80}
    operated.document("Connector", "metadata", {"service": "shop", "targets": [target]})

    def told() -> str:
        shown = operated.service("shop")["targets"]
        return "".join(one["error"] for one in shown if one["host"] == target["host"])

    until(lambda: "it is link-local" in told(), "the target is out")


def test_of_several_starts_at_once_one_router_runs(net: Network, shop: Site) -> None:
    starts = [
        subprocess.Popen(
            command(shop, "start"), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(3)
    ]
    try:
        assert [start.wait(30) for start in starts] == [0, 0, 0]
    finally:
        for start in starts:
            start.kill()
    pid = shop.note_pid()
    until(lambda: routers(shop) == {pid}, "the others have given up")
    net.ready("shop", {"solo": 1})


def routers(site: Site) -> set[int]:
    """Processes of a site's router."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if str(site.directory).encode() in words and b"--site-dir" in words:
                    found.add(int(entry.name))
    return found


def test_a_router_killed_at_any_moment_of_its_start_starts_again(shop: Site) -> None:
    for delay in (0.0, 0.1, 0.2, 0.3, 0.4):
        router = subprocess.Popen(
            [sys.executable, "-m", "router.process.main", "--site-dir", str(shop.directory)],
            cwd=ROOT,
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            router.wait(delay)
        router.send_signal(signal.SIGKILL)
        router.wait()
    shop.start()
    assert shop.get("status")["ready"]


def test_secrets_are_their_owner_s_alone_from_the_first_byte(net: Network) -> None:
    """Under the worst umask, looked at all the time while they are made."""
    site = Site("careless", net.state, "127.0.0.1")
    seen: dict[str, int] = {}
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            for directory, _, files in os.walk(net.state):
                for name in files:
                    path = os.path.join(directory, name)
                    with contextlib.suppress(OSError):
                        seen[path] = seen.get(path, 0) | stat.S_IMODE(os.lstat(path).st_mode)

    watcher = threading.Thread(target=watch)
    watcher.start()
    token = net.state / "open.token"
    umask = os.umask(0)
    try:
        subprocess.run(
            command(site, "init", "careless", "--ingress-host", "127.0.0.1:1"), check=True, cwd=ROOT
        )
        subprocess.run(command(site, "token", "create", str(token)), check=True, cwd=ROOT)
    finally:
        os.umask(umask)
        done.set()
        watcher.join()
    secret = [path for path in seen if "/secrets/" in path or path == str(token)]
    assert any(path.endswith("identity.key") for path in secret)
    assert {path: oct(seen[path]) for path in secret if seen[path] & 0o077} == {}
    for directory in ("secrets", "secrets/grants", "run"):
        path = site.directory / directory
        assert not path.exists() or stat.S_IMODE(path.stat().st_mode) == 0o700
    assert tokens.read_file(token).secret


@pytest.fixture
def operated(net: Network, shop: Site) -> Iterator[Site]:
    """A site that runs; the operator and the clients are served before and after."""
    shop.start()
    net.ready("shop", {"solo": 1})
    yield shop
    assert shop.get("status")["ready"]
    assert fetch(shop.address, SHOP_PORT).status == 200


def knock(site: Site, request: bytes) -> bytes:
    """What the admin socket answers to raw bytes."""
    with socket.socket(socket.AF_UNIX) as door:
        door.settimeout(5.0)
        door.connect(str(site.directory / "run" / "admin.sock"))
        with contextlib.suppress(OSError):
            door.sendall(request)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while data := door.recv(65_536):
                answer += data
        return answer


def test_the_admin_socket_bears_what_is_no_request_of_ours(operated: Site) -> None:
    socket_mode = (operated.directory / "run" / "admin.sock").stat().st_mode
    assert stat.S_IMODE(socket_mode) == 0o600
    commands = b"POST /api/v1/commands HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    for request, status in (
        (b"DELETE /api/v1/status HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"405"),
        (b"GET /api/v1/%2e%2e/secrets HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"404"),
        (commands + b"Content-Length: 3000000\r\n\r\n" + b"x" * 3_000_000, b"413"),
        (commands + b"Content-Length: 100000\r\n\r\n" + b"[" * 100_000, b"400"),
        (commands + b"Content-Length: 2\r\n\r\n{}", b"400"),
    ):
        assert knock(operated, request)[9:12] == status, request[:60]


def test_followers_that_never_read_are_bounded(operated: Site) -> None:
    door_path = str(operated.directory / "run" / "admin.sock")
    with contextlib.ExitStack() as held:
        for _ in range(100):
            door = held.enter_context(socket.socket(socket.AF_UNIX))
            door.connect(door_path)
            door.sendall(
                b"GET /api/v1/events HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n"
            )
        assert operated.get("status")["ready"]
        refused = 0
        for number in range(40):
            with socket.socket(socket.AF_UNIX) as door:
                door.settimeout(5.0)
                door.connect(door_path)
                door.sendall(
                    b"GET /api/v1/events HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n"
                    b"Last-Event-ID: \xc2\xb2%d\r\n\r\n" % number
                )
                refused += door.recv(64).startswith(b"HTTP/1.1 503")
        assert refused == 40
