"""Units and containers by the paths of control groups."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from router.callers.names import CallerName
from router.process.callers.control_groups import ROOTS, ControlGroups, named
from router.process.callers.socket_owners import SocketOwners
from tests.needs import root
from tests.unit.callers.names import Clock

ID = "17bdb7d3654fa88dd9966012d1da7e6574501f727ac98199714767e46abb4538"
OTHER_ID = "2" * 64
CONTAINERS = {ID: "web"}
USERS = {1000: "alice", 1001: "bob"}

UNITS = {
    "/system.slice/nginx.service": "nginx.service",
    "/system.slice/system-getty.slice/getty@tty1.service": "getty@tty1.service",
    r"/system.slice/dev-disk-by\x2duuid.service": r"dev-disk-by\x2duuid.service",
    # The unit itself has made the groups below it.
    "/system.slice/nginx.service/worker": "nginx.service",
    "/system.slice/mine.service/nginx.service": "mine.service",
    f"/system.slice/mine.service/libpod-{ID}.scope": "mine.service",
    f"/system.slice/web.service/libpod-payload-{ID}": "web.service",  # Quadlet.
    # A user's own manager.
    "/user.slice/user-1000.slice/user@1000.service/app.slice/nginx.service": "alice/nginx.service",
    "/user.slice/user-1001.slice/user@1001.service/nginx.service": "bob/nginx.service",
    "/user.slice/user-1000.slice/user@1000.service/a.service/b.service": "alice/a.service",
}

IN_CONTAINERS = {
    f"/machine.slice/libpod-{ID}.scope": "web",
    f"/machine.slice/libpod-{ID}.scope/container": "web",
    f"/machine.slice/libpod-{ID}.scope/container/system.slice/nginx.service": "web",
    f"/machine.slice/libpod-{OTHER_ID}.scope/libpod-{ID}.scope": OTHER_ID[:12],
    f"/machine.slice/machine-libpod_pod_1.slice/libpod-{ID}.scope": "web",
    f"/libpod_parent/libpod-{ID}": "web",
    f"/docker/{OTHER_ID}": OTHER_ID[:12],
    f"/system.slice/docker-{OTHER_ID}.scope": OTHER_ID[:12],
    f"/kubepods.slice/kubepods-pod1.slice/cri-containerd-{OTHER_ID}.scope": OTHER_ID[:12],
    # A user may call a group as it likes.
    f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope": (
        f"alice/{ID[:12]}"
    ),
}

NEITHER = (
    "",
    "/",
    "/init.scope",
    "/system.slice",
    "/user.slice/user-1000.slice/session-3.scope",
    "/user.slice/user-1000.slice/session-3.scope/nginx.service",
    "/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-1.scope",
    "/user.slice/user-1000.slice/user@1000.service",
    "/user.slice/user-1000.slice/user@1000.service/user@1001.service/nginx.service",
    "/docker/short",
    "/somewhere/nginx.service",
)


def name_of(path: str) -> CallerName | None:
    return named(path, lambda one: CONTAINERS.get(one, ""), lambda uid: USERS.get(uid, str(uid)))


@pytest.mark.parametrize(("path", "unit"), UNITS.items())
def test_a_unit_is_the_outermost_one(path: str, unit: str) -> None:
    assert name_of(path) == CallerName("unit", unit)


@pytest.mark.parametrize(("path", "container"), IN_CONTAINERS.items())
def test_a_container_is_known_by_its_group(path: str, container: str) -> None:
    assert name_of(path) == CallerName("container", container)


@pytest.mark.parametrize("path", NEITHER)
def test_other_groups_have_no_name(path: str) -> None:
    assert name_of(path) is None


def grown(root_dir: Path, *paths: str) -> dict[str, int]:
    """Directories as groups are, and their IDs."""
    for path in paths:
        (root_dir / path).mkdir(parents=True)
    return {path: (root_dir / path).stat().st_ino for path in paths}


def test_a_group_is_found_by_its_id(tmp_path: Path) -> None:
    ids = grown(tmp_path, "system.slice/nginx.service", "system.slice/shop.service/worker")
    groups = ControlGroups(Clock(), tmp_path)
    assert groups.name(ids["system.slice/nginx.service"]) == CallerName("unit", "nginx.service")
    found = groups.name(ids["system.slice/shop.service/worker"])
    assert found == CallerName("unit", "shop.service")
    assert groups.name(0) is None


def test_a_new_group_is_looked_for_at_most_each_five_seconds(tmp_path: Path) -> None:
    clock = Clock()
    groups = ControlGroups(clock, tmp_path)
    grown(tmp_path, "system.slice/nginx.service")
    assert groups.name(1) is None
    ids = grown(tmp_path, "system.slice/shop.service")
    clock.now += 4.9
    assert groups.name(ids["system.slice/shop.service"]) is None
    clock.now += 0.2
    found = groups.name(ids["system.slice/shop.service"])
    assert found == CallerName("unit", "shop.service")


def test_a_host_without_version_2_has_no_groups(tmp_path: Path) -> None:
    assert ControlGroups(Clock(), tmp_path / "nothing").name(1) is None


def test_groups_of_version_1_lend_no_names() -> None:
    """Their IDs are counted apart, and one of them may be that of a group of version 2."""
    first = Path("/sys/fs/cgroup")
    if (first / "cgroup.controllers").exists() or not (first / "memory").is_dir():
        pytest.skip("this machine has no groups of version 1")
    of_version_1 = [
        one.stat().st_ino for one in first.glob("*/*") if one.is_dir() and not one.is_symlink()
    ]
    version_2 = {one.stat().st_ino for one in ROOTS[1].rglob("*") if one.is_dir()}
    groups = ControlGroups(Clock())
    assert all(groups.name(one) is None for one in of_version_1 if one not in version_2)


@contextmanager
def real_group(name: str) -> Iterator[Path]:
    """A group of version 2 of this machine."""
    root("make a control group")
    place = next((one for one in ROOTS if (one / "cgroup.controllers").exists()), None)
    if place is None:
        pytest.skip("this machine has no control groups of version 2")
    path = place / name
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        path.rmdir()
        path.parent.rmdir()


def test_a_client_in_a_real_group_is_its_unit() -> None:
    slice_name = f"spillway{os.getpid()}.slice"
    with (
        real_group(f"{slice_name}/shop.service") as path,
        socket.create_server(("127.0.0.1", 0)) as server,
    ):
        host, port = server.getsockname()
        code = (
            "import os, pathlib, socket, sys;"
            f"pathlib.Path({str(path / 'cgroup.procs')!r}).write_text(str(os.getpid()));"
            f"c = socket.create_connection(({host!r}, {port}));"
            "print(c.getsockname()[1], flush=True); sys.stdin.read()"
        )
        with subprocess.Popen(
            [sys.executable, "-I", "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as client:
            assert client.stdout is not None and client.stdin is not None
            its_port = int(client.stdout.readline())
            owners = SocketOwners()
            owner = owners.owner((host, its_port), (host, port))
            owners.close()
            assert owner is not None
            found = ControlGroups(Clock()).name(owner.control_group)
            client.stdin.close()
        assert found == CallerName("unit", "shop.service")
