"""A member whose services have other names every moment: they fill no memory."""

import contextlib
from functools import partial
from pathlib import Path

from router.model import limits
from tests.hostile.member import Member
from tests.hostile.test_invented_sites import answered
from tests.scenario.harness import Network, Site
from tests.scenario.waiting import until

ROUNDS = 16
EACH = 64  # Services in a part of its LSA.
KNOWN_S = 60.0
"""A round takes a second, and the router half of it; other work may leave it a tenth of a core."""
GROWTH_KIB_MAX = 90 * 1024
"""1,024 services take 20 MiB, and so many that are gone 14; all that came and went took 230."""


def resident_kib(site: Site) -> int:
    status = Path(f"/proc/{site.note_pid()}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


class Renamer:
    """A member of ``room`` that links again once its link is lost, as every router does: beside
    other work its process may stand still for the 3 s after which the room drops it."""

    def __init__(self, room: Site, token: Path) -> None:
        self.member = Member(token)
        self._room, self._token = room, token

    def declare(self, names: list[str]) -> None:
        self.member.declare({name: [8080] for name in names}, each=EACH)

    def is_known(self, names: list[str]) -> bool:
        """The room knows ``names``, which were declared last, and says so."""
        if self.member.closed.is_set():
            self.close()
            with contextlib.suppress(OSError):  # It has no time for us: again at the next look.
                self.member = Member(self._token, former=self.member)
                self.declare(names)
        return answered(lambda: self._room.get(f"why/{names[-1]}"))() is not None

    def close(self) -> None:
        self.member.leave()


def test_a_member_that_renames_its_services_for_ever_fills_no_memory(
    net: Network, tmp_path: Path
) -> None:
    room = net.site("room")
    net.start()
    token = tmp_path / "member.token"
    room.ctl("token", "create", str(token), "--token-type", "cert")
    before = resident_kib(room)
    with contextlib.closing(Renamer(room, token)) as renamer:
        for number in range(ROUNDS):
            names = [f"r{number}x{at}" for at in range(limits.SERVICE_PORTS_OF_SITE_MAX)]
            renamer.declare(names)
            until(partial(renamer.is_known, names), f"names of round {number} are known", KNOWN_S)
        grown = resident_kib(room) - before
    print(f"{grown >> 10} MiB more")
    assert grown < GROWTH_KIB_MAX
