"""One call to an API server, sent again as long as that may help.

Each call has a deadline that covers its retries. What may be done only once is sent again only
when it was surely not carried out.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from router.kubernetes.client.api_calls import JSON, ApiCall
from router.kubernetes.client.errors import (
    NO_ANSWER,
    NOT_BEGUN,
    REPEATABLE,
    ApiError,
    backoff_s,
    refused,
)
from router.model import limits


class ApiAnswer(msgspec.Struct, frozen=True):
    """One HTTP answer, read to its end."""

    status: int
    body: bytes
    retry_after_s: float | None = None


class Transport(Protocol):
    """HTTP to one API server, authenticated. Raises `ApiError` with status 0."""

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
        ...

    def stream(
        self, path: str, params: Mapping[str, str], silence_s: float
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Pieces of a GET's body as they come; `ApiError` for a status that is not 200.

        Raises as well when nothing came for ``silence_s``.
        """
        ...

    async def close(self) -> None:
        """End all connections."""
        ...


class Calls:
    """Calls over one transport, with one fault policy."""

    __slots__ = ("_rng", "_transport")

    def __init__(self, transport: Transport, rng: random.Random) -> None:
        self._transport, self._rng = transport, rng

    async def send(self, call: ApiCall) -> bytes:
        """The body of a good answer."""
        return await self.call(
            call.method,
            call.path,
            params=call.params,
            body=call.body,
            content_type=call.content_type,
            repeats=call.repeats,
        )

    async def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = JSON,
        repeats: bool = True,
    ) -> bytes:
        """The body of a good answer. ``repeats``: doing it twice is as doing it once."""
        encoded = None if body is None else msgspec.json.encode(body)
        deadline = asyncio.get_running_loop().time() + limits.API_CALL_S
        for attempt in range(limits.API_ATTEMPTS_MAX):
            left_s = deadline - asyncio.get_running_loop().time()
            error = await self._attempt(
                method, path, params or {}, encoded, content_type, min(left_s, limits.API_ATTEMPT_S)
            )
            if isinstance(error, bytes):
                return error
            may_repeat = error.status in (REPEATABLE if repeats else NOT_BEGUN)
            wait_s = backoff_s(attempt, self._rng, error.retry_after_s)
            left_s = deadline - asyncio.get_running_loop().time()
            if not may_repeat or attempt == limits.API_ATTEMPTS_MAX - 1 or wait_s >= left_s:
                raise error
            await asyncio.sleep(wait_s)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _attempt(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        body: bytes | None,
        content_type: str,
        timeout_s: float,
    ) -> bytes | ApiError:
        try:
            async with asyncio.timeout(timeout_s):
                answer = await self._transport.request(
                    method, path, params, body, content_type, timeout_s
                )
        except TimeoutError:
            return ApiError(NO_ANSWER, "Timeout", f"no answer within {timeout_s:.0f} s")
        except ApiError as error:
            return error
        if 200 <= answer.status < 300:
            return answer.body
        return refused(answer.status, answer.body, answer.retry_after_s)
