"""What verbs say when a service gets no listener here, or takes that of another one."""

from typing import Any

from router.model.errors import PORT_TAKEN, WANTED_SO
from tests.unit.sitectl.conftest import CommandLine
from tests.unit.sitectl.fakes import FakeAdmin


def item(name: str, port: int, error: str = "", at: int = 0) -> dict[str, Any]:
    """``at``: where it listens, if that is not its own port."""
    state = "none" if error else "bound"
    listener = {"host": "", "port": at or port, "state": state, "error": error}
    return {"name": name, "port": port, "listener": listener}


def told(admin: FakeAdmin, *items: dict[str, Any]) -> None:
    admin.answers["/api/v1/services"] = (200, list(items))


def test_a_service_whose_port_another_one_has_says_so_at_once(
    here: CommandLine, admin: FakeAdmin
) -> None:
    told(admin, item("other", 8080, PORT_TAKEN), item("shop", 8080))
    done = here.ok("service", "create", "other", "8080")
    assert done.stdout == "service other (tcp, port 8080) created\n"
    assert f"other:8080 has no listener here: {PORT_TAKEN}\n" in done.stderr
    assert "Next: sitectl service set other --listen [IP:]PORT\n" in done.stderr
    again = here.ok("service", "set", "other", "--listen", "auto")
    assert f"other:8080 has no listener here: {PORT_TAKEN}\n" in again.stderr


def test_a_service_of_another_site_that_loses_its_port_here_is_named(
    here: CommandLine, admin: FakeAdmin
) -> None:
    told(admin, item("other", 8080), item("shop", 8080, PORT_TAKEN), item("bank", 81, PORT_TAKEN))
    said = here.ok("service", "create", "other", "8080").stderr
    assert "shop:8080 has no listener here: other has that port here\n" in said
    assert "Next: sitectl service set shop --listen [IP:]PORT\n" in said
    assert "bank" not in said


def test_a_service_that_listens_elsewhere_takes_the_port_where_it_listens(
    here: CommandLine, admin: FakeAdmin
) -> None:
    here.ok("service", "create", "other", "8080")
    taken = (item("shop", 8080, PORT_TAKEN), item("bank", 9000, PORT_TAKEN))
    told(admin, item("other", 8080, at=9000), *taken)
    said = here.ok("service", "set", "other", "--listen", "9000").stderr
    assert "bank:9000 has no listener here: other has that port here\n" in said
    assert "shop" not in said


def test_nothing_is_said_of_a_listener_that_is_there_or_that_nobody_wants(
    here: CommandLine, admin: FakeAdmin
) -> None:
    told(admin, item("shop", 8080, f"{WANTED_SO} (listen: none)"), item("bank", 81))
    for words in (("create", "shop", "8080", "--listen", "none"), ("create", "bank", "81")):
        assert "listener" not in here.ok("service", *words).stderr
