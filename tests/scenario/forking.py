"""Python processes without the second that Python takes for their imports.

For each process of a test run, a server that has imported the product waits and forks once for each
process that is wanted: each has its own process id, session, signals, files, directory, environment
and end. It is the process that `python WORDS` would have made, except for the words in
`/proc/PID/cmdline`, the seed of hashes, which all of one server share, and the last step: it does
not free its objects. That would copy the whole heap of the server, and cost six times as much as
the work of a command.

A forked process that executes this same Python (`sitectl run` becomes the router) goes on in its
own memory with the state that exec leaves: directory, standard files and those that are inherited,
signals that are ignored.

``python -m tests.scenario.forking DESCRIPTOR LISTENING`` is such a server.
"""

import atexit
import contextlib
import faulthandler
import gc
import io
import json
import os
import resource
import runpy
import select
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import walk_packages
from tempfile import TemporaryDirectory, TemporaryFile
from types import ModuleType
from typing import Any, Final, NoReturn

from tests.scenario.fork_requests import Forked, ask
from tests.scenario.forked_children import Files, fork_children, popen_that_forks

ROOT = Path(__file__).resolve().parents[2]
ROUTER: Final = ("-m", "router.process.main")
SITECTL: Final = ("-m", "sitectl")
FORKED_COMMAND: Final = Path(__file__).with_name("forked_command.py")
_LATE: Final = (  # Imported when a process needs them.
    *("concurrent.futures.thread", "encodings.idna", "http.server", "uvloop"),
    *("rich.box", "rich.console", "rich.table", "rich.tree"),
    *("router.process.controller", "router.process.main", "router.process.namespace"),
    "router.process.worker",
    "router.model.built_types",
)
_LATE_BEFORE: Final = (*_LATE[:8], "router.main.process")
"""The same of the last release."""
_REQUEST_BYTES: Final = 1 << 20
_FILES_MAX: Final = 16
_ASKING_MAX: Final = 100
_SIGNALS_MAX: Final = 1 << 12
_ASKS_S: Final = 5.0
"""Time for a forked process to send its request: it may be stopped in between."""
_OF_A_TEST: Final = "PYTEST_CURRENT_TEST"


class Forker:
    """The server's other end, for any thread. ``code``: where the packages lie that it imports.

    ``further`` variables are the server's beside our own: for modules that load before Python.
    """

    def __init__(self, code: Path, further: Mapping[str, str] | None = None) -> None:
        self._code = code
        self._further = further or {}
        self._environment = _environment()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._address = b""

    def suits(self) -> bool:
        """Whether the environment is still the one that the product was imported in."""
        return _environment() == self._environment

    def run(
        self,
        words: Sequence[str],
        files: tuple[int, int, int],
        directory: Path,
        environment: Mapping[str, str],
        bounds: Mapping[str, float] | None = None,
        *,
        forks: bool = False,
    ) -> Forked:
        """A new process, as `ask` has it."""
        with self._lock:
            return ask(
                self._served(), words, files, directory, environment, bounds=bounds, forks=forks
            )

    def commands(self, directory: Path) -> Path:
        """``bin`` in ``directory`` with what `make install` makes: `sitectl`, forked, `python3`."""
        with self._lock:
            self._served()
        place = directory / "bin"
        place.mkdir(parents=True, exist_ok=True)
        asking = [FORKED_COMMAND, self._address[1:].decode(), *SITECTL]
        for name, words in (("sitectl", ["-I", "-S", *asking]), ("python3", [])):
            path = place / name
            line = shlex.join(map(str, [sys.executable, *words]))
            path.write_text(f'#!/bin/sh\nexec {line} "$@"\n')
            path.chmod(0o755)
        return place

    def _served(self) -> socket.socket:
        if self._socket is None:
            self._socket = self._start()
        return self._socket

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listening.bind("")  # At an abstract address that the kernel chooses.
        listening.listen(_ASKING_MAX)
        self._address = listening.getsockname()
        with theirs, listening:
            descriptors = [theirs.fileno(), listening.fileno()]
            words = ["-P", "-m", "tests.scenario.forking", *map(str, descriptors)]
            places = [str(self._code), *_hidden()]
            if self._code != ROOT:
                places.append(str(ROOT))  # For this module.
            server = subprocess.Popen(
                [sys.executable, *words],
                stdin=subprocess.DEVNULL,
                cwd=ROOT,
                env={**os.environ, **self._further, "PYTHONPATH": os.pathsep.join(places)},
                pass_fds=descriptors,
                start_new_session=True,
            )

        def end() -> None:
            ours.close()
            server.wait()

        atexit.register(end)
        return ours


def _hidden() -> list[str]:
    """The `PYTHONPATH` of a whole run, which its processes search first."""
    return [part for part in [os.environ.get("PYTHONPATH", "")] if part]


def _environment() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if name != _OF_A_TEST}


PYTHON: Final = Forker(ROOT)


@cache
def python_of(code: Path) -> Forker:
    """Of a release whose packages lie there."""
    return PYTHON if code == ROOT else Forker(code)


def sitectl(
    words: Sequence[str],
    given: str | None,
    directory: Path,
    environment: Mapping[str, str],
    timeout_s: float,
    python: Forker = PYTHON,
) -> tuple[int, str, str]:
    """Exit code, output and error output of a command. Raises `subprocess.TimeoutExpired`."""
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(TemporaryFile("w+")) for _ in range(3)]
        files[0].write(given or "")
        files[0].seek(0)
        standard = (files[0].fileno(), files[1].fileno(), files[2].fileno())
        command = python.run([*SITECTL, *words], standard, directory, environment, forks=True)
        code = command.wait(timeout_s)
        if code is None:
            command.send_signal(signal.SIGKILL)
            command.forget()
            raise subprocess.TimeoutExpired(["sitectl", *words], timeout_s)
        for file in files:
            file.seek(0)
        return code, files[1].read(), files[2].read()


@contextlib.contextmanager
def routers_forked(python: Forker = PYTHON) -> Iterator[None]:
    """Commands that run within this process have their routers forked meanwhile."""
    if not python.suits():
        yield
        return
    made: list[Forked] = []

    def fork(
        words: Sequence[str],
        files: Files,
        directory: Path,
        environment: Mapping[str, str],
        inherited: Sequence[int],
    ) -> Forked:
        made.append(python.run(words, files, directory, environment, forks=True))
        return made[-1]

    start = subprocess.Popen
    subprocess.Popen = popen_that_forks(fork)  # type: ignore[misc]
    try:
        yield
    finally:
        subprocess.Popen = start  # type: ignore[misc]
        for one in made:
            one.forget()


class ForkServer:
    """Forks whenever it is asked, and reports to each asker how the process ended.

    Askers are the test run, at ``door``, and other processes, where ``listening`` listens.
    """

    def __init__(self, door: socket.socket, listening: socket.socket) -> None:
        self._door, self._listening = door, listening
        self._endings: dict[int, int] = {}
        self._woken, self._wakes = os.pipe()
        """A signal that arrives just before `select` waits does not interrupt it: this does."""
        for end in (self._woken, self._wakes):
            os.set_blocking(end, False)

    def serve(self) -> dict[str, Any]:
        """Return in each child, with its request; end with the test run."""
        signal.set_wakeup_fd(self._wakes, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, self._reap)
        waited_for: list[socket.socket | int] = [self._door, self._listening, self._woken]
        while True:
            for asked in select.select(waited_for, [], [])[0]:
                if asked == self._woken:
                    os.read(self._woken, _SIGNALS_MAX)
                    continue
                if asked is self._door:
                    wanted = self._forked(self._door)
                else:
                    with self._listening.accept()[0] as asker:
                        asker.settimeout(_ASKS_S)
                        wanted = self._forked(asker)
                if wanted is not None:
                    return wanted

    def _forked(self, asker: socket.socket) -> dict[str, Any] | None:
        """The request of the new process, in the child; None in the server."""
        try:
            request, files, _, _ = socket.recv_fds(asker, _REQUEST_BYTES, _FILES_MAX)
        except TimeoutError:  # It was stopped.
            return None
        if not request:
            if asker is self._door:
                sys.exit()
            return None  # It has ended.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        pid = os.fork()
        if pid:
            self._endings[pid] = files.pop(3)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            for file in files:
                os.close(file)
            return None
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        os.setsid()
        wanted: dict[str, Any] = json.loads(request)
        asker.send(str(os.getpid()).encode())  # It leads its session: killpg works.
        self._take(files, wanted["inherited"], asker)
        return wanted

    def _take(self, files: list[int], inherited: list[int], asker: socket.socket) -> None:
        """Have ``files`` by their numbers, and none of the server's."""
        for number, file in enumerate(files[:3]):
            os.dup2(file, number)
        sockets = {each.detach() for each in (asker, self._door, self._listening)}
        pipe = self._woken, self._wakes
        above = 1 + max([*files, *inherited, *sockets, *pipe, *self._endings.values()])
        for place, file in enumerate(files[4:], start=above):
            os.dup2(file, place)
        os.closerange(3, above)
        for place, number in enumerate(inherited, start=above):
            os.dup2(place, number)
            os.close(place)

    def _reap(self, *_: object) -> None:
        with contextlib.suppress(ChildProcessError):
            while ended := os.waitpid(-1, os.WNOHANG):
                pid, status = ended
                if not pid:
                    return
                file = self._endings.pop(pid)
                with contextlib.suppress(BrokenPipeError):  # The asker is gone.
                    os.write(file, str(os.waitstatus_to_exitcode(status)).encode())
                os.close(file)


def _load() -> None:
    """Import everything that a process of ours may import."""
    for module in walk_packages(import_module("sitectl").__path__, "sitectl."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    is_ours = find_spec("router.process") is not None
    for name in _LATE if is_ours else _LATE_BEFORE:
        import_module(name)
    if is_ours:
        built_types = import_module("router.model.built_types")
        built_types.build_types()
        vars(built_types)["_below"] = lambda kind: ()  # Else each process would walk all types.
    _make_a_site()


def _make_a_site() -> None:
    """Once for all: what libraries prepare when they are used first."""
    with TemporaryDirectory() as state:
        environment = {"SITECTL_PLATFORM": "process", "SITECTL_STATE": state}
        runner = import_module("click.testing").CliRunner(env=environment)
        made = runner.invoke(import_module("sitectl.main").cli, ["init", "first"])
    assert made.exit_code == 0, made.output


def _become(wanted: dict[str, Any], address: bytes) -> NoReturn:
    """What `python WORDS` does from here on. ``address``: of the server."""
    os.umask(wanted["umask"])
    resource.setrlimit(resource.RLIMIT_NOFILE, wanted["files"])
    os.chdir(wanted["directory"])
    limits = import_module("router.model.limits")
    for name, value in wanted["bounds"].items():
        assert hasattr(limits, name), name
        setattr(limits, name, value)
    if wanted["forks"]:
        fork_children(address)
    os.execv, os.execve = _execv, _execve  # type: ignore[assignment]  # Those return never, too.
    _run(wanted["words"], wanted["environment"])


def _run(words: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Run ``-m MODULE`` or ``-c CODE`` with its arguments; ends with SystemExit or an exception."""
    os.environ.clear()
    os.environ.update(environment)
    if environment.get("PYTHONUNBUFFERED"):
        sys.stdout, sys.stderr = (
            io.TextIOWrapper(io.FileIO(number, "wb", closefd=False), write_through=True)
            for number in (1, 2)
        )
    if words[0] == "-P":
        words = words[1:]
    if words[0] == "-X":
        assert words[1] == "faulthandler"
        faulthandler.enable()
        words = words[2:]
    kind, program, *arguments = words
    sys.argv = [kind, *arguments]
    try:
        if kind == "-c":
            main = sys.modules["__main__"] = ModuleType("__main__")
            exec(compile(program, "<string>", "exec"), main.__dict__)
        else:
            sys.modules.pop(program, None)  # It was imported under its own name.
            runpy.run_module(program, run_name="__main__", alter_sys=True)
        sys.exit()
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            _LAST_STEP.code = ended.code or 0
        raise


class _LastStep:
    """The exit function that was registered first: it runs after the threads and all others."""

    def __init__(self) -> None:
        self.code: int | None = None
        """The exit code; None: the program ends with an exception or a text, or is the server."""

    def __call__(self) -> None:
        """End the process before the interpreter frees its objects."""
        if self.code is not None:
            sys.stdout.flush()  # If that fails, the interpreter ends as it always does.
            sys.stderr.flush()
            os._exit(self.code)


_LAST_STEP: Final = _LastStep()
_OS_EXECVE: Final = os.execve


def _execv(path: str, words: Sequence[str]) -> NoReturn:
    _execve(path, words, os.environ)


def _execve(path: str, words: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Instead of `os.execve`: this Python runs on, with what exec would have left."""
    if path != sys.executable or words[1] not in ("-P", "-m", "-c"):
        _OS_EXECVE(path, list(words), environment)
    assert threading.active_count() == 1, "exec ends the other threads"
    environment = dict(environment)
    atexit._clear()
    atexit.register(_LAST_STEP)
    gc.collect()
    gc.freeze()  # Nothing that is left closes a file whose number is used again.
    for number in _caught():
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # The listing's own.
            if not os.get_inheritable(int(name)):
                os.close(int(name))
    try:
        _run(words[1:], environment)
    except SystemExit as ended:
        if _LAST_STEP.code is None:
            print(ended.code, file=sys.stderr)
            _LAST_STEP.code = 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
        _LAST_STEP.code = 1
    threading._shutdown()  # type: ignore[attr-defined]  # As the interpreter does at its end.
    atexit._run_exitfuncs()
    raise AssertionError("the last step ends the process")


def _caught() -> Iterator[signal.Signals]:
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if callable(signal.getsignal(number)):
            yield signal.Signals(number)


if __name__ == "__main__":
    atexit.register(_LAST_STEP)
    _load()
    gc.freeze()  # A collection in a child would copy every page.
    door, listening = (socket.socket(fileno=int(number)) for number in sys.argv[1:])
    address: bytes = listening.getsockname()
    _become(ForkServer(door, listening).serve(), address)
