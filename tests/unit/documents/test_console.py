"""``console`` of a Site document: valid values, and errors of the others."""

import pytest

from router.documents import read, resolve, write
from router.model import limits
from router.model.specs import ConsoleSpec, SiteSpec

SITE = "apiVersion: spillway/v1\nkind: Site\nname: west\nspec:\n  console: "


def console(text: str) -> ConsoleSpec | None:
    documents, errors = read(SITE + text, "site.yaml")
    assert not errors, errors
    spec = documents[0].spec
    assert isinstance(spec, SiteSpec)
    again, _ = read(write(documents[0]), "again")
    assert again[0].spec == spec
    return spec.console


def refused(text: str) -> str:
    documents, errors = read(SITE + text, "site.yaml")
    assert not documents
    return " ".join(error.message for error in errors)


def test_a_console_is_on_loopback_and_asks_for_a_login_unless_told_otherwise() -> None:
    assert console("{}") == ConsoleSpec()
    assert console("") is None
    assert ConsoleSpec().bind.startswith("127.0.0.1:") and ConsoleSpec().auth == "internal"


def test_all_of_it_can_be_written_and_read() -> None:
    text = "{bind: '[::]:8443', tlsCert: shown, hosts: [west.example.org, '*']}"
    assert console(text) == ConsoleSpec(
        bind="[::]:8443", tls_cert="shown", hosts=("west.example.org", "*")
    )


@pytest.mark.parametrize("bind", ["127.0.0.1:8010", "127.9.9.9:1", "'[::1]:8010'"])
def test_without_a_login_it_is_for_this_machine(bind: str) -> None:
    found = console(f"{{auth: unsecured, bind: {bind}}}")
    assert found is not None and found.auth == "unsecured"


@pytest.mark.parametrize("bind", ["0.0.0.0:8010", "10.0.0.1:8010", "'[::]:8010'"])
def test_without_a_login_no_other_machine_may_reach_it(bind: str) -> None:
    assert "this machine alone" in refused(f"{{auth: unsecured, bind: {bind}}}")


def test_without_a_login_it_must_know_its_names() -> None:
    assert "must know its names" in refused("{auth: unsecured, hosts: ['*']}")


@pytest.mark.parametrize("bind", ["localhost:8010", "8010", "127.0.0.1", "127.0.0.1:0"])
def test_a_place_is_an_address_and_a_port(bind: str) -> None:
    assert refused(f"{{bind: '{bind}'}}")


def test_one_name_too_many_is_refused() -> None:
    names = [f"h{number}" for number in range(limits.CONSOLE_HOSTS_MAX + 1)]
    assert console(f"{{hosts: [{', '.join(names[:-1])}]}}") is not None
    assert refused(f"{{hosts: [{', '.join(names)}]}}")


def test_a_target_that_is_the_console_itself_is_named() -> None:
    documents, errors = read(
        SITE + "{}\n---\napiVersion: spillway/v1\nkind: Service\nname: shop\n"
        "spec: {ports: [80]}\n---\napiVersion: spillway/v1\nkind: Connector\nname: here\n"
        "spec: {service: shop, targets: [{host: 127.0.0.1, port: 8010}]}\n",
        "site.yaml",
    )
    assert not errors
    _, across = resolve(documents)
    assert [error.code for error in across] == ["SW0108"]
    assert "the console" in across[0].message
