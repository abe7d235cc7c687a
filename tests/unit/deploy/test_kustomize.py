"""The files in ``deploy/`` are the renderer's output, valid, and restricted."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from deploy import __main__ as written
from deploy.files import all_files
from deploy.kustomize import NAMESPACE
from deploy.rights import page
from deploy.text import GENERATED
from router.kubernetes.manifests import IMAGE, site_objects
from router.kubernetes.objects.objects import Object
from router.kubernetes.objects.picture import SiteOptions
from tests import needs
from tests.unit.kubernetes.manifests.restricted import (
    TEMPLATES,
    check_container,
    containers,
    pod_spec,
)

DEPLOY = written.HERE
DIRECTORIES = sorted(
    str(path.parent.relative_to(DEPLOY))
    for path in DEPLOY.rglob("kustomization.yaml")
    if "components" not in path.parts
)
WITHOUT_SCHEMA = ("keda.sh", "monitoring.coreos.com", "openshift.io", "operators.coreos.com")


def built(directory: Path) -> list[Any]:
    """What kustomize makes of a directory."""
    needs.programs("kubectl")
    done = subprocess.run(
        ["kubectl", "kustomize", str(directory)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def by_kind(objects: list[Any]) -> dict[tuple[str, str], Object]:
    return {(found["kind"], found["metadata"]["name"]): found for found in objects}


def test_every_generated_file_is_as_the_renderer_makes_it_and_none_is_left_over() -> None:
    made = all_files()
    on_disk = {
        str(path.relative_to(DEPLOY)): path.read_text()
        for path in DEPLOY.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    for name, text in made.items():
        assert on_disk.get(name) == text, f"deploy/{name} differs: run python -m deploy"
    for name, text in on_disk.items():
        assert name in made or not text.startswith(GENERATED), f"deploy/{name} is not made any more"


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_every_kustomization_builds_valid_and_restricted_objects(directory: str) -> None:
    objects = built(DEPLOY / directory)
    assert objects
    for found in objects:
        if not any(group in found["apiVersion"] for group in WITHOUT_SCHEMA):
            kubernetes_validate.validate(found, "1.37", strict=True)
        assert found["metadata"]["namespace"] == NAMESPACE
        if found["kind"] in TEMPLATES:
            pod = pod_spec(found)
            assert pod["securityContext"]["runAsNonRoot"] is True
            for container in containers(pod):
                assert {"requests", "limits"} <= container["resources"].keys()
                assert container["securityContext"]["readOnlyRootFilesystem"] is True
                if container["image"] == IMAGE:
                    check_container(container)


def test_the_plain_install_of_the_controller_is_valid() -> None:
    objects = list(yaml.safe_load_all((DEPLOY / "controller/cluster.yaml").read_text()))
    for found in objects:
        kubernetes_validate.validate(found, "1.37", strict=True)
    assert [found["kind"] for found in objects][:2] == ["Namespace", "ServiceAccount"]


def test_the_base_is_what_sitectl_init_applies() -> None:
    wanted = site_objects(SiteOptions(name=NAMESPACE), namespace=NAMESPACE, image=IMAGE)
    assert by_kind(built(DEPLOY / "kubernetes/base")) == by_kind(wanted)


def test_the_overlay_for_openshift_is_what_the_renderer_makes_there() -> None:
    wanted = site_objects(
        SiteOptions(name=NAMESPACE, ingress="route"),
        namespace=NAMESPACE,
        image=IMAGE,
        openshift=True,
        data={"ingress": "route"},
    )
    assert by_kind(built(DEPLOY / "kubernetes/overlays/openshift")) == by_kind(wanted)


def test_a_kustomization_of_ones_own_names_the_namespace_and_composes(tmp_path: Path) -> None:
    copied = tmp_path / "deploy"
    shutil.copytree(DEPLOY / "kubernetes", copied)
    own = copied / "own"
    own.mkdir()
    (own / "kustomization.yaml").write_text(
        yaml.safe_dump(
            {
                "namespace": "west",
                "resources": ["../overlays/openshift"],
                "components": ["../components/monitoring", "../components/headless"],
                "images": [{"name": IMAGE.partition(":")[0], "newTag": "9.9"}],
            }
        )
    )
    objects = by_kind(built(own))
    assert {found["metadata"]["namespace"] for found in objects.values()} == {"west"}
    for (kind, _), found in objects.items():
        if kind == "RoleBinding":
            assert found["subjects"][0]["namespace"] == "west"
    assert ("PrometheusRule", "spillway-router") in objects
    assert ("Role", "spillway-router-headless") in objects
    (container,) = pod_spec(objects["Deployment", "spillway-router"])["containers"]
    assert container["image"].endswith(":9.9")


def test_the_tables_of_rights_are_those_that_manifests_grant() -> None:
    text = written.PAGE.read_text()
    assert page(text) == text, "run python -m deploy"
    assert "| `leases` (coordination.k8s.io) | get update patch | `spillway-router` |" in text
