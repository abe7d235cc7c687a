"""Clients of a Service that open a connection for each request, where kube-proxy leads them now."""

import time
from typing import Final

from tests.kubernetes.places import Place
from tests.kubernetes.threads import Beside
from tests.scenario.waiting import until

EVERY_S: Final = 0.02
LAG_S: Final = 2.0
"""For so long at most, kube-proxy leads to a pod that has gone without a word: on a real node, too,
clients were refused after a kill by force until it had heard of it."""


class Clients(Beside):
    """``count`` of them, each with a request every `EVERY_S`; ``failed``: when and why.

    ``repeated``: requests that were begun on a connection that broke, and got their answer on the
    next one, as HTTP clients do it for GET (RFC 9110, 9.2.2). ``refused``: when a connection was
    refused, and the request waited for the next one. Without ``repeats`` all of them failed.
    """

    def __init__(
        self, place: Place, service: str, port: int = 80, *, count: int = 1, repeats: bool = False
    ) -> None:
        self.failed: list[str] = []
        self.refused: list[float] = []
        self.answered = self.repeated = 0
        self._place, self._service, self._port = place, service, port
        self._repeats = repeats
        super().__init__([self._run] * count)

    def go_on(self, count: int = 5) -> None:
        """Returns when so many more were answered, or one failed."""
        wanted = self.answered + count
        until(lambda: self.answered >= wanted or self.failed, "clients go on", 20)

    def _run(self) -> None:
        while not self.stop.wait(EVERY_S):
            try:
                self._ask()
            except OSError as error:
                self.failed.append(f"{time.monotonic():.3f} {error!r}")

    def _ask(self) -> None:
        until_s = time.monotonic() + LAG_S
        while True:
            try:
                self._place.ask(self._service, port=self._port)
            except OSError as error:
                now = time.monotonic()
                if not self._repeats or now > until_s:
                    raise
                if isinstance(error, ConnectionRefusedError) and error.errno:
                    self.refused.append(now)
                else:
                    self.repeated += 1
            else:
                self.answered += 1
                return
            time.sleep(EVERY_S)
