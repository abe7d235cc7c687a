"""A process forked for a test is the one that `python -m` would have made."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from router.model.lock_text import process_in
from sitectl.runtimes.process import ProcessRuntime
from sitectl.site.directory import DirectorySite
from tests.scenario import forking
from tests.scenario.fork_requests import Forked, ask
from tests.scenario.harness import (
    COMMAND_TIMEOUT_S,
    ROOT,
    Network,
    Site,
    is_alive,
    own_address,
)
from tests.scenario.waiting import until
from tests.scenario.worker_sites import are_ready, pids

ALIKE = ("Umask", "SigBlk", "SigIgn", "SigCgt", "Seccomp", "NoNewPrivs")
"""Of `/proc/PID/status`."""


def kinds(place: Path, site: Site) -> Counter[str]:
    """What a process holds open, without numbers and the name of its site."""
    found: list[str] = []
    for name in os.listdir(place):
        with contextlib.suppress(FileNotFoundError):  # Closed since it was listed.
            target = os.readlink(place / name).replace(str(site.directory), "SITE")
            found.append(re.sub(r"[0-9]+", "N", target))
    return Counter(found)


def looks(site: Site, pid: int) -> dict[str, object]:
    """What the kernel knows of a site's router that must not depend on how it was started."""
    place = Path(f"/proc/{pid}")
    status = dict(line.split(":\t", 1) for line in (place / "status").read_text().splitlines())
    return {
        "status": {name: status[name] for name in ALIKE},
        "directory": Path(os.readlink(place / "cwd")) == site.directory,
        "session": os.getsid(pid) == pid,
        "limits": (place / "limits").read_text(),
        "standard": [Path(os.readlink(place / "fd" / name)).name for name in "012"],
        "files": kinds(place / "fd", site),
        "threads": status["Threads"],
    }


def test_a_forked_router_differs_from_a_started_one_in_nothing_that_the_kernel_knows(
    net: Network,
) -> None:
    assert forking.PYTHON.suits(), "its environment is that of the whole run"
    forked, started = net.site("west"), net.site("east")
    forked.start()
    first = forked.note_pid()
    assert words_of(first).count(b"tests.scenario.forking") == 1
    ProcessRuntime(DirectorySite(started.directory)).start(COMMAND_TIMEOUT_S)
    second = started.note_pid()
    assert b"router.process.main" in words_of(second)
    try:
        # We have just asked each for its process id: our connections may still be leaving.
        until(lambda: looks(forked, first) == looks(started, second), "they look alike")
    except AssertionError:
        assert looks(forked, first) == looks(started, second)
        raise
    started.ctl("stop")
    os.waitpid(second, 0)


def words_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def test_a_network_that_does_not_fork_starts_routers_as_users_do(tmp_path: Path) -> None:
    """So they have the memory of users' routers: benches measure it."""
    with Network(tmp_path, forks=False) as net:
        west, east, north = (net.site(name) for name in ("west", "east", "north"))
        net.start(west)
        east.ctl("start")
        north.quick("start")
        for site in net.sites:
            assert b"router.process.main" in words_of(site.note_pid())


def test_what_commands_and_routers_start_of_ours_is_forked_too(net: Network) -> None:
    site = net.site("west", "--workers", "2")
    assert "west" in site.ctl("start").out
    router = site.note_pid()
    assert words_of(router).count(b"tests.scenario.forking") == 1
    until(lambda: are_ready(site, 2), "both workers take part")
    first, second = pids(site)
    assert first == router
    assert words_of(second).count(b"tests.scenario.forking") == 1
    os.kill(second, signal.SIGKILL)
    until(
        lambda: are_ready(site, 2) and second not in pids(site),
        "the router hears of its end and starts another one",
    )
    (ended,) = [one for one in site.get("events") if one["code"] == "worker-ended"]
    assert "signal 9 ended it" in ended["message"]
    last = pids(site)[1]
    site.ctl("stop")
    until(lambda: not is_alive(last), "its worker ends with it")


@pytest.mark.parametrize(
    ("words", "given"),
    [
        (["version"], ""),
        (["--help"], ""),
        (["status"], ""),
        (["no-such-verb"], ""),
        (["apply", "-"], "apiVersion: spillway/v1\nkind: Nonsense\nname: a\nspec: {}\n"),
        (["--state", "/nowhere", "get", "services", "-o", "json"], ""),
    ],
)
def test_a_forked_command_says_and_returns_what_a_started_one_does(
    words: list[str], given: str, tmp_path: Path
) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "SITECTL_STATE": str(tmp_path),
        "SITECTL_PLATFORM": "process",
    }
    done = subprocess.run(
        [sys.executable, "-m", "sitectl", *words],
        input=given,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
    )
    forked = forking.sitectl(words, given, tmp_path, environment, COMMAND_TIMEOUT_S)
    assert forked == (done.returncode, done.stdout, done.stderr)


def test_a_command_of_a_shell_is_forked_and_does_what_a_started_one_does(tmp_path: Path) -> None:
    """Its words, input, output, exit code, directory and variables, and its child processes."""
    place = forking.PYTHON.commands(tmp_path)
    environment = {
        **os.environ,
        "PATH": f"{place}:{os.environ['PATH']}",
        "SITECTL_PLATFORM": "process",
        "SITECTL_STATE": str(tmp_path),
    }

    def typed(line: str) -> str:
        done = subprocess.run(
            ["bash", "-c", line], stdout=subprocess.PIPE, cwd=tmp_path, env=environment, text=True
        )
        return f"{done.stdout}{done.returncode}"

    address = own_address()
    places = f"--bind-ip {address} --ingress-bind-ip {address}"
    assert typed(f"sitectl init west {places} >made && sitectl start >started").endswith("0")
    pid = process_in((tmp_path / "west" / "run" / "lock").read_text())
    assert pid is not None
    assert words_of(pid).count(b"tests.scenario.forking") == 1
    assert "west" in typed("sitectl status | cat")
    assert "Nonsense" in typed("echo 'kind: Nonsense' | sitectl apply -f - 2>&1")
    assert typed("sitectl no-such-verb 2>error") == "2"
    assert "no-such-verb" in (tmp_path / "error").read_text()
    assert typed("sitectl stop >stopped").endswith("0")
    until(lambda: not is_alive(pid), "it stops")


INHERITED = "import os, signal, sys; " + "; ".join(
    [
        "a, b = os.pipe()",
        "os.set_inheritable(b, True)",
        "signal.signal(signal.SIGTERM, lambda *_: None)",
        "signal.signal(signal.SIGUSR1, signal.SIG_IGN)",
        "sys.stdout.write('before, ')",
        "sys.stdout.flush()",
    ]
)
TELLS = "import os, signal, sys; " + "; ".join(
    [
        "print(sys.argv, os.environ.get('GIVEN'), os.getcwd(), __name__)",
        "print([signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGUSR1)])",
        "print(len(os.listdir('/proc/self/fd')))",
    ]
)
BECOMES = f"{INHERITED}; os.execve(sys.executable, [sys.executable, {{words}}], {{variables}})"
GIVEN = "{**os.environ, 'GIVEN': 'yes'}"


@pytest.mark.parametrize(
    "words",
    [
        ["-c", f"{TELLS}; sys.exit('no')", "one"],
        ["-c", "print('lost', end=''); raise ValueError('it failed')"],
        ["-c", BECOMES.format(words=f"'-c', {TELLS!r}, 'two'", variables=GIVEN)],
        ["-c", BECOMES.format(words="'-c', 'import sys; sys.exit(3)'", variables="os.environ")],
        ["-c", BECOMES.format(words="'-c', 'raise ValueError(1)'", variables="os.environ")],
        ["-c", BECOMES.format(words="'-c', 'raise SystemExit(1, 2)'", variables="os.environ")],
        ["-c", BECOMES.format(words="'-P', '-m', 'sitectl', 'status'", variables="os.environ")],
        ["-m", "router.process.main", "--site-dir", "/nowhere"],
        ["-m", "router.process.main"],
    ],
)
def test_a_forked_python_does_what_a_started_one_does_also_when_it_executes_python(
    words: list[str], tmp_path: Path
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SITECTL_STATE": str(tmp_path)}
    started = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, cwd=tmp_path, env=environment
    )
    with (tmp_path / "out").open("w+") as out, (tmp_path / "error").open("w+") as error:
        files = (0, out.fileno(), error.fileno())
        code = forking.PYTHON.run(words, files, tmp_path, environment).wait(COMMAND_TIMEOUT_S)
        out.seek(0)
        error.seek(0)
        assert (code, out.read()) == (started.returncode, started.stdout)
        assert error.read().splitlines()[-1:] == started.stderr.splitlines()[-1:]


def test_what_is_not_buffered_is_printed_at_once(tmp_path: Path) -> None:
    path = tmp_path / "out"
    words = ["-c", "import os, signal; print('said'); os.kill(os.getpid(), signal.SIGKILL)"]
    with path.open("w") as out:
        files = (0, out.fileno(), out.fileno())
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        code = forking.PYTHON.run(words, files, tmp_path, environment).wait(COMMAND_TIMEOUT_S)
    assert (code, path.read_text()) == (-signal.SIGKILL, "said\n")


def test_a_command_that_does_not_end_is_killed_and_named(net: Network) -> None:
    site = net.site("west")
    site.start()
    words = ["--state", str(site.state), "--site", "west", "--platform", "process", "events", "-f"]
    with pytest.raises(subprocess.TimeoutExpired, match="events"):
        forking.sitectl(words, "", ROOT, os.environ, 0.5)


NEVER_INTERRUPTED = """
import os, signal, socket, sys, threading
from tests.scenario.forking import ForkServer

threading.Thread(target=threading.Event().wait, daemon=True).start()  # It takes the signals.
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listening.bind("")
listening.listen()
ForkServer(socket.socket(fileno=int(sys.argv[1])), listening).serve()
os._exit(7)
"""


def test_an_end_is_told_also_if_no_signal_interrupts_the_server(tmp_path: Path) -> None:
    """As when the signal arrives just before the server waits."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    words = [sys.executable, "-c", NEVER_INTERRUPTED, str(theirs.fileno())]
    with ours, open(os.devnull, "r+b") as nothing:
        with theirs:
            server = subprocess.Popen(words, cwd=ROOT, pass_fds=[theirs.fileno()])
        files = (nothing.fileno(), nothing.fileno(), nothing.fileno())
        child = ask(ours, ["-c", ""], files, tmp_path, {})
        code = child.wait(COMMAND_TIMEOUT_S)
        child.forget()
    server.wait()
    assert code == 7


def test_one_that_ended_and_has_not_told_yet_gets_no_signal() -> None:
    with subprocess.Popen(["true"]) as ended:
        pass
    reads, tells = os.pipe()
    process = Forked(ended.pid, reads)
    process.send_signal(signal.SIGKILL)
    os.write(tells, b"0")
    os.close(tells)
    assert process.wait(COMMAND_TIMEOUT_S) == 0


def test_another_environment_is_not_the_one_that_was_imported_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONOPTIMIZE", "1")
    assert not forking.PYTHON.suits()
