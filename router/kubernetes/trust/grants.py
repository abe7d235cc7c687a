"""Claims that this site granted, each a Secret; a use is saved there before it is answered.

Replicas share them by the version of the Secret: of two that judge the same claim at once, one
writes, and the other reads the rest again. So a use counts everywhere, even after a crash.
"""

import asyncio
import errno
import logging
from collections.abc import Callable

from certs import names
from certs.ca.authority import Authority
from certs.errors import CertError
from certs.joining import claims
from certs.joining.claims import ClaimRefused, ClaimRequest, Redeemed
from router.kubernetes.client.api import Api
from router.kubernetes.client.errors import ApiError
from router.kubernetes.codecs import grant as codec
from router.kubernetes.codecs.secrets import grant_name
from router.kubernetes.trust.trust_calls import SECRET, until_written
from router.model import limits

log = logging.getLogger("router.kubernetes")

Result = Redeemed | ClaimRefused | CertError | OSError
Done = Callable[[Result], None]


class GrantSecrets:
    """Implements `trust.ports.PrimarySecrets.redeem`. ``tasks`` runs the redemptions."""

    __slots__ = ("_api", "_authority", "_tasks")

    def __init__(self, api: Api, authority: Authority, tasks: asyncio.TaskGroup) -> None:
        self._api = api
        self._authority = authority
        self._tasks = tasks

    def use(self, authority: Authority) -> None:
        """Issue by ``authority`` from now on: the site's CA is rotated."""
        self._authority = authority

    def redeem(self, name: str, request: ClaimRequest, now: float, done: Done) -> None:
        """Judge ``request`` at ``now``; ``done`` is called once, after the decision is saved."""
        self._tasks.create_task(self._redeem(name, request, now, done))

    async def _redeem(self, name: str, request: ClaimRequest, now: float, done: Done) -> None:
        try:
            async with asyncio.timeout(limits.CLAIM_ANSWER_S):
                result = await self.judge(name, request, now)
        except TimeoutError:
            result = OSError(errno.ETIMEDOUT, "the Kubernetes API was too slow")
        except Exception:  # The owner of the task: one claim must not end others.
            log.exception("a claim could not be judged")
            result = OSError(errno.EIO, "a fault of this router")
        done(result)

    async def judge(self, name: str, request: ClaimRequest, now: float) -> Result:
        """The result of the claim, saved when this returns, unless it is an OSError."""
        if not names.is_name(name):
            return ClaimRefused("unknown")
        source = f"{SECRET}/{grant_name(name)}"
        try:
            return await until_written(lambda: self._judge(name, request, now))
        except ApiError as error:
            return OSError(errno.EIO, f"{source}: {error}")
        except CertError as error:
            return error

    async def _judge(self, name: str, request: ClaimRequest, now: float) -> Result:
        found = await self._api.find(SECRET, grant_name(name))
        grant = None if found is None else codec.decode(found)
        result, kept = claims.judge(grant, request, now, self._authority)
        if found is not None and kept is not None:
            await self._api.replace(codec.changed(found, kept))
        return result
