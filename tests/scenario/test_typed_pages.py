"""A reader who types the commands of the README's tour and the tutorials sees their output."""

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenario.harness import own_address
from tests.scenario.ports import free_ports
from tests.scenario.postgres import Postgres
from tests.scenario.typed import (
    DATABASE_PORT,
    INSTEAD,
    PAGES,
    ROOT,
    Places,
    Shell,
    agrees,
    follow,
    plain,
    shares,
    steps,
)
from tests.scenario.waiting import SLOWEST

pytestmark = pytest.mark.timeout(SLOWEST * 120)


@pytest.fixture
def text(page: str) -> str:
    """The page as it stands."""
    return (ROOT / page).read_text("utf-8")


@pytest.fixture
def places(text: str, tmp_path: Path) -> Iterator[Places]:
    """Addresses and ports that are free; a PostgreSQL listens in place of 5432 on the page."""
    ports = free_ports()
    database = next(ports)
    addresses = (own_address() for _ in itertools.count())
    with contextlib.ExitStack() as stack:
        if str(DATABASE_PORT) in text:
            stack.enter_context(Postgres("127.0.0.1", int(database))).start()
        yield Places(tmp_path, addresses, ports, {**INSTEAD, str(DATABASE_PORT): database})


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_the_page_print_what_it_shows(
    text: str, places: Places, tmp_path: Path
) -> None:
    found = list(steps(text))
    assert len(found) > 8
    with Shell(tmp_path) as shell:
        for step in found:
            printed = follow(shell, places, step)
            assert "(exit " not in printed, f"$ {step.command}\n{printed}"
            if step.expected is not None and not agrees(printed, step.expected):
                assert plain(printed) == plain(step.expected), f"$ {step.command}\n{printed}"
                assert shares(printed) == shares(step.expected), f"$ {step.command}\n{printed}"


def test_what_varies_is_not_compared_and_all_else_is() -> None:
    assert agrees(
        "up since 5m, id 0a1b2c3d\nonprem  60 25.0%", "up since 3s, id ffffffff\nonprem  70 27.0%"
    )
    assert not agrees("onprem  60 25.0%", "onprem  60 45.0%")
    assert not agrees("onprem  60 25.0%", "cloud  60 25.0%")
    assert agrees("p50 1 s, 6.5/s, 0.8 ms", "p50 1.8 s, 7/s, 12 ms")
    assert not agrees("state up", "state down")


def test_places_are_put_back_into_what_comes_out(tmp_path: Path) -> None:
    places = Places(tmp_path, iter(["127.16.0.5"]), iter(["21000"]))

    there = places.there("ask 127.0.0.11:9001 at 127.0.0.1 > /tmp/x")

    assert there == f"ask 127.16.0.5:21000 at 127.0.0.1 > {tmp_path}/x"
    assert places.back(f"{there} 121000 127.16.0.51") == (
        "ask 127.0.0.11:9001 at 127.0.0.1 > /tmp/x 121000 127.16.0.51"
    )
