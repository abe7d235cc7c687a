"""The Helm chart in the format of `helm package`, and as an OCI artifact for a registry.

The artifact is an archive of an OCI image layout with one manifest, tagged by the version, in the
media types that Helm reads (helm.sh/docs/topics/registries, "Helm chart manifest"). Unlike that of
`helm push`, the manifest has no creation time.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.release.archives import below, gzipped, tar_of

NAME: Final = "spillway"
CONFIG_TYPE: Final = "application/vnd.cncf.helm.config.v1+json"
CONTENT_TYPE: Final = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
MANIFEST_TYPE: Final = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE: Final = "application/vnd.oci.image.index.v1+json"


def put_chart(directory: Path, chart: Path) -> None:
    """``spillway-VERSION.tgz`` and ``spillway-VERSION.oci.tar`` of the files in ``chart``."""
    about = yaml.safe_load((chart / "Chart.yaml").read_text("utf-8"))
    package = packaged(chart)
    directory.mkdir(parents=True, exist_ok=True)
    stem = f"{NAME}-{about['version']}"
    (directory / f"{stem}.tgz").write_bytes(package)
    (directory / f"{stem}.oci.tar").write_bytes(layout(about, package))


def packaged(chart: Path) -> bytes:
    """The chart as an archive, Chart.yaml first: Helm reads only that file at the start."""
    files = {f"{NAME}/{name}": data for name, data in below(chart).items()}
    return gzipped(tar_of(files))


def layout(about: dict[str, Any], package: bytes) -> bytes:
    """An archive of the OCI image layout with ``package`` in it."""
    config = _json(about)
    annotations = {
        "org.opencontainers.image.title": about["name"],
        "org.opencontainers.image.version": about["version"],
        "org.opencontainers.image.description": about["description"],
    }
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": _described(CONFIG_TYPE, config),
            "layers": [_described(CONTENT_TYPE, package)],
            "annotations": annotations,
        }
    )
    tagged = {"annotations": {"org.opencontainers.image.ref.name": about["version"]}}
    index = _json(
        {
            "schemaVersion": 2,
            "mediaType": INDEX_TYPE,
            "manifests": [_described(MANIFEST_TYPE, manifest) | tagged],
        }
    )
    blobs = {f"blobs/sha256/{_digest(data)}": data for data in (config, package, manifest)}
    marks = {"oci-layout": _json({"imageLayoutVersion": "1.0.0"}), "index.json": index}
    return tar_of(blobs | marks)


def _described(media_type: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": f"sha256:{_digest(data)}", "size": len(data)}


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
