"""What objects of a router tell people, for tests."""

from router.model.events import Severity


class Journal:
    """Keeps the codes of all events. ``messages``: all of them, each with its code; ``hints``."""

    def __init__(self) -> None:
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
        self.codes.append(code)
        self.messages.append((code, message))
        self.hints.append(hint)

    def told(self) -> list[str]:
        """The codes since it was asked last."""
        codes, self.codes = self.codes, []
        return codes
