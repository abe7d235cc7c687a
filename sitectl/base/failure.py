"""How a verb fails: exit codes, and the one exception that carries what to print."""

from enum import IntEnum
from typing import Any


class Exit(IntEnum):
    """Exit codes, a promise: never renumber."""

    OK = 0
    FAILED = 1
    USAGE = 2
    DEGRADED = 3
    NOT_FOUND = 4
    CONFLICT = 5
    TIMED_OUT = 6
    NOT_ALLOWED = 7
    UNREACHABLE = 8
    INTERRUPTED = 130


def doc_of(code: str) -> str:
    """Where the documentation explains a code; empty: the code is not ``SW`` and four digits."""
    is_code = len(code) == 6 and code.startswith("SW") and code[2:].isdigit()
    return f"docs/codes.md#{code.lower()}" if is_code else ""


class Failure(Exception):
    """A verb cannot do its work. ``code`` is short and stable, ``hint`` the next step.

    ``detail``: further human-readable lines (a diff, a list of errors). ``retryable``: the same
    command may succeed later.
    """

    def __init__(
        self,
        exit_code: Exit,
        code: str,
        message: str,
        hint: str = "",
        *,
        detail: str = "",
        retryable: bool = False,
    ) -> None:
        self.exit_code, self.code, self.message, self.hint = exit_code, code, message, hint
        self.detail, self.retryable = detail, retryable
        super().__init__(message)

    def as_json(self) -> dict[str, Any]:
        """The object that `-o json` prints."""
        fields: dict[str, Any] = {
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "retryable": self.retryable,
        }
        if doc := doc_of(self.code):
            fields["doc"] = doc
        if self.detail:
            fields["detail"] = self.detail
        return fields

    def as_text(self) -> str:
        """Human-readable: the failure and its cause, details, the next step."""
        parts = [f"Error: {self.message}"]
        if self.detail:
            parts.append(self.detail.rstrip("\n"))
        if self.hint:
            parts.append(f"Next: {self.hint}")
        return "\n".join(parts)


def not_found(message: str, hint: str = "", *, code: str = "not-found") -> Failure:
    """Exit 4."""
    return Failure(Exit.NOT_FOUND, code, message, hint)


def usage(message: str, hint: str = "", *, code: str = "usage") -> Failure:
    """Exit 2."""
    return Failure(Exit.USAGE, code, message, hint)


def conflict(message: str, hint: str = "", detail: str = "", *, code: str = "conflict") -> Failure:
    """Exit 5."""
    return Failure(Exit.CONFLICT, code, message, hint, detail=detail)


def timed_out(message: str, hint: str, *, code: str = "timed-out", detail: str = "") -> Failure:
    """Exit 6."""
    return Failure(Exit.TIMED_OUT, code, message, hint, detail=detail, retryable=True)


def not_allowed(message: str, hint: str, *, code: str = "not-allowed") -> Failure:
    """Exit 7."""
    return Failure(Exit.NOT_ALLOWED, code, message, hint)


def unreachable(message: str, hint: str = "") -> Failure:
    """Exit 8."""
    return Failure(Exit.UNREACHABLE, "router-unreachable", message, hint, retryable=True)
