"""Limits how long an object stays only for bytes that its peer has not taken yet."""

from collections.abc import Callable

from router.net.ports import Timer, Timers


class Linger:
    """Calls ``stalled``, once, when nothing was taken for ``within_s``.

    ``left``: how many bytes there are still; it is called once in ``within_s``. ``at_first`` is the
    number at the start. Without it, any bytes left at the first check have time: nearly always all
    are gone before, so that the start is not worth a call of the kernel.
    """

    __slots__ = ("_before", "_left", "_stalled", "_timer", "_timers", "_within_s")

    def __init__(
        self,
        timers: Timers,
        within_s: float,
        left: Callable[[], int],
        stalled: Callable[[], None],
        at_first: int = 0,
    ) -> None:
        self._timers = timers
        self._within_s = within_s
        self._left = left
        self._stalled = stalled
        self._before = at_first
        self._timer: Timer = timers.call_at(timers.now() + within_s, self._look)

    def cancel(self) -> None:
        """No longer needed."""
        self._timer.cancel()

    def _look(self) -> None:
        before, self._before = self._before, self._left()
        if self._before != before:
            self._timer = self._timers.call_at(self._timers.now() + self._within_s, self._look)
        else:
            self._stalled()
