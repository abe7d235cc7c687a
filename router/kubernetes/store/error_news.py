"""What finds errors in a namespace, and tells the store when to look at them again."""

from collections.abc import Callable, Sequence

from router.model.errors import ConfigError


class FindsErrors:
    """Tells when its ``errors`` are others, in other words than before."""

    def __init__(self) -> None:
        self._errors_changed: Callable[[], None] = _nobody
        self._told: list[str] = []

    def follow_errors(self, changed: Callable[[], None]) -> None:
        """Call ``changed`` when ``errors`` are others."""
        self._errors_changed = changed

    def _tell(self, errors: Sequence[ConfigError]) -> None:
        before, self._told = self._told, list(map(str, errors))
        if before != self._told:
            self._errors_changed()


def _nobody() -> None:
    """Until somebody wants to hear it."""
