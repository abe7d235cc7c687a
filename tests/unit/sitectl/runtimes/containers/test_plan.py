"""From a site's files to the container of its router."""

from pathlib import Path

import pytest

from router.control import ConfigDirectory
from router.documents import in_force
from sitectl.base.failure import Failure
from sitectl.runtimes.containers.plan import planned
from sitectl.runtimes.containers.words import Container
from sitectl.runtimes.spec import RuntimeSpec
from sitectl.site.directory import DirectorySite
from tests.unit.control.test_directory import SITE, put, service, site_dir

__all__ = ["site_dir"]

OPEN = f"{SITE}spec: {{bindIp: 0.0.0.0}}\n"


def container(site_dir: Path) -> Container:
    spec = RuntimeSpec(kind="podman", network="apps")
    return planned(
        DirectorySite(site_dir), spec, user="0:0", keep_id=False, limits=True, timers=True
    )


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        ("service-shop.yaml", service("shop", 8080), service("shop", 1).replace("ports", "prts")),
        ("site-here.yaml", OPEN, OPEN.replace("name", "nam")),
    ],
)
def test_a_wrong_file_changes_no_container_as_it_changes_no_router(
    site_dir: Path, file: str, right: str, wrong: str
) -> None:
    put(site_dir, "site-here.yaml", OPEN)
    put(site_dir, "service-shop.yaml", service("shop", 8080))
    put(site_dir, file, right)
    before = container(site_dir)
    assert "127.0.0.1:8080:8080" in before.publish
    router = ConfigDirectory(site_dir)
    router.load()
    put(site_dir, file, wrong)
    router.refresh()
    (site_dir / in_force.FILE).write_bytes(in_force.encode(router.in_force))
    assert container(site_dir) == before


def test_a_site_document_that_was_never_right_has_its_own_errors(site_dir: Path) -> None:
    put(site_dir, "site-here.yaml", SITE.replace("name", "nam"))
    with pytest.raises(Failure, match="no Site document"):
        container(site_dir)
