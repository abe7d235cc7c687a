"""`sitectl verify` of a release: whole, signed parts pass; others fail, each by its name."""

import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from certs.errors import CertError
from certs.release import bundles
from deploy import airgap, signing
from deploy.release.archives import pack
from deploy.release.image import ARCHIVE, put_image
from deploy.release.provenance import put_provenance
from router import __version__
from tests.unit.certs.layouts import Layout

WHEEL = f"wheels/spillway_router-{__version__}-py3-none-any.whl"
SDIST = f"sdist/spillway_router-{__version__}.tar.gz"
CHART, ARTIFACT = f"charts/spillway-{__version__}.tgz", f"charts/spillway-{__version__}.oci.tar"
PLUGIN = "krew/spillway.yaml"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private key; the public one has ``.pub``."""
    path = tmp_path_factory.mktemp("key") / "release"
    assert signing.main([str(path)]) == 0
    return path


@pytest.fixture
def stage(tmp_path: Path, key: Path) -> Path:
    """A bundle without an image, signed."""
    stage = tmp_path / airgap.NAME
    (stage / "wheels").mkdir(parents=True)
    (stage / WHEEL).write_bytes(b"ours")
    for name in (SDIST, CHART, ARTIFACT, PLUGIN, "manifests/site.yaml", "man/man1/sitectl.1"):
        (stage / name).parent.mkdir(parents=True, exist_ok=True)
        (stage / name).write_text(name)
    airgap.put_lists(stage, ("3.11",))
    airgap.put_compose(stage / "compose", "registry.example/s:1")
    put_image(stage / "images", "registry.example/s", "none here")
    airgap.put_texts(stage, "registry.example/s:1", "none here")
    put_provenance(stage)
    airgap.seal(stage, key)
    return stage


def verify(bundle: Path, *words: str, code: int) -> Any:
    """The checks by their names, or the error text."""
    done = subprocess.run(
        [sys.executable, "-m", "sitectl", "verify", str(bundle), *words, "-o", "json"],
        cwd=airgap.ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    if code == 2:
        return done.stderr
    return {one["name"]: one for one in json.loads(done.stdout)["items"]}


def public(key: Path) -> str:
    return f"{key}.pub"


@pytest.mark.parametrize("packed", [False, True])
def test_what_was_released_passes_unpacked_or_not(stage: Path, key: Path, packed: bool) -> None:
    checks = verify(pack(stage) if packed else stage, "--key", public(key), code=0)
    names = ["files", "signature", "parts", "materials", "vulnerabilities", "provenance", "image"]
    assert list(checks) == names
    assert checks["image"]["text"] == "there is none: none here"
    assert "none affects it" in checks["vulnerabilities"]["text"]
    assert checks["materials"]["text"] == "1 wheels are in the bill of materials"
    assert not key.stat().st_mode & 0o077


def test_openssl_agrees(stage: Path, key: Path) -> None:
    decoded = stage.parent / "signature"
    words = ["base64", "-d", str(stage / bundles.SIGNATURE)]
    decoded.write_bytes(subprocess.run(words, capture_output=True, check=True).stdout)
    check = ["openssl", "dgst", "-sha256", "-verify", public(key), "-signature", str(decoded)]
    subprocess.run([*check, str(stage / bundles.SUMS)], check=True, capture_output=True)


def change(stage: Path) -> None:
    (stage / WHEEL).write_bytes(b"else")


def lose(stage: Path) -> None:
    (stage / "install.sh").unlink()


def add(stage: Path) -> None:
    (stage / "wheels" / "more-1.0-py3-none-any.whl").write_bytes(b"more")


def link(stage: Path) -> None:
    (stage / "wheels" / "passwd").symlink_to("/etc/passwd")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [(change, "changed: wheels/"), (lose, "missing: install.sh"), (add, "more"), (link, "passwd")],
)
def test_any_other_file_is_named(
    stage: Path, key: Path, spoil: Callable[[Path], None], said: str
) -> None:
    spoil(stage)
    checks = verify(stage, "--key", public(key), code=1)
    assert said in checks["files"]["text"] and not checks["files"]["ok"]


@pytest.mark.parametrize("name", [bundles.SBOM, bundles.VEX, bundles.PROVENANCE])
@pytest.mark.parametrize("packed", [False, True])
def test_a_statement_that_was_taken_out_or_is_nonsense_fails(
    stage: Path, key: Path, name: str, packed: bool
) -> None:
    (stage / name).unlink()
    checks = verify(pack(stage) if packed else stage, "--key", public(key), code=1)
    assert f"missing: {name}" in checks["files"]["text"]
    (stage / name).write_text("[1")
    checks = verify(pack(stage) if packed else stage, "--key", public(key), code=1)
    assert f"changed: {name}" in checks["files"]["text"]


def test_a_list_made_again_without_the_key_is_not_signed(
    stage: Path, key: Path, tmp_path: Path
) -> None:
    change(stage)
    airgap.seal(stage)
    checks = verify(stage, "--key", public(key), code=1)
    assert checks["files"]["ok"] and not checks["signature"]["ok"]
    assert "other files" in checks["provenance"]["text"]
    other = bundles.new_key(tmp_path / "other")
    assert not verify(stage, "--key", str(other), code=1)["signature"]["ok"]
    (stage / bundles.SIGNATURE).unlink()
    checks = verify(stage, "--key", public(key), code=1)
    assert "not signed" in checks["signature"]["text"]


def test_a_part_that_no_bill_names_and_a_missing_provenance_fail(stage: Path, key: Path) -> None:
    (stage / "wheels" / "evil-6.6-py3-none-any.whl").write_bytes(b"evil")
    put_provenance(stage)
    airgap.seal(stage, key)
    checks = verify(stage, "--key", public(key), code=1)
    assert "evil-6.6" in checks["materials"]["text"] and checks["provenance"]["ok"]
    (stage / bundles.PROVENANCE).unlink()
    (stage / bundles.SBOM).write_text("[]")
    airgap.seal(stage, key)
    checks = verify(stage, "--key", public(key), code=1)
    assert "missing" in checks["provenance"]["text"] and not checks["materials"]["ok"]


@pytest.mark.parametrize(
    ("name", "part"),
    [
        (SDIST, "sdist"),
        (CHART, "Helm chart"),
        (ARTIFACT, "Helm chart as an OCI artefact"),
        (PLUGIN, "kubectl plugin"),
        ("images/NONE", "image, or why there is none"),
        ("install.sh", "install.sh"),
        (bundles.SBOM, "bill of materials"),
        (bundles.VEX, "statement on vulnerabilities"),
        (bundles.PROVENANCE, "provenance"),
    ],
)
def test_a_signed_release_that_was_made_without_a_part_fails_by_its_name(
    stage: Path, key: Path, name: str, part: str
) -> None:
    (stage / name).unlink()
    airgap.seal(stage, key)
    checks = verify(stage, "--key", public(key), code=1)
    assert checks["signature"]["ok"] and checks["files"]["ok"]
    assert checks["parts"]["text"] == f"missing: {part}"


BOTH = ("linux/amd64", "linux/arm64")


def put_layout(stage: Path, layout: Layout) -> None:
    """As `put_image` leaves an image that an engine made."""
    (stage / "images" / "NONE").unlink(missing_ok=True)
    (stage / "images" / ARCHIVE).write_bytes(layout.archive())
    (stage / "images" / "IMAGE").write_text(f"registry.example/s@{layout.digest}\n")


@pytest.mark.parametrize("packed", [False, True])
def test_the_image_is_checked_for_every_platform_that_it_was_made_for(
    stage: Path, key: Path, packed: bool
) -> None:
    def check(code: int) -> str:
        checks = verify(pack(stage) if packed else stage, "--key", public(key), code=code)
        assert all(one["ok"] for name, one in checks.items() if name != "image")
        assert checks["image"]["ok"] == (code == 0)
        return str(checks["image"]["text"])

    put_layout(stage, Layout(*BOTH))
    put_provenance(stage)
    airgap.seal(stage, key)
    assert check(0).startswith("for linux/amd64, linux/arm64, whole")

    def put(layout: Layout, platforms: object = BOTH) -> None:  # And such a provenance.
        put_layout(stage, layout)
        put_provenance(stage)
        made = json.loads((stage / bundles.PROVENANCE).read_text())
        made["predicate"]["buildDefinition"]["externalParameters"]["platforms"] = platforms
        (stage / bundles.PROVENANCE).write_text(json.dumps(made))
        airgap.seal(stage, key)

    put(Layout(*BOTH[:1]))
    assert check(1) == "not for linux/arm64"
    put(Layout(*BOTH), platforms=[1])
    assert check(1) == "not for 1"
    (stage / "images" / "IMAGE").write_text(f"registry.example/s@sha256:{'0' * 64}\n")
    put_provenance(stage)
    airgap.seal(stage, key)
    assert "is not registry.example/s@" in check(1)


def test_a_release_without_the_archive_of_its_image_fails(stage: Path, key: Path) -> None:
    put_layout(stage, Layout(*BOTH))
    (stage / "images" / ARCHIVE).unlink()
    put_provenance(stage)
    airgap.seal(stage, key)
    found = verify(stage, "--key", public(key), code=1)["image"]
    assert found["text"] == "0 archives, where one image is named"


def test_a_release_with_a_torn_image_fails(stage: Path, key: Path) -> None:
    put_layout(stage, Layout(*BOTH))
    put_provenance(stage)
    archive = stage / "images" / ARCHIVE
    archive.write_bytes(
        archive.read_bytes().replace(b"layer of linux/arm64", b"layer of linux/arm46")
    )
    airgap.seal(stage, key)
    assert "was changed" in verify(stage, "--key", public(key), code=1)["image"]["text"]


def test_a_statement_about_another_release_fails_and_one_that_affects_it_is_named(
    stage: Path, key: Path
) -> None:
    statement = json.loads((stage / bundles.VEX).read_text())
    first = statement["vulnerabilities"][0]
    first["analysis"]["state"] = "exploitable"
    (stage / bundles.VEX).write_text(json.dumps(statement))
    airgap.seal(stage, key)
    found = verify(stage, "--key", public(key), code=0)["vulnerabilities"]
    assert f"affected by {first['id']}" in found["text"]
    first["affects"][0]["ref"] = f"urn:cdx:{'0' * 8}/1#spillway-router"
    (stage / bundles.VEX).write_text(json.dumps(statement))
    airgap.seal(stage, key)
    found = verify(stage, "--key", public(key), code=1)["vulnerabilities"]
    assert found["text"] == f"{first['id']}: about another release"


def test_whose_signature_it_has_to_be_is_asked(stage: Path, key: Path) -> None:
    assert "--key release.pub; or --unsigned" in verify(stage, code=2)
    assert "signature" not in verify(stage, "--unsigned", code=0)
    assert "no public key" in verify(stage, "--key", str(stage / "README.md"), code=2)
    other = verify(stage / "README.md", "--key", public(key), code=2)
    assert "an archive that can be read: it is no tar archive, or cut off" in other
    assert "method" not in other


def test_an_archive_that_leads_elsewhere_is_refused(stage: Path, key: Path) -> None:
    archive = pack(stage)
    with tarfile.open(archive, "a") as tar:
        evil = tarfile.TarInfo(f"{airgap.NAME}/../../outside")
        evil.size = 4
        tar.addfile(evil, BytesIO(b"evil"))
    checks = verify(archive, "--key", public(key), code=1)
    assert "outside" in checks["files"]["text"]


def test_a_key_is_not_written_over(key: Path) -> None:
    with pytest.raises(CertError, match="is there already"):
        bundles.new_key(key)
    assert signing.main([str(key)]) == 1 and signing.main([]) == 2


def test_the_same_list_and_key_have_the_same_signature(stage: Path, key: Path) -> None:
    before = (stage / bundles.SIGNATURE).read_bytes()
    airgap.seal(stage, key)
    assert (stage / bundles.SIGNATURE).read_bytes() == before


def test_the_same_sources_have_the_same_provenance(stage: Path, key: Path) -> None:
    before = (stage / bundles.PROVENANCE).read_bytes()
    copy = stage.parent / "again" / stage.name
    shutil.copytree(stage, copy)
    put_provenance(copy)
    assert (copy / bundles.PROVENANCE).read_bytes() == before
