"""The product's exceptions. Attributes carry the facts; the text is human-readable."""

from typing import Final, Literal

Severity = Literal["info", "warning", "error"]

NOT_CHECKED: Final = "not checked yet"
"""The error of a target before its first health check ends."""

LEAVING: Final = "not bound any more; it ends what it has in flight"
"""The error of a target that takes no new requests, because no connector binds it any more."""

ANSWERED_5XX: Final = "answered 5xx"
"""The start of the error of a ready target that answers 5xx and stays in use."""

NO_WHOLE_ANSWER: Final = "gave no whole answer"
"""The start of the error of a target that resets, cuts off or delays answers and stays in use."""

STUCK: Final = "all of its slots are taken, and it completes no request"
STUCK_WITH_ROOM: Final = "requests await an answer, and it completes none"
"""The error of a target that passes its checks and may hang."""

PORT_TAKEN: Final = "another service has that port here"
"""Why a service has no listener: this site already listens at that address for another one."""

WANTED_SO: Final = "wanted so"
"""The start of the reason why a service has no listener, if documents ask for none."""


class RouterError(Exception):
    """Root of all exceptions of this product."""


class ConfigError(RouterError):
    """Wanted state that cannot be used.

    ``source`` is the file, ``line`` and ``column`` count from 1 (0: not known), ``path`` is the
    field (``$.spec.ports[0]``), ``hint`` is the next step or the nearest valid word. ``message`` is
    the text without the hint, for callers that show both. ``severity``: an ``error`` is a problem
    in `status`; a ``warning`` (something has no effect) and an ``info`` are for `check` and Events.
    """

    def __init__(
        self,
        source: str,
        path: str,
        reason: str,
        *,
        line: int = 0,
        column: int = 0,
        hint: str = "",
        code: str = "SW0101",
        severity: Severity = "error",
    ) -> None:
        self.source, self.path, self.reason = source, path, reason
        self.line, self.column, self.hint, self.code = line, column, hint, code
        self.severity: Severity = severity
        place = f"{source}:{line}:{column}" if line else source
        at_field = f" (at {path})" if path else ""
        self.message = f"{place}: {reason}{at_field}"
        super().__init__(f"{self.message}. {hint}" if hint else self.message)


class ProtocolError(RouterError):
    """A rule of a protocol was broken. ``code`` is short and stable (``frame-too-large``)."""

    def __init__(self, code: str, reason: str = "") -> None:
        self.code, self.reason = code, reason
        super().__init__(f"{code}: {reason}" if reason else code)


class LocalProtocolError(ProtocolError):
    """This router broke it: a bug of ours."""


class RemoteProtocolError(ProtocolError):
    """The peer broke it."""


class HandshakeRejected(RouterError):
    """The two ends do not agree on their identities. ``code`` as in ProtocolError, ``hint``: next
    step.
    """

    def __init__(self, code: str, reason: str, hint: str = "") -> None:
        self.code, self.reason, self.hint = code, reason, hint
        super().__init__(f"{reason}. {hint}" if hint else reason)


class LoginFailed(RouterError):
    """A login failed. ``reason`` and ``hint`` are for the login page and contain no secret.

    ``is_refusal``: the user may not log in; otherwise the router could not find out.
    """

    def __init__(self, reason: str, hint: str, *, is_refusal: bool = False) -> None:
        self.reason, self.hint, self.is_refusal = reason, hint, is_refusal
        super().__init__(f"{reason} {hint}")
