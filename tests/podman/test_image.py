"""The image itself, and a bundle that is installed where there is no network."""

import contextlib
import http.client
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy import airgap
from deploy.release.archives import sha256
from router import __version__
from tests.podman.engine import podman
from tests.podman.harness import Containers
from tests.podman.images import DEBIANS_PYTHON, debian_base, release_wheels
from tests.scenario.clients import fetch
from tests.scenario.harness import SHOP_PORT, own_address
from tests.scenario.waiting import until

ANY_USER = "123456:0"
LIBRARIES = """
import time
import aiohttp.web, cryptography.x509, msgspec, prometheus_client, uvloop, yaml
print(time.process_time())
"""
LIBRARIES_MAX = 4.0
"""How much more of a processor the start may take than Python and the libraries alone (2.0 to 2.6
times seen): time on the clock is the machine's."""
PLACE = "/opt/spillway"


def run(image: str, *words: str, entry: str = "sh") -> str:
    """Output of a command in the image, as any user, with a root that no user can write."""
    return podman(
        *("run", "--rm", "--network=none", "--read-only", "--cap-drop=all"),
        *("--security-opt=no-new-privileges", f"--user={ANY_USER}", f"--entrypoint={entry}"),
        *(image, *words),
    )


def inspected(image: str) -> Any:
    return json.loads(podman("image", "inspect", image))[0]


def test_the_image_holds_what_runs_and_no_more(image: str) -> None:
    programs = run(image, "-c", f"cd {PLACE}/bin && ls").split()
    ours = {"sitectl", "spillway-controller", "spillway-router"}
    assert {name for name in programs if not name.startswith("python")} == ours
    found = run(
        image,
        "-c",
        f"find {PLACE} -type d '(' -name tests -o -name pip -o -name hatchling ')'; "
        f"find {PLACE} -name '*.c' -o -name '*.pyx' -o -name '*.h'; "
        f"find {PLACE} /var/lib/spillway -perm /06000; find {PLACE} -perm /002 ! -type l",
    )
    assert found == ""


def test_byte_code_is_there_and_none_is_checked_against_its_source(image: str) -> None:
    code = (
        "import importlib.util, pathlib, router.process.main as p;"
        "own = pathlib.Path(importlib.util.cache_from_source(p.__file__));"
        f"found = [own, *pathlib.Path('{PLACE}/lib').rglob('*.pyc')];"
        "print({int.from_bytes(path.read_bytes()[4:8], 'little') for path in found})"
    )
    assert run(image, "-c", code, entry="python").strip() == "{1}"  # PEP 552: hash, unchecked.


def test_any_user_runs_it_and_the_command_answers(image: str) -> None:
    said = run(image, "version", entry="sitectl")
    assert said.startswith(f"spillway {__version__} (Python 3.")
    assert "uvloop" in said


def test_labels_and_bill_of_materials_tell_what_it_is(image: str) -> None:
    config = inspected(image)["Config"]
    assert config["User"] == "1001"
    assert config["StopSignal"] in ("SIGTERM", "15")
    labels = config["Labels"]
    for key in ("version", "revision", "licenses", "title", "description"):
        assert labels[f"org.opencontainers.image.{key}"]
    bill = json.loads(run(image, labels["dev.spillway.sbom"], entry="cat"))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    listed = {(found["name"], found["version"]) for found in bill["components"]}
    code = (
        "import importlib.metadata as m, json;"
        "print(json.dumps([[d.name.lower().replace('_', '-'), d.version]"
        " for d in m.distributions()]))"
    )
    installed = {
        (name, version) for name, version in json.loads(run(image, "-c", code, entry="python"))
    }
    assert installed - {("spillway-router", __version__)} <= listed
    missing = {name for name, _ in listed} - {name for name, _ in installed}
    assert missing <= {"typing-extensions"}  # Not for Python 3.15.


def test_it_serves_soon_after_it_was_run(image: str, tmp_path: Path) -> None:
    state, name, address = tmp_path / "state", f"spillway-start-{os.getpid()}", own_address()
    state.mkdir()
    place = [f"--volume={state}:/var/lib/spillway:Z", "--network=host"]
    if os.getuid():
        place += ["--userns=keep-id", f"--user={os.getuid()}:0"]
    else:
        place.append(f"--user={ANY_USER}")
        os.chown(state, int(ANY_USER.partition(":")[0]), 0)
    podman("run", "--rm", *place, image, "init", "a", "--ingress", "none")
    probes = f"--env=SPILLWAY_PROBES={address}:9090"
    podman(
        "run", "--detach", f"--name={name}", "--read-only", "--cap-drop=all", probes, *place, image
    )
    try:
        until(lambda: _answers(address), "the router is ready")
        spent_s = _cpu_s(json.loads(podman("container", "inspect", name))[0]["State"]["Pid"])
        assert podman("exec", name, "sitectl", "health") == "alive\n"
        podman("healthcheck", "run", name)
    finally:
        podman("rm", "--force", "--time=5", name)
    libraries_s = float(run(image, "-c", LIBRARIES, entry="python"))
    print(f"{spent_s:.2f} s; the libraries alone: {libraries_s:.2f} s")
    assert spent_s < LIBRARIES_MAX * libraries_s


def _cpu_s(process_id: int) -> float:
    """What a process has used of a processor: the command line became the router."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _answers(address: str) -> bool:
    with contextlib.closing(http.client.HTTPConnection(address, 9090, timeout=1)) as door:
        try:
            door.request("GET", "/readyz")
            return door.getresponse().status == 200
        except OSError:
            return False


@pytest.fixture(scope="module")
def bundle(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A bundle for this Python, with an image for two architectures in it."""
    directory, name = tmp_path_factory.mktemp("bundle"), f"localhost/bundled:{os.getpid()}"
    pythons = " ".join(sorted({DEBIANS_PYTHON, f"3.{sys.version_info.minor}"}))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "deploy.airgap", "--output", str(directory)),
            *("--wheels", str(release_wheels()), "--pythons", pythons),
            *("--repository", "registry.example/spillway/router"),
        ],
        cwd=airgap.ROOT,
        env={
            **os.environ,
            "BASE": debian_base(),
            "IMAGE": name,
            "PLATFORMS": "linux/amd64,linux/arm64",
            "BUILDAH_LAYERS": "false",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    podman("manifest", "rm", name)
    yield directory / airgap.NAME
    podman("rmi", "--force", "--ignore", name)


class Offline:
    """A home in which a bundle is installed, with no network but a separate loopback."""

    def __init__(self, directory: Path) -> None:
        self.home = directory
        self.sitectl = directory / "bin" / "sitectl"
        kept = ("CONTAINERS_CONF", "XDG_RUNTIME_DIR")
        self.environment = {name: os.environ[name] for name in kept if name in os.environ} | {
            "HOME": str(directory),
            "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "SITECTL_STATE": str(directory / "state"),
        }

    def install(self, stage: Path, *words: str) -> str:
        """What the bundle's installer says, without a network."""
        place = ("--prefix", str(self.home / "prefix"), "--bin", str(self.sitectl.parent))
        script = str(stage / "install.sh")
        return self.run("sh", script, *place, "--python", sys.executable, *words)

    def run(self, *words: str, offline: bool = True) -> str:
        """Output of a command."""
        wrapped = ["unshare", "--net", *words] if offline else [*words]
        done = subprocess.run(
            wrapped, env=self.environment, capture_output=True, text=True, cwd="/", check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.mark.programs("mmdebstrap")
@pytest.mark.timeout(
    900
)  # Wheels and a base are fetched, the image is built twice, while others work here.
def test_a_bundle_installs_runs_a_site_and_upgrades_it_without_a_network(
    bundle: Path, tmp_path: Path
) -> None:
    host = Offline(tmp_path)
    assert "Loaded image" in host.install(bundle, "--load-image")
    loaded = run(f"localhost/bundled:{os.getpid()}", "version", entry="sitectl")
    assert loaded.startswith(f"spillway {__version__}")
    assert f"spillway {__version__}" in host.run(str(host.sitectl), "version")
    host.run(str(host.sitectl), "init", "a", "--bind-ip", own_address(), "--ingress", "none")
    host.run(str(host.sitectl), "start", offline=False)
    identity = (tmp_path / "state" / "a").rglob("*.key")
    keys = {path: path.read_bytes() for path in identity}
    assert keys
    try:
        newer = as_version(bundle, tmp_path, "99.1.0")
        assert "sitectl 99.1.0 installed" in host.install(newer)
        assert "spillway 99.1.0" in host.run(str(host.sitectl), "version")
        status = host.run(str(host.sitectl), "status", "-o", "json", offline=False)
        assert '"running"' in status or '"ready"' in status, "the older router still serves"
    finally:
        host.run(str(host.sitectl), "stop", offline=False)
    host.run(str(host.sitectl), "start", offline=False)
    host.run(str(host.sitectl), "stop", offline=False)
    assert {path: path.read_bytes() for path in keys} == keys
    host.run("sh", str(bundle / "install.sh"), "--prefix", str(tmp_path / "prefix"), "--uninstall")
    assert not (tmp_path / "prefix").exists()
    assert (tmp_path / "state" / "a").exists()


@pytest.mark.programs("mmdebstrap")
@pytest.mark.timeout(900)
def test_the_archived_image_has_the_digest_of_the_manifests(bundle: Path) -> None:
    named = (bundle / "images" / "IMAGE").read_text().strip()
    (archive,) = (bundle / "images").glob("*.tar")
    with tarfile.open(archive) as tar:
        index = json.load(tar.extractfile("index.json") or io.BytesIO())
    assert named == f"registry.example/spillway/router@{index['manifests'][0]['digest']}"
    assert named in (bundle / "manifests/kubernetes/base/site.yaml").read_text()
    command = [sys.executable, "-m", "sitectl", "verify", str(bundle), "--unsigned"]
    done = subprocess.run(command, cwd=airgap.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "for linux/amd64, linux/arm64, whole" in done.stdout


@pytest.mark.programs("qemu-aarch64-static", "mmdebstrap")
@pytest.mark.timeout(900)  # An emulated start takes fifteen seconds of a processor.
def test_the_archived_image_for_arm64_serves_a_request(bundle: Path, net: Containers) -> None:
    (archive,) = (bundle / "images").glob("*.tar")
    image = podman("pull", "--quiet", "--arch=arm64", f"oci-archive:{archive}").strip()
    site, name = net.site("arm"), f"spillway-arm-{os.getpid()}"
    site.declare("shop")
    site.connect("shop", net.http("target"))
    emulator = shutil.which("qemu-aarch64-static")
    # The kernel may have no emulator registered for arm64, so the test calls it by name.
    foreign = ["--volume", f"{emulator}:/emulator:ro", "--entrypoint=/emulator", "--no-healthcheck"]
    place = ["--user=0:0", "--network=host", f"--volume={site.directory}:{site.directory}"]
    program = "/opt/spillway/bin/python"
    try:
        told = podman("run", "--rm", *foreign, image, program, "-c", "import os; print(os.uname())")
        assert "aarch64" in told
        words = [program, "/opt/spillway/bin/spillway-router", "--site-dir", str(site.directory)]
        podman("run", "--detach", "--read-only", f"--name={name}", *foreign, *place, image, *words)
        until(site.admin.is_ready, "the router is ready", 600.0)
        assert fetch(site.address, SHOP_PORT).body == b"target\n"
        assert site.get("status")["version"] == __version__
    finally:
        podman("rm", "--force", "--ignore", "--time=20", name)
        podman("rmi", "--force", image)


def as_version(bundle: Path, directory: Path, version: str) -> Path:
    """The same bundle, as if it were of another version."""
    stage = directory / f"spillway-{version}"
    shutil.copytree(bundle, stage, ignore=shutil.ignore_patterns("images"))
    (wheel,) = (stage / "wheels").glob("spillway_router-*")
    newer = wheel.with_name(wheel.name.replace(__version__, version))
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(newer, "w") as new:
        for name in old.namelist():
            raw = old.read(name)
            if name in ("router/__init__.py", f"spillway_router-{__version__}.dist-info/METADATA"):
                raw = raw.replace(__version__.encode(), version.encode())
            elif name.endswith("RECORD"):
                raw = raw.replace(f"router-{__version__}".encode(), f"router-{version}".encode())
            new.writestr(name.replace(f"router-{__version__}", f"router-{version}"), raw)
    wheel.unlink()
    listed = (stage / "requirements.txt").read_text().splitlines()[:-1]
    listed.append(f"spillway-router=={version} --hash=sha256:{sha256(newer)}\n")
    (stage / "requirements.txt").write_text("\n".join(listed))
    airgap.seal(stage)
    return stage
