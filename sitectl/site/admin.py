"""Clients of a router's admin API, with the standard library only.

`Admin` speaks to the unix socket; others carry the same calls elsewhere (`AdminClient`). Every
call has a deadline. A router that does not answer is `Failure` with exit code 8.
"""

import errno
import http.client
import json
import os
import select
import socket
import struct
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sitectl.base.failure import Exit, Failure, not_allowed, unreachable
from sitectl.site import run_lock

CALL_TIMEOUT_S = 5.0
WHOLE_CALL_S = 30.0
"""For one whole answer: who speaks a byte at a time must not hold root's command line."""
SILENT_S = 60.0
"""Of a stream of events: the router says every 15 s that it is still there."""
SLICE_S = 0.5
"""Of a wait without an end: a signal just before the system call is seen only after it."""
_BROKEN_OFF = (ConnectionResetError, BrokenPipeError, BlockingIOError, http.client.HTTPException)
"""A socket was there to connect to; the last but one: its backlog is full."""
EVENTS_PATH = "/api/v1/events"
COMMANDS_PATH = "/api/v1/commands"
_SOCKET_PATH_MAX = 100  # sun_path holds 108 bytes with its end.
_ANSWER_BYTES_MAX = 64 * 1024 * 1024
_NO_SUCH_PATH = "Not Found"
"""The answer of a router of any release for an unknown path, and for nothing else."""


class Call(NamedTuple):
    """One request. ``body``: JSON text of a POST."""

    method: str
    path: str
    body: str = ""


class AdminAnswer(NamedTuple):
    """One answer, whatever its status."""

    status: int
    content: bytes


class AdminClient(ABC):
    """The calls of verbs to a router, over any transport."""

    def get(self, path: str) -> Any:
        """The answer to ``GET path``: ``item`` or ``items`` out of its envelope."""
        return self.get_all(path)[0]

    def get_all(self, *paths: str) -> list[Any]:
        """The answers to ``GET`` of each path, in order."""
        answers = self.exchange([Call("GET", path) for path in paths])
        return [
            _unwrapped(path, _judged(path, answer))
            for path, answer in zip(paths, answers, strict=True)
        ]

    def post(self, path: str) -> Any:
        """The answer to ``POST path`` with an empty object: as `get`."""
        return _unwrapped(path, _judged(path, self.exchange([Call("POST", path, "{}")])[0]))

    def command(self, name: str, **arguments: str) -> Any:
        """Send a command, return the answer."""
        body = json.dumps({"command": name, "arguments": arguments})
        return _judged(COMMANDS_PATH, self.exchange([Call("POST", COMMANDS_PATH, body)])[0])

    @abstractmethod
    def exchange(self, calls: Sequence[Call]) -> list[AdminAnswer]:
        """The answers to ``calls``, in order. Failure: no router answers."""

    @abstractmethod
    def is_running(self) -> bool:
        """Whether there is a router to ask."""

    @abstractmethod
    def events(self) -> Iterator[dict[str, Any]]:
        """Events as they happen, until the router ends the stream. No deadline."""


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket; long paths go through their directory's descriptor."""

    def __init__(self, path: Path, timeout_s: float, ends_at: float | None = None) -> None:
        """``ends_at``: of the monotonic clock, for the whole call; ``timeout_s``: each wait."""
        super().__init__("localhost", timeout=timeout_s)
        self._path, self._ends_at = path, ends_at

    def connect(self) -> None:
        found = connect(self._path, self.timeout)
        if self._ends_at is not None:
            found = _Ending(found.detach(), self.timeout, self._ends_at)
        self.sock = found


class _Ending(socket.socket):
    """A socket whose waits end together, however slowly the other end speaks."""

    __slots__ = ("_ends_at", "_wait_s")

    def __init__(self, descriptor: int, wait_s: float | None, ends_at: float) -> None:
        super().__init__(fileno=descriptor)
        self._wait_s, self._ends_at = wait_s, ends_at
        self.settimeout(wait_s)

    def recv_into(self, *arguments: Any) -> int:
        """As the socket's. Raises TimeoutError when the call's time is over."""
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the whole answer took too long")
        self.settimeout(left if self._wait_s is None else min(left, self._wait_s))
        return super().recv_into(*arguments)


class _Listening(socket.socket):
    """A socket that waits for data in slices: see `SLICE_S`."""

    def recv_into(self, *arguments: Any) -> int:
        """As the socket's, with its timeout."""
        ends_at = time.monotonic() + (self.gettimeout() or 0.0)
        waiting = select.poll()
        waiting.register(self, select.POLLIN)
        while not waiting.poll(SLICE_S * 1000.0):
            if time.monotonic() >= ends_at:
                raise TimeoutError("nothing came")
        return super().recv_into(*arguments)


class _ListeningConnection(_UnixConnection):
    def connect(self) -> None:
        self.sock = _Listening(fileno=connect(self._path, self.timeout).detach())
        self.sock.settimeout(self.timeout)


def connect(path: Path, timeout_s: float | None) -> socket.socket:
    """A connection to the unix socket at ``path``; OSError as the system says."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    link.settimeout(timeout_s)
    try:
        if len(os.fsencode(path)) <= _SOCKET_PATH_MAX:
            link.connect(str(path))
        else:
            directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
            try:
                link.connect(f"/proc/self/fd/{directory}/{path.name}")
            finally:
                os.close(directory)
        _require_same_owner(link, path)
    except BaseException:
        link.close()
        raise
    return link


def _require_same_owner(link: socket.socket, path: Path) -> None:
    """Raise PermissionError if we are root and the listener is not the site's user.

    The owner of a site's directory may put another socket there: one of the system's.
    """
    if os.geteuid() != 0:
        return
    owner, listener = path.parent.parent.stat().st_uid, _peer(link)[1]
    if owner and owner != listener:
        raise PermissionError(errno.EPERM, f"user {listener} listens there", str(path))


def _peer(link: socket.socket) -> tuple[int, int]:
    """Process and user that listen on the other end, by the kernel (unix(7), SO_PEERCRED)."""
    raw = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    process_id, user_id, _ = struct.unpack("3i", raw)
    return process_id, user_id


class Admin(AdminClient):
    """The admin API of one router, at ``run/admin.sock`` of its site."""

    def __init__(
        self,
        socket_path: Path,
        site: str,
        start_hint: str = "",
        wait_s: float = WHOLE_CALL_S,
        log_hint: Callable[[], str] = str,
    ) -> None:
        """``start_hint``: what to type when it does not run. ``wait_s``: for one whole answer at
        most; of a router that is silent `CALL_TIMEOUT_S` is enough. ``log_hint``: the command to
        read its log; empty, as by default: it is not known."""
        self._path = socket_path
        self._log_hint = log_hint
        self._site = site
        self._whole_s = wait_s
        self._wait_s = min(wait_s, CALL_TIMEOUT_S)
        self._start_hint = start_hint or f"sitectl --site {site} start"
        self._is_started_here = not start_hint

    def is_ready(self, within_s: float = CALL_TIMEOUT_S) -> bool:
        """Whether the router serves and does not drain; False also without an answer."""
        wait_s = max(min(within_s, self._wait_s), 0.001)  # 0 would not wait at all.
        try:
            connection = _UnixConnection(self._path, wait_s, time.monotonic() + wait_s)
            try:
                connection.request("GET", "/readyz")
                return connection.getresponse().status == 200
            finally:
                connection.close()
        except (OSError, http.client.HTTPException):
            return False

    def is_running(self) -> bool:
        """Whether a process accepts on the socket."""
        try:
            connect(self._path, self._wait_s).close()
        except OSError:
            return False
        return True

    def process_id(self) -> int | None:
        """The process that listens on the socket, from the kernel; None: none, or unknown."""
        try:
            with connect(self._path, self._wait_s) as link:
                process_id = _peer(link)[0]
        except OSError:
            return None
        return process_id if process_id > 0 else None

    def event_lines(self) -> Iterator[bytes]:
        """The lines of the event stream (SSE) as they come, without an end."""
        connection = _ListeningConnection(self._path, self._wait_s)
        try:
            connection.request("GET", EVENTS_PATH, headers={"Accept": "text/event-stream"})
            link = connection.sock
            response = connection.getresponse()
            assert link is not None
            link.settimeout(SILENT_S)
            if response.status != 200:
                raise refused(EVENTS_PATH, AdminAnswer(response.status, response.read()))
            yield from response
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        finally:
            connection.close()

    def events(self) -> Iterator[dict[str, Any]]:
        """Events as they happen, until the router ends the stream. No deadline."""
        return events_in(self.event_lines())

    def exchange(self, calls: Sequence[Call]) -> list[AdminAnswer]:
        """The answers to ``calls``, in order, each on a new connection."""
        return [self._call(call) for call in calls]

    def _call(self, call: Call) -> AdminAnswer:
        whole_s = min(self._whole_s, WHOLE_CALL_S)
        connection = _UnixConnection(self._path, self._wait_s, time.monotonic() + whole_s)
        headers = {"Accept": "application/json"}
        if call.body:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(call.method, call.path, call.body or None, headers)
            response = connection.getresponse()
            return AdminAnswer(response.status, response.read(_ANSWER_BYTES_MAX))
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        finally:
            connection.close()

    def _look(self) -> str:
        log = self._log_hint()
        return f"See what it does: {log}" if log else ""

    def _unreachable(self, error: Exception) -> Failure:
        if isinstance(error, TimeoutError):
            return unreachable(
                f"the router of site {self._site!r} did not answer within {self._wait_s:g} s",
                self._look(),
            )
        if isinstance(error, PermissionError):
            return not_allowed(
                f"no permission for {self._path}", "Run as the user that runs the router"
            )
        if isinstance(error, _BROKEN_OFF):
            return unreachable(
                f"the router of site {self._site!r} broke off without an answer: it has no "
                "descriptor or memory left, or it ended just now",
                self._look(),
            )
        if self._is_started_here and run_lock.is_locked(self._path.parent):
            return unreachable(
                f"the router of site {self._site!r} runs, but nothing answers at {self._path}: it "
                "starts or ends just now, or that file was removed",
                f"If that lasts: sitectl --site {self._site} stop, then {self._start_hint}",
            )
        return unreachable(
            f"the router of site {self._site!r} is not running (nothing answers at {self._path})",
            self._start_hint,
        )


def events_in(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The events in the lines of an event stream (WHATWG HTML, 9.2.6)."""
    data: list[str] = []
    for raw in lines:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            yield json.loads("\n".join(data))
            data = []


def _judged(path: str, answer: AdminAnswer) -> Any:
    if answer.status >= 400:
        raise refused(path, answer)
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError) as error:
        message = f"the router gave an answer to {path} that is not JSON"
        hint = "Compare versions: sitectl version"
        raise Failure(Exit.FAILED, "bad-answer", message, hint) from error


def _unwrapped(path: str, answer: Any) -> Any:
    """The content of the envelope: an object, or a list of objects."""
    found = answer
    if isinstance(answer, dict) and "apiVersion" in answer:
        found = answer["item"] if "item" in answer else answer.get("items", [])
    if isinstance(found, dict) or (
        isinstance(found, list) and all(isinstance(one, dict) for one in found)
    ):
        return found
    message = f"the router gave an answer to {path} that this sitectl does not understand"
    raise Failure(Exit.FAILED, "bad-answer", message, "Compare versions: sitectl version")


def _unknown_path(path: str) -> tuple[str, str]:
    """Message and hint."""
    if path.endswith("/"):
        return "an empty name names nothing", "sitectl service status"
    return of_another_release(path)


def of_another_release(asked: str) -> tuple[str, str]:
    """Message and hint where the router does not know what was ``asked``."""
    return (
        f"the router does not know {asked}: it is of another release than this sitectl",
        "Start it again: sitectl stop, then sitectl start; on Kubernetes: sitectl update",
    )


def refused(path: str, answer: AdminAnswer) -> Failure:
    """The Failure for an answer that is no success."""
    fields: dict[str, Any] = {}
    try:
        said = json.loads(answer.content)
    except (ValueError, RecursionError):
        said = None  # A text that helps no reader.
    if isinstance(said, dict):
        inner = said.get("error", said)
        fields = inner if isinstance(inner, dict) else {"message": str(inner)}
    exit_code = {
        400: Exit.USAGE,
        403: Exit.NOT_ALLOWED,
        404: Exit.NOT_FOUND,
        409: Exit.CONFLICT,
        503: Exit.UNREACHABLE,
    }.get(answer.status, Exit.FAILED)
    message = str(fields.get("message") or f"{path}: the router answered {answer.status}")
    hint = str(fields.get("hint") or ("See its log, and: sitectl check" if not fields else ""))
    if answer.status == 404 and message == _NO_SUCH_PATH:
        message, hint = _unknown_path(path.partition("?")[0])
    default_code = "not-found" if answer.status == 404 else f"http-{answer.status}"
    return Failure(
        exit_code,
        str(fields.get("code") or default_code),
        message,
        hint,
        retryable=bool(fields.get("retryable", answer.status == 503)),
    )
