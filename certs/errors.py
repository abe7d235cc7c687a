"""Errors of keys, certificates and tokens."""


class CertError(Exception):
    """A key, certificate, token or claim that cannot be used.

    ``subject`` names it (a file, a claim), ``line`` counts from 1 (0: not known), ``reason`` is the
    problem, ``hint`` the next step. ``retryable``: the same call may succeed later.
    """

    def __init__(
        self, subject: str, reason: str, hint: str = "", *, line: int = 0, retryable: bool = False
    ) -> None:
        self.subject, self.reason, self.hint = subject, reason, hint
        self.line, self.retryable = line, retryable
        place = f"{subject}:{line}" if line else subject
        advice = f". {hint}" if hint else ""
        super().__init__(f"{place}: {reason}{advice}")
