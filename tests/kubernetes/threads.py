"""Work in threads beside a test, until its `with` block ends."""

import threading
from collections.abc import Callable, Iterable
from typing import Self

END_S = 30.0


class Beside:
    """Runs each of ``works`` in a thread; they return once `stop` is set."""

    def __init__(self, works: Iterable[Callable[[], None]]) -> None:
        self.stop = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in works]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join(END_S)
