"""The parts of a bundle that need neither wheels nor an engine."""

import subprocess
import tarfile
from pathlib import Path

import pytest

from deploy import airgap
from deploy.release.archives import pack, sha256
from deploy.release.image import put_image
from deploy.release.steps import CannotBundle
from router import __version__
from router.kubernetes.manifests.image import IMAGE
from tests.unit.certs.layouts import Layout, blob

DIGESTED = f"registry.example/spillway@sha256:{'7' * 64}"


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    """A bundle's directory with a wheel of ours in it, and without an image."""
    stage = tmp_path / airgap.NAME
    (stage / "wheels").mkdir(parents=True)
    (stage / "wheels" / f"spillway_router-{__version__}-py3-none-any.whl").write_bytes(b"ours")
    airgap.put_lists(stage, ("3.11", "3.12"))
    return stage


def test_manifests_name_the_image_by_digest_everywhere(tmp_path: Path) -> None:
    airgap.put_manifests(tmp_path / "m", DIGESTED)
    texts = {path: path.read_text() for path in (tmp_path / "m").rglob("*") if path.is_file()}
    assert not [path for path, text in texts.items() if IMAGE in text]
    named = sorted(path.name for path, text in texts.items() if DIGESTED in text)
    assert {"site.yaml", "cluster.yaml", "controller.yaml", "front.yaml"} <= set(named)
    values = texts[tmp_path / "m" / "helm" / "spillway" / "values.yaml"]
    assert "repository: registry.example/spillway\n" in values
    assert f"digest: sha256:{'7' * 64}\n" in values


def test_without_an_image_manifests_name_the_version_and_the_reason_is_kept(
    tmp_path: Path, stage: Path
) -> None:
    image = put_image(tmp_path / "images", "registry.example/s", "no podman here")
    assert image == f"registry.example/s:{__version__}"
    assert (tmp_path / "images" / "NONE").read_text() == "no podman here\n"
    airgap.put_texts(stage, image, "no podman here")
    assert "no image in this bundle: no podman here." in (stage / "README.md").read_text()


def test_where_podman_is_not_the_way_out_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGINE", "/usr/bin/docker")
    with pytest.raises(CannotBundle, match="--no-image"):
        put_image(tmp_path / "images", "registry.example/s", "")


@pytest.mark.parametrize("spoil", [False, True], ids=["whole", "torn"])
def test_an_image_is_for_each_platform_that_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: bool
) -> None:
    both = ("linux/amd64", "linux/arm64")
    made = Layout(*both)

    def engine(words: list[str], **_: str) -> None:
        if words[1:2] != ["push"] and words[1:3] != ["manifest", "push"]:
            return  # It builds.
        place = Path(words[-1].split(":")[1])
        for name, data in made.files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(data)

    monkeypatch.setattr("deploy.release.image.run_step", engine)
    monkeypatch.setenv("ENGINE", "podman")
    monkeypatch.setenv("PLATFORMS", ",".join(both))
    name = put_image(tmp_path / "images", "registry.example/s", "")
    assert name == f"registry.example/s@{made.digest}"
    if spoil:
        made.files[blob(made.layers[both[1]]["digest"])] += b"!"
        said = "no image: .* was changed"
    else:
        made = Layout(both[0])
        said = "no image for linux/arm64"
    with pytest.raises(CannotBundle, match=said):
        put_image(tmp_path / "again", "registry.example/s", "")


def test_the_installer_in_a_bundle_knows_its_version_and_the_list_of_hashes(stage: Path) -> None:
    airgap.put_texts(stage, DIGESTED, "")
    script = (stage / "install.sh").read_text()
    assert f"\nversion={__version__}  #" in script
    assert "\nreleases=\n" in script and "\npip_wheel=\n" in script
    assert f"\nrequirements_sha256={sha256(stage / 'requirements.txt')}\n" in script
    last = (stage / "requirements.txt").read_text().splitlines()[-1]
    wheel = stage / "wheels" / f"spillway_router-{__version__}-py3-none-any.whl"
    assert last == f"spillway-router=={__version__} --hash=sha256:{sha256(wheel)}"


def test_the_installer_knows_the_pip_of_its_release(stage: Path) -> None:
    pip = stage / "wheels" / "pip-1-py3-none-any.whl"
    pip.write_bytes(b"pip")
    airgap.put_texts(stage, DIGESTED, "")
    script = (stage / "install.sh").read_text()
    assert f"\npip_wheel={pip.name}\npip_sha256={sha256(pip)}\n" in script


def test_where_a_release_will_be_is_in_its_installer_only_when_it_is_said(stage: Path) -> None:
    airgap.put_texts(stage, DIGESTED, "", "https://host.example/a b")
    assert "\nreleases='https://host.example/a b'\n" in (stage / "install.sh").read_text()


def test_compose_runs_the_image_of_the_release(tmp_path: Path) -> None:
    airgap.put_compose(tmp_path / "c", DIGESTED)
    text = (tmp_path / "c" / "compose.yaml").read_text()
    assert f"SPILLWAY_IMAGE:-{DIGESTED}}}" in text and IMAGE not in text
    assert {path.name for path in (tmp_path / "c").iterdir()} > {"ask.py", "server.py"}


def test_two_builds_that_differ_are_refused_by_the_name_of_the_file(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for place in (one, two):
        place.mkdir()
        (place / "same").write_text("same")
    airgap.compare(one, two)
    (two / "more").write_text("more")
    (two / "same").write_text("else")
    with pytest.raises(CannotBundle, match="another: more, same"):
        airgap.compare(one, two)


def test_sums_are_of_every_file_and_find_a_changed_one(stage: Path) -> None:
    airgap.put_texts(stage, DIGESTED, "")
    airgap.seal(stage)
    check = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    done = subprocess.run(check, cwd=stage, capture_output=True, text=True, check=True)
    checked = {line.partition(":")[0] for line in done.stdout.splitlines()}
    assert checked == {
        str(path.relative_to(stage)) for path in stage.rglob("*") if path.is_file()
    } - {"SHA256SUMS"}
    (stage / "sbom.json").write_text("{}")
    assert subprocess.run(check, cwd=stage, capture_output=True, check=False).returncode == 1


def test_the_same_files_make_the_same_archive(stage: Path) -> None:
    first = pack(stage).read_bytes()
    for path in stage.rglob("*"):
        path.touch()
    archive = pack(stage)
    assert archive.read_bytes() == first
    with tarfile.open(archive) as tar:
        assert tar.getnames()[0] == airgap.NAME
        assert all(found.uid == 0 and not found.mode & 0o022 for found in tar)
