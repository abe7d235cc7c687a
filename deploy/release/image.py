"""The image of a release: one archive of an OCI layout, for all platforms, the same each time.

The environment variables IMAGE, BASE, PLATFORMS and ENGINE work as for ``make image``.
"""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

from certs.release.images import ImageLayout, NotAnImage
from deploy.release.archives import below, tar_of
from deploy.release.packages import ROOT
from deploy.release.steps import CannotBundle, run_step
from router import __version__
from router.kubernetes.manifests.image import IMAGE

ARCHIVE: Final = f"spillway-router-{__version__}.tar"


def put_image(directory: Path, repository: str, reason_for_none: str) -> str:
    """Build the image and archive it; its name by digest, or by version if there is none.

    Raises CannotBundle.
    """
    directory.mkdir()
    if reason_for_none:
        (directory / "NONE").write_text(reason_for_none + "\n")
        return f"{repository}:{__version__}"
    engine = os.environ.get("ENGINE") or shutil.which("podman")
    if engine is None or "podman" not in Path(engine).name:
        raise CannotBundle(
            "archives that keep their digest take podman. Install it, or leave the image out and "
            "say why: make bundle BUNDLE='--no-image \"no podman here\"'"
        )
    name = os.environ.get("IMAGE") or IMAGE
    wheels = str(directory.resolve().with_name("wheels"))
    build = [str(ROOT / "scripts" / "image")]
    run_step(build, IMAGE=name, ENGINE=engine, WHEELS=wheels, NO_CACHE="1")
    several = "," in os.environ.get("PLATFORMS", "")
    words = ["manifest", "push", "--all"] if several else ["push"]
    with tempfile.TemporaryDirectory() as place:
        layout = f"oci:{place}/layout:{name}"
        run_step([engine, *words, "--quiet", "--format", "oci", name, layout])
        # The engine's own archive contains its creation time.
        (directory / ARCHIVE).write_bytes(tar_of(below(Path(place, "layout"))))
    image = f"{repository}@{_checked(directory / ARCHIVE)}"
    (directory / "IMAGE").write_text(f"{image}\n")
    return image


def platforms_of(directory: Path) -> list[str]:
    """The platforms of the image in ``directory``, sorted; empty: there is no image."""
    archive = directory / ARCHIVE
    if not archive.exists():
        return []
    with archive.open("rb") as file:
        return sorted(ImageLayout(file).platforms())


def _checked(archive: Path) -> str:
    """The image's digest, after checks that it is whole and has all requested platforms."""
    wanted = set(filter(None, os.environ.get("PLATFORMS", "").split(",")))
    try:
        with archive.open("rb") as file:
            layout = ImageLayout(file)
            missing = sorted(wanted - layout.platforms())
    except NotAnImage as error:
        raise CannotBundle(f"the engine wrote no image: {error}") from error
    if missing:
        raise CannotBundle(f"the engine made no image for {', '.join(missing)}")
    return layout.digest
