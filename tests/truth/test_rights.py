"""A namespace's owner takes rights from the router. The text of each surface."""

from pathlib import Path

from playwright.sync_api import Browser

from tests.scenario.clients import by_site
from tests.scenario.waiting import until
from tests.truth.conftest import Watch, in_a_namespace
from tests.truth.faults import kubernetes as faults
from tests.truth.namespaces import NamespaceSite, PodSurfaces
from tests.truth.scene import PER_S, Shop


@in_a_namespace
def test_rights_of_the_router_are_revoked(
    shop: Shop, watch: Watch, chromium: Browser, tmp_path: Path
) -> None:
    near = shop.near
    assert isinstance(near, NamespaceSite)
    surfaces = (PodSurfaces(near, chromium, tmp_path), watch(near))
    with shop.load() as load:
        until(lambda: len(load.answers) >= PER_S, "clients are served")
        near.revoke("pods")
        for one in surfaces:
            one.show(faults.RIGHT_REVOKED)
        near.restore_rights()
        near.until_well()
        near.revoke("events")
        near.ctl("token", "create", str(tmp_path / "east.yaml"))  # Something to write of.
        for one in surfaces:
            one.show(faults.EVENTS_REVOKED)
        near.revoke()
        for one in surfaces:
            one.show(faults.RIGHTS_REVOKED)
        near.restore_rights()
        near.until_well()
    assert set(by_site(load.answers)) == {"near"}
