"""Claims that this site granted, each a Secret; answered only after the use is kept there.

Replicas share them by the version of the Secret: of two that judge the same claim at once, one
writes, and the other reads again what is left. So a use is a use everywhere, whatever dies when.
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
from router.kubernetes.client.errors import ApiError
from router.kubernetes.codecs import grant as codec
from router.kubernetes.codecs.secrets import grant_name
from router.kubernetes.trust.trust_calls import SECRET, Secrets, is_overtaken
from router.model import limits

log = logging.getLogger("router.kubernetes")

Result = Redeemed | ClaimRefused | CertError | OSError
Done = Callable[[Result], None]


class GrantSecrets:
    """Implements `trust.ports.KeptSecrets.redeem`. ``tasks`` runs what `redeem` begins."""

    __slots__ = ("_api", "_authority", "_tasks")

    def __init__(self, api: Secrets, authority: Authority, tasks: asyncio.TaskGroup) -> None:
        self._api = api
        self._authority = authority
        self._tasks = tasks

    def use(self, authority: Authority) -> None:
        """Issue by this one from now on: the site's CA is rotated."""
        self._authority = authority

    def redeem(self, name: str, request: ClaimRequest, now: float, done: Done) -> None:
        """Judge ``request`` at ``now``; ``done`` comes once, when what was decided is kept."""
        self._tasks.create_task(self._redeem(name, request, now, done))

    async def _redeem(self, name: str, request: ClaimRequest, now: float, done: Done) -> None:
        try:
            async with asyncio.timeout(limits.CLAIM_ANSWER_S):
                result = await self.judge(name, request, now)
        except TimeoutError:
            result = OSError(errno.ETIMEDOUT, "the Kubernetes API was too slow")
        except Exception:  # The owner of the task: one claim ends no other.
            log.exception("a claim could not be judged")
            result = OSError(errno.EIO, "a fault of this router")
        done(result)

    async def judge(self, name: str, request: ClaimRequest, now: float) -> Result:
        """What the claim comes to; kept when this returns, unless it is an OSError."""
        if not names.is_name(name):
            return ClaimRefused("unknown")
        source = f"{SECRET}/{grant_name(name)}"
        for tries_left in reversed(range(limits.SECRET_TRIES_MAX)):
            try:
                found = await self._api.find(SECRET, grant_name(name))
                if found is None:
                    return claims.judge(None, request, now, self._authority)[0]
                grant = codec.decode(found)
                result, kept = claims.judge(grant, request, now, self._authority)
                if kept is None:
                    return result
                await self._api.replace(codec.changed(found, kept))
            except ApiError as error:
                if tries_left and is_overtaken(error):
                    continue  # Another replica was faster, or it was just deleted: look again.
                return OSError(errno.EIO, f"{source}: {error}")
            except CertError as error:
                return error
            return result
        raise AssertionError("unreachable: the last try returns")
