"""`Cluster` over HTTPS: lightkube's kubeconfigs, authentication and exec, httpx2's connections."""

import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from io import BytesIO
from typing import Any, Final

from router.kubeconfig import UNUSABLE, read_config, unusable  # First: says what is not installed.
from sitectl.admin import SILENT_S, SLICE_S
from sitectl.failure import Exit, Failure
from sitectl.kubernetes.cluster import CALL_TIMEOUT_S, Cluster, Executed, Reply

# isort: split
import httpx2
import msgspec
from httpx2.websockets import WebSocketSession
from lightkube.config.client_adapter import Client, ConnectionParams
from lightkube.core.exceptions import ApiError, ConfigError
from lightkube.core.generic_client import BasicRequest
from lightkube.core.websocket import WebsocketDriver

EXEC_TIMEOUT_S: Final = 15.0
"""Of one exec: it starts an interpreter in a pod that may be short of processor time."""
_PRINTED, _ENDED = b"\x01", b"\x03"
"""Channels of the protocol: what the command prints; how it ended."""


class HttpCluster(Cluster):
    """One API server by its kubeconfig. May be used by several threads at once."""

    def __init__(self, http: httpx2.Client, namespace: str, server: str) -> None:
        super().__init__(namespace)
        self._http, self._server = http, server

    @classmethod
    def connect(
        cls, kubeconfig: str | None, context: str | None, namespace: str | None
    ) -> "HttpCluster":
        """Nothing is sent yet. ConfigError SW0431: there is no configuration that can be used."""
        config = read_config(kubeconfig, context)
        try:
            timeout = httpx2.Timeout(CALL_TIMEOUT_S)
            http = Client(config, ConnectionParams(timeout=timeout))
        except UNUSABLE as error:
            raise unusable(error, kubeconfig) from error
        return cls(http, namespace or config.namespace, config.cluster.server)

    def call(self, method: str, path: str, body: object = None, content_type: str = "") -> Reply:
        """One HTTP exchange."""
        headers = {"Accept": "application/json"}
        content = None
        if body is not None:
            content = msgspec.json.encode(body)
            headers["Content-Type"] = content_type or "application/json"
        try:
            answer = self._http.request(method, path, content=content, headers=headers)
        except (httpx2.HTTPError, ConfigError, OSError) as error:
            raise self._unreachable(error) from error
        return Reply(answer.status_code, answer.content, _seconds(answer))

    def execute(self, pod: str, container: str, command: Sequence[str]) -> Executed:
        """Run ``command`` over a WebSocket (protocol v5.channel.k8s.io, or v4 of older servers)."""
        path, params = self._exec(pod, container, command)
        output, errors = BytesIO(), BytesIO()
        request = BasicRequest("GET", path, params=params)
        try:
            driver = WebsocketDriver(self._http, request, timeout=EXEC_TIMEOUT_S)
            done = driver.write_and_read(stdout=output, stderr=errors)
        except Exception as error:
            raise self._exec_failure(error, pod) from error
        return Executed(output.getvalue(), errors.getvalue(), done.exit_code)

    def follow(self, pod: str, container: str, command: Sequence[str]) -> Iterator[bytes]:
        """Lines as they come."""
        path, params = self._exec(pod, container, command)
        rest = b""
        try:
            with self._listening(path, params) as listening:
                while True:
                    message = _received(listening)
                    if message[:1] == _ENDED:
                        return
                    if message[:1] == _PRINTED:
                        *lines, rest = (rest + message[1:]).split(b"\n")
                        yield from (line + b"\n" for line in lines)
        except Exception as error:
            raise self._exec_failure(error, pod) from error

    @contextmanager
    def _listening(self, path: str, params: dict[str, Any]) -> Iterator[WebSocketSession]:
        """A WebSocket whose threads end with it, even when the other end is silent.

        The library's wait on for what comes (closing a descriptor wakes no reader) and for the
        answer to a ping; the interpreter waits for them at its end.
        """
        with ExitStack() as after:
            listening = after.enter_context(
                self._http.websocket(
                    path,
                    subprotocols=WebsocketDriver.PROTOCOLS,
                    params=params,
                    keepalive_ping_timeout_seconds=None,
                )
            )
            link = listening.stream.get_extra_info("socket")
            with closing(socket.socket(fileno=os.dup(link.fileno()))) as kept:
                try:
                    with after.pop_all():
                        yield listening
                finally:
                    with suppress(OSError):
                        kept.shutdown(socket.SHUT_RDWR)

    def _exec(self, pod: str, container: str, command: Sequence[str]) -> tuple[str, dict[str, Any]]:
        params = {
            "command": list(command),
            "container": container,
            "stdout": "true",
            "stderr": "true",
        }
        return self.path("Pod", pod, "exec"), params

    def _exec_failure(self, error: Exception, pod: str) -> Failure:
        """Why an exec did not come to its end; libraries wrap it in groups and upgrade errors."""
        while isinstance(error, BaseExceptionGroup) and isinstance(error.exceptions[0], Exception):
            error = error.exceptions[0]
        if isinstance(error, Failure):
            return error
        if isinstance(error, ApiError):
            message = error.status.message or "the exec failed"
            return Failure(Exit.UNREACHABLE, "router-unreachable", f"pod {pod}: {message}")
        answer = getattr(error, "response", None)
        if isinstance(answer, httpx2.Response):
            body = _body(answer)
            if answer.status_code == 403:
                return self.refusal(403, body, "Pod/exec", "create", pod)
            if answer.status_code >= 400:
                return self.refusal(answer.status_code, body, "Pod", "get", pod)
        if isinstance(error, httpx2.HTTPError | ConfigError | OSError):
            return self._unreachable(error)
        return Failure(
            Exit.UNREACHABLE,
            "router-unreachable",
            f"pod {pod}: the exec broke off: {error or type(error).__name__}",
            "Try again",
            retryable=True,
        )

    def _unreachable(self, error: Exception) -> Failure:
        cause = str(error) or type(error).__name__
        if isinstance(error, httpx2.TimeoutException):
            cause = f"no answer within {CALL_TIMEOUT_S:g} s"
        return Failure(
            Exit.UNREACHABLE,
            "api-unreachable",
            f"the API server {self._server} cannot be reached: {cause}",
            "Check that this works: kubectl get pods; else give --kubeconfig or --context",
            retryable=True,
        )


def _received(listening: WebSocketSession) -> bytes:
    """The next message. Waits in slices: see `SLICE_S`."""
    ends_at = time.monotonic() + SILENT_S
    while True:
        try:
            return listening.receive_bytes(SLICE_S)
        except TimeoutError as error:
            if time.monotonic() >= ends_at:
                raise TimeoutError(f"nothing came for {SILENT_S:g} s") from error


def _seconds(answer: httpx2.Response) -> float:
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else 0.0


def _body(answer: httpx2.Response) -> bytes:
    try:
        return answer.read()
    except (httpx2.HTTPError, httpx2.StreamError):
        return b""  # It was never read while its connection was open; the status tells enough.
