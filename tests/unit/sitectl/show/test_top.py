"""`top`: its text at any size, its keys, and its page for routers without a live picture."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitectl.base import output
from sitectl.base.grids import folded
from sitectl.show import local_targets, top
from sitectl.show.link_traffic import LinkTraffic
from sitectl.show.live import Pictures
from tests.unit.sitectl.base.test_watch import LINK, envelope
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.fakes import FakeAdmin
from tests.unit.sitectl.show.test_looking import SERVICE, STATUS
from tests.unit.sitectl.terminals import Terminal


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
        *("31.2", "██████████", "10", "of", "10", "<12.3", "ms", "<500", "ms"),
        *("4.0/s", "to", "west,", "1.2/s", "to", "mid", "(full,", "policy)"),
    ]
    plain = next(line for line in top.page(LIVE, None, ascii_only=True) if line.startswith("calm"))
    assert "#......... 1 of 10" in plain
    away = next(line for line in top.page(LIVE, None) if line.startswith("away"))
    assert "no target" in away


def test_sites_that_serve_are_listed_by_cost_then_name() -> None:
    sites = [{"name": name, "path_cost": cost} for name, cost in (("b", 5), ("c", 2), ("a", 5))]
    sites.append({"name": "gone", "path_cost": None})
    one = now("shop", spilled_per_s=10.0, spilled_to={"gone": 4.0, "b": 3.0, "a": 2.0, "c": 1.0})
    one["open_to"] = {"b": 9, "c": 1}
    text = "\n".join(top.page({**LIVE, "now": [one], "network": sites}, None))
    to = "1.0/s to c, 2.0/s to a, 3.0/s to b, 4.0/s to gone"
    assert f"{to}, 1 open at c, 9 open at b" in text


def test_a_service_that_carries_a_routing_key_has_its_text() -> None:
    one = {**service("k-e39f88e649d574d94643", 1, site("here")), "routing_key": "shop.db"}
    shown = top.page({**LIVE, "services": [one], "now": []}, None)
    assert "shop.db " in "\n".join(shown) and "k-" not in "\n".join(shown)


def test_a_silent_link_is_not_called_up() -> None:
    silent = {**LIVE["links"][0], "silent_since": "2026-01-01T00:00:00Z"}
    status = {**LIVE["status"], "links": 1, "links_up": 1, "links_silent": 1}
    text = "\n".join(top.page({**LIVE, "links": [silent], "status": status}, None))
    assert output.links_up(status) == "1 link up (1 silent)"
    assert [line.split()[2] for line in text.splitlines() if "1.5 ms" in line] == ["silent"]


def test_a_link_that_some_workers_lost_is_not_called_up() -> None:
    down = [{"worker": 1, "state": "down", "since": None, "error": "refused"}]
    partly = {**LIVE["links"][0], "workers": 2, "workers_down": down}
    status = {**LIVE["status"], "links": 1, "links_up": 1, "links_partly": 1}
    text = "\n".join(top.page({**LIVE, "links": [partly], "status": status}, None))
    assert output.links_up(status) == "1 link up (1 not at every worker)"
    assert " up (1 of 2 workers) " in text


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


def here_of(part: dict[str, Any], **more: Any) -> str:
    """The line of ``shop``."""
    shop = {**service("shop", 80, part), **more.pop("service", {})}
    shown = top.page({**LIVE, "services": [shop], "now": [now("shop", **more)]}, None)
    return next(line for line in shown if line.startswith("shop"))


@pytest.mark.parametrize(
    ("in_flight", "mean", "shown"),
    [
        (0, 9.6, "9.6 of 10"),
        (10, 0.0, "0 of 10"),
        (9, 10.4, "10 of 10"),  # Looks at two workers are of two moments.
        (12, 13.0, "12 of 10"),  # It was lowered meanwhile.
    ],
)
def test_what_is_in_flight_here_is_a_mean_as_the_rates_beside_it(
    in_flight: int, mean: float, shown: str
) -> None:
    assert shown in here_of(site("here", in_flight=in_flight), in_flight_mean=mean)


def test_a_site_that_is_drained_of_a_service_is_no_site_with_dead_targets() -> None:
    more = {"takes": 0.0, "local_targets": {"total": 2, "ready": 0}}
    assert "drained" in here_of(site("here", targets_ready=0, draining=True), service=more)
    of_another = here_of(site("here", in_flight=1, capacity=4), service=more)
    assert "1 of 4" in of_another, "another router of this site takes its share"


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
    live["now"] = [
        now("shop", failed_per_s=1.5, gave_up_per_s=0.045, shed_per_s=2.0, rejected_per_s=12.0)
    ]
    told = "3 wait, 1.5/s fail, <0.1/s given up by clients, 2.0/s shed, 12.0/s refused with 4xx"
    assert told in "\n".join(top.page(live, None))


def test_a_site_that_serves_only_clients_of_other_sites_says_so() -> None:
    """No request of these counts in its REQ/S."""
    one = {**service("shop", 80, site("here", in_flight=3)), "under_way": 0}
    live = {**LIVE, "services": [one], "now": [now("shop", in_flight_mean=2.5)]}
    told = "0.0    ██░░░░░░░░ 2.5 of 10  -    -    for other sites' clients"
    assert told in "\n".join(top.page(live, None))
    live["services"] = [{**one, "queued": 1}]
    assert "1 wait, for other sites' clients" in "\n".join(top.page(live, None))
    for own in ({**one, "under_way": 1}, service("shop", 80, site("here"))):
        now_of_it = [] if own.get("under_way") is None else [now("shop", in_flight_mean=2.5)]
        own_live = {**live, "services": [own], "now": now_of_it}
        assert "other sites" not in "\n".join(top.page(own_live, None))


def test_a_site_with_a_problem_and_no_services_is_not_told_to_make_one() -> None:
    """They may have gone with the site that declares them."""
    away = {"code": "SW0301", "message": "no site declares shop", "hint": "It is back with far"}
    for problems, suggested in (([away], False), ([], True)):
        status = {**STATUS, "problems": problems}
        shown = "\n".join(top.page({**LIVE, "status": status, "services": [], "now": []}, None))
        assert "No services." in shown and ("service create" in shown) is suggested


def test_clients_of_another_router_of_this_site_are_not_told_as_those_of_other_sites() -> None:
    """Each router counts its own clients; the number in flight covers all clients."""
    one = {**service("shop", 80, site("here", in_flight=3)), "under_way": 0}
    status = {**STATUS, "replicas": 2}
    live = {**LIVE, "status": status, "services": [one], "now": [now("shop", in_flight_mean=2.5)]}
    told = "0.0    ██░░░░░░░░ 2.5 of 10  -    -    for other routers' clients"
    assert told in "\n".join(top.page(live, None))


def test_what_own_clients_had_in_the_last_seconds_is_not_said_to_be_for_others() -> None:
    """The mean is of 5 s; the rate may be of 2.5 s, and is 0 sooner."""
    idle = {**service("shop", 80, site("here", in_flight=0)), "under_way": 0}
    live = {**LIVE, "services": [idle], "now": [now("shop", in_flight_mean=0.7)]}
    assert "other sites" not in "\n".join(top.page(live, None))


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
    problems=st.integers(0, 9),
    selected=st.none() | st.integers(0, 39),
)
def test_a_page_fits_whatever_there_is_and_keeps_names_whole(
    columns: int,
    lines: int,
    services: int,
    links: int,
    sites: int,
    problems: int,
    selected: int | None,
) -> None:
    names = [f"service-{n}" for n in range(services)]
    live = {
        **LIVE,
        "status": {**STATUS, "problems": [{"code": "SW0675", "message": "m " * 60}] * problems},
        "services": [service(name, 80, site("here")) for name in names],
        "now": [
            now(name, overflow_to=dict.fromkeys(("a-far-away-site", "b", "c")[: n % 4], 1.0))
            for n, name in enumerate(names)
        ],
        "links": [{**LINK, "name": f"link-{n}", "error": "e " * 80} for n in range(links)],
        "network": [{**LIVE["network"][0], "name": f"site-{n}"} for n in range(sites)],
    }
    port = None if selected is None else (f"service-{selected}", 80)
    text = top.page(live, (columns, lines), selected=port)
    assert len(text) <= lines
    assert all(len(line) <= columns for line in text)
    rows = [line for line in text if line.lstrip("> ").startswith("service-")]
    shown = [line.lstrip("> ").split(":")[0] for line in rows]
    assert set(shown) <= set(names)
    assert bool(shown) == bool(names)
    marked = [line for line in rows if line.startswith(">")]
    is_there = port is not None and port[0] in names
    assert [line[1:].split(":")[0] for line in marked] == ([port[0]] if port and is_there else [])
    codes = sum(line.startswith("SW0675 ") for line in text)
    more = [line for line in text if line.endswith("more: sitectl check")]
    assert codes == problems or more == [f"… {problems - codes} more: sitectl check"]


@given(words=st.lists(st.text("abcäß(,", min_size=1, max_size=12), max_size=20), data=st.data())
def test_folded_text_breaks_only_between_words(words: list[str], data: st.DataObject) -> None:
    width = data.draw(st.integers(max(map(len, words), default=1), 60))
    lines = folded(" ".join(words), width, 10_000)
    assert all(len(line) <= width for line in lines)
    assert " ".join(lines).split() == words
    few = folded(" ".join(words), width, 2)
    assert len(few) <= 2 and all(len(line) <= width for line in few)
    assert few == lines or few[-1].endswith("…")


def test_the_first_line_of_a_narrow_terminal_does_without_whole_parts() -> None:
    problem = {"code": "SW0675", "message": "Link west to west is down: refused", "hint": ""}
    status = {**STATUS, "name": "near", "links": 2, "links_up": 1, "problems": [problem]}
    live = {**LIVE, "status": status}
    whole = top.head(live, "requests", paused=True)
    parts = whole.split("  ")
    for columns in range(30, len(whole) + 9):
        shown = top.head(live, "requests", paused=True, columns=columns)
        assert len(shown) <= max(columns, len("near: ready, 1 problem  PAUSED"))
        assert [one for one in parts if one in shown.split("  ")] == shown.split("  ")
    assert shown == whole
    at_60 = top.head(live, "requests", columns=60).split("  ")
    assert (at_60[0], at_60[-1]) == (parts[0], parts[3]), "of when it is"


def test_of_several_routers_the_first_line_says_that_requests_are_those_of_this_one() -> None:
    status = {**STATUS, "links": 1, "links_up": 1}
    assert "  1 link  " in top.head({**LIVE, "status": status}, "requests")
    several = {**LIVE, "status": {**status, "replicas": 2}}
    assert "  requests and 1 link at this router  " in top.head(several, "requests")


def test_problems_are_named_with_code_and_sentence() -> None:
    problems = [
        {"code": "SW0335", "message": "Service shop:80: 0 of 2 targets are ready here", "hint": ""},
        {"code": "SW0675", "message": "Link west to west is down: refused", "hint": ""},
    ]
    live = {**LIVE, "status": {**STATUS, "problems": problems}}
    assert top.page(live, None)[:3] == [
        "SW0335 Service shop:80: 0 of 2 targets are ready here",
        "SW0675 Link west to west is down: refused",
        "",
    ]


@pytest.mark.parametrize(("code", "is_shown"), [("SW0360", True), ("SW0347", False)])
def test_notes_of_what_clients_lose_are_shown_as_problems_are(code: str, is_shown: bool) -> None:
    note = {"code": code, "severity": "warning", "message": "9 were reset", "hint": ""}
    page = top.page({**LIVE, "status": {**STATUS, "notes": [note]}}, None)
    assert (page[0] == f"{code} 9 were reset") == is_shown


def test_a_row_never_shows_more_leaving_than_coming() -> None:
    """Requests that end late come in bursts: 12/s spilled of 3.0 that ended."""
    one = now("shop", requests_per_s=3.0, begun_per_s=14.0, spilled_per_s=12.0)
    one |= {"spilled_to": {"west": 12.0}, "spilled_for": {"full": 12.0}}
    live = {**LIVE, "now": [one]}
    (row,) = [line for line in top.page(live, None) if line.startswith("shop:80")]
    assert row.split()[1] == "14.0" and "12.0/s to west" in row
    assert top.rates(live) == {("shop", 80): 14.0}


def test_all_destinations_are_shown_in_80_columns() -> None:
    to = {"frankfurt": 40.5, "amsterdam": 30.25, "lisbon": 9.0, "oslo": 1.5}
    one = now("shop", requests_per_s=99.0, p50_s=0.05, p99_s=0.1, spilled_per_s=81.25)
    one |= {"spilled_to": to, "spilled_for": {"full": 80.0, "ejected": 1.25}}
    text = top.page({**LIVE, "now": [one]}, (80, 20))
    assert all(len(line) <= 80 for line in text)
    words = " ".join(text).split()
    for name, per_s in to.items():
        assert " ".join((f"{per_s:.1f}/s", "to", name)) in " ".join(words)
    assert "(full," in words and "ejected)" in words


def test_bytes_a_second_are_the_difference_of_two_pictures() -> None:
    def picture(second: int, *totals: int) -> dict[str, Any]:
        inward, outward = totals
        link = {**LIVE["links"][0], "bytes_in_total": inward, "bytes_out_total": outward}
        return {**LIVE, "at": f"2026-01-01T12:00:{second:02}.000Z", "links": [link]}

    traffic = LinkTraffic()
    traffic.note(picture(0, 1_000, 0))
    assert traffic.now == {}
    traffic.note(picture(2, 5_000, 3_000_000))
    last = picture(2, 5_000, 3_000_000)
    traffic.note(last)  # The router had no newer one.
    (row,) = (one for one in top.page(last, (80, 40), traffic=traffic.now) if "up" in one)
    assert row.split()[5:11] == ["ms", "2", "kB/s", "1.5", "MB/s", "0"]
    traffic.note(picture(3, 10, 10))
    assert traffic.now == {}  # The router was restarted.
    traffic.note({**LIVE, "at": "2026-01-01T12:00:04.000Z"})
    assert traffic.now == {}  # One that does not count.


def test_a_link_of_which_a_connection_drains_has_the_traffic_of_all() -> None:
    """The row of the link counts the draining one, too: it comes first."""

    def picture(second: int, **rows: int) -> dict[str, Any]:
        links = [
            {**LIVE["links"][0], "state": state, "bytes_in_total": count, "bytes_out_total": 0}
            for state, count in rows.items()
        ]
        return {**LIVE, "at": f"2026-01-01T12:00:{second:02}.000Z", "links": links}

    traffic = LinkTraffic()
    traffic.note(picture(0, up=1_000_000))
    for second, rows in enumerate(({"up": 1_002_000, "draining": 2_000}, {"up": 1_004_000}), 1):
        traffic.note(picture(second, **rows))
        assert [one.in_per_s for one in traffic.now.values()] == [2_000]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0 B/s"),
        (999.0, "999 B/s"),
        (999.6, "1 kB/s"),
        (12_345.0, "12.3 kB/s"),
        (1.5e6, "1.5 MB/s"),
        (2.5e9, "2.5 GB/s"),
    ],
)
def test_rates_of_bytes_have_a_unit(number: float, text: str) -> None:
    assert output.bytes_per_s(number) == text


def test_very_many_problems_leave_the_services_in_sight() -> None:
    problems = [{"code": "SW0309", "message": f"team-{n} has none."} for n in range(300)]
    text = top.page({**LIVE, "status": {**STATUS, "problems": problems}}, None)
    assert sum(line.startswith("SW0309") for line in text) == 19
    assert text[19] == "… 281 more: sitectl check"


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
        from sitectl.base.failure import not_found

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


WHY: dict[str, Any] = {
    "service": "shop",
    "port": 80,
    "policy": "fill",
    "decision": {"site": "west", "path": ["west"], "reason": "cheapest with room"},
    "candidates": [
        {"site": "here", "path": [], "path_cost": 0, "verdict": "full", "reason": "10 of 10"},
        {"site": "west", "path": ["west"], "path_cost": 5, "verdict": "chosen", "reason": ""},
    ],
}


def test_a_selected_service_tells_why_and_back(here: CommandLine, admin: FakeAdmin) -> None:
    admin.item("/api/v1/live", LIVE)
    admin.item("/api/v1/why/shop:80", WHY)
    with Terminal(here.state, "top", "--every", "0.2") as seen:
        seen.until(lambda text: ">calm:80" in text, "the first service is selected")
        seen.press("\x1b[B")
        seen.until(lambda text: ">shop:80" in text, "the next one")
        seen.press("\r")
        seen.until(lambda text: "the next request goes to west" in text, "its why")
        seen.until(lambda text: "q back" in text.partition("the next request")[2], "its keys")
        assert "chosen" in seen.text
        before = seen.text.count("SERVICE")
        seen.press("\x1b")
        seen.until(lambda text: text.count("SERVICE") > before, "the whole picture again")
        seen.press("kj\n")
        asked = seen.text.count("the next request")
        seen.until(lambda text: text.count("the next request") > asked, "why once more")
        admin.answers["/api/v1/why/shop:80"] = (404, {"code": "not-found", "message": "it went"})
        seen.until(lambda text: "Error: it went" in text, "that the service is gone")
        seen.press("qq")
        assert seen.end() == 0


def test_a_selection_stays_where_it_can(here: CommandLine, admin: FakeAdmin) -> None:
    admin.item("/api/v1/live", LIVE)
    with Terminal(here.state, "top", "--every", "0.2") as seen:
        seen.until(lambda text: ">calm:80" in text, "the first one")
        seen.press("jjjjj")
        seen.until(lambda text: ">away:80" in text, "the last one, and no further")
        admin.item("/api/v1/live", {**LIVE, "services": LIVE["services"][:2]})
        start = len(seen.text)
        seen.until(lambda text: ">calm:80" in text[start:], "the first one: it went")
        admin.item("/api/v1/live", {**LIVE, "services": [], "now": []})
        seen.until(lambda text: "No services" in text, "there is none")
        seen.press("j\rq")
        assert seen.end() == 0


def test_a_router_that_goes_leaves_its_last_picture_marked_stale(
    here: CommandLine, admin: FakeAdmin
) -> None:
    gone = (503, {"code": "x", "message": "busy now"})
    admin.answers["/api/v1/live"] = [(200, LIVE), gone]
    with Terminal(here.state, "top", "--every", "0.2") as seen:
        seen.until(lambda text: "stale, busy now" in text, "what failed")
        seen.until(lambda text: "here: stale  3 sites" in text, "that it is no more so")
        assert "shop:80" in seen.text
        seen.interrupt()
        assert seen.end() == 130


def test_each_command_that_is_advised_names_the_site(here: CommandLine, admin: FakeAdmin) -> None:
    problem = {"code": "SW0309", "message": "Service shop has no ready target here."}
    status = {**LIVE["status"], "problems": [problem] * 20}
    admin.item("/api/v1/live", {**LIVE, "status": status})
    admin.item("/api/v1/why/shop:80", {**WHY, "candidates": []})
    with Terminal(here.state, "top", "--every", "0.2", "--site", "here") as seen:
        seen.until(lambda text: "more: sitectl --site here check" in text, "where all are")
        seen.press("j\r")
        seen.until(lambda text: "sitectl --site here service bind" in text, "its why")
        went = {"code": "x", "message": "it went", "hint": "sitectl service status"}
        admin.answers["/api/v1/why/shop:80"] = (404, went)
        seen.until(lambda text: "Next: sitectl --site here service status" in text, "what to type")
        admin.item("/api/v1/live", {**LIVE, "services": [], "now": []})
        seen.press("q")
        seen.until(
            lambda text: "Try: sitectl --site here service create" in text, "how to have one"
        )
    assert "sitectl service" not in seen.text


def test_without_a_terminal_each_picture_names_the_site(
    here: CommandLine, admin: FakeAdmin
) -> None:
    stop = (404, {"code": "not-found", "message": "enough"})
    empty = (200, {**LIVE, "services": [], "now": []})
    admin.answers["/api/v1/live"] = [empty, empty, stop]
    told = here("top", "--every", "0.2", "--site", "here").stdout
    assert "Try: sitectl --site here service create" in told


def test_without_a_terminal_it_is_plain_text(here: CommandLine, admin: FakeAdmin) -> None:
    stop = (404, {"code": "not-found", "message": "enough"})
    admin.answers["/api/v1/live"] = [(200, LIVE), (200, LIVE), stop]
    result = here("top", "--every", "0.2")
    assert "\x1b" not in result.stdout
    assert result.stdout.count("here: ready") >= 2
    admin.answers["/api/v1/live"] = [(200, LIVE), (200, LIVE), stop]
    lines = here("top", "--every", "0.2", "-o", "json").stdout.splitlines()
    assert json.loads(lines[0])["item"]["at"] == LIVE["at"]
