"""A holder of a token for several uses links as many sites as it likes: all of them together bring
no more than one neighbor may and are read at the rate of one, and a site with a separate token is
not affected.
"""

import re
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median

import pytest

from router.model import limits
from tests.hostile.drowning import drowned
from tests.hostile.ingress import RogueIngress
from tests.hostile.member import Member
from tests.hostile.scene import started_pair
from tests.hostile.test_invented_sites import answered
from tests.hostile.test_lsa_flood import flooding, lsa_of
from tests.hostile.test_swarm import held_bytes
from tests.scenario.clients import Load, fetch
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import SLOWEST, until

SITES, SERVICES, EACH = 40, 1_000, 64
HELD_BYTES_MAX = 210 << 20
"""90 MiB at first, 155 with all of them; without the bound of a token 254, and 4 more with each."""
NAMED_S = 30.0
FLOODERS, FLOOD_S = 8, 8.0
PER_PROCESS = 2
"""CPUCLOCK_SCHED: the scheduler's clock of a whole process, as in clock_getcpuclockid(3)."""


@pytest.mark.timeout(SLOWEST * 60)  # Alone, forty members take 12 s to join and to declare.
def test_the_sites_of_one_token_fill_no_router_and_are_named(tmp_path: Path) -> None:
    with Network(tmp_path) as net, ExitStack() as fleet:
        alpha, beta = started_pair(net)
        token = tmp_path / "fleet.token"
        alpha.quick("token", "create", str(token), "--token-type", "cert", "--name", "fleet")
        places = [(alpha.address, SHOP_PORT), (beta.address, SHOP_PORT)]
        with Load(places, 10) as load:
            for number in range(SITES):
                member = fleet.enter_context(Member(token, f"mallory-{number}"))
                names = [f"m{number}x{n}" for n in range(SERVICES)]
                member.declare({name: [20_000] for name in names}, each=EACH)
            until(lambda: "token-over-budget" in alpha.log_tail(), "the event is there", NAMED_S)
            named = until(
                answered(lambda: alpha.problems("SW0683")), "alpha names the token", NAMED_S
            )
            assert named and "token fleet" in named[0]["message"], named
            beta.declare("books", 8_081)
            until(answered(lambda: alpha.service("books")), "others are heard", NAMED_S)
            answers = len(load.answers)
            until(lambda: len(load.answers) > answers + 20, "requests go on")
            held = {site.name: held_bytes(site) for site in (alpha, beta)}
            assert max(held.values()) < HELD_BYTES_MAX, held
        assert not load.failed


def lsas_read(site: Site) -> int:
    """LSAs that it decoded."""
    found = re.search(r"^spillway_route_updates_total (\d+)", site.metrics(), re.MULTILINE)
    assert found
    return int(found[1])


def test_the_sites_of_one_token_are_read_at_the_rate_of_one_neighbor(tmp_path: Path) -> None:
    with Network(tmp_path) as net, ExitStack() as fleet:
        alpha, beta = started_pair(net)
        token = tmp_path / "fleet.token"
        alpha.quick("token", "create", str(token), "--token-type", "cert", "--name", "fleet")
        members = [fleet.enter_context(Member(token, f"mallory-{at}")) for at in range(FLOODERS)]
        lsas = [lsa_of(member) for member in members]
        size = len(lsas[0].payload) + limits.LSA_INTAKE_MESSAGE_BYTES
        began = time.monotonic()
        for member, lsa in zip(members, lsas, strict=True):
            fleet.enter_context(flooding(member, lsa))
        with Load([(alpha.address, SHOP_PORT), (beta.address, SHOP_PORT)], 10) as load:
            until(lambda: time.monotonic() > began + FLOOD_S, "some seconds have passed")
            beta.declare("books", 8_081)
            until(answered(lambda: alpha.service("books")), "others are heard", NAMED_S)
            count = until(answered(lambda: lsas_read(alpha)), "alpha answers", NAMED_S)
            took_s = time.monotonic() - began + limits.INTAKE_LATE_S_MAX
        assert count
        read = count * size
        most = limits.LSA_INTAKE_BURST_BYTES + limits.LSA_INTAKE_BYTES_PER_S * took_s
        assert limits.LSA_INTAKE_BURST_BYTES < read < most + limits.MIB, (read, took_s)
        assert load.answers and not load.failed


OWN_PER_S, ASKED = 20.0, 60
MORE_WORK_MAX = 6.0
"""How much more the router may do before it answers beside forty than beside one. It is the same;
without a bound it was 43 times as much."""


def spent_s(site: Site) -> float:
    """Processor time of its process so far, however long it waited for a processor."""
    return time.clock_gettime(~site.note_pid() << 3 | PER_PROCESS)


def work_before_answers_s(site: Site) -> float:
    """Processor time that ``site`` spends from a request of a client to its answer: the median."""
    spent: list[float] = []
    for _ in range(ASKED):
        began = spent_s(site)
        answer = fetch(site.address, SHOP_PORT)
        spent.append(spent_s(site) - began)
        assert answer.status == 200, answer
    return median(spent)


def test_requests_of_forty_sites_of_one_token_delay_others_as_those_of_one(tmp_path: Path) -> None:
    work_s = {}
    for members in (1, SITES):
        with Network(tmp_path / str(members)) as net:
            alpha, _ = started_pair(net)
            token = tmp_path / f"{members}.token"
            alpha.quick("token", "create", str(token), "--token-type", "cert", "--name", "fleet")
            with drowned(token, members):
                work_s[members] = work_before_answers_s(alpha)
    print(work_s)
    assert work_s[SITES] < MORE_WORK_MAX * work_s[1]


REQUESTS = 20


def has_each(members: Sequence[RogueIngress], answers: int) -> bool:
    return {one.served for one in members} == {answers}


def test_forty_honest_sites_of_one_token_are_served_each_and_with_them_others(
    tmp_path: Path,
) -> None:
    with Network(tmp_path) as net, ExitStack() as fleet:
        alpha, _ = started_pair(net)
        token = tmp_path / "fleet.token"
        alpha.quick("token", "create", str(token), "--token-type", "cert", "--name", "fleet")
        members = [fleet.enter_context(RogueIngress(token, f"edge-{at}")) for at in range(SITES)]
        with Load([(alpha.address, SHOP_PORT)], OWN_PER_S) as own:
            for number in range(1, REQUESTS + 1):
                for member in members:
                    member.open_as(member.site, "shop", SHOP_PORT)
                until(partial(has_each, members, number), "each has its answers")
        assert not any(one.refused for one in members)
        assert own.answers and not own.failed
