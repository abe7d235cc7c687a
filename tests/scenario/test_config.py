"""Wanted state in files and by verbs: mistakes are named, the last good state stays."""

import json
import signal
from collections.abc import Iterator

import pytest

from tests.scenario.backends import HttpTarget
from tests.scenario.clients import fetch
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import stays, until


class Office:
    """``front`` declares what ``back`` also serves."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.front, self.back = net.site("front"), net.site("back")
        self.target: HttpTarget = net.http("back")
        self.front.declare("shop")
        self.back.connect("shop", self.target, capacity=4)
        net.link(self.front, self.back, 2, token="cert")
        net.start()
        net.ready("shop", {"back": 1})


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """The two sites, once for all tests of this file."""
    with Network(tmp_path_factory.mktemp("office")) as net:
        yield Office(net)


def problems(site: Site) -> list[str]:
    """What the site reports as wrong."""
    return [f"{p['message']} {p['hint']}" for p in site.get("status")["problems"]]


def test_a_mistake_in_a_file_is_named_with_its_place_and_changes_nothing(office: Office) -> None:
    path = office.front.directory / "config" / "mine.yaml"
    path.write_text(
        "apiVersion: spillway/v1\nkind: Service\nname: extra\nspec:\n"
        f"  protocol: htttp\n  prots: [{SHOP_PORT + 3}]\n"
    )
    found = until(lambda: problems(office.front), "the mistake is reported", 2.5)
    assert any("mine.yaml:5:" in text and "'http'" in text for text in found), found
    assert any("mine.yaml:6:" in text and "'ports'" in text for text in found), found
    assert office.front.ctl("status", code=3)
    assert office.front.service("extra") is None
    assert fetch(office.front.address, SHOP_PORT).site == "back"
    path.write_text(path.read_text().replace("htttp", "http").replace("prots", "ports"))
    until(lambda: not problems(office.front), "the corrected file counts", 2.5)
    until(lambda: office.back.service("extra"), "the service is known elsewhere too")
    path.unlink()
    until(lambda: office.front.service("extra") is None, "the file's service is gone", 2.5)
    until(lambda: office.back.service("extra") is None, "and elsewhere")


def test_a_site_renamed_by_hand_is_a_problem_until_its_router_starts_again(office: Office) -> None:
    path = office.front.directory / "config" / "site-front.yaml"
    before = path.read_text()
    assert "\nname: front\n" in before
    path.write_text(before.replace("\nname: front\n", "\nname: lobby\n"))
    (found,) = until(lambda: problems(office.front), "the new name is reported")
    sentence = "the site is named lobby, and this router runs as front until it is started again"
    assert f"config/site-front.yaml: {sentence} (at $.name)" in found
    assert found.endswith("sitectl stop, then sitectl start")
    assert sentence in office.front.ctl("status", code=3).out
    assert sentence in office.front.ctl("check", code=3).out
    told = [one["message"] for one in office.front.get("events") if one["code"] == "SW0311"]
    assert told == [f"{sentence} (at $.name)"]
    path.write_text(before)
    until(lambda: not problems(office.front), "the former name counts")


def test_a_file_broken_later_keeps_what_it_said_before(office: Office) -> None:
    path = office.front.directory / "config" / "own-service-shop.yaml"
    before = path.read_text()
    path.write_text(before[:-4] + "\n  : [")
    until(lambda: problems(office.front), "the mistake is reported", 2.5)
    assert fetch(office.front.address, SHOP_PORT).site == "back"
    assert office.back.service("shop")["listener"]["state"] == "bound"
    path.write_text(before)
    until(lambda: not problems(office.front), "the corrected file counts", 2.5)


@pytest.mark.parametrize("name", ["own-service-shop.yaml", "site-front.yaml"])
def test_a_file_broken_before_a_restart_keeps_what_it_said_before(
    office: Office, name: str
) -> None:
    path = office.front.directory / "config" / name
    stored = office.front.directory / "in-force.json"
    assert not stored.exists()
    before = path.read_text()
    path.write_text(before[:-4] + "\n  : [")
    until(lambda: problems(office.front), "the mistake is reported", 2.5)
    assert stored.stat().st_mode & 0o777 == 0o600
    office.front.ctl("stop")
    office.front.ctl("start")
    office.front.note_pid()
    office.net.ready("shop", {"back": 1})
    assert fetch(office.front.address, SHOP_PORT).site == "back"
    assert f"config/{name}" in office.front.ctl("status", code=3).out
    path.write_text(before)
    until(lambda: not problems(office.front), "the corrected file counts", 2.5)
    until(lambda: not stored.exists(), "nothing has to be remembered")
    assert fetch(office.front.address, SHOP_PORT).site == "back"


def test_a_deleted_service_closes_its_listeners_everywhere(office: Office) -> None:
    port = SHOP_PORT + 4
    office.front.ctl("service", "create", f"short:{port}", "--protocol", "http")
    target = office.target
    bind = ("service", "bind", "short", "host", target.address, "--target-port", str(target.port))
    office.back.ctl(*bind, "--capacity", "2")
    office.net.ready("short", {"back": 1})
    assert fetch(office.front.address, port).site == "back"
    assert fetch(office.back.address, port).site == "back"
    office.front.ctl("service", "delete", "short")
    for site in (office.front, office.back):
        until(
            lambda: "ConnectionRefused" in fetch(site.address, port).error,  # noqa: B023
            "the listener is closed",
            3.0,
        )
    office.back.ctl("service", "unbind", "short", "host", target.address)
    until(lambda: not problems(office.back), "no problem is left")


def test_what_is_deleted_right_before_the_end_is_withdrawn_elsewhere(office: Office) -> None:
    port = SHOP_PORT + 5
    declared = office.front.document("Service", "brief", {"protocol": "http", "ports": [port]})
    until(
        lambda: fetch(office.back.address, port).status == 503,
        "the service is listened on at its neighbor",
    )
    declared.unlink()
    office.front.signal(signal.SIGTERM)
    until(office.front.gone, "the declaring router has ended")
    until(
        lambda: "ConnectionRefused" in fetch(office.back.address, port).error,
        "the listener is closed",
        3.0,
    )
    office.front.start()
    office.net.ready("shop", {"back": 1})


def test_a_verb_does_not_change_a_file_of_the_user(office: Office) -> None:
    done = office.front.ctl("service", "set", "shop", "--queue", "7", code=5)
    assert "own-service-shop.yaml:1" in done.err
    assert "queue" in done.err
    stays(lambda: not problems(office.front), "nothing changed", 0.2)


def test_verbs_repeated_change_nothing_and_say_so(office: Office) -> None:
    words = ("service", "create", "twice", str(SHOP_PORT + 6))
    office.front.ctl(*words)
    assert "unchanged" in office.front.ctl(*words).out
    office.front.ctl("service", "delete", "twice")
    assert "nothing to delete" in office.front.ctl("service", "delete", "twice").out
    assert "unchanged" in office.front.ctl("start").out


def test_status_counts_sites_links_and_services(office: Office) -> None:
    office.front.until_well()
    status = office.front.json("status")
    assert (status["name"], status["ready"]) == ("front", True)
    assert (status["links"], status["services"], status["sites"]) == (1, 1, 2)
    assert len(status["id"]) == 32
    assert int(status["id"], 16) >= 0


def test_policy_and_capacity_are_shown_for_every_site(office: Office) -> None:
    item = next(s for s in office.front.json("service", "status", "shop"))
    assert (item["protocol"], item["policy"], item["port"]) == ("http", "fill", SHOP_PORT)
    assert item["listener"]["host"] == office.front.address
    site = item["sites"][0]
    assert (site["site"], site["local"], site["path_cost"]) == ("back", False, 2)
    assert (site["targets_ready"], site["capacity"], site["capacity_kind"]) == (1, 4, "concurrency")


def test_a_service_declared_differently_elsewhere_is_a_named_conflict(office: Office) -> None:
    office.back.ctl("service", "create", "shop", str(SHOP_PORT + 8), code=5)
    for site in (office.front, office.back):
        until(lambda: any("shop" in text for text in problems(site)), "the conflict is named")  # noqa: B023
    assert office.front.service("shop", SHOP_PORT), "the first declaration counts elsewhere"
    assert office.back.service("shop", SHOP_PORT + 8), "its own counts at a site"
    (office.back.directory / "config" / "service-shop.yaml").unlink()
    for site in (office.front, office.back):
        until(lambda: not problems(site), "the conflict is over")  # noqa: B023
    until(lambda: office.front.offers("shop", {"back": 1}), "the targets there are used again")


def test_verbs_work_with_the_router_stopped(net: Network) -> None:
    site = net.site("alone")
    target = net.http("alone")
    site.ctl("service", "create", "shop", str(SHOP_PORT), "--protocol", "http")
    site.ctl(
        *("service", "bind", "shop", "host", target.address),
        *("--target-port", str(target.port), "--capacity", "3"),
    )
    assert "stopped" in site.ctl("service", "status", code=3).err
    assert "stopped" in site.ctl("status", code=3).out
    site.ctl("why", "shop", code=8)
    site.start()
    until(lambda: site.offers("shop", {"alone": 1}), "it serves")
    assert fetch(site.address, SHOP_PORT).site == "alone"
    site.ctl("stop")
    assert site.gone()
    assert "unchanged" in site.ctl("stop").out
    site.ctl("delete", "--yes")
    assert not site.directory.exists()


def test_a_router_that_was_killed_is_not_said_to_have_stopped(net: Network) -> None:
    site = net.site("alone")
    site.start()
    pid = site.note_pid()
    site.kill()
    text = f"the router (process {pid}) ended without having stopped"
    (problem,) = json.loads(site.ctl("-o", "json", "status", code=3).out)["item"]["problems"]
    assert (problem["code"], text in problem["message"]) == ("SW0513", True)
    assert text in site.ctl("status", code=3).out
    checked = site.ctl("check", code=1).out
    assert "ERROR    SW0513" in checked and text in checked
    site.start()
    (died,) = [one for one in site.get("events") if one["code"] == "router-died"]
    assert died["message"].startswith(f"The router before this one, process {pid}, ended without")
    site.ctl("stop")
    assert "SW0513" not in site.ctl("status", code=3).out
    assert "the router does not run" in site.ctl("check").out


def test_that_a_router_was_killed_is_told_before_what_the_next_one_finds(net: Network) -> None:
    site, target = net.site("alone", "--enable-console"), net.http("alone")
    site.declare("shop", SHOP_PORT)
    site.connect("shop", target)
    site.start()
    until(lambda: site.offers("shop", {"alone": 1}), "it serves")
    site.kill()
    before = len(site.ctl("events", "-o", "json").json()["items"])
    site.start()
    until(lambda: site.offers("shop", {"alone": 1}), "it serves again")
    later = site.get("events")[before:]
    assert later[0]["code"] == "router-died", [one["code"] for one in later]


def test_metrics_and_events_tell_what_happened(office: Office) -> None:
    fetch(office.front.address, SHOP_PORT)
    text = office.front.metrics()
    assert "spillway_requests_total{" in text
    assert "spillway_link_up{" in text
    assert f'spillway_capacity{{port="{SHOP_PORT}",service="shop",site="back"}} 4.0' in text
