"""The chart as an archive that Helm loads, and as an OCI artefact whose digests agree."""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import helm_python
import pytest

from deploy.release import chart_artifact
from deploy.release.packages import ROOT
from router import __version__

CHART = ROOT / "deploy" / "helm" / "spillway"


@pytest.fixture
def charts(tmp_path: Path) -> Path:
    """A directory with both."""
    chart_artifact.put_chart(tmp_path, CHART)
    return tmp_path


def layout(charts: Path) -> dict[str, bytes]:
    with tarfile.open(charts / f"spillway-{__version__}.oci.tar") as tar:
        found = {one.name: tar.extractfile(one) for one in tar.getmembers()}
        return {name: file.read() for name, file in found.items() if file is not None}


def blob(files: Mapping[str, bytes], described: Mapping[str, Any]) -> bytes:
    """The bytes that a descriptor points at, as a registry checks them."""
    data = files[f"blobs/{described['digest'].replace(':', '/')}"]
    assert len(data) == described["size"]
    assert f"sha256:{hashlib.sha256(data).hexdigest()}" == described["digest"]
    return data


def test_helm_loads_the_archive_and_has_nothing_to_complain_about(charts: Path) -> None:
    archive = str(charts / f"spillway-{__version__}.tgz")
    with helm_python.Chart.load(archive):
        pass
    assert helm_python.lint(archive)["errors"] == []


def test_the_artefact_has_helms_media_types_and_digests_that_agree(charts: Path) -> None:
    files = layout(charts)
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    (tagged,) = json.loads(files["index.json"])["manifests"]
    assert tagged["annotations"]["org.opencontainers.image.ref.name"] == __version__
    manifest = json.loads(blob(files, tagged))
    assert manifest["config"]["mediaType"] == "application/vnd.cncf.helm.config.v1+json"
    assert json.loads(blob(files, manifest["config"]))["version"] == __version__
    (content,) = manifest["layers"]
    assert content["mediaType"] == "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
    assert blob(files, content) == (charts / f"spillway-{__version__}.tgz").read_bytes()
    assert len(files) == 5


def test_the_same_chart_makes_the_same_bytes(charts: Path, tmp_path: Path) -> None:
    chart_artifact.put_chart(tmp_path / "again", CHART)
    for path in (tmp_path / "again").iterdir():
        assert path.read_bytes() == (charts / path.name).read_bytes()


def test_a_pack_has_every_file_of_the_chart(charts: Path) -> None:
    with tarfile.open(
        fileobj=io.BytesIO((charts / f"spillway-{__version__}.tgz").read_bytes())
    ) as tar:
        names = {one.removeprefix("spillway/") for one in tar.getnames()}
    assert names == {
        path.relative_to(CHART).as_posix() for path in CHART.rglob("*") if path.is_file()
    }
