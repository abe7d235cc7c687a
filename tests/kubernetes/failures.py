"""What the API server answers when it refuses: ``Status`` objects with the real texts."""

from typing import Any

from tests.kubernetes.resources import Json, Resource


class Failure(Exception):
    """An answer that is no success. ``code`` is the HTTP status, ``reason`` the API's word."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: Json | None = None,
        retry_after_s: int = 0,
    ) -> None:
        self.code, self.reason, self.message = code, reason, message
        self.details, self.retry_after_s = details, retry_after_s
        super().__init__(f"{code} {reason}: {message}")

    def status(self) -> Json:
        """The ``Status`` object."""
        found: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        }
        details = dict(self.details or {})
        if self.retry_after_s:
            details["retryAfterSeconds"] = self.retry_after_s
        if details:
            found["details"] = details
        return found


class Cause(Exception):
    """One field that is wrong: ``FieldValueInvalid``, ``FieldValueRequired``, …"""

    def __init__(self, field: str, reason: str, message: str) -> None:
        self.field, self.reason, self.message = field, reason, message
        super().__init__(message)

    def text(self) -> str:
        """The cause as the message with all causes has it."""
        return f"{self.field}: {self.message}"


def _go(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def wrong(field: str, value: Any, reason: str) -> Cause:
    """``Invalid value``."""
    return Cause(field, "FieldValueInvalid", f"Invalid value: {_go(value)}: {reason}")


def required(field: str, reason: str = "") -> Cause:
    """``Required value``."""
    return Cause(field, "FieldValueRequired", f"Required value{': ' + reason if reason else ''}")


def duplicate(field: str, value: Any) -> Cause:
    """``Duplicate value``."""
    return Cause(field, "FieldValueDuplicate", f"Duplicate value: {_go(value)}")


def prohibited(field: str, reason: str) -> Cause:
    """``Forbidden`` as validation says it."""
    return Cause(field, "FieldValueForbidden", f"Forbidden: {reason}")


def unsupported(field: str, value: Any, *valid: str) -> Cause:
    """``Unsupported value``."""
    words = ", ".join(f'"{word}"' for word in valid)
    return Cause(
        field,
        "FieldValueNotSupported",
        f"Unsupported value: {_go(value)}: supported values: {words}",
    )


def too_long(field: str, bytes_max: int) -> Cause:
    """``Too long``."""
    return Cause(field, "FieldValueTooLong", f"Too long: may not be more than {bytes_max} bytes")


def not_found(resource: Resource, name: str) -> Failure:
    """404."""
    return Failure(
        404,
        "NotFound",
        f'{resource.qualified} "{name}" not found',
        details=_about(resource, name, by_kind=False),
    )


def no_such_page() -> Failure:
    """404 for what no group of the API is asked for: plain text, no Status."""
    return Failure(404, "", "404 page not found\n")


def no_such_path() -> Failure:
    """404 for what a group does not serve."""
    return Failure(404, "NotFound", "the server could not find the requested resource", details={})


def already_exists(resource: Resource, name: str) -> Failure:
    """409 on create."""
    return Failure(
        409,
        "AlreadyExists",
        f'{resource.qualified} "{name}" already exists',
        details=_about(resource, name, by_kind=False),
    )


def conflict(resource: Resource, name: str, why: str = "") -> Failure:
    """409 on update."""
    reason = why or (
        "the object has been modified; please apply your changes to the latest version "
        "and try again"
    )
    return Failure(
        409,
        "Conflict",
        f'Operation cannot be fulfilled on {resource.qualified} "{name}": {reason}',
        details=_about(resource, name, by_kind=False),
    )


def lost_quota_race(quota: str) -> Failure:
    """409 to any write of an object that a quota counts, while others are made beside it.

    ``checkQuotas`` in the server's admission plugin tries four times, then gives what it got.
    """
    return Failure(
        409,
        "Conflict",
        f'Operation cannot be fulfilled on resourcequotas "{quota}": the object has been modified; '
        "please apply your changes to the latest version and try again",
        details={"name": quota, "kind": "resourcequotas"},
    )


def too_many_requests(retry_after_s: int) -> Failure:
    """429 of priority and fairness (``maxinflight.go``): plain text, no Status."""
    text = "Too many requests, please try again later.\n"
    return Failure(429, "", text, retry_after_s=retry_after_s or 1)


def internal_error(why: str) -> Failure:
    """500, with the cause that is its text."""
    details = {"causes": [{"message": why}]}
    return Failure(500, "InternalError", f"Internal error occurred: {why}", details=details)


def unavailable() -> Failure:
    """503."""
    text = "the server is currently unable to handle the request"
    return Failure(503, "ServiceUnavailable", text)


def invalid(resource: Resource, name: str, causes: list[Cause]) -> Failure:
    """422 with all causes."""
    texts = [cause.text() for cause in causes]
    shown = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    qualified = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    details = _about(resource, name, by_kind=True)
    details["causes"] = [
        {"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes
    ]
    return Failure(422, "Invalid", f'{qualified} "{name}" is invalid: {shown}', details=details)


def bad_request(message: str) -> Failure:
    """400."""
    return Failure(400, "BadRequest", message)


def expired(message: str) -> Failure:
    """410: the revision asked for is compacted."""
    return Failure(410, "Expired", message)


def forbidden(resource: Resource, name: str, message: str) -> Failure:
    """403, with the text that authorization or admission made."""
    return Failure(403, "Forbidden", message, details=_about(resource, name, by_kind=False))


def _about(resource: Resource, name: str, *, by_kind: bool) -> Json:
    about = {"name": name, "kind": resource.kind if by_kind else resource.plural}
    if resource.group:
        about["group"] = resource.group
    return {key: value for key, value in about.items() if value}
