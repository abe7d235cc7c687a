"""Paths to another site, which take turns: next hops get equal shares."""

from router.model.paths import Path, in_turn


class PathTurns:
    """The turns of the paths to one router."""

    __slots__ = ("_next", "_turns")

    def __init__(self) -> None:
        self._turns: tuple[Path, ...] = ()
        self._next = 0

    def set_paths(self, paths: tuple[Path, ...]) -> None:
        """Replace the paths."""
        self._turns = in_turn(paths)

    def next(self) -> Path:
        """The path whose turn it is; ``()``: there is none."""
        turns = self._turns
        return turns[self._next % len(turns)] if turns else ()

    def take(self) -> Path:
        """The same, and the turn moves on."""
        path = self.next()
        self._next = (self._next + 1) % len(self._turns)
        return path
