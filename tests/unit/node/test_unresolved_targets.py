"""Targets whose name is not resolved any more."""

from router.model.ids import ServiceKey
from router.model.messages.adverts import Declaration
from router.model.specs import ServiceSpec
from router.node.services.planned import PlannedService, PlannedTarget
from router.node.services.unresolved_targets import SHOWN_MAX, notes


def service(name: str, *hosts: str) -> PlannedService:
    return PlannedService(
        key=ServiceKey(name, 80),
        declaration=Declaration(name=name, spec=ServiceSpec(ports=(80,)), declared_at_s=0.0),
        targets={f"{host}:80": PlannedTarget(connector="c") for host in hosts},
        has_connector=True,
        listen=None,
    )


def test_each_name_is_told_once_after_a_while_and_numbers_never() -> None:
    since = {"db.test": 12.0, "new.test": 1.0}
    services = [
        service("db", "db.test", "10.0.0.1"),
        service("log", "db.test", "new.test"),
    ]
    (note,) = notes(services, since.get)
    assert note.code == "SW0354" and note.message == (
        "Target db.test of db:80, log:80: its name has not been resolved for 12 s; the addresses "
        "of before are used."
    )


def test_of_very_many_some_are_told() -> None:
    many = service("db", *(f"n{number}.example" for number in range(20)))
    assert len(notes([many], lambda host: 60.0)) == SHOWN_MAX
