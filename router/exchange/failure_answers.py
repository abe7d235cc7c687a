"""The answer for an HTTP client whose request got none."""

from math import ceil

from msgspec.structs import replace

from router.http.http1.grammar import HttpError
from router.service.ports import LegCode, LegFailure

_NO_ROUTE = HttpError(503, "no-route", "No site can serve this service right now.")
_ALL_FULL = HttpError(
    503, "all-full", "Every target that may serve this request is full; try again shortly."
)
_SHED = HttpError(
    503,
    "shed",
    "This request is sheddable, and free slots are reserved for others; try again later.",
)
_OVERLOADED = HttpError(503, "overloaded", "This router has no room left; try again shortly.")
_REFUSED = HttpError(502, "target-refused", "The target did not accept a connection.")
_RESET = HttpError(502, "target-reset", "The target broke off before it had answered.")
_BAD_RESPONSE = HttpError(502, "bad-response", "The target did not answer in valid HTTP.")
_TIMEOUT = HttpError(504, "target-timeout", "The target did not answer in time.")
_UNANSWERED = HttpError(504, "unanswered", "The other site did not take the request in time.")
_LINK_LOST = HttpError(502, "link-lost", "The link that carried the request was lost.")
_REQUEST_REFUSED = HttpError(
    502, "request-refused", "Another site refused the request as this site sent it over a link."
)
_RESPONSE_REFUSED = HttpError(
    502, "response-refused", "This site refused the response that another site sent over a link."
)
_STALLED = HttpError(502, "stalled", "The request did not move for too long.")
_INTERNAL = HttpError(502, "internal", "The proxy failed to serve this request.")

FAILURES: dict[LegCode, HttpError] = {
    "busy": _ALL_FULL,
    "all-full": _ALL_FULL,
    "shed": _SHED,
    "overloaded": _OVERLOADED,
    "exhausted": _OVERLOADED,
    "no-target": _NO_ROUTE,
    "draining": _NO_ROUTE,
    "not-allowed": _NO_ROUTE,
    "no-route": _NO_ROUTE,
    "connect-failed": _REFUSED,
    "not-processed": _RESET,
    "target-reset": _RESET,
    "target-timeout": _TIMEOUT,
    "bad-response": _BAD_RESPONSE,
    "bad-head": _REQUEST_REFUSED,
    "bad-message": _REQUEST_REFUSED,
    "bad-answer": _RESPONSE_REFUSED,
    "link-lost": _LINK_LOST,
    "unanswered": _UNANSWERED,
    "stalled": _STALLED,
    "client-gone": _RESET,
    "cancelled": _RESET,
    "internal": _INTERNAL,
}
"""The answer for a client whose leg failed before a response head (RFC 9110, 15.6)."""


def failure_error(failure: LegFailure) -> HttpError:
    """The answer to a leg's failure."""
    error = FAILURES[failure.code]
    if failure.retry_s:
        error = replace(error, retry_s=ceil(failure.retry_s))
    return error
