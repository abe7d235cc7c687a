"""Documents of a site against each other."""

import pytest

from router.documents import Listening, Wanted, clashes, read, resolve
from router.documents.addresses import split_listen
from router.model.errors import ConfigError

HEAD = "apiVersion: spillway/v1\n"
SITE = HEAD + "kind: Site\nname: here\n"
SHOP = HEAD + "kind: Service\nname: shop\nspec: {ports: [8080]}\n"
PAIR = HEAD + "kind: Service\nname: pair\nspec: {ports: [80, 443]}\n"


def connector(name: str, service: str, targets: str) -> str:
    return (
        f"{HEAD}kind: Connector\nname: {name}\nspec: {{service: {service}, targets: {targets}}}\n"
    )


def listener(name: str, service: str, words: str) -> str:
    return f"{HEAD}kind: Listener\nname: {name}\nspec: {{service: {service}, {words}}}\n"


def resolved(*texts: str) -> tuple[Wanted | None, list[ConfigError]]:
    documents = []
    for number, text in enumerate(texts):
        found, errors = read(text, f"{number}.yaml")
        assert errors == []
        documents += found
    return resolve(documents)


def test_documents_of_a_site_become_one_value() -> None:
    wanted, errors = resolved(SITE, SHOP, connector("c", "shop", "[{host: 10.0.0.1, port: 1}]"))
    assert errors == []
    assert wanted is not None
    assert (wanted.name, list(wanted.services), list(wanted.connectors)) == (
        "here",
        ["shop"],
        ["c"],
    )


def test_without_a_site_there_is_nothing() -> None:
    assert resolved(SHOP) == (None, [])


def test_a_second_site_is_named_with_the_first() -> None:
    other = SITE.replace("here", "there")
    wanted, errors = resolved(SITE, other)
    assert wanted is not None
    assert wanted.name == "here"
    assert "'here' is at 0.yaml:1" in str(errors[0])


def test_one_name_in_two_files_names_both() -> None:
    wanted, errors = resolved(SITE, SHOP, SHOP)
    assert wanted is not None
    assert [str(error).count("1.yaml") for error in errors] == [2]
    assert errors[0].source == "2.yaml"


def test_target_ports_must_match_the_ports_of_the_service() -> None:
    one_port = connector("c", "pair", "[{host: h, port: 1}]")
    wanted, errors = resolved(SITE, PAIR, one_port)
    assert wanted is not None
    assert wanted.connectors == {}
    assert "has 2 ports (80, 443), target h has 1" in str(errors[0])
    assert resolved(SITE, PAIR, connector("c", "pair", "[{host: h, ports: [1, 2]}]"))[1] == []
    (error,) = resolved(SITE, SHOP, connector("c", "shop", "[{host: h, ports: [1, 2]}]"))[1]
    assert "has 1 port (8080), target h has 2" in str(error)


def test_a_service_that_others_declare_takes_any_ports() -> None:
    assert resolved(SITE, connector("c", "elsewhere", "[{host: h, ports: [1, 2, 3]}]"))[1] == []


@pytest.mark.parametrize(
    ("target", "what"),
    [
        ("{host: 127.0.0.1, port: 8080}", "the listener of service 'shop'"),
        ("{host: localhost, port: 8080}", "the listener of service 'shop'"),
        ("{host: 127.0.0.9, port: 55671}", "where links are accepted"),
    ],
)
def test_a_target_that_is_the_sites_own_address_is_refused(target: str, what: str) -> None:
    wanted, errors = resolved(SITE, SHOP, connector("c", "shop", f"[{target}]"))
    assert wanted is not None
    assert wanted.connectors == {}
    assert errors[0].code == "SW0108"
    assert what in str(errors[0])


def test_a_listener_moved_elsewhere_frees_its_port_for_a_target() -> None:
    target = connector("c", "shop", "[{host: 127.0.0.1, port: 8080}]")
    moved = listener("l", "shop", "listen: '9090'")
    assert resolved(SITE, SHOP, moved, target)[1] == []
    to_it = connector("c", "shop", "[{host: 127.0.0.1, port: 9090}]")
    assert resolved(SITE, SHOP, moved, to_it)[1][0].code == "SW0108"


def test_a_listener_names_a_port_that_the_service_has() -> None:
    errors = resolved(SITE, PAIR, listener("l", "pair", "listen: '1', port: 81"))[1]
    assert "has no port 81. It has 80, 443" in str(errors[0]).replace(" (at $.spec.port)", "")
    errors = resolved(SITE, PAIR, listener("l", "pair", "listen: '1'"))[1]
    assert "must name one" in str(errors[0])


def test_two_listeners_of_one_port_of_a_service_are_a_contradiction() -> None:
    wanted, errors = resolved(
        SITE,
        PAIR,
        listener("a", "pair", "port: 80, listen: 8000"),
        listener("b", "pair", "port: 443, listen: 8001"),
        listener("c", "pair", "port: 80, listen: 8002"),
    )
    assert wanted is not None
    assert list(wanted.listeners) == ["a", "b"]
    assert [error.source for error in errors] == ["4.yaml"]
    assert "has listener 'a' for that port already (2.yaml:1)" in str(errors[0])


def test_two_listeners_at_one_address_are_a_contradiction() -> None:
    errors = resolved(
        SITE, SHOP, listener("a", "shop", "listen: '1'"), listener("b", "pear", "listen: '1'")
    )[1]
    assert "1 is already listener 'a' (2.yaml:1)" in str(errors[0])


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [
        ("127.0.0.1", 80, True),
        ("127.0.0.1", 81, False),
        ("127.0.0.2", 80, False),
        ("localhost", 80, True),
        ("10.0.0.1", 80, False),
    ],
)
def test_clashes_compares_addresses_by_their_text(host: str, port: int, expected: bool) -> None:
    assert clashes(host, port, Listening("127.0.0.1", 80, "x")) is expected


def test_an_address_that_means_all_clashes_with_every_loopback() -> None:
    everywhere = Listening("0.0.0.0", 80, "x")
    assert clashes("127.0.0.7", 80, everywhere)
    assert clashes("::1", 80, everywhere)
    assert not clashes("10.0.0.1", 80, everywhere)


def test_a_listener_is_at_an_address_and_never_at_a_name() -> None:
    assert split_listen("8080") == ("", 8080)
    assert split_listen("[::1]:8080") == ("::1", 8080)
    assert split_listen("127.0.0.1:8080") == ("127.0.0.1", 8080)
    assert split_listen("localhost:8080") is None


def test_a_path_is_not_asked_for_of_targets_of_tcp() -> None:
    spec = "service: shop, targets: [{host: 10.0.0.1, port: 1}], health: {path: /healthz}"
    checked = f"{HEAD}kind: Connector\nname: c\nspec: {{{spec}}}\n"
    shop = f"{HEAD}kind: Service\nname: shop\nspec: {{ports: [8080], protocol: tcp}}\n"
    wanted, errors = resolved(SITE, shop, checked)
    assert wanted is not None
    assert not wanted.connectors
    (error,) = errors
    assert error.path == "$.spec.health.path"
    assert "service 'shop' is tcp, only targets of http" in error.reason
    for protocol in ("http", "http2"):
        wanted, errors = resolved(
            SITE, shop.replace("protocol: tcp", f"protocol: {protocol}"), checked
        )
        assert not errors
