"""A site of this host together with what runs its router."""

import socket
from pathlib import Path

import pytest

from sitectl.base.failure import Failure
from sitectl.runtimes.host_site import HostSite


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
