"""The client's interface to HTTP."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from router.kubernetes.client.api_calls import ApiAnswer


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

    def stream(
        self, path: str, params: Mapping[str, str], silence_s: float
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Pieces of a GET's body as they arrive; `ApiError` for a status that is not 200.

        Also raises after a silence of ``silence_s``.
        """

    async def close(self) -> None:
        """End all connections."""
