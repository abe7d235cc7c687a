"""`service bind` of several targets at once, and until they are ready."""

import pytest

from router.model.errors import NOT_CHECKED
from sitectl.flags.services import targets as target_checks
from sitectl.runtimes import presence
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.fakes import FakeAdmin

TWO = ("service", "bind", "shop", "127.0.0.1:9001", "127.0.0.1:9002")


def target(port: int, *, ready: bool, site: str = "here") -> dict[str, object]:
    error = "" if ready else f"connect to 127.0.0.1:{port}: refused"
    return {"site": site, "host": "127.0.0.1", "port": port, "ready": ready, "error": error}


def shop(*targets: dict[str, object]) -> dict[str, object]:
    return {"name": "shop", "port": 8080, "targets": list(targets)}


def bound(here: CommandLine) -> list[str]:
    """Hosts of all targets."""
    (service,) = here.json("service", "status", code=3)
    return [one["host"] for one in service["targets"]]


def test_several_targets_are_bound_in_one_command(here: CommandLine) -> None:
    here.ok("service", "create", "shop", "8080")
    said = here.ok(*TWO, "[::1]:9001", "--capacity", "5").stdout
    assert said.splitlines() == [
        "127.0.0.1:9001 bound to service shop",
        "127.0.0.1:9002 bound to service shop",
        "[::1]:9001 bound to service shop",
    ]
    connectors = [text for name, text in here.config().items() if name.startswith("connector-")]
    assert len(connectors) == 3
    assert all("capacity: 5" in text for text in connectors)
    assert [item["change"] for item in here.json(*TWO, "--capacity", "5")] == ["unchanged"] * 2
    assert [item["change"] for item in here.json(*TWO, "--capacity", "6")] == ["updated"] * 2


def test_a_port_beside_a_host_means_the_same_as_the_flag(here: CommandLine) -> None:
    here.ok("service", "create", "shop", "8080")
    assert here.json("service", "bind", "shop", "host", "10.0.0.5:9001")["change"] == "created"
    flag = ("service", "bind", "shop", "host", "10.0.0.5", "--target-port", "9001")
    assert here.json(*flag)["change"] == "unchanged"
    assert here.json("service", "bind", "shop", "10.0.0.5:9001")["change"] == "unchanged"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("127.0.0.1:9001", "127.0.0.1:0"), "'0' is not a port"),
        (("127.0.0.1:9001", "127.0.0.1:x"), "'127.0.0.1:x' is not HOST:PORT"),
        (("127.0.0.1:9001", "--target-port", "9002"), "names a port, and so does --target-port"),
        (("host", "127.0.0.1", "127.0.0.2"), "expected TYPE TARGET"),
    ],
)
def test_one_wrong_target_of_several_binds_none(
    here: CommandLine, words: tuple[str, ...], said: str
) -> None:
    here.ok("service", "create", "shop", "8080")
    result = here("service", "bind", "shop", *words)
    assert (result.exit_code, said in result.stderr) == (2, True), result.stderr
    assert list(here.config()) == ["service-shop.yaml", "site-here.yaml"]


def test_waiting_returns_when_every_target_is_ready(here: CommandLine, admin: FakeAdmin) -> None:
    def answer(*targets: dict[str, object]) -> tuple[int, dict[str, object]]:
        return 200, {"apiVersion": "spillway/v1", "kind": "X", "items": [shop(*targets)]}

    half = answer(target(9001, ready=True), target(9002, ready=True, site="there"))
    whole = answer(target(9001, ready=True), target(9002, ready=True))
    admin.answers["/api/v1/services"] = [half, half, half, whole]
    said = here.ok(*TWO, "--wait", "10").stdout
    assert said.splitlines()[1] == "127.0.0.1:9002 bound to service shop, ready"


def test_waiting_in_vain_says_which_target_and_why(here: CommandLine, admin: FakeAdmin) -> None:
    admin.items("/api/v1/services", shop(target(9001, ready=True), target(9002, ready=False)))
    result = here(*TWO, "--wait", "0.1")
    assert result.exit_code == 6
    said = "127.0.0.1:9002 is not ready after 0.1 s: connect to 127.0.0.1:9002: refused"
    assert f"{said}; nothing is bound\n" in result.stderr
    assert "Next: Start the target and try again, or leave out --wait" in result.stderr


def test_waiting_in_vain_names_no_cause_of_another_target(
    here: CommandLine, admin: FakeAdmin
) -> None:
    admin.items("/api/v1/services", shop(target(9001, ready=False), target(9003, ready=False)))
    said = here("service", "bind", "shop", "127.0.0.1:9001", "--wait", "0.1").stderr
    assert "s: connect to 127.0.0.1:9001: refused; nothing is bound\n" in said


def test_a_wait_that_fails_leaves_every_document_as_it_was(
    here: CommandLine, admin: FakeAdmin
) -> None:
    admin.items("/api/v1/services", shop(target(9001, ready=False)))
    here.ok("service", "create", "shop", "8080")
    alone = here.config()
    assert here(*TWO, "--wait", "0.1").exit_code == 6
    assert here.config() == alone
    first = ("service", "bind", "shop", "127.0.0.1:9001", "--capacity")
    here.ok(*first, "5")
    before = here.config()
    assert here(*first, "6", "--wait", "0.1").exit_code == 6
    again = here(*first, "6", "--wait", "0.1")
    assert "; the settings are as before" in again.stderr
    assert here.config() == before
    same = here(*first, "5", "--wait", "0.1")
    assert (same.exit_code, here.config()) == (6, before)
    assert "Next: sitectl service status shop" in same.stderr


def test_a_router_that_ends_meanwhile_undoes_a_waiting_bind_too(
    here: CommandLine, admin: FakeAdmin
) -> None:
    broken = (503, {"code": "SW9", "message": "busy now", "hint": "ask later"})
    admin.answers["/api/v1/services"] = broken
    before = here.config()
    assert "busy now; nothing is bound" in here(*TWO, "--wait", "5").stderr
    assert here.config() == before


def test_a_wait_without_a_router_says_to_start_it(here: CommandLine) -> None:
    here.ok("service", "create", "shop", "8080")
    before = here.config()
    result = here("service", "bind", "shop", "127.0.0.1:9001", "--wait", "5")
    assert result.exit_code == 8
    assert "; nothing is bound" in result.stderr
    assert result.stderr.rpartition("Next: ")[2].endswith("start\n")
    assert here.config() == before


def test_a_wait_that_is_interrupted_leaves_every_document_as_it_was(
    here: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(presence, "wait_until", interrupted)
    before = here.config()
    words = ("expose", "host", "10.0.0.5", "--address", "shop", "--port", "8080", "--wait", "9")
    result = here(*words)
    assert (result.exit_code, result.stderr.split("\n")[0]) == (130, "nothing is bound")
    assert here.config() == before


def test_expose_waits_as_bind_does(here: CommandLine, admin: FakeAdmin) -> None:
    words = ("expose", "host", "10.0.0.5", "--address", "shop", "--port", "8080")
    admin.items("/api/v1/services", shop({**target(8080, ready=False), "host": "10.0.0.5"}))
    before = here.config()
    result = here(*words, "--wait", "0.1")
    assert result.exit_code == 6
    said = "10.0.0.5:8080 is not ready after 0.1 s: connect to 127.0.0.1:8080: refused"
    assert f"{said}; nothing is bound\n" in result.stderr
    assert here.config() == before
    admin.items("/api/v1/services", shop({**target(8080, ready=True), "host": "10.0.0.5"}))
    said = here.ok(*words, "--wait", "5").stdout
    assert said == "10.0.0.5:8080 exposed as service shop, ready\n"


def test_a_target_that_refuses_is_said_at_once(
    here: CommandLine, admin: FakeAdmin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target_checks, "_FIRST_CHECK_S", 30.0)  # It ends with the fourth answer.
    here.ok("service", "create", "shop", "8080")
    late = {**target(9002, ready=False), "error": NOT_CHECKED}
    known = shop(target(9001, ready=True), target(9002, ready=False))
    admin.answers["/api/v1/services"] = [
        (200, {"apiVersion": "spillway/v1", "kind": "X", "items": [one]})
        for one in (*[shop(target(9001, ready=True), late)] * 3, known)
    ]
    said = here.ok(*TWO).stderr
    assert "not ready: connect to 127.0.0.1:9002: refused\n" in said
    assert "or: sitectl service unbind shop 127.0.0.1:9001 127.0.0.1:9002\n" in said
    words = ("expose", "host", "127.0.0.1", "--address", "shop", "--target-port", "9002")
    assert "or: sitectl unexpose host 127.0.0.1 --address shop\n" in here.ok(*words).stderr
    admin.items("/api/v1/services", shop(target(9001, ready=True)))
    assert here.ok("service", "bind", "shop", "127.0.0.1:9001").stderr == ""


@pytest.mark.parametrize("kind", ["leaving", "drained"])
def test_a_server_that_may_be_well_is_not_to_be_started(
    here: CommandLine, admin: FakeAdmin, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Its old binding still has requests in flight, or its service is drained here."""
    monkeypatch.setattr(target_checks, "_FIRST_CHECK_S", 0.0)
    here.ok("service", "create", "shop", "8080")
    admin.items("/api/v1/services", shop({**target(9001, ready=False), "error_kind": kind}))
    assert here.ok("service", "bind", "shop", "127.0.0.1:9001").stderr == ""


def test_waiting_for_a_target_of_a_drained_service_says_how_the_drain_ends(
    here: CommandLine, admin: FakeAdmin
) -> None:
    here.ok("service", "create", "shop", "8080")
    drained = {**target(9001, ready=False), "error": "it is drained", "error_kind": "drained"}
    admin.items("/api/v1/services", shop(drained))
    said = here.ended(6, "service", "bind", "shop", "127.0.0.1:9001", "--wait", "0.1").stderr
    assert "it is drained; nothing is bound\nNext: sitectl check says how to end the drain" in said


def test_a_name_without_an_address_is_what_is_to_be_corrected(
    here: CommandLine, admin: FakeAdmin
) -> None:
    here.ok("service", "create", "shop", "8080")
    unknown = "nowhere:9001 has no address: the name cannot be resolved"
    found = {**target(9001, ready=False), "host": "nowhere", "error": unknown}
    admin.items("/api/v1/services", shop(found))
    said = here.ok("service", "bind", "shop", "nowhere:9001").stderr
    assert f"not ready: {unknown}\nNext: give the name an address, the router keeps trying" in said


def test_waiting_for_a_service_that_nobody_declares_says_so(
    here: CommandLine, admin: FakeAdmin
) -> None:
    admin.items("/api/v1/services")
    result = here(*TWO, "--wait", "0.1")
    assert (result.exit_code, "no site declares shop" in result.stderr) == (6, True)
    assert "Next: sitectl service create shop PORT" in result.stderr


def test_auto_of_a_tcp_service_is_told_when_it_is_typed(here: CommandLine) -> None:
    here.ok("service", "create", "db", "5432")
    words = ("service", "bind", "db", "127.0.0.1:9001", "--capacity", "auto")
    assert "db is tcp, whose latency says nothing" in here.ok(*words).stderr


@pytest.mark.parametrize("place", ["169.254.169.254:80", "100.100.100.200:80"])
def test_a_metadata_target_is_bound_only_when_that_is_said(here: CommandLine, place: str) -> None:
    here.ok("service", "create", "shop", "8080")
    words = ("service", "bind", "shop", place)
    refused = here(*words)
    assert refused.exit_code == 2 and "--allow-link-local" in refused.stderr
    here.ok(*words, "--allow-link-local")
    assert "allowLinkLocal: true" in "".join(here.config().values())
    assert here.json(*words)["change"] == "unchanged"


def test_what_bind_took_unbind_takes(here: CommandLine) -> None:
    places = ("127.0.0.1:9001", "127.0.0.1:9002", "[::1]:9001")
    here.ok("service", "create", "shop", "8080")
    here.ok("service", "bind", "shop", *places)
    said = here.ok("service", "unbind", "shop", *places[:2]).stdout
    assert "127.0.0.1:9001, 127.0.0.1:9002 unbound from service shop" in said
    assert bound(here) == ["::1"]
    again = here.ok("service", "unbind", "shop", *places[:2]).stdout
    assert "127.0.0.1:9001, 127.0.0.1:9002 are not bound to service shop" in again
    both = here("service", "unbind", "shop", places[2], "--target-port", "9001")
    assert both.exit_code == 2
    assert f"sitectl service unbind shop {places[2]}" in both.stderr
    here.ok("service", "unbind", "shop", "host", places[2])
    assert bound(here) == []


def test_a_service_that_has_targets_here_already_needs_no_other_step(here: CommandLine) -> None:
    """They were attached while another site declared it."""
    here.ok("service", "bind", "shop", "127.0.0.1:9001")
    assert "Next:" not in here.ok("service", "create", "shop", "8080").stderr


def test_the_next_step_after_create_asks_for_a_target_port_of_each_port(here: CommandLine) -> None:
    """With one for two ports `service bind` refuses."""
    done = here.ok("service", "create", "web", "80", "443")
    assert done.stdout == "service web (tcp, ports 80, 443) created\n"
    assert "bind web host ADDRESS --target-port PORT --target-port PORT\n" in done.stderr
    many = here.ok("service", "create", "many", *map(str, range(5_000, 5_010)))
    assert "bind many host ADDRESS" + " --target-port PORT" * 3 + " ...\n" in many.stderr
