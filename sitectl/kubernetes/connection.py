"""`Cluster` over HTTPS: lightkube's kubeconfigs and authentication, httpx2's connections."""

import math
import ssl
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import Final

from router.kubernetes.client.api_calls import ApiAnswer
from router.kubernetes.client.errors import refused
from router.kubernetes.client.kubeconfig import (  # First: its error names the missing package.
    UNUSABLE,
    read_config,
    unusable,
)
from router.kubernetes.client.transport import append, headers_of, retry_after_s
from router.model import limits
from sitectl.base.failure import Exit, Failure
from sitectl.kubernetes.cluster import Cluster, Executed
from sitectl.site.admin import SILENT_S, SLICE_S

# isort: split
import httpx2
import msgspec
from lightkube.config.client_adapter import Client, ConnectionParams
from lightkube.core.exceptions import ConfigError

from sitectl.kubernetes.websocket import NotUpgraded, opened

EXEC_TIMEOUT_S: Final = 15.0
"""Of one exec: it starts an interpreter in a pod that may be short of processor time."""
PROTOCOLS: Final = ("v5.channel.k8s.io", "v4.channel.k8s.io")
PRINTED_BYTES_MAX: Final = 64 * 1024 * 1024
_OUTPUT, _ERRORS, _ENDED = 1, 2, 3
"""Channels of the protocol: what the command prints; how it ended, as a Status."""

_CLOSED: Final = (
    ConnectionResetError,
    BrokenPipeError,
    ssl.SSLEOFError,
    ssl.SSLZeroReturnError,
)


class _Cause(msgspec.Struct, frozen=True):
    reason: str = ""
    message: str = ""


class _Details(msgspec.Struct, frozen=True):
    causes: list[_Cause] = []


class _Status(msgspec.Struct, frozen=True):
    status: str = ""
    reason: str = ""
    message: str = ""
    details: _Details | None = None


class HttpCluster(Cluster):
    """One API server by its kubeconfig. May be used by several threads at once."""

    def __init__(
        self, http: httpx2.Client, namespace: str, server: str, wait_s: float = math.inf
    ) -> None:
        """``wait_s``: for a command in a pod at most, if that is less than `EXEC_TIMEOUT_S`."""
        super().__init__(namespace)
        self._http, self._server, self._wait_s = http, server, wait_s

    @classmethod
    def connect(
        cls,
        kubeconfig: str | None,
        context: str | None,
        namespace: str | None,
        wait_s: float = math.inf,
    ) -> "HttpCluster":
        """Nothing is sent yet. ConfigError SW0431: there is no configuration that can be used."""
        config = read_config(kubeconfig, context)
        try:
            timeout = httpx2.Timeout(limits.API_PERSON_ATTEMPT_S)
            http = Client(config, ConnectionParams(timeout=timeout))
        except UNUSABLE as error:
            raise unusable(error, kubeconfig) from error
        return cls(http, namespace or config.namespace, config.cluster.server, wait_s)

    def call(
        self, method: str, path: str, body: object = None, content_type: str = ""
    ) -> ApiAnswer:
        """One HTTP exchange; a second try if the server closes the connection as it opens."""
        try:
            try:
                return self._exchange(method, path, body, content_type)
            except httpx2.ConnectError as error:
                if not _closed_while_opening(error):
                    raise
                return self._exchange(method, path, body, content_type)
        except (httpx2.HTTPError, ConfigError, OSError) as error:
            raise self._unreachable(error) from error

    def _exchange(self, method: str, path: str, body: object, content_type: str) -> ApiAnswer:
        content = None if body is None else msgspec.json.encode(body)
        headers, answered = headers_of(content, content_type), bytearray()
        with self._http.stream(method, path, content=content, headers=headers) as answer:
            for piece in answer.iter_bytes():
                append(answered, piece)
        return ApiAnswer(answer.status_code, bytes(answered), retry_after_s(answer))

    def execute(self, pod: str, container: str, command: Sequence[str]) -> Executed:
        """Run ``command`` over a WebSocket (protocol v5.channel.k8s.io, or v4 of older servers)."""
        printed = {_OUTPUT: bytearray(), _ERRORS: bytearray()}
        whole_s = min(EXEC_TIMEOUT_S, self._wait_s)
        with closing(self._channels(pod, container, command, whole_s)) as said:
            for channel, data in said:
                if channel == _ENDED:
                    code = _exit_code(pod, data)
                    return Executed(bytes(printed[_OUTPUT]), bytes(printed[_ERRORS]), code)
                if channel in printed:
                    printed[channel] += data
                    if len(printed[channel]) > PRINTED_BYTES_MAX:
                        raise _broken(pod, f"it prints more than {PRINTED_BYTES_MAX} bytes")
        raise _broken(pod, "no word of its end")

    def follow(self, pod: str, container: str, command: Sequence[str]) -> Iterator[bytes]:
        """Lines as they come."""
        rest = b""
        with closing(self._channels(pod, container, command, math.inf)) as said:
            for channel, data in said:
                if channel == _ENDED:
                    return
                if channel == _OUTPUT:
                    *lines, rest = (rest + data).split(b"\n")
                    yield from (line + b"\n" for line in lines)

    def _channels(
        self, pod: str, container: str, command: Sequence[str], whole_s: float
    ) -> Generator[tuple[int, bytes]]:
        """The output of an exec: number of the channel, and its bytes."""
        path = self.path("Pod", pod, "exec")
        params = {
            "command": list(command),
            "container": container,
            "stdout": "true",
            "stderr": "true",
        }
        try:
            with opened(self._http, path, params, PROTOCOLS, SLICE_S) as socket:
                for message in socket.messages(whole_s, SILENT_S):
                    yield message[0] if message else -1, message[1:]
        except NotUpgraded as answer:
            kind, verb = ("Pod/exec", "create") if answer.status == 403 else ("Pod", "get")
            if answer.status < 400:
                raise _broken(pod, str(answer)) from answer
            raise self.refusal(refused(answer.status, answer.body), kind, verb, pod) from answer
        except (httpx2.HTTPError, ConfigError, OSError) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> Failure:
        cause = str(error) or type(error).__name__
        if isinstance(error, httpx2.TimeoutException):
            cause = f"no answer within {limits.API_PERSON_ATTEMPT_S:g} s"
        return Failure(
            Exit.UNREACHABLE,
            "api-unreachable",
            f"the API server {self._server} cannot be reached: {cause}",
            "Check that this works: kubectl get pods; else give --kubeconfig or --context",
            retryable=True,
        )


def _closed_while_opening(error: httpx2.ConnectError) -> bool:
    """Whether the server closed a connection before its TLS handshake was over.

    The request was not sent then, so that the server cannot have acted on it. A restarting API
    server does that, or a load balancer in front of one. A refused connection, an unknown name or
    a wrong certificate would be the same at the next try.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, _CLOSED):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _exit_code(pod: str, status: bytes) -> int:
    """By the last word of an exec, a Status. Failure: the command could not be run."""
    try:
        said = msgspec.json.decode(status, type=_Status)
        if said.status == "Success":
            return 0
        causes = said.details.causes if said.details is not None else []
        if said.reason == "NonZeroExitCode":
            return next(int(each.message) for each in causes if each.reason == "ExitCode")
        message = said.message or "the exec failed"
    except (msgspec.DecodeError, ValueError, StopIteration):
        message = "the exec ended with an unknown word"
    raise Failure(Exit.UNREACHABLE, "router-unreachable", f"pod {pod}: {message}")


def _broken(pod: str, why: str) -> Failure:
    message = f"pod {pod}: the exec broke off: {why}"
    return Failure(Exit.UNREACHABLE, "router-unreachable", message, "Try again", retryable=True)
