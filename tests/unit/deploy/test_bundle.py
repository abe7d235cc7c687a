"""The OLM bundle meets its validator's demands, and has the same objects as the plain install."""

import re
from typing import Any

import kubernetes_validate
import pytest
import yaml

from deploy.__main__ import HERE
from router import __version__
from router.kubernetes.manifests import IMAGE
from tests.unit.kubernetes.manifests.restricted import check_container

OLM = HERE / "olm"


@pytest.fixture
def csv() -> Any:
    """The ClusterServiceVersion."""
    (path,) = (OLM / "manifests").iterdir()
    return yaml.safe_load(path.read_text())


@pytest.fixture
def plain() -> Any:
    """The plain install for all namespaces, by kind."""
    text = (HERE / "controller/cluster.yaml").read_text()
    return {found["kind"]: found for found in yaml.safe_load_all(text)}


def test_the_csv_has_what_olm_requires(csv: Any) -> None:
    assert csv["apiVersion"] == "operators.coreos.com/v1alpha1"
    assert csv["metadata"]["name"] == f"spillway.v{__version__}"
    spec = csv["spec"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", spec["version"])
    for field in ("displayName", "description", "keywords", "provider"):
        assert spec[field], field
    for field in ("capabilities", "categories", "containerImage", "description"):
        assert csv["metadata"]["annotations"][field], field
    assert spec["install"]["strategy"] == "deployment"
    assert spec["minKubeVersion"]
    assert "replaces" not in spec or spec["replaces"] != csv["metadata"]["name"]


def test_it_installs_for_one_namespace_and_for_all(csv: Any) -> None:
    modes = {mode["type"]: mode["supported"] for mode in csv["spec"]["installModes"]}
    assert modes["OwnNamespace"] and modes["AllNamespaces"]
    assert set(modes) == {"OwnNamespace", "SingleNamespace", "MultiNamespace", "AllNamespaces"}
    (deployment,) = csv["spec"]["install"]["spec"]["deployments"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    (watched,) = [one for one in container["env"] if one["name"] == "WATCH_NAMESPACE"]
    path = watched["valueFrom"]["fieldRef"]["fieldPath"]
    assert path == "metadata.annotations['olm.targetNamespaces']"


def test_its_rights_and_its_deployment_are_those_of_the_plain_install(csv: Any, plain: Any) -> None:
    install = csv["spec"]["install"]["spec"]
    (permissions,) = install["permissions"]
    assert "clusterPermissions" not in install
    assert permissions["rules"] == plain["ClusterRole"]["rules"]
    assert permissions["serviceAccountName"] == plain["ServiceAccount"]["metadata"]["name"]
    (deployment,) = install["deployments"]
    assert deployment["name"] == plain["Deployment"]["metadata"]["name"]
    whole = {**plain["Deployment"], "spec": deployment["spec"]}
    kubernetes_validate.validate(whole, "1.37", strict=True)
    ours = deployment["spec"]["template"]["spec"]
    theirs = plain["Deployment"]["spec"]["template"]["spec"]
    for spec in (ours, theirs):
        (container,) = spec["containers"]
        check_container(container)
        container["env"] = [one for one in container["env"] if one["name"] != "WATCH_NAMESPACE"]
    assert ours == theirs


def test_every_image_that_runs_is_a_related_one(csv: Any) -> None:
    related = {image["image"] for image in csv["spec"]["relatedImages"]}
    assert related == {IMAGE} == {csv["metadata"]["annotations"]["containerImage"]}
    text = yaml.safe_dump(csv["spec"]["install"])
    assert set(re.findall(r"(?:image|value): (\S+/\S+:\S+)", text)) <= related


def test_the_image_of_the_bundle_carries_the_same_marks_as_its_annotations() -> None:
    annotations = yaml.safe_load((OLM / "metadata/annotations.yaml").read_text())["annotations"]
    dockerfile = (OLM / "bundle.Dockerfile").read_text()
    labels = dict(re.findall(r"^LABEL (\S+?)=(\S+)$", dockerfile, re.MULTILINE))
    assert labels == annotations
    prefix = "operators.operatorframework.io.bundle."
    assert annotations[f"{prefix}package.v1"] == "spillway"
    channels = annotations[f"{prefix}channels.v1"].split(",")
    assert annotations[f"{prefix}channel.default.v1"] in channels
    assert annotations[f"{prefix}mediatype.v1"] == "registry+v1"
    for directory in ("manifests", "metadata"):
        assert f"COPY {directory} /{directory}/" in dockerfile
        assert (OLM / directory).is_dir()
