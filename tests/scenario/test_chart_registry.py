"""The chart of a release in a real registry: copied there as it is, pulled from there by Helm."""

import contextlib
import json
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import helm_python
import pytest

from deploy.release.chart_artifact import put_chart
from deploy.release.packages import ROOT
from router import __version__
from tests.scenario.ports import free_ports
from tests.scenario.waiting import until

pytestmark = pytest.mark.programs("docker-registry", "skopeo")
CONFIGURATION = {"version": "0.1", "log": {"level": "warn"}}


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """HOST:PORT of one that is empty."""
    place = f"127.0.0.1:{next(free_ports())}"
    storage = {"filesystem": {"rootdirectory": str(tmp_path / "registry")}}
    file = tmp_path / "registry.yml"
    file.write_text(json.dumps(CONFIGURATION | {"storage": storage, "http": {"addr": place}}))
    with subprocess.Popen(
        ["docker-registry", "serve", str(file)], stderr=subprocess.DEVNULL
    ) as running:
        until(lambda: answers(place), "the registry answers")
        yield place
        running.terminate()


def answers(place: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{place}/v2/", timeout=1):
        return True
    return False


def test_helm_pulls_what_skopeo_copied_by_the_digest_of_the_release(
    registry: str, tmp_path: Path
) -> None:
    charts, pulled = tmp_path / "charts", tmp_path / "pulled"
    put_chart(charts, ROOT / "deploy" / "helm" / "spillway")
    pulled.mkdir()
    artefact = f"oci-archive:{charts}/spillway-{__version__}.oci.tar"
    words = ["copy", "--preserve-digests", "--dest-tls-verify=false", artefact]
    subprocess.run(
        ["skopeo", *words, f"docker://{registry}/charts/spillway:{__version__}"],
        check=True,
        capture_output=True,
        timeout=60,
    )
    with helm_python.RegistryClient(plain_http=True) as client:
        place = f"oci://{registry}/charts/spillway"
        assert client.tags(place) == [__version__]
        client.pull(place, version=__version__, destination=pulled, plain_http=True)
    (found,) = pulled.iterdir()
    assert found.read_bytes() == (charts / found.name).read_bytes()
    with helm_python.Chart.load(str(found)):
        pass
