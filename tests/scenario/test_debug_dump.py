"""`debug dump` of a real site with secrets planted wherever one can be, running, stopped, gone."""

import base64
import gzip
import json
import os
import shutil
import signal
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.scenario.clients import burst
from tests.scenario.harness import SHOP_PORT, Network, Site
from tests.scenario.waiting import until

MARKER = "pLaNtEd0MaRkEr"


def plant(site: Site) -> None:
    """A marker in each place of a site's directory that may hold a secret."""
    secrets = site.directory / "secrets"
    (secrets / "webhooks").mkdir(exist_ok=True)
    (secrets / "webhooks" / "hook").write_text(f"{MARKER}-webhook-secret\n")
    (secrets / "admin.credential").write_text(f"{MARKER}-admin-credential\n")
    (secrets / "console-users.json").write_text(json.dumps({"password": f"{MARKER}-console"}))
    for path in secrets.rglob("*"):
        if path.is_file():
            path.chmod(0o600)
    site.document(
        "Burst",
        "hook",
        {
            "service": "shop",
            "saturated": {"full": 0.9},
            "webhook": {"url": f"https://hooks.example/{MARKER}-url?key={MARKER}"},
        },
    )
    site.document(
        "Burst",
        "command",
        {"service": "shop", "saturated": {"full": 0.9}, "command": ["x", f"--p={MARKER}"]},
    )
    with (site.directory / "run" / "router.log").open("a") as log:
        for said in (
            f"Authorization: Bearer {MARKER}",
            f"cannot reach https://user:{MARKER}@proxy.example/",
            f"the credential is {MARKER}-admin-credential",
            f"password={MARKER}",
        ):
            log.write(json.dumps({"at": "x", "message": said}) + "\n")
        log.write(f"cookie: a={MARKER}\n")


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with Network(tmp_path_factory.mktemp("dump")) as net:
        near, far = net.site("near"), net.site("far")
        near.declare("shop", SHOP_PORT)
        near.connect("shop", net.http("near"), capacity=2)
        net.link(near, far, 5)
        plant(near)
        os.environ["SPILLWAY_PLANTED"] = MARKER
        try:
            net.start()
        finally:
            del os.environ["SPILLWAY_PLANTED"]
        net.see_each_other()
        yield net


def dump(site: Site, path: Path, *words: str) -> dict[str, bytes]:
    site.ctl("debug", "dump", str(path), *words)
    assert path.stat().st_mode & 0o777 == 0o600
    with tarfile.open(path) as archive:
        found: dict[str, bytes] = {}
        for member in archive:
            file = archive.extractfile(member)
            assert file is not None
            found[member.name.removeprefix("spillway-dump/")] = file.read()
    return found


def problems(parts: dict[str, bytes]) -> dict[str, str]:
    told: list[dict[str, Any]] = json.loads(parts["manifest.json"])["parts"]
    return {one["name"]: one["problem"] for one in told if not one["ok"]}


def secrets_of(site: Site) -> set[bytes]:
    """Lines of private keys, the digests of claims, and the marker, plain and in base64."""
    found = {MARKER.encode(), base64.b64encode(MARKER.encode()).rstrip(b"=")[:-2]}
    for path in (site.directory / "secrets").rglob("*"):
        if path.is_file() and b"PRIVATE KEY" in (content := path.read_bytes()):
            lines = content.splitlines()
            begun = [n for n, line in enumerate(lines) if b"BEGIN" in line and b"PRIVATE" in line]
            for first in begun:
                for line in lines[first + 1 :]:
                    if line.startswith(b"-----"):
                        break
                    found.add(line.strip())
    return {one for one in found if len(one) >= 12}


def test_a_running_site_tells_all_and_no_secret(net: Network, tmp_path: Path) -> None:
    near = net.sites[0]
    burst(near.address, SHOP_PORT, 5, f"/{MARKER}?q={MARKER}")
    parts = dump(near, tmp_path / "d.tar.gz")

    late = {"api/live.json", "api/history.json", "api/flows.json"}  # Of parts that may come later.
    assert problems(parts).keys() <= late
    for name in ("api/status.json", "api/debug.json", "metrics.txt", "stacks.txt", "check.json"):
        assert len(parts[name]) > 50, name
    debug = json.loads(parts["api/debug.json"])
    debug = debug.get("item", debug)
    assert {route["name"] for route in debug["routes"]} == {"near", "far"}
    assert debug["database"]
    assert "SPILLWAY_PLANTED" in parts["process.json"].decode()
    everything = b"\n".join(parts.values())
    for secret in secrets_of(near):
        assert secret not in everything, secret[:20]
    assert MARKER.encode() not in gzip.decompress((tmp_path / "d.tar.gz").read_bytes())


def test_of_a_router_that_stands_still_the_rest_is_there(net: Network, tmp_path: Path) -> None:
    near = net.sites[0]
    near.signal(signal.SIGSTOP)
    try:
        parts = dump(near, tmp_path / "d.tar.gz")
    finally:
        near.signal(signal.SIGCONT)

    told = problems(parts)
    assert "did not answer" in told["api/status.json"]
    assert "State:\tT" in json.loads(parts["process.json"])["status"]
    assert {"documents.json", "logs/router.log", "logs/events.log"} <= parts.keys()
    assert MARKER.encode() not in b"".join(parts.values())


def test_stacks_are_there_again_when_the_folder_of_the_router_was_removed(
    net: Network, tmp_path: Path
) -> None:
    near = net.sites[0]
    run = near.directory / "run"
    shutil.rmtree(run)
    for name in ("stacks.txt", "admin.sock"):
        until((run / name).exists, f"{name} is back")
    parts = dump(near, tmp_path / "d.tar.gz")
    assert b"Thread" in parts["stacks.txt"]


def test_without_a_router_documents_and_logs_are_there(net: Network, tmp_path: Path) -> None:
    far = net.sites[1]
    far.kill()
    parts = dump(far, tmp_path / "d.tar.gz")

    assert "is not running" in problems(parts)["api/status.json"]
    assert json.loads(parts["documents.json"])["documents"]
    assert parts["logs/events.log"]
