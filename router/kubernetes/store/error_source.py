"""Sources of errors in a namespace that notify the store of changes."""

from collections.abc import Callable, Sequence

from router.model.errors import ConfigError


class ErrorSource:
    """Notifies a follower when the texts of its ``errors`` change."""

    def __init__(self) -> None:
        self._errors_changed: Callable[[], None] = _nobody
        self._told: list[str] = []

    def follow_errors(self, changed: Callable[[], None]) -> None:
        """Call ``changed`` when ``errors`` change."""
        self._errors_changed = changed

    def _tell(self, errors: Sequence[ConfigError]) -> None:
        before, self._told = self._told, list(map(str, errors))
        if before != self._told:
            self._errors_changed()


def _nobody() -> None:
    """Placeholder until a follower subscribes."""
