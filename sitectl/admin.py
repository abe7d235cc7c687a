"""A client of the router's admin API on its unix socket, with the standard library only.

Every call has a deadline. A router that does not answer is `Failure` with exit code 8.
"""

import http.client
import json
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sitectl.failure import Exit, Failure, unreachable

CALL_TIMEOUT_S = 5.0
_SOCKET_PATH_MAX = 100  # sun_path holds 108 bytes with its end.
_ANSWER_BYTES_MAX = 64 * 1024 * 1024


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket; long paths go through their directory's descriptor."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = connect(self._path, self.timeout)


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
    except BaseException:
        link.close()
        raise
    return link


class Admin:
    """The admin API of one router, at ``run/admin.sock`` of its site."""

    def __init__(self, socket_path: Path, site: str) -> None:
        self._path = socket_path
        self._site = site

    def get(self, path: str) -> Any:
        """The answer to ``GET path``: ``item`` or ``items`` out of its envelope."""
        answer = self._call("GET", path)
        if isinstance(answer, dict) and "apiVersion" in answer:
            return answer["item"] if "item" in answer else answer.get("items", [])
        return answer

    def command(self, name: str, **arguments: str) -> Any:
        """Send a command, return the answer."""
        return self._call("POST", "/api/v1/commands", {"command": name, "arguments": arguments})

    def is_ready(self) -> bool:
        """Whether the router serves and does not drain; False also when nobody answers."""
        try:
            connection = _UnixConnection(self._path, CALL_TIMEOUT_S)
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
            connect(self._path, CALL_TIMEOUT_S).close()
        except OSError:
            return False
        return True

    def process_id(self) -> int | None:
        """The process that listens on the socket, told by the kernel; None: nobody, or unseen."""
        try:
            link = connect(self._path, CALL_TIMEOUT_S)
        except OSError:
            return None
        with link:
            size = struct.calcsize("3i")
            raw = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        process_id: int = struct.unpack("3i", raw)[0]
        return process_id if process_id > 0 else None

    def events(self) -> Iterator[dict[str, Any]]:
        """Events as they happen, until the router ends the stream. No deadline."""
        connection = _UnixConnection(self._path, CALL_TIMEOUT_S)
        try:
            connection.request("GET", "/api/v1/events", headers={"Accept": "text/event-stream"})
            assert connection.sock is not None
            connection.sock.settimeout(None)
            response = connection.getresponse()
            if response.status != 200:
                raise self._refused("/api/v1/events", response.status, response.read())
            data: list[str] = []
            for raw in response:
                line = raw.decode("utf-8", "replace").rstrip("\r\n")
                if line.startswith("data:"):
                    data.append(line[5:].removeprefix(" "))
                elif not line and data:
                    yield json.loads("\n".join(data))
                    data = []
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        finally:
            connection.close()

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        connection = _UnixConnection(self._path, CALL_TIMEOUT_S)
        headers = {"Accept": "application/json"}
        payload = None
        if body is not None:
            payload = json.dumps(body)
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, path, payload, headers)
            response = connection.getresponse()
            content = response.read(_ANSWER_BYTES_MAX)
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        finally:
            connection.close()
        if response.status >= 400:
            raise self._refused(path, response.status, content)
        try:
            return json.loads(content)
        except ValueError as error:
            message = f"the router of {self._site} gave an answer to {path} that is not JSON"
            raise Failure(Exit.FAILED, "bad-answer", message) from error

    def _unreachable(self, error: Exception) -> Failure:
        if isinstance(error, TimeoutError):
            return unreachable(
                f"the router of site {self._site!r} did not answer within {CALL_TIMEOUT_S:g} s",
                "Look at its log: run/router.log in the site's directory",
            )
        if isinstance(error, PermissionError):
            return Failure(
                Exit.NOT_ALLOWED,
                "not-allowed",
                f"no permission for {self._path}",
                "Run as the user that runs the router",
            )
        return unreachable(
            f"the router of site {self._site!r} is not running (nothing answers at {self._path})",
            f"sitectl --site {self._site} start",
        )

    def _refused(self, path: str, status: int, content: bytes) -> Failure:
        fields: dict[str, Any] = {}
        try:
            answer = json.loads(content)
        except ValueError:
            answer = content.decode("utf-8", "replace").strip()
        if isinstance(answer, dict):
            inner = answer.get("error", answer)
            fields = inner if isinstance(inner, dict) else {"message": str(inner)}
        else:
            fields = {"message": answer}
        exit_code = {
            400: Exit.USAGE,
            403: Exit.NOT_ALLOWED,
            404: Exit.NOT_FOUND,
            409: Exit.CONFLICT,
            503: Exit.UNREACHABLE,
        }.get(status, Exit.FAILED)
        message = str(fields.get("message") or f"{path}: the router answered {status}")
        default_code = "not-found" if status == 404 else f"http-{status}"
        return Failure(
            exit_code,
            str(fields.get("code") or default_code),
            message,
            str(fields.get("hint") or ""),
            retryable=bool(fields.get("retryable", status == 503)),
        )
