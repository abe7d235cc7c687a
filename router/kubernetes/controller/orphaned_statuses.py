"""Statuses of objects that outlive a site, when no router is left to report its end."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import CONFLICT, FORBIDDEN, INVALID, NOT_FOUND, ApiError
from router.kubernetes.objects.objects import Object, shown

log = logging.getLogger("router.kubernetes")

_REFUSED = (400, CONFLICT, FORBIDDEN, INVALID, NOT_FOUND)
"""The end of the site does not wait for these."""


async def write_orphaned(
    api: Api,
    namespace: str,
    kinds: Iterable[str],
    status_of: Callable[[Object], Mapping[str, Any] | None],
) -> None:
    """Write ``status_of`` each object of ``kinds``; None leaves a status as it is.

    Kinds that are not served or not readable count as empty.
    """
    for kind in kinds:
        for found in await _listed(api, namespace, kind):
            status = status_of(found)
            if status is None:
                continue
            try:
                await api.replace(
                    {**found, "status": dict(status)}, subresource="status", namespace=namespace
                )
            except ApiError as error:
                if error.status not in _REFUSED:
                    raise
                log.info("the status of %s stays: %s", shown(found), error)


async def _listed(api: Api, namespace: str, kind: str) -> Sequence[Object]:
    try:
        return (await api.list(kind, namespace=namespace)).items
    except ApiError as error:
        if error.status not in (FORBIDDEN, NOT_FOUND):
            raise
        return ()
