"""Bundles launched by podman alone: nothing on the PATH but a shell, coreutils, tar and podman."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.podman.engine import podman
from tests.podman.harness import Containers
from tests.scenario.clients import ask, connected
from tests.scenario.harness import COMMAND_TIMEOUT_S, SHOP_PORT, Site
from tests.scenario.waiting import until

PORT = SHOP_PORT + 7
PROGRAMS = (
    *("cat", "chmod", "chown", "cut", "date", "dirname", "id", "mkdir", "mv", "rm", "rmdir"),
    *("sha256sum", "sleep", "stat", "tar", "gzip", "podman"),
)


class OtherHost:
    """A host without Python, sitectl, sed, grep or jq; its home has a space in its name."""

    def __init__(self, base: Path) -> None:
        self.home, self.bin = base / "a home", base / "bin"
        self.here = self.home / "un packed"
        self.bin.mkdir(parents=True)
        self.here.mkdir(parents=True)
        for name in PROGRAMS:
            found = shutil.which(name)
            assert found is not None, f"this machine has no {name}"
            (self.bin / name).symlink_to(found)
        (self.bin / "sh").symlink_to("/bin/sh")

    def sh(self, line: str, code: int = 0) -> str:
        """What a command line of that host says on stderr."""
        done = subprocess.run(
            [self.bin / "sh", "-c", line],
            cwd=self.here,
            env={
                "PATH": str(self.bin),
                "HOME": str(self.home),
                "XDG_DATA_HOME": str(self.home / "data"),
                "CONTAINERS_CONF": os.environ.get("CONTAINERS_CONF", ""),
            },
            capture_output=True,
            text=True,
            timeout=4 * COMMAND_TIMEOUT_S,
        )
        assert done.returncode == code, f"{line}: exit {done.returncode}\n{done.stderr}"
        return done.stderr


class Bundled:
    """A process site, a TCP target beside the other host's gateway, the bundle between them."""

    def __init__(self, net: Containers, base: Path) -> None:
        self.net, self.base = net, base
        self.name = f"bundle{os.getpid()}"
        self.container = f"spillway-gateway-{self.name}"
        self.site: Site = net.site("near")
        net.start(self.site)
        self.target = net.tcp("behind")
        self.host = OtherHost(base / "other")
        self.definition = base / "gateway.yaml"
        self.definition.write_text(
            f"name: {self.name}\n"
            f"bindings:\n"
            f"- host: {self.target.address}\n"
            f"  service: {{address: 'behind:{PORT}', protocol: tcp, ports: [{PORT}]}}\n"
            f"  target_ports: [{self.target.port}]\n"
        )

    def pack(self, *words: str, image: str = "") -> None:
        """Make the bundle at the site, and unpack it on the host."""
        self.site.ctl(
            *("gateway", "generate-bundle", str(self.definition), str(self.base)),
            *("--image", image or self.net.image, "--image-pull-policy", "never", *words),
        )
        self.host.sh(f"tar -xzf '{self.base}/{self.name}.tar.gz'")

    def answer(self) -> str:
        """Of the target, asked at the site's listener."""
        with connected(self.site.address, PORT) as door:
            return ask(door, "name")

    def is_linked(self) -> bool:
        """Whether the site has the gateway's link."""
        links = self.site.json("link", "status")
        return any(link["name"] == self.name and link["state"] == "up" for link in links)


@pytest.fixture
def bundled(net: Containers, tmp_path: Path) -> Iterator[Bundled]:
    """A site and a host, nothing launched yet."""
    made = Bundled(net, tmp_path)
    try:
        yield made
    finally:
        podman("rm", "--force", "--ignore", "--time=0", made.container)


def test_a_bundle_serves_the_network_is_repeatable_barred_and_removed(bundled: Bundled) -> None:
    bundled.pack()
    host = bundled.host
    said = host.sh("./launch.sh -t podman")
    assert "is ready (changed)" in said
    bundled.net.ready("behind", {bundled.name: 1}, bundled.site)
    assert bundled.answer() == "behind"
    first = podman("container", "inspect", "--format={{.Id}}", bundled.container)
    assert "(changed)" not in host.sh("./launch.sh -t podman")
    assert podman("container", "inspect", "--format={{.Id}}", bundled.container) == first
    bundled.site.ctl("revoke-access", "--link", bundled.name)
    until(lambda: not bundled.is_linked(), "the gateway is barred")
    said = host.sh("./remove.sh")
    assert "revoke-access --link" in said
    assert [path for path in (host.home / "data").rglob("*") if path.is_file()] == []
    assert podman("ps", "--all", "--quiet", f"--filter=name={bundled.container}") == ""


def test_an_image_in_the_bundle_is_loaded_and_taken_away(bundled: Bundled) -> None:
    own = f"localhost/spillway-bundled:{os.getpid()}"
    podman("tag", bundled.net.image, own)
    bundled.pack("--with-image", image=own)
    podman("untag", bundled.net.image, own)
    bundled.host.sh("./launch.sh -t podman")
    bundled.net.ready("behind", {bundled.name: 1}, bundled.site)
    assert bundled.answer() == "behind"
    bundled.host.sh("./remove.sh")
    assert podman("images", "--quiet", own) == ""
