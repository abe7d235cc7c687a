"""HTTP to an API server, with lightkube's kubeconfig reader and authentication.

lightkube's client is not used: it keeps objects that vanished while a watch was expired, decodes
the metadata of each object, supports no preconditions of deletes, and cuts a watch's lines at
characters that annotations may hold. lightkube reads token files again when the token is refused,
as kubelets replace them.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from router.kubernetes.client.api_calls import JSON, ApiAnswer
from router.kubernetes.client.errors import (
    NO_ANSWER,
    SILENT,
    TOO_LARGE,
    UNREACHABLE,
    UNTRUSTED,
    ApiError,
    late,
    refused,
)
from router.kubernetes.client.kubeconfig import (  # First: reports a missing installation.
    UNUSABLE,
    read_config,
    unusable,
)
from router.model import limits

# isort: split
import httpx2
from lightkube.config.client_adapter import ConnectionParams
from lightkube.core.exceptions import ConfigError as LightkubeError

_CONNECTIONS: Final = httpx2.Limits(max_keepalive_connections=limits.API_IDLE_CONNECTIONS_MAX)
"""The number of connections is unlimited, since each watch holds one.

With a limit, calls would wait for a watch that never ends.
"""


def open_transport(kubeconfig: str | None, context: str | None) -> tuple["HttpTransport", str]:
    """A transport as configured, and the namespace that its configuration names.

    ConfigError SW0431: no configuration, or an unusable one.
    """
    config = read_config(kubeconfig, context)
    try:
        stated = ConnectionParams(timeout=_timeouts(limits.API_ATTEMPT_S)).httpx_params(config)
        client = httpx2.AsyncClient(**stated, limits=_CONNECTIONS)
    except UNUSABLE as error:
        raise unusable(error, kubeconfig) from error
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # Else it logs each request.
    return HttpTransport(client), config.namespace


class HttpTransport:
    """Implements `ports.Transport`."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    async def request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        body: bytes | None,
        content_type: str,
        timeout_s: float,
    ) -> ApiAnswer:
        """The answer, whatever its status."""
        try:
            async with self._client.stream(
                method,
                path,
                params=dict(params),
                content=body,
                headers=headers_of(body, content_type),
                timeout=_timeouts(timeout_s),
            ) as response:
                answered = await _whole(response)
        except (httpx2.HTTPError, LightkubeError, OSError) as error:
            raise _unreachable(error) from error
        return ApiAnswer(response.status_code, answered, retry_after_s(response))

    @asynccontextmanager
    async def stream(
        self, path: str, params: Mapping[str, str], silence_s: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Pieces of a GET's body as they arrive."""
        timeouts = httpx2.Timeout(limits.API_ATTEMPT_S, read=silence_s)
        try:
            async with AsyncExitStack() as stack:
                response = await self._opened(stack, path, params, timeouts)
                if response.status_code != 200:
                    body = await _whole(response)
                    raise refused(response.status_code, body, retry_after_s(response))
                yield response.aiter_bytes()
        except (httpx2.HTTPError, LightkubeError, OSError) as error:
            raise _unreachable(error) from error

    async def _opened(
        self, stack: AsyncExitStack, path: str, params: Mapping[str, str], timeouts: httpx2.Timeout
    ) -> httpx2.Response:
        """The head of the answer to a GET. A late head is a timeout, not the silence of a watch."""
        stream = self._client.stream(
            "GET", path, params=dict(params), headers=headers_of(None, ""), timeout=timeouts
        )
        try:
            async with asyncio.timeout(limits.API_ATTEMPT_S):
                return await stack.enter_async_context(stream)
        except TimeoutError as error:
            raise late() from error

    async def close(self) -> None:
        """End all connections."""
        await self._client.aclose()


async def _whole(response: httpx2.Response) -> bytes:
    body = bytearray()
    async for piece in response.aiter_bytes():
        append(body, piece)
    return bytes(body)


def append(body: bytearray, piece: bytes) -> None:
    """Add ``piece`` to ``body``. ApiError 413: the answer is too large."""
    body += piece
    if len(body) > limits.API_ANSWER_BYTES_MAX:
        raise ApiError(TOO_LARGE, "TooLarge", "the API server's answer is too large")


def headers_of(body: bytes | None, content_type: str) -> dict[str, str]:
    """Header fields of a request with ``body``."""
    return {"Accept": JSON} | ({} if body is None else {"Content-Type": content_type or JSON})


def _timeouts(timeout_s: float) -> httpx2.Timeout:
    return httpx2.Timeout(timeout_s)


def _unreachable(error: Exception) -> ApiError:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            text = f"the API server's certificate is not trusted: {cause.verify_message}"
            return ApiError(NO_ANSWER, UNTRUSTED, text)
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx2.ReadTimeout):
        return late()
    text = str(error) or type(error).__name__
    return ApiError(NO_ANSWER, UNREACHABLE, f"{SILENT}{text}")


def retry_after_s(response: httpx2.Response) -> float | None:
    """Seconds; a date (which API servers do not send) counts as missing."""
    try:
        asked_s = float(response.headers.get("Retry-After", ""))
    except ValueError:
        return None
    return asked_s if 0 <= asked_s < float("inf") else None
