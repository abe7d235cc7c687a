"""Whether an API server that refuses has read the Roles.

One that starts answers 403 to all accounts but administrators until its RBAC authorizer has read
them: for a moment, or for seconds on a busy machine. It says so at ``/readyz``, whose check
``informer-sync`` fails until then, or refuses that path, too (measured on Kubernetes 1.36).
"""

from math import inf
from typing import Final

from router.kubernetes.client.api_calls import ApiAnswer, ApiCall
from router.kubernetes.client.errors import FORBIDDEN, NO_ANSWER, ApiError, admission_step
from router.model import limits

READY: Final = ApiCall(verb="get", kind="", method="GET", path="/readyz")
"""Every account may ask this, unless an administrator took the right away."""


class ServerStart:
    """One server, by its answers to `READY` and to other calls. Pure."""

    __slots__ = ("_unready_since",)

    def __init__(self) -> None:
        self._unready_since = inf

    def note(self, error: ApiError) -> None:
        """A call failed so. Without any answer, the server may be restarted."""
        if error.status == NO_ANSWER:
            self._unready_since = inf

    def is_in_question(self, error: ApiError, now: float) -> bool:
        """Whether to ask `READY` before ``error`` counts.

        A server that was not ready for long has no right for us: some clusters let no account ask.
        """
        is_refusal = error.status == FORBIDDEN and not admission_step(error)
        return is_refusal and now < self._unready_since + limits.API_STARTING_S

    def has_read_roles(self, answer: ApiAnswer | ApiError, now: float) -> bool:
        """Whether the server is ready, by its ``answer`` to `READY`."""
        is_ready = (
            not isinstance(answer, ApiError) and answer.status != FORBIDDEN and answer.status < 500
        )
        self._unready_since = inf if is_ready else min(self._unready_since, now)
        return is_ready
