"""What objects of a router tell people, for tests."""

from typing import NamedTuple

from router.model.events import Severity


class Told(NamedTuple):
    """One event."""

    severity: Severity
    code: str
    subject: str
    message: str
    hint: str
    service: str


class Journal:
    """Keeps the codes of all events. ``messages``: all of them, each with its code; ``hints``;
    ``events``: all of each."""

    def __init__(self) -> None:
        self.events: list[Told] = []
        self.codes: list[str] = []
        self.messages: list[tuple[str, str]] = []
        self.hints: list[str] = []

    def tell(
        self,
        severity: Severity,
        code: str,
        subject: str,
        message: str,
        hint: str = "",
        *,
        service: str = "",
    ) -> None:
        self.events.append(Told(severity, code, subject, message, hint, service))
        self.codes.append(code)
        self.messages.append((code, message))
        self.hints.append(hint)

    def told(self) -> list[str]:
        """The codes since it was asked last."""
        codes, self.codes = self.codes, []
        return codes
