"""Making a site as a mesh file says, on directories whose routers are not there."""

from pathlib import Path

import pytest

from sitectl.base.failure import Exit, Failure, unreachable
from sitectl.base.options import Settings
from sitectl.mesh import applying
from sitectl.mesh.expanding import links_of
from sitectl.mesh.planning import planned
from sitectl.mesh.values import Mesh
from sitectl.site.admin import Admin
from sitectl.site.directory import DirectorySite
from tests.unit.sitectl.mesh.texts import mesh_of

SHOP = "services: {shop: {owner: west, ports: [80]}}\n"
BEFORE = "connectors: {one: {service: shop, targets: [{host: h, port: 1}]}}"
AFTER = "connectors: {two: {service: shop, targets: [{host: h, port: 1}]}}"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a separate state directory, where no router can be started."""
    monkeypatch.setenv("SITECTL_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(applying, "_start", lambda sites, tell: None)
    return Settings()


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """The documents that exist at each reload of the router."""
    found: list[set[str]] = []

    def note(site: DirectorySite) -> bool:
        found.append({path.stem for path in site.config.glob("*.yaml")})
        return True

    monkeypatch.setattr(DirectorySite, "reload", note)
    return found


def site(sections: str) -> Mesh:
    return mesh_of(f"sites: {{west: {{{sections}}}}}\n{SHOP}")


def apply(settings: Settings, mesh: Mesh) -> list[tuple[str, str]]:
    """The changes made, without starts of routers."""
    done = applying.apply(settings, mesh, lambda text: None).done
    return [(one.verb, one.name) for one in done if one.verb != "start"]


def test_a_connector_that_is_renamed_is_never_missing(
    settings: Settings, seen: list[set[str]]
) -> None:
    apply(settings, site(BEFORE))
    seen.clear()
    assert apply(settings, site(AFTER)) == [("create", "two"), ("delete", "one")]
    assert all(there & {"connector-one", "connector-two"} for there in seen)
    assert "connector-one" not in seen[-1]


def test_a_router_that_hangs_is_named_and_nobody_waits_for_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is stopped, or a debugger: its socket accepts, and no answer comes."""
    apply(settings, site(BEFORE))
    monkeypatch.setattr(Admin, "is_running", lambda self: True)
    with pytest.raises(Failure, match="site west: its router runs and does not answer") as failed:
        apply(settings, site(BEFORE))
    assert failed.value.exit_code is Exit.UNREACHABLE


def test_a_router_that_begins_to_listen_between_two_questions_is_no_router_that_hangs(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another command starts it in the same moment."""
    apply(settings, site(BEFORE))
    started = Waited(silent=1)
    monkeypatch.setattr(Admin, "get", lambda admin, path: started(path))
    monkeypatch.setattr(Admin, "is_running", lambda self: started.asked > 0)
    plan = planned(settings, site(BEFORE))
    assert plan.changes == []


def test_what_contradicts_goes_before_the_new_one_comes(settings: Settings) -> None:
    apply(settings, site("policies: {one: {service: shop}}"))
    assert apply(settings, site("policies: {two: {service: shop}}")) == [
        ("create", "two"),
        ("delete", "one"),
    ]
    (left,) = planned(settings, site("policies: {two: {service: shop}}")).sites
    assert [one.verb for one in left.changes] == ["start"]


def test_what_was_interrupted_while_it_was_written_is_still_known_to_be_the_files(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(settings, site("connectors: {}"))

    def killed(site: DirectorySite) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(DirectorySite, "reload", killed)
        apply(settings, site(BEFORE))
    assert ("delete", "one") in apply(settings, site("connectors: {}"))


class Waited:
    """In place of a router's links: ``silent`` times a pod that starts, then a link that is up."""

    def __init__(self, silent: int) -> None:
        self.silent, self.asked = silent, 0

    def __call__(self, path: str) -> list[dict[str, str]]:
        self.asked += 1
        if self.asked <= self.silent:
            raise unreachable("no router is ready: its pod is starting", "sitectl check")
        return [
            {"name": one.title, "state": "up", "direction": "outgoing"}
            for one in links_of(mesh_of(DIALS), "east")
        ]


DIALS = "sites: {west: {}, east: {}}\nlinks: [{from: east, to: west}]\n"


def test_links_are_waited_for_while_a_pod_starts(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited = Waited(silent=2)
    monkeypatch.setattr(Admin, "get", lambda admin, path: waited(path))
    applying.wait_for_links(settings, mesh_of(DIALS), 30.0)
    assert waited.asked == 3


def test_a_router_that_never_answers_is_out_of_time(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = Waited(silent=1_000)
    monkeypatch.setattr(Admin, "get", lambda admin, path: silent(path))
    with pytest.raises(Failure, match="no router is ready") as late:
        applying.wait_for_links(settings, mesh_of(DIALS), 0.0)
    assert late.value.message.startswith("site east: ")
    assert late.value.exit_code == Exit.TIMED_OUT
