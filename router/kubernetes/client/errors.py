"""Errors of an API server, in its own words, and when to try again.

A refusal by the server is an `ApiError` with its status; no answer at all is one with status 0.
Unexpected answers are errors, too: proxies in between may answer with anything.
"""

import random
import re
from typing import Final, NamedTuple, TypeVar

import msgspec

from router.kubernetes.objects.names import ROUTER
from router.model import limits
from router.model.errors import RouterError
from router.model.ticks import doubled_s
from router.model.unreadable import UNREADABLE_JSON

_Decoded = TypeVar("_Decoded")

NO_ANSWER: Final = 0
UNAUTHORIZED, CONFLICT, GONE, NOT_FOUND, FORBIDDEN, TOO_MANY = 401, 409, 410, 404, 403, 429
INVALID, UNAVAILABLE = 422, 503
ALREADY_EXISTS: Final = "AlreadyExists"
"""The reason of a 409 that says the name is taken; of any other, nothing was made."""
MALFORMED: Final = "Malformed"
UNREACHABLE: Final = "Unreachable"
LATE: Final = "Timeout"
UNTRUSTED: Final = "Untrusted"
"""The server's certificate is of no CA that this router trusts, so no request was sent."""
SILENT: Final = "the API server does not answer: "
"""Start of the text of an error without any answer."""
_LIMIT_RANGE: Final = re.compile(r"(usage|ratio) per (Container|Pod) is")
"""In a LimitRange's refusal of a pod, "maximum cpu usage per Container is 200m, but limit is 2"."""
TOO_LARGE: Final = 413
"""Also for an answer that is larger than `limits.API_ANSWER_BYTES_MAX`."""


_QUOTAS: Final = "resourcequotas"


class _StatusDetails(msgspec.Struct, frozen=True):
    retryAfterSeconds: float = 0
    kind: str = ""


class _Status(msgspec.Struct, frozen=True):
    reason: str = ""
    message: str = ""
    code: int = 0
    details: _StatusDetails | None = None


class ApiError(RouterError):
    """The API server refused, or did not answer.

    ``status`` is HTTP's, 0: no answer. ``reason`` is the API's word (``NotFound``, ``Conflict``,
    ``AlreadyExists``, ``Expired``, ``Forbidden``; ours are ``Unreachable``, ``Untrusted``,
    ``Timeout`` and ``Malformed``).
    ``retry_after_s``: the wait that the server asked for, if it did. ``lost_quota_race``: others
    made objects in the same moment, so that the server could not count this one for a quota. It
    was not written, whatever the verb, and may be at the next try.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        retry_after_s: float | None = None,
        *,
        lost_quota_race: bool = False,
    ) -> None:
        self.status, self.reason, self.message = status, reason, message
        self.retry_after_s, self.lost_quota_race = retry_after_s, lost_quota_race
        super().__init__(message or reason)

    @property
    def sort(self) -> tuple[int, str]:
        """Errors with equal values are reported in the same words."""
        return self.status, "" if self.status else self.reason

    @property
    def is_answer(self) -> bool:
        """Whether the server judged the request: it is there, and knows the caller."""
        is_away = self.status in (NO_ANSWER, UNAUTHORIZED, TOO_MANY) or self.status >= 500
        return not is_away

    @property
    def is_gone(self) -> bool:
        """The requested version is no longer stored (HTTP 410): list again."""
        return self.status == GONE or self.reason in ("Expired", "Gone")


def not_ready(refusal: ApiError) -> ApiError:
    """In the place of the ``refusal`` by a server that has not read the Roles yet."""
    text = f"not ready yet, it refuses: {refusal.message}"
    return ApiError(UNAVAILABLE, "ServiceUnavailable", text)


def late() -> ApiError:
    """No answer came in time. The time is left out: it would change the sentence each time."""
    return ApiError(NO_ANSWER, LATE, "no answer in time")


class ServerSilence(NamedTuple):
    """The API server has given no usable answer since then (the loop's time), last as ``fault``."""

    since: float
    fault: ApiError


def refused_pod_step(message: str) -> str:
    """The next step about a router's pod that the cluster did not make, by the server's words."""
    if _LIMIT_RANGE.search(message):
        return (
            "kubectl describe limitrange; then sitectl update with --router-cpu, --router-memory, "
            "--router-cpu-limit and --router-memory-limit within it"
        )
    if "error looking up service account" in message:
        return f"Make ServiceAccount {ROUTER} again: sitectl update, or what made the site"
    step = admission_step(ApiError(FORBIDDEN, "Forbidden", message))
    return step or f"kubectl describe deployment {ROUTER}"


_QUOTA_REFUSES: Final = ("exceeded quota", "failed quota", "insufficient quota")


def admission_step(error: ApiError) -> str:
    """The next step after a refusal by admission; empty: admission did not refuse.

    Such a refusal looks like a missing permission or a bad value. It is matched by the API server's
    own words: its answers have no field for it.
    """
    text = error.message
    if "denied the request" in text or "denied request" in text:  # 403, or the policy's status.
        return "Change the admission policy or webhook that the message names, or exempt the object"
    if error.status != FORBIDDEN:
        return ""
    if any(words in text for words in _QUOTA_REFUSES):
        return "Raise the quota: kubectl describe resourcequota"
    if "status unknown for quota" in text:  # Of a quota that was made a moment ago.
        return "Try again: the cluster has not yet counted what the quota limits"
    if "being terminated" in text:
        return "Nothing: the namespace is being deleted"
    return ""


def backoff_s(
    attempt: int, rng: random.Random, asked_s: float | None = None, most_s: float = 0.0
) -> float:
    """The wait after failure number ``attempt`` (from 0): doubling, jittered by half.

    Never shorter than the wait that the server requested, which is stretched so that not all
    clients come back at once. ``most_s`` 0: `API_BACKOFF_MAX_S`.
    """
    longest_s = doubled_s(limits.API_BACKOFF_S, attempt, most_s or limits.API_BACKOFF_MAX_S)
    wait_s = longest_s * rng.uniform(0.5, 1.0)
    if asked_s is None:
        return wait_s
    return max(wait_s, min(asked_s, limits.API_RETRY_AFTER_MAX_S) * rng.uniform(1.0, 1.25))


def refused(status: int, body: bytes, retry_after_s: float | None = None) -> ApiError:
    """The error of an answer that is no success; proxies in between answer with any text."""
    try:
        said = msgspec.json.decode(body, type=_Status)
    except UNREADABLE_JSON:
        said = _Status(message=_plain(body))
    code = status or said.code
    message = said.message or f"HTTP {code}"
    details = said.details or _StatusDetails()
    if retry_after_s is None:
        retry_after_s = details.retryAfterSeconds or None
    is_race = code == CONFLICT and details.kind == _QUOTAS
    return ApiError(code, said.reason, message, retry_after_s, lost_quota_race=is_race)


def _plain(body: bytes) -> str:
    """``body`` if it is one line of plain text, else empty.

    Answers of the server's filters: 429 of priority and fairness, 500 of an authorizer that fails.
    """
    text = body[: limits.API_PLAIN_ANSWER_BYTES_MAX + 1].decode(errors="replace").strip()
    is_line = text.isprintable() and text[:1].isalnum()
    return text if is_line and len(body) <= limits.API_PLAIN_ANSWER_BYTES_MAX else ""


def decoded(body: bytes, kind: type[_Decoded]) -> _Decoded:
    """``body`` as ``kind``; `ApiError` ``Malformed`` if it does not decode."""
    try:
        return msgspec.json.decode(body, type=kind)
    except UNREADABLE_JSON as error:
        raise malformed(str(error)) from error


def malformed(what: str) -> ApiError:
    """The error for an answer that does not fit the request."""
    return ApiError(NO_ANSWER, MALFORMED, f"the API answered with: {what}")
