"""A member that invents sites: each has its key, and a way leads to each through the member."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.hostile.member import Keys, Member
from tests.hostile.wire import Frame

EACH = 64  # Services in a part.


class Inventor(Member):
    """``count`` sites, each with ``services`` that no other site declares."""

    def __init__(self, token_file: Path, count: int, services: int) -> None:
        super().__init__(token_file)
        self._invented = [Keys() for _ in range(count)]
        self._services = services

    def tell(self, number: int) -> None:
        """All of them declare services that have names of this ``number``."""
        router, site = self.neighbour
        near: list[object] = [[router, site, self.cost]]
        near += [[one.router, one.site, 1] for one in self._invented]
        head = ["topology", near, False, False, self.name, "rogue", []]
        self.send(self.lsa(0, head, number, self.router))
        for at, keys in enumerate(self._invented):
            names = [f"i{at}x{n}r{number}" for n in range(self._services)]
            self.send(*self._told(keys, names, number))

    def _told(self, keys: Keys, names: Sequence[str], number: int) -> Iterator[Frame]:
        declared = [
            {"name": name, "spec": {"ports": [20_000]}, "declared_at_s": 0.0} for name in names
        ]
        parts = [declared[at : at + EACH] for at in range(0, len(declared), EACH)]
        refs = [[part, number] for part in range(1, len(parts) + 1)]
        near = [[self.router, self.site, 1]]
        for part, several in enumerate(parts, 1):
            yield keys.lsa(part, ["services", several, []], number, keys.router)
        head = ["topology", near, False, False, keys.router, "rogue", refs]
        yield keys.lsa(0, head, number, keys.router)
