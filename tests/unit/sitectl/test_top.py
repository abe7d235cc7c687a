"""`top`: its text at any size, its keys, and what it makes of routers that have no live picture."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sitectl import local_targets, top
from sitectl.live import Pictures
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.fakes import FakeAdmin
from tests.unit.sitectl.terminals import Terminal
from tests.unit.sitectl.test_looking import SERVICE, STATUS
from tests.unit.sitectl.test_watching import LINK, envelope


def site(name: str, **more: Any) -> dict[str, Any]:
    return {
        "site": name,
        "local": name == "here",
        "targets_ready": 1,
        "capacity": 10,
        "in_flight": 0,
        **more,
    }


def service(name: str, port: int = 80, *sites: dict[str, Any]) -> dict[str, Any]:
    return {**SERVICE, "name": name, "port": port, "queued": 0, "sites": list(sites)}


def now(name: str, port: int = 80, **more: Any) -> dict[str, Any]:
    return {
        "service": name,
        "port": port,
        "requests_per_s": 0.0,
        "overflow_per_s": 0.0,
        "failed_per_s": 0.0,
        "p50_s": None,
        "p99_s": None,
        "overflow_to": {},
        "why": "",
        **more,
    }


LIVE: dict[str, Any] = {
    "at": "2026-01-01T12:34:56Z",
    "status": STATUS,
    "links": [{**LINK, "state": "up", "rtt_ms": 1.5}],
    "services": [
        service("calm", 80, site("here", in_flight=1)),
        service("shop", 80, site("here", in_flight=10), site("west")),
        service("away", 80, site("west")),
    ],
    "network": [
        {
            "name": "west",
            "path_cost": 5,
            "next_hops": ["west"],
            "reachable": True,
            "version": "1",
        }
    ],
    "now": [
        now("calm", requests_per_s=50.0),
        now(
            "shop",
            requests_per_s=31.25,
            overflow_per_s=4.25,
            p50_s=0.0123,
            p99_s=0.5,
            overflow_to={"mid": 0.25, "west": 4.0},
            spilled_per_s=5.25,
            spilled_to={"mid": 1.25, "west": 4.0},
            spilled_for={"full": 4.25, "policy": 1.0},
        ),
    ],
}


def order(sort: str) -> list[str]:
    lines = top.page(LIVE, None, sort=sort)
    return [line.split(":")[0] for line in lines[1:4]]


def test_services_are_sorted_by_what_is_asked_for() -> None:
    assert order("requests") == ["calm", "shop", "away"]
    assert order("spilled") == ["shop", "calm", "away"]
    assert order("fullness") == ["shop", "calm", "away"]
    assert order("p99") == ["shop", "away", "calm"]
    assert order("name") == ["away", "calm", "shop"]


def test_a_service_tells_how_full_this_site_is_and_who_takes_the_rest() -> None:
    shop = next(line for line in top.page(LIVE, None) if line.startswith("shop"))
    assert shop.split("  ", 1)[1].split() == [
        *("31.2", "██████████", "10", "of", "10", "12", "ms", "500", "ms"),
        *("4.0/s", "to", "west", "(full,", "policy),", "1.2/s", "to", "mid"),
    ]
    plain = next(line for line in top.page(LIVE, None, ascii_only=True) if line.startswith("calm"))
    assert "#......... 1 of 10" in plain
    away = next(line for line in top.page(LIVE, None) if line.startswith("away"))
    assert "no target" in away


def test_dead_targets_are_not_no_targets() -> None:
    dead = {
        **service("shop", 80, site("here", targets_ready=0)),
        "local_targets": {"total": 2, "ready": 0},
    }
    away = now(
        "shop", spilled_per_s=139.0, spilled_to={"west": 139.0}, spilled_for={"no-target": 139.0}
    )
    shown = "\n".join(top.page({**LIVE, "services": [dead], "now": [away]}, None))
    assert "0 of 2 targets" in shown
    assert "139.0/s to west (no-target)" in shown


def test_a_router_of_before_says_nothing_of_its_targets() -> None:
    before = service("shop", 80, site("here", targets_ready=0))
    assert local_targets.of(before) == (0, 0)
    assert local_targets.of({**before, "local_targets": {"total": 3, "ready": 1}}).shown == (
        "1 of 3 here"
    )


def test_a_router_that_knows_no_spills_shows_its_overflow() -> None:
    one = now("shop", overflow_per_s=2.5, overflow_to={"west": 2.5})
    assert "2.5/s to west" in "\n".join(top.page({**LIVE, "now": [one]}, None))


def test_a_stated_rate_is_shown_as_one() -> None:
    here = site("here", rate={"per_s": 15, "admitted_per_s": 7.5}, capacity=None)
    live = {**LIVE, "services": [service("shop", 80, here)]}
    assert "█████░░░░░ 7.5 of 15/s" in "\n".join(top.page(live, None))


def test_what_fails_and_what_waits_is_told() -> None:
    one = {**service("shop", 80, site("here")), "queued": 3}
    live = {**LIVE, "services": [one], "now": [now("shop", failed_per_s=1.5)]}
    assert "3 wait, 1.5/s fail" in "\n".join(top.page(live, None))


def test_the_last_looks_are_a_line_where_there_is_room() -> None:
    past = {("calm", 80): [0.0, 1.0, 2.0]}
    assert "▁▅█" in "\n".join(top.page(LIVE, (120, 40), past=past))
    assert "▁▅█" not in "\n".join(top.page(LIVE, (50, 40), past=past))


@given(
    columns=st.integers(40, 200),
    lines=st.integers(18, 60),
    services=st.integers(0, 40),
    links=st.integers(0, 30),
    sites=st.integers(0, 120),
)
def test_a_page_fits_whatever_there_is_and_keeps_names_whole(
    columns: int, lines: int, services: int, links: int, sites: int
) -> None:
    names = [f"service-{n}" for n in range(services)]
    live = {
        **LIVE,
        "services": [service(name, 80, site("here")) for name in names],
        "now": [
            now(name, overflow_to={"a-far-away-site": 1.0} if n else {})
            for n, name in enumerate(names)
        ],
        "links": [{**LINK, "name": f"link-{n}", "error": "e " * 80} for n in range(links)],
        "network": [{**LIVE["network"][0], "name": f"site-{n}"} for n in range(sites)],
    }
    text = top.page(live, (columns, lines))
    assert len(text) <= lines
    assert all(len(line) <= columns for line in text)
    shown = [line.split(":")[0] for line in text if line.startswith("service-")]
    assert set(shown) <= set(names)
    assert bool(shown) == bool(names)


def test_once_prints_a_picture_and_json_is_the_routers_own(
    here: CommandLine, admin: FakeAdmin
) -> None:
    admin.item("/api/v1/live", LIVE)
    text = here.ok("top", "--once", "--sort", "name").stdout
    assert text.startswith("here: ready  3 sites  1 link  12:34:56 UTC  by name\n\nSERVICE")
    assert here.json("top", "--once") == LIVE


def test_an_older_router_is_looked_at_twice_for_its_rates(
    here: CommandLine, admin: FakeAdmin
) -> None:
    admin.item("/api/v1/status", STATUS)
    admin.items("/api/v1/links", LINK)
    admin.items("/api/v1/network")
    admin.answers["/api/v1/services"] = [
        envelope(SERVICE),
        envelope({**SERVICE, "requests_total": 110, "overflow_total": 9}),
    ]
    item = here.json("top", "--once", "--every", "0.2")
    assert set(item) >= {"at", "status", "links", "services", "network", "now"}
    assert 0 < item["now"][0]["requests_per_s"] <= 50
    assert 0 < item["now"][0]["overflow_per_s"] <= 10


class Door:
    """Answers from a list of totals."""

    def __init__(self, *totals: int) -> None:
        self._totals = list(totals)

    def get(self, path: str) -> Any:
        from sitectl.failure import not_found

        raise not_found("no such route")

    def get_all(self, *paths: str) -> list[Any]:
        return [STATUS, [], [{**SERVICE, "requests_total": self._totals.pop(0)}], []]


def test_a_router_that_began_anew_has_no_negative_rate() -> None:
    pictures = Pictures(Door(100, 5))  # type: ignore[arg-type]  # Two of its methods are asked.
    assert pictures.look()["now"] == []
    assert pictures.needs_two
    assert pictures.look()["now"][0]["requests_per_s"] == 0
    assert not pictures.needs_two


def test_keys_sort_pause_and_end(here: CommandLine, admin: FakeAdmin) -> None:
    admin.item("/api/v1/live", LIVE)
    with Terminal(here.state, "top", "--every", "0.2") as seen:
        seen.until(lambda text: "by requests" in text and "q quit" in text, "the first picture")
        seen.press("s")
        seen.until(lambda text: "by spilled" in text, "another order")
        seen.press("p")
        seen.until(lambda text: "PAUSED" in text, "the pause")
        seen.press("q")
        assert seen.end() == 0
    assert "\x1b[?1049l" in seen.raw


def test_a_router_that_goes_leaves_its_last_picture_marked_stale(
    here: CommandLine, admin: FakeAdmin
) -> None:
    gone = (503, {"code": "x", "message": "busy now"})
    admin.answers["/api/v1/live"] = [(200, LIVE), gone]
    with Terminal(here.state, "top", "--every", "0.2") as seen:
        seen.until(lambda text: "stale, busy now" in text, "what failed")
        assert "shop:80" in seen.text
        seen.interrupt()
        assert seen.end() == 130


def test_without_a_terminal_it_is_plain_text(here: CommandLine, admin: FakeAdmin) -> None:
    stop = (404, {"code": "not-found", "message": "enough"})
    admin.answers["/api/v1/live"] = [(200, LIVE), (200, LIVE), stop]
    result = here("top", "--every", "0.2")
    assert "\x1b" not in result.stdout
    assert result.stdout.count("here: ready") >= 2
    admin.answers["/api/v1/live"] = [(200, LIVE), (200, LIVE), stop]
    lines = here("top", "--every", "0.2", "-o", "json").stdout.splitlines()
    assert json.loads(lines[0])["item"]["at"] == LIVE["at"]
