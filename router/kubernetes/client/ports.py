"""What the client needs of HTTP, and the verbs of `api.Api`, one by one, for those who need few."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from router.kubernetes.client.api_calls import ApiAnswer, Page
from router.kubernetes.objects.objects import Object


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


class Finds(Protocol):
    """Reads one object."""

    async def find(self, kind: str, name: str, *, namespace: str = "") -> dict[str, Any] | None:
        """The object as it is now, or None."""
        ...


class Lists(Protocol):
    """Reads all objects of a kind."""

    async def list(
        self, kind: str, *, labels: str = "", fields: str = "", namespace: str = ""
    ) -> Page:
        """All of them at once."""
        ...


class Creates(Protocol):
    """Makes objects."""

    async def create(self, made: Object, *, namespace: str = "") -> dict[str, Any]:
        """ApiError 409: there is one."""
        ...


class Replaces(Protocol):
    """Puts a whole object in the place of one."""

    async def replace(
        self, whole: Object, *, subresource: str = "", namespace: str = ""
    ) -> dict[str, Any]:
        """ApiError 409: it has another version by now; 404: it is gone."""
        ...


class Patches(Protocol):
    """Changes parts of an object."""

    async def patch(
        self,
        kind: str,
        name: str,
        changes: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        subresource: str = "",
        namespace: str = "",
    ) -> dict[str, Any]:
        """Merge; ApiError as `Replaces.replace` when ``changes`` state a version."""
        ...


class Applies(Protocol):
    """Server-side apply."""

    async def apply(self, wanted: Object, *, namespace: str = "") -> dict[str, Any]:
        """The fields of ``wanted`` become ours."""
        ...


class Deletes(Protocol):
    """Deletes objects."""

    async def delete(
        self, kind: str, name: str, *, uid: str = "", version: str = "", namespace: str = ""
    ) -> bool:
        """False: there was none. ApiError 409: it is another one by now."""
        ...
