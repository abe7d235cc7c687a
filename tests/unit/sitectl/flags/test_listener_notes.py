"""What verbs say when a service gets no listener here, or takes that of another one."""

from typing import Any

from router.model.errors import PORT_TAKEN, WANTED_SO
from router.model.specs import ListenerSpec
from sitectl.site.directory import DirectorySite
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
    assert "Next: sitectl service set other:8080 --listen [IP:]PORT\n" in done.stderr
    again = here.ok("service", "set", "other", "--listen", "auto")
    assert f"other:8080 has no listener here: {PORT_TAKEN}\n" in again.stderr


def test_a_service_of_another_site_that_loses_its_port_here_is_named(
    here: CommandLine, admin: FakeAdmin
) -> None:
    told(admin, item("other", 8080), item("shop", 8080, PORT_TAKEN), item("bank", 81, PORT_TAKEN))
    said = here.ok("service", "create", "other", "8080").stderr
    assert "shop:8080 has no listener here: other has that port here\n" in said
    assert "Next: sitectl service set shop:8080 --listen [IP:]PORT\n" in said
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


def ports_of(here: CommandLine, service: str) -> dict[str, tuple[int | None, str]]:
    """Port and place of each Listener document of ``service``, by name."""
    return {
        document.name: (document.spec.port, document.spec.listen)
        for document in DirectorySite(here.state / "here").documents()
        if isinstance(document.spec, ListenerSpec) and document.spec.service == service
    }


def test_each_port_of_a_service_can_listen_elsewhere(here: CommandLine) -> None:
    here.ok("service", "create", "web", "80", "443")
    here.ok("service", "set", "web:443", "--listen", "9443")
    here.ok("service", "set", "web", "--listen", "9080")
    assert ports_of(here, "web") == {"web-443": (443, "9443"), "web": (80, "9080")}
    here.ok("service", "set", "web:443", "--listen", "9444")
    assert ports_of(here, "web") == {"web-443": (443, "9444"), "web": (80, "9080")}
    here.ok("service", "set", "web", "--listen", "none")
    listens = {listen for _, listen in ports_of(here, "web").values()}
    assert listens == {"none"}, "without a port it is about all of them"


def test_the_only_port_of_a_service_is_the_service(here: CommandLine) -> None:
    here.ok("service", "create", "shop", "8080")
    here.ok("service", "set", "shop:8080", "--listen", "9000")
    assert ports_of(here, "shop") == {"shop": (None, "9000")}


def test_a_port_that_a_service_lacks_is_refused_with_those_it_has(here: CommandLine) -> None:
    here.ok("service", "create", "web", "80", "443")
    said = here.ended(2, "service", "set", "web:81", "--listen", "9000").output
    assert "service 'web' has no port 81; it has 80, 443" in said
    assert ports_of(here, "web") == {}


def test_settings_of_all_ports_are_not_asked_of_one(here: CommandLine) -> None:
    here.ok("service", "create", "web", "80", "443")
    said = here.ended(2, "service", "set", "web:443", "--policy", "balanced").output
    assert "only --listen is about one" in said


def test_a_port_of_another_site_s_service_moves_alone(here: CommandLine, admin: FakeAdmin) -> None:
    told(admin, item("far", 80), item("far", 443))
    done = here.ok("service", "set", "far:443", "--listen", "9443")
    assert done.stdout == "service far: here listens for its port 443 at 9443\n"
    done = here.ok("service", "set", "far", "--listen", "9080")
    assert done.stdout == "service far: here listens for its port 80 at 9080\n"
    assert ports_of(here, "far") == {"far-443": (443, "9443"), "far": (80, "9080")}


def test_a_listener_of_a_port_no_site_was_heard_to_declare_waits_for_it(here: CommandLine) -> None:
    done = here.ok("service", "set", "far:443", "--listen", "9443")
    assert "listens for its port 443 at 9443, once a declaration of it counts here" in done.stdout
    assert ports_of(here, "far") == {"far-443": (443, "9443")}
