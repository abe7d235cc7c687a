"""``python -m deploy.airgap``: everything that a host without a network needs, as one archive.

``spillway-VERSION.tar`` holds one directory: install.sh, requirements.txt with a hash of every
wheel, ``wheels/`` (x86_64 and aarch64, several Pythons), ``sdist/``, ``images/``, ``manifests/``
that name the image by digest, ``charts/``, ``krew/``, ``compose/``, ``man/``, sbom.json, vex.json,
provenance.json, README.md and SHA256SUMS of all of it, signed if there is a key
(``python -m deploy.signing FILE`` makes one). The same sources, lock and base image give the same
bytes; ``--twice`` makes all of it again and compares.
"""

import argparse
import hashlib
import json
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from certs.errors import CertError
from certs.release import bundles
from deploy import files, lock, man
from deploy.release import packages, vex
from deploy.release.archives import below, pack, sha256
from deploy.release.chart_artifact import put_chart
from deploy.release.image import put_image
from deploy.release.krew import WheelsDiffer, put_krew
from deploy.release.provenance import put_provenance
from deploy.release.steps import CannotBundle, run_step
from deploy.release.vex import WrongStatement
from router import __version__
from router.kubernetes.manifests.image import IMAGE, REPOSITORY

ROOT: Final = Path(__file__).resolve().parent.parent
LISTS: Final = ROOT / "deploy" / "image"
PYTHONS: Final = ("3.11", "3.12", "3.13")
NAME: Final = f"spillway-{__version__}"


def main(arguments: list[str] | None = None) -> int:
    """Make the bundle; 1 and a reason if that fails."""
    parser = argparse.ArgumentParser(prog="make bundle BUNDLE=…", description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "build", metavar="DIR")
    parser.add_argument(
        "--pythons", type=str.split, default=PYTHONS, help='which wheels: "3.11 3.12 3.13"'
    )
    parser.add_argument("--wheels", type=Path, metavar="DIR", help="fetched before: make wheels")
    parser.add_argument(
        "--repository",
        default=REPOSITORY,
        help="where the image will be pulled from, for the manifests [%(default)s]",
    )
    parser.add_argument(
        "--url",
        default="",
        help="where releases will be, for install.sh and krew; empty: nowhere that is known",
    )
    parser.add_argument(
        "--no-image", metavar="REASON", default="", help="no image, and why; the bundle says so"
    )
    parser.add_argument("--key", type=Path, metavar="FILE", help="private key that signs the list")
    parser.add_argument(
        "--twice", action="store_true", help="make it again, and fail when a file is another then"
    )
    options = parser.parse_args(arguments)
    stage = options.output / NAME
    order = ReleaseOrder(
        pythons=tuple(options.pythons),
        wheels=options.wheels,
        repository=options.repository,
        url=options.url.rstrip("/"),
        reason_for_no_image=options.no_image,
        key=options.key,
    )
    try:
        make(stage, order)
        if options.twice:
            with tempfile.TemporaryDirectory() as place:
                again = Path(place) / "again" / NAME
                make(again, msgspec.structs.replace(order, wheels=stage / "wheels"))
                compare(stage, again)
        archive = pack(stage)
        (options.output / "latest").write_text(f"{__version__}\n")
    except (CannotBundle, CertError, WheelsDiffer, WrongStatement) as error:
        print(f"make bundle: {error}", file=sys.stderr)
        return 1
    sizes = {name: size(stage / name) for name in ("wheels", "images")}
    told = ", ".join(f"{name} {size_bytes / 1e6:.0f} MB" for name, size_bytes in sizes.items())
    print(f"{archive} ({archive.stat().st_size / 1e6:.0f} MB: {told})")
    if options.twice:
        print("made twice: the same bytes")
    return 0


class ReleaseOrder(msgspec.Struct, frozen=True):
    """Inputs of a release beside the sources."""

    pythons: tuple[str, ...]
    wheels: Path | None
    """Wheels fetched before; None: fetch them from the package index."""
    repository: str
    url: str
    reason_for_no_image: str
    key: Path | None


def make(stage: Path, order: ReleaseOrder) -> None:
    """Fill ``stage``."""
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    put_wheels(stage, order.pythons, order.wheels)
    put_lists(stage, order.pythons)
    image = put_image(stage / "images", order.repository, order.reason_for_no_image)
    put_manifests(stage / "manifests", image)
    put_chart(stage / "charts", stage / "manifests" / "helm" / "spillway")
    installed = [*lock.names("requirements.txt"), "spillway-router"]
    put_krew(stage / "krew", stage / "wheels", installed, order.pythons, order.url)
    put_compose(stage / "compose", image)
    put_docs(stage / "docs")
    put_texts(stage, image, order.reason_for_no_image, order.url)
    man.write(stage / "man")
    put_provenance(stage)
    seal(stage, order.key)


def compare(stage: Path, again: Path) -> None:
    """Raise CannotBundle unless both have the same files with the same bytes."""
    first, second = (
        {name: hashlib.sha256(data).digest() for name, data in below(place).items()}
        for place in (stage, again)
    )
    others = sorted(
        name for name in first.keys() | second.keys() if first.get(name) != second.get(name)
    )
    if others:
        raise CannotBundle(f"made twice, it is another: {', '.join(others[:5])}")


def put_wheels(stage: Path, pythons: Iterable[str], fetched: Path | None) -> None:
    """The wheels of the lock; our sdist; and our own wheel, built from it with those wheels."""
    directory = stage / "wheels"
    if fetched is not None:
        shutil.copytree(fetched, directory)
        for ours in directory.glob("spillway_router-*.whl"):
            ours.unlink()  # Built from other sources.
    else:
        run_step(
            [str(ROOT / "scripts" / "wheels"), sys.executable, str(directory.resolve()), *pythons]
        )
    sdist = packages.build_sdist(stage / "sdist")
    with tempfile.TemporaryDirectory() as place:
        builder = Path(place) / "bin" / "python"
        run_step([sys.executable, "-m", "venv", "--without-pip", place])
        pip = next(iter(sorted(directory.glob("pip-*.whl"))), None)
        if pip is None:
            raise CannotBundle(f"no pip among the wheels of {fetched}. Try: make wheels")
        lists = ["--require-hashes", "--requirement", str(LISTS / "build.txt")]
        offline = ["--no-index", "--find-links", str(directory)]
        run_step([str(builder), f"{pip}/pip", "install", "--quiet", *offline, *lists])
        packages.build_wheel(directory, sdist, str(builder))


def put_lists(stage: Path, pythons: Iterable[str]) -> None:
    """requirements.txt with our own wheel in it, PYTHONS, the SBOM and the VEX."""
    (ours,) = (stage / "wheels").glob("spillway_router-*.whl")
    own = f"spillway-router=={__version__} --hash=sha256:{sha256(ours)}\n"
    (stage / "requirements.txt").write_text((LISTS / "requirements.txt").read_text() + own)
    (stage / "PYTHONS").write_text(" ".join(pythons) + "\n")
    bill = json.loads((LISTS / "sbom.cdx.json").read_text())
    bill["components"] += _build_tools((LISTS / "build.txt").read_text())
    (stage / bundles.SBOM).write_text(json.dumps(bill, indent=2) + "\n")
    (stage / bundles.VEX).write_text(vex.document(vex.reviewed(), bill))


def _build_tools(listed: str) -> list[dict[str, str]]:
    """Packages that build our wheels without a network: in the bundle, but in no image."""
    return [
        {
            "type": "library",
            "name": name,
            "version": version,
            "purl": f"pkg:pypi/{name}@{version}",
            "bom-ref": f"build-{name}@{version}",
            "scope": "excluded",
        }
        for name, version in re.findall(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)", listed, re.MULTILINE)
    ]


def put_manifests(directory: Path, image: str) -> None:
    """The generated files below ``deploy/`` and those beside them, with ``image`` in them."""
    for part in ("kubernetes", "controller", "helm", "olm", "prometheus", "grafana"):
        shutil.copytree(ROOT / "deploy" / part, directory / part)
    for name, text in files.all_files().items():
        (directory / name).write_text(text.replace(IMAGE, image))
    values = directory / "helm" / "spillway" / "values.yaml"
    repository, _, digest = image.partition("@")
    if digest:
        text = values.read_text().replace(REPOSITORY, repository)
        values.write_text(text.replace('digest: ""', f"digest: {digest}"))


def put_compose(directory: Path, image: str) -> None:
    """Two sites and a burst for docker or podman, with ``image`` and its programs."""
    directory.mkdir()
    for name in ("compose.yaml", "ask.py", "server.py"):
        text = (ROOT / "examples" / name).read_text()
        (directory / name).write_text(text.replace(IMAGE, image))


def put_docs(directory: Path) -> None:
    """The pages that alerts, `check` and error messages name."""
    shutil.copytree(ROOT / "docs", directory)


def put_texts(stage: Path, image: str, reason_for_none: str, url: str = "") -> None:
    """README.md, and install.sh with its release and URL."""
    listed = sha256(stage / "requirements.txt")
    script = (ROOT / "scripts" / "install.sh").read_text()
    pip = next(iter(sorted((stage / "wheels").glob("pip-*.whl"))), None)
    for before, after in (
        ("\nversion=  #", f"\nversion={__version__}  #"),
        ("\nrequirements_sha256=\n", f"\nrequirements_sha256={listed}\n"),
        ("\nreleases=\n", f"\nreleases={shlex.quote(url) if url else ''}\n"),
        ("\npip_wheel=\n", f"\npip_wheel={pip.name if pip else ''}\n"),
        ("\npip_sha256=\n", f"\npip_sha256={sha256(pip) if pip else ''}\n"),
    ):
        assert before in script, before
        script = script.replace(before, after)
    (stage / "install.sh").write_text(script)
    (stage / "install.sh").chmod(0o755)
    images = f"There is no image in this bundle: {reason_for_none}." if reason_for_none else _IMAGES
    text = _README.replace("IMAGES", images).replace("VERSION", __version__)
    name = os.environ.get("IMAGE") or IMAGE
    usual = name == IMAGE
    loaded = f"`{name}`, " + (
        "which `sitectl` runs when no other is named"
        if usual
        else f"so type: `export SITECTL_IMAGE={name}`"
    )
    text = text.replace("LOADED", loaded)
    text = text.replace("REPOSITORY", image.partition("@")[0]).replace("DIGESTED", image)
    (stage / "README.md").write_text(text)


def seal(stage: Path, key: Path | None = None) -> None:
    """SHA256SUMS of all files, in sha256sum's format; signed, if there is a key."""
    names = sorted(str(path.relative_to(stage)) for path in stage.rglob("*") if path.is_file())
    own = (bundles.SUMS, bundles.SIGNATURE)
    sums = "".join(f"{sha256(stage / name)}  {name}\n" for name in names if name not in own)
    (stage / bundles.SUMS).write_text(sums)
    if key is not None:
        (stage / bundles.SIGNATURE).write_bytes(bundles.sign(sums.encode(), key))


def size(directory: Path) -> int:
    """Bytes of all files below ``directory``."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


_IMAGES: Final = """To a registry, so that the digest in the manifests stays true:

    skopeo copy --all --preserve-digests oci-archive:images/spillway-router-*.tar \\
      docker://REPOSITORY:VERSION

Or onto one host with podman: `sh install.sh --load-image`, or `podman load` of that file; it is
then there as LOADED."""

_README: Final = """# Spillway VERSION, without a network

Check what arrived: `sha256sum --check --quiet SHA256SUMS`

## The command line

    sh install.sh        # again with the next bundle: an upgrade
    sitectl version

Python 3.11 or newer must be there (RHEL 9: `dnf install python3.12`); install.sh says which
package is missing. Sites and their state are not touched by an upgrade.

## The image

IMAGES

## Manifests

`manifests/` has what `deploy/` has (kustomize, Helm, the site controller, OLM), with this image,
and alerts and dashboards:

    DIGESTED

`charts/` has the Helm chart, for `helm install NAME charts/spillway-VERSION.tgz`, and as an OCI
artefact for a registry: `skopeo copy --preserve-digests oci-archive:charts/spillway-VERSION.oci.tar
docker://REGISTRY/spillway:VERSION`. `compose/` has two sites and a burst for docker or podman.
`krew/` has the kubectl plugin: `kubectl krew install --manifest=krew/spillway.yaml
--archive=krew/kubectl-spillway-VERSION-linux-amd64.tar.gz`.

`sitectl` runs it too, on Kubernetes and in podman, where `SITECTL_IMAGE` has that name or
`--image` gives it; `--image-pull-policy` says when it is pulled.

`sbom.json` lists the components (CycloneDX), `vex.json` says which known vulnerabilities matter and
why the others do not, `requirements.txt` has the hash of every wheel, `sdist/` the sources of ours.
`man -M man sitectl` shows the manual.
"""

if __name__ == "__main__":
    sys.exit(main())
