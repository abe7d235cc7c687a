"""A site of this host together with what runs its router."""

import socket
from pathlib import Path

import pytest

from sitectl.base.failure import Failure
from sitectl.runtimes.host_site import HostSite
from tests.unit.control.test_directory import SITE, put, site_dir

__all__ = ["site_dir"]

CONSOLE = SITE + "spec: {{console: {{bind: 0.0.0.0:8010{more}}}}}\n"
TOLD = {"url": "https://e4cd6d8e1ed9:8010/", "auth": "internal", "secret": "there"}


@pytest.mark.parametrize(
    ("runtime", "log"),
    [("", "tail {run}/router.log"), ("kind: docker\nname: spillway-here\n", "docker logs {name}")],
)
def test_the_log_of_a_silent_router_is_where_its_runtime_has_it(
    tmp_path: Path, runtime: str, log: str
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "runtime.yaml").write_text(runtime or "kind: process\n")
    site = HostSite(tmp_path, wait_s=0.05)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(site.run / "admin.sock"))
        listener.listen()
        with pytest.raises(Failure, match="did not answer") as caught:
            site.admin.get("/api/v1/status")
    told = log.format(run=site.run, name="spillway-here")
    assert caught.value.hint == f"See what it does: {told}"


def test_a_damaged_runtime_file_does_not_hide_that_a_router_is_silent(tmp_path: Path) -> None:
    (tmp_path / "runtime.yaml").write_text("kind: [")
    assert HostSite(tmp_path).log_hint() == ""


@pytest.mark.parametrize(
    ("runtime", "more", "url"),
    [
        ("network: apps\npublishIp: 127.0.0.9\n", "", "https://127.0.0.9:8010/"),
        ("network: apps\npublishIp: 0.0.0.0\n", "", "https://127.0.0.1:8010/"),
        ("network: apps\npublish: ['192.0.2.1:9000:8010']\n", "", "https://192.0.2.1:9000/"),
        (
            "network: apps\npublish: ['9000:8010']\n",
            ", hosts: [west.example]",
            "https://west.example:9000/",
        ),
    ],
)
def test_a_console_in_a_network_of_containers_is_where_it_is_published(
    site_dir: Path, runtime: str, more: str, url: str
) -> None:
    """`status` named the container, which no browser of the host finds."""
    put(site_dir, "site-here.yaml", CONSOLE.format(more=more))
    (site_dir / "runtime.yaml").write_text(f"kind: podman\n{runtime}")
    assert HostSite(site_dir).console_of(TOLD) == TOLD | {"url": url}


@pytest.mark.parametrize("runtime", ["kind: process\n", "kind: podman\n", "kind: ["])
def test_elsewhere_the_router_knows_where_its_console_is(site_dir: Path, runtime: str) -> None:
    put(site_dir, "site-here.yaml", CONSOLE.format(more=""))
    (site_dir / "runtime.yaml").write_text(runtime)
    assert HostSite(site_dir).console_of(TOLD) == TOLD
