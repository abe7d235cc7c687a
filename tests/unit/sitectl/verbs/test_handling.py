"""Flags for timeouts, limits and health: the fields that they write, the values they refuse."""

import pytest

from router.documents.schema import SETTINGS
from router.model.settings import ServiceLimits, Timeouts
from sitectl.flags.services.service import names_of
from tests.unit.sitectl.conftest import CommandLine

BIND = ("service", "bind", "shop", "host", "127.0.0.1", "--target-port", "9001")
EXPOSE = (
    *("expose", "host", "127.0.0.1", "--address", "shop", "--port", "80"),
    *("--target-port", "9001", "--protocol", "http"),
)


@pytest.fixture
def shop(here: CommandLine) -> CommandLine:
    """A command line of a site that has the service ``shop``, http."""
    here.ok("service", "create", "shop", "8080", "--protocol", "http")
    return here


def connector(sitectl: CommandLine) -> str:
    (text,) = (text for name, text in sitectl.config().items() if name.startswith("connector-"))
    return text


def service(sitectl: CommandLine) -> str:
    return sitectl.config()["service-shop.yaml"]


def test_a_target_is_bound_with_its_health(shop: CommandLine) -> None:
    shop.ok(
        *(*BIND, "--health-path", "/healthz", "--health-interval", "500ms", "--up-after", "3"),
        *("--health-timeout", "2s", "--down-after", "4", "--eject-after", "0", "--capacity", "7"),
    )
    assert connector(shop).endswith(
        "  capacity: 7\n  health:\n    path: /healthz\n    interval: 0.5s\n    timeout: 2s\n"
        "    downAfter: 4\n    upAfter: 3\n    ejectAfter: 0\n"
    )


def test_binding_again_changes_what_is_given_and_keeps_the_rest(shop: CommandLine) -> None:
    shop.ok(*BIND, "--health-path", "/healthz", "--capacity", "7")
    assert shop.json(*BIND)["change"] == "unchanged"
    assert shop.json(*BIND, "--health-path", "/healthz")["change"] == "unchanged"
    result = shop.ok(*BIND, "--eject-after", "9")
    assert "has new settings at service shop" in result.stdout
    assert "path: /healthz" in connector(shop)
    assert "ejectAfter: 9" in connector(shop)
    assert "capacity: 7" in connector(shop)
    shop.ok(*BIND, "--health-path", "", "--eject-after", "5")
    assert "health" not in connector(shop)


def test_which_answers_count_as_failed_is_chosen(shop: CommandLine) -> None:
    shop.ok(*BIND, "--eject-on", "5xx")
    assert "ejectOn: 5xx" in connector(shop)
    shop.ok("service", "set", "shop", "--eject-on", "gateway")
    assert "ejectOn" not in connector(shop)
    result = shop("service", "set", "shop", "--eject-on", "4xx")
    assert result.exit_code == 2
    assert "gateway" in result.stderr


def test_expose_takes_health_too(here: CommandLine) -> None:
    here.ok(*EXPOSE, "--health-path", "/healthz")
    assert "path: /healthz" in connector(here)
    here.ok(*EXPOSE, "--up-after", "1")
    assert "upAfter: 1" in connector(here)


def test_set_changes_every_target_here(shop: CommandLine) -> None:
    shop.ok(*BIND)
    shop.ok("service", "bind", "shop", "host", "127.0.0.2", "--target-port", "9001")
    shop.ok("service", "set", "shop", "--health-path", "/up", "--capacity", "3")
    connectors = [text for name, text in shop.config().items() if name.startswith("connector-")]
    assert len(connectors) == 2
    assert all("path: /up" in text and "capacity: 3" in text for text in connectors)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--health-path", "healthz"),
            "'--health-path': expected a path that begins with /, got 'healthz'",
        ),
        (("--health-interval", "1ms"), "expected a duration from 0.1s to 1h, got '1ms'"),
        (("--health-timeout", "soon"), "expected a duration like 1s or 15m, got 'soon'"),
        (("--down-after", "0"), "'--down-after': expected a whole number from 1 to 100, got '0'"),
        (("--eject-after", "-1"), "expected a whole number from 0 to 1000, got '-1'"),
        (("--up-after", "two"), "'--up-after': expected a whole number, got 'two'"),
    ],
)
def test_health_that_does_not_fit_is_refused_with_its_bounds(
    shop: CommandLine, words: tuple[str, ...], said: str
) -> None:
    result = shop(*BIND, *words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert list(shop.config()) == ["service-shop.yaml", "site-here.yaml"]


def test_a_path_is_refused_where_the_service_is_not_http(here: CommandLine) -> None:
    here.ok("service", "create", "shop", "80")
    result = here(*BIND, "--health-path", "/healthz")
    assert result.exit_code == 1
    assert (
        "service 'shop' is tcp, only targets of http and http2 are asked for a path"
        in result.stderr
    )
    assert list(here.config()) == ["service-shop.yaml", "site-here.yaml"]


def test_a_service_is_declared_with_timeouts_and_limits_and_changed(here: CommandLine) -> None:
    here.ok(
        *("service", "create", "shop", "80", "--protocol", "http"),
        *("--timeout", "connect=200ms"),
        *("--timeout", "half-closed=2m", "--limit", "headers=50", "--limit", "header-block=16KiB"),
    )
    assert service(here).endswith(
        "  timeouts:\n    connect: 0.2s\n    halfClosed: 2m\n"
        "  limits:\n    headerBlock: 16KiB\n    headers: 50\n"
    )
    here.ok("service", "set", "shop", "--timeout", "connect=1.5s", "--limit", "retry-percent=0")
    assert "connect" not in service(here), "the default is not written"
    assert "halfClosed: 2m" in service(here)
    assert "retryPercent: 0" in service(here)


@pytest.mark.parametrize("struct", [Timeouts, ServiceLimits])
def test_every_setting_has_a_name_that_the_help_tells_and_documents_know(
    here: CommandLine, struct: type
) -> None:
    names = names_of(struct)
    assert len(names) == len(SETTINGS[struct].fields)
    told = "".join(here.ok("service", "create", "--help").stdout.split())
    assert all(name in told for name in names)


def test_the_words_of_timeouts_are_these() -> None:
    assert list(names_of(Timeouts)) == [
        *("connect", "header", "response", "idle", "keep-alive", "tunnel", "half-closed")
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--timeout", "conect=1s"), "connect (0.05s to 1m), header (0.1s to 10m)"),
        (("--timeout", "connect=2m"), "expected a duration from 0.05s to 1m, got '2m'"),
        (("--timeout", "connect=soon"), "--timeout connect=soon: expected a duration"),
        (("--limit", "headers"), "headers (8 to 500), chunk-line (18 to 4KiB)"),
        (("--limit", "header-block=1GiB"), "--limit header-block=1GiB: expected a size"),
        (("--limit", "header-block=1MiB"), "expected a size from 1KiB to 40KiB, got '1MiB'"),
    ],
)
def test_what_does_not_fit_is_refused_with_names_and_bounds(
    here: CommandLine, words: tuple[str, ...], said: str
) -> None:
    result = here("service", "create", "shop", "80", *words)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())
    assert list(here.config()) == ["site-here.yaml"]


def test_a_bare_timeout_is_still_how_long_to_wait_for_the_router(here: CommandLine) -> None:
    here.ok("service", "create", "shop", "80", "--timeout", "5s")
    here.ok("service", "set", "shop", "--timeout", "5s", "--timeout", "idle=9s")
    assert "idle: 9s" in service(here)
    assert here("service", "create", "other", "81", "--timeout", "soon").exit_code == 2


def test_a_setting_returns_to_its_default_by_an_empty_value(shop: CommandLine) -> None:
    before = service(shop)
    shop.ok("service", "set", "shop", "--timeout", "response=5s", "--limit", "headers=50")
    assert "response: 5s" in service(shop) and "headers: 50" in service(shop)
    shop.ok("service", "set", "shop", "--timeout", "response=", "--limit", "headers=")
    assert service(shop) == before


def test_a_timeout_that_is_neither_a_name_nor_a_duration_says_both(shop: CommandLine) -> None:
    result = shop("service", "set", "shop", "--timeout", "tunnel")
    assert result.exit_code == 2
    assert "NAME=DURATION" in result.stderr


@pytest.mark.parametrize("verb", [("set", "shop"), ("create", "other", "81")])
def test_nothing_is_written_that_could_not_be_read_again(
    shop: CommandLine, verb: tuple[str, ...]
) -> None:
    before = shop.config()
    result = shop("service", *verb, "--queue-wait", "2h")
    assert result.exit_code == 2
    assert "'--queue-wait': expected a duration from 0s to 1h, got '2h'" in result.stderr
    assert shop.config() == before


def test_ids_are_for_requests(here: CommandLine) -> None:
    result = here("service", "create", "db", "5432", "--request-id")
    assert result.exit_code == 2
    assert "requestId needs protocol http" in result.stderr


def test_half_close_is_for_requests(here: CommandLine) -> None:
    result = here("service", "create", "db", "5432", "--half-close", "serve")
    assert result.exit_code == 2
    assert "halfClose needs protocol http" in result.stderr


def test_a_policy_shows_no_weights_that_it_has_not(shop: CommandLine) -> None:
    shop.ok("service", "set", "shop", "--policy", "balanced")
    assert "weights" not in service(shop)


def test_delete_of_a_service_of_another_site_tells_what_it_did(here: CommandLine) -> None:
    here.ok(*BIND)
    text = here.ok("service", "delete", "shop").output
    assert "is not declared here" in text and "1 target of it here unbound" in text


def test_a_capacity_can_be_withdrawn(shop: CommandLine) -> None:
    shop.ok(*BIND, "--capacity", "7")
    shop.ok("service", "set", "shop", "--capacity", "none")
    assert "capacity" not in connector(shop)


def test_a_new_capacity_names_the_documents_that_cannot_be_read_and_keep_theirs(
    shop: CommandLine,
) -> None:
    shop.ok(*BIND, "--capacity", "7")
    broken = shop.state / "here" / "config" / "broken.yaml"
    broken.write_text("kind: Connector\n")
    result = shop.ok("service", "set", "shop", "--capacity", "9")
    assert "capacity: 9" in connector(shop)
    assert "left as it was: config/broken.yaml:1:1: " in result.stderr
    assert "left as it was" not in shop.ok("service", "set", "shop", "--queue", "0").stderr


@pytest.mark.parametrize(
    "words",
    [
        ("service", "set", "shop", "--capacity", "9"),
        ("service", "unbind", "shop", "host", "127.0.0.1"),
        ("unexpose", "host", "127.0.0.1", "--address", "shop"),
    ],
)
def test_a_target_whose_document_cannot_be_read_is_not_said_to_be_missing(
    shop: CommandLine, words: tuple[str, ...]
) -> None:
    shop.ok(*BIND, "--capacity", "7")
    (path,) = (shop.state / "here" / "config").glob("connector-*")
    path.write_text(path.read_text().replace("capacity: 7", "capacity: many"))
    result = shop(*words)
    assert result.exit_code == 1
    assert f"config/{path.name}:" in result.stderr
    assert "got 'many'" in result.stderr
    assert f"Next: Correct config/{path.name} and try again" in result.stderr


def test_a_service_stays_of_which_another_target_may_stand_in_what_cannot_be_read(
    shop: CommandLine,
) -> None:
    shop.ok(*BIND, "--capacity", "7")
    (path,) = (shop.state / "here" / "config").glob("connector-*")
    shop.ok("service", "bind", "shop", "host", "127.0.0.2", "--target-port", "9")
    text = path.read_text()
    path.write_text(text.replace("capacity: 7", "capacity: many"))
    unexpose = ("unexpose", "host", "127.0.0.2", "--address", "shop")
    assert f"shop stays, and what cannot be read: config/{path.name}:" in shop.ok(*unexpose).stderr
    assert "service-shop.yaml" in shop.config()
    path.write_text(text)
    shop.ok("unexpose", "host", "127.0.0.1", "--address", "shop")
    assert "service-shop.yaml" not in shop.config()


def test_a_link_whose_document_cannot_be_read_is_not_said_to_be_missing(
    shop: CommandLine,
) -> None:
    (shop.state / "here" / "config" / "link-west.yaml").write_text("kind: Link\n")
    result = shop("link", "set", "west", "--cost", "2")
    assert result.exit_code == 1
    assert "config/link-west.yaml:1:1: " in result.stderr


def test_a_queue_returns_to_its_default(shop: CommandLine) -> None:
    before = service(shop)
    shop.ok("service", "set", "shop", "--queue", "0")
    assert "queue: 0" in service(shop)
    shop.ok("service", "set", "shop", "--queue", "default")
    assert service(shop) == before
    assert shop("service", "set", "shop", "--queue", "-1").exit_code == 2


def test_a_limit_of_requests_is_refused_for_a_service_without_any(shop: CommandLine) -> None:
    result = shop("service", "create", "db", "5432", "--limit", "headers=50")
    assert result.exit_code == 2
    assert "a tcp service has no headers" in result.stderr
    assert "connections-per-source" in result.stderr
    shop.ok("service", "create", "db", "5432", "--limit", "connections=50", "--limit", "headers=")
    assert "limits:\n    connections: 50\n" in shop.config()["service-db.yaml"]
    assert shop("service", "set", "db", "--limit", "body-rate-min=1").exit_code == 2
    assert (
        shop("service", "set", "shop", "--limit", "headers=9", "--protocol", "tcp").exit_code == 2
    )
    shop.ok("service", "set", "db", "--limit", "headers=50", "--protocol", "http")
